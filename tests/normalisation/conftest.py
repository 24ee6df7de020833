"""Fields like the real ones, and exact answers about them."""

from datetime import datetime, timedelta
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from aurora_prep.normalisation import ShardStatistics, area_weights, reduce_field
from aurora_prep.sources.spec import FrameKey, Grid

START = datetime(2020, 1, 1)

LIKE = {
    "msl": (100_957.8, 1332.2),
    "z_50": (199_373.0, 5875.6),
    "2t": (278.5, 21.2),
    "10u": (-0.05, 5.5),
    "q_50": (2.68e-06, 3.57e-07),
    "half_a_kelvin_on_280": (280.0, 0.5),
}


def normal(name: str, shape: tuple[int, int], seed: int = 0) -> NDArray[np.float32]:
    location, scale = LIKE[name]
    noise = np.random.default_rng(seed).standard_normal(shape)
    return (noise * scale + location).astype(np.float32)


def pollutant(shape: tuple[int, int], seed: int = 0) -> NDArray[np.float32]:
    """Thirty octaves in a row, with zeros."""
    noise = np.random.default_rng(seed).standard_normal(shape)
    return np.where(noise > 2.5, 0, np.exp(6 * noise - 20)).astype(np.float32)


def with_holes(field: NDArray[np.float32], share: float, seed: int = 1) -> NDArray[np.float32]:
    holes = np.random.default_rng(seed).random(field.shape) < share
    return np.where(holes, np.float32(np.nan), field)


def exact_moments(
    values: NDArray[np.float32], weights: NDArray[np.float64] | None = None
) -> tuple[Fraction, Fraction]:
    """Mean and variance as exact rationals, leaving out NaN."""
    spread = np.ones(values.shape) if weights is None else np.broadcast_to(weights, values.shape)
    seen = ~np.isnan(values)
    pairs = [
        (Fraction(float(w)), Fraction(float(x)))
        for w, x in zip(spread[seen], values[seen], strict=True)
    ]
    weight = sum(w for w, _ in pairs)
    mean = sum(w * x for w, x in pairs) / weight
    return mean, sum(w * (x - mean) ** 2 for w, x in pairs) / weight


def frame_key(index: int, *, step_hours: int = 6, source: str = "era5") -> FrameKey:
    return FrameKey(source, START + index * timedelta(hours=step_hours))


@pytest.fixture(scope="session")
def small_frames() -> list[ShardStatistics]:
    """A thousand frames of three small fields, ragged in what is missing."""
    weights = area_weights(Grid.regular("30"))
    frames = []
    for index in range(1000):
        statistics = ShardStatistics()
        for name, level in (("surface/msl", None), ("atmospheric/z", 50), ("surface/pm1", None)):
            if index % 7 == 3 and name == "surface/pm1":
                continue
            shape = weights.size, 12
            field = {
                "surface/msl": lambda i, s=shape: normal("msl", s, i),
                "atmospheric/z": lambda i, s=shape: normal("z_50", s, i),
                "surface/pm1": lambda i, s=shape: pollutant(s, i),
            }[name](index)
            field = with_holes(field, (index % 5) / 4, index)
            statistics.add(name, level, reduce_field(field, weights))
        statistics.add_frame(frame_key(index), f"digest-{index}")
        frames.append(statistics)
    return frames
