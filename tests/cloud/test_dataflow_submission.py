"""The real client stages and submits a job to Dataflow's and Cloud Storage's interfaces.

Needs ``pip install 'aurora-prep[dataflow]'``; no account and no network, except that the
last test installs the staged package with its dependencies.
"""

import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from aurora_prep.pipelines.recipe import Recipe
from aurora_prep.pipelines.run.run import run
from aurora_prep.providers.embedded import EmbeddedProvider
from aurora_prep.providers.embedded.gcs import GcsEmulator
from aurora_prep.sources.spec import EngineError, ManifestError

from .conftest import EPOCH, RECIPE, tree
from .dataflow_service import JOB_ID, DataflowService

pytestmark = [
    pytest.mark.engine,
    pytest.mark.filterwarnings("default"),  # Google's clients warn about themselves
]
pytest.importorskip(
    "google.cloud.dataflow_v1beta3", reason="pip install 'aurora-prep[dataflow]' runs these"
)

OUT, TMP = "gs://data/out", "gs://data/tmp"


@pytest.fixture
def service() -> Iterator[DataflowService]:
    with DataflowService() as started:
        yield started


@pytest.fixture(autouse=True)
def _no_search_for_credentials(monkeypatch):
    """Beam looks for credentials at each first use of a bucket, for half a minute."""
    from apache_beam.internal.gcp import auth  # noqa: PLC0415

    monkeypatch.setattr(auth._Credentials, "_credentials_init", True)


def words(service: DataflowService, *more: str) -> list[str]:
    return [
        "--runner=DataflowRunner",
        "--project=my-project",
        "--region=europe-west4",
        f"--temp_location={TMP}",
        f"--dataflow_endpoint={service.endpoint}",
        "--no_auth",
        *more,
    ]


def submit(service: DataflowService, *more: str) -> dict[str, Any]:
    """Submit the small recipe; the job as the service got it.

    The service only says that the work is done: there is no dataset at the end.
    """
    recipe = Recipe.parse(RECIPE, output=OUT)
    with pytest.raises(ManifestError, match="no manifest yet"):
        run(recipe, cache="gs://data/cache", beam_options=words(service, *more), show=False)
    return service.jobs[-1]


def staged(gcs: GcsEmulator) -> dict[str, Path]:
    """What was staged, by name."""
    return {path.name: path for path in (gcs.folder / "data/tmp").rglob("*") if path.is_file()}


def test_the_client_stages_and_submits(gcs, service):
    job = submit(service)
    files = staged(gcs)
    assert {"pipeline.pb", "workflow.tar.gz"} <= set(files)
    assert files["pipeline.pb"].stat().st_size < 1_000_000
    assert len(json.dumps(job)) < 100_000
    (pool,) = job["environment"]["workerPools"]
    assert (pool["machineType"], pool["diskSizeGb"]) == ("e2-standard-4", 100)
    assert pool["numThreadsPerWorker"] == 1
    assert pool["autoscalingSettings"] == {"algorithm": 2, "maxNumWorkers": 32}  # 2: by throughput
    assert "use_runner_v2" in job["environment"]["experiments"]
    assert job["name"].startswith("aurora-prep-data-out-")
    assert any(package["name"] == "workflow.tar.gz" for package in pool["packages"])
    options = job["environment"]["sdkPipelineOptions"]["options"]
    assert options["region"] == "europe-west4"
    assert "cdsapi" not in json.dumps(job).lower()  # no key travels with a job


def test_an_image_needs_no_package(gcs, service):
    image = "europe-docker.pkg.dev/my-project/images/aurora-prep:0.1.0"
    job = submit(service, f"--sdk_container_image={image}")
    assert "workflow.tar.gz" not in staged(gcs)
    (pool,) = job["environment"]["workerPools"]
    assert pool["workerHarnessContainerImage"] == image
    assert [i["containerImage"] for i in pool["sdkHarnessContainerImages"]] == [image]


@pytest.mark.usefixtures("gcs")
def test_a_job_that_fails_is_a_four_part_error():
    with DataflowService("JOB_STATE_FAILED") as service:
        recipe = Recipe.parse(RECIPE, output=OUT)
        image = "--sdk_container_image=image"
        with pytest.raises(EngineError) as caught:
            run(recipe, cache="gs://data/cache", beam_options=words(service, image), show=False)
    problem, where, found, fix = caught.value.args
    assert (problem, where) == ("the job on Dataflow failed", f"job {JOB_ID}")
    assert "gave up" in found
    assert "run the recipe again" in fix


def test_the_staged_package_holds_the_project_and_nothing_else(gcs, service, tmp_path):
    submit(service)
    with tarfile.open(staged(gcs)["workflow.tar.gz"]) as archive:
        archive.extractall(tmp_path, filter="data")
    (root,) = tmp_path.iterdir()
    names = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    for needed in ("setup.py", "pyproject.toml", "README.md", "sources/era5.py",
                   "pipelines/run/transforms.py", "providers/embedded/gcs/api.py"):  # fmt: skip
        assert needed in names
    assert not [name for name in names if name.split("/")[0] in ("tests", "out", ".venv", "docs")]
    assert staged(gcs)["workflow.tar.gz"].stat().st_size < 5_000_000


@pytest.mark.slow
def test_the_staged_job_runs_in_an_environment_of_its_own(gcs, service, local, tmp_path):
    """The whole job, from what was staged alone, ends as the local run did."""
    with EmbeddedProvider() as provider, pytest.MonkeyPatch.context() as patch:
        # A rehearsal is recognised where the job is submitted, by the address in use there.
        patch.setenv("CDSAPI_URL", provider.url)
        patch.setenv("CDSAPI_KEY", provider.key)
        submit(service)
        run_staged(gcs, provider, local, tmp_path)


def run_staged(gcs, provider, local, tmp_path):
    files = staged(gcs)
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    beam = f"apache-beam=={version('apache-beam')}"  # the worker's image brings it
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", beam,
         files["workflow.tar.gz"]],
        check=True,
    )  # fmt: skip
    done = subprocess.run(
        [python, Path(__file__).with_name("run_staged.py"), files["pipeline.pb"]],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "SOURCE_DATE_EPOCH": EPOCH,
            "CDSAPI_URL": provider.url,
            "CDSAPI_KEY": provider.key,
            **gcs.environment,
        },
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert f"from {tmp_path / 'venv'}" in done.stdout
    assert "state DONE" in done.stdout
    made, out = tree(gcs.folder / "data/out"), tree(local[0])
    same = {n: data for n, data in out.items() if "/c/" in n or n.startswith("statistics/")}
    assert len(same) > 10
    assert {name: made.get(name) for name in same} == same
    assert set(made) == set(out)
