"""Errors that say what was wrong, where, what was found and what to do next.

The tree, by what a caller would do about it::

    AuroraPrepError
    +-- SpecError            a declaration or key is invalid: edit the declaration
    +-- RecipeError          the recipe is wrong: edit the recipe
    +-- FetchError           a provider did not deliver: look at the provider, run again
    |   +-- CredentialsError the provider refused the key: mend the credentials
    |   +-- NotYetError      not released yet: run again later
    |   +-- NotArchivedError the provider does not have it: leave it out
    |   +-- RequestRefusedError  the provider refuses this request
    |   +-- DamagedError     what came is damaged, each time
    |   +-- IncompleteError  what came lacks fields
    |   +-- SourceClosedError the dataset is closed, unknown or not open to this user
    |   |   +-- LicenceError a licence has not been accepted
    |   +-- NotAskedError    given up before an answer: the service was away, or time is up
    |   +-- LocalError       this machine cannot go on: disk full, certificates
    +-- DecodeError          a file is not what it should be: fetch it again, or leave it out
    +-- HarmoniseError       a field does not match its source declaration
    +-- RegridError          a field does not fit its grid, or the grids do not meet
    +-- StatisticsError      statistics cannot be computed, or would mix splits
    +-- WriteError           the output cannot be written
    +-- ManifestError        the manifest is absent, damaged or asked for what it has not
    +-- EngineError          the Beam runner cannot run this pipeline
"""

from typing import ClassVar, Self

from aurora_prep.sources.spec import outcome
from aurora_prep.sources.spec.outcome import Stops


class AuroraPrepError(Exception):
    """Base of every error raised on purpose: problem, where, found, fix.

    The four parts are positional ``args``: Beam rebuilds exceptions from
    ``args``, so nothing else survives the journey back from a worker.
    """

    def __init__(self, problem: str, where: str, found: str, fix: str) -> None:
        super().__init__(problem, where, found, fix)

    def __str__(self) -> str:
        problem, where, found, fix = self.args
        return f"{problem}\n  where: {where}\n  found: {found}\n  fix:   {fix}"

    def at(self, place: object) -> Self:
        """Copy that also names ``place``. Beam drops notes, it keeps ``args``."""
        problem, where, found, fix = self.args
        return type(self)(problem, f"{where} @ {place}", found, fix)


class SpecError(AuroraPrepError, ValueError):
    """A declaration, key or value of the vocabulary is invalid."""


class RecipeError(AuroraPrepError, ValueError):
    """A recipe asks for something that does not exist or makes no sense."""


class FetchError(AuroraPrepError):
    """A provider did not deliver what was asked of it.

    The subclass says why, and survives pickling as the four parts do.

    Attributes:
        word: Stable word for the reason, one of ``outcome.WORDS``.
        stops: What the error ends.
    """

    word: ClassVar[str] = outcome.REFUSED
    stops: ClassVar[Stops] = Stops.REQUEST


class CredentialsError(FetchError):
    """A provider refused, or could not find, the user's credentials."""

    stops = Stops.STORE


class NotYetError(FetchError):
    """A provider will have it, but has not released it yet."""

    word = outcome.NOT_YET


class NotArchivedError(FetchError):
    """A provider does not have it."""

    word = outcome.NOT_ARCHIVED


class RequestRefusedError(FetchError):
    """A provider refuses the request as it stands."""


class DamagedError(FetchError):
    """What a provider delivers is damaged each time."""

    word = outcome.DAMAGED


class IncompleteError(FetchError):
    """Fields are missing from what a provider delivered."""

    word = outcome.INCOMPLETE


class SourceClosedError(FetchError):
    """A dataset is unknown, closed or not open to this user: each request to it would fail."""

    stops = Stops.SOURCE


class LicenceError(SourceClosedError):
    """The licence of a dataset has not been accepted."""

    word = outcome.LICENCE


class NotAskedError(FetchError):
    """Given up before the provider said anything: it was away, or the time was up."""

    word = outcome.NOT_ASKED


class LocalError(FetchError):
    """This machine cannot go on: its disk is full, or its certificates fail."""

    word = outcome.NOT_ASKED
    stops = Stops.RUN


def reason_of(error: AuroraPrepError) -> str:
    """One line for a record: the stable word, then the problem."""
    word = error.word if isinstance(error, FetchError) else outcome.DAMAGED
    return f"{word}: {error.args[0]}"


class DecodeError(AuroraPrepError, ValueError):
    """A file is damaged, or does not hold the fields expected of it."""


class HarmoniseError(AuroraPrepError, ValueError):
    """A decoded field does not match its source declaration."""


class RegridError(AuroraPrepError, ValueError):
    """A field does not fit its grid, or two grids do not meet."""


class StatisticsError(AuroraPrepError, ValueError):
    """Statistics cannot be computed, or would mix what must stay apart."""


class WriteError(AuroraPrepError):
    """The output cannot be written."""


class ManifestError(AuroraPrepError):
    """A manifest is absent, damaged, or asked for what it does not hold."""


class EngineError(AuroraPrepError):
    """The chosen Beam runner cannot run this pipeline."""
