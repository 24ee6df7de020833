"""The words after ``--``: Beam's options, checked before Beam sees them.

Beam warns about an option it does not know and goes on without it, which turns
a misspelt ``--runner`` or ``--parallelism`` into hours on the wrong engine.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import NoReturn

from apache_beam.options import pipeline_options
from apache_beam.options.pipeline_options import PipelineOptions

from aurora_prep.sources.spec import EngineError

WHERE = "options of Beam, after --"

# Options of Beam's Flink runner that its Python SDK does not know: it passes them on.
FLINK = frozenset(
    f"--{name}"
    for name in (
        "allow_non_restored_state", "attached_mode", "auto_balance_write_files_sharding_enabled",
        "auto_watermark_interval", "checkpoint_timeout_millis", "checkpointing_interval",
        "checkpointing_mode", "disable_metrics", "enable_stable_input_drain",
        "environment_expiration_millis", "execution_mode_for_batch", "execution_retry_delay",
        "externalized_checkpoints_enabled", "fail_on_checkpointing_errors", "faster_copy",
        "file_input_split_max_size_m_b", "files_to_stage", "finish_bundle_before_checkpointing",
        "flink_conf_dir", "force_unaligned_checkpoint_enabled", "job_check_interval_in_secs",
        "latency_tracking_interval", "load_balance_bundles", "max_bundle_size",
        "max_bundle_time_mills", "max_parallelism", "min_pause_between_checkpoints",
        "num_concurrent_checkpoints", "number_of_execution_retries", "object_reuse",
        "operator_chaining", "parallelism", "re_iterable_group_by_key_result",
        "report_checkpoint_duration", "retain_docker_containers",
        "retain_externalized_checkpoints_on_cancellation", "savepoint_path", "semi_persist_dir",
        "shutdown_sources_after_idle_ms", "state_backend", "state_backend_factory",
        "state_backend_storage_path", "unaligned_checkpoint_enabled", "use_data_stream_for_batch",
    )
)  # fmt: skip
# Runners that speak to a job server whose options cannot be known here.
OPEN = frozenset({"PortableRunner", "SparkRunner"})


class _Parser(pipeline_options._BeamArgumentParser):  # noqa: SLF001  Beam's own rules
    """Beam's parser; a value that it refuses becomes an AuroraPrepError."""

    def error(self, message: str) -> NoReturn:
        """Report a bad value."""
        raise EngineError(
            "an option of Beam has a wrong value", WHERE, message, "give a value it takes"
        )


def parse(words: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """Beam's options among the words, and the words it does not know.

    Raises:
        EngineError: An option has a value that Beam refuses.
    """
    known, unknown = _parser().parse_known_args(list(words))
    return known, unknown


def given(words: Sequence[str]) -> frozenset[str]:
    """Names of the options among the words: ``--runner``, not its value."""
    return frozenset(word.partition("=")[0] for word in words if word.startswith("--"))


def check(unknown: Sequence[str], runner: str) -> None:
    """Refuse words that neither Beam nor the engine knows.

    Args:
        unknown: What Beam's SDK does not know.
        runner: Name of the engine, as in ``FlinkRunner``.

    Raises:
        EngineError: A word is no option, or an option nobody knows.
    """
    for word in _strays(unknown):
        if not word.startswith("--"):
            raise EngineError(
                "a word among the options of Beam is no option",
                WHERE,
                repr(word),
                "write options as --name=value; options of aurora-prep come before --",
            )
        name = word.partition("=")[0]
        if runner == "FlinkRunner" and name in FLINK:
            continue
        nearest = get_close_matches(name, sorted(_names() | FLINK), n=1, cutoff=0.6)
        if runner in OPEN and (name in FLINK or not nearest):
            continue
        raise EngineError(
            "Beam has no such option", f"{WHERE}, for {runner}", name, _advice(nearest, runner)
        )


def _advice(nearest: Sequence[str], runner: str) -> str:
    if not nearest:
        return "leave it out; Beam's pages list the options of every runner"
    only = " (of FlinkRunner only)" if runner != "FlinkRunner" and nearest[0] in FLINK else ""
    return f"do you mean {nearest[0]}?{only}"


def _strays(unknown: Sequence[str]) -> Iterator[str]:
    """The unknown words without values that follow an option as a word of their own."""
    before = ""
    for word in unknown:
        if word.startswith("--") or not before.startswith("--") or "=" in before:
            yield word
        before = word


def _parser() -> _Parser:
    parser = _Parser(allow_abbrev=False, add_help=False)
    for kind in {str(kind): kind for kind in PipelineOptions.__subclasses__()}.values():
        kind._add_argparse_args(parser)  # noqa: SLF001  as Beam itself does
    return parser


def _names() -> set[str]:
    return {name for name in _parser()._option_string_actions if name.startswith("--")}  # noqa: SLF001
