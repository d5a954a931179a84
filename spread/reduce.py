"""From conformed datasets to small reduced members: every operator of a study in one read of each chunk.

:func:`area_means` builds the lazy reduction of one dataset, :func:`compute_or_fail` runs it chunk by chunk. What only
the values can show is checked here, where they are read: a value beyond the variable's plausible range or a month with
missing cells is never averaged. What only a whole run shows, a step or a copied month, is checked once all its chunks
are read, by :func:`compute_or_fail`: the lazy means never wait for it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import dask.array as da
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from spread import cores, operators
from spread.cache import ArrayCache, key_of
from spread.errors import Failure, NotConforming, one_line
from spread.grids import Grid
from spread.operators import apply_weights
from spread.plausibility import some_of, suspicious_series
from spread.study import Region
from spread.transport import is_transient
from spread.vocabulary import FACETS, VARIABLES

type Sums = NDArray[np.float64] | da.Array

KERNEL_VERSION = "4"
"""Changes when a reduction gives other numbers."""

_COMPLETE = 1.0 - 1e-10  # share of the weight that must be finite: less than any one cell may be missing

_WHOLE = Region(name="whole domain")


@dataclass(frozen=True)
class Reduction:
    """The lazy reduction of one dataset, and what identifies it.

    Parameters
    ----------
    template : xarray.DataArray
        ``(time, region)``, a member without values: its coordinates and attributes.
    sums : dask.array.Array
        ``(time, 2, outputs + 1)``, lazy: what is read, one block for each of the store's time chunks. Weighted sums and
        the weights of finite cells, the whole domain last; behind them the lowest and highest value of each month.
    domain : str
        Where the variable is defined.
    key : str
        Content address of the sums: store, version, contents, fixes, operators and kernel.
    cells : int
        Cells of the grid.
    """

    template: xr.DataArray
    sums: da.Array
    domain: str
    key: str
    cells: int = 1

    @property
    def means(self) -> xr.DataArray:
        """``(time, region)``, lazy: what people get."""
        return self.template.copy(data=_means(self.sums[..., :-1], self.domain)[:, :-1])

    def blocks(self) -> list[tuple[str, da.Array]]:
        """Each time chunk's key and lazy sums."""
        return [
            (key_of({"reduction": self.key, "block": i}), self.sums.blocks[i]) for i in range(self.sums.numblocks[0])
        ]


def area_means(ds: xr.Dataset, grid: Grid, regions: Sequence[Region]) -> xr.DataArray:
    """Area-weighted means of a conformed dataset over regions, lazily.

    Parameters
    ----------
    ds, grid, regions
        As in :func:`reduction`.

    Returns
    -------
    xarray.DataArray
        ``(time, region)`` float64 in the variable's unit, lazy, one block for each of the store's time chunks; NaN
        where a month has missing cells. Coordinate ``month_number`` along time.

    Raises
    ------
    NotConforming
        As in :func:`reduction`.
    """
    return reduction(ds, grid, regions).means


def reduction(ds: xr.Dataset, grid: Grid, regions: Sequence[Region]) -> Reduction:
    """Plan the area-weighted means of a conformed dataset over regions; nothing is read.

    Parameters
    ----------
    ds : xarray.Dataset
        Conformed.
    grid : Grid
        Its grid.
    regions : sequence of Region
        Where to average.

    Returns
    -------
    Reduction
        Lazy means and sums, and their content address.

    Raises
    ------
    NotConforming
        If a region has no cell on this grid. On compute: if values lie beyond the plausible range.
    """
    variable_id = ds.attrs["variable_id"]
    variable = VARIABLES[variable_id]
    field = ds[variable_id]
    who = ".".join(ds.attrs[facet] for facet in ("source_id", "experiment_id", "member_id", "variable_id"))
    try:
        # the whole domain is always the last row: it shows whether a month is complete, whatever the regions
        operator = operators.operator(
            grid, [*regions, _WHOLE], ds["cell_area"].values, ds["land_fraction"].values, variable.domain
        )
    except ValueError as error:
        raise NotConforming(who, [str(error)]) from error
    weights = operator.weights
    data = field.data if isinstance(field.data, da.Array) else da.from_array(field.data, chunks=-1)
    partial = da.blockwise(
        _partial_sums, "tkryx",
        data, "tyx",
        da.from_array(np.asarray(ds["month_number"].values), chunks=(data.chunks[0],)), "t",
        da.from_array(weights, chunks=(weights.shape[0], *data.chunks[1:]), name=f"weights-{operator.digest}"), "ryx",
        new_axes={"k": 2}, adjust_chunks={"r": weights.shape[0] + 1, "y": 1, "x": 1}, concatenate=True,
        who=who, plausible=variable.plausible, units=variable.units,
        dtype=np.float64, meta=np.empty((0, 0, 0, 0, 0)),
    )  # fmt: skip
    sums = da.blockwise(
        _check_whole, "tkr",
        da.reduction(partial, _together, _together, axis=(3, 4), dtype=np.float64), "tkr",
        da.from_array(np.asarray(ds["month_number"].values), chunks=(data.chunks[0],)), "t",
        dtype=np.float64, who=who, plausible=variable.plausible_mean, units=variable.units, domain=variable.domain,
        meta=np.empty((0, 0, 0)),
    )  # fmt: skip
    template = xr.DataArray(
        np.full((field.shape[0], len(regions)), np.nan),
        dims=("time", "region"),
        coords={
            "time": ds["time"],
            "month_number": ds["month_number"],
            "region": [region.name for region in regions],
        },
        name=variable_id,
        attrs={key: ds.attrs[key] for key in (*FACETS, "version", "zstore", "calendar", "frequency", "area_source",
               "land_source", "fixes", "missing_periods") if key in ds.attrs}
        | {"units": variable.units, "synthetic": str(ds.attrs.get("synthetic", "false"))},
    )  # fmt: skip
    key = key_of(
        {name: ds.attrs.get(name) for name in (*FACETS, "version", "zstore", "fingerprint", "contents", "fixes")}
        | {
            "kernel": KERNEL_VERSION,
            "weights": operator.digest,
            "months": hashlib.sha256(np.asarray(ds["month_number"].values).tobytes()).hexdigest(),
            "chunks": data.chunks,
            "checks": [variable.plausible, variable.plausible_mean, variable.units],
        }
    )
    return Reduction(template, sums, variable.domain, key, int(np.prod(grid.shape)))


def _means(sums: Sums, domain: str) -> Sums:
    """Means from sums and weights ``(time, 2, outputs)``, lazy if they are; NaN where a cell is missing."""
    values, present = sums[:, 0], sums[:, 1]
    # a land field is empty over the sea, always in the same cells: what the best month had, every month must have
    whole = 1.0 if domain == "all" else present.max(axis=0)
    some = present > 0.0
    return np.where((present >= _COMPLETE * whole) & some, values / np.where(some, present, 1.0), np.nan)


def _partial_sums(
    field: NDArray[np.floating],
    months: NDArray[np.integer],
    weights: NDArray[np.float64],
    who: str,
    plausible: tuple[float, float],
    units: str,
) -> NDArray[np.float64]:
    """One chunk: weighted sums and weights of finite cells, and extremes, ``(time, 2, outputs + 1, 1, 1)``."""
    cores.enter()
    applied = apply_weights(field, weights)
    low, high = applied.low, applied.high
    with np.errstate(invalid="ignore"):
        bad = (low < plausible[0]) | (high > plausible[1])
    if bad.any():
        worst = low[bad].min() if (low[bad] < plausible[0]).any() else high[bad].max()
        raise NotConforming(who, ["values: " + _implausible(months[bad], float(worst), plausible, units)])
    extremes = np.stack([np.where(np.isnan(low), np.inf, low), np.where(np.isnan(high), -np.inf, high)], axis=1)
    return np.concatenate([np.stack([applied.sums, applied.present], axis=1), extremes[..., None]], axis=2)[
        ..., None, None
    ]


def _together(parts: NDArray[np.float64], axis: tuple[int, ...], keepdims: bool) -> NDArray[np.float64]:
    """Join the chunks of a month: sums add up, of extremes the lowest and the highest remain."""
    joined = parts.sum(axis=axis, keepdims=True)
    joined[:, 0, -1] = parts[:, 0, -1].min(axis=(-2, -1), keepdims=True)
    joined[:, 1, -1] = parts[:, 1, -1].max(axis=(-2, -1), keepdims=True)
    return joined if keepdims else joined[..., 0, 0]


def _check_whole(
    sums: NDArray[np.float64],
    months: NDArray[np.integer],
    who: str,
    plausible: tuple[float, float],
    units: str,
    domain: str,
) -> NDArray[np.float64]:
    """Refuse months whose mean over the whole domain no unit and no factor could explain; else ``sums`` itself."""
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = sums[:, 0, -2] / sums[:, 1, -2]
        # a land field may lack lakes in every month
        least = _COMPLETE if domain == "all" else 0.5
        bad = (sums[:, 1, -2] >= least) & ((mean < plausible[0]) | (mean > plausible[1]))
    if bad.any():
        worst = float(mean[bad][np.argmax(np.abs(mean[bad] - np.mean(plausible)))])
        hint = "; the values look 1000 times too small" if plausible[0] < 1e3 * worst < plausible[1] else ""
        where = "globe" if domain == "all" else domain
        raise NotConforming(who, [f"mean over the {where}: {_implausible(months[bad], worst, plausible, units)}{hint}"])
    return sums


def _implausible(months: NDArray[np.integer], worst: float, plausible: tuple[float, float], units: str) -> str:
    shown = some_of(months)
    hint = ""
    if units == "K" and -100.0 < worst < 70.0 and len(months) > 6 and worst != 0.0:
        hint = "; the values look like degrees Celsius"
    return f"{worst:g} {units} is beyond the plausible {plausible[0]:g}..{plausible[1]:g} {units} in {shown}{hint}"


def _who(planned: Reduction) -> tuple[str, dict[str, str]]:
    facets = {key: str(planned.template.attrs.get(key, "")) for key in (*FACETS, "version", "zstore")}
    return ".".join(facets[facet] for facet in ("source_id", "experiment_id", "member_id", "variable_id")), facets


def _said(error: Exception) -> str:
    """An error in one line; zarr's list of missing chunks without its advice on how to ignore them."""
    missing = [line.split("'")[1] for line in str(error).splitlines() if line.strip().startswith("chunk '")]
    return f"chunk {', '.join(missing[:4])} is not in the store" if missing else one_line(error)


def compute_or_fail(planned: Reduction, cache: ArrayCache | None = None) -> xr.DataArray | Failure:
    """Compute one reduction chunk by chunk; a failure is a value.

    Parameters
    ----------
    planned : Reduction
        A result of :func:`reduction`.
    cache : ArrayCache, optional
        Where sums are kept, a file a time chunk, as soon as they are computed; what is there is not read again.

    Returns
    -------
    xarray.DataArray or Failure
        In memory, with a coordinate ``domain_mean`` along time; or the reason.
    """
    name, facets = _who(planned)
    try:
        # one chunk in memory at a time: parallelism is over stores
        sums = np.concatenate([_sums(key, block, cache) for key, block in planned.blocks()])
        found = _suspicions(planned, sums)
        if found:
            return Failure(name, "reduce", "; ".join(found), facets=facets)
    except NotConforming as error:
        return Failure(name, "reduce", "; ".join(error.breaches), facets=facets)
    except Exception as error:  # a store raises what it likes; one of them never stops the others
        reason = f"store {facets['zstore']} cannot be read: {_said(error)}"
        return Failure(name, "reduce", reason, unreadable=True, transient=is_transient(error), facets=facets)
    means = _means(sums[..., :-1], planned.domain)
    return planned.template.copy(data=means[:, :-1]).assign_coords(domain_mean=("time", means[:, -1]))


def _suspicions(planned: Reduction, sums: NDArray[np.float64]) -> list[str]:
    """What is wrong with a run as a whole."""
    return suspicious_series(
        np.asarray(planned.template["month_number"].values),
        _means(sums[..., :-1], planned.domain)[:, -1],
        VARIABLES[str(planned.template.name)],
        planned.template.attrs["frequency"],
        sums[:, :, -1],
        planned.cells,
    )


def _sums(key: str, block: da.Array, cache: ArrayCache | None) -> NDArray[np.float64]:
    """Sums of one time chunk, from the cache where it has them."""
    kept = None if cache is None else cache.get(key)
    if kept is not None:
        return kept
    with cores.turn():
        sums = np.array(block.compute(scheduler="synchronous"))
    if cache is not None:
        # a cache that cannot be written costs time, not the answer
        with suppress(OSError):
            cache.put(key, sums)
    return sums
