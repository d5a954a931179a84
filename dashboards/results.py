"""What a report says to a choice: opened once, definitions switched on its reduced members, never on a chunk.

Only the reports that the operator listed are opened. One that was deleted or written anew since says so.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from dashboards.calculating.emulating import Emulating, Kept
from dashboards.definitions import redefined, why_not, yearly_of
from dashboards.state import ANSWERS, RANGES, Offers, State
from spread.errors import NotFound, SpreadError, one_line
from spread.figures import Frames, bar_frames, plume_frames
from spread.report import STORE, Report

Years = tuple[int, int]

KEPT_DEFINITIONS = 24
"""Definitions of one report whose numbers are kept; each takes about a megabyte."""

KEPT_FIGURES = 96
"""Plumes of one report whose numbers are kept; each takes about half a megabyte."""

_COMMON_BASES = ((1850, 1900), (1961, 1990), (1981, 2010), (1995, 2014))
"""Pre-industrial (AR6), two WMO climate normals, and the recent past of AR6 WGI."""


class Stale(SpreadError):
    """A report that is no longer what was opened."""


class Results:
    """A report and its definitions.

    Parameters
    ----------
    label : str
        How the page calls it.
    folder : str or Path
        Where it lies.

    Raises
    ------
    NotFound
        If there is no report, or it cannot be read.
    """

    def __init__(self, label: str, folder: str | Path) -> None:
        self.label = label
        self.folder = Path(folder).absolute()
        self.stamp = _stamp(self.folder)
        try:
            self.report = Report.load(self.folder)
        except SpreadError:
            raise
        except Exception as error:  # a damaged report: whatever zarr, xarray or the study say of it
            raise NotFound(f"report {label!r}: cannot be read: {one_line(error)}") from error
        self.definition = lru_cache(KEPT_DEFINITIONS)(self._definition)
        self.plume = lru_cache(KEPT_FIGURES)(self._plume)
        self.bars = lru_cache(KEPT_FIGURES)(self._bars)
        self.answered = lru_cache(KEPT_DEFINITIONS)(self._answered)
        self.map_at = lru_cache(KEPT_DEFINITIONS)(self._map_at)

    @cached_property
    def yearly(self) -> xr.Dataset:
        """Yearly means of the members: what every definition starts from."""
        return yearly_of(self.report)

    def check(self) -> None:
        """Make sure that the report is still the one that was opened.

        Raises
        ------
        Stale
            If it was deleted or written anew.
        """
        now = _stamp(self.folder)
        if now is None:
            raise Stale(
                f"The report {self.label!r} is no longer there. Numbers shown before are those of the deleted one."
            )
        if now != self.stamp:
            raise Stale(f"The report {self.label!r} was written anew. Reload the page to see it.")

    def _definition(self, base: Years, votes: str, assessed: bool) -> Report:
        return redefined(self.report, base, votes, assessed, self.yearly, answers=False)

    def _answered(self, base: Years, votes: str) -> Report:
        return redefined(self.report, base, votes, yearly=self.yearly)

    def _plume(self, base: Years, votes: str, region: str, season: str) -> Frames:
        return plume_frames(self.definition(base, votes, True), region, season)

    def _bars(self, base: Years, votes: str, region: str, season: str, period: str) -> Frames:
        return bar_frames(self.definition(base, votes, True), region, season, period)

    def frames(self, state: State) -> tuple[Frames, Frames]:
        """Numbers of the plume and of the bars that are chosen, with what AR6 assessed."""
        which = (state.base, state.votes, state.region, state.season)
        return self.plume(*which), self.bars(*which, state.period)

    def make_ready(self, offers: Offers) -> None:
        """Make the numbers of the base periods on offer, so that the first visitor need not wait for them."""
        first = State.first(offers)
        for base in offers.bases:
            for region in offers.regions[:8]:
                with contextlib.suppress(SpreadError):  # said when it is chosen
                    self.frames(replace(first, base=base, region=region))

    def why_not(self, name: str, report: Report | None = None) -> str:
        """Why there is no such answer, in a sentence."""
        return why_not(self.report if report is None else report, name)

    def _map_at(self, moment: str, season: str, scenario: str, model: str) -> xr.Dataset:
        """One map with its spread and robustness, in memory; of one model its own change."""
        maps = self.report.maps
        if maps is None:
            raise NotFound(f"no maps: {why_not(self.report, 'maps')}")
        self.check()
        place = {"period": moment, "season": season, "experiment_id": scenario}
        names = ["mean", "sd", "count", "agreement", "robustness", "lat_bnds", "lon_bnds"]
        found = maps[[name for name in names if name in maps]].sel(place)
        try:
            if model:
                own = maps["change"].sel(place | {"source_id": model}).astype(np.float64).mean("member_id")
                found = found.assign(mean=own)
            return found.load()
        except (OSError, KeyError, ValueError) as error:
            raise Stale(f"The maps of the report {self.label!r} cannot be read any more: {one_line(error)}.") from error

    def offers(self, reports: Iterable[str], views: Iterable[str]) -> Offers:
        """What can be chosen of this report."""
        report, study = self.report, self.report.study
        maps = report.maps
        there = [str(e) for e in report.across["experiment_id"].values]
        runs = report.change["change"].notnull().any(["experiment_id", "period", "season", "region"]).sum("member_id")
        several = bool((runs > 1).any())
        votes = ["runs"] if study.votes == "all" else ["models"]
        votes += ["models" if study.votes == "all" else "runs"] if several else []
        votes += ["weighted"] if "weights" in report.answers else []
        years = report.yearly["year"].values[report.yearly["anomaly"].notnull().any(
            [d for d in report.yearly["anomaly"].dims if d != "year"]).values]  # fmt: skip
        if not years.size:
            raise NotFound(f"report {self.label!r}: no run has a number in any year; run its study again")
        span = (int(years.min()), int(years.max()))
        bases = [b for b in _COMMON_BASES if b != study.base_period and span[0] <= b[0] and b[1] <= span[1]]
        models = () if maps is None else tuple(sorted(map(str, maps["source_id"].values[_mapped(report, maps)])))
        return Offers(
            reports=(self.label, *(name for name in reports if name != self.label)),
            views=tuple(views),
            regions=_names(report, "region"),
            seasons=_names(report, "season"),
            periods=_names(report, "period"),
            votes=tuple(votes),
            ranges=tuple(RANGES),
            answers=tuple(ANSWERS),
            scenarios=tuple(e for e in study.experiments if e in there)[::-1],
            moments=() if maps is None else tuple(map(str, maps["period"].values)),
            models=() if maps is None else ("", *models),
            bases=(study.base_period, *bases),
            years=span,
        )

    def shown(self, state: State) -> Report:
        """The report under the chosen definition; its answers are not made anew."""
        return self.definition(state.base, state.votes, state.assessed)

    def why(self, state: State) -> Report:
        """The report under the chosen definition, with the answers that this definition has."""
        return self.answered(state.base, state.votes)


def _names(report: Report, dim: str) -> tuple[str, ...]:
    return tuple(map(str, report.across[dim].values))


def _mapped(report: Report, maps: xr.Dataset) -> np.ndarray:
    """Models that have a map, without reading one: those that have a change."""
    used = report.change["change"].notnull().any(["experiment_id", "member_id", "period", "season", "region"])
    return used.sel(source_id=maps["source_id"].values).values


def _stamp(folder: Path) -> tuple[int, int] | None:
    """What tells one writing of a report from the next; None where there is none."""
    with contextlib.suppress(OSError):
        found = (folder / STORE / "zarr.json").stat()
        return found.st_ino, found.st_mtime_ns
    return None


class Shelf:
    """The reports that the operator listed; nothing else is ever opened.

    Parameters
    ----------
    folders : sequence of str or Path
        Folders of reports.
    emulator : str or Path, optional
        File of an emulator.
    evaluation : str or Path, optional
        Folder of an evaluation of it.

    Raises
    ------
    NotFound
        If none is given, or one is not there or cannot be read.
    """

    def __init__(
        self, folders: Iterable[str | Path], emulator: str | Path | None = None, evaluation: str | Path | None = None
    ) -> None:
        if evaluation is not None and emulator is None:
            raise NotFound("dashboard: an evaluation is shown beside its emulator; give --emulator FILE too")
        self.emulating = None if emulator is None else Emulating(emulator, evaluation)
        self.sites = Kept()
        self.opened: dict[str, Results] = {}
        for folder in folders:
            results = Results(Path(folder).absolute().name, folder)
            results.label = _label(results, self.opened)
            self.opened[results.label] = results
        if not self.opened:
            raise NotFound("dashboard: no report is given; `spread demo` makes one")

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the reports."""
        return tuple(self.opened)

    def take(self, label: str) -> Results:
        """A report by its name, opened anew where it was written anew.

        Raises
        ------
        NotFound
            If it is not listed.
        Stale
            If it is no longer there or can no longer be read.
        """
        if label not in self.opened:
            raise NotFound("dashboard: no such report is listed")
        results = self.opened[label]
        now = _stamp(results.folder)
        if now is None:
            raise Stale(f"The report {label!r} is no longer there.")
        if now != results.stamp:
            try:
                results = Results(label, results.folder)
            except NotFound as error:
                raise Stale(f"The report {label!r} was written anew and cannot be read: {one_line(error)}.") from error
            self.opened[label] = results
        return results


def _label(results: Results, taken: Mapping[str, Any]) -> str:
    """Variable and study of a report; a number where two would have the same."""
    label = f"{results.report.study.variable_id} · {results.report.study.name}"
    number = 2
    while label in taken:
        label, number = f"{label.removesuffix(f' ({number - 1})')} ({number})", number + 1
    return label
