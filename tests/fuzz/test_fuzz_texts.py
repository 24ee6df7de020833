"""Mutated recipes, archives and manifests: an error of ours or the truth, never a crash.

``AURORA_PREP_FUZZ`` says how many mutations of each; ``make fuzz`` tries thousands.
"""

import io
import json
import os
import tempfile
import zipfile
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aurora_prep.manifest import durable
from aurora_prep.manifest.ledger import parts
from aurora_prep.manifest.ledger.records import FrameRecord, Part, Status
from aurora_prep.manifest.query import Manifest
from aurora_prep.pipelines.recipe import Recipe
from aurora_prep.providers import formats
from aurora_prep.sources.spec import AuroraPrepError, FetchError, RecipeError

EXAMPLES = int(os.environ.get("AURORA_PREP_FUZZ", "60"))
fuzzed = settings(
    max_examples=EXAMPLES, deadline=30_000, suppress_health_check=list(HealthCheck), database=None
)
RECIPE = b"""name: aurora
output: ./out
sources:
  - source: era5
    access: cds
    period: {start: 2020-01-01T00, end: 2020-12-31T18, step: 6h}
    grid: "0.25"
    method: {default: conservative, slt: nearest}
    variables: [z, 2t, atmospheric/t]
    levels: [850, 500]
splits: {train: [2020-01-01, 2020-11-30], test: [2020-12-01T00, 2020-12-31]}
statistics: {split: train, area_weighted: true, differences: [12h, 1d]}
storage: {frames_per_shard: 4, codec: blosc-zstd}
"""
FIELD = b"GRIB" + bytes(range(256)) * 8 + b"7777"


@st.composite
def mutated(draw, data: bytes) -> bytes:
    """The bytes with a few places overwritten, cut out or doubled."""
    found = bytearray(data)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, max(len(found) - 1, 0)))
        length = draw(st.integers(0, 12))
        kind = draw(st.sampled_from(["write", "cut", "double", "end"]))
        if kind == "write":
            found[place : place + length] = draw(st.binary(max_size=12))
        elif kind == "cut":
            del found[place : place + length]
        elif kind == "double":
            found[place:place] = found[place : place + length] * draw(st.integers(1, 3))
        else:
            del found[place:]
    return bytes(found)


@fuzzed
@given(mutated(RECIPE))
def test_recipes(text):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "recipe.yaml")
        path.write_bytes(text)
        try:
            recipe = Recipe.load(path)
        except RecipeError as error:
            assert len(error.args) == 4  # noqa: PT017
            return
    json.dumps(recipe.text)
    assert recipe.digest


def _archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("a.grib", FIELD)
        packed.writestr("b.grib", FIELD[::-1][4:] + b"")
        packed.writestr("c.grib", FIELD * 3)
    return buffer.getvalue()


@fuzzed
@given(mutated(_archive()))
def test_archives(data):
    with tempfile.TemporaryDirectory() as folder:
        archive, inside = Path(folder, "x.zip"), Path(folder, "in")
        archive.write_bytes(data)
        inside.mkdir()
        try:
            members = formats.unpack(archive, inside)
        except FetchError as error:
            assert len(error.args) == 4  # noqa: PT017
            return
        assert {path.parent for path in members} == {inside}
        assert {path.read_bytes() for path in members} <= {FIELD, FIELD * 3}


def _part() -> Part:
    frame = FrameRecord(
        source="era5", product="reanalysis", access="cds", init_time=datetime(2020, 1, 1),
        grid="10", status=Status.MISSING, reason="not there", recipe_digest="d", shard="s",
    )  # fmt: skip
    return Part(source="era5", grid="10", shard="s", frames=(frame,), statistics=b"x" * 64)


WHOLE = parts.encode(_part())


@fuzzed
@given(mutated(WHOLE))
def test_parts(data):
    try:
        table = parts.decode(data, "part")
    except AuroraPrepError as error:
        assert len(error.args) == 4  # noqa: PT017
        return
    assert table.equals(parts.decode(WHOLE, "part"))


INDEX = json.dumps({"files": {"frames.parquet": {"bytes": 5, "sha256": "x"}}, "sources": [],
                    "metadata": {}}).encode()  # fmt: skip


@fuzzed
@given(mutated(INDEX))
def test_indexes(data):
    with tempfile.TemporaryDirectory() as folder:
        durable.put(f"{folder}/manifest/index.json", data)
        durable.put(f"{folder}/manifest/frames.parquet", b"PAR1x")
        with pytest.raises(AuroraPrepError) as raised, Manifest.open(folder) as manifest:
            manifest.summary()
        assert len(raised.value.args) == 4
