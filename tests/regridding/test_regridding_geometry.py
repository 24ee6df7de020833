"""Geometries: what GRIB and CF headers mean, and which ones are refused."""

import numpy as np
import pytest
from pyproj import CRS

from aurora_prep.regridding import (
    Coordinate,
    Curvilinear,
    Projected,
    Projection,
    Rectilinear,
    Reduced,
    RotatedPole,
    Scattered,
    geometry_from_cf,
    geometry_from_grib,
    in_rows,
    octahedral,
    of_grid,
    rectilinear,
    reduced_gaussian,
)
from aurora_prep.regridding.gaussian import gaussian_latitudes
from aurora_prep.sources.spec import Grid, RegridError

REGULAR = {
    "gridType": "regular_ll",
    "Ni": 4,
    "Nj": 3,
    "latitudeOfFirstGridPointInDegrees": 90.0,
    "latitudeOfLastGridPointInDegrees": -90.0,
    "longitudeOfFirstGridPointInDegrees": 180.0,
    "longitudeOfLastGridPointInDegrees": 90.0,
    "iDirectionIncrementInDegrees": 90.0,
    "jDirectionIncrementInDegrees": 90.0,
    "numberOfDataPoints": 12,
}


@pytest.mark.parametrize("order", [2, 32, 80, 320])
def test_gaussian_latitudes_are_the_zeros_of_legendre(order):
    node, _ = np.polynomial.legendre.leggauss(2 * order)
    np.testing.assert_allclose(
        gaussian_latitudes(order), np.degrees(np.arcsin(node[::-1])), atol=1e-10
    )


def test_octahedral_grids_have_the_known_number_of_points():
    assert octahedral(96).size == 40_320
    assert octahedral(1280).size == 6_599_680


def test_digest_tells_grids_apart_and_not_instances():
    one, same = of_grid(Grid.regular("2")), of_grid(Grid.regular("2"))
    assert one.digest == same.digest
    others = [
        rectilinear(one.latitude[::-1], one.longitude),
        rectilinear(one.latitude, one.longitude + 1e-7),
        octahedral(8),
        octahedral(9),
        RotatedPoleGrid(-30.0),
        RotatedPoleGrid(-31.0),
    ]
    assert len({one.digest, *(other.digest for other in others)}) == 7


def RotatedPoleGrid(south):  # noqa: N802  # reads as the grid it makes
    return Projected(RotatedPole(south, 10.0), np.arange(5.0), np.arange(4.0))


def test_grib_longitudes_are_unwrapped_from_where_they_start():
    grid = geometry_from_grib(REGULAR)
    np.testing.assert_array_equal(grid.longitude, [180, 270, 360, 450])
    assert grid.periodic


def test_grib_scanning_is_followed():
    upward = REGULAR | {
        "jScansPositively": 1,
        "iScansNegatively": 1,
        "latitudeOfFirstGridPointInDegrees": -90.0,
        "latitudeOfLastGridPointInDegrees": 90.0,
        "longitudeOfFirstGridPointInDegrees": 90.0,
        "longitudeOfLastGridPointInDegrees": 180.0,
    }
    grid = geometry_from_grib(upward)
    np.testing.assert_array_equal(grid.latitude, [-90, 0, 90])
    np.testing.assert_array_equal(np.mod(grid.longitude, 360), [90, 0, 270, 180])


def test_grib_values_are_put_in_rows():
    values = np.arange(6)
    keys = {"gridType": "regular_ll", "Ni": 3, "Nj": 2}
    np.testing.assert_array_equal(in_rows(values, keys), [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(
        in_rows(values, keys | {"alternativeRowScanning": 1}), [[0, 1, 2], [5, 4, 3]]
    )
    np.testing.assert_array_equal(
        in_rows(values, keys | {"jPointsAreConsecutive": 1}), [[0, 2, 4], [1, 3, 5]]
    )


def test_rounded_headers_come_back_to_round_grids():
    keys = REGULAR | {
        "Ni": 241,
        "Nj": 151,
        "latitudeOfFirstGridPointInDegrees": 50.0,
        "latitudeOfLastGridPointInDegrees": 25.0,
        "longitudeOfFirstGridPointInDegrees": 210.0,
        "longitudeOfLastGridPointInDegrees": 250.0,
        "iDirectionIncrementInDegrees": 0.166667,
        "jDirectionIncrementInDegrees": 0.166667,
        "numberOfDataPoints": 241 * 151,
    }
    grid = geometry_from_grib(keys)
    np.testing.assert_allclose(grid.longitude, 210 + np.arange(241) / 6, rtol=1e-15)


@pytest.mark.parametrize(
    "damage",
    [
        {"iDirectionIncrementInDegrees": 91.0},
        {"numberOfDataPoints": 13},
        {"jScansPositively": 1},
        {"latitudeOfFirstGridPointInDegrees": 95.0, "jDirectionIncrementInDegrees": 0.0},
        {"gridType": "regular_gg", "N": 2},
        {"gridType": "reduced_gg", "N": 2, "pl": [20, 24, 24]},
        {"gridType": "reduced_ll"},
        {"gridType": "sh"},
        {"gridType": "lambert"},
        {
            "longitudeOfLastGridPointInDegrees": 179.0,
            "iDirectionIncrementInDegrees": 0.0,
            "Ni": 361,
        },
    ],
)
def test_headers_that_contradict_themselves_are_refused(damage):
    with pytest.raises(RegridError) as raised:
        geometry_from_grib(REGULAR | damage)
    assert len(raised.value.args) == 4


def test_a_cut_of_a_reduced_gaussian_grid_keeps_its_points():
    latitude = gaussian_latitudes(16)
    keys = {
        "gridType": "reduced_gg",
        "N": 16,
        "Nj": 3,
        "pl": [20, 24, 28],
        "latitudeOfFirstGridPointInDegrees": round(latitude[0], 3),
        "latitudeOfLastGridPointInDegrees": round(latitude[2], 3),
        "longitudeOfFirstGridPointInDegrees": -36.0,
        "longitudeOfLastGridPointInDegrees": 36.0,
        "numberOfDataPoints": 5 + 5 + 5,
    }
    grid = geometry_from_grib(keys)
    np.testing.assert_array_equal(grid.counts, [5, 5, 5])
    np.testing.assert_allclose(grid.row(1)[0], [-30, -15, 0, 15, 30])
    np.testing.assert_allclose(grid.latitude, latitude[:3])


@pytest.mark.parametrize(
    ("latitude", "longitude"),
    [
        ([0.0, 1.0, 0.5], [0.0, 1.0]),
        ([0.0, np.nan], [0.0, 1.0]),
        ([0.0, 91.0], [0.0, 1.0]),
        ([0.0, 1.0], np.linspace(0, 361, 362)),
        ([0.0, 1.0], [5.0]),
        ([3.0], [0.0, 1.0]),
    ],
)
def test_axes_that_are_no_axes_are_refused(latitude, longitude):
    with pytest.raises(RegridError):
        rectilinear(np.array(latitude), np.array(longitude))


def test_reduced_rows_that_do_not_fit_are_refused():
    with pytest.raises(RegridError, match="positive row lengths"):
        reduced_gaussian(4, [20, 24])
    with pytest.raises(RegridError, match="at most one turn"):
        Reduced(
            np.array([1.0]), np.array([0.0, 2.0]), np.array([4]), np.zeros(1), np.array([100.0])
        )


def coordinate(dims, values, **attributes):
    return Coordinate(dims, np.asarray(values), attributes)


def test_cf_axes_are_found_by_units_and_by_name():
    latitude = np.arange(10, -11, -10.0)
    by_units = geometry_from_cf(
        ("time", "y", "x"),
        {
            "y": coordinate(("y",), latitude, units="degrees_north"),
            "x": coordinate(("x",), [350.0, 0.0, 10.0], units="degrees_east"),
        },
    )
    by_name = geometry_from_cf(
        ("lat", "lon"),
        {"lat": coordinate(("lat",), latitude), "lon": coordinate(("lon",), [350.0, 0.0, 10.0])},
    )
    assert by_units.digest == by_name.digest
    np.testing.assert_array_equal(by_units.longitude, [350, 360, 370])


def test_cf_float32_axes_come_back_to_their_decimals():
    longitude = np.arange(3600, dtype=np.float32) * np.float32(0.1)
    grid = geometry_from_cf(
        ("lat", "lon"),
        {
            "lat": coordinate(("lat",), np.linspace(90, -90, 1801).astype("f4")),
            "lon": coordinate(("lon",), longitude),
        },
    )
    assert grid.periodic
    np.testing.assert_allclose(grid.latitude, np.linspace(90, -90, 1801), atol=1e-12)
    np.testing.assert_allclose(grid.longitude, np.arange(3600) / 10, atol=3e-5)


def test_cf_gaussian_latitudes_end_at_the_poles():
    grid = geometry_from_cf(
        ("lat", "lon"),
        {
            "lat": coordinate(("lat",), gaussian_latitudes(32).astype("f4")),
            "lon": coordinate(("lon",), 360 / 128 * np.arange(128)),
        },
    )
    np.testing.assert_array_equal(grid.latitude_edges[[0, -1]], [90, -90])


def test_cf_transposed_fields_are_refused():
    axes = {
        "lat": coordinate(("lat",), [0.0, 1.0]),
        "lon": coordinate(("lon",), [0.0, 1.0]),
    }
    with pytest.raises(RegridError, match="transpose"):
        geometry_from_cf(("lon", "lat"), axes)
    with pytest.raises(RegridError, match="degrees_north"):
        geometry_from_cf(("lon", "lat"), {"lon": axes["lon"]})


def test_cf_projections_are_read_from_the_grid_mapping():
    crs = CRS.from_proj4("+proj=lcc +lat_1=25 +lat_2=25 +lat_0=25 +lon_0=265 +R=6371229")
    grid = geometry_from_cf(
        ("y", "x"),
        {
            "y": coordinate(
                ("y",), [0.0, 1.0], standard_name="projection_y_coordinate", units="km"
            ),
            "x": coordinate(
                ("x",), [0.0, 1.0], standard_name="projection_x_coordinate", units="km"
            ),
        },
        crs.to_cf(),
    )
    assert isinstance(grid, Projected)
    latitude, longitude = grid.points()
    assert latitude[0] == pytest.approx(25, abs=1e-9)
    assert np.mod(longitude[0], 360) == pytest.approx(265, abs=1e-9)
    np.testing.assert_array_equal(grid.x, [0, 1000])


def test_cf_rotated_poles_agree_with_grib_ones():
    mapping = {
        "grid_mapping_name": "rotated_latitude_longitude",
        "grid_north_pole_latitude": 37.5,
        "grid_north_pole_longitude": 177.5,
    }
    axes = {
        "rlat": coordinate(("rlat",), [-1.0, 0.0, 1.0], standard_name="grid_latitude"),
        "rlon": coordinate(("rlon",), [0.0, 1.0], standard_name="grid_longitude"),
    }
    grid = geometry_from_cf(("rlat", "rlon"), axes, mapping)
    grib = RotatedPole(-37.5, 357.5)
    np.testing.assert_allclose(
        grid.points(), grib.to_sphere(*(side.ravel() for side in np.meshgrid(grid.x, grid.y)))
    )


def test_cf_two_dimensional_coordinates():
    latitude, longitude = np.meshgrid([10.0, 0.0, -10.0], [0.0, 10.0], indexing="ij")
    axes = {
        "lat": coordinate(("y", "x"), latitude, units="degrees_north", bounds="lat_b"),
        "lon": coordinate(("y", "x"), longitude, units="degrees_east", bounds="lon_b"),
    }
    assert isinstance(geometry_from_cf(("y", "x"), axes), Rectilinear)
    axes["lat"] = coordinate(
        ("y", "x"), latitude + longitude / 50, units="degrees_north", bounds="lat_b"
    )
    bent = geometry_from_cf(("y", "x"), axes)
    assert isinstance(bent, Curvilinear)
    assert bent.corners is None
    axes["lat_b"], axes["lon_b"] = (
        (coordinate(("y", "x", "b"), np.zeros((3, 2, 4)))),
        (coordinate(("y", "x", "b"), np.zeros((3, 2, 4)))),
    )
    assert geometry_from_cf(("y", "x"), axes).corners[0].shape == (6, 4)


def test_cf_points_on_one_dimension_are_scattered():
    axes = {
        "clat": coordinate(("cell",), [0.0, 10.0], units="degrees_north"),
        "clon": coordinate(("cell",), [0.0, 10.0], units="degrees_east"),
    }
    assert isinstance(geometry_from_cf(("time", "cell"), axes), Scattered)


def test_points_that_do_not_fit_are_refused():
    with pytest.raises(RegridError):
        Scattered(np.zeros(3), np.zeros(4))
    with pytest.raises(RegridError):
        Curvilinear(np.full((2, 2), 91.0), np.zeros((2, 2)))
    with pytest.raises(RegridError, match="PROJ"):
        Projection("+proj=nonsense")


def test_planes_go_there_and_back():
    latitude, longitude = np.array([10.0, 60.0, -35.0]), np.array([5.0, 300.0, 120.0])
    for plane in (
        RotatedPole(-37.5, 332.5, 12.0),
        Projection("+proj=lcc +lat_1=25 +lat_2=25 +lat_0=25 +lon_0=265 +R=6371229"),
    ):
        back = plane.to_sphere(*plane.to_plane(latitude, longitude))
        np.testing.assert_allclose(back[0], latitude, atol=1e-9)
        np.testing.assert_allclose(np.mod(back[1], 360), longitude, atol=1e-9)


@pytest.mark.parametrize(
    "name",
    [
        "gaussian/ifs_O160_2t_s48.grib1",
        "gaussian/ifs_N320_lsm.grib2",
        "gaussian/ifs_F80_t_ml.grib2",
        "gaussian/ifs_O1280_2t_area_greenwich.grib1",
        "wave/ecwam_reduced_ll_swh_20080206.grib2",
        "wave/gdaswave_wcoast_0p16.grib2",
        "projected/cmc_ps30km_t1015.grib2",
        "projected/nam_awp211_lambert.grib2",
        "projected/ukmo_nae_rotated_t.grib2",
        "cams/aqm_o3_hawaii_mercator.grib2",
        "ifs/ifs_opendata_0p4_20240101_first10.grib2",
        "scan/scan_ipos_jpos.grib2",
    ],
)
def test_points_are_those_ecmwf_computes(real_data, tools, name):
    eccodes = pytest.importorskip("eccodes", reason="install eccodes to decode GRIB")
    grid, _ = tools.read_grib(real_data / name)
    with (real_data / name).open("rb") as file:
        message = eccodes.codes_grib_new_from_file(file)
        latitude = eccodes.codes_get_array(message, "latitudes")
        longitude = eccodes.codes_get_array(message, "longitudes")
        eccodes.codes_release(message)
    ours = grid.points()
    np.testing.assert_allclose(ours[0], latitude, atol=1e-3)
    apart = np.mod(ours[1] - longitude + 180, 360) - 180
    assert np.abs(apart * np.cos(np.radians(latitude))).max() < 1e-3


@pytest.mark.parametrize(
    "name", ["mir_increment_9.1.wrong.grib1", "regular_gg_wrong_increment.grib2"]
)
def test_damaged_headers_of_real_files_are_refused(real_data, tools, name):
    with pytest.raises(RegridError, match="contradict"):
        tools.read_grib(real_data / "malformed" / name)


def test_rows_that_alternate_in_direction_make_a_smooth_field(real_data, tools):
    _, field = tools.read_grib(real_data / "projected/rtma_pr_mercator.grib2")
    assert np.abs(np.diff(field, axis=0)).mean() < 0.2
