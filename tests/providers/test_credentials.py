"""Keys are found as cdsapi finds them, and stay where they are found."""

import pickle

import pytest
from cdsapi.api import get_url_key_verify

from aurora_prep.providers.credentials import CdsService, Service
from aurora_prep.sources.spec import CredentialsError

KEY = "0f0e0d0c-1111-2222-3333-444455556666"


def sent(service: Service) -> Service:
    return pickle.loads(pickle.dumps(service))  # noqa: S301  # our own


@pytest.fixture
def rc(tmp_path, monkeypatch):
    path = tmp_path / "rc"
    path.write_text(f"url: https://rc.example/api\nkey: {KEY}\nverify: 0\n")
    monkeypatch.setenv("CDSAPI_RC", str(path))
    return path


@pytest.mark.usefixtures("rc")
def test_the_order_is_that_of_cdsapi(monkeypatch) -> None:
    for url, key in [(None, None), ("https://given.example/api", None), (None, "given-key")]:
        for variables in ({}, {"CDSAPI_KEY": "env-key"}, {"CDSAPI_URL": "https://env.example"}):
            with monkeypatch.context() as patch:
                for name, value in variables.items():
                    patch.setenv(name, value)
                known = Service(url=url, key=key).resolve()
                assert (known.url, known.key, known.verify) == get_url_key_verify(url, key, None)
    assert Service().resolve().verify is False


@pytest.mark.usefixtures("rc")
def test_keys_show_nowhere_and_travel_only_when_they_open_nothing() -> None:
    given = Service(url="https://given.example", key=KEY)
    known = given.resolve()
    for thing in (given, known):
        assert KEY not in repr(thing)
        assert KEY not in str(thing)
    assert KEY.encode() not in pickle.dumps(given)
    assert sent(given) == Service(url="https://given.example")
    with pytest.raises(CredentialsError) as caught:
        pickle.dumps(known)
    assert KEY not in str(caught.value)
    embedded = Service.embedded("http://127.0.0.1:1/api", KEY)
    assert sent(embedded) == embedded
    assert KEY not in repr(embedded)


@pytest.mark.usefixtures("rc")
def test_the_key_is_taken_where_it_is_used() -> None:
    there = sent(Service())
    assert there.resolve() == CdsService("https://rc.example/api", KEY, verify=False)


def test_nothing_to_be_found_says_how_to_make_it() -> None:
    with pytest.raises(CredentialsError) as caught:
        Service().resolve()
    message = str(caught.value)
    assert "~/.cdsapirc" in message
    assert "--embedded" in message
    assert "does not exist" in message


@pytest.mark.parametrize("text", ["key: x\n", "url: x\n", "", "url: x\nkey: y\nverify: no\n"])
def test_half_a_file_is_refused(rc, text) -> None:
    rc.write_text(text)
    with pytest.raises(CredentialsError, match="no address or no key"):
        Service().resolve()


@pytest.mark.parametrize("key", ["12345:" + KEY, ""])
def test_keys_of_the_former_store_are_refused(key) -> None:
    with pytest.raises(CredentialsError, match="personal access token") as caught:
        Service(url="https://x.example", key=key).resolve()
    assert KEY not in str(caught.value)
