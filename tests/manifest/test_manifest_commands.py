"""Every question of ``manifest``, as a user asks it: its table, its JSON, its exit code."""

import io
import json
import shutil
from dataclasses import replace
from datetime import timedelta

import pytest

from aurora_prep.manifest import Manifest
from aurora_prep.manifest.ledger.compact import compact
from aurora_prep.manifest.ledger.parts import write_part
from aurora_prep.manifest.samples import Window, samples_of
from aurora_prep.pipelines.cli import main
from aurora_prep.pipelines.commands.show import Counter

HOUR = timedelta(hours=1)


@pytest.fixture
def dataset(small):
    """Five of six frames, four of them for training."""
    small.publish(*range(5))
    compact(str(small.root), [small.plan()])
    small.close()
    return small


@pytest.fixture
def ask(dataset, capsys):
    """Ask a question; exit code and what was told."""

    def call(*words):
        code = main(["manifest", str(dataset.root), *words])
        return code, capsys.readouterr().out

    return call


def answer(ask, *words):
    code, told = ask(*words, "--json")
    return code, json.loads(told)


def test_summary(ask):
    code, told = ask("summary")
    assert code == 0
    head, _, row = told.splitlines()
    assert head.split()[-1] == "samples"
    assert row.split()[:6] == ["era5", "30", "6", "5", "1", "0"]
    code, found = answer(ask, "summary")
    assert code == 0
    (source,) = found["sources"]
    assert source["samples"] == found["totals"]["samples"] == 2
    assert {
        "source", "grid", "frames", "written", "missing", "rejected", "first", "last",
        "cadence", "variables", "levels", "bytes", "tokens_per_frame", "tokens", "samples",
    } <= set(source)  # fmt: skip


@pytest.mark.parametrize(
    ("words", "rows"),
    [
        ((), 6),
        (("--source", "era5"), 6),
        (("--grid", "30"), 6),
        (("--split", "train"), 4),
        (("--status", "missing"), 1),
        (("--variable", "2t"), 6),
        (("--variable", "atmospheric/t"), 6),
        (("--valid-from", "2020-01-01T06"), 5),
        (("--valid-until", "2020-01-01"), 4),
        (("--valid-from", "2020-01-01T06", "--valid-until", "2020-01-01T12"), 2),
        (("--lead-time", "0h"), 6),
        (("--lead-time", "6h"), 0),
    ],
)
def test_every_facet_of_query(ask, words, rows):
    code, found = answer(ask, "query", *words)
    assert code == (0 if rows else 1)
    assert len(found["rows"]) == found["total"] == rows
    code, told = ask("query", *words)
    assert code == (0 if rows else 1)
    assert told.splitlines()[-1] == f"{rows} row{'s' * (rows != 1)}"


def test_fewer_rows_on_request(ask):
    _, found = answer(ask, "query", "--limit", "2")
    assert (len(found["rows"]), found["total"]) == (2, 6)
    _, told = ask("query", "--limit", "2")
    assert told.splitlines()[-1] == "2 of 6 rows"
    assert len(told.splitlines()) == 5


def test_missing_tells_the_reason_and_says_no(ask):
    code, told = ask("missing")
    assert code == 1
    assert "not done: its shard task has no part" in told
    code, found = answer(ask, "missing")
    assert code == 1
    assert [row["init_time"] for row in found["rows"]] == ["2020-01-02T06"]


def test_nothing_missing_says_yes(ask, dataset):
    dataset.publish(5)
    compact(str(dataset.root), [dataset.plan()])
    assert ask("missing")[0] == 0


def test_sql(ask):
    code, told = ask("sql", "SELECT status, count(*) AS n FROM frames GROUP BY 1 ORDER BY 1")
    assert code == 0
    assert told.splitlines()[2].split() == ["missing", "1"]
    assert answer(ask, "sql", "SELECT 1 AS one")[1]["rows"] == [{"one": 1}]
    assert ask("sql", "DROP VIEW frames")[0] == 2


def test_samples_are_counted_by_source_and_split(ask):
    code, told = ask("samples")
    assert code == 0
    assert told.splitlines()[2].split() == ["era5", "30", "train", "2"]
    assert told.splitlines()[-1] == "2 samples"


@pytest.mark.parametrize(
    ("words", "window"),
    [
        (("--history", "1"), Window(history=1)),
        (("--history", "3", "--rollout", "1"), Window(history=3)),
        (("--history", "1", "--rollout", "2"), Window(history=1, rollout=2)),
        (("--history", "1", "--lead", "12h"), Window(history=1, lead=12 * HOUR)),
        (("--history-step", "12h", "--lead", "6h"), Window(history_step=12 * HOUR, lead=6 * HOUR)),
    ],
)
def test_every_option_of_the_window(ask, dataset, words, window):
    with Manifest.open(str(dataset.root)) as manifest:
        wanted = samples_of(manifest, window)
    code, found = answer(ask, "samples", *words)
    assert code == (0 if len(wanted) else 1)
    assert found["total"] == len(wanted)
    assert [(s["inputs"], s["targets"]) for s in found["samples"]] == [
        ([str(key) for key in sample.inputs], [str(key) for key in sample.targets])
        for sample in wanted
    ]
    assert found["window"]["history"] == window.history
    assert found["window"]["rollout"] == window.rollout


def test_samples_of_a_split_that_holds_none_say_no(ask):
    code, found = answer(ask, "samples", "--split", "validation")
    assert (code, found["total"], found["samples"]) == (1, 0, [])
    assert ask("samples", "--split", "test")[0] == 2


def test_samples_are_listed_shuffled_and_weighted_on_request(ask):
    _, told = ask("samples", "--history", "1", "--limit", "1")
    assert "era5/2020-01-01T00+000h -> era5/2020-01-01T06+000h" in told
    words = ("samples", "--history", "1")
    plain = answer(ask, *words)[1]["samples"]
    orders = [answer(ask, *words, "--seed", seed)[1]["samples"] for seed in ("1", "1", "2", "3")]
    assert orders[0] == orders[1]
    assert any(order != plain for order in orders)
    assert all(sorted(map(str, order)) == sorted(map(str, plain)) for order in orders)
    weighted = answer(ask, *words, "--weights", "era5=2", "--limit", "2")[1]["samples"]
    assert len(weighted) == 2
    for wrong in ("era5", "era5=x", "era6=1", "era5=-1"):
        assert ask(*words, "--weights", wrong, "--limit", "1")[0] == 2


def test_diff_says_what_differs(ask, dataset, tmp_path, small_of):
    later = small_of(tmp_path / "later")
    shutil.copytree(dataset.root, later.root)
    assert ask("diff", str(later.root)) == (0, "no difference\n")
    part = later.write(1)
    (frame,) = part.frames
    write_part(str(later.root), replace(part, frames=(replace(frame, checksum="0" * 64),)))
    later.publish(5)
    compact(str(later.root), [later.plan()])
    code, told = ask("diff", str(later.root))
    assert code == 1
    assert told.splitlines()[-1] == "2 changed frames: 1 status, 1 values"
    code, found = answer(ask, "diff", str(later.root))
    assert code == 1
    assert found["counts"] == {"added": 0, "removed": 0, "status": 1, "values": 1, "record": 0}
    assert [row["change"] for row in found["rows"]] == ["values", "status"]
    assert "1 more" in ask("diff", str(later.root), "--limit", "1")[1]
    assert ask("diff", str(tmp_path / "absent"))[0] == 2


def test_a_negative_limit_is_refused(dataset):
    with pytest.raises(SystemExit) as end:
        main(["manifest", str(dataset.root), "query", "--limit", "-1"])
    assert end.value.code == 2


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_shown_on_a_terminal_and_nowhere_else():
    terminal, log = Terminal(), io.StringIO()
    for stream in (terminal, log):
        with Counter(stream) as counter:
            counter("objects", 1, 1000)
    assert "1 of 1,000 objects" in terminal.getvalue()
    assert terminal.getvalue().endswith("\r\x1b[2K")
    assert log.getvalue() == ""
