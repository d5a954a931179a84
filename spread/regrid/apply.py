"""Weights on labelled fields: finds the cells among the dimensions, stays lazy, and labels what comes out by CF."""

from __future__ import annotations

import warnings
from functools import lru_cache
from typing import Any, overload

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from spread.cores import available
from spread.grids import Grid
from spread.operators import Separable, Sparse, factors, remap
from spread.operators.remap import least_share
from spread.regrid.labels import NAMES, Dims, space_of, target_coordinates, target_dims
from spread.regrid.weights import Weights

_THREADED = 1 << 24  # bytes from which a field in memory is worth the threads
_OF_OLD_GRID = ("cell_measures", "grid_mapping", "coordinates", "bounds")  # attributes that would name what is gone


@overload
def regrid(field: xr.DataArray, weights: Weights, *, skipna: bool = ..., na_thres: float = ...) -> xr.DataArray: ...
@overload
def regrid(field: xr.Dataset, weights: Weights, *, skipna: bool = ..., na_thres: float = ...) -> xr.Dataset: ...
def regrid(
    field: xr.DataArray | xr.Dataset, weights: Weights, *, skipna: bool = True, na_thres: float = 1.0
) -> xr.DataArray | xr.Dataset:
    """Bring a field onto the target grid of weights.

    Parameters
    ----------
    field : xarray.DataArray or xarray.Dataset
        On the source grid: with coordinates of latitude and longitude, or with its dimensions last; any others besides.
        Of a dataset every variable with all of the grid's dimensions is regridded, those without any are kept, and
        bounds and areas of the old cells are left out.
    weights : Weights
        As :func:`spread.regrid.make_weights` makes them.
    skipna : bool
        Leave missing cells out; otherwise one missing source makes the target missing.
    na_thres : float
        With ``skipna``, the share 0..1 of a target's weight that may lie on missing sources.

    Returns
    -------
    xarray.DataArray or xarray.Dataset
        Of the same kind, name, attributes and dtype (float32 or float64), with the target's coordinates, and with their
        bounds where it is a dataset (a single array cannot hold them). The grid's dimensions are last: ``lat, lon``, or
        ``y, x`` of a curvilinear and ``cell`` of an unstructured target. Lazy where the field is chunked. ``regrid_*``
        attributes say how it was made.

    Raises
    ------
    ValueError
        If the field is not on the source grid, or ``na_thres`` is not a share.

    Notes
    -----
    The rule for missing cells is that of :func:`spread.operators.remap`. Chunks along the grid are made one, with a
    warning; a graph holds the weights once, however many chunks there are.
    """
    least_share(na_thres)
    how = {"skipna": skipna, "na_thres": na_thres}
    if isinstance(field, xr.DataArray):
        return _regrid_one(field, weights, how)
    space = space_of(field, weights.source)
    made, partly = {}, []
    bounds = {v.attrs["bounds"] for v in field.variables.values() if "bounds" in v.attrs}
    for name, variable in field.data_vars.items():
        common = set(space) & set(variable.dims)
        old = name in bounds or str(name).endswith(("_bnds", "_bounds")) or str(name).startswith("vertices_")
        if not common:
            made[name] = variable.drop_vars([c for c in variable.coords if set(field[c].dims) & set(space)])
        elif old or variable.attrs.get("standard_name") == "cell_area":
            continue
        elif common == set(space):
            made[name] = _regrid_one(variable, weights, how)
        else:
            partly.append(f"{name!r} has {sorted(map(str, common))} of {list(map(str, space))}")
    if partly:
        raise ValueError(f"regrid: {'; '.join(partly)}: expected all of the grid's dimensions or none; drop them first")
    coords = _kept_coordinates(field, space) | target_coordinates(weights.target)
    return xr.Dataset(made, coords=coords, attrs=field.attrs | _attributes(weights, how))


def _regrid_one(field: xr.DataArray, weights: Weights, how: dict[str, Any]) -> xr.DataArray:
    space = space_of(field, weights.source)
    if field.dtype.kind not in "fiub":
        raise ValueError(f"regrid: {field.name or 'the field'} must be real numbers, got {field.dtype}")
    lead = tuple(d for d in field.dims if d not in space)
    variable = field.variable.transpose(*lead, *space)
    target = target_dims(weights.target)
    if clash := set(lead) & set(target):
        raise ValueError(f"regrid: dimensions {sorted(map(str, clash))} are those of the target grid too; rename them")
    shape = weights.target.shape[-len(target) :]
    operator = _operator(weights.matrix, weights.source, weights.target)
    if variable.chunks is None:
        threads = available() if variable.nbytes > _THREADED else 1
        values = remap(variable.data, operator, space=len(space), threads=threads, **how)
        data: Any = values.reshape(*values.shape[:-1], *shape)
    else:
        data = _lazily(_one_chunk(field, variable, space), operator, len(space), shape, how)
    attrs = {name: value for name, value in field.attrs.items() if name not in _OF_OLD_GRID}
    coords = _kept_coordinates(field, space) | target_coordinates(weights.target, bounds=False)
    return xr.DataArray(data, coords, (*lead, *target), field.name, attrs | _attributes(weights, how))


def _kept_coordinates(field: xr.DataArray | xr.Dataset, space: Dims) -> dict[Any, Any]:
    """Coordinates that do not speak of the old cells."""
    of_cells = NAMES["lat"] + NAMES["lon"]
    return {n: c.variable for n, c in field.coords.items() if not set(c.dims) & set(space) and n not in of_cells}


@lru_cache(maxsize=4)  # grids whose operator is kept with its plan: a study reads one model after the other
def _parted(matrix: Sparse, source: tuple[int, int], target: tuple[int, int]) -> Sparse | Separable:
    return factors(matrix, source, target) or matrix


def _operator(matrix: Sparse, source: Grid, target: Grid) -> Sparse | Separable:
    """The weights, as a product of rows and columns where they are one."""
    return _parted(matrix, source.shape, target.shape) if source.rectilinear and target.rectilinear else matrix


def _one_chunk(field: xr.DataArray, variable: xr.Variable, space: Dims) -> xr.Variable:
    chunks = {d: len(n) for d, n in variable.chunksizes.items() if d in space and len(n) > 1}
    if not chunks:
        return variable
    warnings.warn(
        f"regrid: {field.name or 'the field'} has {chunks} chunks along its grid; they are made one. "
        "Chunk along other dimensions only, such as time",
        stacklevel=4,
    )
    return variable.chunk(dict.fromkeys(chunks, -1))


def _lazily(
    variable: xr.Variable, operator: Sparse | Separable, space: int, shape: tuple[int, ...], how: dict[str, Any]
) -> Any:
    """A task for each chunk; the operator is one key of the graph, on which all of them depend."""
    import dask.array as da
    from dask.delayed import delayed

    shared = delayed(operator, name=f"regrid-weights-{operator.digest}", traverse=False)
    lead = tuple(range(variable.ndim - space))
    cells, targets = (tuple(range(first, first + n)) for first, n in ((100, space), (200, len(shape))))
    kind = np.float32 if variable.dtype == np.float32 else np.float64
    return da.blockwise(
        _one_block, (*lead, *targets), variable.data, (*lead, *cells), shared, None,
        new_axes=dict(zip(targets, shape, strict=True)), concatenate=False, dtype=kind,
        meta=np.empty((0,) * (len(lead) + len(shape)), kind), space=space, shape=shape, how=how,
    )  # fmt: skip


def _one_block(
    block: Any, operator: Sparse | Separable, space: int, shape: tuple[int, ...], how: dict[str, Any]
) -> NDArray[Any]:
    while isinstance(block, list):  # dask hands the one chunk along each of the grid's dimensions over in a list
        (block,) = block
    values = remap(block, operator, space=space, **how)
    return values.reshape(*values.shape[:-1], *shape)


def _attributes(weights: Weights, how: dict[str, Any]) -> dict[str, Any]:
    made = {
        "regrid_method": weights.method,
        "regrid_norm": weights.norm,
        "regrid_engine": weights.engine,
        "regrid_engine_version": weights.engine_version,
        "regrid_skipna": "true" if how["skipna"] else "false",
    }
    return made | ({"regrid_na_thres": float(how["na_thres"])} if how["skipna"] else {})
