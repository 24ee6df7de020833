"""Without numba: the same results from NumPy and SciPy."""

import subprocess
import sys

import numpy as np
import pytest

from aurora_prep.regridding import (
    Projected,
    RotatedPole,
    octahedral,
    of_grid,
    operators,
    regridder,
    rows,
)
from aurora_prep.regridding import majority as majority_module
from aurora_prep.sources.spec import Grid, Nature

SOURCES = [
    of_grid(Grid.regular("2")),
    octahedral(32),
    Projected(RotatedPole(-39.25, 18.0), np.arange(-20, 21, 1.0), np.arange(15, -16, -1.0)),
]


@pytest.mark.parametrize("source", SOURCES, ids=["regular", "reduced", "rotated"])
@pytest.mark.parametrize("method", ["conservative", "bilinear", "majority"])
@pytest.mark.parametrize("nature", [Nature.SCALAR, Nature.NORTHWARD])
@pytest.mark.parametrize("step", ["1", "5"])
def test_numpy_gives_what_numba_gives(monkeypatch, source, method, nature, step):
    random = np.random.default_rng(8)
    fields = random.integers(0, 6, (3, *source.shape)).astype(np.float64)
    fields[1][random.random(source.shape) < 0.3] = np.nan
    fields[2, ...] = np.nan
    move = regridder(source, Grid.regular(step), method, nature=nature)
    fast, part = move(fields), move.valid_part(fields)
    for module in (operators, rows, majority_module):
        monkeypatch.setattr(module, "HAVE_NUMBA", False)
    np.testing.assert_allclose(move(fields), fast, atol=1e-12)
    np.testing.assert_allclose(move(fields, threads=2), fast, atol=1e-12)
    np.testing.assert_allclose(move.valid_part(fields), part, atol=1e-12)


SCRIPT = """
import sys
sys.modules["numba"] = None
import numpy as np
from aurora_prep.regridding import compiled, octahedral, regridder
from aurora_prep.sources.spec import Grid
assert not compiled.HAVE_NUMBA
for method in ("conservative", "bilinear", "nearest", "majority"):
    source = octahedral(16)
    result = regridder(source, Grid.regular("10"), method)(np.full(source.shape, 3.5))
    np.testing.assert_allclose(result, 3.5, rtol=1e-12)
print("fine")
"""


def test_the_library_works_where_numba_cannot_be_imported():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "fine"


def test_numba_is_used_where_it_is():
    from aurora_prep.regridding import compiled  # noqa: PLC0415  # after the subprocess above

    assert compiled.HAVE_NUMBA
