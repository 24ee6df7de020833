"""The peer's side of ``field_statistics.py``: anemoi-datasets' collector, as its creator calls it.

Run by that script under the peer's interpreter: python field_statistics_peer.py FOLDER
"""

import json
import math
import sys
import time
from pathlib import Path

import numpy as np
from anemoi.datasets.create.statistics import StatisticsCollector

HOUR = np.timedelta64(6, "h")


def main() -> None:
    """Collect every frame, one date a chunk, with and without changes."""
    frames = [np.load(path) for path in sorted(Path(sys.argv[1]).glob("*.npy"))]
    chunks = [frame.reshape(1, frame.shape[0], 1, -1) for frame in frames]
    names = [str(i) for i in range(frames[0].shape[0])]
    values, collector = timed(chunks, names, {})
    both, _ = timed(chunks, names, {"6h": 1})
    found = collector.statistics()
    result = {
        "bytes": sum(chunk.nbytes for chunk in chunks),
        "seconds": values,
        "difference_bytes": sum(chunk.nbytes for chunk in chunks[1:]),
        "difference_seconds": both - values,
        "mean": found["mean"].tolist(),
        "deviation": found["stdev"].tolist(),
    }
    print(json.dumps(result))


def timed(
    chunks: list[np.ndarray], names: list[str], tendencies: dict[str, int]
) -> tuple[float, StatisticsCollector]:
    """Best of three, and the collector."""
    best = math.inf
    for _ in range(3):
        collector = StatisticsCollector(
            variables_names=names, allow_nans=True, tendencies=tendencies
        )
        start = time.perf_counter()
        for index, chunk in enumerate(chunks):
            dates = np.array([np.datetime64("2020-01-01") + index * HOUR])
            collector.collect(chunk, dates)
        best = min(best, time.perf_counter() - start)
    return best, collector


if __name__ == "__main__":
    main()
