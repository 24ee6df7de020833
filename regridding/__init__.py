"""How values move between grids: geometry, weights and kernels on NumPy arrays."""
