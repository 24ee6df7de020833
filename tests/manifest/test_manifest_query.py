"""Questions to a manifest, and what a question may not do."""

import json
from datetime import timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from aurora_prep.manifest import Manifest, durable, render, tokens_of
from aurora_prep.manifest.ledger.compact import compact
from aurora_prep.manifest.ledger.records import DETAILS, FRAMES
from aurora_prep.manifest.query import SUMMARY
from aurora_prep.manifest.samples import samples_of
from aurora_prep.sources.spec import Grid, ManifestError

HOUR = timedelta(hours=1)


@pytest.fixture
def manifest(small):
    """Six frames planned, of which the second and the last are not there."""
    small.publish(0, 2, 3, 4)
    compact(str(small.root), [small.plan()])
    with Manifest.open(str(small.root)) as opened:
        yield opened


def times(table) -> list:
    return table.column("init_time").to_pylist()


def test_the_summary_has_one_row_a_source(manifest, small):
    summary = manifest.summary()
    assert summary.schema == SUMMARY
    (row,) = summary.to_pylist()
    stored = sum(o.bytes for i in (0, 2, 3, 4) for o in small.write(i).objects)
    assert row == {
        "source": "era5",
        "grid": "30",
        "frames": 6,
        "written": 4,
        "missing": 2,
        "rejected": 0,
        "first": small.time(0),
        "last": small.time(5),
        "cadence": 6 * HOUR,
        "members": 0,
        "variables": ["atmospheric/t", "surface/2t"],
        "levels": [500, 850],
        "bytes": stored,
        "tokens_per_frame": None,
        "tokens": None,
        "samples": 0,
        "synthetic": True,
    }


def test_samples_of_the_summary_are_those_of_aurora_s_own_window(small):
    small.publish(0, 1, 2, 3, 4, 5)
    compact(str(small.root), [small.plan()])
    with Manifest.open(str(small.root)) as manifest:
        (row,) = manifest.summary().to_pylist()
        assert row["samples"] == len(samples_of(manifest)) == 2


def test_a_manifest_that_knows_no_samples_says_so(small):
    small.publish(0)
    compact(str(small.root), [small.plan()])
    place = small.root / "manifest/index.json"
    index = json.loads(place.read_text())
    for entry in index["sources"]:
        del entry["samples"], entry["members"]
    place.write_text(json.dumps(index))
    with Manifest.open(str(small.root)) as manifest:
        (row,) = manifest.summary().to_pylist()
    assert (row["samples"], row["members"]) == (None, 0)


def test_a_query_without_facets_gives_all_frames_in_order(manifest, small):
    found = manifest.query()
    assert found.schema == FRAMES
    assert found.equals(pq.read_table(small.root / "manifest/frames.parquet"))


@pytest.mark.parametrize(
    ("facets", "expected"),
    [
        ({"source": "era5", "grid": "30"}, [0, 1, 2, 3, 4, 5]),
        ({"status": "written"}, [0, 2, 3, 4]),
        ({"status": "rejected"}, []),
        ({"split": "train"}, [0, 2, 3]),
        ({"variable": "2t"}, [0, 1, 2, 3, 4, 5]),
        ({"variable": "atmospheric/t", "split": "validation"}, [4]),
        ({"lead_time": 0 * HOUR}, [0, 1, 2, 3, 4, 5]),
        ({"lead_time": 6 * HOUR}, []),
    ],
)
def test_each_facet_narrows(manifest, small, facets, expected):
    assert times(manifest.query(**facets)) == [small.time(i) for i in expected]


def test_valid_times_are_included_at_both_ends(manifest, small):
    found = manifest.query(valid_from=small.time(1), valid_until=small.time(3))
    assert times(found) == [small.time(i) for i in (1, 2, 3)]


@pytest.mark.parametrize(
    "facets",
    [{"source": "era4"}, {"grid": "0.25"}, {"split": "test"}, {"variable": "t2m"}],
)
def test_a_name_that_is_nowhere_is_an_error_that_lists_the_names(manifest, facets):
    with pytest.raises(ManifestError, match="not among"):
        manifest.query(**facets)


def test_an_unknown_status_is_an_error(manifest):
    with pytest.raises(ManifestError, match="written"):
        manifest.query(status="done")


def test_missing_gives_the_reason(manifest, small):
    found = manifest.missing()
    assert times(found) == [small.time(1), small.time(5)]
    assert set(found.column("reason").to_pylist()) == {"not done: its shard task has no part"}


def test_sql_answers_over_the_views(manifest, small):
    found = manifest.sql("SELECT path, count(*) AS n FROM details GROUP BY path ORDER BY path")
    assert found.to_pylist() == [{"path": "atmospheric/t", "n": 8}, {"path": "surface/2t", "n": 4}]
    assert manifest.sql("FROM objects").num_rows == 8
    assert manifest.sql("SELECT shard FROM parts ORDER BY 1").column(0).to_pylist() == [
        small.shard(i) for i in (0, 2, 3, 4)
    ]


def test_sql_speaks_of_lead_times_as_intervals_and_returns_durations(manifest):
    found = manifest.sql(
        "SELECT lead_time + INTERVAL 6 HOUR AS later FROM frames"
        " WHERE lead_time < INTERVAL 1 HOUR LIMIT 1"
    )
    assert found.schema.field("later").type == pa.duration("s")
    assert found.to_pylist() == [{"later": 6 * HOUR}]


@pytest.mark.parametrize(
    "text",
    [
        "COPY frames TO '{out}'",
        "COPY (SELECT 1) TO '{frames}' (FORMAT parquet)",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO '{out}'",
        "EXPORT DATABASE '{out}'",
        "ATTACH '{out}' AS other",
        "CREATE TABLE t AS SELECT 1",
        "DROP VIEW frames",
        "SET enable_external_access = true",
        "RESET lock_configuration",
        "PRAGMA database_list",
        "INSTALL httpfs",
        "SELECT 1; COPY frames TO '{out}'",
        "SELECT 1; SELECT 2",
        "",
        "SELECT * FROM read_text('{secret}')",
        "SELECT * FROM read_csv('{secret}')",
        "SELECT * FROM read_blob('{secret}')",
        "SELECT * FROM read_parquet('{other}')",
        "SELECT * FROM '{secret}'",
        "SELECT * FROM glob('{folder}/*')",
        "SELECT * FROM local_variable",
        "SELECT nonsense FROM frames",
        "SELECT FROM WHERE",
    ],
)
def test_sql_can_neither_write_nor_read_elsewhere(manifest, small, tmp_path, text):
    local_variable = pa.table({"a": [1]})
    secret, other = tmp_path / "secret.csv", tmp_path / "other.parquet"
    secret.write_text("a\n1\n")
    pq.write_table(local_variable, other)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    places = {
        "out": tmp_path / "out",
        "frames": small.root / "manifest/frames.parquet",
        "secret": secret,
        "other": other,
        "folder": tmp_path,
    }
    with pytest.raises(ManifestError, match="refused"):
        manifest.sql(text.format(**places))
    after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert after == before
    assert manifest.sql("FROM frames").num_rows == 6


def test_a_dataset_without_a_manifest_says_so(small):
    with pytest.raises(ManifestError, match="no manifest yet"):
        Manifest.open(str(small.root))


@pytest.mark.usefixtures("manifest")
def test_a_half_compacted_manifest_says_so(small):
    path = small.root / "manifest/frames.parquet"
    path.write_bytes(path.read_bytes() + b"x")
    with (
        Manifest.open(str(small.root)) as again,
        pytest.raises(ManifestError, match="its index speaks of"),
    ):
        again.summary()
    (small.root / "manifest/index.json").write_text("{")
    with pytest.raises(ManifestError, match="damaged"):
        Manifest.open(str(small.root))


def test_a_remote_manifest_answers_the_same(manifest, small, tmp_path):
    remote = f"memory://{tmp_path.name}/queried"
    for name in durable.tree(str(small.root)):
        if name.startswith("manifest/"):
            durable.put(durable.join(remote, name), durable.get(str(small.root / name)))
    with Manifest.open(remote) as far:
        assert far.summary().equals(manifest.summary())
        assert far.query(status="missing").equals(manifest.missing())
        assert far.sql("FROM details").schema.names == DETAILS.names


def test_summary_as_json_rows_and_totals(manifest):
    found = json.loads(json.dumps(render.summary_rows(manifest.summary())))
    (row,) = found["sources"]
    assert (row["source"], row["grid"], row["frames"]) == ("era5", "30", 6)
    assert (row["first"], row["last"]) == ("2020-01-01T00", "2020-01-02T06")
    assert row["cadence"] == "6h"
    assert found["totals"]["frames"] == 6
    assert found["totals"]["missing"] == 2
    assert found["totals"]["bytes"] == row["bytes"]


def test_summary_as_text_is_aligned_and_totalled(manifest):
    summary = manifest.summary()
    lines = render.summary_text(summary).splitlines()
    assert len(lines) == 3
    assert lines[0].split()[:6] == ["source", "grid", "frames", "written", "missing", "rejected"]
    assert lines[2].split()[:6] == ["era5", "30", "6", "4", "2", "0"]
    twice = render.summary_text(pa.concat_tables([summary, summary])).splitlines()
    assert twice[-1].split()[:6] == ["total", "-", "12", "8", "4", "0"]
    assert len({line.index("2020-01-01T00") for line in twice if "2020-01-01T00" in line}) == 1


def test_rows_of_any_table_are_json(manifest):
    for table in (manifest.query(), manifest.sql("FROM details"), manifest.sql("FROM objects")):
        assert len(json.loads(json.dumps(render.rows(table)))) == table.num_rows


def test_an_empty_table_still_has_its_head(manifest):
    assert len(render.text_table(manifest.query(status="rejected"), ["source"]).splitlines()) == 2


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0 * HOUR, "0h"),
        (6 * HOUR, "6h"),
        (24 * HOUR, "1d"),
        (36 * HOUR, "36h"),
        (timedelta(seconds=90), "90s"),
    ],
)
def test_spans_read_as_in_a_recipe(value, text):
    assert render.span(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (3.2e16, "32.0 PB")]
)
def test_sizes_have_decimal_prefixes(value, text):
    assert render.size(value) == text


@pytest.mark.parametrize(
    ("step", "tokens"),
    [("0.25", 259_200), ("0.1", 180 * 360 * 4), ("0.4", 150 * 300 * 4), ("1.5", None)],
)
def test_tokens_are_counted_as_the_authors_of_aurora_do(step, tokens):
    assert tokens_of(Grid.regular(step)) == tokens


@pytest.mark.parametrize("spelling", ["30", "30.0", "60/2", "3e1"])
def test_a_grid_may_be_spelled_as_in_a_recipe(manifest, spelling):
    assert manifest.query(grid=spelling).num_rows == 6


def test_an_unknown_grid_is_refused_by_its_name(manifest):
    with pytest.raises(ManifestError, match="this grid") as raised:
        manifest.query(grid="0.250")
    assert "'0.25' not among ['30']" in raised.value.args[2]
