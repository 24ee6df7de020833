"""The text of a recipe: YAML 1.2 as plain values, bounded, every key once."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, ClassVar

import yaml
from yaml.constructor import ConstructorError

from aurora_prep.sources.spec import RecipeError

MOST_BYTES = 2 << 20
MOST_VALUES = 200_000
MOST_DIGITS = 40
DEEPEST = 50
PREFIX = "tag:yaml.org,2002:"

# The core schema of YAML 1.2. Words such as ``no`` and ``on``, ``12:30`` and ``1_000`` are text.
NULL = re.compile(r"(?:~|null|Null|NULL|)\Z")
BOOL = re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z")
INT = re.compile(r"(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)\Z")
FLOAT = re.compile(
    r"(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z"
)
# Beyond the core schema: tables that take over others, and YAML 1.1's times, kept as text.
MERGE = re.compile(r"<<\Z")
TIME = re.compile(
    r"(?:\d{4}-\d\d-\d\d|\d{4}-\d\d?-\d\d?(?:[Tt]|[ \t]+)\d\d?:\d\d:\d\d(?:\.\d*)?"
    r"(?:[ \t]*(?:Z|[-+]\d\d?(?::\d\d)?))?)\Z",
    re.ASCII,
)


def load(path: Path, what: str = "recipe") -> Any:
    """Read a file of YAML.

    Args:
        path: The file.
        what: What it is, for messages.

    Returns:
        Tables, lists, text, numbers, true, false and null; dates stay the text they are.

    Raises:
        RecipeError: The file cannot be read, is too large, or is not YAML.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        problem = f"the {what} cannot be read"
        raise RecipeError(problem, str(path), reason, "give a file") from error
    if len(data) > MOST_BYTES:
        found, fix = f"more than {MOST_BYTES:,} bytes", f"give a {what}, not a file of data"
        raise RecipeError(f"the {what} is too large", str(path), found, fix)
    try:
        return parse(data.decode("utf-8-sig"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        found = " ".join(str(error).split())
    except RecursionError:
        found = f"tables within tables, more than {DEEPEST} deep"
    raise RecipeError(f"the {what} is not YAML", str(path), found, "mend the file") from None


def parse(text: str) -> Any:
    """Plain values of one YAML document.

    Raises:
        YAMLError: It is not YAML, gives a key twice, or means more than a recipe can.
    """
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _weigh(node, {}, ())
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _weigh(node: yaml.Node, known: dict[int, int], above: tuple[int, ...]) -> int:
    """Number of values that a node stands for once every alias is written out.

    Raises:
        ConstructorError: They are too many or too deep, or the node holds itself.
    """
    if id(node) in known:
        return known[id(node)]
    if id(node) in above or len(above) >= DEEPEST:
        problem = "an alias holds itself" if id(node) in above else f"more than {DEEPEST} deep"
        raise ConstructorError(None, None, problem, node.start_mark)
    inside = (*above, id(node))
    total = 1
    if isinstance(node, yaml.SequenceNode):
        total += sum(_weigh(item, known, inside) for item in node.value)
    elif isinstance(node, yaml.MappingNode):
        total += sum(_weigh(k, known, inside) + _weigh(v, known, inside) for k, v in node.value)
    if total > MOST_VALUES:
        problem = f"it stands for more than {MOST_VALUES:,} values"
        raise ConstructorError(None, None, problem, node.start_mark)
    known[id(node)] = total
    return total


class _Loader(yaml.SafeLoader):
    """Plain values; a key given twice is refused, not replaced."""

    yaml_implicit_resolvers: dict[str | None, list[Any]] = {}  # noqa: RUF012  as PyYAML's types say
    yaml_constructors: ClassVar[dict[str | None, Any]] = {}

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002  as PyYAML declares it
        seen: set[str] = set()
        for name, _ in node.value:
            if not isinstance(name, yaml.ScalarNode):
                raise ConstructorError(None, None, "a key is a table or a list", name.start_mark)
            key = str(self.construct_object(name))  # as text, as the recipe will know it
            if key in seen:
                problem = f"key {key!r} is given twice"
                raise ConstructorError(None, None, problem, name.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


def _null(_: _Loader, __: yaml.Node) -> None:
    return None


def _truth(loader: _Loader, node: yaml.ScalarNode) -> bool:
    text = str(loader.construct_scalar(node))
    if BOOL.match(text) is None:
        raise ConstructorError(None, None, f"no truth value: {text[:40]!r}", node.start_mark)
    return text.lower() == "true"


def _time(loader: _Loader, node: yaml.ScalarNode) -> str:
    """A time in its usual form; one that is none stays as it is, for its reader to refuse."""
    try:
        return str(loader.construct_yaml_timestamp(node).isoformat())
    except (ValueError, OverflowError, AttributeError):
        return str(loader.construct_scalar(node))


def _whole(loader: _Loader, node: yaml.ScalarNode) -> int:
    text = str(loader.construct_scalar(node))
    base = {"0o": 8, "0x": 16}.get(text[:2], 10)
    if INT.match(text) is None or len(text) > MOST_DIGITS:
        raise ConstructorError(None, None, f"no whole number: {text[:40]!r}", node.start_mark)
    return int(text, base)


def _decimal(loader: _Loader, node: yaml.ScalarNode) -> float:
    text = str(loader.construct_scalar(node))
    if FLOAT.match(text) is None:
        raise ConstructorError(None, None, f"no number: {text[:40]!r}", node.start_mark)
    return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))


def _unknown(_: _Loader, node: yaml.Node) -> Any:
    raise ConstructorError(None, None, f"a recipe has no values of {node.tag!r}", node.start_mark)


for _tag, _pattern, _first in (
    ("null", NULL, ["~", "n", "N", ""]),
    ("bool", BOOL, list("tTfF")),
    ("int", INT, list("-+0123456789")),
    ("float", FLOAT, list("-+.0123456789")),
    ("merge", MERGE, ["<"]),
    ("timestamp", TIME, list("0123456789")),
):
    _Loader.add_implicit_resolver(PREFIX + _tag, _pattern, _first)
for _tag, _construct in (
    ("null", _null),
    ("bool", _truth),
    ("int", _whole),
    ("float", _decimal),
    ("timestamp", _time),
    ("merge", yaml.SafeLoader.construct_yaml_str),
    ("str", yaml.SafeLoader.construct_yaml_str),
    ("seq", yaml.SafeLoader.construct_yaml_seq),
    ("map", yaml.SafeLoader.construct_yaml_map),
):
    _Loader.add_constructor(PREFIX + _tag, _construct)
_Loader.add_constructor(None, _unknown)
