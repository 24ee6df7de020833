"""``manifest``: what is there, by question."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from aurora_prep.pipelines.commands import show

if TYPE_CHECKING:
    import pyarrow as pa

FACETS = ("source", "grid", "split", "status", "variable")
SHOWN = ["source", "grid", "init_time", "lead_time", "split", "status", "reason", "bytes", "shard"]


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and its questions."""
    command = commands.add_parser("manifest", help="frames per source; rows by facet; what lacks")
    command.add_argument("dataset", metavar="DATASET", help="folder or URL of a dataset")
    questions = command.add_subparsers(required=True, metavar="QUESTION")
    summary = questions.add_parser("summary", help="frames per source, one row a source")
    summary.set_defaults(function=run_summary)
    query = questions.add_parser("query", help="frames by facet")
    for facet in FACETS:
        query.add_argument(f"--{facet}", metavar=facet.upper())
    for name in ("valid-from", "valid-until"):
        query.add_argument(f"--{name}", metavar="TIME", help="both ends included")
    query.add_argument("--lead-time", metavar="6h")
    query.set_defaults(function=run_query)
    missing = questions.add_parser("missing", help="planned frames that are absent, and why")
    missing.set_defaults(function=run_missing)
    sql = questions.add_parser("sql", help="read-only SQL over frames, details and objects")
    sql.add_argument("text", metavar="SQL")
    sql.set_defaults(function=run_sql)
    for question in (summary, query, missing, sql):
        show.add_json(question)


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
    from aurora_prep.pipelines.recipe import parse_duration, parse_time

    facets = {name: getattr(args, name) for name in FACETS}
    lead_time = parse_duration(args.lead_time, "--lead-time") if args.lead_time else None
    start, end = args.valid_from, args.valid_until
    with Manifest.open(args.dataset) as manifest:
        found = manifest.query(
            **facets,
            valid_from=parse_time(start, "--valid-from") if start else None,
            valid_until=parse_time(end, "--valid-until", end_of_day=True) if end else None,
            lead_time=lead_time,
        )
    _print(found, json=args.json, columns=SHOWN)
    return 0 if found.num_rows else 1


def run_missing(args: argparse.Namespace) -> int:
    """Print planned frames that are not written; 1 when there are any."""
    from aurora_prep.manifest.query import Manifest

    with Manifest.open(args.dataset) as manifest:
        found = manifest.missing()
    _print(found, json=args.json, columns=SHOWN[:7])
    return 1 if found.num_rows else 0


def run_sql(args: argparse.Namespace) -> int:
    """Print what a query gives."""
    from aurora_prep.manifest.query import Manifest

    with Manifest.open(args.dataset) as manifest:
        _print(manifest.sql(args.text), json=args.json)
    return 0


def _print(table: pa.Table, *, json: bool, columns: list[str] | None = None) -> None:
    from aurora_prep.manifest.render import rows, text_table

    if json:
        show.as_json({"rows": rows(table)})
    else:
        show.line(text_table(table, columns))
        show.line(f"{table.num_rows:,} rows")
