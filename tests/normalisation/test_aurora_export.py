"""Aurora's keys, rules and constants; nothing that would divide by zero."""

import math

import numpy as np
import pytest

from aurora_prep.normalisation import (
    ShardStatistics,
    Statistics,
    compare_aurora,
    finish,
    reduce_field,
    to_aurora,
)
from aurora_prep.normalisation.aurora import Rule, published, rule_of
from aurora_prep.sources.era5 import SOURCE
from aurora_prep.sources.spec import StatisticsError

from .conftest import frame_key

SHAPE = 30, 40
FRAME = frame_key(0), "digest"


def statistics_of(fields: dict[tuple[str, int | None], np.ndarray], source="era5") -> Statistics:
    total = ShardStatistics()
    for (path, level), field in fields.items():
        total.add(path, level, reduce_field(field.astype(np.float32)))
    total.add_frame(*FRAME)
    return finish(
        total, source=source, grid="6", split="train", frames=[FRAME], software_version="1"
    )


def drawn(location: float, scale: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(location, scale, SHAPE)


def test_the_published_constants_are_all_there() -> None:
    assert len(published()) == 244
    assert published()["2t"] == (278.514, 21.22036)
    assert published()["z"] == (-1386.496, 58844.67)
    assert all(scale > 0 for _, scale in published().values())


def test_keys_are_exactly_those_of_aurora_for_a_whole_source() -> None:
    fields = {
        (variable.path, level): drawn(5, 1)
        for variable in (n.variable for n in SOURCE.natives if not n.optional)
        for level in (SOURCE.levels if variable.has_levels else (None,))
    }

    exported = to_aurora(statistics_of(fields))

    assert exported["locations"].keys() == exported["scales"].keys()
    assert exported["scales"].keys() <= published().keys()
    assert len(exported["scales"]) == 4 + 5 * 13 + 3
    assert {"2t", "t_850", "z_50", "z", "slt"} <= exported["scales"].keys()


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        ("surface/2t", Rule.STANDARDISE),
        ("surface/10u_wave", Rule.STANDARDISE),
        ("atmospheric/z", Rule.STANDARDISE),
        ("static/z", Rule.MIN_MAX),
        ("static/slt", Rule.SOIL_TYPE),
        ("static/lsm", Rule.UNIT),
        ("static/static_nox_log", Rule.UNIT),
        ("surface/mwd", Rule.UNIT),
        ("surface/insolation", Rule.UNIT),
        ("surface/pm2p5", Rule.MEAN_MAXIMUM),
        ("atmospheric/go3", Rule.MEAN_MAXIMUM),
    ],
)
def test_rules(path: str, rule: Rule) -> None:
    assert rule_of(path) == rule
    if rule is Rule.UNIT:
        assert published()[path.partition("/")[2]] == (0.0, 1.0)
    if rule is Rule.MEAN_MAXIMUM:
        keys = [k for k in published() if k.partition("_")[0] == path.partition("/")[2]]
        assert keys
        assert all(published()[key][0] == 0 for key in keys)


def test_values_follow_the_rules() -> None:
    orography = drawn(3000, 500)
    ozone = np.abs(drawn(1e-6, 1e-6))
    found = statistics_of(
        {
            ("static/z", None): orography,
            ("static/slt", None): np.full(SHAPE, 3.0),
            ("atmospheric/go3", 50): ozone,
            ("surface/mwd", None): drawn(180, 60),
        }
    )

    exported = to_aurora(found)

    low, high = orography.astype(np.float32).min(), orography.astype(np.float32).max()
    assert exported["locations"]["z"] == low
    assert exported["scales"]["z"] == float(high) - float(low)
    assert (exported["locations"]["slt"], exported["scales"]["slt"]) == (0, 7)
    assert exported["scales"]["go3_50"] == np.float64(ozone.astype(np.float32).max()) / 2
    assert (
        to_aurora(found, mean_maximum_share=1.0)["scales"]["go3_50"]
        == 2 * (exported["scales"]["go3_50"])
    )
    assert (exported["locations"]["mwd"], exported["scales"]["mwd"]) == (0, 1)


@pytest.mark.parametrize("value", [7.0, math.nan])
def test_no_scale_is_ever_zero_or_nan(value: float) -> None:
    found = statistics_of({("surface/2t", None): np.full(SHAPE, value)})
    with pytest.raises(StatisticsError, match=r"(?s)divide by zero.*2t"):
        to_aurora(found)


def test_the_area_convention_needs_weights() -> None:
    found = statistics_of({("surface/2t", None): drawn(280, 20)})
    with pytest.raises(StatisticsError, match="not computed in this convention"):
        to_aurora(found, area_weighted=True)


def test_several_sources_go_together_unless_they_share_a_key() -> None:
    era5 = statistics_of({("surface/2t", None): drawn(280, 20)})
    cams = statistics_of({("surface/pm1", None): np.abs(drawn(1, 1))}, source="cams")
    assert to_aurora([era5, cams])["scales"].keys() == {"2t", "pm1"}
    with pytest.raises(StatisticsError, match="two sources"):
        to_aurora([era5, era5])


def test_comparison_is_in_published_scales_and_marks_what_is_off() -> None:
    found = statistics_of(
        {
            ("surface/2t", None): drawn(278.514, 21.22036, 3),
            ("surface/msl", None): drawn(100957.8 + 3 * 1332.246, 2 * 1332.246),
            ("surface/unheard_of", None): drawn(0, 1),
        }
    )

    rows = {row.key: row for row in compare_aurora(found)}

    assert rows["2t"].look == ""
    assert rows["2t"].ratio == pytest.approx(1, abs=0.1)
    assert rows["msl"].shift == pytest.approx(3, abs=0.2)
    assert rows["msl"].ratio == pytest.approx(2, abs=0.2)
    assert "scales off" in rows["msl"].look
    assert "times the published" in rows["msl"].look
    assert rows["unheard_of"].look == "Aurora publishes none"
