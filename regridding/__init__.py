"""How values move between grids: geometry, weights and kernels on NumPy arrays."""

from aurora_prep.regridding.axes import of_grid, rectilinear
from aurora_prep.regridding.gaussian import octahedral, reduced_gaussian
from aurora_prep.regridding.geometry import Geometry, Rectilinear, Reduced
from aurora_prep.regridding.regridder import METHODS, Regridder, regridder

__all__ = [
    "METHODS",
    "Geometry",
    "Rectilinear",
    "Reduced",
    "Regridder",
    "octahedral",
    "of_grid",
    "rectilinear",
    "reduced_gaussian",
    "regridder",
]
