"""Sources read from public buckets: the embedded one, gcsfs, shards, and the analytic truth."""

import functools
import re
from datetime import datetime, timedelta

import numpy as np
import pytest
import xarray as xr

from aurora_prep import sources
from aurora_prep.pipelines.plan.recipe_plan import make_plan
from aurora_prep.pipelines.plan.store_choice import addresses_of
from aurora_prep.pipelines.recipe import Recipe
from aurora_prep.pipelines.run import run as run_module
from aurora_prep.providers.embedded import EmbeddedProvider
from aurora_prep.providers.embedded.atmosphere import truth
from aurora_prep.providers.embedded.weatherbench import valid_of_member
from aurora_prep.sources.spec import Grid, RecipeError

COUNTS = [
    ("era5", "1979-01-01", "2020-12-31", 368_184),
    ("hres_forecast", "2016-01-01", "2020-12-31", 149_814),
    ("hres_t0", "2016-01-01", "2021-12-31", 8_768),
    ("ifs_ens", "2018-01-01", "2020-12-31", 6_685_600),
    ("ifs_ens_mean", "2018-01-01", "2020-12-31", 133_712),
]
SIX_HOURLY = "1959-2023_01_10-wb13-6h-1440x721_with_derived_variables.zarr"
HOURLY = "full_37-1h-0p25deg-chunk-1.zarr-v3"


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    """Who asks for Google asks at a closed port."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:9")


def _plan(tmp_path, source, start, end, **entry):
    entry = {
        "source": source,
        "access": "zarr",
        "grid": "0.25",
        "period": {
            "start": start,
            "end": end,
            **({"step": s} if (s := entry.pop("step", "")) else {}),
        },
        **entry,
    }
    recipe = {"name": "one", "output": str(tmp_path / "out"), "sources": [entry]}
    return make_plan(Recipe.parse(recipe, base=str(tmp_path)), tmp_path / "cache").sources[0]


@pytest.mark.parametrize(("source", "start", "end", "frames"), COUNTS)
def test_a_plan_counts_the_published_frames_without_a_network(tmp_path, source, start, end, frames):
    plan = _plan(tmp_path, source, start, end)
    assert plan.frames == frames
    assert list(plan.requests(synthetic=False)) == []
    assert addresses_of(plan)[0].is_anonymous


@pytest.mark.parametrize(
    ("start", "end", "step", "store"),
    [
        ("1979-01-01", "2020-12-31", "6h", SIX_HOURLY),
        ("1979-01-01T12", "2020-12-31T12", "1d", SIX_HOURLY),
        ("2020-01-01T06", "2020-01-01T06", "1h", SIX_HOURLY),
        ("2020-01-01T05", "2020-01-01T05", "1h", HOURLY),
        ("1979-01-01", "2020-12-31", "1h", HOURLY),
        ("1979-01-01T03", "2020-12-31T03", "6h", HOURLY),
        ("1958-12-31T18", "2020-12-31", "6h", HOURLY),
        ("2022-12-31", "2023-01-11T00", "6h", HOURLY),
    ],
)
def test_the_smaller_store_is_read_where_it_has_all_the_times(tmp_path, start, end, step, store):
    plan = _plan(tmp_path, "era5", start, end, step=step)
    assert addresses_of(plan)[0].url.endswith(store)


@pytest.mark.parametrize(
    ("source", "start", "end", "found"),
    [
        ("hres_t0", "2021-01-01", "2024-01-01", "ends 2023-01-10T18"),
        ("hres_forecast", "2023-01-01", "2023-01-11", "ends 2023-01-10T12"),
        ("ifs_ens_mean", "2022-12-31", "2023-01-01", "ends 2022-12-31T12"),
    ],
)
def test_a_period_beyond_the_store_is_refused_before_anything_is_done(
    tmp_path, source, start, end, found
):
    with pytest.raises(RecipeError, match=found):
        _plan(tmp_path, source, start, end)


FRAMES = {
    "era5 by six hours": (
        "era5", datetime(2020, 2, 29, 18), {"variables": ["2t", "t", "lsm"], "levels": [500, 850]},
    ),
    "era5 by the hour": (
        "era5", datetime(2020, 2, 29, 17),
        {"variables": ["10u", "t", "static/z"], "levels": [500, 850]},
    ),
    "hres_t0": ("hres_t0", datetime(2018, 6, 1, 6), {"variables": ["msl", "q"], "levels": [50]}),
    "hres_forecast": (
        "hres_forecast", datetime(2016, 1, 1, 12),
        {"variables": ["10v", "u"], "levels": [1000],
         "lead_time": {"start": "6h", "end": "240h", "step": "234h"}},
    ),
    "ifs_ens": (
        "ifs_ens", datetime(2018, 1, 1),
        {"variables": ["2t"], "members": [7, 50],
         "lead_time": {"start": "6h", "end": "6h", "step": "6h"}},
    ),
    "ifs_ens_mean": (
        "ifs_ens_mean", datetime(2020, 12, 31, 12),
        {"variables": ["2t", "v"],
         "lead_time": {"start": "360h", "end": "360h", "step": "6h"}},
    ),
}  # fmt: skip
WHOLE = {
    "era5, all of a frame": ("era5", datetime(2020, 2, 29, 18), {}),
    "era5 by the hour, all of a frame": ("era5", datetime(2020, 2, 29, 17), {}),
    "hres_t0, all of a frame": ("hres_t0", datetime(2018, 6, 1, 6), {}),
    "hres_forecast, all of a frame": (
        "hres_forecast", datetime(2016, 1, 1),
        {"lead_time": {"start": "12h", "end": "12h", "step": "6h"}},
    ),
    "ifs_ens, levels of two members": (
        "ifs_ens", datetime(2018, 1, 1),
        {"variables": ["t"], "members": [1, 2],
         "lead_time": {"start": "0h", "end": "0h", "step": "6h"}},
    ),
    "ifs_ens_mean, all of a frame": (
        "ifs_ens_mean", datetime(2020, 12, 31, 12),
        {"lead_time": {"start": "6h", "end": "12h", "step": "6h"}},
    ),
}  # fmt: skip


def _holds_the_truth(prepared, name):
    """Every value of every frame is that of the closed form, rounded to float32."""
    source = sources.load(name)
    grid, fields = Grid.regular("0.25"), 0
    for variable in (v for v in source.variables if v.short_name in prepared.frames):
        if variable.kind == "static":
            continue
        stored = prepared.frames[variable.short_name]
        for frame in prepared.rows():
            at = (
                {"init_time": frame["init_time"], "lead_time": frame["lead_time"] // HOUR}
                if "init_time" in stored.dims
                else {"time": frame["valid_time"]}
            )
            at |= {} if frame["member"] is None else {"member": frame["member"]}
            valid = valid_of_member(frame["valid_time"], frame["member"])
            for level in frame["levels"] if variable.has_levels else [None]:
                one = stored.sel(at if level is None else {**at, "level": level})
                wanted = truth(variable, level, valid, grid.latitude, grid.longitude)
                np.testing.assert_array_equal(one.to_numpy(), wanted.astype(np.float32))
                fields += 1
    return fields


HOUR = timedelta(hours=1)


def _prepare(prepare, case):
    name, time, entry = case
    period = {"start": time.isoformat(), "end": time.isoformat()}
    return prepare(name, embedded=True, access="zarr", grid="0.25", period=period, **entry)


@pytest.mark.parametrize("case", FRAMES.values(), ids=FRAMES)
def test_fields_of_every_source_reach_the_shards_unchanged(case, prepare):
    prepared = _prepare(prepare, case)
    assert prepared.outcome.absent == 0
    assert _holds_the_truth(prepared, case[0]) >= 1
    assert {row["access"] for row in prepared.rows()} == {"zarr"}
    assert all(row["synthetic"] for row in prepared.rows())


@pytest.mark.slow
@pytest.mark.parametrize("case", WHOLE.values(), ids=WHOLE)
def test_whole_frames_of_every_source_reach_the_shards_unchanged(case, prepare):
    prepared = _prepare(prepare, case)
    assert prepared.outcome.absent == 0
    assert _holds_the_truth(prepared, case[0]) >= 6


def test_static_fields_come_from_the_store_beside_them(prepare, tmp_path):
    prepared = _prepare(
        prepare, ("era5", datetime(2020, 1, 1), {"variables": ["2t", "static/z", "lsm", "slt"]})
    )
    assert prepared.outcome.absent == 0
    (folder,) = (tmp_path / "out" / "static").glob("*.zarr")
    static, grid = xr.open_zarr(folder), Grid.regular("0.25")
    for name in ("z", "lsm", "slt"):
        variable = sources.load("era5").native(f"static/{name}").variable
        wanted = truth(variable, None, datetime(2020, 1, 1), grid.latitude, grid.longitude)
        np.testing.assert_array_equal(static[name].to_numpy(), wanted.astype(np.float32))


@pytest.fixture
def faulty(monkeypatch):
    """Let the embedded provider of the next runs have faults."""

    def switch(**faults):
        provider = functools.partial(EmbeddedProvider, faults=faults)
        monkeypatch.setattr(run_module, "EmbeddedProvider", provider)

    return switch


DAY = {
    "access": "zarr",
    "grid": "0.25",
    "period": {"start": "2020-01-01T00", "end": "2020-01-01T18"},
    "variables": ["2t"],
}


def _shards(root):
    return {p.relative_to(root): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def test_a_frame_whose_chunk_is_not_there_is_missing_and_comes_with_the_next_run(
    prepare, faulty, tmp_path
):
    faulty(missing_chunk=1)
    first = prepare("hres_t0", embedded=True, **DAY)
    assert first.outcome.absent == 1
    (absent,) = first.rows(status="missing")
    assert "a chunk is not in the Zarr store: 2m_temperature/" in absent["reason"]
    assert len(first.rows(status="written")) == 3
    faulty()
    second = prepare("hres_t0", embedded=True, **DAY)
    assert second.outcome.absent == 0
    assert _holds_the_truth(second, "hres_t0") == 4
    (tmp_path / "out").rename(tmp_path / "resumed")
    prepare("hres_t0", embedded=True, **DAY)
    assert _shards(tmp_path / "resumed" / "hres_t0") == _shards(tmp_path / "out" / "hres_t0")


def test_a_frame_whose_chunk_is_damaged_is_rejected(prepare, faulty):
    faulty(corrupt_chunk=1)
    prepared = prepare("hres_t0", embedded=True, **DAY)
    (absent,) = prepared.rows(status="rejected")
    assert "a chunk of the Zarr store is damaged" in absent["reason"]
    assert len(prepared.rows(status="written")) == 3


def test_points_without_a_value_reject_the_frame(prepare, faulty):
    faulty(nan_points=1)
    entry = {**DAY, "variables": ["atmospheric/z"], "levels": [850]}
    prepared = prepare("hres_t0", embedded=True, **entry)
    (absent,) = prepared.rows(status="rejected")
    assert "missing values where none may be" in absent["reason"]
    assert len(prepared.rows(status="written")) == 3


def test_what_the_hourly_store_has_not_got_yet_is_missing(prepare):
    """Its axis goes on to 2050, and what it says of itself runs ahead: a week less is taken."""
    period = {"start": "2026-09-23T22", "end": "2026-09-24T01", "step": "1h"}
    prepared = prepare("era5", embedded=True, **{**DAY, "period": period})
    rows = {row["valid_time"]: row for row in prepared.rows()}
    assert [rows[time]["status"] for time in sorted(rows)] == ["written"] * 2 + ["missing"] * 2
    assert {row["product_version"] for row in prepared.rows(status="written")} == {"0005"}
    for row in prepared.rows(status="missing"):
        assert row["reason"].startswith("not_yet: the store says that it ends 2026-09-30")


def test_attributes_that_run_ahead_of_the_store_cost_no_frame_of_nan(prepare, faulty):
    """Ten days too late: what lies beyond a week of that is missing by its chunk, not NaN."""
    faulty(attribute_ahead=-1)
    period = {"start": "2026-09-30T22", "end": "2026-10-04T01", "step": "25h"}
    prepared = prepare("era5", embedded=True, **{**DAY, "period": period})
    rows = sorted(prepared.rows(), key=lambda row: row["valid_time"])
    assert [row["status"] for row in rows] == ["written"] + ["missing"] * 3
    assert "a chunk is not in the Zarr store" in rows[1]["reason"]
    assert rows[3]["reason"].startswith("not_yet: ")


@pytest.mark.parametrize("path", ["surface/2t", "surface/ci"])
def test_a_chunk_without_any_value_rejects_the_frame(prepare, faulty, path):
    """Of sea ice too, which may be missing over land but not everywhere."""
    faulty(nan_chunk=1)
    period = {"start": "2020-01-01T01", "end": "2020-01-01T02", "step": "1h"}
    prepared = prepare("era5", embedded=True, **{**DAY, "period": period, "variables": [path]})
    (absent,) = prepared.rows(status="rejected")
    assert "the field has no value at any point" in absent["reason"]
    assert len(prepared.rows(status="written")) == 1


def test_holes_are_filled_only_where_the_recipe_says_so(prepare, faulty):
    """One point in 1,009 of a chunk: 1,029 of the field at one level."""
    entry = {**DAY, "variables": ["atmospheric/z"], "levels": [850], "grid": "0.25"}
    faulty(nan_points=1)
    few = prepare("hres_t0", embedded=True, **entry, fill_holes=100)
    assert len(few.rows(status="rejected")) == 1


def test_filled_holes_are_the_mean_of_their_neighbours_and_recorded(prepare, monkeypatch, faulty):
    monkeypatch.setattr("aurora_prep.providers.embedded.weatherbench_bucket.NAN_EVERY", 100_003)
    faulty(nan_points=1)
    entry = {**DAY, "variables": ["atmospheric/z"], "levels": [850], "fill_holes": 50}
    prepared = prepare("hres_t0", embedded=True, **entry)
    assert prepared.outcome.absent == 0
    (noted,) = [row for row in prepared.rows() if row["reason"]]
    assert re.fullmatch(r"holes filled: atmospheric/z at 850 hPa: \d+ points", noted["reason"])
    stored = prepared.frames["z"].sel(time=noted["valid_time"], level=850).to_numpy()
    grid = Grid.regular("0.25")
    variable = sources.load("hres_t0").native("atmospheric/z").variable
    wanted = truth(variable, 850, noted["valid_time"], grid.latitude, grid.longitude)
    wanted = wanted.astype(np.float32)
    differing = stored != wanted
    assert 0 < differing.sum() <= 50
    assert np.abs(stored - wanted).max() < 1e-3 * np.ptp(wanted)
    assert not np.isnan(stored).any()


def test_trouble_on_the_way_changes_nothing(prepare, monkeypatch):
    class Troubled(EmbeddedProvider):
        def start(self):
            provider = super().start()
            for fault in ("busy", "too_many_requests", "cut", "corrupt", "short"):
                provider.gcs.faults.switch(fault, 1)
            return provider

    monkeypatch.setattr(run_module, "EmbeddedProvider", Troubled)
    prepared = prepare("hres_t0", embedded=True, **DAY)
    assert prepared.outcome.absent == 0
    assert _holds_the_truth(prepared, "hres_t0") == 4


@pytest.fixture
def mirror(tmp_path):
    """The user's own store of a day of ERA5 on a coarse grid, named his way; returns its values."""

    def write(folder, **encoding):
        rng = np.random.default_rng(3)
        shape = (4, 3, 19, 36)
        data = xr.Dataset(
            {
                "t": (
                    ("time", "level", "latitude", "longitude"),
                    rng.uniform(200, 300, shape).astype(np.float32),
                    {"units": "K"},
                ),
                "2m_temperature": (
                    ("time", "latitude", "longitude"),
                    rng.uniform(250, 300, (4, 19, 36)).astype(np.float32),
                    {"units": "K"},
                ),
            },
            {
                "time": np.datetime64("2020-01-01", "ns") + np.arange(4) * np.timedelta64(6, "h"),
                "level": ("level", np.array([85_000.0, 50_000.0, 10_000.0]), {"units": "Pa"}),
                "latitude": np.linspace(-90, 90, 19),
                "longitude": np.arange(36) * 10.0 - 180.0,
            },
        )
        data.to_zarr(tmp_path / folder, zarr_format=3, consolidated=False, **encoding)
        return data.assign_coords(level=[850, 500, 100]).assign_coords(
            longitude=data["longitude"] % 360
        )

    return write


def test_the_users_own_store_is_read_whatever_its_layout(prepare, mirror):
    chunks = {"t": {"chunks": (1, 1, 10, 20), "shards": (2, 3, 20, 40)}}
    data = mirror("mine.zarr", encoding=chunks)
    entry = {
        "access": "zarr",
        "path": "mine.zarr",
        "grid": "10",
        "period": {"start": "2020-01-01T00", "end": "2020-01-01T18", "step": "6h"},
        "variables": ["2t", "t"],
        "levels": [100, 850],
    }
    prepared = prepare("era5", embedded=True, **entry)
    assert prepared.outcome.absent == 0
    assert not any(row["synthetic"] for row in prepared.rows())
    for name, own in (("t", "t"), ("2t", "2m_temperature")):
        stored = prepared.frames[name]
        wanted = data[own].sel({dim: stored[dim] for dim in stored.dims})
        np.testing.assert_array_equal(stored.to_numpy(), wanted.to_numpy())


def test_times_that_the_users_store_has_not_are_missing(prepare, mirror):
    mirror("mine.zarr")
    entry = {
        "access": "zarr",
        "path": ["mine.zarr"],
        "grid": "10",
        "period": {"start": "2020-01-01T12", "end": "2020-01-02T00", "step": "6h"},
        "variables": ["2t"],
    }
    prepared = prepare("era5", **entry)
    (absent,) = prepared.rows(status="missing")
    assert absent["valid_time"] == datetime(2020, 1, 2)


def test_two_stores_for_one_entry_are_refused(tmp_path):
    with pytest.raises(RecipeError, match="access zarr reads one store"):
        _plan(tmp_path, "era5", "2020-01-01", "2020-01-02", path=["a.zarr", "b.zarr"])
