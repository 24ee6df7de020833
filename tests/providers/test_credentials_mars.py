"""Credentials of the archive and of file trees, beside those of the data stores."""

import json
import pickle

import pytest

from aurora_prep.providers.credentials import HIDDEN, Service, ServiceKind
from aurora_prep.providers.credentials_http import resolve_http
from aurora_prep.providers.credentials_mars import MarsService, resolve_mars
from aurora_prep.sources.spec import CredentialsError

KEY = "0123456789abcdef0123456789abcdef"
EMAIL = "somebody@example.org"
URL = "https://api.example/v1"
MARS = Service(ServiceKind.MARS)
STORE_KEY = "11111111-2222-3333-4444-555555555555"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A home without any credentials."""
    for name in ("URL", "KEY", "EMAIL", "RC_FILE"):
        monkeypatch.delenv(f"ECMWF_API_{name}", raising=False)
    for name in ("URL", "AUTHORIZATION"):
        monkeypatch.delenv(f"AURORA_PREP_D113001_{name}", raising=False)
    monkeypatch.delenv("CDSAPI_RC", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def rc(home):
    (home / ".ecmwfapirc").write_text(json.dumps({"url": URL, "key": KEY, "email": EMAIL}))


@pytest.fixture
def environment(monkeypatch):
    monkeypatch.setenv("ECMWF_API_URL", f"{URL}/")
    monkeypatch.setenv("ECMWF_API_KEY", "from-the-environment")
    monkeypatch.setenv("ECMWF_API_EMAIL", EMAIL)


@pytest.mark.usefixtures("rc")
def test_the_client_s_own_file_is_read():
    assert resolve_mars(MARS) == MarsService(URL, KEY, EMAIL)


@pytest.mark.usefixtures("rc", "environment")
def test_the_environment_comes_first():
    assert resolve_mars(MARS).key == "from-the-environment"
    assert resolve_mars(MARS).url == URL


@pytest.mark.usefixtures("rc")
def test_another_file_can_be_named(home, monkeypatch):
    other = home / "other.json"
    other.write_text(json.dumps({"url": URL, "key": "other", "email": EMAIL}))
    monkeypatch.setenv("ECMWF_API_RC_FILE", str(other))
    assert resolve_mars(MARS).key == "other"


@pytest.mark.usefixtures("rc")
def test_stores_and_archive_live_side_by_side(home, monkeypatch):
    """One user, three services, no file edited."""
    (home / ".cdsapirc").write_text(f"url: https://cds.example/api\nkey: {STORE_KEY}\n")
    service = Service()
    assert service.towards("cds").resolve().url == "https://cds.example/api"
    assert service.towards("ads").resolve().url == "https://ads.atmosphere.copernicus.eu/api"
    assert service.towards("ads").resolve().key == STORE_KEY
    assert resolve_mars(service.towards("mars")).key == KEY
    monkeypatch.setenv("AURORA_PREP_D113001_AUTHORIZATION", "Bearer of-a-token")
    (tree,) = resolve_http(service.towards("http"), "d113001", "https://tree.example/x")
    assert tree.headers == {"Authorization": "Bearer of-a-token"}


def test_nobody_is_no_user_of_the_archive():
    """The client would go on as anonymous, and be refused after a minute or more."""
    with pytest.raises(CredentialsError, match="no credentials") as caught:
        resolve_mars(MARS)
    assert "~/.ecmwfapirc does not exist" in caught.value.args[2]


@pytest.mark.parametrize("text", ["{", '{"url": "https://a"}', "[]", ""])
def test_half_a_file_is_refused_without_showing_it(home, text):
    (home / ".ecmwfapirc").write_text(text)
    with pytest.raises(CredentialsError, match="cannot be read") as caught:
        resolve_mars(MARS)
    assert ".ecmwfapirc exists" in caught.value.args[2]


def test_half_an_environment_is_refused_without_showing_it(monkeypatch):
    monkeypatch.setenv("ECMWF_API_KEY", KEY)
    with pytest.raises(CredentialsError, match="cannot be read") as caught:
        resolve_mars(MARS)
    assert KEY not in str(caught.value)
    assert "ECMWF_API_KEY" in str(caught.value)


@pytest.mark.usefixtures("rc")
def test_keys_show_nowhere_and_stay_where_they_are():
    known = resolve_mars(MARS)
    assert KEY not in repr(known)
    assert EMAIL not in repr(known)
    assert known.hide(f"{KEY} of {EMAIL}") == f"{HIDDEN} of {HIDDEN}"
    with pytest.raises(CredentialsError, match="leave its process"):
        pickle.dumps(known)
    assert KEY.encode() not in pickle.dumps(MARS)


def test_what_opens_a_tree_shows_nowhere(monkeypatch):
    monkeypatch.setenv("AURORA_PREP_D113001_AUTHORIZATION", "Bearer of-a-token")
    known, other = resolve_http(
        Service(ServiceKind.HTTP), "d113001", "https://tree.example/x/", "https://b.example/x"
    )
    assert known.url == "https://tree.example/x"
    assert "token" not in repr(known)
    assert known.hide("sent of-a-token") == f"sent {HIDDEN}"
    assert known.headers == {"Authorization": "Bearer of-a-token"}
    assert other.headers == {}  # what opens one door is not shown at another
    with pytest.raises(CredentialsError):
        pickle.dumps(known)


def test_a_mirror_replaces_the_address_of_a_tree(monkeypatch):
    monkeypatch.setenv("AURORA_PREP_D113001_URL", "http://mirror.example/rda/")
    (known,) = resolve_http(
        Service(ServiceKind.HTTP), "d113001", "https://tree.example/x", "https://b.example/x"
    )
    assert known.url == "http://mirror.example/rda"
    assert known.headers == {}
    assert known.hide("nothing to hide") == "nothing to hide"


@pytest.mark.usefixtures("rc", "environment")
def test_the_embedded_provider_asks_for_nothing_of_the_user():
    service = Service.embedded("http://127.0.0.1:1/api", "open").towards("mars")
    assert resolve_mars(service).url == "http://127.0.0.1:1/v1"
    assert resolve_mars(service).key == "open"
    (tree,) = resolve_http(service.towards("http"), "d113001", "https://tree.example/x")
    assert (tree.url, tree.headers) == ("http://127.0.0.1:1/files/tree.example/x", {})
