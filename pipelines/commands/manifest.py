"""``manifest``: what is there, by question."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from aurora_prep.pipelines.commands import show
from aurora_prep.sources.spec import ManifestError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    import pyarrow as pa

    from aurora_prep.manifest.samples import Sample, Samples, Window

FACETS = ("source", "grid", "split", "status", "variable")
SHOWN = ("source", "grid", "init_time", "lead_time", "member", "split", "status", "reason")
STORED = ("bytes", "shard")
SPARSE = ("member", "reason")
DIFFERENCES = 20


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and its questions."""
    command = commands.add_parser(
        "manifest", help="frames per source; frames by condition; missing ones"
    )
    command.add_argument("dataset", metavar="DATASET", help="folder or URL of a dataset")
    questions = command.add_subparsers(required=True, metavar="QUESTION")
    summary = questions.add_parser("summary", help="frames per source, one row a source")
    summary.set_defaults(function=run_summary)
    query = questions.add_parser("query", help="frames by facet; exit code 1 when there is none")
    for facet in FACETS:
        query.add_argument(f"--{facet}", metavar=facet.upper())
    for name in ("valid-from", "valid-until"):
        query.add_argument(f"--{name}", metavar="TIME", help="both ends included")
    query.add_argument("--lead-time", metavar="6h")
    query.add_argument("--member", type=int, metavar="N", help="member of an ensemble")
    query.set_defaults(function=run_query)
    missing = questions.add_parser(
        "missing", help="planned frames that are absent, and why; exit code 1 when there is one"
    )
    missing.set_defaults(function=run_missing)
    samples = questions.add_parser("samples", help="complete training samples")
    _add_window(samples)
    samples.set_defaults(function=run_samples)
    diff = questions.add_parser(
        "diff", help="frames that differ from another build; exit code 1 when there is one"
    )
    diff.add_argument("other", metavar="OTHER", help="the later build of the dataset")
    diff.set_defaults(function=run_diff)
    sql = questions.add_parser("sql", help="read-only SQL over frames, details and objects")
    sql.add_argument("text", metavar="SQL")
    sql.set_defaults(function=run_sql)
    for question in (query, missing, diff, sql):
        question.add_argument("--limit", type=_whole, metavar="N", help="show no more rows")
    for question in (summary, query, missing, samples, diff, sql):
        show.add_json(question)


def _add_window(samples: argparse.ArgumentParser) -> None:
    samples.add_argument("--history", type=int, default=2, metavar="N", help="inputs; default 2")
    samples.add_argument(
        "--history-step", metavar="6h", help="between inputs; default: Aurora's own for the source"
    )
    samples.add_argument(
        "--lead", metavar="6h", help="to the first target and between targets; default: Aurora's"
    )
    samples.add_argument("--rollout", type=int, default=1, metavar="N", help="targets; default 1")
    for facet in ("source", "grid", "split"):
        samples.add_argument(f"--{facet}", metavar=facet.upper())
    samples.add_argument("--seed", type=_whole, metavar="N", help="list them in a shuffled order")
    samples.add_argument(
        "--weights", metavar="S=W,...", help="share of each source in it, such as era5=2,hres_t0=1"
    )
    samples.add_argument("--limit", type=_whole, metavar="N", help="list the first N of them")


def run_summary(args: argparse.Namespace) -> int:
    """Print one row a source."""
    from aurora_prep.manifest.query import Manifest
    from aurora_prep.manifest.render import summary_rows, summary_text

    with Manifest.open(args.dataset) as manifest:
        summary = manifest.summary()
    if args.json:
        show.as_json(summary_rows(summary))
    else:
        show.line(summary_text(summary))
    return 0


def run_query(args: argparse.Namespace) -> int:
    """Print the frames that meet every facet; 1 when there is none."""
    from aurora_prep.manifest.query import Manifest

    facets = {name: getattr(args, name) for name in (*FACETS, "member")}
    with Manifest.open(args.dataset) as manifest:
        found = manifest.query(
            **facets,
            valid_from=_time(args.valid_from, "--valid-from"),
            valid_until=_time(args.valid_until, "--valid-until", end_of_day=True),
            lead_time=_span(args.lead_time, "--lead-time"),
        )
    _print(found, args, (*SHOWN, *STORED))
    return 0 if found.num_rows else 1


def run_missing(args: argparse.Namespace) -> int:
    """Print planned frames that are not written; 1 when there are any."""
    from aurora_prep.manifest.query import Manifest

    with Manifest.open(args.dataset) as manifest:
        found = manifest.missing()
    _print(found, args, SHOWN)
    return 1 if found.num_rows else 0


def run_samples(args: argparse.Namespace) -> int:
    """Print how many samples there are, and which; 1 when there is none."""
    from aurora_prep.manifest.query import Manifest
    from aurora_prep.manifest.render import rows, text_table
    from aurora_prep.manifest.samples import Window, samples_of

    window = Window(
        history=args.history,
        history_step=_span(args.history_step, "--history-step"),
        lead=_span(args.lead, "--lead"),
        rollout=args.rollout,
    )
    with Manifest.open(args.dataset) as manifest:
        found = samples_of(manifest, window, source=args.source, grid=args.grid, split=args.split)
    counts = found.counts()
    if args.json:
        listed = [_plain(sample) for sample in _listed(found, args)]
        sizes = {"counts": rows(counts), "total": len(found)}
        show.as_json({"window": _window(window), **sizes, "samples": listed})
    else:
        show.line(text_table(counts))
        if args.limit is not None:
            show.line()
            for sample in _listed(found, args):
                show.line(" ".join([*map(str, sample.inputs), "->", *map(str, sample.targets)]))
        show.line(show.counted(len(found), "sample"))
    return 0 if len(found) else 1


def run_diff(args: argparse.Namespace) -> int:
    """Print how another build differs; 1 when it does."""
    from aurora_prep.manifest.diff import counts, diff
    from aurora_prep.manifest.render import rows, text_table

    found = diff(args.dataset, args.other)
    counted = counts(found)
    if args.json:
        ends = {"before": args.dataset, "after": args.other}
        show.as_json({**ends, "counts": counted, "rows": rows(found.slice(0, args.limit))})
    else:
        limit = DIFFERENCES if args.limit is None else args.limit
        if found.num_rows:
            show.line(text_table(found.slice(0, limit), _columns(found, found.column_names)))
        if found.num_rows > limit:
            show.line(f"... and {found.num_rows - limit:,} more: --limit N shows more")
        changes = ", ".join(f"{count:,} {change}" for change, count in counted.items() if count)
        total = show.counted(found.num_rows, "changed frame")
        show.line(f"{total}: {changes}" if changes else "no difference")
    return 1 if found.num_rows else 0


def run_sql(args: argparse.Namespace) -> int:
    """Print what a query gives."""
    from aurora_prep.manifest.query import Manifest

    with Manifest.open(args.dataset) as manifest:
        _print(manifest.sql(args.text), args)
    return 0


def _print(table: pa.Table, args: argparse.Namespace, columns: Sequence[str] = ()) -> None:
    from aurora_prep.manifest.render import rows, text_table

    shown = table.slice(0, args.limit)
    if args.json:
        show.as_json({"rows": rows(shown), "total": table.num_rows})
        return
    show.line(text_table(shown, _columns(shown, columns)))
    cut = "" if shown.num_rows == table.num_rows else f"{shown.num_rows:,} of "
    show.line(f"{cut}{show.counted(table.num_rows, 'row')}")


def _columns(table: pa.Table, columns: Sequence[str]) -> list[str]:
    """The columns to show: those that are mostly empty only where they say something."""
    return [
        name
        for name in columns
        if name not in SPARSE or table.column(name).null_count < table.num_rows
    ]


def _listed(samples: Samples, args: argparse.Namespace) -> Sequence[Sample]:
    """The samples to list, in the order of the manifest, or shuffled by seed and weights."""
    limit = len(samples) if args.limit is None else args.limit
    if args.seed is None and args.weights is None:
        return samples[:limit]
    order = samples.order(args.seed or 0, weights=_weights(args.weights))
    return [samples[int(number)] for number in order[:limit]]


def _weights(text: str | None) -> dict[str, float] | None:
    if text is None:
        return None
    try:
        pairs = (entry.split("=") for entry in text.split(","))
        return {source.strip(): float(weight) for source, weight in pairs}
    except ValueError:
        raise ManifestError(
            "the weights cannot be read", "--weights", repr(text), "write era5=2,hres_t0=1.5"
        ) from None


def _plain(sample: Sample) -> dict[str, Any]:
    return {
        "source": sample.inputs[0].source,
        "grid": sample.grid,
        "split": sample.split,
        "inputs": [str(key) for key in sample.inputs],
        "targets": [str(key) for key in sample.targets],
    }


def _window(window: Window) -> dict[str, Any]:
    from aurora_prep.manifest.render import span

    spans = {"history_step": window.history_step, "lead": window.lead}
    return {
        "history": window.history,
        **{name: None if value is None else span(value) for name, value in spans.items()},
        "rollout": window.rollout,
    }


def _time(text: str | None, option: str, *, end_of_day: bool = False) -> datetime | None:
    from aurora_prep.pipelines.recipe import parse_time

    return None if text is None else parse_time(text, option, end_of_day=end_of_day)


def _span(text: str | None, option: str) -> timedelta | None:
    from aurora_prep.pipelines.recipe import parse_duration

    return None if text is None else parse_duration(text, option)


def _whole(text: str) -> int:
    """A whole number that is not negative; argparse reports what is none."""
    number = int(text)
    if number < 0:
        raise ValueError
    return number
