"""Grids: cell centres, bounds and areas on the sphere, rectilinear or curvilinear (NumPy only).

Bounds are taken from the dataset where they are sound and inferred from the centres where they are not; a note says
which. Regridding is not here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

EARTH_RADIUS = 6.371e6
"""Radius of the sphere on which areas are computed [m] (ESMF and CMOR use the same mean radius)."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Grid:
    """Cells of a field.

    Parameters
    ----------
    lat, lon : numpy.ndarray
        Centres [degrees]: 1-D on a rectilinear grid, 2-D ``(y, x)`` on a curvilinear one.
    lat_bounds, lon_bounds : numpy.ndarray
        ``(n, 2)`` edges or ``(y, x, 4)`` corners [degrees].
    notes : tuple of str
        Where the bounds come from, and what was mended.
    """

    lat: Floats
    lon: Floats
    lat_bounds: Floats
    lon_bounds: Floats
    notes: tuple[str, ...] = ()

    @property
    def rectilinear(self) -> bool:
        """True where rows share a latitude and columns a longitude."""
        return self.lat.ndim == 1

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and columns."""
        return (self.lat.size, self.lon.size) if self.rectilinear else (self.lat.shape[0], self.lat.shape[1])

    def area(self) -> Floats:
        """Area of each cell.

        Returns
        -------
        numpy.ndarray
            ``(rows, columns)`` [m2]; exact between parallels and meridians, exact for polygons of great circles else.
        """
        if self.rectilinear:
            south, north = np.sort(np.deg2rad(self.lat_bounds), axis=1).T
            width = np.deg2rad(np.abs(self.lon_bounds[:, 1] - self.lon_bounds[:, 0]))
            unit = (np.sin(north) - np.sin(south))[:, None] * width[None, :]
        else:
            unit = quadrilateral_area(self.lat_bounds, self.lon_bounds)
        return EARTH_RADIUS**2 * unit

    def share_in_box(self, lat: tuple[float, float], lon: tuple[float, float]) -> Floats:
        """Share of each cell's area inside a latitude-longitude box.

        Parameters
        ----------
        lat : tuple of float
            Southern and northern edge [degrees].
        lon : tuple of float
            Western and eastern edge [degrees]; the box runs eastward from the first to the second.

        Returns
        -------
        numpy.ndarray
            ``(rows, columns)`` in 0..1: exact on a rectilinear grid; on a curvilinear one a cell is in or out with its
            centre.
        """
        width = lon[1] - lon[0] if lon[1] > lon[0] else lon[1] - lon[0] + 360.0
        width = min(width, 360.0)
        if not self.rectilinear:
            inside = (self.lat >= lat[0]) & (self.lat < lat[1] if lat[1] < 90.0 else self.lat <= 90.0)
            return (inside & ((self.lon - lon[0]) % 360.0 < width)).astype(np.float64)
        sin = np.sin(np.deg2rad(np.sort(self.lat_bounds, axis=1)))
        box = np.sin(np.deg2rad(lat))
        common = np.minimum(sin[:, 1], box[1]) - np.maximum(sin[:, 0], box[0])
        in_lat = np.clip(common, 0.0, None) / (sin[:, 1] - sin[:, 0])
        west, east = np.sort(self.lon_bounds, axis=1).T
        start = (west - lon[0]) % 360.0  # cell's western edge, eastward from the box's
        covered = np.clip(np.minimum(start + (east - west), width) - start, 0.0, None)
        covered += np.clip(np.minimum(start + (east - west) - 360.0, width), 0.0, None)  # the cell reaches round again
        return in_lat[:, None] * np.clip(covered / (east - west), 0.0, 1.0)[None, :]


def make_grid(
    lat: ArrayLike, lon: ArrayLike, lat_bounds: ArrayLike | None = None, lon_bounds: ArrayLike | None = None
) -> Grid:
    """Make a grid from what a dataset holds, mending or inferring bounds.

    Parameters
    ----------
    lat, lon : array_like
        Centres [degrees], both 1-D or both 2-D of the same shape.
    lat_bounds, lon_bounds : array_like, optional
        CF bounds ``(n, 2)`` or ``(y, x, 4)`` [degrees].

    Returns
    -------
    Grid
        Longitudes of centres in 0..360 (0 stays 0); rows and columns in the order given.

    Raises
    ------
    ValueError
        If centres are not finite, of mismatched shape, or latitudes leave -90..90.
    """
    lat, lon = np.asarray(lat, dtype=np.float64), np.asarray(lon, dtype=np.float64)
    if lat.ndim != lon.ndim or lat.ndim not in (1, 2) or (lat.ndim == 2 and lat.shape != lon.shape):
        raise ValueError(f"lat and lon must both be 1-D, or 2-D of one shape; got {lat.shape} and {lon.shape}")
    if not (np.isfinite(lat).all() and np.isfinite(lon).all()):
        raise ValueError("lat and lon must be finite")
    if np.abs(lat).max() > 90.0 + 1e-4:
        raise ValueError(f"lat must lie within -90..90, got {lat.min():g}..{lat.max():g}")
    if lat.ndim == 2:
        corners = None if lat_bounds is None or lon_bounds is None else _sound_corners(lat, lon, lat_bounds, lon_bounds)
        note = "cell corners inferred from centres" if corners is None else "cell corners from the dataset"
        lat_b, lon_b = corners or (infer_corners(lat, lon))
        return Grid(lat, _eastward(lon), lat_b, lon_b, (note,))
    lat_b, lat_note = _edges(lat, lat_bounds, "lat")
    lon_b, lon_note = _edges(lon, lon_bounds, "lon")
    return Grid(lat, _eastward(lon), lat_b, lon_b, tuple(dict.fromkeys((lat_note, lon_note))))


def _eastward(lon: Floats) -> Floats:
    turned = lon % 360.0
    return np.where(turned == 360.0, 0.0, turned)  # a hair west of the meridian rounds up to 360


def _edges(centres: Floats, bounds: ArrayLike | None, name: str) -> tuple[Floats, str]:
    """Bounds ``(n, 2)`` of one axis, and a note on where they come from."""
    given = None if bounds is None else np.asarray(bounds, dtype=np.float64)
    if given is None or given.shape != (centres.size, 2) or not np.isfinite(given).all():
        if centres.size == 1:
            raise ValueError(f"{name}: a single cell needs bounds")
        return infer_edges(centres, name), f"{name} bounds inferred from centres"
    ordered = np.sort(given, axis=1)
    if centres.size == 1:
        return ordered, "bounds from the dataset"
    fault = _fault(centres, ordered, name)
    if fault:
        return infer_edges(centres, name), f"{name} bounds rebuilt from centres ({fault})"
    if centres[-1] > centres[0] and (given[:, 0] > given[:, 1]).all():
        return ordered, f"{name} bounds put in rising order"
    return ordered, "bounds from the dataset"


def _fault(centres: Floats, bounds: Floats, name: str) -> str:
    """What is wrong with sorted bounds of an axis; empty where nothing is."""
    order = np.argsort(centres)
    centres, bounds = centres[order], bounds[order]
    width = bounds[:, 1] - bounds[:, 0]
    slack = 1e-3 * np.median(np.diff(centres))
    if (width <= slack).any():
        return "cells of no width"
    if ((centres < bounds[:, 0] - slack) | (centres > bounds[:, 1] + slack)).any():
        return "centres outside their cells"
    # Gaussian latitudes lie off the middle, those at a pole on an edge. Longitudes do neither: half a cell off their
    # bounds, they are those of another grid (ES-DOC errata 0165ae5a, EC-Earth3)
    if name == "lon" and (np.abs(centres - bounds.mean(axis=1)) > 0.25 * width).all():
        return "centres half a cell off their cells"
    if (np.abs(bounds[1:, 0] - bounds[:-1, 1]) > slack).any():
        return "cells that overlap or leave gaps"
    # Gaussian latitudes lie off the middle of their cells by a twentieth of the width, but for the rows at the poles
    middle = (np.abs(centres - bounds.mean(axis=1)) > 0.15 * width)[1:-1]
    if name == "lat" and middle.any() and not _halfway(centres, bounds, slack):
        return "centres away from the middle of their cells"
    if name == "lat" and (bounds[0, 0] < -90.0 - slack or bounds[-1, 1] > 90.0 + slack):
        return "cells beyond the poles"
    if name == "lon" and is_global(centres) and abs(width.sum() - 360.0) > slack:
        return f"cells that cover {width.sum():g} of 360 degrees"
    return ""


def _halfway(centres: Floats, bounds: Floats, slack: float) -> bool:
    """Tell whether inner edges lie halfway between sorted centres, as they do where the spacing changes."""
    return bool((np.abs(bounds[1:, 0] - (centres[:-1] + centres[1:]) / 2.0) <= slack).all())


def is_global(lon: Floats) -> bool:
    """Tell whether regular longitudes go once round the Earth."""
    spacing = np.diff(np.sort(lon))
    return bool(abs(np.median(spacing) * lon.size - 360.0) < 0.5 * np.median(spacing))


def infer_edges(centres: Floats, name: str) -> Floats:
    """Edges halfway between centres; latitude ends at the poles, longitude closes the circle.

    Parameters
    ----------
    centres : numpy.ndarray
        1-D cell centres [degrees], rising or falling.
    name : str
        ``lat`` or ``lon``.

    Returns
    -------
    numpy.ndarray
        ``(n, 2)`` edges in rising order [degrees].

    Raises
    ------
    ValueError
        If the centres are neither rising nor falling.
    """
    values = np.unwrap(centres, period=360.0) if name == "lon" else centres
    step = np.diff(values)
    if not ((step > 0).all() or (step < 0).all()):
        raise ValueError(f"{name} must rise or fall throughout")
    middle = values[:-1] + step / 2
    first, last = values[0] - step[0] / 2, values[-1] + step[-1] / 2
    if name == "lat":
        # a global axis ends at the poles: a last edge beyond one is cut, one within half a cell of it is moved onto it
        def at_pole(edge: float, cell: float) -> float:
            return float(np.sign(edge) * 90.0) if abs(edge) > 90.0 - 0.5 * abs(cell) else edge

        first, last = at_pole(first, step[0]), at_pole(last, step[-1])
    elif is_global(values):
        gap = (values[0] + np.sign(step[0]) * 360.0 - values[-1]) / 2
        first, last = values[0] - gap, values[-1] + gap
    edges = np.concatenate([[first], middle, [last]])
    return np.sort(np.stack([edges[:-1], edges[1:]], axis=1), axis=1)


def _sound_corners(lat: Floats, lon: Floats, lat_b: ArrayLike, lon_b: ArrayLike) -> tuple[Floats, Floats] | None:
    lat_c, lon_c = np.asarray(lat_b, dtype=np.float64), np.asarray(lon_b, dtype=np.float64)
    shape = (*lat.shape, 4)
    if lat_c.shape != shape or lon_c.shape != shape or not (np.isfinite(lat_c).all() and np.isfinite(lon_c).all()):
        return None
    return (lat_c, lon_c) if (quadrilateral_area(lat_c, lon_c) > 0).all() else None


def unit_vectors(lat: Floats, lon: Floats) -> Floats:
    """Points on the unit sphere, ``(..., 3)``, from degrees."""
    lat, lon = np.deg2rad(lat), np.deg2rad(lon)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)


def infer_corners(lat: Floats, lon: Floats) -> tuple[Floats, Floats]:
    """Corners of a curvilinear grid: the mean, on the sphere, of the four centres around each.

    Parameters
    ----------
    lat, lon : numpy.ndarray
        ``(y, x)`` centres [degrees].

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
    mean = padded[:-1, :-1] + padded[1:, :-1] + padded[:-1, 1:] + padded[1:, 1:]
    mean /= np.linalg.norm(mean, axis=-1, keepdims=True)
    corner_lat, corner_lon = (
        np.rad2deg(np.arcsin(mean[..., 2])),
        np.rad2deg(np.arctan2(mean[..., 1], mean[..., 0])) % 360,
    )
    around = [(slice(None, -1), slice(None, -1)), (slice(None, -1), slice(1, None)), (slice(1, None), slice(1, None)),
              (slice(1, None), slice(None, -1))]  # fmt: skip
    return np.stack([corner_lat[a] for a in around], -1), np.stack([corner_lon[a] for a in around], -1)


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

    Notes
    -----
    Two triangles each, by the half-angle formula of Van Oosterom and Strackee (1983), IEEE Trans. Biomed. Eng. 30.
    """
    points = unit_vectors(lat, lon)

    def triangle(a: Floats, b: Floats, c: Floats) -> Floats:
        volume = (a * np.cross(b, c)).sum(-1)
        denominator = 1.0 + (a * b).sum(-1) + (b * c).sum(-1) + (c * a).sum(-1)
        return 2.0 * np.arctan2(volume, denominator)

    first = triangle(points[..., 0, :], points[..., 1, :], points[..., 2, :])
    second = triangle(points[..., 0, :], points[..., 2, :], points[..., 3, :])
    return np.abs(first + second)
