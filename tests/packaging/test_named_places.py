"""Pages for developers name files and functions that exist."""

import ast
import re

import pytest

PAGES = ("docs/architecture.md", "CONTRIBUTING.md")
PLACE = re.compile(r"`(?P<path>[a-z_]+/[\w/]*\.py)(?::(?P<name>[\w.]+))?`")


def names_of(body, prefix=""):
    """Classes, functions, methods and constants of a module: ``Class.method``."""
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield prefix + node.name
            yield from names_of(node.body, f"{prefix}{node.name}.")
        elif isinstance(node, ast.FunctionDef):
            yield prefix + node.name
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (prefix + target.id for target in targets if isinstance(target, ast.Name))


def absent(root, text):
    """Places that a text names and that are not there."""
    for match in PLACE.finditer(text):
        path, name = root / match["path"], match["name"]
        found = path if path.exists() else root / "pipelines" / match["path"]
        names = set(names_of(ast.parse(found.read_text()).body)) if found.exists() else None
        if names is None or (name and name not in names):
            yield match[0]


@pytest.mark.parametrize("page", PAGES)
def test_every_place_that_a_page_names_exists(page, root):
    text = (root / page).read_text(encoding="utf-8")
    assert sum(1 for _ in PLACE.finditer(text)) > 5
    assert list(absent(root, text)) == []


def test_an_absent_place_would_be_seen(root):
    text = "`sources/spec/grid.py:Grid` `sources/spec/grid.py:Girl` `sources/spec/grip.py`"
    found = ["`sources/spec/grid.py:Girl`", "`sources/spec/grip.py`"]
    assert list(absent(root, text)) == found


def test_the_architecture_tells_of_every_room(root):
    text = (root / "docs/architecture.md").read_text(encoding="utf-8")
    rooms = {path.parent.name for path in (root / "pipelines").glob("*/__init__.py")}
    assert {room for room in rooms if f"`{room}/`" not in text} == set()
