"""Where models agree and where they differ: the mean change, hatched where it is not robust, and its spread."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import panel as pn
import xarray as xr

from dashboards.drawing.globe import Globe
from dashboards.drawing.styles import TEXT
from dashboards.results import Stale
from dashboards.view import View
from spread import figures
from spread.errors import one_line
from spread.figures.findings import FINDINGS
from spread.figures.maps import colour_maps, judged
from spread.vocabulary import VARIABLES

if TYPE_CHECKING:
    from dashboards.session import Session


class MapsView(View):
    """Two maps side by side."""

    name = "maps"
    title = "Maps"
    uses = ("moment", "season", "scenario", "model")

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.head, self.left_head, self.right_head, self.notes = (
            pn.pane.HTML("", stylesheets=[TEXT], sizing_mode="stretch_width", margin=0) for _ in range(4)
        )
        self.body.append(self.head)
        if session.results.report.maps is None:
            return
        changes, spreads = colour_maps(session.results.report)
        self.mean, self.sd = Globe(session.theme, True, changes), Globe(session.theme, False, spreads)
        columns = [
            pn.Column(head, pn.pane.Bokeh(globe.figure, sizing_mode="scale_width", aspect_ratio=1.72, margin=0),
                      margin=0, styles={"flex": "1 1 340px", "min-width": "0"})
            for head, globe in ((self.left_head, self.mean), (self.right_head, self.sd))
        ]  # fmt: skip
        self.body.extend([
            pn.FlexBox(*columns, gap="8px 24px", align_items="start", sizing_mode="stretch_width", margin=(10, 0)),
            self.notes, self.taken.panel,
        ])  # fmt: skip

    def _shown(self) -> xr.Dataset:
        state = self.session.state
        return self.session.results.map_at(state.moment, state.season, state.scenario, state.model)

    def update(self) -> None:
        """Show the chosen period or level of warming, season and scenario."""
        state, report = self.session.state, self.session.results.report
        if report.maps is None:
            self.head.object = (
                f"<h2>Maps</h2><p class='none'>No maps: {escape(self.session.results.why_not('maps'))}.</p>"
            )
            return
        maps, unit = self._shown(), figures.unit(report)
        who = state.model or "mean of all"
        when = f"at {state.moment} of global warming" if state.moment.startswith("+") else f"by {state.moment}"
        title = f"{VARIABLES[report.study.variable_id].long_name}: change {when}, {figures.SEASONS[state.season]}"
        count = int(np.nanmax(maps["count"].values, initial=0))
        votes = figures.voters(report, count)
        lead = f"{figures.label(state.scenario)}, {votes}." if count else (
            f"No model crosses {state.moment} under {figures.label(state.scenario)}." if state.moment.startswith("+")
            else f"No model has a map under {figures.label(state.scenario)}.")  # fmt: skip
        self.head.object = f"<h2>{escape(title)}</h2><p class='lead'>{escape(lead)}</p>"
        robust = not state.model and count > 0
        base = report.across.attrs["base_period"]
        said = judged(maps) if robust else "Mean change"
        said = f"Change of {state.model}" if state.model else said
        self.left_head.object = f"<h3>{escape(said)}</h3>"
        self.right_head.object = f"<h3>How far {'runs' if report.study.votes == 'all' else 'models'} differ</h3>"
        self.mean.show(maps, "mean", unit.factor, f"change from {base} [{unit.name}]", unit.name, robust)
        self.sd.show(maps, "sd", unit.factor, f"standard deviation [{unit.name}]", unit.name, False)
        shown = f"{title}, {figures.label(state.scenario)}, {who}"
        self.mean.describe(f"Map of {shown}. {_extremes(maps['mean'], unit)}")
        self.sd.describe(f"Map of the standard deviation across {votes}. {_extremes(maps['sd'], unit)}")
        voting = report.across.attrs.get("votes", "every model")
        kept = f" Maps are those of the report: against {base}, {voting} with a vote."
        self.notes.object = f"<p class='soft'>{escape(FINDINGS['maps'](report) + kept)}</p>"
        self.taken.update()

    def call(self) -> str:
        """Python that remakes the maps of all scenarios."""
        state = self.session.state
        return f"import spread, spread.figures\nreport = spread.Report.load({self.session.results.folder.name!r})\n" + (
            f"spread.figures.change_maps(report, {state.moment!r}, {state.season!r}"
            + (f", model={state.model!r})" if state.model else ")")
        )

    def picture(self) -> Any:
        """The maps of all scenarios for print."""
        state = self.session.state
        try:
            return figures.change_maps(self.session.results.report, state.moment, state.season, state.model or None)
        except (OSError, KeyError, ValueError) as error:
            self._shown()  # says it where the maps are at fault
            raise Stale(f"The maps of the report cannot be read any more: {one_line(error)}.") from error

    def table(self) -> pd.DataFrame:
        """A row a cell, in the unit of the page."""
        names = ["mean", "sd", "count", "agreement", "robustness"]
        maps, unit = self._shown(), figures.unit(self.session.results.report)
        table = maps[[n for n in names if n in maps]].reset_coords(drop=True).to_dataframe().reset_index()
        table[["mean", "sd"]] *= unit.factor
        table.insert(2, "units", unit.name)
        return table

    def dataset(self) -> xr.Dataset:
        """The maps shown with their bounds."""
        state, report = self.session.state, self.session.results.report
        about = {"period": state.moment, "season": state.season, "experiment_id": state.scenario, "model": state.model}
        return (
            self._shown()
            .drop_vars(["period", "season", "experiment_id", "source_id"], errors="ignore")
            .assign_attrs(
                about | {"base_period": report.across.attrs["base_period"], "variable_id": report.study.variable_id}
            )
        )


def _extremes(values: xr.DataArray, unit: figures.Unit) -> str:
    finite = unit.factor * values.values[np.isfinite(values.values)]
    return f"From {finite.min():.2f} to {finite.max():.2f} {unit.name}." if finite.size else "No values."
