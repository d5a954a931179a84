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

from dashboards.state import ANSWERS, RANGES, Offers, State
from spread import ensemble
from spread.errors import Failure, NotFound, SpreadError, one_line
from spread.figures import Frames, bar_frames, plume_frames
from spread.report import STORE, Report
from spread.study import Study

Years = tuple[int, int]

KEPT_DEFINITIONS = 24
"""Definitions of one report whose numbers are kept; each takes about a megabyte."""

KEPT_FIGURES = 96
"""Plumes of one report whose numbers are kept; each takes about half a megabyte."""

_COMMON_BASES = ((1850, 1900), (1961, 1990), (1981, 2010), (1995, 2014))
"""Pre-industrial (AR6), two WMO climate normals, and the recent past of AR6 WGI."""

_MEMBERS = {"models": "mean", "runs": "all"}


class Stale(SpreadError):
    """A report that is no longer what was opened."""


def redefined(
    report: Report,
    base_period: Years | None = None,
    votes: str | None = None,
    assessed: bool | None = None,
    yearly: xr.Dataset | None = None,
    answers: bool = True,
) -> Report:
    """Give a report another base period or other votes, from the reduced members that it keeps.

    Parameters
    ----------
    report : Report
        The report.
    base_period : tuple of int, optional
        First and last year; the study's by default.
    votes : str, optional
        ``models`` (each once), ``runs`` (each once) or ``weighted`` (models, by the weights of the report); the study's
        by default.
    assessed : bool, optional
        Whether figures draw the ranges that AR6 assessed; as the study says by default.
    yearly : xarray.Dataset, optional
        Yearly means of its members, see :func:`yearly_of`, where they are at hand.
    answers : bool
        Whether the partition of variance, the crossings of warming levels and the reasons why runs are left out are
        made anew too.

    Returns
    -------
    Report
        Equal to what :func:`spread.run` gives for such a study. What cannot be made of reduced members is in ``silent``
        with the reason; ``maps`` stay those of the report.

    Raises
    ------
    NotComparable
        If no run has a number then.
    NotFound
        If weights are asked for and the report has none.
    """
    study = report.study
    study = study.model_copy(update={"assessed": study.assessed if assessed is None else study.assessed and assessed})
    report = replace(report, study=study)
    study = study.model_copy(update={"base_period": base_period or study.base_period} | _voting(study, votes))
    weights = _weights(report) if votes == "weighted" else None
    if study == report.study and weights is None:
        return report
    yearly = yearly_of(report) if yearly is None else yearly
    change = ensemble.changes(yearly, study.periods, study.base_period, study.anomaly_kind, study.required_years)
    every = change
    incomparable: list[Failure] = []
    if study.require_all_experiments:
        change, incomparable = ensemble.keep_complete_models(change, study.variable_id, study.experiments)
    failures = report.failures
    if answers or not change["change"].notnull().any():
        lost = ensemble.incomplete_runs(every, study.base_period, study.variable_id)
        failures = _failures(report.failures, lost + incomparable)
        ensemble.refuse_empty(change, failures, study.name)
    anomalies = ensemble.anomalies(
        yearly, study.base_period, study.anomaly_kind, study.required_years, used=change["change"]
    )
    across, plume = (
        ensemble.across(data, study.votes, study.quantiles, study.ddof, weights).assign_attrs(
            base_period=anomalies.attrs["base_period"]
        )
        for data in (change["change"], anomalies["anomaly"])
    )
    found, silent = _answers(report, study, anomalies, change) if answers else (_kept(report), {})
    return replace(
        report, study=study, yearly=anomalies, change=change, across=across, plume=plume, failures=failures,
        observations=_observations(report, study), answers=found, silent=silent,
    )  # fmt: skip


def yearly_of(report: Report) -> xr.Dataset:
    """Yearly means of a report's members, scenarios behind their historical runs."""
    return ensemble.yearly_means(
        ensemble.join_historical(report.members, report.study.historical), report.study.seasons
    )


def _voting(study: Study, votes: str | None) -> dict[str, Any]:
    """The field ``members`` of a study in which such votes hold; nothing where they do already."""
    if votes is None or (votes == "runs") == (study.votes == "all"):
        return {}
    return {"members": "all" if votes == "runs" else "mean"}


def _weights(report: Report) -> xr.DataArray:
    if "weights" not in report.answers:
        raise NotFound(f"report {report.study.name!r}: has no weights; {_why_not(report, 'weights')}")
    return report.answers["weights"]["weights"]


def _failures(before: tuple[Failure, ...], lost: list[Failure]) -> tuple[Failure, ...]:
    """What was left out of the report, and what is left out of this definition: the ensemble judges anew."""
    kept = [failure for failure in before if failure.stage != "ensemble" or "seam" in failure.reason]
    named = {failure.dataset for failure in kept}
    return tuple(sorted([*kept, *(f for f in lost if f.dataset not in named)], key=lambda f: (f.dataset, f.stage)))


def _answers(
    report: Report, study: Study, anomalies: xr.Dataset, change: xr.Dataset
) -> tuple[dict[str, xr.Dataset], dict[str, str]]:
    """Answers made anew where reduced members are enough, kept where a definition does not touch them."""
    plain = study.model_copy(update={"constraint": None, "weights": None})
    found, silent = ensemble.answers(plain, anomalies, change)
    found |= _kept(report)
    same = study.base_period == report.study.base_period
    for name in ("constraint", "weights"):
        if name in report.silent:
            silent[name] = report.silent[name]
    if "constraint" in report.answers:
        if same:
            found["constraint"] = report.answers["constraint"]
        else:
            base = ensemble.period_name(report.study.base_period)
            silent["constraint"] = (
                f"the constraint was made against {base}; run the study with this base period to have another"
            )
    return found, silent


def _kept(report: Report) -> dict[str, xr.Dataset]:
    """Answers that a definition does not touch."""
    return {name: report.answers[name] for name in ("maps", "weights") if name in report.answers}


def _observations(report: Report, study: Study) -> dict[str, Any]:
    """Observed anomalies against another base period, where the series covers it; nothing where it does not."""
    known = report.observations
    if not known or study.base_period == report.study.base_period:
        return known
    year, anomaly = np.asarray(known["year"]), np.asarray(known["anomaly"], dtype=float)
    inside = (year >= study.base_period[0]) & (year <= study.base_period[1]) & np.isfinite(anomaly)
    if inside.sum() < study.minimum_years * (study.base_period[1] - study.base_period[0] + 1):
        return {}
    mean = anomaly[inside].mean()
    if study.anomaly_kind == "percent":
        shifted = 100.0 * ((1.0 + anomaly / 100.0) / (1.0 + mean / 100.0) - 1.0)
    else:
        shifted = anomaly - mean
    return known | {"anomaly": shifted.tolist()}


def _why_not(report: Report, name: str) -> str:
    """Why a report has no such answer, in a sentence."""
    if name in report.silent:
        return report.silent[name]
    asked = {
        "partition": "the study asks for no partition of variance; set partition = 'HS09' in it",
        "constraint": "the study asks for no constraint; add [constraint] and [observations] to it",
        "weights": "the study asks for no weights; add [weights] and [observations] to it",
        "maps": "the study asks for no maps; add [maps] to it",
        "sensitivity": (
            "ECS and TCR need tas, rsdt, rsut and rlut of abrupt-4xCO2, 1pctCO2 and piControl, and the report has one "
            "variable; spread.ensemble.gregory makes them"
        ),
        "warming_levels": "levels of global warming need tas and warming_levels in the study",
    }
    return asked.get(name, f"the study does not ask for it: {name}")


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
        return _why_not(self.report if report is None else report, name)

    def _map_at(self, moment: str, season: str, scenario: str, model: str) -> xr.Dataset:
        """One map with its spread and robustness, in memory; of one model its own change."""
        maps = self.report.maps
        if maps is None:
            raise NotFound(f"no maps: {_why_not(self.report, 'maps')}")
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

    Raises
    ------
    NotFound
        If none is given, or one is not there or cannot be read.
    """

    def __init__(self, folders: Iterable[str | Path]) -> None:
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
