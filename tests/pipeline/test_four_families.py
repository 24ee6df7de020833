"""A dataset of all four families: its manifest is its plan, and whatever is done to it is found.

Every mutation is found by ``verify``; ``--repair`` and another run of the recipe bring back
every byte of the dataset.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from aurora_prep.manifest import Manifest
from aurora_prep.manifest.lazy_frames import open_frames
from aurora_prep.manifest.ledger.compact import compact
from aurora_prep.manifest.ledger.parts import all_parts, read_part, write_part
from aurora_prep.manifest.ledger.records import sealed
from aurora_prep.manifest.samples import samples_of
from aurora_prep.manifest.shard_codec import ShardLayout
from aurora_prep.pipelines.cli import main
from aurora_prep.pipelines.dataset.original_plan import Replanned, replan
from aurora_prep.pipelines.recipe import Recipe
from aurora_prep.pipelines.shard.encode import assemble_shard, encode_field, layout_of
from aurora_prep.sources.spec import HOUR, FrameKey, ManifestError, Product, RecipeError

from .conftest import Families, tree

SHARDS = {
    "weather": "era5/10.zarr/t/c/1/0/0/0",
    "air pollution": "cams_analysis/10.zarr/go3/c/0/0/0/0",
    "waves": "era5_wave/10.zarr/swh/c/1/0/0",
    "forecast": "cams_forecast/15.zarr/go3/c/0/1/0/0/0",
    "static": "static/10.zarr/lsm/c/0/0",
}
FRAMES = {
    "weather": ["era5/2022-01-01T06+000h", "era5/2022-01-01T12+000h"],
    "air pollution": ["cams_analysis/2021-12-31T12+000h", "cams_analysis/2022-01-01T00+000h"],
    "waves": ["era5_wave/2022-01-01T06+000h", "era5_wave/2022-01-01T12+000h"],
    "forecast": ["cams_forecast/2021-12-31T12+024h"],
    "static": [],
}
PART = "manifest/parts/era5-10/20220101T06+000h.parquet"
OTHER_SHARD = "era5/10.zarr/t/c/0/0/0/0"

Harm = Callable[[Path, str], None]


@pytest.fixture
def harmed(families: Families, tmp_path: Path) -> Families:
    return families.copy(tmp_path)


@pytest.fixture(scope="module")
def replanned(families: Families) -> Replanned:
    return replan(str(families.root))


def verdict(root: Path, capsys: pytest.CaptureFixture[str], *options: str) -> dict:
    """What ``verify --json`` says; its exit code agrees."""
    code = main(["verify", str(root), "--json", *options])
    found = json.loads(capsys.readouterr().out)
    assert code == (0 if found["ok"] else 1)
    assert found["denominator"] == "plan"
    return found


def restored(harmed: Families, families: Families) -> bool:
    """Whether another run brings back every byte of the dataset."""
    assert harmed.run().absent == 0
    found, meant = tree(harmed.root), tree(families.root)
    assert {name for name in found.keys() | meant if found.get(name) != meant.get(name)} == set()
    return True


# What the manifest says of an undisturbed dataset


def test_the_summary_agrees_with_the_plan(families: Families, replanned: Replanned) -> None:
    with Manifest.open(str(families.root)) as manifest:
        rows = {row["source"]: row for row in manifest.summary().to_pylist()}
    assert len(rows) == len(replanned.plan.sources) == 4
    for entry in replanned.plan.sources:
        row, keys = rows[entry.source.name], list(entry.frame_keys())
        assert row["grid"] == entry.grid.name
        assert row["frames"] == row["written"] == entry.frames == len(keys)
        assert row["missing"] == row["rejected"] == 0
        assert row["first"] == min(key.valid_time for key in keys)
        assert row["last"] == max(key.valid_time for key in keys)
        assert row["cadence"] == entry.init_times[1] - entry.init_times[0]
        assert row["variables"] == sorted(variable.path for variable in entry.variables)
        assert row["levels"] == list(entry.levels)
        store = families.root / entry.store
        objects = [p for p in store.glob("*/c/**/*") if p.is_file() and p.parts[-2] != "c"]
        stored = sum(path.stat().st_size for path in objects)
        coordinates = {"time", "init_time", "lead_time", "level", "latitude", "longitude"}
        assert not coordinates & {p.relative_to(store).parts[0] for p in objects}
        assert row["bytes"] == stored
        assert row["synthetic"]


def test_the_manifest_has_a_row_for_every_planned_frame_and_no_other(
    families: Families, replanned: Replanned
) -> None:
    with Manifest.open(str(families.root)) as manifest:
        rows = manifest.query().to_pylist()
    keys = [FrameKey(r["source"], r["init_time"], r["lead_time"], r["member"]) for r in rows]
    planned = [key for entry in replanned.plan.sources for key in entry.frame_keys()]
    assert sorted(keys) == sorted(planned)
    for key, row in zip(keys, rows, strict=True):
        assert row["valid_time"] == key.valid_time
        assert row["split"] == families.recipe.split_of(key.valid_time)


def test_samples_agree_with_a_brute_force_count(families: Families) -> None:
    with Manifest.open(str(families.root)) as manifest:
        summary, rows = manifest.summary().to_pylist(), manifest.query().to_pylist()
        counted = samples_of(manifest).counts().to_pylist()
    expected: dict[str, int] = {}
    for row in rows:
        step = (12 if "surface/pm2p5" in row["variables"] else 6) * HOUR
        ahead = row["product"] == Product.FORECAST
        moving = "lead_time" if ahead else "init_time"
        alike = {
            other[moving]
            for other in rows
            if all(
                other[name] == row[name]
                for name in ("source", "grid", "split", "variables", "levels")
            )
            and (not ahead or other["init_time"] == row["init_time"])
        }
        whole = {row[moving] - step, row[moving] + step} <= alike
        expected[row["source"]] = expected.get(row["source"], 0) + whole
    assert {row["source"]: row["samples"] for row in summary} == expected
    by_source: dict[str, int] = dict.fromkeys(expected, 0)
    for row in counted:
        by_source[row["source"]] += row["samples"]
    assert by_source == expected
    assert expected["era5"] == expected["era5_wave"] == 2
    assert expected["cams_analysis"] == 2


def test_frames_of_a_forecast_open_by_facets(families: Families) -> None:
    with Manifest.open(str(families.root)) as manifest:
        whole = open_frames(manifest, "cams_forecast")
        some = open_frames(manifest, "cams_forecast", lead_time=12 * HOUR, variable="go3")
        waves = open_frames(manifest, "era5_wave", split="validation")
    assert dict(whole.sizes) == {
        "init_time": 3, "lead_time": 3, "level": 1, "latitude": 13, "longitude": 24,
    }  # fmt: skip
    assert some["go3"].dims == ("init_time", "lead_time", "level", "latitude", "longitude")
    assert some["go3"].shape[:2] == (3, 1)
    assert np.isfinite(some["go3"].values).all()
    assert waves.sizes["time"] == 4


def test_an_undisturbed_dataset_has_no_problem(
    families: Families, replanned: Replanned, capsys: pytest.CaptureFixture[str]
) -> None:
    found = verdict(families.root, capsys, "--deep")
    plan = replanned.plan
    static = sum(len(entry.static_variables) for entry in plan.sources)
    assert found["problems"] == []
    assert found["frames"] == {"planned": plan.frames, "written": plan.frames}
    assert found["fields"] == static + sum(e.frames * e.fields_per_frame for e in plan.sources)


# Shards


def delete(root: Path, key: str) -> None:
    (root / key).unlink()


def truncate(root: Path, key: str) -> None:
    os.truncate(root / key, (root / key).stat().st_size - 1)


def flip(root: Path, key: str, place: float = 0.5) -> None:
    data = bytearray((root / key).read_bytes())
    data[int(place * (len(data) - 1))] ^= 1
    (root / key).write_bytes(data)


def flip_first(root: Path, key: str) -> None:
    flip(root, key, 0)


def flip_last(root: Path, key: str) -> None:
    flip(root, key, 1)


def fill_with_nan(root: Path, key: str) -> None:
    """Encode missing values as the writer would, in every inner chunk of the shard."""
    again = replan(str(root))
    store, _, rest = key.partition(".zarr/")
    name = rest.partition("/")[0]
    for entry in again.plan.sources:
        static = f"{store}.zarr" == entry.static_store
        for variable in entry.static_variables if static else entry.variables:
            if variable.short_name == name and (static or f"{store}.zarr" == entry.store):
                layout = layout_of(entry, variable, again.context.recipe.storage.codec)
                nothing = np.full(entry.grid.shape, np.nan, np.float32)
                chunk = encode_field(nothing, layout.compressor())
                metadata = (root / f"{store}.zarr" / name / "zarr.json").read_bytes()
                block = [int(number) for number in key.partition("/c/")[2].split("/")]
                held = ShardLayout.of(metadata).inside(block)
                beyond = [None] * (layout.chunks_per_shard - held)
                (root / key).write_bytes(assemble_shard([chunk] * held + beyond, layout))
                return
    raise AssertionError(key)


HARMS = [
    *((delete, family) for family in SHARDS),
    (truncate, "waves"),
    (flip, "forecast"),
    (fill_with_nan, "weather"),
    (fill_with_nan, "static"),
]
MORE_HARMS = [
    pytest.param(harm, family, marks=pytest.mark.slow)
    for harm in (truncate, flip, fill_with_nan)
    for family in SHARDS
    if (harm, family) not in HARMS
]


@pytest.mark.parametrize(("harm", "family"), [*HARMS, *MORE_HARMS])
def test_harm_to_a_shard_is_found_and_undone(
    harmed: Families,
    families: Families,
    capsys: pytest.CaptureFixture[str],
    harm: Harm,
    family: str,
) -> None:
    harm(harmed.root, SHARDS[family])
    found = verdict(harmed.root, capsys, "--repair")
    assert [problem["where"] for problem in found["problems"]] == [SHARDS[family]]
    assert len(found["repair"]["tasks"]) == 1
    assert found["repair"]["frames"] == FRAMES[family]
    parts = len(all_parts(str(families.root)))
    assert len(all_parts(str(harmed.root))) == parts - 1
    assert restored(harmed, families)


@pytest.mark.parametrize("harm", [flip_first, flip_last])
def test_a_flipped_bit_at_either_end_of_a_shard_is_found(
    harmed: Families, capsys: pytest.CaptureFixture[str], harm: Harm
) -> None:
    harm(harmed.root, SHARDS["weather"])
    (problem,) = verdict(harmed.root, capsys)["problems"]
    assert (problem["kind"], problem["where"]) == ("checksum", SHARDS["weather"])


def test_two_swapped_shards_are_found_and_undone(
    harmed: Families, families: Families, capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = harmed.root / SHARDS["weather"], harmed.root / OTHER_SHARD
    mine, theirs = one.read_bytes(), other.read_bytes()
    one.write_bytes(theirs)
    other.write_bytes(mine)
    found = verdict(harmed.root, capsys, "--repair")
    wheres = {problem["where"] for problem in found["problems"]}
    assert wheres == {SHARDS["weather"], OTHER_SHARD}
    assert len(found["repair"]["frames"]) == 4
    assert restored(harmed, families)


def agree(root: Path, key: str, replanned: Replanned) -> None:
    """Let part, tables, index and ``dataset.json`` agree with the bytes of an object."""
    for task in all_parts(str(root)):
        part = read_part(str(root), *task)
        if key not in {item.key for item in part.objects}:
            continue
        data = (root / key).read_bytes()
        told = {"bytes": len(data), "checksum": hashlib.sha256(data).hexdigest()}
        objects = tuple(replace(o, **told) if o.key == key else o for o in part.objects)
        changed = replace(part, objects=objects, frames=sealed(part.frames, objects))
        write_part(str(root), changed)
    reseal(root, replanned)


def reseal(root: Path, replanned: Replanned) -> None:
    """Compact the parts anew, and let ``dataset.json`` agree."""
    index = compact(str(root), replanned.frames())
    dataset = json.loads((root / "dataset.json").read_text())
    document = json.dumps({**dataset, "manifest": index["files"]}, indent=1) + "\n"
    (root / "dataset.json").write_text(document)


@pytest.mark.parametrize(
    "family",
    [
        "weather",
        pytest.param("air pollution", marks=pytest.mark.slow),
        pytest.param("waves", marks=pytest.mark.slow),
        pytest.param("forecast", marks=pytest.mark.slow),
        pytest.param("static", marks=pytest.mark.slow),
    ],
)
def test_missing_values_that_every_checksum_agrees_with_are_found_deep(
    harmed: Families,
    families: Families,
    replanned: Replanned,
    capsys: pytest.CaptureFixture[str],
    family: str,
) -> None:
    fill_with_nan(harmed.root, SHARDS[family])
    agree(harmed.root, SHARDS[family], replanned)
    assert verdict(harmed.root, capsys)["ok"]
    found = verdict(harmed.root, capsys, "--deep", "--repair")
    assert {problem["kind"] for problem in found["problems"]} == {"values"}
    assert all("missing fraction 1" in problem["found"] for problem in found["problems"])
    assert found["repair"]["frames"] == FRAMES[family]
    assert restored(harmed, families)


# Rows of the manifest


def edited(root: Path, name: str, column: str, value: object) -> None:
    """Change one value of a table as somebody with pyarrow at hand would."""
    path = root / f"manifest/{name}.parquet"
    table = pq.read_table(path)
    values = table.column(column).to_pylist()
    assert values[1] != value
    values[1] = value
    position = table.schema.get_field_index(column)
    field = table.schema.field(column)
    pq.write_table(table.set_column(position, field, pa.array(values, field.type)), path)


ROWS = [
    ("frames", "status", "missing"),
    ("details", "mean", 0.0),
    ("objects", "checksum", "0" * 64),
    ("parts", "checksum", "0" * 64),
]
MORE_ROWS = [
    ("frames", "split", "test"),
    ("frames", "lead_time", timedelta(hours=3)),
    ("frames", "checksum", "0" * 64),
    ("frames", "variables", ["surface/2t"]),
    ("frames", "synthetic", False),
    ("details", "minimum", -1.0),
    ("details", "missing_fraction", 0.5),
    ("objects", "bytes", 7),
]


@pytest.mark.parametrize(
    ("name", "column", "value"),
    [*ROWS, *(pytest.param(*row, marks=pytest.mark.slow) for row in MORE_ROWS)],
)
def test_an_edited_row_is_found_and_undone(
    harmed: Families,
    families: Families,
    capsys: pytest.CaptureFixture[str],
    name: str,
    column: str,
    value: object,
) -> None:
    edited(harmed.root, name, column, value)
    found = verdict(harmed.root, capsys, "--repair")
    wheres = [problem["where"] for problem in found["problems"]]
    assert f"manifest/{name}.parquet" in wheres
    assert name == "parts" or any(
        where.startswith(f"manifest/{name}.parquet: ") for where in wheres
    )
    assert found["repair"]["tasks"] == []
    assert restored(harmed, families)


def test_an_edited_row_whose_digests_were_edited_too_is_found(
    harmed: Families, capsys: pytest.CaptureFixture[str]
) -> None:
    edited(harmed.root, "details", "mean", 0.0)
    data = (harmed.root / "manifest/details.parquet").read_bytes()
    told = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    index = json.loads((harmed.root / "manifest/index.json").read_text())
    index["files"]["details.parquet"].update(told)
    (harmed.root / "manifest/index.json").write_text(json.dumps(index))
    wheres = [problem["where"] for problem in verdict(harmed.root, capsys)["problems"]]
    assert "dataset.json" in wheres
    assert any(where.startswith("manifest/details.parquet: source=") for where in wheres)


def test_a_detail_edited_in_its_part_and_everywhere_else_is_found_deep(
    harmed: Families,
    families: Families,
    replanned: Replanned,
    capsys: pytest.CaptureFixture[str],
) -> None:
    task = ("era5_wave", "10", "20220101T06+000h")
    part = read_part(str(harmed.root), *task)
    first, *rest = part.details
    changed = replace(first, maximum=(first.maximum or 0.0) + 1)
    write_part(str(harmed.root), replace(part, details=(changed, *rest)))
    reseal(harmed.root, replanned)
    assert verdict(harmed.root, capsys)["ok"]
    found = verdict(harmed.root, capsys, "--deep", "--repair")
    assert [problem["kind"] for problem in found["problems"]] == ["values"]
    assert restored(harmed, families)


@pytest.mark.parametrize("harm", [delete, truncate, flip])
def test_harm_to_a_part_is_found_and_undone(
    harmed: Families, families: Families, capsys: pytest.CaptureFixture[str], harm: Harm
) -> None:
    harm(harmed.root, PART)
    found = verdict(harmed.root, capsys, "--repair")
    assert PART in [problem["where"] for problem in found["problems"]]
    assert found["repair"]["frames"] == FRAMES["weather"]
    assert restored(harmed, families)


def test_a_part_of_frames_that_nobody_asked_for_is_found_and_undone(
    harmed: Families,
    families: Families,
    replanned: Replanned,
    capsys: pytest.CaptureFixture[str],
) -> None:
    part = read_part(str(harmed.root), "era5_wave", "10", "20220101T06+000h")
    names = {"shard": "20300101T00+000h"}
    frames = (replace(part.frames[0], init_time=part.frames[0].init_time + timedelta(9), **names),)
    stray = replace(part, **names, frames=frames, details=(), objects=())
    write_part(str(harmed.root), stray)
    reseal(harmed.root, replanned)
    found = verdict(harmed.root, capsys, "--repair")
    assert any("1 frames that the recipe does not ask for" in p["found"] for p in found["problems"])
    assert restored(harmed, families)


@pytest.mark.parametrize("name", ["manifest/index.json", "manifest/frames.parquet", "dataset.json"])
def test_a_table_or_index_that_is_gone_is_found_and_undone(
    harmed: Families, families: Families, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (harmed.root / name).unlink()
    found = verdict(harmed.root, capsys, "--repair")
    assert name in [problem["where"] for problem in found["problems"]]
    assert restored(harmed, families)


# Metadata and orphans


@pytest.mark.parametrize(
    ("harm", "name"),
    [
        (truncate, "era5/10.zarr/zarr.json"),
        (delete, "cams_forecast/15.zarr/lead_time/c/0"),
        (truncate, "static/10.zarr/lsm/zarr.json"),
    ],
)
def test_harm_to_metadata_is_found_and_undone(
    harmed: Families, families: Families, capsys: pytest.CaptureFixture[str], harm: Harm, name: str
) -> None:
    harm(harmed.root, name)
    found = verdict(harmed.root, capsys, "--repair")
    assert [(p["kind"], p["where"]) for p in found["problems"]] == [("metadata", name)]
    assert found["repair"]["restored"] == [name]
    assert restored(harmed, families)


@pytest.mark.parametrize(
    "name",
    [
        "era5/10.zarr/t/c/9/0/0/0",
        "era5/10.zarr/stray/c/0",
        "era5/10.zarr/notes.txt",
        "era5/0.25.zarr/zarr.json",
    ],
)
def test_orphans_are_found_and_deleted_on_request_only(
    harmed: Families, families: Families, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (harmed.root / name).parent.mkdir(parents=True, exist_ok=True)
    (harmed.root / name).write_bytes(b"{}")
    for _ in range(2):
        found = verdict(harmed.root, capsys, "--deep", "--repair")
        assert [problem["kind"] for problem in found["problems"]] == ["orphan"]
        assert name.startswith(found["problems"][0]["where"])
    verdict(harmed.root, capsys, "--delete-orphans")
    assert tree(harmed.root) == tree(families.root)
    assert verdict(harmed.root, capsys)["ok"]


def test_deleting_orphans_alone_repairs_nothing(
    harmed: Families, capsys: pytest.CaptureFixture[str]
) -> None:
    (harmed.root / "era5/10.zarr/notes.txt").write_bytes(b"{}")
    delete(harmed.root, SHARDS["weather"])
    before = set(tree(harmed.root))
    found = verdict(harmed.root, capsys, "--delete-orphans")
    assert found["repair"] == {"deleted": ["era5/10.zarr/notes.txt"]}
    assert before - set(tree(harmed.root)) == {"era5/10.zarr/notes.txt"}
    assert [p["where"] for p in verdict(harmed.root, capsys)["problems"]] == [SHARDS["weather"]]


def test_a_whole_store_can_be_rebuilt(
    harmed: Families, families: Families, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(harmed.root / "era5_wave")
    found = verdict(harmed.root, capsys, "--repair")
    assert len(found["repair"]["frames"]) == 5
    assert restored(harmed, families)


# The plan a verification counts by


def test_a_dataset_without_its_recipe_is_counted_by_its_manifest(
    harmed: Families, capsys: pytest.CaptureFixture[str]
) -> None:
    (harmed.root / "manifest/recipe.json").unlink()
    assert main(["verify", str(harmed.root)]) == 0
    told = capsys.readouterr().out
    assert "counted by the manifest, not by the plan: the dataset carries no recipe" in told


def test_another_recipe_is_refused(
    families: Families, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "recipe.yaml"
    other.write_text(json.dumps({**families.recipe.text, "name": "other"}))
    assert main(["verify", str(families.root), "--recipe", str(other)]) == 2
    assert "not the one that the dataset was made by" in capsys.readouterr().err
    other.write_text(json.dumps(families.recipe.text))
    assert main(["verify", str(families.root), "--recipe", str(other)]) == 0


def test_a_recipe_of_files_by_relative_paths_must_be_given(tmp_path: Path) -> None:
    text = {
        "name": "files",
        "sources": [{"source": "era5", "access": "files", "path": "*.grib", "grid": "native"}],
    }
    place = tmp_path / "out/manifest/recipe.json"
    place.parent.mkdir(parents=True)
    digest = Recipe.parse({**text, "output": "out"}).digest
    place.write_text(json.dumps({"recipe": text, "digest": digest, "synthetic": False}))
    with pytest.raises(RecipeError, match="relative paths") as refused:
        replan(str(tmp_path / "out"))
    assert "--recipe" in refused.value.args[3]
    place.write_text("{")
    with pytest.raises(ManifestError, match="carries no recipe"):
        replan(str(tmp_path / "out"))
