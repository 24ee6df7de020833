"""The installed command answers, and the pages tell only of commands that exist."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from aurora_prep import __version__
from aurora_prep.pipelines.cli import COMMANDS, parser

COMMAND = Path(sys.executable).with_name("aurora-prep")
RECIPE = """
name: small
output: out
sources:
  - source: era5
    access: cds
    period: {start: 2020-01-01T00, end: 2020-01-31T18, step: 6h}
    grid: "0.4"
"""
QUIET = """
import sys
from aurora_prep.pipelines.cli import main
try:
    code = main({words!r})
except SystemExit as end:
    code = end.code
heavy = {{"apache_beam", "xarray_beam", "numba", "eccodes", "netCDF4"}} & set(sys.modules)
assert not heavy, heavy
sys.exit(code)
"""


def answer(*words, cwd=None):
    return subprocess.run([COMMAND, *words], capture_output=True, text=True, check=False, cwd=cwd)


def test_help_names_every_command():
    done = answer("--help")
    assert (done.returncode, done.stderr) == (0, "")
    for module in COMMANDS:
        assert module.__name__.rsplit(".", 1)[-1] in done.stdout


def test_the_version():
    assert answer("--version").stdout.strip() == __version__


def test_sources_as_a_table_and_as_json():
    table = answer("sources")
    assert table.returncode == 0
    assert "reanalysis" in table.stdout
    listed = json.loads(answer("sources", "--json").stdout)["sources"]
    era5 = next(source for source in listed if source["source"] == "era5")
    assert era5["shape"] == [721, 1440]
    assert era5["accesses"] == ["cds", "zarr", "ecmwf_zarr", "files"]
    one = json.loads(answer("sources", "era5", "--json").stdout)
    assert one == era5


def test_a_plan_needs_no_network_and_writes_nothing(tmp_path):
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    done = answer("plan", "recipe.yaml", "--json", "--cache", "cache", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    (row,) = plan["sources"]
    assert (row["source"], row["grid"], row["frames"]) == ("era5", "0.4", 124)
    assert plan["totals"]["frames"] == 124
    assert row["fields"] == 124 * 69
    assert [path.name for path in tmp_path.iterdir()] == ["recipe.yaml"]
    assert "124" in answer("plan", "recipe.yaml", cwd=tmp_path).stdout


def test_errors_are_four_parts_and_exit_code_2(tmp_path):
    done = answer("plan", "absent.yaml", cwd=tmp_path)
    assert done.returncode == 2
    for part in ("aurora-prep: ", "where: absent.yaml", "found: ", "fix: "):
        assert part in done.stderr
    assert "Traceback" not in done.stderr
    done = answer("sources", "era-5")
    assert done.returncode == 2
    assert "did you mean 'era5'?" in done.stderr


@pytest.mark.parametrize("words", [["sources"], ["--help"]])
def test_quick_answers_load_no_heavy_library(words):
    done = subprocess.run(
        [sys.executable, "-c", QUIET.format(words=words)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_words_after_two_dashes_are_beams(tmp_path):
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    done = answer("run", "recipe.yaml", "--", "--runner=DaskRunner", cwd=tmp_path)
    assert done.returncode == 2
    assert "--runner=DaskRunner" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["recipe.yaml"]


def shell_lines(page):
    """Commands in the code blocks of a page; continued lines joined, prompts and pipes cut."""
    fenced = False
    for line in page.replace("\\\n", " ").splitlines():
        if line.startswith("```"):
            fenced = not fenced
        command = line.strip().removeprefix("$ ")
        is_code = fenced or line.startswith("    ")
        if not is_code or not command.startswith(("aurora-prep ", "make ")):
            continue
        words = shlex.split(command, comments=True)
        for stop in ("|", "&&", ";", ">"):
            words = words[: words.index(stop)] if stop in words else words
        yield words


def pages():
    root = Path(__file__).resolve().parents[2]
    found = [root / "README.md", *root.glob("docs/*.md"), *root.glob("benchmarks/*.md")]
    return {str(page.relative_to(root)): page for page in [*found, *root.glob("*.md")]}


def is_known(words, targets):
    """Whether a command of a page would be taken."""
    if words[0] == "make":
        return all(word in targets for word in words[1:] if "=" not in word)
    cut = words.index("--") if "--" in words else len(words)
    try:
        parser().parse_args(words[1:cut])
    except SystemExit as end:
        return end.code == 0
    return True


@pytest.fixture(scope="module")
def targets(root):
    found = re.findall(r"^([a-z][a-z-]*):", (root / "Makefile").read_text(), re.MULTILINE)
    assert {"demo", "test"} <= set(found)
    return set(found)


@pytest.mark.parametrize("page", pages())
def test_every_command_of_a_page_exists(page, targets):
    lines = list(shell_lines(pages()[page].read_text(encoding="utf-8")))
    assert [words for words in lines if not is_known(words, targets)] == []


def test_the_readme_says_how_to_start(root):
    told = [" ".join(words[:2]) for words in shell_lines((root / "README.md").read_text())]
    assert {"make demo", "make test", "aurora-prep plan", "aurora-prep run"} <= set(told)


@pytest.mark.parametrize(
    ("line", "known"),
    [
        ("make demo", True),
        ("make everything", False),
        ("aurora-prep plan recipe.yaml", True),
        ("aurora-prep run recipe.yaml --embedded -- --runner=FlinkRunner", True),
        ("aurora-prep plam recipe.yaml", False),
        ("aurora-prep run recipe.yaml --embeded", False),
    ],
)
def test_the_check_of_pages_itself(line, known, targets, capsys):
    for page in (f"text\n```sh\n{line}  # a remark\n```\n", f"text:\n\n    $ {line} | head\n"):
        (words,) = shell_lines(page)
        assert is_known(words, targets) == known
    capsys.readouterr()
