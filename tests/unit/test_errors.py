"""Errors keep their four parts wherever they travel."""

import pickle

import pytest

from aurora_prep.sources import spec
from aurora_prep.sources.spec import (
    AuroraPrepError,
    CredentialsError,
    FetchError,
    outcome,
    reason_of,
)

PARTS = ("a problem", "a place", "what was found", "what to do")
CLASSES = sorted(
    (
        found
        for found in vars(spec).values()
        if isinstance(found, type) and issubclass(found, AuroraPrepError)
    ),
    key=lambda found: found.__name__,
)


def test_every_stage_has_its_error():
    names = {found.__name__.removesuffix("Error") for found in CLASSES}
    assert names == {
        "AuroraPrep", "Spec", "Recipe", "Fetch", "Credentials", "Decode", "Harmonise", "Regrid",
        "Statistics", "Write", "Manifest", "Engine",
        "Damaged", "Incomplete", "Licence", "Local", "NotArchived", "NotAsked", "NotYet",
        "RequestRefused", "SourceClosed",
    }  # fmt: skip


@pytest.mark.parametrize("kind", CLASSES)
def test_an_error_survives_pickling_and_being_made_again(kind):
    error = kind(*PARTS)
    for copy in (pickle.loads(pickle.dumps(error)), type(error)(*error.args)):  # noqa: S301  # our own bytes
        assert type(copy) is kind
        assert copy.args == PARTS
        assert str(copy) == str(error)


@pytest.mark.parametrize("kind", CLASSES)
def test_every_part_is_shown(kind):
    assert str(kind(*PARTS)) == (
        "a problem\n  where: a place\n  found: what was found\n  fix:   what to do"
    )


@pytest.mark.parametrize("kind", CLASSES)
def test_a_place_is_added_to_a_copy(kind):
    error = kind(*PARTS)
    placed = error.at("era5/2020-01-01T00+000h")
    assert type(placed) is kind
    assert placed.args[1] == "a place @ era5/2020-01-01T00+000h"
    assert error.args == PARTS


@pytest.mark.parametrize("parts", [(), ("one",), PARTS[:3], (*PARTS, "five")])
def test_four_parts_it_is(parts):
    with pytest.raises(TypeError):
        AuroraPrepError(*parts)


@pytest.mark.parametrize("kind", [k for k in CLASSES if issubclass(k, FetchError)])
def test_a_failed_fetch_says_why_in_one_word(kind):
    error = pickle.loads(pickle.dumps(kind(*PARTS)))  # noqa: S301  # our own bytes
    assert outcome.word_of(reason_of(error)) == error.word
    assert error.word in outcome.WORDS


def test_a_reason_without_a_stable_word_has_none():
    assert outcome.word_of("a GRIB file ends early") is None
    assert outcome.word_of("not_yet: the archive ends on 2026-11-20") == outcome.NOT_YET
    assert set(outcome.ASK_AGAIN) < set(outcome.WORDS)


def test_refused_credentials_are_a_failed_fetch():
    assert issubclass(CredentialsError, FetchError)
