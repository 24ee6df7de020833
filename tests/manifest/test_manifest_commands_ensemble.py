"""Members of an ensemble, from their parts through every question and the verification."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import zarr

from aurora_prep.manifest import Manifest, render
from aurora_prep.manifest.diff import counts, diff
from aurora_prep.manifest.ledger.compact import compact
from aurora_prep.manifest.ledger.parts import write_part
from aurora_prep.manifest.ledger.planned import PlannedFrame, PlannedFrames
from aurora_prep.manifest.ledger.records import (
    DetailRecord,
    FrameRecord,
    ObjectRecord,
    Part,
    Status,
    sealed,
)
from aurora_prep.manifest.samples import samples_of
from aurora_prep.manifest.verify.verification import Kind, repair, verify
from aurora_prep.pipelines.cli import main
from aurora_prep.sources.spec import FrameKey, Grid, ManifestError

HOUR = timedelta(hours=1)
INITS = (datetime(2020, 1, 1), datetime(2020, 1, 1, 12))
MEMBERS = (0, 1, 7)
LEADS = tuple(lead * HOUR for lead in (6, 12, 18, 24))
NAMES = {"source": "ifs_ens", "grid": "30", "store": "ifs_ens/30.zarr"}
HARMED = "ifs_ens/30.zarr/2t/c/1/2/0/0/0"


@dataclass(frozen=True)
class Ensemble:
    """Two runs of three members, four lead times each; a shard holds one run of a member."""

    root: Path

    def create(self) -> None:
        grid = Grid.regular("30")
        group = zarr.open_group(self.root / NAMES["store"], mode="w", zarr_format=3)
        hours = np.array([lead // HOUR for lead in LEADS])
        coordinates = {
            "init_time": (np.array([0, 12]), {"units": "hours since 2020-01-01"}),
            "member": (np.array(MEMBERS), {}),
            "lead_time": (hours, {"units": "hours"}),
            "latitude": (grid.latitude, {"units": "degrees_north"}),
            "longitude": (grid.longitude, {"units": "degrees_east"}),
        }
        for name, (values, attributes) in coordinates.items():
            array = group.create_array(
                name, shape=values.shape, dtype=values.dtype, dimension_names=[name],
                attributes=attributes, fill_value=0,
            )  # fmt: skip
            array[:] = values
        group.create_array(
            "2t",
            shape=(len(INITS), len(MEMBERS), len(LEADS), *grid.shape),
            shards=(1, 1, len(LEADS), *grid.shape),
            chunks=(1, 1, 1, *grid.shape),
            dtype="f4",
            fill_value=np.nan,
            dimension_names=list(coordinates),
        )

    def write(self, i: int, m: int) -> None:
        """One shard task: its object, and its part."""
        shard = f"{INITS[i]:%Y%m%dT%H}+006h-{MEMBERS[m]:02d}"
        names = {**NAMES, "shard": shard}
        rng = np.random.default_rng([i, m])
        values = rng.normal(280, 10, (len(LEADS), 7, 12)).astype("f4")
        place = f"{NAMES['store']}/2t/c/{i}/{m}/0/0/0"
        (self.root / place).unlink(missing_ok=True)
        zarr.open_array(self.root / NAMES["store"] / "2t", mode="r+")[i, m] = values
        data = (self.root / place).read_bytes()
        keys = [FrameKey("ifs_ens", INITS[i], lead, MEMBERS[m]) for lead in LEADS]
        written = ObjectRecord(
            **names, key=place, bytes=len(data), checksum=hashlib.sha256(data).hexdigest(),
            frames=tuple(map(str, keys)),
        )  # fmt: skip
        frames = [
            FrameRecord(
                **names, product="forecast", access="files", init_time=key.init_time,
                lead_time=key.lead_time, member=key.member, status=Status.WRITTEN,
                recipe_digest="ab" * 32, variables=("surface/2t",), tokens=10,
            )
            for key in keys
        ]  # fmt: skip
        details = [
            DetailRecord(
                **names, init_time=key.init_time, lead_time=key.lead_time, member=key.member,
                path="surface/2t", minimum=float(field.min()), maximum=float(field.max()),
                mean=float(field.mean(dtype="f8")), missing_fraction=0.0,
            )
            for key, field in zip(keys, values, strict=True)
        ]  # fmt: skip
        part = Part(
            source="ifs_ens", grid="30", shard=shard, frames=sealed(frames, [written]),
            details=tuple(details), objects=(written,),
        )  # fmt: skip
        write_part(str(self.root), part)

    def plan(self) -> PlannedFrames:
        frames = [
            PlannedFrame(
                init, lead, member, shard=f"{init:%Y%m%dT%H}+006h-{member:02d}"
            )
            for init in INITS
            for member in MEMBERS
            for lead in LEADS
        ]  # fmt: skip
        return PlannedFrames(
            **NAMES, product="forecast", access="files", frames=frames,
            variables=("surface/2t",), recipe_digest="ab" * 32, tokens=10,
        )  # fmt: skip

    def finish(self) -> None:
        compact(str(self.root), [self.plan()])
        source = {"source": "ifs_ens", "grid": "30", "frames": 24}
        (self.root / "dataset.json").write_text(json.dumps({"sources": [source]}))


@pytest.fixture
def ensemble(tmp_path: Path) -> Ensemble:
    """All but the second run of member 1."""
    dataset = Ensemble(tmp_path / "dataset")
    dataset.create()
    for i, m in ((0, 0), (0, 1), (0, 2), (1, 0), (1, 2)):
        dataset.write(i, m)
    dataset.finish()
    return dataset


def test_the_summary_counts_frames_of_every_member(ensemble: Ensemble) -> None:
    with Manifest.open(str(ensemble.root)) as manifest:
        summary = manifest.summary()
        counted = len(samples_of(manifest))
    (row,) = summary.to_pylist()
    assert (row["frames"], row["written"], row["missing"], row["members"]) == (24, 20, 4, 3)
    assert (row["first"], row["last"]) == (INITS[0] + LEADS[0], INITS[1] + LEADS[-1])
    assert row["cadence"] == 12 * HOUR
    assert (row["tokens_per_frame"], row["tokens"]) == (10, 200)
    assert row["samples"] == counted == 5 * 2
    assert " members " in render.summary_text(summary).splitlines()[0]


def test_a_member_can_be_asked_for(ensemble: Ensemble, capsys: pytest.CaptureFixture[str]) -> None:
    with Manifest.open(str(ensemble.root)) as manifest:
        found = manifest.query(member=7, lead_time=12 * HOUR)
        assert set(found.column("member").to_pylist()) == {7}
        assert found.num_rows == 2
        assert manifest.query(member=3).num_rows == 0
    assert main(["manifest", str(ensemble.root), "query", "--member", "1"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0].split()[:7] == ["source", "grid", "init", "time", "lead", "time", "member"]
    assert told[-1] == "8 rows"


def test_missing_frames_name_their_member(
    ensemble: Ensemble, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["manifest", str(ensemble.root), "missing", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)["rows"]
    assert {(row["member"], row["init_time"]) for row in found} == {(1, "2020-01-01T12")}
    assert [row["lead_time"] for row in found] == ["6h", "12h", "18h", "1d"]


def test_members_differ_one_by_one(ensemble: Ensemble, tmp_path: Path) -> None:
    later = Ensemble(tmp_path / "later")
    later.create()
    for i in range(2):
        for m in range(3):
            later.write(i, m)
    later.finish()
    found = diff(str(ensemble.root), str(later.root))
    assert counts(found)["status"] == found.num_rows == 4
    assert set(found.column("member").to_pylist()) == {1}


def test_a_harmed_member_is_found_named_and_done_again(ensemble: Ensemble) -> None:
    before = {p: p.read_bytes() for p in ensemble.root.rglob("*") if p.is_file()}
    zarr.open_array(ensemble.root / NAMES["store"] / "2t", mode="r+")[1, 2, 0] += 1
    outcome = verify(str(ensemble.root), deep=True, planned=[ensemble.plan()])
    assert {problem.kind for problem in outcome.problems} == {Kind.CHECKSUM, Kind.VALUES} or {
        problem.kind for problem in outcome.problems
    } == {Kind.SIZE, Kind.VALUES}
    wheres = {problem.where for problem in outcome.problems}
    assert HARMED in wheres
    assert "ifs_ens/30.zarr surface/2t of 2020-01-01T12+006h#07" in wheres
    assert (outcome.frames_planned, outcome.frames_written) == (24, 20)
    assert outcome.frames_to_rebuild == tuple(
        str(FrameKey("ifs_ens", INITS[1], lead, 7)) for lead in LEADS
    )
    repair(str(ensemble.root), outcome)
    ensemble.write(1, 2)
    ensemble.finish()
    assert {p: p.read_bytes() for p in ensemble.root.rglob("*") if p.is_file()} == before
    assert verify(str(ensemble.root), deep=True, planned=[ensemble.plan()]).ok


def test_a_member_that_the_plan_does_not_know_is_found(ensemble: Ensemble) -> None:
    plan = ensemble.plan()
    fewer = PlannedFrames(
        **{name: getattr(plan, name) for name in PlannedFrames.__dataclass_fields__}
        | {"frames": [frame for frame in plan.frames if frame.member != 7]}
    )
    outcome = verify(str(ensemble.root), planned=[fewer])
    found = [p for p in outcome.problems if "the recipe does not ask for" in p.found]
    assert [p.task[2] for p in found] == ["20200101T00+006h-07", "20200101T12+006h-07"]


def test_an_unknown_facet_is_an_error(ensemble: Ensemble) -> None:
    with (
        Manifest.open(str(ensemble.root)) as manifest,
        pytest.raises(ManifestError, match="not among"),
    ):
        manifest.query(source="ifs")
