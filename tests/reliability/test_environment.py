"""A hostile environment: no home, no user, nothing writable, damaged caches of machine code."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from aurora_prep.compiled import compiled
from aurora_prep.providers import places
from aurora_prep.providers.cache import Cache

RECIPE = """
name: nowhere
output: ./out
sources:
  - source: era5
    access: cds
    period: {start: 2020-01-01, end: 2020-01-01T06, step: 6h}
    grid: "10"
    variables: [2t]
"""
MODULE = """
from aurora_prep.compiled import compiled

@compiled
def total(values):
    result = 0.0
    for value in values:
        result += value
    return result
"""
PROGRAM = """
import sys
sys.path.insert(0, {folder!r})
import numpy as np
from kept_module import total
assert total(np.arange(4.0)) == 6.0
print("well")
"""


def without_user(*words: str, folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a program as a user whom no list of users knows."""
    return subprocess.run(
        ["unshare", "--user", "--map-user=54321", *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={"PATH": os.environ["PATH"], "TMPDIR": str(folder / "tmp"), **env},
        timeout=300,
    )


@pytest.mark.parametrize(
    ("command", "env"),
    [("run", {}), ("plan", {"HOME": ""}), ("plan", {"HOME": "/proc/none"})],
)
def test_no_home_and_no_user_is_needed(tmp_path, command, env):
    (tmp_path / "tmp").mkdir()
    (tmp_path / "recipe.yaml").write_text(RECIPE, encoding="utf-8")
    probe = without_user("true", folder=tmp_path)
    if probe.returncode:
        pytest.skip(f"needs user namespaces: {probe.stderr.strip()}")
    words = ("run", "recipe.yaml", "--embedded") if command == "run" else ("plan", "recipe.yaml")
    program = (sys.executable, "-m", "aurora_prep.pipelines", *words)
    done = without_user(*program, folder=tmp_path, **env)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "the user's cache cannot be used" in done.stderr
    assert (tmp_path / "out" / "dataset.json").exists() == (command == "run")
    there = {path.name for path in tmp_path.iterdir()}
    assert there == {"recipe.yaml", "tmp"} | ({"out"} if command == "run" else set())


def test_the_cache_of_one_without_a_home_is_this_users_alone(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/none")
    places.user_cache.cache_clear()
    try:
        first = Cache.open().root
        assert first.parent == tmp_path
        assert first.stat().st_mode & 0o777 == 0o700
        places.user_cache.cache_clear()
        first.rmdir()
        first.symlink_to(tmp_path / "of-another")
        (tmp_path / "of-another").mkdir()
        second = Cache.open().root
        assert second not in (first, tmp_path / "of-another")
        assert second.stat().st_mode & 0o777 == 0o700
    finally:
        places.user_cache.cache_clear()


def compiling(folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """A program that compiles a function, or takes the machine code that was kept."""
    (folder / "kept_module.py").write_text(MODULE, encoding="utf-8")
    return subprocess.run(
        [sys.executable, "-c", PROGRAM.format(folder=str(folder))],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **env},
    )


def test_machine_code_that_is_kept_damaged_is_made_again(tmp_path):
    folder = {"NUMBA_CACHE_DIR": str(tmp_path / "numba")}
    assert compiling(tmp_path, **folder).stdout == "well\n"
    kept = sorted((tmp_path / "numba").rglob("*.nb?"))
    assert [path.suffix for path in kept] == [".nbc", ".nbi"]
    for path in kept:
        data = path.read_bytes()
        path.write_bytes(data[: len(data) // 2] if path.suffix == ".nbc" else b"\x00" * 64)
        done = compiling(tmp_path, **folder)
        assert (done.returncode, done.stdout) == (0, "well\n"), done.stderr


@pytest.mark.parametrize("place", ["/proc/none", "/dev/null/x"])
def test_machine_code_that_cannot_be_kept_is_made_without(tmp_path, place):
    done = compiling(tmp_path, NUMBA_CACHE_DIR=place)
    assert (done.returncode, done.stdout) == (0, "well\n"), done.stderr


def test_a_cache_that_fails_while_it_is_used_costs_nothing(monkeypatch):
    @compiled
    def doubled(values):
        return values * 2

    def fail(*_):
        raise OSError(28, "No space left on device")

    inner = doubled._cache._cache
    monkeypatch.setattr(inner, "save_overload", fail)
    monkeypatch.setattr(inner, "load_overload", fail)
    assert np.array_equal(doubled(np.arange(3.0)), [0.0, 2.0, 4.0])


def test_a_folder_whose_name_is_no_text(tmp_path):
    folder = tmp_path / os.fsdecode(b"\xff\xfe")
    folder.mkdir()
    (folder / "recipe.yaml").write_text(RECIPE, encoding="utf-8")
    words = [sys.executable, "-m", "aurora_prep.pipelines", "plan", str(folder / "recipe.yaml")]
    words += ["--out", str(folder / "out")]
    done = subprocess.run(
        words,
        capture_output=True,
        check=False,
        env={**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    )
    assert done.returncode == 0, done.stderr
