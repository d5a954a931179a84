"""How far models disagree: plumes by scenario, the spread of a period, what AR6 assessed and what was observed."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import panel as pn
import xarray as xr

from dashboards import calls
from dashboards.drawing.plumes import Plume
from dashboards.drawing.screen import paint
from dashboards.drawing.styles import TEXT
from dashboards.view import View
from spread import figures
from spread.figures.frames import Frames
from spread.report import Report

if TYPE_CHECKING:
    from dashboards.session import Session


class SpreadView(View):
    """Plumes and bars."""

    name = "spread"
    title = "Spread"
    uses = ("region", "season", "period", "base", "votes", "range", "assessed")

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.plume = Plume(session.report, session.theme)
        self.head, self.side, self.notes = (
            pn.pane.HTML("", stylesheets=[TEXT], sizing_mode="stretch_width", margin=0) for _ in range(3)
        )
        self.over = pn.pane.HTML("", stylesheets=[TEXT], sizing_mode="stretch_width", margin=0)
        columns = [
            pn.Column(
                head,
                pn.pane.Bokeh(drawn, sizing_mode="stretch_width", margin=0),
                margin=0,
                styles={"flex": room, "min-width": "0"},
            )
            for head, drawn, room in (
                (self.over, self.plume.left, "3 1 520px"),
                (self.side, self.plume.right, "1 1 300px"),
            )
        ]
        both = pn.FlexBox(
            *columns, gap="8px 20px", align_items="start", sizing_mode="stretch_width", margin=(12, 0, 6, 0)
        )
        self.body.extend([self.head, both, self.notes, self.taken.panel])

    def update(self) -> None:
        """Show the chosen region, season, period and definition."""
        state, report = self.session.state, self.session.report
        constrained, refusal = self._constrained()
        self.frames, self.ends = self.plume.show(
            report, *self.session.results.frames(state), state.assessed, constrained
        )
        voting = None if constrained is None else constrained.set_index("experiment_id")["count"].to_dict()
        headline = _headline(report, state.period, self.ends, voting)
        title = figures.title(report, state.region, state.season)
        self.head.object = (
            f"<h2>{escape(title)}</h2><p class='lead'>{escape(headline)}</p>"
            + _said(refusal)
            + self._cards(report, voting)
        )
        what = "constrained" if constrained is not None else figures.band(report)
        grey = "; grey: assessed by AR6" if self.ends.bands["assessed_best"].notna().any() else ""
        self.over.object = (
            f"<div class='two'><h3>Year by year</h3><p class='soft'>{escape(self._explained(report))}</p></div>"
        )
        self.side.object = (
            f"<div class='two'><h3>{escape(state.period)}</h3><p class='soft'>Bars: {escape(what)}{grey}.</p></div>"
        )
        self.notes.object = self._notes(report)
        self.plume.describe(f"{title}, yearly change by scenario. {headline}", f"Spread in {state.period}. {headline}")
        self.taken.update()

    def _constrained(self) -> tuple[pd.DataFrame | None, str]:
        """Constrained ranges of the period where they are asked for and there; else why not."""
        state, results = self.session.state, self.session.results
        if state.range != "constrained":
            return None, ""
        report = results.report
        if "constraint" not in report.answers:
            return None, f"No constrained range: {results.why_not('constraint')}; what is shown is raw"
        if (state.region, state.season) != ("global", "annual"):
            return None, "A constraint speaks of the global annual mean; what is shown is raw"
        if state.base != report.study.base_period:
            return None, "The constraint holds for the base period of the report; what is shown is raw"
        found = report.answers["constraint"].sel(period=state.period)
        frame = figures.range_frame(found)
        return frame[frame["estimate"] == "constrained"], ""

    def _cards(self, report: Report, voting: Mapping[Any, int] | None) -> str:
        unit, cards = figures.unit(report), []
        for row in self.ends.bands.to_dict("records"):
            experiment = str(row["experiment_id"])
            tint = paint(figures.colour(report, experiment), self.session.theme)
            between = f"{_number(row['low'])} to {_number(row['high'])}" if np.isfinite(row["low"]) else "no range"
            cards.append(
                f"<li style='--paint: {tint}'>{escape(figures.label(experiment))}"
                f"<b>{_number(row['centre'])} {escape(unit.name)}</b><span>{between}<br>"
                f"{escape(_voters(report, row, voting))}</span></li>"
            )
        return f"<ul class='cards'>{''.join(cards)}</ul>"

    def _notes(self, report: Report) -> str:
        said = []
        known = self.session.results.report.observations
        if known and not report.observations:
            said.append(f"<p class='soft'>{escape(str(known.get('name', '')))} does not cover this base period.</p>")
        elif not known:
            said.append("<p class='soft'>The report has no observations.</p>")
        lost = self._lost(report)
        if lost:
            said.append(f"<p class='soft'>Left out by this definition: {escape(lost)}.</p>")
        return "".join(said)

    def _lost(self, report: Report) -> str:
        """Models that have a number in the report and none under the definition shown, and why."""
        gone = sorted(_with_number(self.session.results.report) - _with_number(report))
        if not gone:
            return ""
        failures = self.session.results.why(self.session.state).failures
        reasons = {failure.facets.get("source_id", ""): failure.reason for failure in failures}
        return "; ".join(f"{name} ({reasons[name]})" if name in reasons else name for name in gone[:5])

    def _explained(self, report: Report) -> str:
        who = "run" if report.study.votes == "all" else "model"
        votes = str(report.plume.attrs.get("votes", ""))
        shaded = f", shaded: {figures.band(report)}" if figures.band(report) else ""
        return f"Thick: {self.frames.centre}{shaded}, thin: each {who}. Who has a vote: {votes}."

    def call(self) -> str:
        """Python that remakes the figure."""
        state, results = self.session.state, self.session.results
        constrained, _ = self._constrained()
        if constrained is not None:
            place = list(map(str, results.report.answers["constraint"]["period"].values)).index(state.period)
            return f"{calls.load(results, state)}\n" + (
                f"spread.figures.constrained_ranges(report.answers['constraint'].isel(period={place}))"
            )
        return f"{calls.load(results, state)}\n" + (
            f"spread.figures.plume(report, region={state.region!r}, season={state.season!r}, period={state.period!r})"
        )

    def picture(self) -> Any:
        """The plume and the bars for print; where constrained ranges are shown, those beside the raw ones."""
        state, report = self.session.state, self.session.report
        if self._constrained()[0] is not None:
            found = self.session.results.report.answers["constraint"].sel(period=state.period)
            return figures.constrained_ranges(found, backend="matplotlib")
        return figures.plume(report, state.region, state.season, "matplotlib", state.period)

    def table(self) -> pd.DataFrame:
        """A row a scenario and year: statistics as drawn, then each model."""
        state, report = self.session.state, self.session.report
        frames, _ = self.session.results.frames(state)
        lines = frames.lines.pivot_table(index=["experiment_id", "Year"], columns="model", values="value")
        table = frames.bands.merge(lines.reset_index(), on=["experiment_id", "Year"], how="left")
        first = ["experiment_id", "Year", "count", "low", "centre", "high"]
        table = table[[*first, *(c for c in table.columns if c not in first)]]
        table.insert(2, "units", figures.unit(report).name)
        return table

    def dataset(self) -> xr.Dataset:
        """Anomalies of each run, and statistics of years and of periods."""
        state, report = self.session.state, self.session.report
        where = {"region": state.region, "season": state.season}
        plume = report.plume.sel(where).rename({name: f"yearly_{name}" for name in report.plume.data_vars})
        across = report.across.sel(where).rename({name: f"period_{name}" for name in report.across.data_vars})
        anomaly = report.yearly["anomaly"].sel(where).reset_coords(drop=True)
        found = xr.merge([anomaly, plume, across], compat="override", combine_attrs="drop")
        for name in found.data_vars:
            found[name].attrs["units"] = "1" if str(name).endswith(_NUMBERS) else report.change["change"].attrs["units"]
        attrs = {
            "base_period": report.across.attrs["base_period"],
            "region": state.region,
            "season": state.season,
            "votes": str(report.plume.attrs.get("votes", "")),
            "variable_id": report.study.variable_id,
        }
        return found.assign_attrs(attrs)


_NUMBERS = ("count", "effective_number")
"""Statistics without a unit."""


def _said(refusal: str) -> str:
    return f"<p class='none'>{escape(refusal)}.</p>" if refusal else ""


def _number(value: float) -> str:
    if not np.isfinite(value):
        return "–"
    text = f"{value:.2f}" if abs(value) < 100 else f"{value:.0f}"
    return text.replace("-", "−")


def _voters(report: Report, row: Mapping[Any, Any], voting: Mapping[Any, int] | None) -> str:
    """Who counts in a bar; in a constrained one each model once, whoever has a vote elsewhere."""
    if voting is None:
        return figures.voters(report, int(row["count"]))
    count = int(voting.get(str(row["experiment_id"]), 0))
    return f"{count} model" if count == 1 else f"{count} models"


def _headline(report: Report, period: str, ends: Frames, voting: Mapping[Any, int] | None) -> str:
    """The answer in a sentence or two."""
    bands = ends.bands[ends.bands["count"] > 0]
    unit = figures.unit(report).name
    if bands.empty:
        return f"No model has a number for {period}."
    who = _voters(report, max(bands.to_dict("records"), key=lambda row: int(row["count"])), voting)
    base = report.across.attrs["base_period"]
    text = f"By {period}, {who} against {base}: "
    first, last = bands.iloc[0], bands.iloc[-1]
    ends_ = [first] if len(bands) == 1 else [first, last]
    text += " and ".join(
        f"{_number(row['centre'])} {unit} under {figures.label(row['experiment_id'])}" for row in ends_
    )
    text += f" ({ends.centre}{'' if voting is None else ', constrained'})."
    width = bands["high"] - bands["low"]
    if width.notna().any() and width.max() > 0:
        at = bands.iloc[int(width.fillna(-1.0).to_numpy().argmax())]
        where, much = figures.label(at["experiment_id"]), f"{_number(width.max())} {unit}"
        if voting is None:
            text += f" They disagree most under {where}, by {much} ({figures.band(report)})."
        else:
            text += f" The constrained range ({figures.band(report)}) is widest under {where}: {much}."
    return text


def _with_number(report: Report) -> set[str]:
    """Models that have a change anywhere."""
    change = report.change["change"]
    some = change.notnull().any([d for d in change.dims if d != "source_id"])
    return set(map(str, change["source_id"].values[some.values]))
