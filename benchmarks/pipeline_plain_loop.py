"""The least that must be done: decode and compress every field, on two threads.

Run: python benchmarks/pipeline_plain_loop.py INPUT.grib OUTPUT_FOLDER
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import eccodes
import numpy as np
from numcodecs import Blosc, blosc

blosc.use_threads = False
COMPRESSOR = Blosc(cname="lz4", clevel=5, shuffle=Blosc.SHUFFLE)


def one(message: bytes) -> bytes:
    """Decode a message and compress its values."""
    handle = eccodes.codes_new_from_message(message)
    values = eccodes.codes_get_values(handle).astype(np.float32)
    eccodes.codes_release(handle)
    return COMPRESSOR.encode(values)


def main() -> None:
    """Read messages, compress them on two threads, write each group of 13 as a file."""
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    target.mkdir(exist_ok=True)
    messages = []
    with source.open("rb") as file:
        while (handle := eccodes.codes_grib_new_from_file(file)) is not None:
            messages.append(eccodes.codes_get_message(handle))
            eccodes.codes_release(handle)
    with ThreadPoolExecutor(2) as pool:
        group: list[bytes] = []
        for number, chunk in enumerate(pool.map(one, messages)):
            group.append(chunk)
            if len(group) == 13 or number + 1 == len(messages):
                (target / str(number)).write_bytes(b"".join(group))
                group = []


if __name__ == "__main__":
    main()
