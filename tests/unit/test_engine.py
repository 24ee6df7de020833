"""Which runner a name means."""

import pytest
from apache_beam.options.pipeline_options import StandardOptions

from aurora_prep.pipelines.engines.choice import LOCAL, PROCESSES, is_local, options_of
from aurora_prep.pipelines.engines.memory import tune_memory
from aurora_prep.sources.spec import EngineError


def runner(*words):
    return options_of(words).view_as(StandardOptions).runner


@pytest.mark.parametrize(
    "name",
    [
        "DirectRunner",
        "directrunner",
        "direct",
        "SwitchingDirectRunner",
        "BundleBasedDirectRunner",
        "FnApiRunner",
        LOCAL,
        "apache_beam.runners.direct.direct_runner.SwitchingDirectRunner",
        "apache_beam.runners.direct.direct_runner.BundleBasedDirectRunner",
    ],
)
def test_every_name_of_the_local_engine_means_the_one_that_is_here(name):
    assert runner(f"--runner={name}") == LOCAL
    assert is_local(options_of([f"--runner={name}"]))


def test_without_a_runner_the_work_stays_here():
    assert runner() == LOCAL
    assert runner("--direct_num_workers=1") == LOCAL
    assert runner("--direct_num_workers=2") == PROCESSES
    assert is_local(options_of(["--direct_num_workers=2"]))


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("FlinkRunner", "--flink_job_server_jar=x.jar"),
        ("DataflowRunner", "--region=europe-west4"),
        ("PrismRunner", "--prism_location=prism"),
    ],
)
def test_other_engines_are_taken_by_name(name, word):
    for spelling in (name, name.lower(), name.removesuffix("Runner").lower()):
        options = options_of([f"--runner={spelling}", word])
        assert options.view_as(StandardOptions).runner == name
        assert not is_local(options)


@pytest.mark.parametrize(
    "name",
    [
        "DaskRunner",
        "daskrunner",
        "dask",
        "apache_beam.runners.dask.dask_runner.DaskRunner",
        "InteractiveRunner",
        "interactive",
        "apache_beam.runners.interactive.interactive_runner.InteractiveRunner",
    ],
)
def test_a_runner_that_loses_work_is_refused(name):
    with pytest.raises(EngineError) as raised:
        options_of([f"--runner={name}"])
    assert f"--runner={name}" in raised.value.args[1]
    assert "DirectRunner" in raised.value.args[3]


def test_the_local_engine_is_beams():
    for path in (LOCAL, PROCESSES):
        module, name = path.rsplit(".", 1)
        assert hasattr(__import__(module, fromlist=[name]), name)


def test_memory_is_tuned_without_a_word(caplog):
    tune_memory()
    tune_memory()
    assert not caplog.records
