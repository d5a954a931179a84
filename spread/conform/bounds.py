"""Bounds, cell areas and land shares: known for every conformed dataset, with a note on where they come from.

Areas come from ``areacella`` where it fits the grid, else they are exact from the bounds, else from bounds inferred
from the centres. Land shares come from ``sftlf``, else from the bundled Natural Earth map.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import xarray as xr

from spread import natural_earth
from spread.conform.units import land_share, linear_conversion
from spread.grids import EARTH_RADIUS, Grid, make_grid

SPHERE = 4.0 * np.pi * EARTH_RADIUS**2  # m2
_AREAS = 1e-3  # how far published areas may be from the whole Earth; the radius taken makes 1e-4


def conform_bounds(
    ds: xr.Dataset, areacella: xr.DataArray | None = None, sftlf: xr.DataArray | None = None
) -> tuple[xr.Dataset, list[str]]:
    """Attach sound bounds, ``cell_area`` [m2] and ``land_fraction`` [1].

    Parameters
    ----------
    ds : xarray.Dataset
        With ``lat`` and ``lon`` (1-D or 2-D) and perhaps their bounds.
    areacella, sftlf : xarray.DataArray, optional
        The model's fixed fields on the same grid, in memory.

    Returns
    -------
    xarray.Dataset, list of str
        With coordinates ``cell_area`` and ``land_fraction``, attributes ``area_source`` and ``land_source``; and the
        fixes applied.

    Raises
    ------
    ValueError
        If there are no usable latitudes and longitudes.
    """
    if "lat" not in ds.variables or "lon" not in ds.variables:
        raise ValueError("lat, lon: expected coordinates with those CF standard names, got none")
    fixes: list[str] = []
    given = {}
    for axis in ("lat", "lon"):
        name = f"{axis}_bnds"
        bounds = ds[name] if name in ds.variables else None
        if bounds is not None and "time" in bounds.dims:  # SAM0-UNICON: bounds carry a time dimension (xMIP)
            bounds = bounds.isel(time=0)
            fixes.append(f"{axis} bounds: time dimension removed")
        given[axis] = None if bounds is None else bounds.values
    grid = make_grid(ds["lat"].values, ds["lon"].values, given["lat"], given["lon"])
    if ds["lat"].ndim == 1 and not grid.rectilinear:
        raise ValueError("lat, lon: expected rows and columns of cells, got cells along one dimension (unstructured)")
    fixes += [
        note for note in grid.notes if any(word in note for word in ("rebuilt", "rising", "in order", "left out"))
    ]
    dims = ds["lat"].dims if ds["lat"].ndim == 2 else ("lat", "lon")
    area, area_source, notes = _area(grid, areacella)
    land, land_source, more = _land(grid, sftlf)
    fixes += [*notes, *more]
    corner = (*ds["lat"].dims, "vertices" if ds["lat"].ndim == 2 else "bnds")
    ds = ds.drop_vars([name for name in ("lat_bnds", "lon_bnds", "vertices", "bnds") if name in ds.variables])
    ds = ds.assign_coords(
        lat=(ds["lat"].dims, grid.lat, {"units": "degrees_north", "standard_name": "latitude", "bounds": "lat_bnds"}),
        lon=(ds["lon"].dims, grid.lon, {"units": "degrees_east", "standard_name": "longitude", "bounds": "lon_bnds"}),
    )
    lon_corner = (*ds["lon"].dims, corner[-1])
    ds = ds.assign_coords(
        lat_bnds=(corner, grid.lat_bounds),
        lon_bnds=(lon_corner, grid.lon_bounds),
        cell_area=(dims, area, {"units": "m2", "standard_name": "cell_area"}),
        land_fraction=(dims, land, {"units": "1", "standard_name": "land_area_fraction"}),
    )
    return ds.assign_attrs(area_source=area_source, land_source=land_source), fixes


def grid_of(ds: xr.Dataset) -> Grid:
    """The grid of a conformed dataset.

    Parameters
    ----------
    ds : xarray.Dataset
        As returned by :func:`conform_bounds`.

    Returns
    -------
    Grid
        Its cells.
    """
    return Grid(ds["lat"].values, ds["lon"].values, ds["lat_bnds"].values, ds["lon_bnds"].values)


def _misplaced(fixed: xr.DataArray, grid: Grid) -> str:
    """Say where the latitudes or longitudes of a fixed field are not those of a rectilinear grid, such as turned."""
    for name, wanted in (("lat", grid.lat), ("lon", grid.lon)):
        given = fixed.coords[name].values if name in fixed.coords else wanted
        if grid.rectilinear and given.shape == wanted.shape:
            apart = np.abs(given - wanted) if name == "lat" else np.abs((given - wanted + 180.0) % 360.0 - 180.0)
            if not (apart <= 0.25 * np.median(np.abs(np.diff(wanted)))).all():
                return f"its {name} is not the field's"
    return ""


def _area(grid: Grid, areacella: xr.DataArray | None) -> tuple[np.ndarray, str, list[str]]:
    inferred = any("inferred" in note or "rebuilt" in note for note in grid.notes)
    source = "inferred from cell centres" if inferred else "exact from bounds"
    computed = grid.area()
    if areacella is None:
        return computed, source, []
    values = np.asarray(areacella.squeeze().values, dtype=np.float64)
    if values.shape != grid.shape and values.T.shape == grid.shape:
        values = values.T
    if values.shape != grid.shape:
        return computed, source, [f"areacella: left aside, its shape {values.shape} is not the grid's {grid.shape}"]
    if _misplaced(areacella, grid):
        return computed, source, [f"areacella: left aside, {_misplaced(areacella, grid)}"]
    try:
        factor, offset = linear_conversion(str(areacella.attrs.get("units", "m2")), "m2")
    except ValueError as error:
        return computed, source, [f"areacella: left aside, {error}"]
    values = values * factor + offset
    if not (np.isfinite(values).all() and (values >= 0).all() and abs(values.sum() / SPHERE - 1.0) < _AREAS):
        return computed, source, ["areacella: left aside, it does not add up to the area of the Earth"]
    if grid.rectilinear and (np.abs(values / np.maximum(computed, 1.0) - 1.0) > 0.25).mean() > 0.1:
        return computed, source, ["areacella: left aside, its cells are not in the field's order"]
    return values, "areacella", []


def _land(grid: Grid, sftlf: xr.DataArray | None) -> tuple[np.ndarray, str, list[str]]:
    if sftlf is not None:
        try:
            share, fixes = land_share(sftlf.squeeze())
        except ValueError as error:
            fixes = [f"sftlf: left aside, {error}"]
        else:
            if share.shape == grid.shape and not _misplaced(sftlf, grid):
                return share.values, "sftlf", fixes
            why = _misplaced(sftlf, grid) or f"its shape {share.shape} is not the grid's {grid.shape}"
            fixes = [f"sftlf: left aside, {why}"]
    else:
        fixes = []
    if grid.rectilinear:
        land = _natural_land(grid.lat_bounds.tobytes(), grid.lon_bounds.tobytes())
    else:
        land = natural_earth.land_fraction_at(np.nan_to_num(grid.lat), np.nan_to_num(grid.lon))
        land = np.where(grid.void, 0.0, land)
    return land, "Natural Earth, not the model's own", fixes


@lru_cache(maxsize=128)
def _natural_land(lat_bounds: bytes, lon_bounds: bytes) -> np.ndarray:
    """Land fraction of a rectilinear grid, once for all runs of a model."""
    land = natural_earth.land_fraction(
        np.frombuffer(lat_bounds).reshape(-1, 2), np.frombuffer(lon_bounds).reshape(-1, 2)
    )
    land.setflags(write=False)
    return land
