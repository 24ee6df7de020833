"""Quirks are data: checked when declared, shown where they concern."""

import json
from datetime import datetime

import pytest
import yaml

from aurora_prep import sources
from aurora_prep.pipelines.cli import main
from aurora_prep.sources.spec import Quirk, SpecError

ALWAYS = Quirk(what="odd", known_from="somewhere")
SPAN = Quirk(
    what="odd",
    known_from="somewhere",
    start=datetime(2020, 1, 2),
    end=datetime(2020, 1, 3),
    variables=("z",),
)


@pytest.mark.parametrize(
    "parts",
    [
        {"what": ""},
        {"known_from": ""},
        {"start": datetime(2020, 1, 2), "end": datetime(2020, 1, 1)},
    ],
)
def test_quirks_that_say_nothing_are_refused(parts):
    with pytest.raises(SpecError):
        Quirk(**{"what": "odd", "known_from": "somewhere", **parts})


@pytest.mark.parametrize(
    ("first", "last", "names", "answer"),
    [
        (datetime(2020, 1, 3), datetime(2020, 1, 9), {"z", "t"}, True),
        (datetime(2019, 1, 1), datetime(2020, 1, 2), {"z"}, True),
        (datetime(2020, 1, 3, 1), datetime(2020, 1, 9), {"z"}, False),
        (datetime(2019, 1, 1), datetime(2020, 1, 1, 23), {"z"}, False),
        (datetime(2020, 1, 2), datetime(2020, 1, 2), {"t"}, False),
    ],
)
def test_a_quirk_concerns_its_times_and_variables(first, last, names, answer):
    assert SPAN.concerns(first, last, frozenset(names)) is answer
    assert ALWAYS.concerns(first, last, frozenset(names))


def test_times_are_told_in_words():
    assert ALWAYS.when == "always"
    assert SPAN.when == "from 2020-01-02 until 2020-01-03"
    assert Quirk(what="a", known_from="b", end=datetime(2018, 6, 5)).when == "until 2018-06-05"
    assert str(SPAN) == "from 2020-01-02 until 2020-01-03 (z): odd [somewhere]"


def test_sources_shows_them(capsys):
    assert main(["sources", "wave"]) == 0
    assert "quirk        until 2018-06-05: IFS cycle 45r1" in capsys.readouterr().out
    assert main(["sources", "ifs_ens_mean", "--json"]) == 0
    (quirk,) = json.loads(capsys.readouterr().out)["quirks"]
    assert (quirk["start"], quirk["end"]) == ("2019-10-17T00:00:00", "2019-10-17T12:00:00")
    assert quirk["known_from"]


@pytest.mark.parametrize(
    ("year", "variables", "shown"), [(2022, ["2t"], 0), (2022, ["pm1"], 1), (2024, ["pm1"], 2)]
)
def test_plan_shows_those_that_concern_it(capsys, tmp_path, year, variables, shown):
    entry = {
        "source": "cams_analysis",
        "grid": "0.4",
        "period": {"start": f"{year}-01-01", "end": f"{year}-01-02"},
        "variables": variables,
    }
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(yaml.safe_dump({"name": "x", "output": "out", "sources": [entry]}))
    assert main(["plan", str(recipe), "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["sources"]
    assert len(row["quirks"]) == shown
    assert main(["plan", str(recipe)]) == 0
    assert capsys.readouterr().out.count("quirk, ") == shown


@pytest.mark.parametrize("name", sources.names())
def test_quirks_name_what_they_are_known_from(name):
    for quirk in sources.load(name).quirks:
        assert len(quirk.known_from) > 4
        assert not quirk.what.endswith(".")
