"""ecCodes brings its own PROJ: pyproj must come first, whatever is imported how."""

import subprocess
import sys

import pytest

USE = """
import eccodes, pyproj
x, y = pyproj.Transformer.from_crs(4326, 3857, always_xy=True).transform(10.0, 50.0)
assert abs(x - 1113194.9) < 1 and abs(y - 6446275.8) < 1
handle = eccodes.codes_grib_new_from_samples("regular_ll_sfc_grib2")
assert eccodes.codes_get(handle, "Ni") > 0
print("well")
"""
IMPORTS_ALL = """
import importlib, sys
for name in {names!r}:
    importlib.import_module(name)
"""


def run(program):
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "well\n"), done.stderr


@pytest.mark.parametrize(
    "imports",
    [
        "import eccodes, aurora_prep",
        "import eccodes, aurora_prep, pyproj.network",
        "import gribapi, aurora_prep.regridding",
        "import eccodeslib, eccodes, aurora_prep.pipelines.reading.grib",
        "import xarray, eccodes, aurora_prep.pipelines.cli",
        "import aurora_prep, eccodes, pyproj",
        "import aurora_prep, pyproj, eccodes",
        "import aurora_prep.pipelines.reading.grib, aurora_prep.regridding",
        "import aurora_prep.regridding, aurora_prep.pipelines.reading.grib",
        "import aurora_prep.providers.embedded, aurora_prep.regridding",
        "import aurora_prep.pipelines.cli",
        "from aurora_prep.sources.spec import Grid",
    ],
)
def test_no_order_crashes(imports):
    run(imports + USE)


def test_the_front_door_imports_pyproj_and_not_eccodes():
    run("""
import sys
import aurora_prep
assert "pyproj" in sys.modules and "eccodes" not in sys.modules
print("well")
""")


def test_a_pyproj_that_others_spoiled_is_refused_by_name():
    done = subprocess.run(
        [sys.executable, "-c", "import eccodes, pyproj\nimport aurora_prep"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "import aurora_prep (or pyproj) before eccodes" in done.stderr


def test_all_modules_are_imported_from_the_last_to_the_first(modules):
    names = sorted((name for name in modules if not name.endswith("__main__")), reverse=True)
    run(IMPORTS_ALL.format(names=names) + USE)


def test_the_front_door_has_the_public_names_and_opens_at_once():
    run("""
import sys
import aurora_prep
assert not {"xarray", "apache_beam", "duckdb", "numba"} & set(sys.modules)
from aurora_prep import Manifest, Recipe, regrid, run
from aurora_prep import sources
assert Manifest.open and Recipe.load and callable(regrid) and callable(run)
assert "era5" in sources.names()
try:
    aurora_prep.nothing
except AttributeError:
    print("well")
""")
