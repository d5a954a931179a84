"""Shares of cells inside polygons whose sides are straight in longitude and latitude, in closed form (NumPy only).

On a rectilinear grid the area west of a meridian x, within a row of cells, is by Green's theorem a sum over the sides
of the polygon, ``sum of int min(lon, x) cos(lat) dlat``, positive northward where rings run anticlockwise. The integral
of a side, on which longitude is linear in latitude, is elementary; a cell's area is the difference of two meridians.
Nothing is clipped or sampled, and holes, parts and shared sides need no case of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from spread.grids.cells import Grid

Floats = NDArray[np.float64]

Rings = Sequence[Sequence[Sequence[Sequence[float]]]]

_SLAB = 1 << 20  # numbers in an array of sides by rows, or of sides by meridians: 8 MB

_DIGITS = 12  # of a share, 0..1: the bits beyond are those of the processor's sine, and of where a ring begins


def share_in_polygons(grid: Grid, polygons: Rings) -> Floats:
    """Share of each cell's area inside polygons.

    Parameters
    ----------
    grid : Grid
        The cells.
    polygons : sequence
        As the coordinates of a GeoJSON MultiPolygon: of each polygon the outer ring, then its holes; closed rings of
        (longitude, latitude) [degrees] in either sense of rotation, longitudes -180..180 and cut at the date line.
        Polygons do not overlap; sides are straight in longitude and latitude.

    Returns
    -------
    numpy.ndarray
        ``(rows, columns)`` in 0..1, rounded to 12 digits: exact on a rectilinear grid; on a curvilinear or unstructured
        one a cell is in or out with its centre, as in :meth:`Grid.share_in_box`.
    """
    sides = _sides(polygons)
    if not grid.rectilinear:
        return _holds(sides, grid.lat, grid.lon).astype(np.float64)
    south, north = np.sort(grid.lat_bounds, axis=1).T
    west, east = np.sort(grid.lon_bounds, axis=1).T
    inside = np.zeros(grid.shape)
    for turn in range(int(np.floor((west.min() + 180.0) / 360.0)), int(np.ceil((east.max() - 180.0) / 360.0)) + 1):
        meridians, at = np.unique(np.concatenate([west, east]) - 360.0 * turn, return_inverse=True)
        area = _west_of(sides, south, north, meridians)
        inside += area[:, at[west.size :]] - area[:, at[: west.size]]
    width = np.deg2rad(east - west)
    height = np.sin(np.deg2rad(north)) - np.sin(np.deg2rad(south))
    return np.clip(np.round(inside / (height[:, None] * width[None, :]), _DIGITS), 0.0, 1.0) + 0.0


def _sides(polygons: Rings) -> Floats:
    """Sides but for those along a parallel, ``(n, 5)``: southern end, northern end [degrees], +1 if it runs north."""
    found = []
    for rings in polygons:
        for number, ring in enumerate(rings):
            points = np.asarray(ring, dtype=np.float64)
            lon, lat = points.T
            # twice the area in the plane, from the first point: outer rings anticlockwise, holes clockwise
            twice = ((lon[:-1] - lon[0]) * (lat[1:] - lat[0]) - (lon[1:] - lon[0]) * (lat[:-1] - lat[0])).sum()
            if (twice > 0.0) == (number > 0):
                points = points[::-1]
            start, end = points[:-1], points[1:]
            up = (end[:, 1] > start[:, 1])[:, None]
            found.append(
                np.hstack([np.where(up, start, end), np.where(up, end, start), np.where(up, 1.0, -1.0)])[
                    start[:, 1] != end[:, 1]
                ]
            )
    return np.concatenate(found) if found else np.empty((0, 5))


def _west_of(sides: Floats, south: Floats, north: Floats, meridians: Floats) -> Floats:
    """Area inside west of each meridian in each row, but for a constant of the row: ``(rows, meridians)`` [sr]."""
    area = np.zeros((south.size, meridians.size))
    step = max(1, _SLAB // max(1, south.size))
    for some in (sides[start : start + step] for start in range(0, len(sides), step)):
        low = np.maximum(some[:, 1, None], south)
        high = np.minimum(some[:, 3, None], north)
        side, row = np.nonzero(high > low)
        per = max(1, _SLAB // meridians.size)
        for start in range(0, side.size, per):
            at, here = side[start : start + per], row[start : start + per]
            bottom, top = low[at, here], high[at, here]
            lon0, lat0, lon1, lat1, sign = some[at].T
            slope = (lon1 - lon0) / (lat1 - lat0)
            ends = lon0 + slope * (bottom - lat0), lon1 - slope * (lat1 - top)
            np.add.at(area, here, -sign[:, None] * _beyond(bottom, top, *ends, meridians))
    return area


def _beyond(bottom: Floats, top: Floats, lon_bottom: Floats, lon_top: Floats, meridians: Floats) -> Floats:
    """``int max(x - lon, 0) cos(lat) dlat`` along sides, for each meridian x: ``(sides, meridians)`` [sr]."""
    bottom, top, lon_bottom, lon_top = (np.deg2rad(array)[:, None] for array in (bottom, top, lon_bottom, lon_top))
    x = np.deg2rad(meridians)
    near, far = x - np.minimum(lon_bottom, lon_top), x - np.maximum(lon_bottom, lon_top)  # near >= far
    across = near - far
    # the part of the side that lies west of x begins at its western end
    part = np.clip(np.divide(near, across, out=(near > 0.0).astype(np.float64), where=across > 0.0), 0.0, 1.0)
    half = 0.5 * part * (top - bottom)
    middle = np.where(lon_bottom <= lon_top, bottom + half, top - half)
    near, far = np.maximum(near, 0.0), np.maximum(far, 0.0)
    northward = np.where(lon_bottom <= lon_top, far - near, near - far)  # how the distance grows along the part
    mean = 0.5 * (near + far)
    return 2.0 * mean * np.cos(middle) * np.sin(half) - northward * np.sin(middle) * _lever(half)


def _lever(half: Floats) -> Floats:
    """``(sin h - h cos h) / h``, by its series where the difference would lose digits."""
    square = half * half
    series = square / 3.0 * (1.0 - square / 10.0 * (1.0 - square / 28.0))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(half < 0.02, series, np.sin(half) / half - np.cos(half))


def _holds(sides: Floats, lat: Floats, lon: Floats) -> NDArray[np.bool_]:
    """Tell which points are inside: an odd number of sides lies east; a shared side has points on one side only."""
    y, x = np.minimum(lat, np.nextafter(90.0, 0.0)).ravel(), ((lon.ravel() + 180.0) % 360.0) - 180.0
    order = np.argsort(y, kind="stable")
    crossed = np.zeros(y.size, dtype=np.int64)
    level = y[order]  # NaN, of void cells, comes last and is crossed by nothing
    for lon0, lat0, lon1, lat1, _ in sides:
        first, last = np.searchsorted(level, (lat0, lat1))
        if first < last:
            here = order[first:last]
            crossed[here] += x[here] < lon0 + (lon1 - lon0) * ((y[here] - lat0) / (lat1 - lat0))
    return (crossed % 2 == 1).reshape(lat.shape)
