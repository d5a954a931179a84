"""From conformed datasets to what an emulator learns from: maps on one grid, with the forced warming of each model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from spread import conform, datasets, regrid
from spread.cores import memory_available
from spread.coupled import Fit, ForcedResponse, Run, fit
from spread.coupled.cummins import cummins_members
from spread.emulator.forced import warming_at
from spread.emulator.samples import Samples
from spread.errors import Failure, NotComparable, NotFound, SpreadError, one_line
from spread.grids import Grid, regular
from spread.study import Study

Years = tuple[int, int]
Progress = Callable[[str, int, int], None]

WHOLE_YEAR = 0.98
"""Share of a year's steps that an annual mean needs."""


@dataclass(frozen=True)
class RunMaps:
    """Maps of one run on the common grid.

    Parameters
    ----------
    source_id, experiment_id, member_id, version : str
        Which run, and of which store version.
    tas : ndarray
        ``(time, lat, lon)`` [K], float32.
    year, step : ndarray
        Calendar year, and number of the month or day, ``(time,)``.
    day : ndarray
        Middle of the step as a part of its year, ``(time,)``.
    frequency : str
        ``mon`` or ``day``.
    synthetic : bool
        Whether the data say that they are made.
    """

    source_id: str
    experiment_id: str
    member_id: str
    version: str
    tas: NDArray[np.float32]
    year: NDArray[np.int64]
    step: NDArray[np.int64]
    day: NDArray[np.float64]
    frequency: str
    synthetic: bool

    @property
    def name(self) -> str:
        """``source_id.experiment_id.member_id``."""
        return f"{self.source_id}.{self.experiment_id}.{self.member_id}"

    def during(self, first: int, last: int) -> RunMaps:
        """The maps of some years."""
        kept = (self.year >= first) & (self.year <= last)
        return replace(self, tas=self.tas[kept], year=self.year[kept], step=self.step[kept], day=self.day[kept])

    def annual_means(self, area: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Global means of whole years.

        Parameters
        ----------
        area : ndarray
            Shares of the Earth's area, ``(lat, lon)``.

        Returns
        -------
        years, means : ndarray
            ``(year,)``; years that lack steps are left out. Months count alike.
        """
        steps = np.tensordot(self.tas.astype(np.float64), area, axes=2)
        years, where = np.unique(self.year, return_inverse=True)
        count = np.bincount(where)
        whole = count >= WHOLE_YEAR * (12 if self.frequency == "mon" else 360)
        return years[whole], (np.bincount(where, weights=steps) / count)[whole]


def read_runs(
    study: Study, resolution: str | float | Grid = "5", years: Mapping[str, Years] | None = None,
    progress: Progress = datasets.silent,
) -> tuple[list[RunMaps], Grid, list[Failure]]:  # fmt: skip
    """Open, conform and regrid the datasets of a study.

    Parameters
    ----------
    study : Study
        Of ``tas``, monthly or daily: catalog, models, members, experiments, and the historical runs where it has them.
    resolution : str, float or Grid
        Of the common grid, as :func:`spread.grids.regular` takes it; or a grid.
    years : mapping, optional
        First and last year of an experiment; all where it is not named.
    progress : callable
        Told stage, done, total.

    Returns
    -------
    list of RunMaps, Grid, list of Failure
        In the order of the catalog; the grid; and what was left out with the reason.

    Raises
    ------
    NotComparable
        If no dataset can be used, or the maps do not fit into memory.
    """
    if study.variable_id != "tas":
        raise NotComparable(f"emulator: expected a study of 'tas', got {study.variable_id!r}")
    _, found, failures = datasets.conformed_members(study, progress)
    target = _grid(resolution)
    chosen = {row: _during(ds, (years or {}).get(row.experiment_id)) for row, ds in found.items()}
    _check_memory(sum(ds.sizes["time"] for ds in chosen.values()), target)
    runs = []
    for row, ds in chosen.items():
        try:
            runs.append(_maps(ds, target))
        except (OSError, ValueError, RuntimeError, SpreadError) as error:  # a chunk is lost: other runs still teach
            failures.append(Failure(row.name, "reading", one_line(error), unreadable=True, facets=row.facets()))
        progress("reading", len(runs), len(chosen))
    if not runs:
        raise NotComparable("emulator: no run could be read: " + "; ".join(f.sentence for f in failures[:3]))
    return runs, target, failures


def _grid(resolution: str | float | Grid) -> Grid:
    if isinstance(resolution, Grid):
        return resolution
    try:
        return regular(resolution)
    except ValueError as error:
        raise NotFound(f"emulator: {error}") from error


def _during(ds: xr.Dataset, years: Years | None) -> xr.Dataset:
    if years is None:
        return ds
    year = ds["month_number"].values // 12
    return ds.isel(time=np.flatnonzero((year >= years[0]) & (year <= years[1])))


def _check_memory(maps: int, grid: Grid) -> None:
    # maps, standardised residuals, normal scores and amplitudes are there at the same time
    needed, free = 5 * 4 * maps * int(np.prod(grid.shape)), memory_available()
    if needed > free:
        raise NotComparable(
            f"emulator: {maps} maps of {grid.shape} need about {needed / 1e9:.1f} GB of memory, {free / 1e9:.1f} GB are"
            " free: take a coarser grid, fewer years or members, or a machine with more memory"
        )


def _maps(ds: xr.Dataset, target: Grid) -> RunMaps:
    name = str(ds.attrs["variable_id"])
    weights = regrid.make_weights(conform.grid_of(ds), target)
    field = regrid.regrid(ds[name].astype(np.float32), weights)
    month = ds["month_number"].values.astype(np.int64)
    year = month // 12
    if ds.attrs["frequency"] == "mon":
        day, step = (month % 12 + 0.5) / 12, month
    else:
        step = ds["day_number"].values.astype(np.int64)
        dates = ds["time"].values
        lengths = {"360_day": 360.0, "noleap": 365.0}.get(str(ds.attrs["calendar"]))
        long = np.array([lengths or 365.0 + _leap(d) for d in dates])
        day = (np.array([d.dayofyr for d in dates]) - 0.5) / long
    source_id, experiment_id, member_id, version = (
        str(ds.attrs[key]) for key in ("source_id", "experiment_id", "member_id", "version")
    )
    return RunMaps(
        source_id, experiment_id, member_id, version,
        np.ascontiguousarray(field.values), year, step, day, str(ds.attrs["frequency"]),
        "synthetic" in " ".join(map(str, ds.attrs.values())).lower(),
    )  # fmt: skip


def _leap(date: Any) -> bool:
    from spread.calendars import is_leap

    return bool(is_leap(np.array([date.year]), date.calendar)[0])


def fit_warming(runs: Sequence[RunMaps], area: NDArray[np.float64]) -> dict[str, Fit]:
    """Fit the forced response of each model to the annual global means of its runs, and nothing else.

    Parameters
    ----------
    runs : sequence of RunMaps
        For training: historical and scenarios.
    area : ndarray
        Shares of the Earth's area, ``(lat, lon)``.

    Returns
    -------
    dict of str to Fit
        For each ``source_id``.

    Raises
    ------
    NotComparable
        For a model without a whole year.
    """
    made = {}
    for source_id in dict.fromkeys(run.source_id for run in runs):
        own = [run for run in runs if run.source_id == source_id]
        series = [(run.experiment_id, *run.annual_means(area)) for run in own]
        series = [one for one in series if one[1].size]
        if not series:
            raise NotComparable(f"emulator: {source_id} has no whole year to fit its warming to; give more years")
        span = (min(int(one[1][0]) for one in series), max(int(one[1][-1]) for one in series))
        known = source_id if source_id in cummins_members() else None
        made[source_id] = fit([Run(*one) for one in series], span, known)
    return made


def samples_of(
    runs: Iterable[RunMaps], grid: Grid, responses: Mapping[str, ForcedResponse],
    models: Sequence[str] | None = None, scenarios: Sequence[str] | None = None,
) -> Samples:  # fmt: skip
    """Put runs together for training or as truth.

    Parameters
    ----------
    runs : iterable of RunMaps
        Of one frequency.
    grid : Grid
        Theirs.
    responses : mapping of str to ForcedResponse
        Of each model.
    models, scenarios : sequence of str, optional
        Names in the order in which they are to be numbered, such as those of an emulator; by default as they come.

    Returns
    -------
    Samples

    Raises
    ------
    NotComparable
        For runs of several frequencies, or of a model without a response.
    BadModel
        For maps that the contract of samples refuses, such as absent values.
    """
    runs = list(runs)
    frequencies = sorted({run.frequency for run in runs})
    absent = sorted({run.source_id for run in runs} - set(responses))
    if len(frequencies) != 1 or absent:
        raise NotComparable(
            f"emulator: expected runs of one frequency, each with its model's response, got {frequencies}"
            + (f" and none for {', '.join(absent)}" if absent else "")
        )
    models = tuple(models or dict.fromkeys(run.source_id for run in runs))
    scenarios = tuple(scenarios or dict.fromkeys(run.experiment_id for run in runs))
    lengths = [len(run.year) for run in runs]

    def each(values: Iterable[int]) -> NDArray[np.int32]:
        return np.repeat(np.fromiter(values, np.int32), lengths)

    warming = [warming_at(responses[run.source_id], run.experiment_id, run.year, run.day) for run in runs]
    return Samples(
        tas=np.concatenate([run.tas for run in runs]),
        model=each(models.index(run.source_id) for run in runs),
        scenario=each(scenarios.index(run.experiment_id) for run in runs),
        run=each(range(len(runs))), year=np.concatenate([run.year for run in runs]),
        day=np.concatenate([run.day for run in runs]), step=np.concatenate([run.step for run in runs]),
        warming=np.concatenate(warming), models=models, scenarios=scenarios, runs=tuple(run.name for run in runs),
        lat=np.asarray(grid.lat), lon=np.asarray(grid.lon), area=shares(grid), frequency=frequencies[0],
    )  # fmt: skip


def shares(grid: Grid) -> NDArray[np.float64]:
    """Shares of the Earth's area, ``(lat, lon)``."""
    area = np.asarray(grid.area(), np.float64).reshape(grid.shape)
    return area / area.sum()
