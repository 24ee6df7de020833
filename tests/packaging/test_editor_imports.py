"""Editors and type checkers find the package on a fresh clone, without a command."""

import subprocess
import tomllib

import pytest

FOLDER = ".imports"


@pytest.fixture(scope="module")
def tools(root):
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]


def test_every_module_is_found_by_its_name_under_the_links(root, modules):
    for name, module in modules.items():
        path = root.joinpath(FOLDER, *name.split("."))
        found = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        assert found.resolve() == module.path, name


def test_mypy_and_pyright_are_told_of_them(tools):
    assert tools["mypy"]["mypy_path"] == FOLDER
    assert FOLDER in tools["pyright"]["extraPaths"]


def test_pyright_looks_at_the_folders_themselves(tools, layers):
    assert {"aurora_prep", *layers, "tests"} == set(tools["pyright"]["include"])


def test_the_links_are_committed(root, layers):
    if not (root / ".git").exists():
        pytest.skip("not a clone")
    listed = subprocess.run(
        ["git", "ls-files", "--stage", FOLDER], cwd=root, capture_output=True, text=True, check=True
    )
    links = {line.split("\t")[1] for line in listed.stdout.splitlines() if line[:6] == "120000"}
    assert {f"{FOLDER}/aurora_prep/{layer}" for layer in layers} <= links
