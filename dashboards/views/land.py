"""Land carbon: how far the models of a report of it disagree, and where simulated members stand beside them."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import panel as pn
import xarray as xr

from dashboards import calls
from dashboards.drawing.curves import PAINTS, Curve, on_page, table_of
from dashboards.drawing.styles import TEXT
from dashboards.view import View
from spread import figures
from spread.errors import NotFound
from spread.figures.frames import simulated
from spread.vocabulary import VARIABLES

if TYPE_CHECKING:
    from dashboards.session import Session

HOW = (
    "This report has no simulated members. Make a run by `spread land run --grid --out FOLDER`, then put it beside the "
    "models by `spread run STUDY --beside FOLDER`."
)


class LandView(View):
    """The models' range of a scenario, each of them, and the simulated members."""

    name = "land"
    title = "Land"
    uses = ("region", "season", "scenario", "base", "votes")

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.head, self.notes = (
            pn.pane.HTML("", stylesheets=[TEXT], sizing_mode="stretch_width", margin=0) for _ in range(2)
        )
        self.drawn = pn.Column(sizing_mode="stretch_width", margin=(10, 0, 0, 0))
        self.body.extend([self.head, self.drawn, self.notes, self.taken.panel])

    def why_not(self) -> str:
        """Why there is nothing to show; empty where there is."""
        variable = VARIABLES[self.session.results.report.study.variable_id]
        if variable.realm == "land":
            return ""
        return (
            f"This report is of {variable.long_name.lower()}, not of land. Make one of nbp, gpp or cVeg by "
            "`spread run STUDY` and serve it beside this one: `spread dashboard REPORT REPORT`. " + HOW
        )

    def update(self) -> None:
        """Show the chosen region, season and scenario."""
        reason = self.why_not()
        self.taken.panel.visible = not reason
        if reason:
            self.head.object = f"<h2>Land carbon</h2><p class='none'>{escape(reason)}</p>"
            return
        state, report = self.session.state, self.session.report
        unit = figures.unit(report)
        title = f"{figures.title(report, state.region, state.season)}, {figures.label(state.scenario)}"
        lead = self.words()
        self.head.object = f"<h2>{escape(title)}</h2><p class='lead'>{escape(lead)}</p>"
        base = report.across.attrs["base_period"]
        drawn = on_page(self.curves(), self.session.theme, f"Change from {base}", unit.name, f"{title}. {lead}")
        self.drawn[:] = [pn.pane.Bokeh(drawn, sizing_mode="stretch_width", margin=0)]
        there = "simulated" in self.session.results.report.answers
        said = "".join(f"<p class='soft'>{escape(name.replace('thin', 'shaded'))}.</p>" for name, _ in self.runs())
        self.notes.object = said if there else f"<p class='none'>{escape(HOW)}</p>"
        self.taken.update()

    def runs(self) -> list[tuple[str, pd.DataFrame]]:
        """Simulated members, against the base period of the report; none under another one."""
        report = self.session.results.report
        if self.session.state.base != report.study.base_period:
            return []
        return simulated(report, self.session.state.region, self.session.state.season)

    def curves(self) -> list[Curve]:
        """The range of the models, each model, their middle, and the simulated members on top."""
        state = self.session.state
        if self.why_not():
            raise NotFound(self.why_not().rstrip("."))
        frames = self.session.results.plume(state.base, state.votes, state.region, state.season)
        report, made = self.session.report, []
        band = frames.bands[frames.bands["experiment_id"].isin([state.scenario, "historical"])]
        band = band.dropna(subset="centre").sort_values("Year").drop_duplicates("Year")
        tint = figures.colour(report, state.scenario)
        lines = frames.lines[frames.lines["experiment_id"].isin([state.scenario, "historical"])].dropna(subset="value")
        for model, line in lines.groupby("model"):
            line = line.sort_values("Year")
            made.append(Curve(str(model), line["Year"].to_numpy(), line["value"].to_numpy(), tint, width=0.8, entry=""))
        said = f"models: {frames.centre}, {figures.band(report)}"
        made.append(Curve(said, band["Year"].to_numpy(), band["centre"].to_numpy(), tint,
                          low=band["low"].to_numpy(), high=band["high"].to_numpy(), width=2.6))  # fmt: skip
        for number, (said, table) in enumerate(self.runs()):
            name = f"{said.split(':')[0]}, simulated"
            there = bool(np.isfinite(table["low"]).any())
            made.append(Curve(name, table["Year"].to_numpy(), table["value"].to_numpy(), PAINTS[2 + number % 4],
                              low=table["low"].to_numpy() if there else None,
                              high=table["high"].to_numpy() if there else None))  # fmt: skip
        return made

    @property
    def period(self) -> str:
        """The last period of the report."""
        return str(self.session.report.change["period"].values[-1])

    def words(self) -> str:
        """How far the models differ at the end, and what stands beside them."""
        state, report = self.session.state, self.session.report
        where = {"region": state.region, "season": state.season, "experiment_id": state.scenario}
        found = report.change["change"].sel(where).isel(period=-1)
        each = figures.unit(report).factor * found.mean("member_id").values
        each = each[np.isfinite(each)]
        unit, period = figures.unit(report).name, self.period
        ends = f"{each.min():.3g} to {each.max():.3g} {unit}, lowest to highest" if each.size else ""
        said = f"{each.size} models in {period}: {ends}." if ends else f"No model has a number for {period}."
        number = len(self.runs())
        if number:
            return f"{said} Beside them {number} simulated {'run' if number == 1 else 'runs'}, without a vote."
        if "simulated" in self.session.results.report.answers:
            return f"{said} Simulated members hold for the base period of the report only."
        return said

    def call(self) -> str:
        """Python that remakes the figure."""
        state = self.session.state
        return f"{calls.load(self.session.results, state)}\n" + (
            f"spread.figures.plume(report, region={state.region!r}, season={state.season!r}, period={self.period!r})"
        )

    def picture(self) -> Any:
        """The plume of all scenarios with the simulated members, for print."""
        state = self.session.state
        if self.why_not():
            raise NotFound(self.why_not().rstrip("."))
        return figures.plume(self.session.report, state.region, state.season, "matplotlib", self.period)

    def table(self) -> pd.DataFrame:
        """A row a curve and year, models as they are drawn."""
        return table_of(self.curves(), f"change [{figures.unit(self.session.report).name}]")

    def dataset(self) -> xr.Dataset:
        """Anomalies of the models, and of the simulated members where there are."""
        state, report = self.session.state, self.session.report
        if self.why_not():
            raise NotFound(self.why_not().rstrip("."))
        where = {"region": state.region, "season": state.season}
        found = report.yearly[["anomaly"]].sel(where).reset_coords(drop=True)
        if "simulated" in report.answers:
            beside = report.answers["simulated"][["anomaly"]].sel(where).reset_coords(drop=True)
            names = {name: f"simulated_{name}" for name in beside.dims}
            found = found.merge(beside.rename(names | {"anomaly": "simulated_anomaly"}))
        return found.assign_attrs(base_period=report.across.attrs["base_period"])
