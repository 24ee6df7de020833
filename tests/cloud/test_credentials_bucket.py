"""Workers without a home find credentials in a private bucket."""

import os
import stat
from pathlib import Path

import pytest

from aurora_prep.manifest import durable
from aurora_prep.providers import credentials_bucket
from aurora_prep.sources.spec import CredentialsError

FOLDER = "gs://data/secret"
RC = b"url: https://example.org/api\nkey: only-a-test\n"


@pytest.fixture(autouse=True)
def _clean(monkeypatch):
    for name in (*credentials_bucket.FILES.values(), credentials_bucket.VARIABLE):
        monkeypatch.setenv(name, "")  # so that what the code sets is undone
        monkeypatch.delenv(name)
    credentials_bucket._copies.cache_clear()


@pytest.mark.usefixtures("gcs")
def test_clients_are_led_to_a_private_copy(monkeypatch):
    durable.put(f"{FOLDER}/cdsapirc", RC)
    monkeypatch.setenv("ADSAPI_RC", "/mine")
    durable.put(f"{FOLDER}/adsapirc", RC)
    credentials_bucket.bring(FOLDER)
    path = Path(os.environ["CDSAPI_RC"])
    assert path.read_bytes() == RC
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert os.environ["ADSAPI_RC"] == "/mine"


def test_it_is_read_once_in_a_process(gcs):
    durable.put(f"{FOLDER}/ecmwfapirc", b"{}")
    credentials_bucket.bring(FOLDER)
    gcs.forget()
    credentials_bucket.bring(f"{FOLDER}/")
    assert gcs.requests == ()


@pytest.mark.usefixtures("gcs")
def test_an_empty_folder_is_a_four_part_error():
    with pytest.raises(CredentialsError, match="no credentials in the bucket"):
        credentials_bucket.bring(FOLDER)


def test_without_a_choice_nothing_happens():
    assert credentials_bucket.chosen() is None
    credentials_bucket.bring(credentials_bucket.chosen())
    assert "CDSAPI_RC" not in os.environ
