"""What every test may use."""

import os
from pathlib import Path

import pytest

# A library of the browser's driver brings a plugin that warns, and warnings are errors here.
os.environ.setdefault("HYPOTHESIS_NO_PLUGINS", "1")
# A service that is away is waited for, for a week by default: no test waits for so long.
os.environ.setdefault("AURORA_PREP_DEADLINE", "120s")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real GRIB and NetCDF files; tests that read them skip without it."""
    folder = os.environ.get("AURORA_PREP_REAL_DATA")
    if not folder:
        pytest.skip("set AURORA_PREP_REAL_DATA to the folder of real files to run this test")
    return Path(folder)
