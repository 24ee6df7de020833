"""Reports of datasets that a run has made."""

import json
import subprocess
import sys

import pytest

from aurora_prep.manifest import Manifest
from aurora_prep.manifest.report import report
from aurora_prep.pipelines.recipe import Recipe
from aurora_prep.pipelines.run.run import run
from aurora_prep.providers.embedded import EmbeddedProvider

MOST_BYTES = 8_000_000
MOST_MEMORY = 700_000_000
FAMILIES = {
    "name": "families",
    "sources": [
        {
            "source": "era5",
            "period": {"start": "2020-02-28T12", "end": "2020-02-28T18", "step": "6h"},
            "grid": "0.25",
        },
        {
            "source": "cams_analysis",
            "period": {"start": "2021-12-31T12", "end": "2022-01-01T00", "step": "12h"},
            "grid": "0.4",
        },
        {
            "source": "era5_wave",
            "period": {"start": "2020-02-28T12", "end": "2020-02-28T18", "step": "6h"},
            "grid": "0.25",
        },
    ],
}
MEASURED = """
import json, sys
from aurora_prep.pipelines.cli import main
code = main(["report", sys.argv[1], "--out", sys.argv[2]])
# Of this program alone: rusage counts the memory of the process that started it, too.
status = open("/proc/self/status").read()
peak = int(status.split("VmHWM:")[1].split()[0]) * 1024
print(json.dumps([code, peak]))
"""


def test_a_frame_that_the_provider_lacks_is_a_gap(tmp_path, monkeypatch, declared, parsed):
    recipe = Recipe.parse(
        {
            "name": "one-missing",
            "output": str(tmp_path / "out"),
            "sources": [
                {
                    "source": "era5",
                    "grid": "2.5",
                    "period": {"start": "2020-02-28T22", "end": "2020-02-29T20", "step": "6h"},
                    "variables": ["2t", "msl"],
                }
            ],
            "storage": {"frames_per_shard": 1},
        }
    )
    with EmbeddedProvider(faults={"missing_message": 1}) as provider:
        monkeypatch.setenv("CDSAPI_URL", provider.url)
        monkeypatch.setenv("CDSAPI_KEY", provider.key)
        outcome = run(recipe, cache=str(tmp_path / "cache"), show=False)
    assert outcome.absent == 1
    page = report(outcome.root, declared)
    with Manifest.open(outcome.root) as manifest:
        (absent,) = manifest.missing().to_pylist()
        (summary,) = manifest.summary().to_pylist()
    found = parsed(page)
    (gap,) = found.tables["gaps-era5-2.5"]
    assert [cell[0] for cell in gap[2:]] == ["1", absent["status"], absent["reason"]]
    assert gap[0][0] == f"{absent['init_time']:%Y-%m-%dT%H}"
    assert found.totals["written"] == summary["written"] == 3
    assert found.totals["bytes"] == summary["bytes"]
    assert page.count('class="panel"') == 2


@pytest.mark.slow
def test_a_full_size_page_of_three_families_is_small(tmp_path):
    recipe = Recipe.parse({**FAMILIES, "output": str(tmp_path / "out")})
    assert not run(recipe, embedded=True, cache=str(tmp_path / "cache"), show=False).absent
    place = tmp_path / "report.html"
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, recipe.output, str(place)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    code, peak = json.loads(done.stdout.splitlines()[-1])
    assert code == 0
    assert peak < MOST_MEMORY
    assert 1_000_000 < place.stat().st_size < MOST_BYTES
    with Manifest.open(recipe.output) as manifest:
        fields = manifest.sql("SELECT DISTINCT source, path, level FROM details").num_rows
    assert fields > 69 + 142
    assert place.read_text("utf-8").count('<div class="panel"') == fields
