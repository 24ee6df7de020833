"""Beam's worker process, whose notes go to the engine and not to the terminal too."""

import contextlib
import logging
import os
import sys
from pathlib import Path

# Before Beam is imported: it adds a handler to the terminal where there is none.
logging.getLogger().addHandler(logging.NullHandler())

from apache_beam.runners.worker import sdk_worker_main  # noqa: E402  the handler comes first

from aurora_prep.providers.kin import end_with_parent  # noqa: E402  the same

if __name__ == "__main__":
    end_with_parent()
    # The harness prints every traceback, which it also sends to the launcher. What it
    # raises itself is printed by Python, outside of this block.
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stderr(nowhere):
        sdk_worker_main.main(sys.argv)  # type: ignore[no-untyped-call]
