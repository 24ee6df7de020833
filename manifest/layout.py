"""Names of the files of a dataset, each written once.

Every path is relative to the dataset: ``<source>/<grid>.zarr`` holds the frames of a source,
``static/<grid>.zarr`` the static fields of a grid, ``manifest/`` the ledger and its tables,
``statistics/`` the normalisation statistics; ``dataset.json`` is written last.
"""

DATASET = "dataset.json"
"""What the dataset is, with the digests that seal it; written last."""
COLLECTION = "collection.json"
"""The STAC collection."""
STATISTICS = "statistics"
"""Folder of the normalisation statistics."""
STATIC = "static"
"""Folder of the stores of static fields; also the name of the shard task that writes them."""

MANIFEST = "manifest"
"""Folder of the ledger and of the tables made from it."""
CLAIM = f"{MANIFEST}/recipe.json"
"""The note that claims an output for a recipe; written first, removed last."""
INPUTS = f"{MANIFEST}/inputs.json"
"""Fingerprints of the user's own files, by name, where there are any."""
PARTS = f"{MANIFEST}/parts"
"""Folder of the parts, which are the ledger."""
INDEX_NAME = "index.json"
INDEX = f"{MANIFEST}/{INDEX_NAME}"
"""The digests of the tables, written after them."""
PARQUET = ".parquet"
ZARR_METADATA = "zarr.json"
"""The metadata of a Zarr group or array, within its folder."""


def pair(source: str, grid: str) -> str:
    """How a source on a grid is called within a file's name: ``era5-0.25``."""
    return f"{source}-{grid}"


def source_of(name: str) -> str:
    """The source in such a name; the names of sources hold no hyphen."""
    return name.partition("-")[0]


def store(source: str, grid: str) -> str:
    """The Zarr store of the frames of a source on a grid."""
    return f"{source}/{grid}.zarr"


def static_store(grid: str) -> str:
    """The Zarr store of the static fields of a grid."""
    return f"{STATIC}/{grid}.zarr"


def parts_folder(source: str, grid: str) -> str:
    """The folder of the parts of a source on a grid."""
    return f"{PARTS}/{pair(source, grid)}"


def part(source: str, grid: str, shard: str) -> str:
    """The part of a shard task, by the shard's name."""
    return f"{parts_folder(source, grid)}/{shard}{PARQUET}"


def table_name(table: str) -> str:
    """The file's name of a table of the manifest, within its folder."""
    return table + PARQUET


def table(table: str) -> str:
    """A table of the manifest."""
    return f"{MANIFEST}/{table_name(table)}"


def statistics(source: str, grid: str, ending: str = ".json") -> str:
    """The statistics of a source on a grid, as JSON or NetCDF (``.nc``)."""
    return f"{STATISTICS}/{pair(source, grid)}{ending}"
