"""Engine ``xesmf``: weights made by ESMF through xESMF, where it is installed (conda-forge)."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from spread.errors import NotFound
from spread.grids import Grid, unit_vectors
from spread.regrid.spherical import areas
from spread.regrid.weights import Floats, Links, used

_METHODS = {"conservative": "conservative", "bilinear": "bilinear", "nearest": "nearest_s2d"}
_JOINED = 1e-6  # distance [rad] up to which corners of neighbours are one


def links(source: Grid, target: Grid, method: str, weights: Any = None) -> Links:
    """Weights of :class:`xesmf.Regridder`.

    Parameters
    ----------
    source, target : Grid
        Rectilinear or curvilinear, neighbours sharing corners.
    method : str
        ``conservative``, ``bilinear`` or ``nearest``.
    weights : optional
        What ``xesmf.Regridder(weights=...)`` takes: then ESMF makes none.

    Returns
    -------
    Links
        Common areas where conservative: xESMF's weights are shares of the target cell (ESMF's ``DSTAREA``).

    Raises
    ------
    NotFound
        If xESMF or ESMF is missing.
    ValueError
        If neighbouring cells do not share corners, which ESMF's grids cannot say.
    """
    xesmf = _xesmf()
    conservative = method == "conservative"
    regridder = xesmf.Regridder(
        _dataset(source, used(source), conservative),
        _dataset(target, ~target.void.ravel(), conservative),
        _METHODS[method],
        # with corners ESMF finds the neighbours across longitude 0 itself
        periodic=not conservative and _goes_round(source),
        weights=weights,
        ignore_degenerate=True if conservative else None,  # cells at a pole have a side of no length
    )
    made = regridder.weights.data  # sparse.COO (target, source)
    rows, columns = (np.asarray(part, dtype=np.int64) for part in made.coords)
    values = np.asarray(made.data, dtype=np.float64)
    there = np.isfinite(values) & (values != 0.0)
    rows, columns, values = rows[there], columns[there], values[there]
    source_area, target_area = np.where(used(source), areas(source), 0.0), areas(target)
    if conservative:
        values = values * target_area[rows]
    return Links(rows, columns, values, source_area, target_area, f"xesmf {xesmf.__version__}, {_esmf_version()}")


def _xesmf() -> Any:
    """Import xESMF after what its libraries would otherwise break."""
    for module in ("netCDF4", "h5py"):
        # libesmf brings its own HDF5 into the process; if it comes first, the wheels' crash (pangeo-data/xESMF #334)
        try:
            import_module(module)
        except ImportError:
            continue
    try:
        return import_module("xesmf")
    except ImportError as error:
        raise NotFound(
            f"engine 'xesmf': expected xESMF and ESMF, got {error}; install them with "
            "'conda install -c conda-forge xesmf', or take engine 'auto', which needs neither"
        ) from error


def _esmf_version() -> str:
    for module in ("esmpy", "ESMF"):
        try:
            return f"ESMF {getattr(import_module(module), '__version__', 'of unknown version')}"
        except ImportError:
            continue
    return "ESMF of unknown version"


def _goes_round(grid: Grid) -> bool:
    if grid.rectilinear:
        return bool(abs(np.abs(np.diff(grid.lon_bounds, axis=1)).sum() - 360.0) < 1e-6)
    from spread.grids.corners import periodic

    return periodic(unit_vectors(grid.lat, grid.lon))


def _dataset(grid: Grid, counts: Any, corners: bool) -> Any:
    """A grid as xESMF wants it: centres, mask (1 counts), and corners between four cells each."""
    import xarray as xr

    held: dict[str, Any] = {}
    dims = ("lat", "lon") if grid.rectilinear else ("y", "x")
    if not np.all(counts):
        held["mask"] = (dims, np.asarray(counts).reshape(grid.shape).astype(np.int32))
    if grid.rectilinear:
        held |= {"lat": ("lat", grid.lat), "lon": ("lon", grid.lon)}
        if corners:
            held |= {"lat_b": ("lat_b", _ends(grid.lat, grid.lat_bounds)), "lon_b": ("lon_b", _east_ends(grid))}
        return xr.Dataset(held)
    held |= {
        "lat": (dims, np.where(grid.void, 0.0, grid.lat)),
        "lon": (dims, np.where(grid.void, 0.0, grid.lon)),
    }
    if corners:
        lat_b, lon_b = vertices(grid)
        held |= {"lat_b": (("y_b", "x_b"), lat_b), "lon_b": (("y_b", "x_b"), lon_b)}
    return xr.Dataset(held)


def _ends(centres: Floats, bounds: Floats) -> Floats:
    """Edges ``(n + 1,)`` in the order of the centres."""
    ordered = np.sort(bounds, axis=1)
    falling = centres.size > 1 and ordered[-1, 0] < ordered[0, 0]
    return np.r_[ordered[:, 1], ordered[-1, 0]] if falling else np.r_[ordered[:, 0], ordered[-1, 1]]


def _east_ends(grid: Grid) -> Floats:
    """Edges of columns; where bounds go on from one turn to the next, they go on."""
    ordered = np.sort(grid.lon_bounds, axis=1)
    start = np.unwrap(ordered[:, 0], period=360.0)
    return _ends(start, np.stack([start, start + (ordered[:, 1] - ordered[:, 0])], axis=1))


def vertices(grid: Grid) -> tuple[Floats, Floats]:
    """Corners between the cells of a curvilinear grid.

    Parameters
    ----------
    grid : Grid
        Its corners ``(y, x, 4)`` may begin anywhere, in the same way in all cells.

    Returns
    -------
    tuple of numpy.ndarray
        Latitudes and longitudes ``(y + 1, x + 1)`` [degrees].

    Raises
    ------
    ValueError
        If neighbours do not share corners.
    """
    if grid.shape[0] == 1 or grid.void.any() or grid.lat_bounds.shape[-1] != 4:
        raise ValueError(
            "engine 'xesmf', conservative: expected a grid of rows and columns that all have four corners; "
            "take engine 'spherical'"
        )
    points = unit_vectors(grid.lat_bounds, grid.lon_bounds)
    orders = [np.roll(base, turn) for base in ([0, 1, 2, 3], [3, 2, 1, 0]) for turn in range(4)]
    best, order = min(((_mismatch(points[..., order, :]), tuple(order)) for order in orders), key=lambda pair: pair[0])
    if best > _JOINED:
        raise ValueError(
            f"engine 'xesmf', conservative: neighbouring cells do not share corners (off by {np.rad2deg(best):g} "
            "degrees); take engine 'spherical'"
        )
    made = []
    for given in (grid.lat_bounds, grid.lon_bounds):
        a, b, c, d = (given[..., corner] for corner in order)
        made.append(np.block([[a, b[:, -1:]], [d[-1:], c[-1:, -1:]]]))
    return made[0], made[1]


def _mismatch(points: Floats) -> float:
    """Greatest distance between corners of neighbours that should be one, for corners (here, right, across, above)."""
    a, b, c, d = (points[..., corner, :] for corner in range(4))
    apart = [b[:, :-1] - a[:, 1:], c[:, :-1] - d[:, 1:], d[:-1] - a[1:], c[:-1] - b[1:]]
    return max(float(np.linalg.norm(part, axis=-1).max()) if part.size else 0.0 for part in apart)
