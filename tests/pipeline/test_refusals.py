"""What a user gets wrong: an error of four parts, exit code 2, nothing that looks finished."""

import re
import socket
from pathlib import Path
from typing import Any

import pytest
import yaml

from aurora_prep.pipelines.cli import main
from aurora_prep.pipelines.recipe import Recipe
from aurora_prep.pipelines.run.run import run
from aurora_prep.providers.embedded import EmbeddedProvider
from aurora_prep.sources.spec import AuroraPrepError

from .conftest import Command, surface_recipe, written

FOUR_PARTS = re.compile(r"aurora-prep: .+\n  where: .+\n  found: .+\n  fix:   .+\n", re.DOTALL)
KEY = "11111111-2222-3333-4444-555555555555"


def refused(text: str) -> str:
    assert FOUR_PARTS.search(text), text
    assert "Traceback" not in text
    return text


def unfinished(out: Path) -> bool:
    return not (out / "dataset.json").exists() and not list(out.rglob("parts/**/*.parquet"))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"grids": "0.25"}, "did you mean 'grid'?"),
        ({"source": "era6"}, "did you mean 'era5'?"),
        ({"access": "mars"}, "no such access"),
        ({"period": {"start": "2020-01-02", "end": "2020-01-01"}}, "ends before it starts"),
        ({"variables": ["2tt"]}, "did you mean '2t'?"),
        ({"levels": [123]}, "[123]"),
        ({"grid": "0.7"}, "divides 180"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_wrong_recipe(
    change: dict[str, Any], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = written(surface_recipe(**change), tmp_path)
    assert main(["run", str(recipe), "--cache", str(tmp_path / "cache")]) == 2
    assert says in refused(capsys.readouterr().err)
    assert not (tmp_path / "out").exists()


def test_not_yaml(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text("name: [", encoding="utf-8")
    assert main(["plan", str(path)]) == 2
    refused(capsys.readouterr().err)


def test_unwritable_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("not a folder", encoding="utf-8")
    recipe = written(surface_recipe(), tmp_path)
    words = ["run", str(recipe), "--embedded", "--out", str(tmp_path / "file" / "out")]
    assert main([*words, "--cache", str(tmp_path / "cache")]) == 2
    refused(capsys.readouterr().err)
    assert not (tmp_path / "cache" / "requests").exists()


def test_an_output_that_is_not_ours(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    precious = tmp_path / "out" / "thesis.tex"
    precious.parent.mkdir()
    precious.write_text("precious", encoding="utf-8")
    recipe = written(surface_recipe(), tmp_path)
    for extra in ([], ["--overwrite"]):
        words = ["run", str(recipe), "--embedded", "--cache", str(tmp_path / "cache"), *extra]
        assert main(words) == 2
        refused(capsys.readouterr().err)
    assert precious.read_text("utf-8") == "precious"


def test_another_recipe_in_the_same_output(tmp_path: Path) -> None:
    recipe = surface_recipe(hours=22, variables=["2t"])
    first = Recipe.parse({**recipe, "output": str(tmp_path / "out")})
    assert not run(first, embedded=True, cache=str(tmp_path / "cache"), show=False).absent
    other = Recipe.parse({**recipe, "name": "other", "output": str(tmp_path / "out")})
    with pytest.raises(AuroraPrepError, match="another recipe"):
        run(other, embedded=True, cache=str(tmp_path / "cache"), show=False)
    with pytest.raises(AuroraPrepError, match="another recipe"):
        run(first, embedded=False, cache=str(tmp_path / "cache"), show=False)
    again = run(other, embedded=True, cache=str(tmp_path / "cache"), show=False, overwrite=True)
    assert (again.done, again.absent) == (0, 0)


def test_an_unreachable_provider(tmp_path: Path, command: Command) -> None:
    with socket.socket() as taken:  # a port that nobody listens at
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/api"
        recipe = written(surface_recipe(), tmp_path)
        done = command(
            "run", str(recipe), "--cache", str(tmp_path / "c"),
            CDSAPI_URL=url, CDSAPI_KEY=KEY, AURORA_PREP_DEADLINE="1s",
        )  # fmt: skip
    assert done.returncode == 2
    assert url.split("/api", maxsplit=1)[0] in refused(done.stderr)
    assert KEY not in done.stdout + done.stderr
    assert unfinished(tmp_path / "out")


def test_a_wrong_key(tmp_path: Path, command: Command, provider: EmbeddedProvider) -> None:
    recipe = written(surface_recipe(), tmp_path)
    done = command(
        "run", str(recipe), "--cache", str(tmp_path / "c"),
        CDSAPI_URL=provider.url, CDSAPI_KEY=KEY,
    )  # fmt: skip
    assert done.returncode == 2
    refused(done.stderr)
    everything = b"".join(p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())
    assert KEY not in done.stdout + done.stderr
    assert KEY.encode() not in everything
    assert unfinished(tmp_path / "out")


def test_no_credentials(tmp_path: Path, command: Command) -> None:
    recipe = written(surface_recipe(), tmp_path)
    done = command("run", str(recipe), "--cache", str(tmp_path / "cache"), cwd=tmp_path)
    assert done.returncode == 2
    assert "--embedded" in refused(done.stderr)
    assert unfinished(tmp_path / "out")


@pytest.mark.parametrize("fault", ["truncated", "corrupt_message"])
def test_an_answer_that_stays_damaged(
    fault: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = Recipe.parse({**surface_recipe(), "output": str(tmp_path / "out")})
    path = written(surface_recipe(), tmp_path)
    with (
        EmbeddedProvider(faults={fault: 99}) as provider,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("CDSAPI_URL", provider.url)
        patch.setenv("CDSAPI_KEY", provider.key)
        assert main(["run", str(path), "--cache", str(tmp_path / "cache")]) == 2
    refused(capsys.readouterr().err)
    assert unfinished(Path(recipe.output))


def test_a_truncated_file_of_the_user(
    tmp_path: Path, real_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = (real_data / "era5_sfc/era5_sfc_west_usa_20250101-07.grib1").read_bytes()
    (tmp_path / "cut.grib").write_bytes(whole[: len(whole) // 2 + 100])
    source = {"source": "era5", "access": "files", "grid": "native", "path": "cut.grib"}
    recipe = {"name": "cut", "output": str(tmp_path / "out"), "sources": [source]}
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe), encoding="utf-8")
    assert main(["run", str(path), "--cache", str(tmp_path / "cache")]) == 2
    assert "damaged" in refused(capsys.readouterr().err)
    assert not (tmp_path / "out").exists()


def test_a_frame_the_provider_lacks_is_missing_with_its_reason(
    tmp_path: Path, command: Command
) -> None:
    path = written(surface_recipe(), tmp_path)
    with EmbeddedProvider(faults={"missing_message": 1}) as provider:
        done = command(
            "run", str(path), "--cache", str(tmp_path / "cache"),
            CDSAPI_URL=provider.url, CDSAPI_KEY=provider.key,
        )  # fmt: skip
        assert done.returncode == 1, done.stderr
        assert ": not in the files" in done.stdout
        missing = command("manifest", str(tmp_path / "out"), "missing")
        assert missing.returncode == 1
        assert "not in the files" in missing.stdout


def test_a_frame_that_the_provider_has_by_now_is_written(tmp_path: Path) -> None:
    """The answer that is short of a field is in the cache: it is asked again, no other is."""
    recipe = Recipe.load(written(surface_recipe(), tmp_path))
    cache = str(tmp_path / "cache")
    with (
        pytest.MonkeyPatch.context() as patch,
        EmbeddedProvider(faults="missing_message") as provider,
    ):
        patch.setenv("CDSAPI_URL", provider.url)
        patch.setenv("CDSAPI_KEY", provider.key)
        assert run(recipe, cache=cache, show=False).absent == 1
        asked = provider.submissions
        assert run(recipe, cache=cache, show=False).absent == 0
        assert provider.submissions == asked + 1


def test_a_runner_that_loses_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = written(surface_recipe(), tmp_path)
    assert main(["run", str(recipe), "--embedded", "--", "--runner=DaskRunner"]) == 2
    refused(capsys.readouterr().err)
    assert not (tmp_path / "out").exists()
