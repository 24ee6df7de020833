"""``latest`` in a recipe: the newest times that a source is known to have released."""

from datetime import datetime

import pytest

from aurora_prep.pipelines.recipe import Recipe, latest
from aurora_prep.sources.spec import RecipeError


def parse(source="ifs_open", **period):
    entry = {"source": source, "grid": "0.25", "period": period}
    return Recipe.parse({"name": "x", "output": "out", "sources": [entry]})


def times(recipe):
    return [time.isoformat()[:13] for time in recipe.sources[0].period]


@pytest.mark.parametrize(
    ("now", "newest"),
    [
        (datetime(2026, 11, 28, 14, 59), "2026-11-28T00"),
        (datetime(2026, 11, 28, 15, 0), "2026-11-28T06"),
        (datetime(2026, 11, 28, 3, 0), "2026-11-27T18"),
    ],
)
def test_it_is_the_newest_time_that_is_released(monkeypatch, now, newest):
    monkeypatch.setattr(latest, "now", lambda: now)
    assert times(parse(start="latest", end="latest")) == [newest]


def test_a_span_counts_back_from_it(monkeypatch):
    monkeypatch.setattr(latest, "now", lambda: datetime(2026, 11, 28, 15))
    recipe = parse(start="latest-6h", end="latest", step="6h")
    assert times(recipe) == ["2026-11-28T00", "2026-11-28T06"]
    assert times(parse(start="latest - 1d", end="latest"))[0] == "2026-11-27T06"


def test_a_recipe_that_was_read_keeps_its_times(monkeypatch):
    """What is written beside the data, and its digest, are those of the dates."""
    monkeypatch.setattr(latest, "now", lambda: datetime(2026, 11, 28, 15))
    recipe = parse(start="latest", end="latest")
    assert recipe.text["sources"][0]["period"]["end"] == "2026-11-28T06:00:00"
    same = parse(start="2026-11-28T06:00:00", end="2026-11-28T06:00:00")
    assert recipe.digest == same.digest
    monkeypatch.setattr(latest, "now", lambda: datetime(2026, 11, 28, 21))
    assert parse(start="latest", end="latest").digest != recipe.digest


@pytest.mark.parametrize("text", ["latest", "latest-6h"])
def test_a_source_without_a_release_time_has_no_latest(text):
    with pytest.raises(RecipeError, match="no release time"):
        parse("era5", start=text, end=text)


@pytest.mark.parametrize("text", ["latest-", "latest-6", "newest", "latest+6h"])
def test_other_words_are_refused(text):
    with pytest.raises(RecipeError):
        parse(start="2026-01-01", end=text)
