"""The regridder as callers use it."""

import threading

import numpy as np
import pytest

from aurora_prep.regridding import (
    METHODS,
    Projected,
    Projection,
    Scattered,
    octahedral,
    of_grid,
    rectilinear,
    regridder,
)
from aurora_prep.sources.spec import Grid, Nature, RegridError

ONE, TWO = Grid.regular("1"), Grid.regular("2")


@pytest.fixture(scope="module")
def field():
    random = np.random.default_rng(5)
    field = random.normal(280, 10, (5, *ONE.shape)).astype(np.float32)
    field[2, 40:90, 30:200] = np.nan
    field[4] = np.nan
    return field


def test_an_identical_grid_returns_the_input_bit_for_bit(field):
    for method in ("conservative", "bilinear", "nearest", "auto"):
        move = regridder(ONE, ONE, method)
        assert move.is_identity
        assert move(field) is field
        out = np.empty_like(field)
        assert move(field, out) is out
        assert out.tobytes() == field.tobytes()


def test_the_same_points_in_another_order_are_copied_bit_for_bit(field):
    source = rectilinear(ONE.latitude[::-1], ONE.longitude + 180)
    move = regridder(source, ONE, "conservative")
    assert not move.is_identity
    result = move(np.roll(field[:, ::-1], 180, axis=2))
    assert result.tobytes() == field.tobytes()


@pytest.mark.parametrize("method", ["conservative", "bilinear", "nearest", "majority"])
@pytest.mark.parametrize("source", [of_grid(ONE), octahedral(48)], ids=["regular", "reduced"])
def test_batches_threads_and_single_fields_give_the_same_bits(source, method):
    random = np.random.default_rng(6)
    fields = random.integers(0, 9, (6, *source.shape)).astype(np.float32)
    fields[1, ..., :500] = np.nan
    fields[3] = np.nan
    move = regridder(source, TWO, method)
    single = np.stack([move(field) for field in fields])
    for result in (move(fields), move(fields, threads=2), move(fields[:1], threads=3)):
        assert result.tobytes() == single[: len(result)].tobytes()


def test_many_threads_may_share_one_regridder(field):
    move = regridder(ONE, TWO, "conservative")
    expected = move(field)
    results = [None] * 8

    def work(number):
        results[number] = [move(single) for single in field]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in results:
        assert np.stack(result).tobytes() == expected.tobytes()


def test_float32_is_float64_rounded_once(field):
    move = regridder(ONE, TWO, "conservative")
    exact = move(field.astype(np.float64))
    assert exact.dtype == np.float64
    np.testing.assert_array_equal(move(field), exact.astype(np.float32))


def test_an_all_missing_field_stays_missing(field):
    for method in ("conservative", "bilinear", "nearest", "majority"):
        assert np.isnan(regridder(ONE, TWO, method)(field[4])).all()


def test_the_threshold_decides_over_the_coast():
    land = np.zeros(ONE.shape)
    land[:, 100:] = np.nan
    for threshold, missing in ((0.0, 129), (0.25, 129), (0.26, 130), (1.0, 131)):
        result = regridder(ONE, TWO, "conservative", valid_fraction=threshold)(land)
        assert np.isnan(result[30]).sum() == missing
    part = regridder(ONE, TWO, "conservative").valid_part(land)
    np.testing.assert_allclose(part[30, 48:53], [1, 1, 0.25, 0, 0], atol=1e-12)


def test_masked_and_whole_rows_give_the_same_bits(field):
    move = regridder(ONE, TWO, "conservative")
    spoilt = field[0].copy()
    spoilt[:, 180] = np.nan
    whole, masked = move(field[0]), move(spoilt)
    far = np.ones(TWO.columns, dtype=bool)
    far[88:93] = False
    assert masked[:, far].tobytes() == whole[:, far].tobytes()


def test_regional_targets_and_sources(tools, field):
    europe = tools.regional(72, 350, "0.5", 60, 100)
    whole = regridder(ONE, europe, "bilinear")(field[0])
    assert np.isfinite(whole).all()
    part = ONE.latitude >= 40
    source = rectilinear(ONE.latitude[part], np.mod(ONE.longitude - 20, 360)[:80])
    cut = np.roll(field[0], 20, axis=1)[part][:, :80]
    result = regridder(source, europe, "bilinear")(cut)
    inside = (europe.latitude >= 40)[:, None] & np.ones(100, dtype=bool)
    np.testing.assert_allclose(result[inside], whole[inside], rtol=1e-6)
    assert np.isnan(result[~inside]).all()


@pytest.mark.parametrize("method", ["conservative", "bilinear", "nearest"])
def test_cells_outside_a_projected_domain_are_missing(method):
    plane = Projection("+proj=lcc +lat_1=25 +lat_2=25 +lat_0=25 +lon_0=265 +R=6371229")
    source = Projected(plane, 5e4 * np.arange(-20, 21), 5e4 * np.arange(-15, 16))
    result = regridder(source, ONE, method, valid_fraction=0.0)(np.ones(source.shape))
    latitude, longitude = np.meshgrid(ONE.latitude, ONE.longitude, indexing="ij")
    x, y = plane.to_plane(latitude, longitude)
    reach = {"conservative": 12e4, "bilinear": 0.1, "nearest": 25_001.0}[method]
    outside = (np.abs(x) > 1e6 + reach) | (np.abs(y) > 7.5e5 + reach)
    assert np.isnan(result[outside]).all()
    inside = (np.abs(x) < 1e6 - 1) & (np.abs(y) < 7.5e5 - 1)
    assert np.isfinite(result[inside]).all()


def test_auto_chooses_by_ratio_and_kind():
    assert regridder(ONE, TWO).method == "conservative"
    assert regridder(TWO, ONE).method == "bilinear"
    assert regridder(ONE, TWO, nature=Nature.CATEGORICAL).method == "majority"
    points = Scattered(*octahedral(16).points())
    assert regridder(points, Grid.regular("22.5")).method == "bilinear"
    assert regridder(points, TWO, nature=Nature.CATEGORICAL).method == "nearest"


@pytest.mark.parametrize("source", [of_grid(ONE), octahedral(64)], ids=["regular", "reduced"])
def test_categories_are_never_averaged(source):
    codes = np.random.default_rng(7).integers(0, 8, source.shape).astype(np.float32)
    codes.ravel()[::7] = np.nan
    result = regridder(source, Grid.regular("5"), nature=Nature.CATEGORICAL)(codes)
    assert set(np.unique(result[np.isfinite(result)])) <= set(range(8))
    with pytest.raises(RegridError, match="averaged"):
        regridder(source, TWO, "bilinear", nature=Nature.CATEGORICAL)


def test_the_majority_is_by_area():
    codes = np.zeros(ONE.shape, dtype=np.float32)
    codes[60, 100] = 3  # the centre of a 2 degree cell: a quarter of its area
    codes[70, 99:101] = 4  # the west and the centre: three eighths
    codes[71, 99:101] = 4
    codes[69, 99:101] = 4
    result = regridder(ONE, TWO, "majority")(codes)
    assert result[30, 50] == 0
    assert result[35, 50] == 4


def test_fields_that_do_not_fit_are_refused(field):
    move = regridder(ONE, TWO)
    with pytest.raises(RegridError, match=r"\(181, 360\)"):
        move(field[:, :-1])
    with pytest.raises(RegridError, match="dtype int64"):
        move(np.zeros(ONE.shape, dtype=np.int64))
    with pytest.raises(RegridError, match="out does not fit"):
        move(field, np.empty(TWO.shape, dtype=np.float32))
    with pytest.raises(RegridError, match="does not fit its grid"):
        move.valid_part(field[0, 0])


def test_wrong_requests_are_refused(tools):
    with pytest.raises(RegridError, match="no such method"):
        regridder(ONE, TWO, "cubic")
    with pytest.raises(RegridError, match="fraction"):
        regridder(ONE, TWO, valid_fraction=1.5)
    north = rectilinear(np.arange(80, 60, -1.0), np.arange(0, 20, 1.0))
    for method in ("conservative", "bilinear", "nearest"):
        with pytest.raises(RegridError, match="outside the data"):
            regridder(north, tools.regional(-10, 100, "1", 5, 5), method)
    with pytest.raises(RegridError, match="corners"):
        regridder(Scattered(*octahedral(8).points()), TWO, "conservative")


def test_digest_covers_everything_that_decides_values():
    digests = {
        regridder(ONE, TWO).digest,
        regridder(ONE, TWO, "bilinear").digest,
        regridder(ONE, TWO, valid_fraction=0.4).digest,
        regridder(ONE, TWO, nature=Nature.EASTWARD).digest,
        regridder(ONE, Grid.regular("4")).digest,
    }
    assert len(digests) == 5
    assert regridder(of_grid(ONE), TWO).digest == regridder(ONE, TWO).digest
    assert "auto" in METHODS
