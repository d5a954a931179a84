"""From conformed datasets to small reduced members: every operator of a study in one read of each chunk.

:func:`area_means` builds the lazy reduction of one dataset; :func:`reduce_all` runs many, each on its own, so that one
bad store never stops the others. What only the values can show is checked here, where they are read: a value beyond
the variable's plausible range or a month with missing cells is never averaged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor, as_completed

import dask.array as da
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from spread.calendars import spans
from spread.errors import Failure, NotConforming, one_line
from spread.grids import Grid
from spread.operators import apply_weights, region_weights
from spread.study import Region
from spread.vocabulary import FACETS, VARIABLES

KERNEL_VERSION = "1"
"""Changes when a reduction gives other numbers."""

_COMPLETE = 1.0 - 1e-10  # share of the weight that must be finite: less than any one cell may be missing

_WHOLE = Region(name="whole domain")


def area_means(ds: xr.Dataset, grid: Grid, regions: Sequence[Region]) -> xr.DataArray:
    """Area-weighted means of a conformed dataset over regions, lazily.

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
    xarray.DataArray
        ``(time, region)`` float64 in the variable's unit, lazy, one block for each of the store's time chunks; NaN
        where a month has missing cells. Coordinate ``month_number`` along time.

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
        weights = region_weights(
            grid, [*regions, _WHOLE], ds["cell_area"].values, ds["land_fraction"].values, variable.domain
        )
    except ValueError as error:
        raise NotConforming(who, [str(error)]) from error
    data = field.data if isinstance(field.data, da.Array) else da.from_array(field.data, chunks=-1)
    partial = da.blockwise(
        _partial_sums, "tkryx",
        data, "tyx",
        da.from_array(np.asarray(ds["month_number"].values), chunks=(data.chunks[0],)), "t",
        da.from_array(weights, chunks=(weights.shape[0], *data.chunks[1:])), "ryx",
        new_axes={"k": 2}, adjust_chunks={"y": 1, "x": 1}, dtype=np.float64, concatenate=True,
        who=who, plausible=variable.plausible, units=variable.units,
        meta=np.empty((0, 0, 0, 0, 0)),
    )  # fmt: skip
    sums = da.blockwise(
        _check_whole, "tkr",
        partial.sum(axis=(3, 4)), "tkr",
        da.from_array(np.asarray(ds["month_number"].values), chunks=(data.chunks[0],)), "t",
        dtype=np.float64, who=who, plausible=variable.plausible_mean, units=variable.units, meta=np.empty((0, 0, 0)),
    )  # fmt: skip
    # a land field is empty over the sea, always in the same cells: what the best month had, every month must have
    whole = 1.0 if variable.domain == "all" else sums[:, 1].max(axis=0)
    complete = sums[:, 1] >= _COMPLETE * whole
    some = sums[:, 1] > 0.0
    means = da.where(complete & some, sums[:, 0] / da.where(some, sums[:, 1], 1.0), np.nan)
    return xr.DataArray(
        means[:, :-1],
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


def _partial_sums(
    field: NDArray[np.floating],
    months: NDArray[np.integer],
    weights: NDArray[np.float64],
    who: str,
    plausible: tuple[float, float],
    units: str,
) -> NDArray[np.float64]:
    """One chunk: its weighted sums and the weights of its finite cells, ``(time, 2, outputs, 1, 1)``."""
    if field.size:
        steps = field.reshape(field.shape[0], -1)
        with np.errstate(invalid="ignore"):
            low, high = np.fmin.reduce(steps, axis=1), np.fmax.reduce(steps, axis=1)
            bad = (low < plausible[0]) | (high > plausible[1])
        if bad.any():
            worst = low[bad].min() if (low[bad] < plausible[0]).any() else high[bad].max()
            raise NotConforming(who, ["values: " + _implausible(months[bad], float(worst), plausible, units)])
    sums, present = apply_weights(field, weights)
    return np.stack([sums, present], axis=1)[..., None, None]


def _check_whole(
    sums: NDArray[np.float64], months: NDArray[np.integer], who: str, plausible: tuple[float, float], units: str
) -> NDArray[np.float64]:
    """Refuse months whose mean over the whole domain no unit and no factor could explain; else ``sums`` itself."""
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = sums[:, 0, -1] / sums[:, 1, -1]
        bad = (sums[:, 1, -1] >= _COMPLETE) & ((mean < plausible[0]) | (mean > plausible[1]))
    if bad.any():
        worst = float(mean[bad][np.argmax(np.abs(mean[bad] - np.mean(plausible)))])
        hint = "; the values look 1000 times too small" if plausible[0] < 1e3 * worst < plausible[1] else ""
        raise NotConforming(who, ["mean over the globe: " + _implausible(months[bad], worst, plausible, units) + hint])
    return sums


def _implausible(months: NDArray[np.integer], worst: float, plausible: tuple[float, float], units: str) -> str:
    when = spans(months)
    shown = ", ".join(when[:3]) + (f" and {len(when) - 3} more spans" if len(when) > 3 else "")
    hint = ""
    if units == "K" and -100.0 < worst < 70.0 and len(months) > 6 and worst != 0.0:
        hint = "; the values look like degrees Celsius"
    return f"{worst:g} {units} is beyond the plausible {plausible[0]:g}..{plausible[1]:g} {units} in {shown}{hint}"


def reduce_all[K](
    reductions: Mapping[K, xr.DataArray],
    executor: Executor | None = None,
    progress: Callable[[K], None] | None = None,
) -> Iterator[tuple[K, xr.DataArray | Failure]]:
    """Compute many reductions, each on its own, and yield them as they complete.

    Parameters
    ----------
    reductions : mapping
        Lazy results of :func:`area_means` by any key.
    executor : concurrent.futures.Executor, optional
        Where to compute: threads of this process by default, or ``Client.get_executor()`` of a dask cluster.
    progress : callable, optional
        Called with each key as it completes.

    Yields
    ------
    key, xarray.DataArray or Failure
        The computed member, or why it has none.
    """
    own = ThreadPoolExecutor(max_workers=4, thread_name_prefix="reduce") if executor is None else None
    pool = executor or own
    assert pool is not None
    futures = {pool.submit(compute_or_fail, lazy): key for key, lazy in reductions.items()}
    try:
        for future in as_completed(futures):
            key = futures[future]
            yield key, future.result()
            if progress is not None:
                progress(key)
    finally:
        for future in futures:
            future.cancel()
        if own is not None:
            own.shutdown(wait=True, cancel_futures=True)


def _said(error: Exception) -> str:
    """An error in one line; zarr's list of missing chunks without its advice on how to ignore them."""
    missing = [line.split("'")[1] for line in str(error).splitlines() if line.strip().startswith("chunk '")]
    return f"chunk {', '.join(missing[:4])} is not in the store" if missing else one_line(error)


def compute_or_fail(lazy: xr.DataArray, attempts: int = 3) -> xr.DataArray | Failure:
    """Compute one reduction chunk by chunk; a failure is a value.

    Parameters
    ----------
    lazy : xarray.DataArray
        A result of :func:`area_means`.
    attempts : int
        How often to try when the transport fails.

    Returns
    -------
    xarray.DataArray or Failure
        In memory, or the reason.
    """
    facets = {key: str(lazy.attrs.get(key, "")) for key in (*FACETS, "version", "zstore")}
    name = ".".join(facets[facet] for facet in ("source_id", "experiment_id", "member_id", "variable_id"))
    for attempt in range(1, attempts + 1):
        try:
            # one chunk in memory at a time: parallelism is over stores
            return lazy.compute(scheduler="synchronous")
        except NotConforming as error:
            return Failure(name, "reduce", "; ".join(error.breaches), facets=facets)
        except Exception as error:
            transient = isinstance(error, OSError | TimeoutError) and not isinstance(error, FileNotFoundError)
            if not transient or attempt == attempts:
                reason = f"store {facets['zstore']} cannot be read: {_said(error)}"
                return Failure(name, "reduce", reason, unreadable=True, transient=transient, facets=facets)
    raise AssertionError("unreachable")
