"""Small requests, small answers, and the provider that answers them."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from aurora_prep.providers.cache import Cache
from aurora_prep.sources.spec import Request


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache.open(tmp_path / "cache")


@pytest.fixture
def grib_bytes() -> bytes:
    """Looks like GRIB from outside."""
    return b"GRIB" + bytes(range(256)) * 8 + b"7777"


@pytest.fixture
def make_request() -> Callable[..., Request]:
    def make(day: int = 1, *, dataset: str = "some-dataset", **more: str | list[str]) -> Request:
        return Request(
            source="era5",
            access="cds",
            dataset=dataset,
            body={"day": [f"{day:02d}"], **more},
            times=(datetime(2020, 1, day),),
            fields=(("surface/2t", None),),
            synthetic=True,
        )

    return make


@pytest.fixture(autouse=True)
def _no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test finds the developer's own credentials or cache."""
    for name in ("CDSAPI_URL", "CDSAPI_KEY", "AURORA_PREP_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CDSAPI_RC", str(tmp_path / "no-cdsapirc"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home-cache"))
