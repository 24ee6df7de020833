"""How fast and how exact statistics are, beside anemoi-datasets' collector, one thread each.

Run: python benchmarks/field_statistics.py [--frames 6] [--peer-python PYTHON]

The peer needs an older Zarr than we do, so it runs under an interpreter of its own::

    python -m venv .venv-peer
    .venv-peer/bin/pip install -r benchmarks/requirements-field-statistics.txt
    python benchmarks/field_statistics.py --peer-python .venv-peer/bin/python

Both see the same float32 arrays, held in memory, one frame after another. Ours is
everything a run does: both conventions, extremes, histogram, the merge into a
shard's partials. Rounds alternate, the best of each counts, and ratios of one run
are worth more than times. Errors are against exact rational arithmetic.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

PEER = Path(__file__).with_name("field_statistics_peer.py")
SHAPE = 721, 1440
NORMAL = {
    "msl": (100_957.8, 1332.2),
    "2t": (278.5, 21.2),
    "10u": (-0.05, 5.5),
    "z_50": (199_373.0, 5875.6),
    "q_850": (4.6e-3, 4.1e-3),
}
POLLUTANT = "so2_850"
WAVE = "swh"
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
)


def main() -> None:
    """Make the arrays, time both, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peer-python", help="interpreter with anemoi-datasets")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(ours(arguments.child)))
        return
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, numpy", end=" ")
    print(f"{np.__version__}; {arguments.frames} frames of {len(names())} fields, {SHAPE}")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        exact = write(folder, arguments.frames)
        commands = {"aurora-prep": [sys.executable, __file__, "--child", scratch]}
        if arguments.peer_python:
            commands["anemoi-datasets"] = [arguments.peer_python, str(PEER), scratch]
        rounds: dict[str, list[dict[str, Any]]] = {name: [] for name in commands}
        for _ in range(arguments.rounds):
            for name, command in commands.items():
                rounds[name].append(child(command))
    show(rounds, exact)


def names() -> list[str]:
    """Fields of a frame."""
    return [*NORMAL, POLLUTANT, WAVE]


def write(folder: Path, frames: int) -> dict[str, tuple[float, float]]:
    """Write frames of shape ``(fields, rows, columns)``; returns exact mean and deviation."""
    rng = np.random.default_rng(0)
    for index in range(frames):
        noise = rng.standard_normal((len(names()), *SHAPE), np.float32)
        scales = [*NORMAL.values(), (0, 1), (2.5, 1.4)]
        location, scale = (
            np.array(part, np.float32)[:, None, None] for part in zip(*scales, strict=True)
        )
        frame = noise * scale + location
        frame[-2] = np.exp(2 * noise[-2] - 20)
        frame[-1][noise[-1] > 0.5] = np.nan
        np.save(folder / f"{index:03}.npy", frame)
    return {name: exact_moments(folder, position) for position, name in enumerate(names())}


def exact_moments(folder: Path, position: int) -> tuple[float, float]:
    """Mean and deviation in whole numbers, by numpy alone, independent of our kernel."""
    count, total, squares = 0, 0, 0
    for path in sorted(folder.glob("*.npy")):
        field = np.load(path, mmap_mode="r")[position]
        mantissa, exponent = np.frexp(field[~np.isnan(field)].astype(np.float64))
        whole = np.ldexp(mantissa, 24).astype(np.int64)
        for power in np.unique(exponent):
            part = whole[exponent == power]
            shift = int(power) + 200
            total += int(part.sum()) << shift
            high, low = np.divmod(part * part, 1 << 24)
            squares += ((int(high.sum()) << 24) + int(low.sum())) << (2 * shift)
        count += whole.size
    unit = 224
    radicand = (count * squares - total**2) << 200
    deviation = math.isqrt(radicand) / (count << (unit + 100))
    return total / (count << unit), deviation


def child(command: list[str]) -> dict[str, Any]:
    """Run one side in a process of its own, on one thread."""
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, env=os.environ | ONE_THREAD
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def ours(folder: Path) -> dict[str, Any]:
    """Reduce every frame as a run does."""
    from aurora_prep.normalisation import (  # noqa: PLC0415  the parent does not need it
        FieldName,
        ShardStatistics,
        area_weights,
        reduce_difference,
        reduce_field,
    )
    from aurora_prep.sources.spec import Grid  # noqa: PLC0415

    frames = [np.load(path) for path in sorted(folder.glob("*.npy"))]
    weights = area_weights(Grid.regular("0.25"))
    reduce_field(frames[0][0], weights)

    def values() -> ShardStatistics:
        total = ShardStatistics()
        for frame in frames:
            for name, field in zip(names(), frame, strict=True):
                total.add(f"surface/{name}", None, reduce_field(field, weights))
        return total

    def changes() -> None:
        for later, earlier in zip(frames[1:], frames, strict=False):
            for after, before in zip(later, earlier, strict=True):
                reduce_difference(after, before, weights)

    seconds, total = timed(values)
    found = [total.reductions[FieldName(f"surface/{name}")] for name in names()]
    return {
        "bytes": sum(frame.nbytes for frame in frames),
        "seconds": seconds,
        "difference_bytes": sum(frame.nbytes for frame in frames[1:]),
        "difference_seconds": timed(changes)[0],
        "mean": [one.mean for one in found],
        "deviation": [one.standard_deviation for one in found],
        "fields": {
            name: frames[0][i].nbytes / timed(lambda i=i: reduce_field(frames[0][i], weights))[0]
            for i, name in enumerate(names())
        },
        "partials": len(total.to_bytes()),
    }


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Best of three, and the result."""
    best = math.inf
    result = None
    for _ in range(3):
        start = time.perf_counter()
        result = work()
        best = min(best, time.perf_counter() - start)
    return best, result


def show(rounds: dict[str, list[dict[str, Any]]], exact: dict[str, tuple[float, float]]) -> None:
    """Print speeds, ratios and errors."""
    best = {name: min(runs, key=lambda run: run["seconds"]) for name, runs in rounds.items()}
    print(f"\n{'':18}{'GB/s':>8}{'changes GB/s':>15}{'mean error':>14}{'deviation error':>18}")
    for name, run in best.items():
        mean, deviation = (
            worst(run[kind], [pair[place] for pair in exact.values()])
            for place, kind in enumerate(("mean", "deviation"))
        )
        fastest = min(one["difference_seconds"] for one in rounds[name])
        print(
            f"{name:18}{run['bytes'] / run['seconds'] / 1e9:8.2f}"
            f"{run['difference_bytes'] / fastest / 1e9:15.2f}{mean:14.1e}{deviation:18.1e}"
        )
    if len(best) > 1:
        first, second = (rounds[name] for name in best)
        ratios = sorted(b["seconds"] / a["seconds"] for a, b in zip(first, second, strict=True))
        print(f"ratio, round by round: {', '.join(f'{ratio:.1f}' for ratio in ratios)}")
    run = best["aurora-prep"]
    print("GB/s a field: " + ", ".join(f"{k} {v / 1e9:.2f}" for k, v in run["fields"].items()))
    print(f"partials of {len(names())} fields: {run['partials']} bytes")


def worst(found: list[float], exact: list[float]) -> float:
    """Largest relative error."""
    errors: NDArray[np.float64] = np.abs(np.array(found) / np.array(exact) - 1)
    return float(errors.max())


if __name__ == "__main__":
    main()
