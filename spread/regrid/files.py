"""Weights as a dataset that SCRIP, ESMF, cdo and xESMF know by their own names, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from spread.grids import EARTH_RADIUS, Grid, make_grid
from spread.regrid.weights import METHODS, Floats, Weights, sparse

_NORMS = {"fracarea": "fracarea", "destarea": "dstarea", "dstarea": "dstarea"}  # SCRIP's word is destarea
_MAPS = {  # as cdo 2.1.1 writes them, which reads no others
    "conservative": "Conservative remapping using clipping on sphere",
    "bilinear": "Bilinear remapping",
    "nearest": "Nearest neighbor",
}
_FACTS = ("method", "engine", "engine_version", "norm")


def to_dataset(weights: Weights) -> xr.Dataset:
    """Weights and both grids under the names of SCRIP and of ESMF.

    Parameters
    ----------
    weights : Weights
        The weights.

    Returns
    -------
    xarray.Dataset
        ``S``, ``row``, ``col`` (ESMF, xESMF) and ``remap_matrix``, ``dst_address``, ``src_address`` (SCRIP, cdo), cells
        counted from 1; areas [sr], shares covered, centres and corners [degrees] of both grids.

    Notes
    -----
    SCRIP: Jones (1999), Mon. Weather Rev. 127. ESMF's names: ESMF Reference Manual, "Regrid weight file format".
    """
    rows, columns = weights.rows + 1, weights.matrix.indices + 1
    src_frac = _source_share(weights)
    held: dict[str, Any] = {
        "S": ("n_s", weights.matrix.data, {"long_name": "weight"}),
        "row": ("n_s", rows.astype(np.int32), {"long_name": "target cell, from 1"}),
        "col": ("n_s", columns.astype(np.int32), {"long_name": "source cell, from 1"}),
        "remap_matrix": (("num_links", "num_wgts"), weights.matrix.data[:, None]),
        "dst_address": ("num_links", rows.astype(np.int32)),
        "src_address": ("num_links", columns.astype(np.int32)),
    }
    held |= _side(weights.source, weights.source_area, src_frac, "src", "a")
    held |= _side(weights.target, weights.target_area, weights.frac, "dst", "b")
    return xr.Dataset(
        held,
        attrs={
            "title": "regridding weights of spread",
            "conventions": "SCRIP",
            "normalization": "destarea" if weights.norm == "dstarea" else weights.norm,
            "map_method": _MAPS[weights.method],
            **{f"spread_{fact}": getattr(weights, fact) for fact in _FACTS},
            "spread_notes": "\n".join(weights.notes),
            "spread_matrix": weights.matrix.digest,
            "source_grid": weights.source.digest,
            "dest_grid": weights.target.digest,
        },
    )


def _source_share(weights: Weights) -> Floats:
    """Share of each source cell that target cells cover; 0 or 1 where weights are no areas."""
    if weights.method != "conservative":
        found = np.zeros(weights.matrix.shape[1])
        found[weights.matrix.indices] = 1.0
        return found
    rows = weights.rows
    scale = weights.target_area * (weights.frac if weights.norm == "fracarea" else 1.0)
    gone = np.bincount(weights.matrix.indices, weights.matrix.data * scale[rows], weights.matrix.shape[1])
    return np.divide(gone, weights.source_area, out=np.zeros_like(gone), where=weights.source_area > 0.0)


def _side(grid: Grid, area: Floats, frac: Floats, scrip: str, esmf: str) -> dict[str, Any]:
    """What one grid holds, by SCRIP's names, ESMF's and as the grid itself has it."""
    lat, lon = (np.nan_to_num(values) for values in grid.centres())
    lat_b, lon_b = (np.nan_to_num(values) for values in grid.corners())
    mask = (~grid.void.ravel()).astype(np.int32)
    degrees = {"units": "degrees"}
    cells, corners = f"{scrip}_grid_size", f"{scrip}_grid_corners"
    axes = [f"{scrip}_y", f"{scrip}_x"]
    centre = {"lat": axes[:1], "lon": axes[1:]} if grid.rectilinear else {"lat": axes, "lon": axes}
    held: dict[str, Any] = {
        f"{scrip}_grid_dims": (f"{scrip}_grid_rank", np.array(grid.shape[::-1], dtype=np.int32)),
        f"{scrip}_grid_center_lat": (cells, lat, degrees),
        f"{scrip}_grid_center_lon": (cells, lon, degrees),
        f"{scrip}_grid_corner_lat": ((cells, corners), lat_b, degrees),
        f"{scrip}_grid_corner_lon": ((cells, corners), lon_b, degrees),
        f"{scrip}_grid_imask": (cells, mask, {"units": "unitless"}),
        f"{scrip}_grid_area": (cells, area, {"units": "square radians"}),
        f"{scrip}_grid_frac": (cells, frac, {"units": "unitless"}),
        f"xc_{esmf}": (f"n_{esmf}", lon, degrees),
        f"yc_{esmf}": (f"n_{esmf}", lat, degrees),
        f"xv_{esmf}": ((f"n_{esmf}", f"nv_{esmf}"), lon_b, degrees),
        f"yv_{esmf}": ((f"n_{esmf}", f"nv_{esmf}"), lat_b, degrees),
        f"mask_{esmf}": (f"n_{esmf}", mask),
        f"area_{esmf}": (f"n_{esmf}", area, {"units": "square radians"}),
        f"frac_{esmf}": (f"n_{esmf}", frac),
    }
    for name in ("lat", "lon"):
        held[f"spread_{scrip}_{name}"] = (centre[name], getattr(grid, name), degrees)
        bounds = (*centre[name], f"{scrip}_bnds")
        held[f"spread_{scrip}_{name}_bnds"] = (bounds, getattr(grid, f"{name}_bounds"), degrees)
    return held


def from_dataset(ds: xr.Dataset, norm: str | None = None) -> Weights:
    """Weights from a dataset of spread, SCRIP, cdo, ESMF or xESMF.

    Parameters
    ----------
    ds : xarray.Dataset
        With ``S``, ``row``, ``col``, or ``remap_matrix``, ``dst_address``, ``src_address``; and with both grids.
    norm : str, optional
        ``fracarea`` or ``dstarea``, where the dataset does not say or says it wrongly.

    Returns
    -------
    Weights
        The same weights.

    Raises
    ------
    ValueError
        If weights or grids are missing, or the weights of a dataset of spread were changed.
    """
    missing = []
    if {"S", "row", "col"} <= set(ds.variables):
        rows, columns, values = ds["row"].values, ds["col"].values, ds["S"].values
    elif {"remap_matrix", "dst_address", "src_address"} <= set(ds.variables):
        rows, columns, values = ds["dst_address"].values, ds["src_address"].values, ds["remap_matrix"].values[:, 0]
    else:
        missing.append("weights (S, row, col; or remap_matrix, dst_address, src_address)")
    for scrip, esmf in (("src", "a"), ("dst", "b")):
        if not {f"{scrip}_grid_center_lat", f"yc_{esmf}"} & set(ds.variables):
            missing.append(
                f"the {'source' if scrip == 'src' else 'target'} grid ({scrip}_grid_center_lat or yc_{esmf})"
            )
    if missing:
        raise ValueError(f"weights dataset: expected {' and '.join(missing)}; got {', '.join(map(str, ds.variables))}")
    source, source_area, _ = _grid(ds, "src", "a")
    target, target_area, frac = _grid(ds, "dst", "b")
    shape = (target_area.size, source_area.size)
    matrix = sparse(rows.astype(np.int64) - 1, columns.astype(np.int64) - 1, values.astype(np.float64), shape)
    if ds.attrs.get("spread_matrix", matrix.digest) != matrix.digest:
        raise ValueError("weights dataset: its weights are not those that spread wrote (spread_matrix)")
    said = str(ds.attrs.get("spread_method", ds.attrs.get("map_method", "conservative"))).lower()
    method = next((name for name in METHODS if name in said), "")
    if not method or "distance" in said:
        raise ValueError(f"weights dataset: expected weights that are {', '.join(METHODS)}; got {said!r}")
    notes = ds.attrs.get("spread_notes", "")
    return Weights(
        matrix, source, target, frac, source_area, target_area, method,
        ds.attrs.get("spread_engine", "file"),
        ds.attrs.get("spread_engine_version", str(ds.attrs.get("CDO", ds.attrs.get("ESMF_version", "unknown")))),
        norm or _NORMS.get(ds.attrs.get("normalization", "fracarea"), "fracarea"),
        tuple(notes.split("\n")) if notes else (),
    )  # fmt: skip


def _grid(ds: xr.Dataset, scrip: str, esmf: str) -> tuple[Grid, Floats, Floats]:
    """A grid with the areas [sr] and shares of its cells."""

    def read(one: str, other: str) -> Floats:
        held = ds[one] if one in ds.variables else ds[other]
        values = np.asarray(held.values, dtype=np.float64)
        return np.rad2deg(values) if str(held.attrs.get("units", "")).startswith("rad") else values

    def there(one: str, other: str) -> bool:
        return one in ds.variables or other in ds.variables

    lat, lon = read(f"{scrip}_grid_center_lat", f"yc_{esmf}"), read(f"{scrip}_grid_center_lon", f"xc_{esmf}")
    if f"spread_{scrip}_lat" in ds.variables:
        held = [ds[f"spread_{scrip}_{name}"].values for name in ("lat", "lon", "lat_bnds", "lon_bnds")]
        grid = Grid(held[0], held[1], held[2], held[3])
    else:
        bounds: list[Floats | None] = [None, None]
        if there(f"{scrip}_grid_corner_lat", f"yv_{esmf}"):
            bounds = [
                read(f"{scrip}_grid_corner_{name}", f"{axis}v_{esmf}") for name, axis in (("lat", "y"), ("lon", "x"))
            ]
        grid = _rebuilt(lat, lon, bounds, read(f"{scrip}_grid_dims", f"{scrip}_grid_dims"))
    area = frac = None
    if there(f"{scrip}_grid_area", f"area_{esmf}"):
        area = read(f"{scrip}_grid_area", f"area_{esmf}")
        # cdo 2.1 leaves the areas of the source at zero
        area = area if (area > 0.0).any() else None
    if there(f"{scrip}_grid_frac", f"frac_{esmf}"):
        frac = read(f"{scrip}_grid_frac", f"frac_{esmf}")
    if area is None:
        area = grid.area().ravel() / EARTH_RADIUS**2
    return grid, area, np.ones(lat.size) if frac is None else frac


def _rebuilt(lat: Floats, lon: Floats, bounds: list[Floats | None], dims: Floats) -> Grid:
    """A grid from flattened centres and corners: rectilinear where rows share latitudes and columns longitudes."""
    shape = tuple(int(n) for n in dims[::-1])
    if len(shape) == 1:
        return make_grid(lat, lon, *bounds)
    lat_2d, lon_2d = lat.reshape(shape), lon.reshape(shape)
    corners = [None if part is None else part.reshape(*shape, -1) for part in bounds]
    if not ((lat_2d == lat_2d[:, :1]).all() and (lon_2d == lon_2d[:1]).all()):
        return make_grid(lat_2d, lon_2d, *corners)
    edges: list[Floats | None] = [None, None]
    if corners[0] is not None and corners[1] is not None:
        edges = [np.stack([part.min(-1), part.max(-1)], axis=-1) for part in (corners[0][:, 0], corners[1][0])]
    return make_grid(lat_2d[:, 0], lon_2d[0], *edges)
