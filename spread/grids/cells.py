"""A grid and what its cells are: areas, polygons, which of them are void or there twice."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spread.grids.corners import infer_corners, located, polygon_area, sound_corners, unit_vectors
from spread.grids.edges import axis_edges

EARTH_RADIUS = 6.371e6
"""Radius of the sphere on which areas are computed [m] (ESMF and CMOR use the same mean radius)."""

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

_SAME = 1e-3  # part of a cell's size within which two centres are one: coordinates are often stored in single precision


@dataclass(frozen=True)
class Grid:
    """Cells of a field.

    Parameters
    ----------
    lat, lon : numpy.ndarray
        Centres [degrees]: 1-D on a rectilinear grid, 2-D ``(y, x)`` on a curvilinear one, where void cells have NaN;
        ``(1, n)`` on an unstructured one.
    lat_bounds, lon_bounds : numpy.ndarray
        ``(n, 2)`` edges or ``(y, x, v)`` corners [degrees], four of them on a curvilinear grid.
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
            unit = np.nan_to_num(np.abs(polygon_area(unit_vectors(self.lat_bounds, self.lon_bounds))))
        return EARTH_RADIUS**2 * unit

    @cached_property
    def void(self) -> Booleans:
        """Cells without coordinates, ``(rows, columns)``: they have no area and take no part in regridding."""
        if self.rectilinear:
            return np.zeros(self.shape, dtype=bool)
        corners = np.isfinite(self.lat_bounds) & np.isfinite(self.lon_bounds)
        return ~(np.isfinite(self.lat) & np.isfinite(self.lon) & corners.all(-1))

    @cached_property
    def repeated(self) -> Booleans:
        """Cells that repeat an earlier one, ``(rows, columns)``: halo columns, a row folded onto another (ORCA)."""
        found = np.zeros(self.shape, dtype=bool)
        if self.rectilinear:
            width = np.abs(self.lon_bounds[:, 1] - self.lon_bounds[:, 0])
            apart = np.abs((self.lon_bounds.mean(1)[:, None] - self.lon_bounds.mean(1) + 180.0) % 360.0 - 180.0)
            found[:, np.tril(apart < _SAME * width, -1).any(1)] = True
            return found
        from scipy.spatial import cKDTree

        cells = np.flatnonzero(~self.void)
        points = unit_vectors(self.lat.ravel()[cells], self.lon.ravel()[cells])
        size = np.sqrt(self.area().ravel()[cells]) / EARTH_RADIUS
        if not cells.size:
            return found
        pairs = cKDTree(points).query_pairs(_SAME * float(np.median(size)), output_type="ndarray")
        near = np.linalg.norm(points[pairs[:, 0]] - points[pairs[:, 1]], axis=1)
        found.flat[cells[pairs[near < _SAME * size[pairs].min(1)].max(1)]] = True
        return found

    @cached_property
    def digest(self) -> str:
        """Hash of where the cells are; equal grids, equal digests, whatever their notes."""
        made = hashlib.sha256(b"grid 1")
        for array in (self.lat, self.lon, self.lat_bounds, self.lon_bounds):
            made.update(repr(array.shape).encode())
            made.update(np.ascontiguousarray(array + 0.0, dtype="<f8").tobytes())  # -0 is 0
        return made.hexdigest()

    def centres(self) -> tuple[Floats, Floats]:
        """Latitude and longitude of each cell, flattened row by row ``(n,)`` [degrees]."""
        lat, lon = np.meshgrid(self.lat, self.lon, indexing="ij") if self.rectilinear else (self.lat, self.lon)
        return lat.ravel(), lon.ravel()

    def corners(self) -> tuple[Floats, Floats]:
        """Latitude and longitude of each cell's corners, anticlockwise, flattened row by row ``(n, v)`` [degrees]."""
        if not self.rectilinear:
            vertices = self.lat_bounds.shape[-1]
            return self.lat_bounds.reshape(-1, vertices), self.lon_bounds.reshape(-1, vertices)
        shape = (*self.shape, 4)
        lat, lon = np.sort(self.lat_bounds, axis=1), np.sort(self.lon_bounds, axis=1)
        return (
            np.broadcast_to(lat[:, None, [0, 0, 1, 1]], shape).reshape(-1, 4),
            np.broadcast_to(lon[None, :, [0, 1, 1, 0]], shape).reshape(-1, 4),
        )

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
        Centres [degrees], both 1-D or both 2-D of the same shape. Of a 2-D grid, cells may be without (NaN, 1e30).
    lat_bounds, lon_bounds : array_like, optional
        CF bounds ``(n, 2)`` or ``(y, x, 4)`` [degrees], the corners begun anywhere and in any order; ``(n, v)`` with
        more than two corners say that the cells of 1-D centres are those of an unstructured grid.

    Returns
    -------
    Grid
        Longitudes of centres in 0..360 (0 stays 0); rows and columns in the order given; corners anticlockwise. Cells
        without centre or corners are void. An unstructured grid is one row of cells.

    Raises
    ------
    ValueError
        If centres on an axis are not finite, of mismatched shape, or latitudes leave -90..90.
    """
    lat, lon = np.asarray(lat, dtype=np.float64), np.asarray(lon, dtype=np.float64)
    if lat.ndim != lon.ndim or lat.ndim not in (1, 2) or (lat.ndim == 2 and lat.shape != lon.shape):
        raise ValueError(f"lat and lon must both be 1-D, or 2-D of one shape; got {lat.shape} and {lon.shape}")
    if lat.ndim == 1 and lat.shape == lon.shape and lat_bounds is not None and lon_bounds is not None:
        shape = np.shape(lat_bounds)
        if len(shape) == 2 and shape[0] == lat.size and shape[1] > 2 and shape == np.shape(lon_bounds):
            rows = (lat[None], lon[None], np.asarray(lat_bounds)[None], np.asarray(lon_bounds)[None])
            return _curvilinear(*rows)
    if lat.ndim == 2:
        return _curvilinear(lat, lon, lat_bounds, lon_bounds)
    if not (np.isfinite(lat).all() and np.isfinite(lon).all()):
        raise ValueError("lat and lon must be finite")
    if np.abs(lat).max() > 90.0 + 1e-4:
        raise ValueError(f"lat must lie within -90..90, got {lat.min():g}..{lat.max():g}")
    lat_b, lat_note = axis_edges(lat, lat_bounds, "lat")
    lon_b, lon_note = axis_edges(lon, lon_bounds, "lon")
    return Grid(lat, _eastward(lon), lat_b, lon_b, tuple(dict.fromkeys((lat_note, lon_note))))


def _curvilinear(lat: Floats, lon: Floats, lat_bounds: ArrayLike | None, lon_bounds: ArrayLike | None) -> Grid:
    centred = located(lat, lon)
    if not centred.any():
        raise ValueError("lat and lon must be finite and within -90..90 and -1080..1080 in some cell, and are in none")
    wrong = ~centred & (np.abs(lat) < 1e4)
    if wrong.any():  # no fill value, but a latitude that is wrong
        raise ValueError(f"lat must lie within -90..90, got {lat[wrong].min():g}..{lat[wrong].max():g}")
    lat, lon = np.where(centred, lat, np.nan), np.where(centred, lon, np.nan)
    given = sound_corners(centred, lat_bounds, lon_bounds)
    if given is None and lat.shape[0] == 1:
        raise ValueError("cells along one dimension need bounds (n, v) with sound corners")
    lat_b, lon_b, notes = given or (*infer_corners(lat, lon), ["cell corners inferred from centres"])
    void = ~(centred & np.isfinite(lat_b).all(-1))
    if void.any():
        lat_b[void], lon_b[void] = np.nan, np.nan
        notes.append(f"{int(void.sum())} of {lat.size} cells have no coordinates and are left out")
    return Grid(lat, _eastward(lon), lat_b, lon_b, tuple(notes))


def _eastward(lon: Floats) -> Floats:
    turned = lon % 360.0
    return np.where(turned == 360.0, 0.0, turned)  # a hair west of the meridian rounds up to 360
