"""Frames that were asked for, opened as one lazy object."""

import numpy as np
import pytest
import xarray as xr

from aurora_prep.manifest import Manifest
from aurora_prep.manifest.lazy_frames import open_frames
from aurora_prep.manifest.ledger.compact import compact
from aurora_prep.sources.spec import ManifestError


@pytest.fixture
def manifest(small):
    """Six frames planned, of which the second and the last are not there."""
    small.publish(0, 2, 3, 4)
    compact(str(small.root), [small.plan()])
    with Manifest.open(str(small.root)) as opened:
        yield opened


def test_frames_that_are_not_written_are_not_among_the_times(manifest, small):
    found = open_frames(manifest, "era5")
    assert isinstance(found, xr.Dataset)
    assert found.indexes["time"].to_pydatetime().tolist() == [small.time(i) for i in (0, 2, 3, 4)]
    assert set(found.data_vars) == {"2t", "t"}
    for place, i in enumerate((0, 2, 3, 4)):
        for name in ("2t", "t"):
            np.testing.assert_array_equal(found[name].values[place], small.values(i, name))


def test_facets_narrow_and_one_variable_can_be_had(manifest, small):
    found = open_frames(
        manifest, "era5", grid="30", split="train", valid_from=small.time(1), variable="surface/2t"
    )
    assert found.indexes["time"].to_pydatetime().tolist() == [small.time(2), small.time(3)]
    assert list(found.data_vars) == ["2t"]


@pytest.mark.parametrize("facets", [{"split": "test"}, {"variable": "q"}, {"grid": "0.25"}])
def test_a_name_that_is_nowhere_is_an_error(manifest, facets):
    with pytest.raises(ManifestError, match="not among"):
        open_frames(manifest, "era5", **facets)


def test_no_frame_at_all_is_an_error(manifest, small):
    with pytest.raises(ManifestError, match="no written frame"):
        open_frames(manifest, "era5", valid_from=small.time(5))
