"""Natural Earth land and coast, bundled: small facts about the real world, read without a download.

Not a land mask of any climate model: a model's own `sftlf` is better where it exists.

Source: Natural Earth 1:50m and 1:110m land (public domain, naturalearthdata.com), from the npm package world-atlas
2.0.2; `derive.py` made the two files.
"""

import json
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

__all__ = ["coastlines", "land_fraction", "land_fraction_at"]

_HERE = Path(__file__).parent


@cache
def _one_degree() -> np.ndarray:
    """Land fraction of 1-degree cells, float64 (180, 360), latitude -90..90, longitude 0..360."""
    with np.load(_HERE / "land_fraction_1deg.npz") as file:
        field = file["percent"] / 100.0
    field.setflags(write=False)
    return field


def _cell_bounds(bounds: npt.ArrayLike, name: str) -> np.ndarray:
    """Bring cell bounds, (n, 2) or contiguous edges (n + 1,), to float64 (n, 2)."""
    bounds = np.asarray(bounds, float)
    if bounds.ndim == 1 and bounds.size > 1:
        return np.stack([bounds[:-1], bounds[1:]], 1)
    if bounds.ndim != 2 or bounds.shape[1] != 2:
        raise ValueError(
            f"land_fraction: {name} must be (n, 2) bounds or (n + 1,) edges in degrees, got {bounds.shape}"
        )
    return bounds


def _overlap(low: np.ndarray, high: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Length of each [low, high] inside each interval between consecutive edges, (n, len(edges) - 1)."""
    return np.clip(np.minimum(high[:, None], edges[1:]) - np.maximum(low[:, None], edges[:-1]), 0.0, None)


def land_fraction(lat_bounds: npt.ArrayLike, lon_bounds: npt.ArrayLike) -> np.ndarray:
    """Exact area-weighted mean of the 1-degree land fraction over each cell of a rectilinear grid.

    Parameters
    ----------
    lat_bounds : array_like
        Latitude bounds (nlat, 2) or edges (nlat + 1,) [degrees north], in any order.
    lon_bounds : array_like
        Longitude bounds (nlon, 2) or edges (nlon + 1,) [degrees east], in any range; a cell may cross any meridian.
        A pair whose second bound is the smaller one, such as (359, 1), wraps round.

    Returns
    -------
    ndarray
        Land fraction (nlat, nlon) [1], float64 in 0..1.

    Raises
    ------
    ValueError
        If bounds have another shape, or a cell is empty or wider than 360 degrees.
    """
    lat, lon = _cell_bounds(lat_bounds, "lat_bounds"), _cell_bounds(lon_bounds, "lon_bounds")
    if np.ndim(lon_bounds) == 1 and len(lon) > 1 and np.all(lon[:, 1] < lon[:, 0]):
        lon = lon[:, ::-1]
    south, north = np.sin(np.deg2rad(np.clip(np.sort(lat, axis=1), -90, 90))).T
    west = np.mod(lon[:, 0], 360.0)
    width = np.where(lon[:, 1] >= lon[:, 0], lon[:, 1] - lon[:, 0], np.mod(lon[:, 1] - lon[:, 0], 360.0))
    if np.any(north <= south) or np.any(width <= 0) or np.any(width > 360.0 + 1e-6):
        raise ValueError("land_fraction: every cell needs a positive size and at most 360 degrees of longitude")
    rows = _overlap(south, north, np.sin(np.deg2rad(np.arange(-90.0, 91.0))))
    columns = _overlap(west, west + width, np.arange(0.0, 721.0)).reshape(-1, 2, 360).sum(1)
    rows /= rows.sum(1, keepdims=True)
    columns /= columns.sum(1, keepdims=True)
    # the last bits of a matrix product are those of the processor; a result must not depend on who computed it
    return np.clip(np.round(rows @ _one_degree() @ columns.T, 12), 0.0, 1.0)


def land_fraction_at(lat: npt.ArrayLike, lon: npt.ArrayLike) -> np.ndarray:
    """Land fraction at points, bilinear between the centres of 1-degree cells; for curvilinear centres.

    Parameters
    ----------
    lat, lon : array_like
        Points of any one shape [degrees north, degrees east], longitudes in any range.

    Returns
    -------
    ndarray
        Land fraction in the shape of the points [1], float64 in 0..1.
    """
    lat, lon = np.broadcast_arrays(np.asarray(lat, float), np.asarray(lon, float))
    y = np.clip(lat + 89.5, 0.0, 179.0)
    x = np.mod(lon - 0.5, 360.0)
    row, column = np.minimum(y.astype(int), 178), x.astype(int) % 360
    field, across, up, east = _one_degree(), np.mod(x, 1.0), y - row, (column + 1) % 360
    lower = field[row, column] * (1 - across) + field[row, east] * across
    upper = field[row + 1, column] * (1 - across) + field[row + 1, east] * across
    return lower * (1 - up) + upper * up


def coastlines() -> list[np.ndarray]:
    """Coast of the world at 1:110m, for maps.

    Returns
    -------
    list of ndarray
        Lines, (n, 2) longitude -180..180, latitude [degrees]; none crosses the antimeridian.
    """
    return [np.array(line) for line in json.loads((_HERE / "coastline_110m.json").read_text())]
