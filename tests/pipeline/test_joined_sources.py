"""What belongs together: companions, members of an ensemble, static fields from several places.

The files are small and made here; every value is known.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest
import xarray as xr

from aurora_prep.manifest.query import Manifest
from aurora_prep.manifest.verify.verification import verify
from aurora_prep.pipelines.plan.recipe_plan import make_plan
from aurora_prep.pipelines.recipe import Recipe
from aurora_prep.pipelines.run.run import Outcome, run
from aurora_prep.sources.spec import Grid, RecipeError, WriteError

GRID = Grid.regular("30")
START = datetime(2020, 1, 1)
SIX = timedelta(hours=6)
Axis = tuple[str, list[float], str]
Runner = Callable[..., Outcome]


def field(number: float) -> np.ndarray[Any, np.dtype[np.float32]]:
    """A field whose values tell its number, its row and its column."""
    rows, columns = np.mgrid[: GRID.rows, : GRID.columns]
    return (280.0 + number + rows / 100 + columns / 10_000).astype(np.float32)


def write(path: Path, variables: Mapping[str, tuple[Any, str]], axes: Iterable[Axis] = ()) -> None:
    """A NetCDF file: outer axes, then latitude and longitude."""
    outer = list(axes)
    with netCDF4.Dataset(path, "w") as data:
        horizontal = [
            ("latitude", GRID.latitude, "degrees_north"),
            ("longitude", GRID.longitude, "degrees_east"),
        ]
        for name, values, units in [*outer, *horizontal]:
            data.createDimension(name, len(values))
            data.createVariable(name, "f8", (name,))[:] = values
            data[name].units = units
        dims = (*(name for name, _, _ in outer), "latitude", "longitude")
        for name, (values, units) in variables.items():
            data.createVariable(name, "f4", dims)[:] = values
            data[name].units = units


def hours(*steps: int) -> Axis:
    return "time", [float(step) for step in steps], f"hours since {START:%Y-%m-%d}"


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    """Run a recipe of these entries on files in a folder."""

    def call(*entries: Mapping[str, Any], **more: Any) -> Outcome:
        listed = [{"access": "files", "grid": "native", **entry} for entry in entries]
        body = {"name": "joined", "output": str(tmp_path / "out"), "sources": listed, **more}
        recipe = Recipe.parse(body, base=str(tmp_path))
        return run(recipe, cache=str(tmp_path / "cache"), show=False)

    return call


def rows(root: str, **conditions: Any) -> list[dict[str, Any]]:
    with Manifest.open(root) as manifest:
        return list(manifest.query(**conditions).to_pylist())


def weather(path: Path, *steps: int) -> None:
    values = np.stack([field(step) for step in steps])
    write(path, {"t2m": (values, "K")}, [hours(*steps)])


def sea(path: Path, *steps: int) -> None:
    values = np.stack([field(step) / 100 for step in steps])
    write(path, {"swh": (values, "m")}, [hours(*steps)])


def test_a_frame_without_its_companion_is_missing_with_the_reason(tmp_path, runner):
    weather(tmp_path / "weather.nc", 0, 12)
    sea(tmp_path / "sea.nc", 0, 6, 12)
    wave = {"source": "wave", "path": "sea.nc", "with": ["hres_t0"]}
    period = {"start": "2020-01-01T00", "end": "2020-01-01T12", "step": "6h"}
    t0 = {"source": "hres_t0", "path": "weather.nc", "variables": ["2t"], "period": period}
    outcome = runner(wave, t0)
    assert (outcome.frames, outcome.absent) == (6, 2)
    found = {row["valid_time"].hour: row for row in rows(outcome.root, source="wave")}
    assert [found[hour]["status"] for hour in (0, 6, 12)] == ["written", "missing", "written"]
    assert found[6]["reason"] == (
        "incomplete: no frame of hres_t0 at this time: no field of this time is in the files"
    )
    assert not verify(outcome.root, deep=True).problems


def test_a_companion_that_comes_later_mends_the_frame(tmp_path, runner, monkeypatch):
    """Both runs in one process and one second: what it knows of the first is not the second."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1577836800")
    (tmp_path / "weather").mkdir()
    weather(tmp_path / "weather" / "one.nc", 0, 12)
    sea(tmp_path / "sea.nc", 0, 6, 12)
    period = {"start": "2020-01-01T00", "end": "2020-01-01T12", "step": "6h"}
    entries = (
        {"source": "wave", "path": "sea.nc", "with": ["hres_t0"], "period": period},
        {"source": "hres_t0", "path": "weather/*.nc", "variables": ["2t"], "period": period},
    )
    assert runner(*entries).absent == 2
    weather(tmp_path / "weather" / "two.nc", 6)
    outcome = runner(*entries)
    assert outcome.absent == 0
    assert not verify(outcome.root, deep=True).problems
    stored = xr.open_zarr(Path(outcome.root, "wave", f"{GRID.name}.zarr"))
    np.testing.assert_array_equal(stored["swh"].sel(time="2020-01-01T06"), field(6) / 100)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"with": ["era5"]}, "no entry of the recipe"),
        ({"with": ["wave"]}, "its own companion"),
        ({"with": ["ifs_ens"]}, "no entry of the recipe"),
        ({"with": 3}, "list of sources"),
    ],
)
def test_companions_that_make_no_sense_are_refused(tmp_path, runner, change, problem):
    sea(tmp_path / "sea.nc", 0)
    with pytest.raises(RecipeError, match=problem):
        runner({"source": "wave", "path": "sea.nc", **change})
    assert not (tmp_path / "out").exists()


def ensemble(path: Path, members: tuple[int, ...], leads: tuple[int, ...]) -> None:
    values = np.array([[[field(3 * m + lead) for lead in leads] for m in members]])
    axes = [
        ("forecast_reference_time", [0.0], f"hours since {START:%Y-%m-%d}"),
        ("number", [float(member) for member in members], "1"),
        ("forecast_period", [float(lead) for lead in leads], "hours"),
    ]
    write(path, {"t2m": (values, "K")}, axes)


def test_every_member_has_frames_of_its_own(tmp_path, runner):
    ensemble(tmp_path / "members.nc", (1, 2, 7), (0, 6))
    outcome = runner({"source": "ifs_ens", "path": "members.nc"})
    assert (outcome.frames, outcome.absent) == (6, 0)
    stored = xr.open_zarr(Path(outcome.root, "ifs_ens", f"{GRID.name}.zarr"))
    assert stored["2t"].dims == ("init_time", "member", "lead_time", "latitude", "longitude")
    assert stored["member"].values.tolist() == [1, 2, 7]
    assert stored["member"].attrs["standard_name"] == "realization"
    for member in (1, 2, 7):
        for position, lead in enumerate((0, 6)):
            found = stored["2t"].sel(member=member).isel(init_time=0, lead_time=position)
            np.testing.assert_array_equal(found, field(3 * member + lead))
    assert {row["member"] for row in rows(outcome.root)} == {1, 2, 7}
    assert not verify(outcome.root, deep=True).problems


def test_a_recipe_narrows_the_members_and_one_that_lacks_is_missing(tmp_path, runner):
    ensemble(tmp_path / "members.nc", (1, 2), (0, 6))
    outcome = runner({"source": "ifs_ens", "path": "members.nc", "members": {"start": 2, "end": 3}})
    assert (outcome.frames, outcome.absent) == (4, 2)
    status = {(row["member"], row["status"]) for row in rows(outcome.root)}
    assert status == {(2, "written"), (3, "missing")}
    with pytest.raises(RecipeError, match="no such member"):
        runner({"source": "ifs_ens", "path": "members.nc", "members": [0]})
    with pytest.raises(RecipeError, match="no ensemble"):
        runner({"source": "wave", "path": "members.nc", "members": [1]})


def test_static_fields_of_several_places_share_a_store(tmp_path, runner):
    """The weather's own, the user's file for the waves, and what follows from the grid."""
    weather(tmp_path / "weather.nc", 0)
    sea(tmp_path / "sea.nc", 0)
    write(tmp_path / "land.nc", {"lsm": (field(0) / 400, "(0 - 1)")})
    write(tmp_path / "bathymetry.nc", {"wmb": (field(5), "m"), "lsm": (field(9) / 400, "1")})
    outcome = runner(
        {"source": "hres_t0", "path": "weather.nc", "statics": "land.nc"},
        {"source": "wave", "path": "sea.nc", "statics": "bathymetry.nc"},
    )
    assert outcome.absent == 0
    static = xr.open_zarr(Path(outcome.root, "static", f"{GRID.name}.zarr"))
    assert set(static.data_vars) == {"lsm", "wmb", "lat_mask"}
    np.testing.assert_array_equal(static["lsm"], field(0) / 400)
    np.testing.assert_array_equal(static["wmb"], field(5))
    wanted = (GRID.latitude >= -78)[:, np.newaxis] * np.ones(GRID.columns)
    np.testing.assert_array_equal(static["lat_mask"], wanted)
    assert not verify(outcome.root, deep=True).problems


def test_emissions_come_from_the_user_s_file(tmp_path, runner):
    weather(tmp_path / "air.nc", 0)
    species = ("ammonia", "co", "nox", "so2")
    names = [f"static_{name}{log}" for name in species for log in ("", "_log")]
    write(tmp_path / "own.nc", {name: (field(i) / 300, "1") for i, name in enumerate(names)})
    entry = {"source": "cams_analysis", "path": "air.nc", "statics": "own.nc"}
    outcome = runner(entry)
    static = xr.open_zarr(Path(outcome.root, "static", f"{GRID.name}.zarr"))
    assert set(static.data_vars) == set(names)
    for i, name in enumerate(names):
        np.testing.assert_array_equal(static[name], field(i) / 300)


def test_a_file_without_the_static_fields_is_refused(tmp_path, runner):
    weather(tmp_path / "weather.nc", 0)
    with pytest.raises(RecipeError, match="lack what is wanted"):
        runner({"source": "hres_t0", "path": "weather.nc", "statics": "weather.nc"})
    write(tmp_path / "land.nc", {"lsm": (field(0) / 400, "1")})
    entry = {"source": "hres_t0", "path": "weather.nc", "statics": "land.nc"}
    with pytest.raises(RecipeError, match="lack what is wanted") as raised:
        runner({**entry, "variables": ["2t", "lsm", "slt"]})
    assert "static/slt" in raised.value.args[2]
    period = {"start": "2020-01-01T00", "end": "2020-01-01T00"}
    with pytest.raises(RecipeError, match="does not deliver"):
        runner({
            "source": "hres_t0", "access": "mars", "grid": "0.25", "period": period,
            "variables": ["2t", "lsm"],
        })  # fmt: skip


def test_optional_variables_are_written_when_named(tmp_path, runner):
    variables = {"t2m": (field(0)[np.newaxis], "K"), "d2m": (field(1)[np.newaxis], "K")}
    write(tmp_path / "era5.nc", variables, [hours(0)])
    entry = {"source": "era5", "path": "era5.nc"}
    plain = runner(entry)
    assert set(xr.open_zarr(Path(plain.root, "era5", f"{GRID.name}.zarr")).data_vars) == {"2t"}
    more = runner({**entry, "extra_variables": ["2d"]}, output=str(tmp_path / "more"))
    stored = xr.open_zarr(Path(more.root, "era5", f"{GRID.name}.zarr"))
    np.testing.assert_array_equal(stored["2d"].isel(time=0), field(1))


def test_quirks_that_concern_the_run_are_told_and_kept(tmp_path, runner):
    """In 2020 the wave model is past cycle 45r1; sea ice still matters to the wave height."""
    sea(tmp_path / "sea.nc", 0)
    outcome = runner({"source": "wave", "path": "sea.nc"})
    assert any("sea ice" in quirk for quirk in outcome.quirks)
    assert not any("45r1" in quirk for quirk in outcome.quirks)
    (entry,) = json.loads(Path(outcome.root, "dataset.json").read_text())["sources"]
    assert [f"wave: {quirk}" for quirk in entry["quirks"]] == list(outcome.quirks)


def test_a_short_name_means_the_variable_that_is_delivered(tmp_path):
    """Both a static and an atmospheric z are declared; the bucket has one of them."""
    entry = {
        "source": "hres_t0", "access": "zarr", "grid": "0.25", "variables": ["2t", "z"],
        "period": {"start": "2020-01-01T00", "end": "2020-01-01T00"},
    }  # fmt: skip
    recipe = Recipe.parse({"name": "z", "output": str(tmp_path / "out"), "sources": [entry]})
    (plan,) = make_plan(recipe, tmp_path / "contents").sources
    assert (plan.paths, plan.static_paths) == (("surface/2t", "atmospheric/z"), ())


def test_a_damaged_note_of_the_recipe_is_told(tmp_path, runner):
    sea(tmp_path / "sea.nc", 0)
    entry = {"source": "wave", "path": "sea.nc"}
    note = Path(runner(entry).root, "manifest", "recipe.json")
    note.write_text('{"digest": ')
    with pytest.raises(WriteError, match="is damaged") as raised:
        runner(entry)
    assert str(note) in raised.value.args[1]
