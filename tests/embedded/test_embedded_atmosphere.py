"""The analytic atmosphere: within bounds, whole round the globe, single-valued at the poles."""

from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurora_prep import sources
from aurora_prep.providers.embedded import truth
from aurora_prep.sources.spec import Grid, Kind, Nature, Source, Variable

GRID = Grid.regular("2.5")
MOMENT = datetime(2020, 1, 1, 6)
DECLARED = [
    pytest.param(native.variable, level, id=f"{source.name}-{native.variable.path}-{level}")
    for source in map(sources.load, sources.names())
    for native in source.natives
    for level in (source.levels if native.variable.has_levels else (None,))
]
WINDS = (Nature.EASTWARD, Nature.NORTHWARD)


def field(variable: Variable, level: int | None, moment: datetime = MOMENT) -> np.ndarray:
    return truth(variable, level, moment, GRID.latitude, GRID.longitude)


@pytest.mark.parametrize(("variable", "level"), DECLARED)
def test_every_declared_variable_is_plausible_at_any_time(variable, level):
    low, high = variable.plausible
    for days in range(0, 400, 37):
        values = field(variable, level, MOMENT + timedelta(days=days, hours=days % 24))
        seen = values[~np.isnan(values)]
        assert seen.size
        assert low <= seen.min() < seen.max() <= high


@pytest.mark.parametrize(("variable", "level"), DECLARED)
def test_poles_have_one_value_and_winds_vanish_there(variable, level):
    values = field(variable, level)
    for pole in (values[0], values[-1]):
        seen = pole[~np.isnan(pole)]
        assert np.all(seen == seen[:1])
        if variable.nature in WINDS:
            assert np.all(seen == 0.0)


@pytest.mark.parametrize(("variable", "level"), DECLARED)
def test_the_seam_is_no_edge(variable, level):
    east = np.array([-180.0, -90.25, -0.25, 0.0, 10.0])
    here = truth(variable, level, MOMENT, GRID.latitude, east)
    turned = truth(variable, level, MOMENT, GRID.latitude, east + 360.0)
    np.testing.assert_array_equal(here, turned)
    if variable.nature is not Nature.CATEGORICAL:
        near = truth(variable, level, MOMENT, GRID.latitude, np.array([359.999, 0.0]))
        reach = variable.plausible[1] - variable.plausible[0]
        assert np.nanmax(np.abs(near[:, 0] - near[:, 1])) < 1e-3 * reach


@pytest.mark.parametrize(("variable", "level"), DECLARED)
def test_only_static_variables_stand_still(variable, level):
    now, later = field(variable, level), field(variable, level, MOMENT + timedelta(hours=6))
    assert np.array_equal(now, later, equal_nan=True) == (variable.kind is Kind.STATIC)


@pytest.mark.parametrize("level", [50, 300, 1000])
def test_levels_differ_and_rise(level):
    source = sources.load("era5")
    z = source.native("atmospheric/z").variable
    above, below = field(z, level - 25 if level > 50 else 25), field(z, level)
    assert np.all(above > below)


def test_a_value_does_not_depend_on_the_region_around_it():
    variable = sources.load("era5").native("atmospheric/t").variable
    whole = field(variable, 500)
    part = truth(variable, 500, MOMENT, GRID.latitude[7:45], GRID.longitude[30:31])
    np.testing.assert_array_equal(part, whole[7:45, 30:31])


def test_soil_types_are_whole_numbers_and_the_mask_has_land_and_sea():
    source = sources.load("era5")
    soil = field(source.native("static/slt").variable, None)
    assert set(np.unique(soil)) == set(range(8))
    mask = field(source.native("static/lsm").variable, None)
    assert (mask.min(), mask.max()) == (0.0, 1.0)
    assert np.any((mask > 0.0) & (mask < 1.0))


def test_an_invented_source_has_values_too(invented: Source):
    for native in invented.natives:
        variable = native.variable
        values = field(variable, 500 if variable.has_levels else None)
        low, high = variable.plausible
        assert low <= np.nanmin(values) < np.nanmax(values) <= high
        assert np.isnan(values).any() == variable.may_be_missing


def test_directions_cross_north(invented: Source):
    values = field(invented.native("surface/mwd").variable, None)
    jump = np.abs(np.diff(values, axis=1))
    assert np.any(jump > 300.0)
    assert np.minimum(jump, 360.0 - jump).max() < 15.0


@given(
    name=st.text("abcdefgh0123456789", min_size=1, max_size=8),
    kind=st.sampled_from(Kind),
    nature=st.sampled_from(Nature),
    low=st.floats(-1e5, 1e5),
    width=st.floats(8.0, 1e5),
    level=st.integers(1, 1100),
    hours=st.integers(0, 10**6),
)
def test_anything_declared_is_plausible(name, kind, nature, low, width, level, hours):
    high = low + width
    if nature is Nature.DIRECTION:
        low, high = 0.0, 360.0
    variable = Variable(
        short_name=f"x{name}",
        kind=kind,
        param=1,
        units="1",
        long_name="anything",
        standard_name=None,
        plausible=(low, high),
        nature=nature,
    )
    grid = Grid.regular("10")
    moment = datetime(1940, 1, 1) + timedelta(hours=hours)
    values = truth(
        variable, level if variable.has_levels else None, moment, grid.latitude, grid.longitude
    )
    assert low <= values.min() <= values.max() <= high
    if nature is Nature.CATEGORICAL:
        np.testing.assert_array_equal(values, np.rint(values))
