"""Outlines of regions: polygons in longitude and latitude, from GeoJSON, shapefiles and the AR6 reference regions.

Sides are straight in longitude and latitude, as RFC 7946 (GeoJSON), section 3.1.1, and the AR6 regions define them. How
much of a cell lies inside is a matter of :mod:`spread.grids`.
"""

from spread.outlines.ar6 import AR6_REGIONS, ar6_outline, ar6_region_names
from spread.outlines.files import Feature, read_features, selected
from spread.outlines.rings import Polygons, is_sound, united

__all__ = [
    "AR6_REGIONS",
    "Feature",
    "Polygons",
    "ar6_outline",
    "ar6_region_names",
    "is_sound",
    "read_features",
    "selected",
    "united",
]
