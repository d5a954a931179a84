"""Why models disagree: sources of uncertainty, warming levels, sensitivity, what observations and weights say."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd
import panel as pn
import xarray as xr

from dashboards import calls
from dashboards.drawing.screen import screened
from dashboards.drawing.styles import TEXT
from dashboards.state import ANSWERS, State
from dashboards.view import View
from spread import ensemble, figures
from spread.errors import NotFound
from spread.figures.drawing import Backend
from spread.figures.findings import FINDINGS, constraint, level_table, sensitivity_table
from spread.report import Report

if TYPE_CHECKING:
    from dashboards.session import Session

_NEEDS = {"region": "partition", "period": "constraint"}
"""Choices that matter to one answer only."""


class WhyView(View):
    """One answer at a time, or why there is none."""

    name = "why"
    title = "Why"
    uses = ("answer", "region", "period", "base", "votes")

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.head, self.words, self.tables = (
            pn.pane.HTML("", stylesheets=[TEXT], sizing_mode="stretch_width", margin=0) for _ in range(3)
        )
        self.drawn = pn.Column(sizing_mode="stretch_width", margin=0)
        self.body.extend([self.head, self.drawn, self.tables, self.taken.panel])

    @classmethod
    def needs(cls, state: State) -> tuple[str, ...]:
        """A region matters to the partition only, a period to the constraint."""
        return tuple(name for name in cls.uses if _NEEDS.get(name, state.answer) == state.answer)

    @property
    def report(self) -> Report:
        """The report under the chosen definition, with its answers."""
        return self.session.results.why(self.session.state)

    def update(self) -> None:
        """Show the chosen answer."""
        name, report = self.session.state.answer, self.report
        self.head.object = f"<h2>{escape(_QUESTIONS[name])}</h2>"
        self.tables.object = ""
        there = name in report.answers
        self.taken.panel.visible = there
        if not there:
            why = self.session.results.why_not(name, report)
            self.drawn[:] = []
            self.tables.object = f"<p class='none'>No answer: {escape(why)}.</p>"
            return
        words = self._words(report, name)
        figure, titles = screened(self._draw(report, name, "bokeh"), self.session.theme, f"{ANSWERS[name]}. {words}")
        above = pn.pane.HTML(titles, stylesheets=[TEXT], sizing_mode="stretch_width", margin=(10, 0, 4, 0))
        self.head.object += f"<p class='lead'>{escape(words)}</p>"
        self.drawn[:] = [above, pn.pane.Bokeh(figure, sizing_mode="stretch_width", margin=0)]
        self.tables.object = self._table_of(report, name)
        self.taken.update()

    def _words(self, report: Report, name: str) -> str:
        state = self.session.state
        if name == "partition":
            said = _partition_words(report, state.region)
        elif name == "constraint":
            said = constraint(report, state.period)
        else:
            said = FINDINGS[name](report) if name in FINDINGS else ""
        if state.votes == "weighted" and name in _EQUAL:
            said += " Models have equal votes here: weights do not enter."
        return said.strip()

    def _draw(self, report: Report, name: str, backend: Backend) -> Any:
        self._must_be_there(report, name)
        return _DRAWN[name](report, self.session.state, backend)

    def _must_be_there(self, report: Report, name: str) -> None:
        if name not in report.answers:
            raise NotFound(f"no answer: {self.session.results.why_not(name, report)}")

    def _table_of(self, report: Report, name: str) -> str:
        if name == "warming_levels":
            head, rows = level_table(report)
            return _html_table("When levels of warming are crossed", head, rows)
        if name == "sensitivity":
            head, rows = sensitivity_table(report)
            return _html_table("ECS and TCR of each model", head, rows)
        return ""

    def call(self) -> str:
        """Python that remakes the figure."""
        state = self.session.state
        return f"{calls.load(self.session.results, state)}\n{_CALLS[state.answer](self.report, state)}"

    def picture(self) -> Any:
        """The figure for print."""
        return self._draw(self.report, self.session.state.answer, "matplotlib")

    def table(self) -> pd.DataFrame:
        """The numbers of the answer."""
        name, found = self.session.state.answer, self.dataset()
        columns = [c for c in _COLUMNS[name] if c in found]
        return found[columns].to_dataframe().reset_index().dropna(subset=columns, how="all")

    def dataset(self) -> xr.Dataset:
        """The answer; of the partition, what is shown of it."""
        state = self.session.state
        report = self.report
        self._must_be_there(report, state.answer)
        found = report.answers[state.answer]
        return found.sel(region=state.region) if state.answer == "partition" and "region" in found.dims else found


_QUESTIONS = {
    "partition": "Where does the uncertainty come from?",
    "warming_levels": "When are levels of global warming crossed?",
    "sensitivity": "How sensitive are the models?",
    "constraint": "What do observations say about the range?",
    "weights": "Which models deserve weight?",
}

_EQUAL = ("partition", "warming_levels", "constraint")
"""Answers in which every model counts once, whoever has a vote elsewhere."""

_COLUMNS = {
    "partition": ["share", "variance"],
    "warming_levels": ["quantiles", "votes_reached", "votes"],
    "sensitivity": ["ecs", "ecs_se", "erf_2x", "erf_2x_se", "feedback", "feedback_se", "tcr"],
    "constraint": ["mean", "sd", "quantiles", "correlation", "count"],
    "weights": ["weights"],
}


def _partition_words(report: Report, region: str) -> str:
    found = report.answers["partition"].sel(region=region)
    parts = []
    for year in (y for y in (2030, 2060, 2090) if y in found["year"].values):
        shares = found["share"].sel(year=year)
        most = str(found["source"].values[int(shares.argmax("source"))])
        parts.append(f"{figures.SOURCE_NAMES[most].lower()} in {year} ({float(shares.max()):.0f} %)")
    return f"The largest source of uncertainty: {', '.join(parts)}." if parts else ""


def _levels(report: Report, state: State, backend: Backend) -> Any:
    votes: Literal["median", "all"] = "all" if report.study.votes == "all" else "median"
    crossings = report.answers["warming_levels"]
    return figures.warming_level_timeline(crossings, backend=backend, members=votes, synthetic=report.synthetic)


def _constraint(report: Report, state: State, backend: Backend) -> Any:
    found = report.answers["constraint"].sel(period=state.period)
    return figures.constrained_ranges(found, _assessed(report, state), backend)


def _assessed(report: Report, state: State) -> dict[str, Any]:
    """What AR6 assessed, of the one period for which it did."""
    return dict(ensemble.assessed_ranges(report.study)) if state.period == "2081-2100" else {}


def _weights(report: Report, state: State, backend: Backend) -> Any:
    weights = report.answers["weights"]["weights"].assign_attrs(synthetic=str(report.synthetic).lower())
    return figures.model_weights(weights, backend)


_DRAWN: dict[str, Callable[[Report, State, Backend], Any]] = {
    "partition": lambda report, state, backend: figures.partition_stack(
        report.answers["partition"], backend, region=state.region),
    "warming_levels": _levels,
    "sensitivity": lambda report, state, backend: figures.gregory_plot(
        report.answers["sensitivity"], backend=backend, synthetic=report.synthetic),
    "constraint": _constraint,
    "weights": _weights,
}  # fmt: skip

_CALLS: dict[str, Callable[[Report, State], str]] = {
    "partition": lambda report, state: (
        f"spread.figures.partition_stack(report.answers['partition'], region={state.region!r})"
    ),
    "warming_levels": lambda report, state: (
        "spread.figures.warming_level_timeline(report.answers['warming_levels'], "
        f"members={'all' if report.study.votes == 'all' else 'median'!r}, synthetic={report.synthetic})"
    ),
    "sensitivity": lambda report, state: (
        f"spread.figures.gregory_plot(report.answers['sensitivity'], synthetic={report.synthetic})"
    ),
    "constraint": lambda report, state: (
        ("known = spread.ensemble.assessed_ranges(report.study)\n" if _assessed(report, state) else "")
        + f"spread.figures.constrained_ranges(report.answers['constraint'].sel(period={state.period!r})"
        + (", known)" if _assessed(report, state) else ")")
    ),
    "weights": lambda report, state: "spread.figures.model_weights(report.answers['weights']['weights'])",
}


def _html_table(caption: str, head: list[str], rows: list[list[str]]) -> str:
    top = "".join(f"<th scope='col'>{escape(str(name))}</th>" for name in head)
    body = "".join(f"<tr>{''.join(f'<td>{escape(str(cell))}</td>' for cell in row)}</tr>" for row in rows)
    return (
        f"<h3 style='margin-top:16px'>{escape(caption)}</h3><div class='scroll' tabindex='0' role='region' "
        f"aria-label='{escape(caption)}'><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"
    )
