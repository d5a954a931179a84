"""Coarse grids of the demo models: centres, bounds, exact areas and land; not the grid engine of spread."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from spread.demo.models import MODELS, Model
from spread.natural_earth import land_fraction, land_fraction_at

__all__ = ["ModelGrid", "model_grid"]

EARTH_RADIUS = 6.371e6
ROTATED_POLE = (58.0, 215.0)


@dataclass(frozen=True)
class ModelGrid:
    """Cells of a model.

    Parameters
    ----------
    dims : tuple of str
        Names of the row and column dimensions.
    lat, lon : ndarray
        Centres, (nlat,) and (nlon,), or both (nlat, nlon) where curvilinear [degrees].
    lat_bounds, lon_bounds : ndarray
        Bounds (n, 2), or vertices (nlat, nlon, 4) where curvilinear [degrees].
    area : ndarray
        Cell areas (nlat, nlon) [m2]; they sum to the sphere.
    land : ndarray
        Land fraction (nlat, nlon) [1].
    """

    dims: tuple[str, str]
    lat: np.ndarray
    lon: np.ndarray
    lat_bounds: np.ndarray
    lon_bounds: np.ndarray
    area: np.ndarray
    land: np.ndarray

    @property
    def curvilinear(self) -> bool:
        """Whether centres are two-dimensional."""
        return self.lat.ndim == 2

    @property
    def centres(self) -> tuple[np.ndarray, np.ndarray]:
        """Latitude and longitude of every cell, flat (cell,) [degrees]."""
        lat, lon = (self.lat, self.lon) if self.curvilinear else np.meshgrid(self.lat, self.lon, indexing="ij")
        return lat.ravel(), lon.ravel()

    @property
    def weights(self) -> np.ndarray:
        """Share of each cell in the area of the sphere, flat (cell,); sums to 1."""
        return (self.area / self.area.sum()).ravel()


def _latitudes(kind: str, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Centres (count,) and edges (count + 1,) from south to north [degrees]."""
    if kind == "gaussian":
        nodes, weights = np.polynomial.legendre.leggauss(count)
        edges = np.clip(np.concatenate([[-1.0], np.cumsum(weights) - 1.0]), -1.0, 1.0)
        edges[-1] = 1.0
        return np.rad2deg(np.arcsin(nodes)), np.rad2deg(np.arcsin(edges))
    if kind == "poles":
        centres = np.linspace(-90.0, 90.0, count)
        return centres, np.concatenate([[-90.0], (centres[:-1] + centres[1:]) / 2, [90.0]])
    edges = np.linspace(-90.0, 90.0, count + 1)
    return (edges[:-1] + edges[1:]) / 2, edges


def _unrotated(lat: np.ndarray, lon: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Geographical coordinates of points given in the frame of `ROTATED_POLE` [degrees]."""
    phi, lam, tilt = np.deg2rad(lat), np.deg2rad(lon), np.deg2rad(90.0 - ROTATED_POLE[0])
    x, y, z = np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)
    x, z = np.cos(tilt) * x + np.sin(tilt) * z, np.cos(tilt) * z - np.sin(tilt) * x
    return np.rad2deg(np.arcsin(np.clip(z, -1, 1))), np.mod(np.rad2deg(np.arctan2(y, x)) + ROTATED_POLE[1], 360.0)


def _build(model: Model) -> ModelGrid:
    """Lay out the grid of a model."""
    rows, columns = model.shape
    lat, edges = _latitudes(model.grid, rows)
    width = 360.0 / columns
    lon = model.west + width * (model.first_lon + np.arange(columns))
    lat_bounds = np.stack([edges[:-1], edges[1:]], 1)
    lon_bounds = np.stack([lon - width / 2, lon + width / 2], 1)
    if model.descending:
        lat, lat_bounds = lat[::-1].copy(), lat_bounds[::-1].copy()
    height = np.abs(np.diff(np.sin(np.deg2rad(lat_bounds)), axis=1))
    area = np.repeat(EARTH_RADIUS**2 * np.deg2rad(width) * height, columns, axis=1)
    if model.grid != "rotated":
        return ModelGrid(("lat", "lon"), lat, lon, lat_bounds, lon_bounds, area, land_fraction(lat_bounds, lon_bounds))
    lat_2d, lon_2d = _unrotated(*np.meshgrid(lat, lon, indexing="ij"))
    corner = [
        (edges[:-1], lon_bounds[:, 0]),
        (edges[:-1], lon_bounds[:, 1]),
        (edges[1:], lon_bounds[:, 1]),
        (edges[1:], lon_bounds[:, 0]),
    ]
    vertices = [_unrotated(*np.meshgrid(south, west, indexing="ij")) for south, west in corner]
    corner_lat, corner_lon = (np.stack([v[axis] for v in vertices], 2) for axis in (0, 1))
    return ModelGrid(("j", "i"), lat_2d, lon_2d, corner_lat, corner_lon, area, land_fraction_at(lat_2d, lon_2d))


@cache
def model_grid(source_id: str) -> ModelGrid:
    """Grid of a demo model."""
    return _build(MODELS[source_id])
