"""Both stores side by side, without a file edited to use the other."""

import pickle

import pytest

from aurora_prep.providers.credentials import ADDRESS, Service, ServiceKind
from aurora_prep.sources.spec import CredentialsError

CLIMATE_KEY = "0f0e0d0c-1111-2222-3333-444455556666"
OTHER_KEY = "aaaaaaaa-1111-2222-3333-444455556666"
CLIMATE, ATMOSPHERE = ADDRESS[ServiceKind.CDS], ADDRESS[ServiceKind.ADS]


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A home without anything in it."""
    for name in ("ADSAPI_URL", "ADSAPI_KEY", "ADSAPI_RC", "CDSAPI_RC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def cdsapirc(home):
    path = home / ".cdsapirc"
    path.write_text(f"url: {CLIMATE}\nkey: {CLIMATE_KEY}\n")
    return path


def found(access):
    known = Service().towards(access).resolve()
    return known.url, known.key


@pytest.mark.usefixtures("cdsapirc")
def test_one_login_serves_both_stores():
    assert found("cds") == (CLIMATE, CLIMATE_KEY)
    assert found("ads") == (ATMOSPHERE, CLIMATE_KEY)


def test_a_file_edited_for_the_other_store_serves_both_too(cdsapirc):
    cdsapirc.write_text(f"url: {ATMOSPHERE}\nkey: {CLIMATE_KEY}\n")
    assert found("cds") == (CLIMATE, CLIMATE_KEY)
    assert found("ads") == (ATMOSPHERE, CLIMATE_KEY)


@pytest.mark.usefixtures("cdsapirc")
def test_its_own_file_comes_before_the_other_s(home):
    (home / ".adsapirc").write_text(f"url: https://own.example/api\nkey: {OTHER_KEY}\nverify: 0\n")
    known = Service().towards("ads").resolve()
    assert (known.url, known.key, known.verify) == ("https://own.example/api", OTHER_KEY, False)
    assert found("cds") == (CLIMATE, CLIMATE_KEY)


@pytest.mark.usefixtures("cdsapirc")
def test_half_a_file_is_completed(home):
    (home / ".adsapirc").write_text(f"key: {OTHER_KEY}\n")
    assert found("ads") == (ATMOSPHERE, OTHER_KEY)
    (home / ".adsapirc").write_text("url: https://own.example/api\n")
    assert found("ads") == ("https://own.example/api", CLIMATE_KEY)


@pytest.mark.usefixtures("cdsapirc")
def test_the_environment_comes_before_files(home, monkeypatch):
    (home / "elsewhere").write_text(f"url: https://file.example/api\nkey: {CLIMATE_KEY}\n")
    monkeypatch.setenv("ADSAPI_RC", str(home / "elsewhere"))
    assert found("ads") == ("https://file.example/api", CLIMATE_KEY)
    monkeypatch.setenv("ADSAPI_KEY", OTHER_KEY)
    assert found("ads") == ("https://file.example/api", OTHER_KEY)
    monkeypatch.setenv("ADSAPI_URL", "https://env.example/api")
    assert found("ads") == ("https://env.example/api", OTHER_KEY)
    assert found("cds") == (CLIMATE, CLIMATE_KEY)


@pytest.mark.usefixtures("cdsapirc")
def test_a_named_file_that_is_not_there_is_not_replaced_by_another_login(home, monkeypatch):
    monkeypatch.setenv("ADSAPI_RC", str(home / "nowhere"))
    with pytest.raises(CredentialsError) as caught:
        found("ads")
    assert "nowhere does not exist" in caught.value.args[2]
    assert CLIMATE_KEY not in str(caught.value)


def test_nothing_to_be_found_names_every_place():
    with pytest.raises(CredentialsError) as caught:
        found("ads")
    for word in ("ADSAPI_KEY", "CDSAPI_KEY", "~/.adsapirc", "~/.cdsapirc"):
        assert word in caught.value.args[2]


@pytest.mark.usefixtures("cdsapirc")
def test_keys_show_nowhere_and_stay_where_they_are():
    service = Service().towards("ads")
    assert CLIMATE_KEY not in repr(service.resolve())
    assert CLIMATE_KEY.encode() not in pickle.dumps(service)
    assert pickle.loads(pickle.dumps(service)) == service  # noqa: S301  # our own


def test_the_embedded_provider_stands_for_every_store():
    service = Service.embedded("http://127.0.0.1:1/api", "key")
    assert service.towards("ads") is service
    assert service.towards("cds") is service


def test_an_unknown_store_is_refused():
    with pytest.raises(CredentialsError, match="no service"):
        Service().towards("ftp")
