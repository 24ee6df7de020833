"""``verify``: everything the recipe asks for, against plan, manifest and checksums."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from aurora_prep.pipelines.commands import imports, show
from aurora_prep.sources.spec import AuroraPrepError

if TYPE_CHECKING:
    from aurora_prep.manifest.verify.verification import Problem, Verification
    from aurora_prep.pipelines.dataset.original_plan import Replanned

SHOWN = 20


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    command = commands.add_parser(
        "verify",
        help="every shard against plan, manifest and checksum; exit code 1 when anything is wrong",
    )
    command.add_argument("dataset", metavar="DATASET", help="folder or URL of a dataset")
    command.add_argument("--deep", action="store_true", help="decode and compare the values too")
    command.add_argument(
        "--repair",
        action="store_true",
        help="have the next run do again exactly what is wrong; store metadata are restored here",
    )
    command.add_argument(
        "--delete-orphans", action="store_true", help="delete files that no part knows"
    )
    command.add_argument(
        "--recipe", metavar="RECIPE", help="the recipe's file, if it reads files by relative paths"
    )
    show.add_json(command)
    command.set_defaults(function=run)


def run(args: argparse.Namespace) -> int:
    """Verify a dataset; 1 when anything is wrong."""
    from aurora_prep.manifest.verify.verification import repair, verify

    again, note = _replanned(args)
    planned = None if again is None else again.frames()
    with show.Counter() as counter:
        found = verify(args.dataset, deep=args.deep, planned=planned, progress=counter)
    done: dict[str, Any] = {}
    if args.repair or args.delete_orphans:
        done = {"deleted": found.orphans if args.delete_orphans else ()}
    if args.repair:
        metadata = [problem.where for problem in found.problems if problem.kind == "metadata"]
        restored = () if again is None else again.restore_metadata(metadata)
        repair(args.dataset, found, delete_orphans=args.delete_orphans)
        done |= {"restored": restored, "tasks": found.tasks, "frames": found.frames_to_rebuild}
    elif args.delete_orphans:
        _delete_orphans(args.dataset, found)
    if args.json:
        show.as_json(_plain(args, found, note, done))
    else:
        _print(args, found, note, done)
    return 0 if found.ok else 1


def _replanned(args: argparse.Namespace) -> tuple[Replanned | None, str]:
    """The plan, made again; where it cannot be made, the reason.

    Raises:
        AuroraPrepError: ``--recipe`` was given, and is no help.
    """
    from aurora_prep.manifest import durable

    if not durable.exists(args.dataset):
        return None, ""  # the verification says so
    with imports.swiftly():
        from aurora_prep.pipelines.dataset.original_plan import replan
    try:
        return replan(args.dataset, args.recipe), ""
    except AuroraPrepError as error:
        if args.recipe:
            raise
        problem, _, found, fix = error.args
        return None, f"{problem}: {found}; {fix}"


def _delete_orphans(dataset: str, found: Verification) -> None:
    """Delete orphans, and nothing else."""
    from dataclasses import replace

    from aurora_prep.manifest.verify.verification import Kind, repair

    strays = tuple(problem for problem in found.problems if problem.kind is Kind.ORPHAN)
    repair(dataset, replace(found, problems=strays), delete_orphans=True)


def _print(args: argparse.Namespace, found: Verification, note: str, done: dict[str, Any]) -> None:
    from aurora_prep.manifest.render import size

    if note:
        show.line(f"frames are counted by the manifest, not by the plan: {note}")
    for problem in found.problems[:SHOWN]:
        show.line(str(problem))
    if len(found.problems) > SHOWN:
        show.line(f"... and {len(found.problems) - SHOWN:,} more: --json lists them all")
    fields = f", {found.fields_checked:,} fields decoded" if args.deep else ""
    checked = f"{found.objects_checked:,} objects, {size(found.bytes_checked)}{fields}"
    frames = f"{found.frames_written:,} of {found.frames_planned:,} planned frames written"
    verdict = (
        "all as the manifest says" if found.ok else show.counted(len(found.problems), "problem")
    )
    show.line(f"{frames}; {checked}: {verdict}")
    if found.frames_written < found.frames_planned:
        show.line(_not_written(args.dataset))
    for path in (*done.get("restored", ()), *done.get("deleted", ())):
        show.line(f"{'restored' if path in done.get('restored', ()) else 'deleted'}: {path}")
    if args.repair and not found.ok:
        lost = found.frames_to_rebuild
        for frame in lost[:SHOWN]:
            show.line(f"to rebuild: {frame}")
        if len(lost) > SHOWN:
            show.line(f"... and {len(lost) - SHOWN:,} more: --json lists them all")
        tasks = show.counted(len(found.tasks), "shard task")
        show.line(f"{tasks}, {show.counted(len(lost), 'frame')} to rebuild: run the recipe again")


def _not_written(dataset: str) -> str:
    """How many frames the manifest says are missing or rejected; nothing is wrong with those."""
    from aurora_prep.manifest.query import Manifest

    try:
        with Manifest.open(dataset) as manifest:
            states = manifest.missing().column("status").to_pylist()
    except AuroraPrepError:
        return "frames are not written, and the manifest does not say why"
    counts = {state: states.count(state) for state in sorted(set(states))}
    told = ", ".join(f"{show.counted(number, 'frame')} {state}" for state, number in counts.items())
    return f"{told or 'frames are left to do'}: aurora-prep manifest {dataset} missing says why"


def _plain(
    args: argparse.Namespace, found: Verification, note: str, done: dict[str, Any]
) -> dict[str, Any]:
    return {
        "dataset": args.dataset,
        "ok": found.ok,
        "deep": args.deep,
        "denominator": "manifest" if note else "plan",
        "note": note or None,
        "frames": {"planned": found.frames_planned, "written": found.frames_written},
        "objects": found.objects_checked,
        "bytes": found.bytes_checked,
        "fields": found.fields_checked,
        "problems": [_problem(problem) for problem in found.problems],
        "repair": {name: list(values) for name, values in done.items()} or None,
    }


def _problem(problem: Problem) -> dict[str, Any]:
    return {
        "kind": str(problem.kind),
        "where": problem.where,
        "found": problem.found,
        "fix": problem.fix,
        "task": list(problem.task) or None,
    }
