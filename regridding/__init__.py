"""How values move between grids: geometry, weights and kernels on NumPy arrays."""

from aurora_prep.regridding.axes import of_grid, rectilinear
from aurora_prep.regridding.cf import Coordinate, NotOnAGridError, geometry_from_cf, located
from aurora_prep.regridding.gaussian import octahedral, reduced_gaussian
from aurora_prep.regridding.geometry import Geometry, Rectilinear, Reduced
from aurora_prep.regridding.grib import KEYS, geometry_from_grib, in_rows
from aurora_prep.regridding.mir import mir_message
from aurora_prep.regridding.physics import directions, following, to_east_north, vectors
from aurora_prep.regridding.plane_grids import Curvilinear, Projected, Scattered
from aurora_prep.regridding.planes import Projection, RotatedPole
from aurora_prep.regridding.regridder import METHODS, Regridder, regridder

__all__ = [
    "KEYS",
    "METHODS",
    "Coordinate",
    "Curvilinear",
    "Geometry",
    "NotOnAGridError",
    "Projected",
    "Projection",
    "Rectilinear",
    "Reduced",
    "Regridder",
    "RotatedPole",
    "Scattered",
    "directions",
    "following",
    "geometry_from_cf",
    "geometry_from_grib",
    "in_rows",
    "located",
    "mir_message",
    "octahedral",
    "of_grid",
    "rectilinear",
    "reduced_gaussian",
    "regridder",
    "to_east_north",
    "vectors",
]
