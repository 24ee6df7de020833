"""What commands print: aligned text for people, JSON for programs."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any


def add_json(command: argparse.ArgumentParser) -> None:
    """Give a command that prints a table its ``--json``."""
    command.add_argument("--json", action="store_true", help="print JSON instead of a table")


def line(text: str = "") -> None:
    """One line on standard output."""
    sys.stdout.write(f"{text}\n")


def as_json(value: Any) -> None:
    """A value as indented JSON on standard output."""
    line(json.dumps(value, indent=2))


def columns(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Rows under a header; columns of numbers to the right."""
    table = [list(header), *map(list, rows)]
    widths = [max(len(row[i]) for row in table) for i in range(len(header))]
    right = [all(_is_number(row[i]) for row in rows) for i in range(len(header))]
    for position, row in enumerate(table):
        cells = (
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(row, widths, right, strict=True)
        )
        line("  ".join(cells).rstrip())
        if position == 0:
            line("-" * (sum(widths) + 2 * (len(widths) - 1)))


def _is_number(text: str) -> bool:
    return text[:1].isdigit() or text[:1] in "-+"
