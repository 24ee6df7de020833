"""The package as it lies on disk."""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LAYERS = ("sources", "regridding", "normalisation", "providers", "manifest", "pipelines")


@dataclass(frozen=True)
class Module:
    """One Python file of the package."""

    name: str
    path: Path
    tree: ast.Module

    @property
    def layer(self) -> str:
        """``sources`` and so on; empty for the front door."""
        part = self.name.split(".")[1] if "." in self.name else ""
        return part if part in LAYERS else ""

    def imports(self, *, when_run: bool = True) -> Iterator[tuple[str, str]]:
        """Modules that are imported, with the name taken from each, or nothing.

        Args:
            when_run: Whether to count imports inside functions, and those for type checkers.
        """
        for node in ast.walk(self.tree) if when_run else _at_import(self.tree):
            if isinstance(node, ast.Import):
                yield from ((alias.name, "") for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{self.path}: relative import"
                yield from ((str(node.module), alias.name) for alias in node.names)

    def packages(self) -> set[str]:
        """Top-level names that are imported."""
        return {name.split(".")[0] for name, _ in self.imports()}


def _at_import(node: ast.AST) -> Iterator[ast.AST]:
    """What runs when the module is imported."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from _at_import(child)


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def layers() -> tuple[str, ...]:
    return LAYERS


@pytest.fixture(scope="session")
def modules() -> dict[str, Module]:
    """All modules by their import names."""
    found = {}
    for folder in ("aurora_prep", *LAYERS):
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            parts = parts if parts[0] == "aurora_prep" else ("aurora_prep", *parts)
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found[name] = Module(name, path, ast.parse(path.read_text(encoding="utf-8")))
    return found


@pytest.fixture(scope="session")
def targets(modules: dict[str, Module]) -> Callable[..., set[str]]:
    """The modules of ours that a module imports: ``a.b.c`` for ``from a.b import c``, if it is."""

    def find(module: Module, *, when_run: bool = True) -> set[str]:
        found = set()
        for name, taken in module.imports(when_run=when_run):
            whole = f"{name}.{taken}"
            target = whole if whole in modules else name
            if target.split(".")[0] == "aurora_prep":
                assert target in modules, f"{module.name} imports {target}, which is not there"
                found.add(target)
        return found

    return find
