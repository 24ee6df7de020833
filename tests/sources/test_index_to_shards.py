"""Sources cut by their index, full size, through the real client to shards, against the truth."""

import json

import numpy as np
import pytest
import yaml

from aurora_prep import sources
from aurora_prep.manifest.verify.verification import verify
from aurora_prep.pipelines.cli import main
from aurora_prep.providers.embedded import EmbeddedProvider, truth
from aurora_prep.providers.embedded.faults import ALWAYS
from aurora_prep.sources.spec import HOUR

# Of the range of a field: packing alone, and one bilinear step from 0.5 degrees to 0.25. The
# error of that is an eighth of the squared step times the second derivatives: for zonal wave
# number 4 they are up to 16 times the amplitude along a parallel, 20 times along a meridian.
PACKED, SEAM = 2.0**-16, 1.7e-4


def differences(made, moments):
    """Per field: path, level, largest difference over the range of the field."""
    source, stored = sources.load(made.source), made.frames
    places = stored["latitude"].values, stored["longitude"].values
    for at, valid in moments:
        for variable in source.variables:
            if variable.short_name not in stored or variable.kind == "static":
                continue
            for level in stored["level"].values.tolist() if variable.has_levels else [None]:
                field = stored[variable.short_name].sel(at)
                found = (field if level is None else field.sel(level=level)).values
                exact = truth(variable, level, valid, *places)
                span = float(exact.max() - exact.min())
                rounding = np.spacing(np.float32(np.abs(exact).max())) / span
                yield variable.path, level, float(np.abs(found - exact).max()) / span - rounding


CASES = [
    ("gfs_t0", "2022-03-01T06", ["2t", "msl", "atmospheric/z", "q"]),
    ("gfs_t0", "2016-02-29T18", ["10u", "q"]),
    ("ifs_open", "2024-05-01T18", ["2t", "msl", "atmospheric/z", "u"]),
]


@pytest.mark.parametrize(("name", "time", "variables"), CASES)
def test_a_time_of_full_size_is_the_truth_within_packing(name, time, variables, prepare):
    made = prepare(
        name, embedded=True, period={"start": time, "end": time}, variables=variables,
        levels=[500],
    )  # fmt: skip
    assert (made.outcome.frames, made.outcome.absent) == (1, 0)
    assert (made.frames.sizes["latitude"], made.frames.sizes["longitude"]) == (721, 1440)
    valid = np.datetime64(time, "s").item()
    compared = list(differences(made, [({"time": valid}, valid)]))
    assert len(compared) == len(variables)
    for path, level, worst in compared:
        # Twice: height is packed in metres, whose step is another power of two.
        assert worst <= 2 * PACKED, (path, level)
    assert not verify(made.outcome.root, deep=True).problems


def test_two_native_grids_meet_in_one_frame(prepare):
    """GEFS: 850 hPa comes on 0.25 degrees as it is, 700 hPa and above from 0.5."""
    made = prepare(
        "gefs_reforecast",
        embedded=True,
        period={"start": "2011-02-28", "end": "2011-02-28T00"},
        members=[3],
        lead_time={"start": "240h", "end": "240h", "step": "3h"},
        variables=["2t", "t", "v"],
        levels=[700, 850],
    )
    assert (made.outcome.frames, made.outcome.absent) == (1, 0)
    (row,) = made.rows()
    assert (row["member"], row["lead_time"]) == (3, 240 * HOUR)
    stored = made.frames.isel(init_time=0, lead_time=0, member=0)
    places = stored["latitude"].values, stored["longitude"].values
    seen = {}
    for name, level in (("2t", None), ("t", 850), ("v", 850), ("t", 700), ("v", 700)):
        native = next(n for n in sources.load("gefs_reforecast").natives
                      if n.variable.short_name == name)  # fmt: skip
        exact = truth(native.variable, level, row["valid_time"], *places)
        field = stored[name] if level is None else stored[name].sel(level=level)
        apart = np.abs(field.values - exact) / (exact.max() - exact.min())
        seen[name, level] = float(apart.max())
        if level == 700:
            # The points of both grids are those of the file.
            assert float(apart[::2, ::2].max()) <= 2 * PACKED
            # The last column lies between the last of the file and the first.
            assert float(apart[:, -1].max()) <= SEAM
    assert max(seen[key] for key in seen if key[1] != 700) <= 2 * PACKED
    assert max(seen[key] for key in seen if key[1] == 700) <= SEAM


SPANS = [
    ("gfs_t0", "2015-01-15", "2020-12-31T18", 8_712, 8_712),
    ("gfs_forecast", "2015-01-15", "2020-12-31T18", 810_216, 810_216),
    ("gefs_reforecast", "2000-01-01", "2019-12-31T00", 2_922_000, 7_305 * 5 * 14),
    ("ifs_open", "2026-05-01", "2026-05-31T18", 124, 124),
]


@pytest.mark.parametrize(("name", "start", "end", "frames", "requests"), SPANS)
def test_spans_are_planned_without_a_network(
    name, start, end, frames, requests, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("a connection"))
    entry = {"source": name, "grid": "0.25", "period": {"start": start, "end": end}}
    path = tmp_path / "recipe.yaml"
    recipe = {"name": "one", "output": str(tmp_path / "out"), "sources": [entry]}
    path.write_text(yaml.safe_dump(recipe), encoding="utf-8")
    assert main(["plan", str(path), "--json"]) == 0
    (planned,) = json.loads(capsys.readouterr().out)["sources"]
    assert (planned["frames"], planned["requests"]) == (frames, requests)
    assert not (tmp_path / "out").exists()


def coarse_recipe(tmp_path, **entry):
    path = tmp_path / "recipe.yaml"
    recipe = {"name": "one", "output": str(tmp_path / "out"), "sources": [entry]}
    path.write_text(yaml.safe_dump(recipe), encoding="utf-8")
    return str(path)


def test_a_mirror_of_ones_own_is_asked(tmp_path, monkeypatch):
    """And what is damaged costs its own frame alone, with the reason."""
    from aurora_prep.manifest.query import Manifest  # noqa: PLC0415  # after the run

    recipe = coarse_recipe(
        tmp_path, source="gefs_reforecast", grid="10", members=[2], variables=["msl"],
        period={"start": "2011-02-28", "end": "2011-02-28T00"},
        lead_time={"start": "117h", "end": "129h", "step": "3h"},
    )  # fmt: skip
    with EmbeddedProvider(faults={"damaged_field": ALWAYS}) as provider:
        mirror = f"{provider.base}/hosts/0/noaa-gefs-retrospective"
        monkeypatch.setenv("AURORA_PREP_NOAA_GEFS_RETROSPECTIVE_URL", mirror)
        assert main(["run", recipe, "--cache", str(tmp_path / "cache")]) == 1
    with Manifest.open(str(tmp_path / "out")) as manifest:
        (lost,) = manifest.missing().to_pylist()
        assert lost["lead_time"] == 123 * HOUR
        assert lost["member"] == 2
        assert len(manifest.query(status="written").to_pylist()) == 4
    assert lost["reason"]
