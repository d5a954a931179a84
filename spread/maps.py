"""Maps of a study: from yearly maps in the cache to each run's changes and their statistics, a run at a time.

A run's yearly maps are read, turned into changes and let go; the changes lie in a store, and the statistics across
models take one experiment, period and season of it at a time. So memory does not grow with the number of models.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from spread import ensemble
from spread.cache import ArrayCache
from spread.ensemble import RUN
from spread.ensemble.maps import change_of, needed_years, span_mean
from spread.errors import Failure
from spread.grids import Grid, regular
from spread.operators import YearlyMaps, continued, joined
from spread.reduce import MapBlocks
from spread.study import Study, Years

Floats = NDArray[np.float64]


_BAND = (
    1 << 16
)  # values of all runs that statistics are made of at a time: half a megabyte, some twenty times in between
_FEWEST_ROWS = 4  # of a map, for all of it is read to get some


@dataclass(frozen=True)
class _Run:
    """A run of the ensemble: its place, its own yearly maps, and those of the run that it continues."""

    place: dict[str, int]
    name: str
    blocks: MapBlocks
    before: MapBlocks | None
    first_month: int
    spans: dict[str, Years]
    windows: dict[str, Years | None]

    def years(self, cache: ArrayCache, season: str) -> YearlyMaps:
        """Complete years of a season, the historical ones before the scenario's."""
        own = joined(self.blocks.read(cache, season))
        if self.before is None:
            return own.complete(season, self.blocks.calendar, self.blocks.frequency)
        past = joined(self.before.read(cache, season))
        return continued(past, own, season, (self.before.calendar, self.blocks.calendar))


def scratch_folder() -> Path:
    """Make a folder for maps that lasts as long as this process."""
    folder = Path(tempfile.mkdtemp(prefix="spread-maps-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def map_changes(
    study: Study,
    members: Sequence[xr.DataArray],
    change: xr.Dataset,
    cache: ArrayCache,
    folder: Path,
    progress: Callable[[str, int, int], None],
    crossings: xr.Dataset | None = None,
) -> tuple[xr.Dataset, list[Failure]]:
    """Make the maps of a study's changes.

    Parameters
    ----------
    study : Study
        What is asked, with ``maps``.
    members : sequence of xarray.DataArray
        Reduced members with :class:`~spread.reduce.MapBlocks`.
    change : xarray.Dataset
        The changes of area means: a run that has none gets no map, so that both speak of the same runs.
    cache : ArrayCache
        Where the yearly maps are.
    folder : Path
        Where the maps go; read from lazily afterwards.
    progress : callable
        As in :func:`spread.flow.run`.
    crossings : xarray.Dataset, optional
        When runs cross levels of global warming, see :func:`spread.ensemble.warming_levels`: the years around each
        crossing are one more period, ``+2 K`` and so on.

    Returns
    -------
    xarray.Dataset
        Lazy: ``change`` of each run on ``source_id, experiment_id, member_id, period, season, lat, lon``, its ``base``
        and ``gamma``; across models ``mean, sd, minimum, maximum, count, quantiles, agreement, signal, robustness``.
    list of Failure
        Runs whose maps are lost.
    """
    assert study.maps is not None
    grid = regular(study.maps.grid)
    used = change["change"].notnull().any(["period", "season", "region"])
    levels = [] if crossings is None else [float(level) for level in crossings["level"].values]
    template = _template(study, change, grid, [*map(str, change["period"].values), *map(level_name, levels)])
    path = str(folder / "maps.zarr")
    template.to_zarr(path, compute=False, zarr_format=3, consolidated=False, mode="w")
    failures = []
    for done, run in enumerate(_runs(study, members, change, used, crossings)):
        progress("mapping", done, int(used.sum()))
        try:
            made = _run_maps(study, run, cache, grid.shape)
        except KeyError:
            failures.append(Failure(run.name, "maps", "its yearly maps are no longer in the cache: run the study again",
                                    unreadable=True, transient=True))  # fmt: skip
            continue
        _write(made, path, run.place)
    for place, bands in _bands(xr.open_zarr(path, consolidated=False, chunks=None)):
        _write(xr.concat([_statistics(study, band.load()) for band in bands], "lat"), path, place)
    return xr.open_zarr(path, consolidated=False, chunks={}), failures


def level_name(level: float) -> str:
    """Name of the period in which a run crosses a level of global warming, ``+2 K``."""
    return f"+{level:g} K"


def _runs(
    study: Study,
    members: Sequence[xr.DataArray],
    change: xr.Dataset,
    used: xr.DataArray,
    crossings: xr.Dataset | None,
) -> Iterator[_Run]:
    blocks = {tuple(str(member.attrs[facet]) for facet in RUN): member.attrs["maps"] for member in members}
    for index in np.argwhere(used.values):
        at = dict(zip(RUN, index.tolist(), strict=True))
        source, experiment, member = (str(change[dim].values[i]) for dim, i in at.items())
        before = blocks.get((source, study.historical or "", member))
        yield _Run(
            at,
            ".".join((source, experiment, member, study.variable_id)),
            blocks[source, experiment, member],
            before,
            int(change["first_month"].values[tuple(index)]),
            dict(zip(map(str, change["period"].values), study.periods, strict=True)),
            {} if crossings is None else _windows(crossings.isel(at)),
        )


def _windows(crossings: xr.Dataset) -> dict[str, Years | None]:
    """The years around each crossing of one run; None where it does not cross."""
    years = zip(crossings["level"].values, crossings["first_year"].values, crossings["last_year"].values, strict=True)
    return {level_name(level): (int(first), int(last)) if first == first else None for level, first, last in years}


def _run_maps(study: Study, run: _Run, cache: ArrayCache, shape: tuple[int, int]) -> xr.Dataset:
    """Changes of one run, ``(period, season, lat, lon)``, and its base and internal variability."""
    assert study.maps is not None
    spans = {**run.spans, **run.windows}
    changes = np.full((len(spans), len(study.seasons), shape[0] * shape[1]), np.nan)
    base, gamma = (np.full((len(study.seasons), changes.shape[2]), np.nan) for _ in range(2))
    for s, season in enumerate(study.seasons):
        maps = run.years(cache, season)
        means = maps.means(study.maps.coverage)

        def mean(span: Years, share: float) -> Floats:
            needed = needed_years(span, season, run.first_month, share)  # noqa: B023
            return span_mean(maps, means, span, needed)  # noqa: B023

        base[s] = mean(study.base_period, study.required_years)
        gamma[s] = _gamma(maps, means, study.base_period)
        for p, (name, span) in enumerate(spans.items()):
            if span is not None:
                late = mean(span, 1.0 if name in run.windows else study.required_years)
                changes[p, s] = change_of(late, base[s], study.anomaly_kind)
        if study.anomaly_kind == "percent":
            gamma[s] = change_of(base[s] + gamma[s], base[s], "percent")
    dims = ("season", "lat", "lon")
    return xr.Dataset(
        {
            "change": (("period", *dims), changes.reshape(*changes.shape[:2], *shape).astype(np.float32)),
            "base": (dims, base.reshape(-1, *shape).astype(np.float32)),
            "gamma": (dims, gamma.reshape(-1, *shape).astype(np.float32)),
        }
    )


def _gamma(maps: YearlyMaps, means: Floats, span: Years) -> Floats:
    """Threshold of internal variability from the single years of a span that is whole; else NaN."""
    here = np.flatnonzero((maps.years >= span[0]) & (maps.years <= span[1]))
    yearly = xr.DataArray(means[here], dims=("year", "cell"), coords={"year": maps.years[here]})
    return np.asarray(ensemble.internal_threshold(yearly, sigma="yearly").values)


def _bands(stored: xr.Dataset) -> Iterator[tuple[dict[str, int], list[xr.Dataset]]]:
    """All runs of one experiment, period and season, a few rows of the map at a time."""
    dims = ("experiment_id", "period", "season")
    rows = max(_FEWEST_ROWS, _BAND // (stored["source_id"].size * stored["member_id"].size * stored["lon"].size))
    for index in np.ndindex(*(stored.sizes[dim] for dim in dims)):
        place = dict(zip(dims, index, strict=True))
        slab = stored[["change", "gamma"]].isel(place)
        yield place, [slab.isel(lat=slice(row, row + rows)) for row in range(0, stored["lat"].size, rows)]


def _statistics(study: Study, slab: xr.Dataset) -> xr.Dataset:
    """Statistics across models at some places of one experiment, period and season."""
    assert study.maps is not None
    slab = slab.astype(np.float64)
    across = ensemble.across(slab["change"], study.votes, study.quantiles, study.ddof)[list(_ACROSS)]
    if study.votes == "all":
        votes, dim = slab.stack(vote=("source_id", "member_id")).reset_index("vote", drop=True), "vote"
    else:
        votes, dim = slab.mean("member_id"), "source_id"
    robust = ensemble.robustness(votes["change"], votes["gamma"], study.maps.agreement, dim)
    across = across.assign(agreement=robust["agreement"], robustness=robust["robustness"])
    if "signal" in robust:
        across["signal"] = robust["signal"]
    return across.astype(np.float32).assign(robustness=robust["robustness"])


_ACROSS = ("mean", "sd", "minimum", "maximum", "count", "quantiles")


def _template(study: Study, change: xr.Dataset, grid: Grid, periods: Sequence[str]) -> xr.Dataset:
    """The store before anything is known: its dimensions, coordinates, units and chunks, a map each."""
    coords: dict[str, Any] = {name: change[name] for name in (*RUN, "season")}
    coords |= {
        "period": list(periods),
        "lat": ("lat", grid.lat, {"standard_name": "latitude", "units": "degrees_north", "bounds": "lat_bnds"}),
        "lon": ("lon", grid.lon, {"standard_name": "longitude", "units": "degrees_east", "bounds": "lon_bnds"}),
        "lat_bnds": (("lat", "bnds"), grid.lat_bounds),
        "lon_bnds": (("lon", "bnds"), grid.lon_bounds),
        "quantile": ("quantile", list(study.quantiles)),
    }
    sizes = {name: change.sizes[name] for name in (*RUN, "season")} | {"period": len(periods)}
    sizes |= {"lat": grid.lat.size, "lon": grid.lon.size, "quantile": len(study.quantiles)}
    assert study.maps is not None
    units, advanced = change["change"].attrs["units"], study.maps.agreement == "advanced"
    classes = ensemble.ROBUSTNESS_CLASSES[study.maps.agreement]
    field = ("lat", "lon")
    across = ("experiment_id", "period", "season", *field)

    def empty(dims: tuple[str, ...], attrs: dict[str, Any], dtype: type = np.float32) -> xr.Variable:
        shape = tuple(sizes[dim] for dim in dims)
        chunks = tuple(sizes[dim] if dim in (*field, "quantile") else 1 for dim in dims)
        nothing = np.nan if dtype is np.float32 else 0
        return xr.Variable(dims, da.full(shape, nothing, dtype=dtype, chunks=chunks), attrs)

    named = {"mean": "multi-model mean", "sd": "standard deviation across models", "minimum": "lowest model",
             "maximum": "highest model", "count": "models with a value"}  # fmt: skip
    variables = {
        "change": empty((*RUN, "period", "season", *field), {"units": units, "long_name": "change"}),
        "base": empty((*RUN, "season", *field), {"units": str(change["base"].attrs.get("units", ""))}),
        "gamma": empty((*RUN, "season", *field), {"units": units, "long_name": "threshold of internal variability"}),
        "agreement": empty(across, {"units": "1", "long_name": "share of models that agree on the sign"}),
        **({"signal": empty(across, {"units": "1", "long_name": "share of models that exceed internal variability"})}
           if advanced else {}),
        "robustness": empty(across, {"long_name": "robustness of the change, AR6 WGI Cross-Chapter Box Atlas.1",
                                     "flag_values": list(range(len(classes))), "flag_meanings": " ".join(classes)},
                            np.int8),
        "quantiles": empty(("quantile", *across), {"units": units, "long_name": "quantiles across models"}),
        **{name: empty(across, {"units": "1" if name == "count" else units, "long_name": long_name})
           for name, long_name in named.items()},
    }  # fmt: skip
    return xr.Dataset(variables, coords=coords, attrs={"base_period": change.attrs["base_period"],
                      "kind": study.anomaly_kind, "variable_id": study.variable_id})  # fmt: skip


def _write(made: xr.Dataset, path: str, place: dict[str, int]) -> None:
    """Write what is at one place of the store."""
    region: dict[str, Any] = {dim: slice(i, i + 1) for dim, i in place.items()}
    here = made.drop_vars(list(made.coords)).expand_dims(list(place))
    rest = {str(dim): slice(0, size) for dim, size in here.sizes.items() if dim not in region}
    here.to_zarr(path, region=region | rest, consolidated=False)
