"""CF names: dimensions and coordinates are called time, lat, lon (or y, x), whatever the store calls them."""

from __future__ import annotations

import cf_xarray  # noqa: F401  registers the .cf accessor
import numpy as np
import xarray as xr

_AXES = {"latitude": "lat", "longitude": "lon"}
_PARALLEL = 1e-4  # degrees by which the cells of a row may differ in latitude: what float32 leaves of 360
_BOUNDS = {
    "lat": ("lat_bnds", "vertices_latitude", "lat_vertices"),
    "lon": ("lon_bnds", "vertices_longitude", "lon_vertices"),
}


def conform_names(ds: xr.Dataset, variable_id: str) -> tuple[xr.Dataset, list[str]]:
    """Rename coordinates, bounds and dimensions to the canonical ones, and order the dimensions.

    Parameters
    ----------
    ds : xarray.Dataset
        As opened; finds coordinates by CF attributes (cf_xarray), else by their usual names.
    variable_id : str
        The data variable.

    Returns
    -------
    xarray.Dataset, list of str
        The renamed dataset, and the fixes applied.

    Notes
    -----
    MCM-UA-1-0 calls its dimensions latitude and longitude and ends names in spaces (ESMValCore, mcm_ua_1_0).
    """
    fixes: list[str] = []
    stripped = {name: name.strip() for name in ds.variables if isinstance(name, str) and name != name.strip()}
    if stripped:
        ds = ds.rename(stripped)
        fixes.append("names: spaces removed from " + ", ".join(sorted(stripped.values())))
    ds, renamed = _rename_horizontal(ds, variable_id)
    if renamed:
        fixes.append("names: " + ", ".join(f"{old} -> {new}" for old, new in sorted(renamed.items())))
    if "lat" in ds and "lon" in ds and variable_id in ds:
        ds = _order(ds, variable_id)
        if ds["lat"].ndim == 2 and ds["lat"].dims == ds["lon"].dims == ("y", "x"):
            ds, flat = _flatten(ds)
            fixes += flat
    return ds, fixes


def _rename_horizontal(ds: xr.Dataset, variable_id: str) -> tuple[xr.Dataset, dict[str, str]]:
    renamed: dict[str, str] = {}
    for standard_name, name in _AXES.items():
        if name in ds.variables:
            found = name
        else:
            candidates = [c for c in ds.cf.coordinates.get(standard_name, []) if c in ds.variables]
            candidates += [c for c in (standard_name, f"nav_{name}") if c in ds.variables]
            if not candidates:
                continue
            found = str(candidates[0])
        bounds = ds[found].attrs.get("bounds") or ds[found].encoding.get("bounds") or ""
        if found != name:
            renamed[found] = name
        for candidate in (bounds, *_BOUNDS[name]):
            if candidate in ds.variables and f"{name}_bnds" not in (*ds.variables, *renamed.values()):
                renamed[candidate] = f"{name}_bnds"
    ds = ds.rename(renamed)
    # a rename of a variable does not make it the coordinate of a dimension of that name
    return ds.set_coords([name for name in ("lat", "lon") if name in ds.variables]), renamed


def _flatten(ds: xr.Dataset) -> tuple[xr.Dataset, list[str]]:
    """Latitudes and longitudes in two dimensions of a grid whose rows are parallels and columns meridians, in one."""
    lat, lon = ds["lat"].values, ds["lon"].values
    if not (np.isfinite(lat).all() and np.isfinite(lon).all()):
        return ds, []
    away = np.abs((lon - lon[:1] + 180.0) % 360.0 - 180.0)
    if np.abs(lat - lat[:, :1]).max() > _PARALLEL or away.max() > _PARALLEL:
        return ds, []
    flat: dict[str, tuple] = {"lat": ("lat", lat[:, 0], ds["lat"].attrs), "lon": ("lon", lon[0], ds["lon"].attrs)}
    for name, at in (("lat", np.s_[:, 0]), ("lon", np.s_[0, :])):
        corners = ds[f"{name}_bnds"].values if f"{name}_bnds" in ds.variables else None
        if corners is not None and corners.shape == (*lat.shape, 4):
            ends = corners[at]  # (n, 4): two corners on either side
            if name == "lon":
                ends = lon[at][:, None] + (ends - lon[at][:, None] + 180.0) % 360.0 - 180.0
            flat[f"{name}_bnds"] = ((name, "bnds"), np.stack([ends.min(axis=1), ends.max(axis=1)], axis=1), {})
    ds = ds.drop_vars([n for n in ("lat", "lon", "lat_bnds", "lon_bnds", "y", "x") if n in ds.variables])
    ds = ds.rename_dims(y="lat", x="lon").assign(flat).set_coords(["lat", "lon"])
    return ds, ["names: latitudes and longitudes put into one dimension each; rows are parallels, columns meridians"]


def _order(ds: xr.Dataset, variable_id: str) -> xr.Dataset:
    if ds["lat"].ndim == 2:
        y, x = ds["lat"].dims
        named = {d: n for d, n in ((y, "y"), (x, "x")) if d != n and d in ds.dims}
        ds = ds.rename_dims({d: n for d, n in named.items() if d in ("lat", "lon")})  # not the coordinates of that name
        ds = ds.rename({d: n for d, n in named.items() if d not in ("lat", "lon")})
        horizontal = ("y", "x")
    else:
        for name in ("lat", "lon"):
            if ds[name].ndim == 1 and ds[name].dims[0] != name:
                ds = ds.swap_dims({ds[name].dims[0]: name})
        horizontal = ("lat", "lon")
    field = ds[variable_id]
    others = [d for d in field.dims if d not in ("time", *horizontal)]
    single = [d for d in others if field.sizes[d] == 1]
    if single:
        ds = ds.isel(dict.fromkeys(single, 0))
    if {"time", *horizontal} == set(ds[variable_id].dims):
        return ds.assign({variable_id: ds[variable_id].transpose("time", *horizontal)})
    return ds
