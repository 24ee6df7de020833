"""NetCDF written in a process of its own.

The HDF5 library is not made for threads: a server thread that writes while the
client's thread reads in the same process brings the process down. ecCodes is
made for threads, so GRIB needs nothing of the kind.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from aurora_prep.providers.embedded.netcdf import Older, write
from aurora_prep.providers.embedded.selection import Selection, Wanted

Job = tuple[Selection, tuple[Wanted, ...], Path, Older]
CHILD = "from aurora_prep.providers.embedded.apart import main; main()"


def write_apart(selection: Selection, wanted: Sequence[Wanted], path: Path, older: Older) -> None:
    """Run ``netcdf.write`` with these arguments in a new process and wait for it.

    Raises:
        RuntimeError: The process failed; carries what it said.
    """
    job: Job = (selection, tuple(wanted), path, older)
    done = subprocess.run(  # noqa: S603  # this interpreter and a constant
        [sys.executable, "-P", "-c", CHILD],
        input=pickle.dumps(job),
        capture_output=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"NetCDF was not written: {done.stderr.decode(errors='replace')}")


def main() -> None:
    """Write the one job that the parent sends on standard input."""
    job: Job = pickle.loads(sys.stdin.buffer.read())  # noqa: S301  # from our own parent
    selection, wanted, path, older = job
    write(selection, wanted, path, older)
