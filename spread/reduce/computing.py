"""Run the plan of a dataset chunk by chunk, from the cache where it can; a failure is a value."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from spread import cores
from spread.cache import ArrayCache
from spread.errors import Failure, NotConforming, one_line
from spread.operators import SeasonYears, season_years
from spread.plausibility import suspicious_series
from spread.reduce.chunk import ChunkSums
from spread.reduce.planning import Reduction, means_of
from spread.transport import is_transient
from spread.vocabulary import FACETS, VARIABLES


@dataclass(frozen=True)
class MapBlocks:
    """Where the yearly maps of one dataset are: in a cache, an array for each season of each time chunk.

    Parameters
    ----------
    keys : dict
        By season, the keys of the time chunks in order.
    months : tuple of numpy.ndarray
        Month numbers of each time chunk.
    calendar, frequency : str
        Those of the run.
    """

    keys: dict[str, tuple[str, ...]]
    months: tuple[NDArray[np.int64], ...]
    calendar: str
    frequency: str

    def read(self, cache: ArrayCache, season: str) -> list[tuple[SeasonYears, NDArray[np.float64]]]:
        """What each time chunk gave, see :func:`spread.operators.joined`.

        Parameters
        ----------
        cache : ArrayCache
            That of :func:`compute_or_fail`.
        season : str
            Which season.

        Returns
        -------
        list of (SeasonYears, numpy.ndarray)
            In the order of time.

        Raises
        ------
        KeyError
            If the cache does not have one of them.
        """
        parts = []
        for key, months in zip(self.keys[season], self.months, strict=True):
            sums = cache.get(key)
            if sums is None:
                raise KeyError(key)
            parts.append((season_years(months, self.calendar, season, self.frequency), sums))
        return parts


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
        Where sums are kept, a file a time chunk, as soon as they are computed; what is there is not read again. A plan
        with maps needs one, for maps are kept there and nowhere else.

    Returns
    -------
    xarray.DataArray or Failure
        In memory, with a coordinate ``domain_mean`` along time, and :class:`MapBlocks` as the attribute ``maps`` where
        maps were asked for; or the reason.

    Raises
    ------
    OSError
        If maps cannot be kept.
    ValueError
        If there is no cache for maps.
    """
    if planned.maps is not None and cache is None:
        raise ValueError("maps are kept in a cache, and there is none")
    name, facets = _who(planned)
    try:
        # one chunk in memory at a time: parallelism is over stores
        sums = np.concatenate([_area_sums(planned, index, cache) for index in range(len(planned.steps))])
        found = _suspicions(planned, sums)
        if found:
            return Failure(name, "reduce", "; ".join(found), facets=facets)
    except NotConforming as error:
        return Failure(name, "reduce", "; ".join(error.breaches), facets=facets)
    except Exception as error:  # a store raises what it likes; one of them never stops the others
        reason = f"store {facets['zstore']} cannot be read: {_said(error)}"
        return Failure(name, "reduce", reason, unreadable=True, transient=is_transient(error), facets=facets)
    means = means_of(sums[..., :-1], planned.domain)
    made = planned.template.copy(data=means[:, :-1]).assign_coords(domain_mean=("time", means[:, -1]))
    return made if planned.maps is None else made.assign_attrs(maps=_map_blocks(planned))


def _map_blocks(planned: Reduction) -> MapBlocks:
    assert planned.maps is not None
    blocks = range(len(planned.steps))
    return MapBlocks(
        {season: tuple(planned.block_key(i, season) for i in blocks) for season in planned.maps.seasons},
        tuple(np.split(planned.months, np.cumsum(planned.steps)[:-1])),
        planned.calendar,
        planned.frequency,
    )


def _suspicions(planned: Reduction, sums: NDArray[np.float64]) -> list[str]:
    """What is wrong with a run as a whole."""
    return suspicious_series(
        planned.months,
        means_of(sums[..., :-1], planned.domain)[:, -1],
        VARIABLES[str(planned.template.name)],
        planned.frequency,
        sums[:, :, -1],
        planned.cells,
    )


def _area_sums(planned: Reduction, index: int, cache: ArrayCache | None) -> NDArray[np.float64]:
    """Area sums of one time chunk, from the cache where it has them and the maps too."""
    key = planned.block_key(index)
    seasons = () if planned.maps is None else planned.maps.seasons
    kept = None if cache is None else cache.get(key)
    if kept is not None and cache is not None and all(cache.has(planned.block_key(index, s)) for s in seasons):
        return kept
    with cores.turn():
        made: ChunkSums = planned.block(index).compute(scheduler="synchronous")
        area = np.array(made.area)
    if cache is not None:
        for season, sums in made.maps.items():
            cache.put(planned.block_key(index, season), sums)
        # a cache that cannot be written costs time, not the answer
        with suppress(OSError):
            cache.put(key, area)
    return area
