"""The laws at full size: every grid the sources use, to every target."""

import numpy as np
import pytest

from aurora_prep.regridding import (
    Reduced,
    octahedral,
    of_grid,
    rectilinear,
    reduced_gaussian,
    regridder,
)
from aurora_prep.regridding.gaussian import gaussian_latitudes
from aurora_prep.sources.spec import Grid

pytestmark = pytest.mark.slow


def classic(order):
    """A classic reduced grid with the row lengths ecCodes knows."""
    eccodes = pytest.importorskip("eccodes", reason="install eccodes for its row lengths")
    sample = eccodes.codes_grib_new_from_samples(f"reduced_gg_pl_{order}_grib2")
    counts = eccodes.codes_get_array(sample, "pl")
    eccodes.codes_release(sample)
    return reduced_gaussian(order, counts)


def reduced_latitudes(step):
    """A reduced latitude-longitude grid: rows as long as their parallel, some empty."""
    latitude = np.arange(90, -90 - step / 2, -step)
    edges = np.clip(np.concatenate([[90 + step / 2], latitude - step / 2]), -90, 90)
    counts = np.round(360 / step * np.cos(np.radians(latitude)) / 2).astype(int) * 2
    counts = np.maximum(counts, 2)
    return Reduced(latitude, edges, counts, np.zeros(len(counts)), 360 / counts)


SOURCES = {
    "0.25": lambda: of_grid(Grid.regular("0.25")),
    "0.1": lambda: of_grid(Grid.regular("0.1")),
    "0.75": lambda: of_grid(Grid.regular("0.75")),
    "F1280": lambda: rectilinear(gaussian_latitudes(1280), 90 / 1280 * np.arange(5120)),
    "N320": lambda: classic(320),
    "O96": lambda: octahedral(96),
    "O320": lambda: octahedral(320),
    "O1280": lambda: octahedral(1280),
    "reduced_ll 0.36": lambda: reduced_latitudes(0.36),
    "reduced_ll 0.1": lambda: reduced_latitudes(0.1),
}


@pytest.mark.parametrize("step", ["0.25", "0.1", "0.4"])
@pytest.mark.parametrize("name", SOURCES)
def test_constants_and_area_means_are_kept(tools, name, step):
    source, target = SOURCES[name](), Grid.regular(step)
    areas, cells = tools.source_areas(source), tools.cell_areas(target)
    field = np.random.default_rng(1).uniform(0.5, 1.5, source.shape)
    move = regridder(source, target, "conservative")
    np.testing.assert_allclose(move(np.full(source.shape, 3.7)), 3.7, rtol=1e-12)
    before = (field.ravel() * areas).sum() / areas.sum()
    after = (move(field, threads=2) * cells).sum() / cells.sum()
    assert after == pytest.approx(before, rel=1e-12)
    smooth = regridder(source, target, "bilinear")(np.full(source.shape, 3.7))
    np.testing.assert_allclose(smooth, 3.7, rtol=1e-12)
