"""``pyproj`` beside ecCodes, whichever of the two comes first.

Both bring a PROJ library of their own. The second one to be loaded takes the functions of
the first, of another version, and the interpreter crashes. Loaded by itself here, ``pyproj``
keeps to its own copy (``RTLD_DEEPBIND``) when ecCodes is there already.
"""

import os
import sys
from importlib import import_module
from typing import Any

PYPROJ = "pyproj"
ECCODES = ("eccodes", "gribapi", "eccodeslib", "eckitlib", "cfgrib")


def _load() -> None:
    position = {name: place for place, name in enumerate(sys.modules)}
    first = min((position[name] for name in ECCODES if name in position), default=None)
    if PYPROJ in position and first is not None and first < position[PYPROJ]:
        _require_working()
    elif first is not None and hasattr(os, "RTLD_DEEPBIND"):
        flags = sys.getdlopenflags()
        sys.setdlopenflags(flags | os.RTLD_NOW | os.RTLD_DEEPBIND)
        try:
            import_module(PYPROJ)
        finally:
            sys.setdlopenflags(flags)
    else:
        import_module(PYPROJ)


def _require_working() -> None:
    """Refuse to go on with a ``pyproj`` that was loaded second, and crashes.

    Raises:
        ImportError: It does not work.
    """
    pyproj: Any = import_module(PYPROJ)
    try:
        pyproj.CRS.from_epsg(4326)
    except pyproj.exceptions.CRSError as error:
        raise ImportError(
            "pyproj was imported after eccodes, and does not work so\n"
            "  where: the imports of this program\n"
            f"  found: {error}\n"
            "  fix:   import aurora_prep (or pyproj) before eccodes and cfgrib"
        ) from error


_load()
