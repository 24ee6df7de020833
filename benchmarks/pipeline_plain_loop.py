"""The least that must be done: decode and compress every field, on two threads.

Run: python benchmarks/pipeline_plain_loop.py INPUT.grib OUTPUT_FOLDER [--zarr]

With ``--zarr`` the compressing and the writing is left to zarr-python, as most people would:
one array of all fields, a chunk each, the same codec.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import eccodes
import numpy as np
from numcodecs import Blosc, blosc

blosc.use_threads = False
COMPRESSOR = Blosc(cname="lz4", clevel=5, shuffle=Blosc.SHUFFLE)


def decoded(message: bytes) -> np.ndarray:
    """The values of a message."""
    handle = eccodes.codes_new_from_message(message)
    values = eccodes.codes_get_values(handle).astype(np.float32)
    eccodes.codes_release(handle)
    return values


def one(message: bytes) -> bytes:
    """Decode a message and compress its values."""
    return COMPRESSOR.encode(decoded(message))


def into_zarr(messages: list[bytes], target: Path) -> None:
    """Write each field as a chunk of one Zarr array."""
    import zarr  # noqa: PLC0415  the other loop does without it
    from zarr.codecs import BloscCodec  # noqa: PLC0415

    array = zarr.create_array(
        store=target,
        shape=(len(messages), 721 * 1440),
        chunks=(1, 721 * 1440),
        dtype="float32",
        compressors=[BloscCodec(cname="lz4", clevel=5, shuffle="shuffle", typesize=4)],
    )

    def write(number: int) -> None:
        array[number] = decoded(messages[number])

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, range(len(messages))))


def main() -> None:
    """Read messages, compress them on two threads, write each group of 13 as a file."""
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    messages = []
    with source.open("rb") as file:
        while (handle := eccodes.codes_grib_new_from_file(file)) is not None:
            messages.append(eccodes.codes_get_message(handle))
            eccodes.codes_release(handle)
    if "--zarr" in sys.argv:
        into_zarr(messages, target)
        return
    target.mkdir(exist_ok=True)
    with ThreadPoolExecutor(2) as pool:
        group: list[bytes] = []
        for number, chunk in enumerate(pool.map(one, messages)):
            group.append(chunk)
            if len(group) == 13 or number + 1 == len(messages):
                (target / str(number)).write_bytes(b"".join(group))
                group = []


if __name__ == "__main__":
    main()
