"""The cells among a field's dimensions: where they are, whether they are those of a grid, and their CF coordinates."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
import xarray as xr

from spread.grids import Grid

Dims = tuple[Hashable, ...]

NAMES = {"lat": ("lat", "latitude", "nav_lat"), "lon": ("lon", "longitude", "nav_lon")}
"""Names of coordinates that carry no standard name (NEMO writes the last)."""

_PLACE = 1e-3  # degrees by which a field's coordinates may be off the weights' grid: they may be single precision


def space_of(field: xr.DataArray | xr.Dataset, source: Grid) -> Dims:
    """The dimensions of a field that are its cells.

    Parameters
    ----------
    field : xarray.DataArray or xarray.Dataset
        With coordinates of latitude and longitude, or with the cells' dimensions last.
    source : Grid
        Where the field should be.

    Returns
    -------
    tuple
        Rows and columns, or the one dimension of an unstructured grid.

    Raises
    ------
    ValueError
        If there are no such dimensions, or the coordinates are not those of the grid.
    """
    who = getattr(field, "name", None) or "the field"
    lat, lon = (_coordinate(field, axis) for axis in ("lat", "lon"))
    sizes = {str(d): int(n) for d, n in field.sizes.items()}
    wanted = source.shape if source.shape[0] > 1 or source.rectilinear else source.shape[1:]
    if lat is not None and lon is not None and (lat.ndim, lon.ndim) in ((1, 1), (2, 2)):
        dims: Dims = lat.dims if lat.dims == lon.dims else (*lat.dims, *lon.dims)
    elif isinstance(field, xr.DataArray):
        dims = field.dims[-len(wanted) :]
    else:
        raise ValueError(
            f"regrid: expected coordinates of latitude and longitude, got {sorted(map(str, field.coords))}"
        )
    shape = tuple(sizes[str(d)] for d in dims if str(d) in sizes)
    if shape != wanted:
        named = ("lat", "lon") if source.rectilinear else ("y", "x")
        expected = ", ".join(f"{d}: {n}" for d, n in zip(named if len(wanted) == 2 else ("cell",), wanted, strict=True))
        raise ValueError(
            f"regrid: {who} must have dimensions of the source grid's sizes ({expected}), got {sizes}; "
            "make weights from this field's grid"
        )
    if lat is not None and lon is not None:
        _check_place(who, lat, lon, source)
    return dims


def _coordinate(field: xr.DataArray | xr.Dataset, axis: str) -> xr.DataArray | None:
    """The coordinate of latitude or longitude, by CF's standard name or by its usual names."""
    standard = "latitude" if axis == "lat" else "longitude"
    named = [c for c in field.coords.values() if c.attrs.get("standard_name") == standard and c.ndim]
    named += [field.coords[name] for name in NAMES[axis] if name in field.coords and field.coords[name].ndim]
    return named[0] if named else None


def _check_place(who: Hashable, lat: xr.DataArray, lon: xr.DataArray, source: Grid) -> None:
    """Refuse a field whose cells are in another order, or elsewhere; coordinates that are not in memory are trusted."""
    for name, given, centre, turn in (("lat", lat, source.lat, np.inf), ("lon", lon, source.lon, 360.0)):
        if given.chunks is not None or given.size != centre.size:
            continue
        off = np.abs(np.asarray(given.values, dtype=np.float64).ravel() - centre.ravel())
        off = np.minimum(off % turn, turn - off % turn)
        if name == "lon":  # at a pole any longitude is the same place
            off = np.where(np.abs(source.lat.ravel()) > 89.99, 0.0, off) if source.lat.size == off.size else off
        if (off > _PLACE).any():
            first = int(np.argmax(off > _PLACE))
            raise ValueError(
                f"regrid: {name} of {who} are not those that the weights are for: expected {centre.ravel()[first]:g}, "
                f"got {given.values.ravel()[first]:g} at {first}; make weights from this field's grid, or sort it"
            )


def target_dims(grid: Grid) -> tuple[str, ...]:
    """Names of the dimensions of fields on a grid: ``lat, lon``; ``y, x``; or ``cell``."""
    if grid.rectilinear:
        return ("lat", "lon")
    return ("y", "x") if grid.shape[0] > 1 else ("cell",)


def target_coordinates(grid: Grid, bounds: bool = True) -> dict[str, xr.Variable]:
    """Centres and bounds of a grid with their CF attributes.

    Parameters
    ----------
    grid : Grid
        Any.
    bounds : bool
        False for a field of its own, which cannot hold coordinates with more dimensions than it has.

    Returns
    -------
    dict
        ``lat``, ``lon``, ``lat_bnds``, ``lon_bnds``; bounds have a last dimension ``bnds``, or ``vertices`` where cells
        are polygons.
    """
    dims = target_dims(grid)
    made = {}
    for k, (name, standard, units, centres, corners) in enumerate((
        ("lat", "latitude", "degrees_north", grid.lat, grid.lat_bounds),
        ("lon", "longitude", "degrees_east", grid.lon, grid.lon_bounds),
    )):  # fmt: skip
        of = (dims[k],) if grid.rectilinear else dims
        attrs = {"standard_name": standard, "long_name": standard, "units": units}
        attrs |= {"axis": "YX"[k]} if grid.rectilinear else {}
        shape = centres.shape[-len(of) :]  # an unstructured grid has one row
        made[name] = xr.Variable(of, centres.reshape(shape).copy(), attrs)
        if bounds:
            made[name].attrs["bounds"] = f"{name}_bnds"
            corner = "bnds" if grid.rectilinear else "vertices"
            made[f"{name}_bnds"] = xr.Variable((*of, corner), corners.reshape(*shape, corners.shape[-1]).copy())
    return made
