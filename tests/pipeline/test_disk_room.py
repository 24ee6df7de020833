"""What the disks must hold: refused before anything is written, bounded where it is asked."""

import json
from pathlib import Path

import pytest

from aurora_prep.pipelines.cli import main

from .conftest import surface_recipe, written


def refusal(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(words) == 2
    return capsys.readouterr().err


def test_a_run_that_no_disk_can_hold_is_refused_with_the_numbers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Eighty years of ERA5 are some ten terabytes of output and as much of raw files."""
    recipe = surface_recipe()
    period = {"start": "1940-01-01T00", "end": "2019-12-31T18", "step": "6h"}
    recipe["sources"] = [{"source": "era5", "grid": "0.25", "period": period}]
    path = written(recipe, tmp_path)
    said = refusal(["run", str(path), "--embedded", "--cache", str(tmp_path / "cache")], capsys)
    assert "the disk cannot hold what the run needs" in said
    assert "GB are free" in said
    assert "--cache-limit" in said
    assert not (tmp_path / "out").exists()


def test_a_bound_with_which_no_shard_could_be_made_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(surface_recipe(), tmp_path)
    words = ["run", str(path), "--embedded", "--cache", str(tmp_path / "cache")]
    said = refusal([*words, "--cache-limit", "1MB"], capsys)
    assert "the cache is bounded too tightly" in said
    assert "cds" in said
    for wrong in ("lots", "0 GB", "-3 GB"):
        assert "not a size" in refusal([*words, f"--cache-limit={wrong}"], capsys)
    again = written({**surface_recipe(), "cache_limit": "1 kB"}, tmp_path, "bounded.yaml")
    words[1] = str(again)
    assert "the cache is bounded too tightly" in refusal(words, capsys)
    assert main([*words, "--cache-limit", "1GB", "--events", str(tmp_path / "events")]) == 0
    notes = [json.loads(line) for line in (tmp_path / "events").read_text().splitlines()]
    told = {note["event"] for note in notes}
    assert told >= {"fetch begins", "fetch ends", "make begins", "make ends", "published"}
    assert sum(note["event"] == "evicted" for note in notes) == sum(
        note["event"] == "fetch ends" for note in notes
    )
    assert not list((tmp_path / "cache" / "requests").glob("??/*.grib"))


def test_a_bound_does_not_make_another_dataset(tmp_path: Path) -> None:
    """The same frames are wanted, however much of the downloads is kept on the way."""
    path = written(surface_recipe(), tmp_path)
    words = ["run", str(path), "--embedded", "--cache", str(tmp_path / "cache")]
    assert main(words) == 0
    bounded = written({**surface_recipe(), "cache_limit": "1 GB"}, tmp_path, "bounded.yaml")
    words[1] = str(bounded)
    assert main(words) == 0
