"""Stable words for why a field is not there, and how far a provider's refusal reaches.

Reasons in the manifest begin with one of the words (``reason_of`` in ``errors``). A later run
reads them: what is ``not_yet`` or ``not_asked`` is worth asking again by itself.
"""

from __future__ import annotations

from enum import StrEnum

NOT_YET = "not_yet"
NOT_ARCHIVED = "not_archived"
REFUSED = "refused"
DAMAGED = "damaged"
INCOMPLETE = "incomplete"
LICENCE = "licence"
NOT_ASKED = "not_asked"

WORDS = (NOT_YET, NOT_ARCHIVED, REFUSED, DAMAGED, INCOMPLETE, LICENCE, NOT_ASKED)
# Nothing was said about these fields: they are not missing, a later run asks for them.
ASK_AGAIN = (NOT_YET, NOT_ASKED)


class Stops(StrEnum):
    """What an error ends, from the least to the most.

    Attributes:
        REQUEST: This request alone.
        SOURCE: Every request to this dataset of the provider.
        STORE: Every request to this provider; others go on.
        RUN: Everything.
    """

    REQUEST = "request"
    SOURCE = "source"
    STORE = "store"
    RUN = "run"


def word_of(reason: str) -> str | None:
    """The word that a recorded reason begins with; ``None`` where it begins with another."""
    word = reason.partition(":")[0].strip()
    return word if word in WORDS else None
