"""The vocabulary: what sources, frames, grids and errors are. No I/O, no Beam."""

from aurora_prep.sources.spec.access import (
    Access,
    Branch,
    Cds,
    Collection,
    Files,
    Http,
    Mars,
    Series,
    Unit,
    Zarr,
    ZarrStore,
    table_and_number,
)
from aurora_prep.sources.spec.axes import Orientation, orient
from aurora_prep.sources.spec.dialect import Dates, Dialect
from aurora_prep.sources.spec.errors import (
    AuroraPrepError,
    CredentialsError,
    DecodeError,
    EngineError,
    FetchError,
    HarmoniseError,
    ManifestError,
    RecipeError,
    RegridError,
    SpecError,
    StatisticsError,
    WriteError,
)
from aurora_prep.sources.spec.frame import HOUR, FrameKey, Timeline
from aurora_prep.sources.spec.grid import Grid
from aurora_prep.sources.spec.levels import Levels
from aurora_prep.sources.spec.quirk import Quirk
from aurora_prep.sources.spec.request import Request, digest_of
from aurora_prep.sources.spec.source import Native, Product, Source
from aurora_prep.sources.spec.variable import Kind, Nature, StepType, Variable

__all__ = [
    "HOUR",
    "Access",
    "AuroraPrepError",
    "Branch",
    "Cds",
    "Collection",
    "CredentialsError",
    "Dates",
    "DecodeError",
    "Dialect",
    "EngineError",
    "FetchError",
    "Files",
    "FrameKey",
    "Grid",
    "HarmoniseError",
    "Http",
    "Kind",
    "Levels",
    "ManifestError",
    "Mars",
    "Native",
    "Nature",
    "Orientation",
    "Product",
    "Quirk",
    "RecipeError",
    "RegridError",
    "Request",
    "Series",
    "Source",
    "SpecError",
    "StatisticsError",
    "StepType",
    "Timeline",
    "Unit",
    "Variable",
    "WriteError",
    "Zarr",
    "ZarrStore",
    "digest_of",
    "orient",
    "table_and_number",
]
