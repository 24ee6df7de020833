"""aurora-prep: weather data made ready for Microsoft's Aurora.

The front door. ``pyproj`` is imported before anything else: ecCodes' wheel
loads its own copy of the PROJ library, and the interpreter crashes when
``pyproj`` comes second.
"""

import pyproj  # noqa: F401  # isort: skip

from importlib.metadata import version

__version__ = version("aurora-prep")
