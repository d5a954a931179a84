"""Rings made sound: unwrapped, closed, cut at the date line, united, without points that change nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import shapely

Floats = NDArray[np.float64]

Ring = tuple[tuple[float, float], ...]
"""Closed: the first (longitude, latitude) [degrees] is also the last."""

Polygons = tuple[tuple[Ring, ...], ...]
"""As the coordinates of a GeoJSON MultiPolygon: of each polygon the outer ring, then its holes."""

_STRAIGHT = (
    1e-10  # degrees (0.01 mm) from a straight side within which a point is left out: AR6 has one each 0.4 degrees
)

_LONGEST = 120.0  # degrees of longitude of a side that is written: beyond 180 it would be read as the shorter way


def united(polygons: Iterable[Sequence[Any]]) -> Polygons:
    """Make one region of polygons as files have them.

    Parameters
    ----------
    polygons : iterable
        As the coordinates of a GeoJSON MultiPolygon: of each polygon the outer ring, then its holes; a ring has points
        (longitude, latitude [, height]) [degrees], in either sense of rotation, closed or not.

    Returns
    -------
    tuple
        Polygons that do not overlap, in longitudes -180..180, cut at the date line; the same for rings that begin
        elsewhere or run the other way. Points on a straight side are left out, the others are those of the file.

    Raises
    ------
    ValueError
        If a ring has fewer than three different points, one that is not finite or not on the Earth, or nothing is left.

    Notes
    -----
    A step of more than 180 degrees of longitude is taken the shorter way, across the date line; one of exactly 360 is a
    side that goes round, as in the outline of a hemisphere. A ring that goes round once holds the pole of its own
    hemisphere, by the mean latitude of its points. A ring that crosses itself holds what an odd number of turns
    surrounds (``make_valid`` of GEOS).
    """
    import shapely

    areas = []
    for outer, *holes in polygons:
        area = _flat(outer)
        if holes:
            area = shapely.difference(area, shapely.union_all([_flat(hole) for hole in holes]))
        areas.append(area)
    whole = shapely.simplify(shapely.normalize(shapely.union_all(areas)), _STRAIGHT)  # rings begin at a corner
    parts = [part for part in _parts(whole) if part.area > 0.0]
    if not parts:
        raise ValueError("the polygons have no area")
    return tuple(tuple(_written(ring) for ring in (part.exterior, *part.interiors)) for part in parts)


def is_sound(polygons: Polygons) -> bool:
    """Tell whether polygons are such as :func:`united` makes, so that they can be taken as they stand.

    Parameters
    ----------
    polygons : tuple
        As :func:`united` returns them.

    Returns
    -------
    bool
        True if rings are closed, sides no longer than 180 degrees, longitudes in -180..180, latitudes in -90..90, and
        nothing overlaps or crosses itself.
    """
    import shapely

    for ring in (ring for polygon in polygons for ring in polygon):
        points = np.array(ring)
        if points.ndim != 2 or len(points) < 4 or ring[0] != ring[-1] or not np.isfinite(points).all():
            return False
        if (np.abs(points) > (180.0, 90.0)).any() or (np.abs(np.diff(points[:, 0])) > 180.0).any():
            return False
    shapes = [shapely.Polygon(polygon[0], polygon[1:]) for polygon in polygons if polygon]
    return len(shapes) == len(polygons) > 0 and bool(shapely.is_valid(shapely.multipolygons(shapes)))


def _flat(ring: Sequence[Any]) -> shapely.Geometry:
    """What one ring surrounds, in the plane of longitude -180..180 and latitude."""
    import shapely

    area: shapely.Geometry = shapely.Polygon(_unwrapped(_points(ring)))
    if not shapely.is_valid(area):
        area = shapely.MultiPolygon(_parts(shapely.make_valid(area)))
    west, _, east, _ = area.bounds
    if (west >= -180.0 and east <= 180.0) or not east > west:
        return area
    pieces = []
    for turn in range(int(np.floor((west + 180.0) / 360.0)), int(np.ceil((east - 180.0) / 360.0)) + 1):
        here = shapely.box(360.0 * turn - 180.0, -90.0, 360.0 * turn + 180.0, 90.0)
        piece = shapely.intersection(area, here)
        shift = np.array([360.0 * turn, 0.0])
        pieces += [shapely.transform(part, lambda xy, shift=shift: xy - shift) for part in _parts(piece)]
    return shapely.union_all(pieces)


def _points(ring: Sequence[Any]) -> Floats:
    """The points of a ring ``(n, 2)``, each once, not closed."""
    try:
        points = np.array([point[:2] for point in ring], dtype=np.float64)
    except (TypeError, ValueError, IndexError):
        raise ValueError("a ring must be a list of points [longitude, latitude]") from None
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError("a ring must be a list of points [longitude, latitude]")
    if not np.isfinite(points).all():
        raise ValueError("a ring has a point that is not finite")
    if (np.abs(points[:, 1]) > 90.0).any() or (np.abs(points[:, 0]) > 540.0).any():
        far = points[np.argmax((np.abs(points) / (540.0, 90.0)).max(axis=1))].tolist()
        raise ValueError(f"point {far} is no longitude and latitude in degrees; reproject the outlines to EPSG:4326")
    points = points[np.concatenate([[True], (np.diff(points, axis=0) != 0.0).any(axis=1)])]
    if len(points) > 1 and (points[0] == points[-1]).all():
        points = points[:-1]
    if len(np.unique(points, axis=0)) < 3:
        raise ValueError(f"a ring needs three different points, got {points.tolist()}")
    return points


def _unwrapped(points: Floats) -> Floats:
    """Make longitudes continuous along a ring and close it, round a pole where it goes round one."""
    closed = np.concatenate([points, points[:1]])
    step = np.diff(closed[:, 0])
    turns = np.where(np.abs(step) % 360.0 == 0.0, 0.0, np.where(np.abs(step) > 180.0, np.round(step / 360.0), 0.0))
    shifted = closed.copy()
    shifted[1:, 0] -= 360.0 * np.cumsum(turns)
    round_ = shifted[-1, 0] - shifted[0, 0]
    if abs(round_) < 180.0:
        return shifted
    if abs(round_) > 360.0:
        raise ValueError("a ring goes round the Earth more than once")
    pole = np.copysign(90.0, points[:, 1].mean())
    return np.concatenate([shifted, [[shifted[-1, 0], pole], [shifted[0, 0], pole]], shifted[:1]])


def _parts(shape: shapely.Geometry) -> list[Any]:
    """The polygons in a shape; lines and points in it have no area."""
    import shapely

    parts = shapely.get_parts(shapely.get_parts(shape))
    return [part for part in parts if part.geom_type == "Polygon" and not part.is_empty]


def _written(ring: Any) -> Ring:
    """Points of a closed ring, with some between those that are too far apart to be read back."""
    made: list[tuple[float, float]] = []
    points = _corners(np.asarray(ring.coords)[:-1, :2]) + 0.0  # -0 is 0
    for start, end in zip(points, np.roll(points, -1, axis=0), strict=True):
        pieces = max(1, int(np.ceil(abs(end[0] - start[0]) / _LONGEST)))
        between = start + (end - start) * (np.arange(pieces) / pieces)[:, None]
        made += [(float(lon), float(lat)) for lon, lat in between]
    return (*made, made[0])


def _corners(points: Floats) -> Floats:
    """Leave out what GEOS 3.14 leaves of points on a straight side: at times the one after the second corner."""
    before, after = np.roll(points, 1, axis=0), np.roll(points, -1, axis=0)
    along, across = after - before, points - before
    twice_area = np.abs(along[:, 0] * across[:, 1] - along[:, 1] * across[:, 0])
    flat = twice_area <= _STRAIGHT * np.hypot(*along.T)
    flat &= ~np.roll(flat, 1)
    return points[~flat] if (~flat).sum() >= 3 else points
