"""Options of a submission to Dataflow: what is filled in, and what is refused."""

import pytest
from apache_beam.options.pipeline_options import (
    DebugOptions,
    GoogleCloudOptions,
    SetupOptions,
    WorkerOptions,
)

from aurora_prep.pipelines.engines import dataflow
from aurora_prep.pipelines.engines.choice import options_of
from aurora_prep.pipelines.recipe import Recipe
from aurora_prep.pipelines.run.run import run
from aurora_prep.sources.spec import EngineError

from .conftest import RECIPE

WORDS = [
    "--runner=DataflowRunner",
    "--project=my-project",
    "--region=europe-west4",
    "--temp_location=gs://bucket/tmp",
]
PLACES = {"output": "gs://bucket/out", "bucket": "gs://bucket/cache", "embedded": False}


@pytest.fixture(autouse=True)
def _no_gcloud(monkeypatch):
    for name in ("CLOUDSDK_CORE_PROJECT", "GOOGLE_CLOUD_PROJECT", "CLOUDSDK_COMPUTE_REGION"):
        monkeypatch.delenv(name, raising=False)


def test_what_is_left_out_is_filled_in():
    options = options_of(WORDS)
    worker, debug = options.view_as(WorkerOptions), options.view_as(DebugOptions)
    assert (worker.machine_type, worker.disk_size_gb) == ("e2-standard-4", 100)
    assert (worker.autoscaling_algorithm, worker.max_num_workers) == ("THROUGHPUT_BASED", 32)
    assert debug.number_of_worker_harness_threads == 1
    assert "use_runner_v2" in debug.experiments
    setup = options.view_as(SetupOptions)
    assert setup.setup_file.endswith("setup.py")
    assert not setup.save_main_session
    assert dataflow.threads_of(options) == 1


def test_what_is_given_stays():
    given = [
        *WORDS,
        "--machine_type=n2-highmem-8",
        "--disk_size_gb=500",
        "--autoscaling_algorithm=NONE",
        "--num_workers=64",
        "--number_of_worker_harness_threads=2",
        "--sdk_container_image=europe-docker.pkg.dev/p/r/aurora-prep:1",
        "--experiments=mine",
    ]
    options = options_of(given)
    worker, debug = options.view_as(WorkerOptions), options.view_as(DebugOptions)
    assert (worker.machine_type, worker.disk_size_gb) == ("n2-highmem-8", 500)
    assert (worker.autoscaling_algorithm, worker.max_num_workers) == ("NONE", 64)
    assert debug.number_of_worker_harness_threads == 2
    assert {"mine", "use_runner_v2"} <= set(debug.experiments)
    setup = options.view_as(SetupOptions)
    assert (setup.setup_file, setup.sdk_location) == (None, "container")


def test_other_runners_stay_as_they_are():
    options = options_of([])
    assert options.view_as(WorkerOptions).machine_type is None
    assert dataflow.threads_of(options) == 0
    dataflow.check(options, output="/somewhere", bucket=None, embedded=True)


def test_gcloud_knows_project_and_region(monkeypatch):
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "from-gcloud")
    monkeypatch.setenv("CLOUDSDK_COMPUTE_REGION", "us-central1")
    cloud = options_of(["--runner=DataflowRunner"]).view_as(GoogleCloudOptions)
    assert (cloud.project, cloud.region) == ("from-gcloud", "us-central1")


@pytest.mark.parametrize("left_out", ["project", "region", "temp_location"])
def test_what_only_the_user_knows_is_asked_for(left_out):
    words = [word for word in WORDS if not word.startswith(f"--{left_out}")]
    with pytest.raises(EngineError) as caught:
        dataflow.check(options_of(words), **PLACES)
    _, where, found, fix = caught.value.args
    assert (where, found) == (f"--{left_out}", "not given")
    assert f"--{left_out}=" in fix


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"output": "./out"}, "./out"),
        ({"bucket": None}, "a folder here"),
        ({"bucket": "s3://bucket/cache"}, "s3://bucket/cache"),
        ({"embedded": True}, "--embedded"),
        ({"inputs": ["gs://bucket/a.grib", "/home/me/b.grib"]}, "/home/me/b.grib"),
    ],
)
def test_what_workers_cannot_reach_is_refused(change, named):
    with pytest.raises(EngineError, match="cannot reach") as caught:
        dataflow.check(options_of(WORDS), **{**PLACES, **change})
    assert caught.value.args[2] == named


def test_places_of_beam_must_be_in_a_bucket():
    words = [*WORDS, "--staging_location=/tmp/staging"]
    with pytest.raises(EngineError, match="--staging_location"):
        dataflow.check(options_of(words), **PLACES)


def test_an_installation_that_cannot_submit_says_how_to_mend_it(monkeypatch):
    monkeypatch.setattr(dataflow, "_is_installed", lambda _: False)
    with pytest.raises(EngineError, match=r"aurora-prep\[dataflow\]"):
        dataflow.check(options_of(WORDS), **PLACES)
    monkeypatch.setattr(dataflow, "_is_installed", lambda name: name != "build")
    with pytest.raises(EngineError, match="cannot be packed"):
        dataflow.check(options_of(WORDS), **PLACES)
    monkeypatch.setattr(dataflow, "_is_installed", lambda _: True)
    monkeypatch.setattr(dataflow, "_own_setup", lambda: None)
    with pytest.raises(EngineError, match="would not find the project"):
        dataflow.check(options_of(WORDS), **PLACES)
    dataflow.check(options_of([*WORDS, "--sdk_container_image=image"]), **PLACES)


@pytest.mark.parametrize(
    "output", ["gs://b/o", "gs://bucket/a_b/C/", "gs://bucket/" + "long/" * 40, "gs://b/ünïcode"]
)
def test_a_job_is_named_after_its_output(output):
    name = dataflow.job_name_of(output)
    assert dataflow.NAME.fullmatch(name)
    assert name == dataflow.job_name_of(output.rstrip("/"))
    assert name != dataflow.job_name_of(output + "x")


def test_a_name_that_dataflow_refuses_is_refused_here(monkeypatch):
    monkeypatch.setattr(dataflow, "_is_installed", lambda _: True)
    with pytest.raises(EngineError, match="does not take this name"):
        dataflow.check(options_of([*WORDS, "--job_name=My_Job"]), **PLACES)


def test_nothing_is_written_before_the_options_are_right(gcs):
    with pytest.raises(EngineError, match="the cache of raw files"):
        run(Recipe.parse(RECIPE, output="gs://data/out"), beam_options=WORDS, show=False)
    assert gcs.requests == ()
