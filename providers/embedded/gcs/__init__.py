"""An object store on loopback: Cloud Storage's JSON API over anything that maps names to bytes.

Serve a folder, or implement :class:`Objects` (for a bucket that is only read, subclass
:class:`ReadOnly` and give ``names``, ``stat`` and ``read``) and mount it::

    with GcsEmulator(buckets={"weatherbench2": Virtual(...)}) as gcs:
        os.environ.update(gcs.environment)
        xarray.open_zarr("gs://weatherbench2/...")
"""

from aurora_prep.providers.embedded.gcs.emulator import GcsEmulator
from aurora_prep.providers.embedded.gcs.faults import ALWAYS, FAULTS, GcsFaults
from aurora_prep.providers.embedded.gcs.folder import FolderObjects
from aurora_prep.providers.embedded.gcs.objects import About, Objects, ReadOnly, ReadOnlyError, Stat
from aurora_prep.providers.embedded.gcs.transport import Exchange

__all__ = [
    "ALWAYS",
    "FAULTS",
    "About",
    "Exchange",
    "FolderObjects",
    "GcsEmulator",
    "GcsFaults",
    "Objects",
    "ReadOnly",
    "ReadOnlyError",
    "Stat",
]
