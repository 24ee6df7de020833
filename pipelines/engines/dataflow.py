"""Google Dataflow: what a submission needs, and what would make it fail later.

A worker decodes and writes whole shards with one thread of ours in each of its
processes, one process a core, which is how Dataflow runs Python. Only references
cross the shuffle, so plain machines with a disk for raw files will do.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from apache_beam.options.pipeline_options import (
    DebugOptions,
    GoogleCloudOptions,
    PipelineOptions,
    SetupOptions,
    StandardOptions,
    WorkerOptions,
)

import aurora_prep
from aurora_prep.sources.spec import EngineError

RUNNERS = frozenset({"dataflow", "dataflowrunner"})
BUCKET = "gs://"
MACHINE = "e2-standard-4"
DISK_GB = 100
MOST_WORKERS = 32
THREADS = 1
SETUPTOOLS = 77  # as in pyproject.toml: Beam packs without an environment of its own
RUNNER_V2 = "use_runner_v2"
SLUG = re.compile(r"[^a-z0-9]+")
LONGEST_SLUG = 40
MOST_CHARACTERS = 400
NAME = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")


def is_dataflow(options: PipelineOptions) -> bool:
    """Whether the pipeline is to run on Dataflow."""
    runner = str(options.view_as(StandardOptions).runner or "")
    return runner.rsplit(".", 1)[-1].lower() in RUNNERS


def complete(options: PipelineOptions) -> PipelineOptions:
    """Fill in what the user left out of a submission to Dataflow; other runners stay as they are.

    Project and region come from the environment of ``gcloud`` where not given. Without a
    container image, workers install the project from its ``setup.py``.
    """
    if not is_dataflow(options):
        return options
    cloud, worker = options.view_as(GoogleCloudOptions), options.view_as(WorkerOptions)
    debug, setup = options.view_as(DebugOptions), options.view_as(SetupOptions)
    cloud.project = cloud.project or _first("CLOUDSDK_CORE_PROJECT", "GOOGLE_CLOUD_PROJECT")
    cloud.region = cloud.region or _first("CLOUDSDK_COMPUTE_REGION")
    worker.machine_type = worker.machine_type or MACHINE
    worker.disk_size_gb = worker.disk_size_gb or DISK_GB
    worker.autoscaling_algorithm = worker.autoscaling_algorithm or "THROUGHPUT_BASED"
    worker.max_num_workers = worker.max_num_workers or max(MOST_WORKERS, worker.num_workers or 0)
    debug.number_of_worker_harness_threads = debug.number_of_worker_harness_threads or THREADS
    debug.experiments = sorted({RUNNER_V2, *(debug.experiments or ())})
    setup.save_main_session = False  # everything a worker needs is in the package
    if worker.sdk_container_image:
        if setup.sdk_location == "default":
            setup.sdk_location = "container"  # the image has it: nothing to download
    elif not setup.setup_file and not setup.extra_packages and (found := _own_setup()):
        setup.setup_file = str(found)
    return options


def threads_of(options: PipelineOptions) -> int:
    """Threads for a worker's own work where the user chose none; 0 means one for each core."""
    return THREADS if is_dataflow(options) else 0


def check(
    options: PipelineOptions,
    *,
    output: str,
    bucket: str | None,
    embedded: bool,
    inputs: Iterable[str] = (),
) -> None:
    """Refuse what cannot work on Dataflow, before anything is written or sent.

    Also names the job after the output: Dataflow refuses two living jobs of one
    name, so no two runs write to the same place.

    Args:
        options: Completed options.
        output: Where the dataset goes.
        bucket: Folder of the bucket that is the cache; ``None`` for a cache on a disk.
        embedded: Whether the embedded provider was to answer.
        inputs: The user's own files, as the recipe names them.

    Raises:
        EngineError: Something is missing, or is where workers cannot reach it.
    """
    if not is_dataflow(options):
        return
    cloud = options.view_as(GoogleCloudOptions)
    for name, value, example in (
        ("project", cloud.project, "my-project"),
        ("region", cloud.region, "europe-west4"),
        ("temp_location", cloud.temp_location, "gs://my-bucket/tmp"),
    ):
        if not value:
            raise _missing(name, example)
    _check_places(cloud, output, bucket, inputs)
    if embedded:
        raise _unreachable(
            "the embedded provider",
            "--embedded",
            "rehearse with the local runner, without --runner",
        )
    if not cloud.job_name:
        cloud.job_name = job_name_of(output)
    if not NAME.fullmatch(cloud.job_name):
        raise EngineError(
            "Dataflow does not take this name for a job",
            "--job_name",
            cloud.job_name,
            "use at most 63 lower-case letters, digits and hyphens, a letter first",
        )
    _check_installation(options)


def failure(error: Exception) -> EngineError | None:
    """What to say of a job that ended badly; ``None`` for any other error."""
    if type(error).__name__ != "DataflowRuntimeException":
        return None
    job = getattr(error, "result", None)
    where = f"job {job.job_id()}" if job is not None else "the job"
    return EngineError(
        "the job on Dataflow failed",
        where,
        " ".join(str(error).split())[:MOST_CHARACTERS],
        "look at its log in the console, then run the recipe again: what is done stays done",
    )


def job_name_of(output: str) -> str:
    """A name for the job that writes to an output: always the same one."""
    slug = SLUG.sub("-", output.removeprefix(BUCKET).lower()).strip("-")[-LONGEST_SLUG:].strip("-")
    digest = hashlib.sha256(output.rstrip("/").encode()).hexdigest()[:8]
    return f"aurora-prep-{slug}-{digest}"


def _check_places(
    cloud: GoogleCloudOptions, output: str, bucket: str | None, inputs: Iterable[str]
) -> None:
    """Raise for a place that is not in a bucket."""
    temporary = "give --temp_location=gs://my-bucket/tmp"
    places = [
        ("--temp_location", cloud.temp_location, temporary),
        ("--staging_location", cloud.staging_location or cloud.temp_location, temporary),
        ("the output", output, "give --out gs://my-bucket/dataset"),
        ("the cache of raw files", bucket or "a folder here", "give --cache gs://my-bucket/cache"),
        *(("an input", path, "copy the files to a bucket and name them there") for path in inputs),
    ]
    for what, place, fix in places:
        if not place.startswith(BUCKET):
            raise _unreachable(what, place, fix)


def _check_installation(options: PipelineOptions) -> None:
    """Raise where a library or the means to bring the project to workers is absent."""
    if not _is_installed("google.cloud.dataflow_v1beta3"):
        raise EngineError(
            "the client of Dataflow is not installed",
            "this Python environment",
            "no module google.cloud.dataflow_v1beta3",
            "install it: pip install 'aurora-prep[dataflow]'",
        )
    setup = options.view_as(SetupOptions)
    if options.view_as(WorkerOptions).sdk_container_image or setup.extra_packages:
        return
    if not setup.setup_file or not Path(setup.setup_file).is_file():
        raise EngineError(
            "workers would not find the project",
            "--setup_file",
            setup.setup_file or "not given, and the project is not installed from a checkout",
            "give --sdk_container_image (see Dockerfile), or --setup_file=CHECKOUT/setup.py",
        )
    if not _is_installed("build") or _setuptools() < SETUPTOOLS:
        raise EngineError(
            "the project cannot be packed for workers",
            "--setup_file",
            f"this Python environment lacks build, or its setuptools is older than {SETUPTOOLS}",
            "install both: pip install 'aurora-prep[dataflow]'; or give --sdk_container_image",
        )


def _setuptools() -> int:
    """Major version of setuptools, with which Beam packs the project; 0 without it."""
    try:
        return int(version("setuptools").partition(".")[0])
    except PackageNotFoundError:
        return 0


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _first(*names: str) -> str | None:
    return next((value for name in names if (value := os.environ.get(name))), None)


def _own_setup() -> Path | None:
    """The ``setup.py`` of the checkout that the package is installed from, if it is from one."""
    path = Path(aurora_prep.__file__).resolve().parent.parent / "setup.py"
    return path if path.is_file() and path.with_name("pyproject.toml").is_file() else None


def _missing(name: str, example: str) -> EngineError:
    return EngineError(
        f"Dataflow needs to know the {name.replace('_', ' ')}",
        f"--{name}",
        "not given",
        f"give it after the two hyphens: -- --runner=DataflowRunner --{name}={example}",
    )


def _unreachable(what: str, found: str, fix: str) -> EngineError:
    return EngineError(f"workers on Dataflow cannot reach {what}", "run on Dataflow", found, fix)
