"""Ctrl-C and SIGTERM: one line, the right exit code, nothing left behind, resumed to the byte."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from aurora_prep.pipelines import cli
from aurora_prep.pipelines.run.interruption import LINE, Interruption
from aurora_prep.providers.kin import descendants

RECIPE = """
name: interrupted
output: ./out
sources:
  - source: era5
    access: cds
    period: {start: 2020-01-01, end: 2020-01-01, step: 1h}
    grid: "10"
    variables: [2t, msl]
storage: {frames_per_shard: 1}
"""
PROGRAM = [sys.executable, "-m", "aurora_prep.pipelines", "run", "recipe.yaml", "--embedded"]
SECONDS = 20


def environment(folder: Path) -> dict[str, str]:
    (folder / "tmp").mkdir(exist_ok=True)
    return {
        **os.environ, "TMPDIR": str(folder / "tmp"), "SOURCE_DATE_EPOCH": "1577836800",
        "AURORA_PREP_CACHE": str(folder / "cache"),
    }  # fmt: skip


def start(folder: Path, *words: str) -> subprocess.Popen[str]:
    (folder / "recipe.yaml").write_text(RECIPE, encoding="utf-8")
    return subprocess.Popen(
        [*PROGRAM, *words],
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def group(leader: int) -> list[str]:
    """Processes of a session that are still there, by their command lines."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            after = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()
            if int(after[3]) == leader and after[0] != "Z":
                found.append((folder / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found


def tree(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    process = start(folder)
    _, told = process.communicate(timeout=300)
    assert process.returncode == 0, told
    assert list((folder / "tmp").iterdir()) == []
    return tree(folder / "out")


def wait_for(condition, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.001)


@pytest.mark.parametrize(
    ("phase", "number", "words"),
    [
        ("fetching", signal.SIGINT, ()),
        ("making", signal.SIGTERM, ()),
        ("finishing", signal.SIGINT, ()),
        ("making", signal.SIGINT, ("--", "--runner=DirectRunner",
         "--direct_running_mode=multi_processing", "--direct_num_workers=2")),
    ],
)  # fmt: skip
def test_an_interrupted_run_says_one_line_and_goes_on(tmp_path, undisturbed, phase, number, words):
    process = start(tmp_path, *words)
    parts = tmp_path / "out" / "manifest" / "parts"
    reached = {
        "fetching": (tmp_path / "cache" / "requests").exists,
        "making": lambda: len(list(parts.rglob("*.parquet"))) > 2,
        "finishing": lambda: len(list(parts.rglob("*.parquet"))) > 22,
    }[phase]
    wait_for(reached, process)
    os.killpg(process.pid, number)
    begun = time.monotonic()
    told, complained = process.communicate(timeout=60)
    assert time.monotonic() - begun < SECONDS
    if process.returncode == 0 and phase == "finishing":
        pytest.skip("the run had ended before the signal came")
    assert process.returncode == 128 + number, complained
    lines = [line for line in complained.splitlines() if " frames" not in line]
    assert lines == [LINE.strip()]
    assert "Traceback" not in told + complained
    wait_for_none(process.pid)
    assert list((tmp_path / "tmp").iterdir()) == []
    assert not (tmp_path / "out.lock").exists()
    again = start(tmp_path)
    _, complained = again.communicate(timeout=300)
    assert again.returncode == 0, complained
    assert tree(tmp_path / "out") == undisturbed


def wait_for_none(leader: int) -> None:
    deadline = time.monotonic() + 10
    while left := group(leader):
        assert time.monotonic() < deadline, left
        time.sleep(0.01)


def test_children_are_known_whatever_they_are_called(tmp_path):
    odd = tmp_path / "a) S 1 (b"
    odd.symlink_to("/bin/sleep")
    with subprocess.Popen([str(odd), "60"]) as child:
        try:
            assert child.pid in descendants()
        finally:
            child.kill()
    assert child.pid not in descendants()


def test_the_block_leaves_handlers_and_folders_as_they_were():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    place, variable = tempfile.gettempdir(), os.environ.get("TMPDIR")
    with Interruption() as interruption:
        assert tempfile.gettempdir() == interruption.folder != place
    assert not Path(interruption.folder).exists()
    assert tempfile.gettempdir() == place
    assert os.environ.get("TMPDIR") == variable
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    assert "signals" not in {thread.name for thread in threading.enumerate()}


def test_in_another_thread_nothing_is_touched():
    found = []

    def work() -> None:
        with Interruption():
            found.append(tempfile.gettempdir())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [tempfile.gettempdir()]


def test_an_interruption_that_is_no_signal_ends_with_130(monkeypatch, capsys):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr("aurora_prep.pipelines.commands.sources.run", interrupted)
    assert cli.main(["sources"]) == 130
    assert capsys.readouterr().err == LINE
