"""ECMWF's archive and NCAR's files, through their real clients to shards, against the truth.

On the archive's own 0.25 degrees values differ by packing alone. From a
Gaussian grid they differ by the grid too: an area-weighted mean over cells
that are taken as flat errs by the step times the slope.
"""

import json
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import yaml

from aurora_prep import sources
from aurora_prep.manifest.verify.verification import verify
from aurora_prep.pipelines.cli import main
from aurora_prep.pipelines.plan.provider_limits import LIMITS, Limit
from aurora_prep.providers.embedded import ALWAYS, EmbeddedProvider, truth
from aurora_prep.sources.spec import HOUR, Kind, Nature

import eccodes  # isort: skip  # after aurora_prep, which imports pyproj first

LEAP_DAY = {"start": "2020-02-29T18", "end": "2020-03-01T06"}
MIDNIGHT = {"start": "2020-03-01T00", "end": "2020-03-01T00"}
PACKED = 2.0**-16
# Of the range of a field: half a step of the grid, 1.9 degrees or 0.07, times the slope.
COARSE, FULL = 8e-3, 5e-4


@pytest.fixture
def at_the_door(monkeypatch, tmp_path):
    """A provider of coarse Gaussian grids, found as a user's own services are found."""
    monkeypatch.setenv("HOME", str(tmp_path))

    def point(provider):
        monkeypatch.setenv("ECMWF_API_URL", f"{provider.base}/v1")
        monkeypatch.setenv("ECMWF_API_KEY", provider.key)
        monkeypatch.setenv("ECMWF_API_EMAIL", "somebody@example.org")
        monkeypatch.setenv("AURORA_PREP_D113001_URL", f"{provider.base}/files/d113001")
        return provider

    return point


def differences(made):
    """Per field: variable, largest difference over the field's range, points whose mask differs."""
    source, stored = sources.load(made.source), made.frames
    places = stored["latitude"].values, stored["longitude"].values
    moving = [v for v in source.variables if v.kind is not Kind.STATIC and v.short_name in stored]
    for row in made.rows():
        at = {"time": row["valid_time"]}
        if "init_time" in stored.dims:
            at = {"init_time": row["init_time"], "lead_time": row["lead_time"] / HOUR}
            stored = stored.assign_coords(lead_time=hours_of(made.frames["lead_time"]))
        for variable in moving:
            field = stored[variable.short_name].sel(at)
            for level in stored["level"].values.tolist() if variable.has_levels else [None]:
                found = (field if level is None else field.sel(level=level)).values
                exact = truth(variable, level, row["valid_time"], *places)
                apart = np.abs(found - exact)
                if variable.nature is Nature.DIRECTION:
                    apart = np.minimum(apart, 360.0 - apart)
                span = float(np.nanmax(exact) - np.nanmin(exact))
                rounding = np.spacing(np.float32(np.nanmax(np.abs(exact)))) / span
                masks = float((np.isnan(found) != np.isnan(exact)).mean())
                yield variable, float(np.nanmax(apart)) / span - rounding, masks


def hours_of(leads):
    values = leads.values
    return values / np.timedelta64(1, "h") if values.dtype.kind == "m" else values.astype(float)


def labels(folder, *keys):
    """GRIB keys of all messages in a cache."""
    found = set()
    for path in folder.rglob("*.grib"):
        with path.open("rb") as file:
            while (handle := eccodes.codes_grib_new_from_file(file)) is not None:
                found.add(tuple(eccodes.codes_get(handle, key) for key in keys))
                eccodes.codes_release(handle)
    return found


def test_step_0_comes_from_two_streams(prepare, tmp_path):
    made = prepare(
        "hres_t0",
        embedded=True,
        access="mars",
        period=LEAP_DAY,
        grid="0.25",
        variables=["2t", "q"],
        levels=[500, 850],
    )
    assert (made.outcome.frames, made.outcome.absent) == (3, 0)
    compared = list(differences(made))
    assert len(compared) == 3 * 3
    for variable, worst, masks in compared:
        assert worst <= PACKED, variable.path
        assert masks == 0
    assert labels(tmp_path / "cache", "stream", "dataTime", "type", "step") == {
        ("scda", 1800, "fc", 0),
        ("oper", 0, "fc", 0),
        ("scda", 600, "fc", 0),
    }
    assert not verify(made.outcome.root, deep=True).problems


def test_waves_come_with_their_18_parameters_and_coasts(prepare, tmp_path):
    made = prepare(
        "wave",
        embedded=True,
        access="mars",
        grid="0.25",
        period={**LEAP_DAY, "end": "2020-03-01T00"},
        variables=[variable.path for variable in sources.load("wave").variables
                   if variable.kind is Kind.SURFACE],
    )  # fmt: skip
    compared = list(differences(made))
    assert len(compared) == 2 * 18
    for variable, worst, masks in compared:
        assert worst <= PACKED, variable.path
        assert masks == 0
    assert 0.3 < float(made.frames["swh"].isnull().mean()) < 0.6
    assert labels(tmp_path / "cache", "stream", "type", "bitmapPresent") == {("wave", "an", 1)}


def test_forecasts_come_by_init_time_and_step(prepare):
    made = prepare(
        "hres_forecast",
        embedded=True,
        access="mars",
        grid="0.25",
        period={"start": "2020-02-29T12", "end": "2020-03-01T00"},
        lead_time={"start": "6h", "end": "240h", "step": "234h"},
        variables=["2t", "q"],
        levels=[500],
    )
    assert (made.outcome.frames, made.outcome.absent) == (4, 0)
    assert {row["lead_time"] for row in made.rows()} == {6 * HOUR, 240 * HOUR}
    for variable, worst, masks in differences(made):
        assert worst <= PACKED, variable.path
        assert masks == 0


@pytest.mark.parametrize(("access", "grid"), [("mars", "reduced_gg"), ("http", "regular_gg")])
def test_an_analysis_on_a_gaussian_grid_is_regridded(access, grid, prepare, at_the_door, tmp_path):
    """With the user's own credentials, from where the clients look for them."""
    with EmbeddedProvider(gaussian_lines=64) as provider:
        at_the_door(provider)
        made = prepare(
            "hres_analysis",
            access=access,
            grid="2.5",
            period=LEAP_DAY,
            variables=["2t", "10u", "10v", "msl", "t", "u", "atmospheric/z", "lsm"],
            levels=[500, 850],
        )
    assert (made.outcome.frames, made.outcome.absent) == (3, 0)
    compared = list(differences(made))
    assert len(compared) == 3 * (4 + 3 * 2)
    for variable, worst, masks in compared:
        assert worst <= COARSE, variable.path
        assert masks == 0
    assert labels(tmp_path / "cache", "gridType", "N", "stream", "type") == {
        (grid, 64, "oper", "an")
    }
    assert not verify(made.outcome.root, deep=True).problems


@pytest.mark.slow
@pytest.mark.parametrize("access", ["mars", "http"])
def test_an_analysis_of_full_size_comes_to_a_tenth_of_a_degree(access, prepare):
    """O1280 and N1280, 6.6 and 13.1 million points, to 1801 x 3600."""
    made = prepare(
        "hres_analysis",
        embedded=True,
        access=access,
        grid="0.1",
        period=MIDNIGHT,
        variables=["2t", "msl", "u"],
        levels=[500],
    )
    assert (made.frames.sizes["latitude"], made.frames.sizes["longitude"]) == (1801, 3600)
    for variable, worst, masks in differences(made):
        assert worst <= FULL, variable.path
        assert masks == 0


def written(tmp_path, **entry):
    path = tmp_path / "recipe.yaml"
    recipe = {"name": "one", "output": str(tmp_path / "out"), "sources": [entry]}
    path.write_text(yaml.safe_dump(recipe), encoding="utf-8")
    return str(path)


ANALYSIS = {
    "source": "hres_analysis",
    "grid": "10",
    "period": LEAP_DAY,
    "variables": ["2t", "t"],
    "levels": [500],
}


@pytest.mark.parametrize(
    ("access", "reason"),
    [
        ("mars", "no field of this time is in the files"),
        ("http", "the provider does not have the file"),
    ],
)
def test_what_is_not_archived_is_missing_with_the_reason(
    access, reason, at_the_door, tmp_path, monkeypatch
):
    """The first time or file asked for; the other frames are written, and the run answers no."""
    days = {"start": "2020-03-01T12", "end": "2020-03-02T06"}
    recipe = written(tmp_path, **{**ANALYSIS, "period": days}, access=access)
    # The archive is asked once more for an answer that is short; a file of NCAR's tree is asked
    # of each of its three hosts. One request after the other, so that all three are of one file.
    count = ALWAYS if access == "mars" else 3
    monkeypatch.setitem(LIMITS, access, Limit(at_once=1))
    with EmbeddedProvider(gaussian_lines=16, faults={"not_archived": count}) as provider:
        at_the_door(provider)
        assert main(["run", recipe, "--cache", str(tmp_path / "cache")]) == 1
        found = missing_of(tmp_path)
        assert 0 < len(found) < 4
        assert all(reason in row["reason"] for row in found)
        provider.faults.switch("not_archived", 0)
        assert main(["run", recipe, "--cache", str(tmp_path / "another cache")]) == 0
        assert not missing_of(tmp_path)


def missing_of(tmp_path):
    from aurora_prep.manifest.query import Manifest  # noqa: PLC0415  # after the run

    with Manifest.open(str(tmp_path / "out")) as manifest:
        return manifest.missing().to_pylist()


@pytest.mark.parametrize(("access", "remedy"), [("mars", "service agreement"), ("http", "netrc")])
def test_refused_credentials_end_the_run_in_four_parts(
    access, remedy, at_the_door, tmp_path, capsys
):
    recipe = written(tmp_path, **ANALYSIS, access=access)
    with EmbeddedProvider(gaussian_lines=8, faults={"licence": -1}) as provider:
        at_the_door(provider)
        assert main(["run", recipe, "--cache", str(tmp_path / "cache")]) == 2
        said = capsys.readouterr().err
        assert provider.key not in said
    assert [part in said for part in ("where:", "found:", "fix:", remedy)] == [True] * 4
    assert "Traceback" not in said


SPANS = [
    ("hres_analysis", "mars", "2016-01-01", "2022-12-31T18", 10_228),
    ("hres_analysis", "http", "2016-01-01", "2022-12-31T18", 10_228),
    ("hres_t0", "mars", "2016-01-01", "2021-12-31T18", 8_768),
    ("hres_forecast", "mars", "2016-01-01", "2020-12-31T12", 149_814),
    ("wave", "mars", "2016-01-01", "2021-12-31T18", 8_768),
]


@pytest.mark.parametrize(("name", "access", "start", "end", "frames"), SPANS)
def test_published_spans_are_planned_without_network_or_account(
    name, access, start, end, frames, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("a connection"))
    monkeypatch.setenv("HOME", str(tmp_path))
    source = sources.load(name)
    entry = {
        "source": name,
        "access": access,
        "grid": source.grid.name,
        "period": {"start": start, "end": end, "step": f"{source.cadence // HOUR}h"},
        "variables": [native.variable.path for native in source.delivered(source.access(access))],
    }
    if len(source.lead_times) > 1:
        entry["lead_time"] = {"start": "0h", "end": "240h", "step": "6h"}
    assert main(["plan", written(tmp_path, **entry), "--json"]) == 0
    (planned,) = json.loads(capsys.readouterr().out)["sources"]
    assert planned["frames"] == frames
    assert planned["access"] == access
    assert planned["requests"] > 0
    assert not Path(tmp_path, "out").exists()


def test_a_period_of_broken_days_is_whole(prepare):
    """Requests by stream and month meet shards by time: nothing is lost at their borders."""
    made = prepare(
        "hres_t0",
        embedded=True,
        access="mars",
        grid="10",
        period={"start": "2019-12-30T06", "end": "2020-01-02T12"},
        variables=["msl"],
    )
    start, end = datetime(2019, 12, 30, 6), datetime(2020, 1, 2, 12)
    times = [row["valid_time"] for row in made.rows()]
    assert sorted(times) == [start + i * 6 * HOUR for i in range((end - start) // (6 * HOUR) + 1)]
    assert made.outcome.absent == 0
    assert timedelta(0) not in np.diff(sorted(times))
