"""What engines say when work fails, and what the user is told."""

import logging

import pytest

from aurora_prep.pipelines.engines import failure
from aurora_prep.sources.spec import AuroraPrepError, CredentialsError, EngineError, FetchError

OURS = CredentialsError("the licence is not accepted", "era5", "403", "accept it: https://x/y")


def traceback(error: AuroraPrepError, label: str = "") -> str:
    """The text of an error as a job server hands it on."""
    problem, *rest = error.args
    raised = type(error)(f"{problem}{label}", *rest)
    return (
        "java.lang.RuntimeException: Error received from SDK harness for instruction 5:"
        " Traceback (most recent call last):\n"
        '  File "worker.py", line 3, in process\n    raise error\n'
        f"aurora_prep.sources.spec.errors.{type(error).__name__}: {raised}\n\n"
        "\tat java.base/java.lang.Thread.run(Thread.java:840)\n"
    )


@pytest.mark.parametrize("label", ["", " [while running 'Prepare/Fetch']"])
def test_an_error_of_ours_is_found_in_a_traceback(label: str) -> None:
    found = failure.carried(RuntimeError(traceback(OURS, label)))
    assert type(found) is CredentialsError
    assert found.args == OURS.args


def test_the_last_of_several_is_the_one_that_was_raised() -> None:
    first = FetchError("refused", "a", "b", "c")
    text = traceback(first) + "\nThe above exception was the direct cause of\n" + traceback(OURS)
    found = failure.in_text(text)
    assert found is not None
    assert found.args == OURS.args


def test_an_engines_own_failure_names_its_cause() -> None:
    text = (
        "Pipeline job-1 failed in state FAILED: org.apache.flink.JobException: Recovery is off\n"
        "\tat x.y\nCaused by: org.apache.flink.NoResourceAvailableException: no slots\n\tat z\n"
    )
    error = failure.of_engine(RuntimeError(text), "FlinkRunner")
    assert isinstance(error, EngineError)
    assert error.args[1] == "--runner=FlinkRunner"
    assert error.args[2] == "org.apache.flink.NoResourceAvailableException: no slots"


def test_an_error_of_the_software_stays_what_it_is() -> None:
    assert failure.of_engine(RuntimeError("dictionary changed size"), "DirectRunner") is None
    assert failure.of_engine(KeyError("x"), "FlinkRunner") is None
    assert failure.carried(RuntimeError("x")) is None


def test_the_engines_copy_of_our_error_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    failure.quieten()
    try:
        with caplog.at_level(logging.WARNING):
            logging.getLogger().error("%s", traceback(OURS))
            logging.getLogger("apache_beam.utils.subprocess_server").warning(
                "Really starting service at %s", "x"
            )
            logging.getLogger().error("something else: %s", "important")
    finally:
        failure.restore()
    assert [record.getMessage() for record in caplog.records] == ["something else: important"]
