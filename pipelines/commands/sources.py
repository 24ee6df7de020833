"""``sources``: the catalogue."""

from __future__ import annotations

import argparse
from typing import Any

from aurora_prep import sources
from aurora_prep.pipelines.commands import show
from aurora_prep.sources.spec import (
    HOUR,
    Access,
    Cds,
    Files,
    Http,
    Index,
    Mars,
    Quirk,
    Source,
    Zarr,
)


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    command = commands.add_parser(
        "sources", help="the catalogue: products, grids, variables, accesses, licences"
    )
    command.add_argument("name", nargs="?", metavar="NAME", help="show one source in full")
    show.add_json(command)
    command.set_defaults(function=run)


def run(args: argparse.Namespace) -> int:
    """Print all sources, or one of them in full."""
    if args.name:
        source = sources.load(args.name)
        if args.json:
            show.as_json(_plain(source))
        else:
            _print(source)
        return 0
    found = [sources.load(name) for name in sources.names()]
    if args.json:
        show.as_json({"sources": [_plain(source) for source in found]})
    else:
        show.columns(
            ("source", "product", "grid", "cadence", "since", "variables", "levels", "accesses"),
            [_row(source) for source in found],
        )
    return 0


def _row(source: Source) -> tuple[str, ...]:
    return (
        source.name,
        str(source.product),
        source.grid.name,
        f"{source.cadence // HOUR}h",
        f"{source.first:%Y-%m-%d}",
        str(len(source.variables)),
        str(len(source.levels)),
        ", ".join(access.name for access in source.accesses),
    )


def _print(source: Source) -> None:
    rows, columns = source.grid.shape
    show.line(f"{source.name}: {source.title}")
    show.line(f"  product      {source.product}")
    show.line(f"  grid         {source.grid.name} degrees, {rows} x {columns}")
    show.line(f"  times        every {source.cadence // HOUR} h since {source.first:%Y-%m-%d}")
    if len(source.lead_times) > 1:
        first, last = source.lead_times[0] // HOUR, source.lead_times[-1] // HOUR
        show.line(f"  lead times   {first} to {last} h, {len(source.lead_times)} in all")
    if len(source.levels):
        show.line(f"  levels       {', '.join(map(str, source.levels))} hPa")
    if source.members:
        show.line(f"  members      {source.members[0]} to {source.members[-1]}")
    for access in source.accesses:
        places = ", ".join(_places(access))
        show.line(f"  access       {access.name}{f': {places}' if places else ''}")
    show.line(f"  licence      {source.licence}")
    show.line(f"  attribution  {source.attribution}")
    for note in source.notes:
        show.line(f"  note         {note}")
    for quirk in source.quirks:
        show.line(f"  quirk        {quirk}")
    show.line()
    show.columns(
        ("variable", "units", "standard name", "long name", "request name", ""),
        [
            (
                native.variable.path,
                native.variable.units,
                native.variable.standard_name or "-",
                native.variable.long_name,
                native.request or "own file, or the grid",
                "optional" if native.optional else "",
            )
            for native in source.natives
        ],
    )


def _places(access: Access) -> tuple[str, ...]:
    """What an access reads, in the provider's own words."""
    match access:
        case Cds():
            return tuple(collection.dataset for collection in access.collections)
        case Mars():
            return tuple(dict.fromkeys(branch.place for branch in access.branches))
        case Http():
            return (access.url,)
        case Index():
            return tuple(dict.fromkeys(host for files in access.files for host in files.hosts))
        case Zarr():
            return tuple(store.url for store in access.stores)
        case Files():
            return ()


def _plain(source: Source) -> dict[str, Any]:
    return {
        "source": source.name,
        "title": source.title,
        "product": str(source.product),
        "grid": source.grid.name,
        "shape": list(source.grid.shape),
        "levels": list(source.levels),
        "cadence_hours": source.cadence // HOUR,
        "lead_hours": [lead // HOUR for lead in source.lead_times],
        "first": source.first.isoformat(),
        "members": list(source.members),
        "accesses": [access.name for access in source.accesses],
        "places": {access.name: list(_places(access)) for access in source.accesses},
        "licence": source.licence,
        "attribution": source.attribution,
        "notes": list(source.notes),
        "quirks": [_quirk(quirk) for quirk in source.quirks],
        "variables": [
            {
                "path": native.variable.path,
                "short_name": native.variable.short_name,
                "units": native.variable.units,
                "standard_name": native.variable.standard_name,
                "long_name": native.variable.long_name,
                "request": native.request,
                "optional": native.optional,
            }
            for native in source.natives
        ],
    }


def _quirk(quirk: Quirk) -> dict[str, Any]:
    return {
        "what": quirk.what,
        "start": quirk.start.isoformat() if quirk.start else None,
        "end": quirk.end.isoformat() if quirk.end else None,
        "variables": list(quirk.variables),
        "known_from": quirk.known_from,
    }
