"""Plans: arithmetic on frames, shards and requests."""

from datetime import datetime, timedelta
from itertools import chain
from pathlib import Path

import netCDF4
import numpy as np
import pytest

from aurora_prep.pipelines.plan.recipe_plan import make_plan
from aurora_prep.pipelines.plan.source_plan import blocks_of_moments
from aurora_prep.pipelines.recipe import Recipe
from aurora_prep.sources.spec import HOUR, FetchError, FrameKey, RecipeError


def plan_of(tmp_path, *entries, **parts):
    small = {
        "source": "era5",
        "period": {"start": "2020-01-01T00", "end": "2020-01-01T18", "step": "6h"},
        "grid": "0.25",
    }
    listed = [
        {key: value for key, value in {**small, **entry}.items() if value is not None}
        for entry in entries or ({},)
    ]
    recipe = Recipe.parse(
        {"name": "n", "output": "o", "sources": listed, **parts}, base=str(tmp_path)
    )
    return make_plan(recipe, tmp_path / "cache")


def test_era5_from_1979_to_2020_by_the_hour(tmp_path):
    period = {"start": "1979-01-01T00", "end": "2020-12-31T23", "step": "1h"}
    plan = plan_of(tmp_path, {"period": period})
    # 42 years of which 11 are leap years: (42 * 365 + 11) * 24
    assert plan.frames == 368_184
    (entry,) = plan.sources
    assert entry.frames == 368_184
    assert entry.frame_key(368_183) == FrameKey("era5", datetime(2020, 12, 31, 23))
    assert not (tmp_path / "cache").exists()


def test_a_frame_of_era5(tmp_path):
    (entry,) = plan_of(tmp_path).sources
    assert entry.fields_per_frame == 4 + 5 * 13
    assert entry.frame_bytes == 69 * 721 * 1440 * 4
    assert (entry.store, entry.static_store) == ("era5/0.25.zarr", "static/0.25.zarr")
    assert [v.short_name for v in entry.static_variables] == ["z", "lsm", "slt"]
    # 64 MiB hold one frame of 13 levels of 721 x 1440 float32: 54 MB.
    assert entry.frames_per_shard == 1


def test_shards_hold_more_frames_of_fewer_levels(tmp_path):
    (surface,) = plan_of(tmp_path, {"variables": ["2t"]}).sources
    assert surface.frames_per_shard == 4  # 16 would fit, the period has 4
    period = {"start": "2020-01-01T00", "end": "2020-01-31T23", "step": "1h"}
    (month,) = plan_of(tmp_path, {"variables": ["2t"], "period": period}).sources
    assert month.frames_per_shard == 64 * 2**20 // (721 * 1440 * 4) == 16
    (coarse,) = plan_of(tmp_path, {"variables": ["2t"], "period": period, "grid": "10"}).sources
    assert coarse.frames_per_shard == 64


def test_the_recipe_says_how_many_frames_a_shard_holds(tmp_path):
    (entry,) = plan_of(tmp_path, storage={"frames_per_shard": 3}).sources
    tasks = list(entry.tasks())
    assert [task.block for task in tasks] == [(), (0,), (1,)]
    assert [len(task.frames) for task in tasks] == [0, 3, 1]
    assert [task.name for task in tasks] == [
        "static", "20200101T00+000h", "20200101T18+000h",
    ]  # fmt: skip
    assert [task.is_static for task in tasks] == [True, False, False]


def test_shapes(make_source_plan, forecast):
    plan = make_source_plan(paths=("surface/2t", "atmospheric/t", "static/lsm"), has_static=True)
    t2m, t, lsm = (plan.variable(path) for path in (*plan.paths, *plan.static_paths))
    assert plan.array_shape(t2m) == (5, 7, 12)
    assert plan.shard_shape(t2m) == (2, 7, 12)
    assert plan.array_shape(t) == (5, 2, 7, 12)
    assert plan.shard_shape(t) == (2, 2, 7, 12)
    assert plan.array_shape(lsm) == plan.shard_shape(lsm) == (7, 12)
    ahead = make_source_plan(forecast, lead_times=(0 * HOUR, 6 * HOUR, 12 * HOUR))
    assert ahead.array_shape(t) == (5, 3, 2, 7, 12)
    assert ahead.shard_shape(t) == (1, 2, 2, 7, 12)
    assert ahead.leading == (("init_time", 5), ("lead_time", 3))
    assert ahead.frames == 15


def test_a_forecast_goes_through_its_lead_times_first(make_source_plan, forecast):
    plan = make_source_plan(forecast, times=2, lead_times=(0 * HOUR, 6 * HOUR, 12 * HOUR))
    assert [str(key) for key in plan.frame_keys()] == [
        "invented/2020-01-01T00+000h", "invented/2020-01-01T00+006h", "invented/2020-01-01T00+012h",
        "invented/2020-01-01T06+000h", "invented/2020-01-01T06+006h", "invented/2020-01-01T06+012h",
    ]  # fmt: skip
    assert [(task.block, len(task.frames)) for task in plan.tasks()] == [
        ((0, 0), 2), ((0, 1), 1), ((1, 0), 2), ((1, 1), 1),
    ]  # fmt: skip


def test_keys_and_blocks_go_there_and_back(make_source_plan, forecast):
    for plan in (
        make_source_plan(has_static=True, paths=("static/lsm", "surface/2t")),
        make_source_plan(forecast, lead_times=tuple(i * 6 * HOUR for i in range(5))),
    ):
        for task in plan.tasks():
            assert plan.task_at(task.block) == task


def test_times_find_their_blocks(make_source_plan, forecast):
    plan = make_source_plan()
    last, outside = datetime(2020, 1, 2), datetime(2020, 1, 2, 6)
    times = last, outside, datetime(2020, 1, 1, 3)
    moments = [(time, 0 * HOUR, None) for time in times]
    assert blocks_of_moments(moments, plan) == {(2,)}
    ahead = make_source_plan(forecast, lead_times=(0 * HOUR, 6 * HOUR, 12 * HOUR))
    start = datetime(2020, 1, 1)
    assert blocks_of_moments([(start, 12 * HOUR, None), (start, 18 * HOUR, None)], ahead) == {
        (0, 1)
    }


def test_shards_are_named_by_their_first_frame(make_source_plan):
    tasks = list(make_source_plan(has_static=True, paths=("surface/2t", "static/z")).tasks())
    assert [task.name for task in tasks] == [
        "static",
        *(task.frames[0].shard_name for task in tasks[1:]),
    ]


def test_one_entry_owns_the_static_fields_of_a_grid(tmp_path):
    period = {"start": "2021-01-01T00", "end": "2021-01-01T18", "step": "6h"}
    coarse = {"grid": "1", "period": period}
    one, other = plan_of(tmp_path, {}, coarse).sources
    assert one.static_paths == other.static_paths == ("static/z", "static/lsm", "static/slt")
    assert (one.static_store, other.static_store) == ("static/0.25.zarr", "static/1.zarr")


def test_two_entries_must_not_write_one_store(tmp_path):
    period = {"start": "2021-01-01T00", "end": "2021-01-01T18", "step": "6h"}
    with pytest.raises(RecipeError) as raised:
        plan_of(tmp_path, {}, {"period": period, "grid": "0.250"})
    assert raised.value.args[2] == "era5/0.25.zarr"


def test_static_fields_alone_are_no_frames(tmp_path):
    with pytest.raises(RecipeError) as raised:
        plan_of(tmp_path, {"variables": ["lsm", "slt"]})
    assert "that changes in time" in raised.value.args[0]


def test_requests_bring_every_field_of_every_frame_once(tmp_path):
    (entry,) = plan_of(tmp_path, {"levels": [500], "variables": ["2t", "t", "lsm"]}).sources
    requests = list(entry.requests(synthetic=False))
    brought = sorted(
        (time, field[0], field[1])
        for request in requests
        for time in request.times
        for field in request.fields
        if not field[0].startswith("static/")
    )
    wanted = sorted(
        (key.valid_time, path, level)
        for key in entry.frame_keys()
        for path, level in (("surface/2t", None), ("atmospheric/t", 500))
    )
    assert brought == wanted
    static = [request for request in requests if request.fields[0][0] == "static/lsm"]
    assert [request.times for request in static] == [(datetime(2020, 1, 1),)]
    assert not any(request.synthetic for request in requests)
    again = entry.requests(synthetic=True)
    assert {r.digest for r in requests}.isdisjoint(r.digest for r in again)


def test_plans_of_one_recipe_are_equal(tmp_path):
    assert plan_of(tmp_path) == plan_of(tmp_path)


def netcdf(path: Path, names=("t2m",), times=(0, 6), step=30.0) -> Path:
    """A small global file of the user's own."""
    with netCDF4.Dataset(path, "w") as data:
        latitude, longitude = np.arange(90, -91, -step), np.arange(0, 360, step)
        axes = {"valid_time": np.array(times), "latitude": latitude, "longitude": longitude}
        for name, values in axes.items():
            data.createDimension(name, len(values))
            data.createVariable(name, "f8", (name,))[:] = values
        data["valid_time"].units = "hours since 2020-01-01"
        for name in names:
            variable = data.createVariable(name, "f4", tuple(axes))
            variable.units = {"t2m": "K", "lsm": "(0 - 1)"}.get(name, "1")
            variable[:] = 280.0 if name == "t2m" else 0.5
    return path


def test_own_files_say_what_is_left_out(tmp_path):
    netcdf(tmp_path / "mine.nc", ("t2m", "unheard_of"))
    mine = {"access": "files", "path": "*.nc", "period": None, "grid": "native"}
    (entry,) = plan_of(tmp_path, mine).sources
    assert list(entry.init_times) == [datetime(2020, 1, 1), datetime(2020, 1, 1, 6)]
    assert entry.lead_times == (timedelta(0),)
    assert entry.paths == ("surface/2t",)
    assert list(entry.levels) == []
    assert entry.grid.name == "30"
    assert entry.files == (str(tmp_path / "mine.nc"),)
    assert entry.ignored == ("unheard_of (surface)",)
    assert list(entry.requests(synthetic=False)) == []
    (regridded,) = plan_of(tmp_path, {**mine, "grid": "10"}).sources
    assert regridded.grid.name == "10"


def test_own_files_of_nothing_of_the_source(tmp_path):
    netcdf(tmp_path / "mine.nc", ("unheard_of",))
    with pytest.raises(RecipeError) as raised:
        plan_of(tmp_path, {"access": "files", "path": "*.nc", "period": None, "grid": "10"})
    assert "no frame" in raised.value.args[0]
    assert "unheard_of" in raised.value.args[2]


def test_own_files_of_static_fields_alone(tmp_path):
    netcdf(tmp_path / "mine.nc", ("lsm",))
    mine = {"access": "files", "path": "*.nc", "grid": "10"}
    with pytest.raises(RecipeError) as raised:
        plan_of(tmp_path, mine)
    assert "only static fields" in raised.value.args[0]


def test_a_path_that_names_no_file(tmp_path):
    with pytest.raises(FetchError):
        plan_of(tmp_path, {"access": "files", "path": "*.nc", "period": None, "grid": "10"})


def test_native_needs_one_grid(tmp_path):
    netcdf(tmp_path / "coarse.nc", times=(0,))
    netcdf(tmp_path / "fine.nc", times=(6,), step=10.0)
    mine = {"access": "files", "path": "*.nc", "period": None, "grid": "native"}
    with pytest.raises(RecipeError) as raised:
        plan_of(tmp_path, mine)
    assert raised.value.args[2] == "10, 30"
    (entry,) = plan_of(tmp_path, {**mine, "grid": "15"}).sources
    assert len(entry.init_times) == 2


def test_tasks_hold_all_frames_in_order(make_source_plan):
    plan = make_source_plan(times=7, frames_per_shard=3)
    held = list(chain.from_iterable(task.frames for task in plan.tasks()))
    assert held == list(plan.frame_keys())
