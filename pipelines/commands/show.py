"""What commands print: aligned text for people, JSON for programs."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from typing import Any, Self, TextIO

REFRESH_SECONDS = 0.1


def add_json(command: argparse.ArgumentParser) -> None:
    """Give a command that prints a table its ``--json``."""
    command.add_argument("--json", action="store_true", help="print JSON instead of a table")


def line(text: str = "") -> None:
    """One line on standard output."""
    sys.stdout.write(f"{text}\n")


def as_json(value: Any) -> None:
    """A value as indented JSON on standard output."""
    line(json.dumps(value, indent=2))


def counted(number: int, noun: str) -> str:
    """A number with its noun: ``1 frame``, ``2,000 frames``."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


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


class Counter:
    """How far a long command is: one line on a terminal, which goes when the block ends.

    Args:
        stream: Where to write; the standard error stream by default.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stderr
        self.terminal = self.stream.isatty()
        self.next = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._write("")

    def __call__(self, what: str, done: int, total: int) -> None:
        """Show that ``done`` of ``total`` things are done."""
        if time.monotonic() >= self.next:
            self.next = time.monotonic() + REFRESH_SECONDS
            self._write(f"{done:,} of {total:,} {what}")

    def _write(self, text: str) -> None:
        if self.terminal:
            self.stream.write(f"\r\x1b[2K{text}")
            self.stream.flush()


def _is_number(text: str) -> bool:
    return text[:1].isdigit() or text[:1] in "-+"
