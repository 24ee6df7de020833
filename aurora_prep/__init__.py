"""aurora-prep: weather data made ready for Microsoft's Aurora.

The front door. ``pyproj`` is imported before anything else: ecCodes' wheel
loads its own copy of the PROJ library, and the interpreter crashes when
``pyproj`` comes second. The public names are found on first use, so that
taking one of them does not import the libraries of the others.
"""

from aurora_prep import _proj  # noqa: F401  # isort: skip

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aurora_prep.manifest.query import Manifest
    from aurora_prep.pipelines.recipe import Recipe
    from aurora_prep.pipelines.run.run import run
    from aurora_prep.pipelines.shard.regrid_file import regrid_file as regrid

__all__ = ["Manifest", "Recipe", "regrid", "run"]
__version__ = version("aurora-prep")

_PLACES = {
    "Manifest": ("manifest.query", "Manifest"),
    "Recipe": ("pipelines.recipe", "Recipe"),
    "regrid": ("pipelines.shard.regrid_file", "regrid_file"),
    "run": ("pipelines.run.run", "run"),
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _PLACES[name]
    return getattr(import_module(f"{__name__}.{module}"), attribute)
