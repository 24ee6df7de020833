"""The facts that every source is held against, and a provider for its requests."""

import runpy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from aurora_prep.providers.embedded import EmbeddedProvider


@pytest.fixture(scope="session")
def cf() -> dict[str, Any]:
    """Canonical units by standard name, and units that mean the same."""
    return runpy.run_path(str(Path(__file__).with_name("cf_table.py")))


@pytest.fixture(scope="session")
def provider() -> Iterator[EmbeddedProvider]:
    """One embedded provider for all sources."""
    with EmbeddedProvider() as running:
        yield running


@pytest.fixture
def real(real_data: Path) -> Callable[[str], Path]:
    """The path of a real file."""
    return real_data.joinpath
