"""Grids: cell centres, bounds and areas on the sphere, rectilinear, curvilinear or unstructured (NumPy only).

Bounds are taken from the dataset where they are sound and inferred from the centres where they are not; a note says
which. Regridding is not here.
"""

from spread.grids.cells import EARTH_RADIUS, Grid, make_grid
from spread.grids.corners import infer_corners, polygon_area, quadrilateral_area, unit_vectors
from spread.grids.edges import infer_edges, is_global
from spread.grids.polygons import share_in_polygons
from spread.grids.targets import regular

__all__ = [
    "EARTH_RADIUS",
    "Grid",
    "infer_corners",
    "infer_edges",
    "is_global",
    "make_grid",
    "polygon_area",
    "quadrilateral_area",
    "regular",
    "share_in_polygons",
    "unit_vectors",
]
