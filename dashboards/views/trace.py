"""Where the numbers come from: every run with its store, version and fixes, and everything left out with the reason."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import panel as pn
import xarray as xr

from dashboards import calls
from dashboards.drawing.styles import FIELD, GROUP, TEXT
from dashboards.view import View
from spread import figures
from spread.ensemble import RUN

if TYPE_CHECKING:
    from dashboards.session import Session

SHOWN = 300
"""Rows of a table that are shown at once; the search and the file have all of them."""

_RUNS = {
    "source_id": "Model", "experiment_id": "Experiment", "member_id": "Member", "state": "State", "change": "Change",
    "version": "Version", "fixes": "Fixes", "missing_periods": "Gaps", "errata": "Errata", "calendar": "Calendar",
    "grid_label": "Grid", "first": "First", "last": "Last", "zstore": "Store",
}  # fmt: skip
_OUT = {"dataset": "Dataset", "stage": "Stage", "reason": "Reason"}
_CLASSES = {
    "change": "n",
    "first": "k",
    "last": "k",
    "fixes": "w",
    "reason": "w",
    "zstore": "u",
    "source_id": "k",
    "dataset": "k",
    "member_id": "k",
}


class TraceView(View):
    """Two tables and a search."""

    name = "trace"
    title = "Trace"
    uses = ("base", "votes")

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.head, self.found = (
            pn.pane.HTML("", stylesheets=[TEXT], sizing_mode="stretch_width", margin=0) for _ in range(2)
        )
        self.search = pn.widgets.TextInput(
            name="Search", placeholder="Model, version, fix or reason", width=300, stylesheets=[FIELD], margin=0,
            max_length=100,
        )  # fmt: skip
        self.which = pn.widgets.RadioButtonGroup(
            options={"Used": "runs", "Left out": "out"}, value="runs", stylesheets=[GROUP], margin=0
        )
        for field, name in ((self.search, "value_input"), (self.which, "value")):
            field.param.watch(lambda event: self.session.guarded(self._refill), name)
        bar = pn.FlexBox(self.which, self.search, gap="10px 14px", align_items="end", margin=(10, 0, 8, 0),
                         sizing_mode="stretch_width")  # fmt: skip
        self.body.extend([self.head, bar, self.found, self.taken.panel])

    def update(self) -> None:
        """Show the runs of the chosen definition."""
        report = self.session.results.why(self.session.state)
        runs, out = _runs(report), _left_out(report)
        models, stores = runs["source_id"].nunique(), runs["zstore"].nunique()
        fixed = int((runs["fixes"] != "").sum())
        about = report.provenance
        made = str(about.get("created", ""))[:16].replace("T", " ")
        made = f"Made {made} UTC" if made else "Made"
        self.head.object = (
            "<h2>Where the numbers come from</h2>"
            f"<p class='lead'>{len(runs)} runs of {models} models from {stores} stores; {fixed} of them with fixes; "
            f"{len(out)} datasets left out, each with its reason.</p>"
            f"<p class='soft'>{escape(made)} by spread {escape(str(about.get('spread', '')))}, catalog "
            f"{escape(report.study.catalog.rsplit('/', 1)[-1])}.</p>"
        )
        self._fill()
        self.taken.update()

    def _chosen(self) -> tuple[pd.DataFrame, dict[str, str]]:
        report = self.session.results.why(self.session.state)
        return (_left_out(report), _OUT) if self.which.value == "out" else (_runs(report), _RUNS)

    def _matching(self) -> pd.DataFrame:
        table, names = self._chosen()
        words = str(self.search.value_input or self.search.value or "").lower().split()[:10]
        if not words:
            return table
        rows = (" ".join(map(str, row)).lower() for row in table[list(names)].itertuples(index=False))
        there = [all(word in row for word in words) for row in rows]
        return table[np.array(there, dtype=bool)]

    def _fill(self) -> None:
        table, (_, names) = self._matching(), self._chosen()
        names = {c: n for c, n in names.items() if len(table) == 0 or (table[c].astype(str) != "").any()}
        words = [w for w in str(self.search.value_input or "").split()[:10] if w]
        head = "".join(f"<th scope='col' class='{_CLASSES.get(c, '')}'>{n}</th>" for c, n in names.items())
        rows = "".join(
            "<tr>"
            + "".join(f"<td class='{_CLASSES.get(c, '')}'>{_marked(row[c], words)}</td>" for c in names)
            + "</tr>"
            for row in table.head(SHOWN).to_dict("records")
        )
        counted = f"{len(table)} of {len(self._chosen()[0])} shown" if len(table) <= SHOWN else (
            f"the first {SHOWN} of {len(table)} that match are shown; the files have all")  # fmt: skip
        self.found.object = (
            f"<p class='soft' role='status'>{counted}.</p><div class='scroll' tabindex='0' role='region' "
            f"aria-label='Runs and reasons'><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
        )

    def _refill(self) -> None:
        self._fill()
        self.taken.update()

    def extra(self) -> dict[str, str]:
        """Which table, and what is searched for."""
        return {"which": str(self.which.value), "search": str(self.search.value_input or "")}

    def search_for(self, which: str = "", search: str = "") -> None:
        """Show this table, and only rows with these words."""
        self.which.value = which or "runs"
        self.search.value_input = search

    def call(self) -> str:
        """Python that gives the tables."""
        lines = calls.load(self.session.results, self.session.state, figures=False)
        what = (
            "[failure.sentence for failure in report.failures]"
            if self.which.value == "out"
            else "report.member_records()"
        )
        return f"{lines}\n{what}"

    def picture(self) -> Any:
        """What the numbers say: the change of each run that is used, by model."""
        state = self.session.state
        report = self.session.report
        return figures.bars(report, state.region, state.season, "matplotlib", state.period)

    def table(self) -> pd.DataFrame:
        """The rows that match, all of them."""
        return self._matching()

    def dataset(self) -> xr.Dataset:
        """The reduced members themselves, monthly, with versions and fixes."""
        members = self.session.results.report.members
        about = {"long_name": "middle of the month", "units": "year"}
        time = np.array([_month(value) for value in members["time"].values], dtype=np.float64)
        runs = [c for c, v in members.coords.items() if v.dims == RUN and v.dtype.kind in "OUb"]
        found = members[[*members.data_vars]].assign_coords(time=("time", time, about))
        found = found.stack(run=RUN).isel(run=members["present"].stack(run=RUN).values).reset_index("run")
        keep = {*RUN, *runs, "time", "region", *found.data_vars}
        return found.drop_vars([name for name in found.variables if name not in keep]).transpose("run", ...)


def _month(value: Any) -> float:
    if isinstance(value, np.datetime64):
        months = int(value.astype("datetime64[M]").astype(int))
        return 1970 + (months + 0.5) / 12
    year, month = re.match(r"(-?\d+)-(\d+)", str(value)).groups()  # type: ignore[union-attr]
    return int(year) + (int(month) - 0.5) / 12


def _runs(report: Any) -> pd.DataFrame:
    unit = figures.unit(report)
    records = []
    for record in report.member_records():
        state = "historical"
        if record["used"] is not None:
            state = ("used" if record["complete"] else "used, incomplete") if record["used"] else "no number"
        value = record["change"]
        text = "" if value is None else f"{value * unit.factor:.2f} {unit.name}"
        records.append({name: str(record.get(name, "") or "") for name in _RUNS} | {"state": state, "change": text})
    return pd.DataFrame(records, columns=list(_RUNS))


def _left_out(report: Any) -> pd.DataFrame:
    rows = [{"dataset": f.dataset, "stage": f.stage, "reason": f.reason} for f in report.failures]
    return pd.DataFrame(rows, columns=list(_OUT))


def _marked(value: object, words: list[str]) -> str:
    """A cell, escaped, with what was searched for marked."""
    text = str(value)
    if not words:
        return escape(text)
    pattern = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
    parts = re.split(f"({pattern})", text, flags=re.IGNORECASE)
    return "".join(f"<mark>{escape(p)}</mark>" if at % 2 else escape(p) for at, p in enumerate(parts))
