"""The wheel holds the package, all of it, and nothing else."""

import shutil
import subprocess
import sys
import zipfile
from email.parser import Parser

import pytest

DATA = (".css", ".js", ".json", ".typed", ".yaml")


@pytest.fixture(scope="module")
def wheel(root, tmp_path_factory):
    """Built from a copy, so that nothing is left in the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    skipped = {"out", "build", "dist"}
    for path in root.iterdir():
        if path.name.startswith(".") or path.name in skipped or path.suffix == ".egg-info":
            continue
        if path.is_dir():
            shutil.copytree(
                path, folder / "src" / path.name, ignore=shutil.ignore_patterns("__pycache__")
            )
        else:
            (folder / "src").mkdir(exist_ok=True)
            shutil.copy(path, folder / "src")
    done = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, "."],
        cwd=folder / "src",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = folder.glob("*.whl")
    with zipfile.ZipFile(built) as opened:
        yield opened


def mapped(root, folders, wanted):
    """Files on disk, by the names they have in the wheel."""
    names = set()
    for folder in folders:
        prefix = "" if folder == "aurora_prep" else "aurora_prep/"
        for path in (root / folder).rglob("*"):
            if path.is_file() and wanted(path) and "__pycache__" not in path.parts:
                names.add(prefix + path.relative_to(root).as_posix())
    return names


def inside(wheel):
    return {name for name in wheel.namelist() if ".dist-info/" not in name}


def test_the_wheel_holds_exactly_the_modules_on_disk(wheel, root, layers):
    on_disk = mapped(root, ("aurora_prep", *layers), lambda path: path.suffix == ".py")
    assert {name for name in inside(wheel) if name.endswith(".py")} == on_disk
    assert len(on_disk) > 60


def test_the_wheel_holds_the_data_beside_the_modules(wheel, root, layers):
    on_disk = mapped(root, ("aurora_prep", *layers), lambda path: path.name.endswith(DATA))
    others = {name for name in inside(wheel) if not name.endswith(".py")}
    assert others == on_disk | {name for name in on_disk if name.endswith("py.typed")}
    assert "aurora_prep/pipelines/demo.yaml" in others
    assert "aurora_prep/py.typed" in others
    assert any(name.endswith(".json") for name in others)
    for layer in layers:
        assert f"aurora_prep/{layer}/py.typed" in others


def test_the_wheel_holds_nothing_else(wheel):
    assert {name.split("/")[0] for name in inside(wheel)} == {"aurora_prep"}
    bad = ("tests/", "benchmarks/", "docs/", "conftest", "/test_")
    assert [name for name in wheel.namelist() if any(word in name for word in bad)] == []


def test_the_wheel_says_what_it_is(wheel):
    (metadata,) = [name for name in wheel.namelist() if name.endswith("METADATA")]
    parsed = Parser().parsestr(wheel.read(metadata).decode())
    assert parsed["Name"] == "aurora-prep"
    assert parsed["License-Expression"] == "Apache-2.0"
    assert parsed["Requires-Python"] == ">=3.11"
    (scripts,) = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]
    assert "aurora-prep = aurora_prep.pipelines.cli:main" in wheel.read(scripts).decode()
    assert any(name.endswith("licenses/LICENSE") for name in wheel.namelist())
