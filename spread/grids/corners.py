"""Corners of cells that are polygons on the sphere: put in order, inferred from the centres, and their areas."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

_TRUSTED = 0.5  # share of the cells with a centre that must have corners, else all are inferred from the centres

_ONE = 1e-12  # distance [rad] of points that are one but for rounding
_FLAT = 1e-15  # area [sr] of a triangle that is a line but for rounding


def unit_vectors(lat: Floats, lon: Floats) -> Floats:
    """Points on the unit sphere, ``(..., 3)``, from degrees."""
    lat, lon = np.deg2rad(lat), np.deg2rad(lon)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)


def degrees(points: Floats) -> tuple[Floats, Floats]:
    """Latitudes and longitudes 0..360 [degrees] of points ``(..., 3)`` of any length."""
    lat = np.rad2deg(np.arctan2(points[..., 2], np.hypot(points[..., 0], points[..., 1])))
    return lat, np.rad2deg(np.arctan2(points[..., 1], points[..., 0])) % 360.0


def polygon_area(points: Floats) -> Floats:
    """Area of spherical polygons with great-circle sides, on the unit sphere.

    Parameters
    ----------
    points : numpy.ndarray
        Corners ``(..., v, 3)`` as unit vectors; corners may repeat.

    Returns
    -------
    numpy.ndarray
        Areas ``(...)`` [sr], negative where the corners run clockwise seen from outside.

    Notes
    -----
    A fan of triangles, each by the half-angle formula of Van Oosterom and Strackee (1983), IEEE Trans. Biomed. Eng. 30.
    The triple product is taken of differences of corners, which keeps its relative precision in small triangles.
    """
    a = points[..., 0, :]
    total = np.zeros(points.shape[:-2])
    for k in range(1, points.shape[-2] - 1):
        b, c = points[..., k, :], points[..., k + 1, :]
        volume = (a * np.cross(b - a, c - a)).sum(-1)
        total += 2.0 * np.arctan2(volume, 1.0 + (a * b).sum(-1) + (b * c).sum(-1) + (c * a).sum(-1))
    return total


def quadrilateral_area(lat: Floats, lon: Floats) -> Floats:
    """Area of spherical quadrilaterals with great-circle sides, on the unit sphere.

    Parameters
    ----------
    lat, lon : numpy.ndarray
        Corners ``(..., 4)`` [degrees], in either sense of rotation; repeated corners are allowed.

    Returns
    -------
    numpy.ndarray
        Areas ``(...)`` [sr].
    """
    return np.abs(polygon_area(unit_vectors(lat, lon)))


def sound_corners(
    centred: Booleans, lat_bounds: ArrayLike | None, lon_bounds: ArrayLike | None
) -> tuple[Floats, Floats, list[str]] | None:
    """Corners of a dataset, anticlockwise and untangled; NaN where a cell has none.

    Parameters
    ----------
    centred : numpy.ndarray
        ``(y, x)``: cells that have a centre.
    lat_bounds, lon_bounds : array_like or None
        ``(y, x, v)`` corners [degrees] in any sense of rotation, begun anywhere; missing ones NaN or far out of range.

    Returns
    -------
    tuple or None
        Latitudes, longitudes and notes on what was mended; None where most cells that have a centre have no corners.
    """
    if lat_bounds is None or lon_bounds is None:
        return None
    lat, lon = np.array(lat_bounds, dtype=np.float64), np.array(lon_bounds, dtype=np.float64)
    if lat.shape != lon.shape or lat.shape[:-1] != centred.shape or lat.shape[-1] < 3:
        return None
    there = located(lat, lon)
    if lat.shape[-1] > 4:  # cells with fewer corners than others are filled up; repeated corners mean the same
        lat, lon, there = _filled_up(lat, lon, there)
    sound = there.all(-1)
    lat[~sound], lon[~sound] = np.nan, np.nan
    tangled = np.zeros(centred.shape, dtype=bool)
    if lat.shape[-1] == 4:
        tangled = _untangle(lat, lon)
    area = polygon_area(unit_vectors(lat, lon))
    clockwise = area < 0
    lat[clockwise], lon[clockwise] = lat[clockwise][:, ::-1], lon[clockwise][:, ::-1]
    sound &= np.abs(area) > 0
    lat[~sound], lon[~sound] = np.nan, np.nan
    if (sound & centred).sum() < max(1.0, _TRUSTED * centred.sum()):
        return None
    notes = ["cell corners from the dataset"]
    if tangled.any():
        notes.append(f"corners of {int(tangled.sum())} cells were given crosswise and put in order")
    return lat, lon, notes


def located(lat: Floats, lon: Floats) -> Booleans:
    """Tell which points are on the Earth: not NaN, and no fill value such as 1e30 (FGOALS-g3 over land)."""
    with np.errstate(invalid="ignore"):
        return (np.abs(lat) <= 90.0 + 1e-4) & (np.abs(lon) <= 1080.0)  # longitudes that go round more than once


def _filled_up(lat: Floats, lon: Floats, there: Booleans) -> tuple[Floats, Floats, Booleans]:
    """Repeat the last corner that is there, where at least three are."""
    last = np.maximum.accumulate(np.where(there, np.arange(there.shape[-1]), 0), axis=-1)
    enough = there[..., 0] & (there.sum(-1) >= 3)
    return (
        np.take_along_axis(lat, last, -1),
        np.take_along_axis(lon, last, -1),
        np.take_along_axis(there, last, -1) & enough[..., None],
    )


def _untangle(lat: Floats, lon: Floats) -> Booleans:
    """Put quadrilaterals whose sides cross into the order round the cell, in place; tell which."""
    points = unit_vectors(lat, lon)

    def side(a: int, b: int, c: int) -> Floats:
        p, q, r = points[..., a, :], points[..., b, :], points[..., c, :]
        twice = (p * np.cross(q - p, r - p)).sum(-1)
        return np.where(np.abs(twice) < _FLAT, 0.0, twice)

    def cross(a: int, b: int, c: int, d: int) -> Booleans:
        return (side(a, b, c) * side(a, b, d) < 0) & (side(c, d, a) * side(c, d, b) < 0)

    def one(a: int, b: int) -> Booleans:  # the corner of a triangle, given twice but not in a row
        return np.linalg.norm(points[..., a, :] - points[..., b, :], axis=-1) < _ONE

    changed = np.zeros(lat.shape[:-1], dtype=bool)
    for order, crossed in (
        ([0, 1, 3, 2], cross(1, 2, 3, 0) | one(1, 3)),
        ([0, 2, 1, 3], cross(0, 1, 2, 3) | one(0, 2)),
    ):
        lat[crossed], lon[crossed] = lat[crossed][:, order], lon[crossed][:, order]
        changed |= crossed
    return changed


def infer_corners(lat: Floats, lon: Floats) -> tuple[Floats, Floats]:
    """Corners of a curvilinear grid: the mean, on the sphere, of the four centres around each.

    Rows that close a circle are continued round it, and the last row of a tripolar grid across its fold.

    Parameters
    ----------
    lat, lon : numpy.ndarray
        ``(y, x)`` centres [degrees]; NaN where there is none.

    Returns
    -------
    tuple of numpy.ndarray
        Corner latitudes and longitudes ``(y, x, 4)``, anticlockwise in index space.
    """
    points = unit_vectors(lat, lon)
    padded = np.pad(points, ((1, 1), (1, 1), (0, 0)), mode="edge")
    for axis, (edge, inner, beyond) in ((0, (1, 2, 0)), (0, (-2, -3, -1)), (1, (1, 2, 0)), (1, (-2, -3, -1))):
        lines = np.moveaxis(padded, axis, 0)  # a view: rows or columns
        if points.shape[axis] > 1:
            lines[beyond] = 2 * lines[edge] - lines[inner]
    if folded(points):
        padded[-1, 1:-1] = points[-1, ::-1]
        padded[-1, 0], padded[-1, -1] = 2 * padded[-1, 1] - padded[-1, 2], 2 * padded[-1, -2] - padded[-1, -3]
    if periodic(points):
        padded[:, 0], padded[:, -1] = padded[:, -2], padded[:, 1]
    around = (padded[:-1, :-1], padded[1:, :-1], padded[:-1, 1:], padded[1:, 1:])
    mean = np.sum([np.nan_to_num(corner) for corner in around], axis=0)  # its length does not matter
    mean[(mean == 0.0).all(-1)] = np.nan
    corner_lat, corner_lon = degrees(mean)
    at = [(slice(None, -1), slice(None, -1)), (slice(None, -1), slice(1, None)), (slice(1, None), slice(1, None)),
          (slice(1, None), slice(None, -1))]  # fmt: skip
    return np.stack([corner_lat[a] for a in at], -1), np.stack([corner_lon[a] for a in at], -1)


def periodic(points: Floats) -> bool:
    """Tell whether the last column of centres ``(y, x, 3)`` lies as near the first as neighbours do."""
    if points.shape[1] < 4:
        return False
    step = np.linalg.norm(points[:, 1:] - points[:, :-1], axis=-1)
    if not np.isfinite(step).any():
        return False
    gap = np.linalg.norm(points[:, 0] - points[:, -1], axis=-1)
    with np.errstate(invalid="ignore"):
        return bool(np.nanmean(gap[:, None] <= 2.0 * np.fmax.reduce(step, axis=1)[:, None]) > 0.9) and bool(
            np.nanmedian(gap) > 1e-3 * np.nanmedian(step)  # not a halo, where both are the same cell
        )


def folded(points: Floats) -> bool:
    """Tell whether the last row of centres ``(y, x, 3)`` meets itself, mirrored, as on a tripolar grid."""
    if points.shape[0] < 2 or points.shape[1] < 4:
        return False
    step = points[-1] - points[-2]
    miss = np.linalg.norm(points[-1] + step - points[-1, ::-1], axis=-1)
    with np.errstate(invalid="ignore"):
        return bool(np.mean(miss <= 0.75 * np.linalg.norm(step, axis=-1)) > 0.75)
