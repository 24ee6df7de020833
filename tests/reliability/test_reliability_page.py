"""docs/reliability.md names tests that exist, and every mode of failure once."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reliability.md"
NAMED = re.compile(r"`(tests/[a-z_/]+\.py)::(test_[a-z0-9_]+)`")
MODE = re.compile(r"^\| (\d+) [^|]+\| ([^|]+) \|$", re.MULTILINE)


def test_every_named_test_exists():
    named = NAMED.findall(PAGE.read_text(encoding="utf-8"))
    assert len(named) > 80
    absent = []
    for file, name in named:
        path = ROOT / file
        if not path.exists() or f"def {name}(" not in path.read_text(encoding="utf-8"):
            absent.append(f"{file}::{name}")
    assert absent == []


def test_every_mode_has_a_test_or_a_reason():
    modes = MODE.findall(PAGE.read_text(encoding="utf-8"))
    assert [int(number) for number, _ in modes] == list(range(1, 66))
    for number, text in modes:
        assert NAMED.search(text) or len(text.split()) > 4, number
