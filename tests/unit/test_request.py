"""Digests: the same for the same question, on every machine."""

import hashlib
import os
import subprocess
import sys
from datetime import datetime

import pytest

from aurora_prep.sources.spec import Request, digest_of

PROGRAM = """
from datetime import datetime
from aurora_prep.sources.spec import Request
body = {"year": ["2020"], "variable": ["a", "b"], "time": ["00:00"]}
body = {key: body[key] for key in set(body)}
print(Request(source="era5", access="cds", dataset="d", body=body,
              times=(datetime(2020, 1, 1),), fields=(("surface/2t", None),)).digest)
"""


def make(**change):
    whole = {
        "source": "era5",
        "access": "cds",
        "dataset": "d",
        "body": {"variable": ["a", "b"], "year": ["2020"], "time": ["00:00"]},
        "times": (datetime(2020, 1, 1),),
        "fields": (("surface/2t", None),),
    }
    return Request(**{**whole, **change})


def test_the_digest_is_that_of_sorted_compact_json():
    text = '["cds","d",{"time":["00:00"],"variable":["a","b"],"year":["2020"]},false]'  # by hand
    assert make().digest == hashlib.sha256(text.encode()).hexdigest()


def test_key_order_does_not_count():
    body = make().body
    assert make(body=dict(reversed(body.items()))).digest == make().digest


def test_what_does_not_decide_the_answer_does_not_count():
    later = (datetime(2021, 1, 1),)
    assert make(source="other", times=later, fields=()).digest == make().digest


@pytest.mark.parametrize(
    "change",
    [
        {"access": "ads"},
        {"dataset": "e"},
        {"synthetic": True},
        {"body": {"variable": ["b", "a"], "year": ["2020"], "time": ["00:00"]}},
        {"body": {"variable": ["a", "b"], "year": "2020", "time": ["00:00"]}},
    ],
)
def test_what_decides_the_answer_counts(change):
    assert make(**change).digest != make().digest


@pytest.mark.parametrize("seed", ["0", "4242"])
def test_the_digest_does_not_depend_on_the_hash_seed(seed):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == make().digest


def test_text_beyond_ascii_is_escaped():
    assert digest_of("é") == hashlib.sha256(b'"\\u00e9"').hexdigest()
