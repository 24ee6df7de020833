"""What an engine says when work fails, turned into one message of four parts."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator

from aurora_prep.sources.spec import AuroraPrepError, EngineError

MOST_CHARACTERS = 600
LABELS = ("where: ", "found: ", "fix: ")
NAMED = re.compile(r"(?m)^(?:Caused by: )?((?:\w+\.)*\w*(?:Exception|Error)\b: .*)$")
# Loggers that tell what a job server does, and repeat the text of the error we report.
TALKATIVE = (
    "root",
    "apache_beam.options.pipeline_options",
    "apache_beam.runners.portability.local_job_service",
    "apache_beam.runners.portability.portable_runner",
    "apache_beam.utils.subprocess_server",
    "PrismRunner",
)
CHATTER = (
    "Really starting service",
    "Really destroying service",
    "parseable argument",
    "No semi_persistent_directory found",
)


def carried(error: BaseException) -> AuroraPrepError | None:
    """The AuroraPrepError in the traceback text that an engine reports."""
    return in_text(str(error))


def in_text(text: str) -> AuroraPrepError | None:
    """The AuroraPrepError in a text, such as a traceback in an engine's message."""
    for kind in _descendants(AuroraPrepError):
        _, found, rest = text.rpartition(f"{kind.__name__}: ")
        parts = [line.strip() for line in rest.splitlines()[: 1 + len(LABELS)]]
        if (
            found
            and len(parts) == 1 + len(LABELS)
            and all(part.startswith(label) for part, label in zip(parts[1:], LABELS, strict=True))
        ):
            told = [part.split(":", 1)[1].strip() for part in parts[1:]]
            return without_label(kind(parts[0], *told))
    return None


def without_label(error: AuroraPrepError) -> AuroraPrepError:
    """The error without the label of the Beam step that Beam added to its first part."""
    problem, *rest = error.args
    return type(error)(problem.split(" [while running")[0], *rest)


def of_engine(error: BaseException, runner: str) -> EngineError | None:
    """The engine's own failure; ``None`` where the error is no report of an engine's.

    Engines report as a ``RuntimeError`` that names the job, or as a failed call
    of their job server; anything else is an error of the software.
    """
    text = str(error)
    is_report = isinstance(error, RuntimeError) and ("failed in state" in text or "Java" in text)
    is_call = type(error).__module__.startswith("grpc")
    if not (is_report or is_call):
        return None
    named = NAMED.findall(text)
    found = named[-1] if named else " ".join(text.split())
    return EngineError(
        "the engine gave up",
        f"--runner={runner}",
        found[:MOST_CHARACTERS],
        "look at the engine's log, then run the recipe again: what is done stays done",
    )


def quieten() -> None:
    """Keep an engine's chatter, and its copy of an error we report, out of the user's log."""
    for logger in _talkative():
        logger.addFilter(_is_news)


def restore() -> None:
    """Let engines talk again."""
    for logger in _talkative():
        logger.removeFilter(_is_news)


def _talkative() -> Iterator[logging.Logger]:
    return (logging.getLogger(None if name == "root" else name) for name in TALKATIVE)


def _is_news(record: logging.LogRecord) -> bool:
    if logging.getLogger("aurora_prep").isEnabledFor(logging.INFO):
        return True
    text = record.getMessage().replace("\\n", "\n")  # of a message within a message
    return in_text(text) is None and not any(words in text for words in CHATTER)


def _descendants(kind: type[AuroraPrepError]) -> Iterator[type[AuroraPrepError]]:
    for child in kind.__subclasses__():
        yield from _descendants(child)
        yield child
