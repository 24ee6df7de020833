"""Datasets of all families, from the embedded provider by real clients, and small models."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from aurora_prep.manifest import Manifest
from aurora_prep.manifest.samples import Samples, Window, samples_of
from aurora_prep.pipelines.recipe import Recipe
from aurora_prep.pipelines.run.run import run

INSTALL = 'Aurora is not installed; to run this test: pip install -e ".[torch]"'
DAY = {"start": "2020-02-28T00", "end": "2020-02-29T00", "step": "6h"}
TWO_DAYS = {"start": "2020-02-28T00", "end": "2020-02-29T12", "step": "12h"}
# A grid on which every patch size fits after Aurora has cut off the last row, and fewer levels.
COARSE = {"grid": "5", "levels": [500, 850, 1000]}
SHAPE = (37, 72)
RECIPE = {
    "name": "families",
    "output": "replaced",
    "sources": [
        {"source": "era5", "access": "cds", "period": DAY, **COARSE},
        {"source": "era5_wave", "access": "cds", "period": DAY, "grid": "5"},
        {"source": "cams_analysis", "access": "ads", "period": TWO_DAYS, **COARSE},
    ],
    "splits": {"train": ["2020-02-28", "2020-02-29"]},
}
EMISSIONS = ("ammonia", "co", "nox", "so2")
SMALL = {
    "encoder_depths": (1, 1, 1),
    "encoder_num_heads": (1, 2, 4),
    "decoder_depths": (1, 1, 1),
    "decoder_num_heads": (4, 2, 1),
    "embed_dim": 32,
    "num_heads": 1,
}


def _imported(name: str) -> ModuleType:
    return pytest.importorskip(name, reason=INSTALL, exc_type=ModuleNotFoundError)


@pytest.fixture(scope="session")
def aurora() -> ModuleType:
    return _imported("aurora")


@pytest.fixture(scope="session")
def torch(aurora: ModuleType) -> ModuleType:
    assert aurora.Batch
    return _imported("torch")


@dataclass(frozen=True)
class Family:
    """A dataset of several sources."""

    root: str

    def samples(self, source: str, *companions: str, **window: Any) -> Samples:
        with Manifest.open(self.root) as manifest:
            return samples_of(manifest, Window(**window), source=source, companions=companions)


@pytest.fixture(scope="session")
def families(tmp_path_factory: pytest.TempPathFactory) -> Family:
    """ERA5, its waves, and the composition of CAMS, on 5 degrees."""
    folder = tmp_path_factory.mktemp("families")
    recipe = Recipe.parse(RECIPE, output=str(folder / "out"))
    return Family(run(recipe, embedded=True, cache=str(folder / "cache"), show=False).root)


@pytest.fixture(scope="session")
def emissions() -> dict[str, NDArray[np.float32]]:
    """What no provider serves, as a user brings it."""
    rng = np.random.default_rng(1)
    names = [f"static_{gas}{log}" for gas in EMISSIONS for log in ("", "_log")]
    return {name: rng.random(SHAPE).astype(np.float32) for name in names}


@pytest.fixture(scope="session")
def small(torch: ModuleType, aurora: ModuleType) -> Iterator[Callable[..., Any]]:
    """Makes released classes, thinner and shallower, with the same random weights each time."""

    def make(name: str, **options: Any) -> Any:
        torch.manual_seed(1)
        return getattr(aurora, name)(**SMALL, **options)

    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    yield make
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def error_of(torch: ModuleType) -> Callable[[Any, Any, Any], Any]:
    """Mean absolute error of a prediction, normalised; points without a value do not count."""

    def error(model: Any, made: Any, wanted: Any) -> Any:
        wanted = model.batch_transform_hook(wanted).crop(model.patch_size)
        made, wanted = (one.normalise(model.surf_stats) for one in (made, wanted))
        pairs: list[tuple[Mapping[str, Any], Mapping[str, Any]]] = [
            (made.surf_vars, wanted.surf_vars),
            (made.atmos_vars, wanted.atmos_vars),
        ]
        errors = []
        for ours, theirs in pairs:
            for name, field in ours.items():
                assert field.shape == theirs[name].shape, name
                there = torch.isfinite(field) & torch.isfinite(theirs[name])
                assert there.any(), name
                errors.append((field - theirs[name])[there].abs().mean())
        return torch.stack(errors).mean()

    return error
