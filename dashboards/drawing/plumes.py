"""The plume and the bars beside it, drawn once a session and then only given other numbers.

The numbers are those of :func:`spread.figures.plume_frames` and :func:`spread.figures.bar_frames`. HoloViews takes
seconds to build this figure anew; a change of definition must be there at once, so that only the columns behind the
marks change.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from bokeh.core.properties import value as said_as
from bokeh.models import (
    ColumnDataSource,
    CustomJSTickFormatter,
    FixedTicker,
    HoverTool,
    Legend,
    LegendItem,
    Range1d,
    Span,
)
from bokeh.plotting import figure

from dashboards.drawing.screen import THEMES, calm, describe, paint
from spread.figures import colour, label, unit, voters
from spread.figures.frames import Frames, limits, observed
from spread.report import Report
from spread.vocabulary import HISTORICAL

_HEIGHT = 350  # of the axes [pixel]
_TOOLS = "pan,box_zoom,wheel_zoom,reset"
_ASIDE = 0.055  # dots that are neighbours in value stand side by side


class Plume:
    """Two figures that share their vertical axis.

    Parameters
    ----------
    report : Report
        Whose scenarios are drawn.
    theme : str
        Of :data:`dashboards.drawing.screen.THEMES`.
    """

    def __init__(self, report: Report, theme: str) -> None:
        self.theme = theme
        there = set(map(str, report.across["experiment_id"].values))
        self.scenarios = [e for e in report.study.experiments if e in there]
        self.y = Range1d(0.0, 1.0)
        self.left = figure(
            frame_height=_HEIGHT, sizing_mode="stretch_width", y_range=self.y, x_range=Range1d(1850, 2100),
            tools=_TOOLS, toolbar_location="right", active_drag=None,
        )  # fmt: skip
        self.right = figure(
            frame_height=_HEIGHT, sizing_mode="stretch_width", y_range=self.y, tools="", toolbar_location=None,
            x_range=Range1d(-0.6, len(self.scenarios) - 0.4),
        )  # fmt: skip
        self._lines(report)
        self._bars(report)
        for one in (self.left, self.right):
            one.add_layout(Span(location=0, dimension="width", line_color=THEMES[theme].soft, line_width=1))
            one.xgrid.visible = False
            calm(one, theme, "")
        self.right.xaxis.ticker = FixedTicker(ticks=list(range(len(self.scenarios))))
        names = {str(at): label(name) for at, name in enumerate(self.scenarios)}
        self.right.xaxis.formatter = CustomJSTickFormatter(args={"names": names}, code="return names[tick] || ''")
        self.right.xaxis.major_label_orientation = 0.45
        self.right.xaxis.major_tick_line_color = None

    def _lines(self, report: Report) -> None:
        """Bands below, models above, the middle on top: what is read first covers the rest."""
        self.bands, self.threads, self.middles = {}, {}, {}
        shown: dict[str, list[Any]] = {}
        names = [HISTORICAL, *self.scenarios]
        for name in names:
            self.bands[name] = ColumnDataSource({"xs": [], "ys": []})
            self.threads[name] = ColumnDataSource({"xs": [], "ys": [], "model": [], "scenario": []})
            columns = ["Year", "centre", "low", "high", "count", "scenario"]
            self.middles[name] = ColumnDataSource({column: [] for column in columns})
        for name in names:
            tint = paint(colour(report, name), self.theme)
            shown[name] = [self.left.patches("xs", "ys", source=self.bands[name], color=tint, fill_alpha=0.2,
                                             line_alpha=0)]  # fmt: skip
        for name in names:
            tint = paint(colour(report, name), self.theme)
            shown[name].append(self.left.multi_line("xs", "ys", source=self.threads[name], color=tint, line_alpha=0.32,
                                                    line_width=1, hover_line_alpha=1.0, hover_line_width=2.2,
                                                    hover_line_color=tint))  # fmt: skip
        for name in names:
            tint = paint(colour(report, name), self.theme)
            shown[name].append(self.left.line("Year", "centre", source=self.middles[name], color=tint, line_width=3))
        self.observed = ColumnDataSource({"Year": [], "value": []})
        black = self.left.line("Year", "value", source=self.observed, color=THEMES[self.theme].ink, line_width=1.8)
        unit_ = unit(report).name
        self.left.add_tools(
            HoverTool(renderers=[glyphs[1] for glyphs in shown.values()], line_policy="nearest",
                      tooltips=[("model", "@model"), ("scenario", "@scenario"), ("year", "$x{0}"),
                                (f"change [{unit_}]", "$y{0.00}")]),
            HoverTool(renderers=[glyphs[2] for glyphs in shown.values()], line_policy="nearest", attachment="above",
                      tooltips=[("scenario", "@scenario"), ("year", "@Year{0}"), (f"middle [{unit_}]", "@centre{0.00}"),
                                ("shaded", "@low{0.00} to @high{0.00}"), ("with a number", "@count")]),
        )  # fmt: skip
        self.items = {name: LegendItem(label=said_as(name), renderers=glyphs) for name, glyphs in shown.items()}
        self.items["observed"] = LegendItem(label=said_as("observed"), renderers=[black], visible=False)
        self.left.add_layout(
            Legend(items=list(self.items.values()), ncols=3, click_policy="hide", location="left"), "below"
        )
        self.left.xaxis.axis_label = ""

    def _bars(self, report: Report) -> None:
        columns = ["left", "right", "low", "high", "centre", "paint", "scenario", "says"]
        self.boxes = ColumnDataSource({column: [] for column in columns})
        self.dots = ColumnDataSource({column: [] for column in ("x", "value", "model", "scenario", "paint")})
        box = self.right.quad("left", "right", "high", "low", source=self.boxes, fill_color="paint", fill_alpha=0.4,
                              line_alpha=0)  # fmt: skip
        self.right.segment("left", "centre", "right", "centre", source=self.boxes, color="paint", line_width=3.5)
        dot = self.right.scatter("x", "value", source=self.dots, size=6, color="paint", line_width=0.6, fill_alpha=0.9,
                                 line_color=THEMES[self.theme].paper)  # fmt: skip
        unit_ = unit(report).name
        self.right.add_tools(
            HoverTool(renderers=[box], tooltips=[("", "@scenario, @says"), (f"middle [{unit_}]", "@centre{0.00}"),
                                                 ("bar", "@low{0.00} to @high{0.00}")]),
            HoverTool(renderers=[dot], tooltips=[("model", "@model"), ("scenario", "@scenario"),
                                                 (f"change [{unit_}]", "@value{0.00}")]),
        )  # fmt: skip

    def show(
        self,
        report: Report,
        frames: Frames,
        ends: Frames,
        assessed: bool = True,
        constrained: pd.DataFrame | None = None,
    ) -> tuple[Frames, Frames]:
        """Give the marks the numbers of a definition.

        Parameters
        ----------
        report : Report
            Under the chosen definition.
        frames, ends : Frames
            Numbers of the plume and of the bars.
        assessed : bool
            Whether to draw what AR6 assessed.
        constrained : pandas.DataFrame, optional
            ``experiment_id, low, centre, high`` to draw instead of the range across models.

        Returns
        -------
        Frames, Frames
            What is drawn: lines, and bars.
        """
        for name in self.bands:
            band = frames.bands[frames.bands["experiment_id"] == name]
            lines = frames.lines[frames.lines["experiment_id"] == name]
            self._fill(report, name, band, lines)
        series = observed(report)
        self.observed.data = {"Year": series["Year"].to_numpy(), "value": series["value"].to_numpy()}
        self.items["observed"].visible = bool(len(series))
        self.items["observed"].label = said_as(str(report.observations.get("name", "observed")))
        if constrained is not None:
            known = constrained.set_index("experiment_id")
            ends = ends._replace(bands=ends.bands.assign(
                **{c: [float(known[c].get(e, np.nan)) for e in ends.bands["experiment_id"]]
                   for c in ("low", "centre", "high")}))  # fmt: skip
        if not assessed:
            gone = {f"assessed_{name}": np.nan for name in ("low", "best", "high")}
            ends = ends._replace(bands=ends.bands.assign(**gone))
        self.boxes.data = self._boxes(report, ends, "constrained by observations" if constrained is not None else "")
        self.dots.data = self._dots(report, ends)
        self.y.start, self.y.end = limits(frames, ends, series)
        self.y.reset_start, self.y.reset_end = self.y.start, self.y.end
        years = frames.bands["Year"]
        self.left.x_range.start, self.left.x_range.end = float(years.min()) - 2, float(years.max()) + 2
        axis = f"Change from {report.across.attrs['base_period']} [{unit(report).name}]"
        self.left.yaxis.axis_label = axis
        return frames, ends

    def describe(self, lines: str, bars: str) -> None:
        """Say what the figures show to those who do not see them."""
        describe(self.left, lines)
        describe(self.right, bars)

    def _fill(self, report: Report, name: str, band: pd.DataFrame, lines: pd.DataFrame) -> None:
        there = band["low"].notna()
        pieces = [p for _, p in band[there].groupby((~there).cumsum()[there]) if len(p) > 1]
        self.bands[name].data = {
            "xs": [np.concatenate([p["Year"], p["Year"][::-1]]).tolist() for p in pieces],
            "ys": [np.concatenate([p["high"], p["low"][::-1]]).tolist() for p in pieces],
        }
        said = label(name)
        models, years, values = _runs(lines)
        self._thread(self.threads[name], models, years, values, said)
        middle = band.dropna(subset="centre")
        columns = ["Year", "centre", "low", "high", "count"]
        self.middles[name].data = {c: middle[c].to_numpy() for c in columns} | {"scenario": [said] * len(middle)}
        self.items[name].visible = bool(len(band))
        self.items[name].label = said_as(said)

    @staticmethod
    def _thread(source: ColumnDataSource, models: list[str], years: list[Any], values: list[Any], said: str) -> None:
        """Give a scenario its models' lines; only what is new travels, for every line of a model is a message."""
        before = source.data
        same = list(before["model"]) == models and all(map(np.array_equal, before["xs"], years))
        if same and list(before["scenario"]) == [said] * len(models):
            source.data.update({"ys": values})
        else:
            source.data = {"xs": years, "ys": values, "model": models, "scenario": [said] * len(models)}

    def _boxes(self, report: Report, ends: Frames, says: str) -> dict[str, Any]:
        bands = ends.bands
        x = np.array([self.scenarios.index(e) for e in bands["experiment_id"]], dtype=float)
        known = bands["assessed_best"].notna().to_numpy()
        left, right = (-0.38, -0.16) if known.any() else (-0.28, -0.02)
        own: dict[str, Any] = {
            "left": x + left, "right": x + right, "low": bands["low"], "high": bands["high"], "centre": bands["centre"],
            "paint": [paint(colour(report, e), self.theme) for e in bands["experiment_id"]],
            "scenario": [label(e) for e in bands["experiment_id"]],
            "says": [says or f"{ends.centre} of {voters(report, count)}" for count in bands["count"]],
        }  # fmt: skip
        at = x[known]
        other: dict[str, Any] = {
            "left": at + 0.16, "right": at + 0.38, "low": bands["assessed_low"][known],
            "high": bands["assessed_high"][known], "centre": bands["assessed_best"][known],
            "paint": [THEMES[self.theme].neutral] * len(at), "says": ["assessed by AR6"] * len(at),
            "scenario": [label(e) for e in bands["experiment_id"][known]],
        }  # fmt: skip
        return {name: list(own[name]) + list(other[name]) for name in own}

    def _dots(self, report: Report, ends: Frames) -> dict[str, Any]:
        dots = ends.lines.dropna(subset="value").sort_values(["experiment_id", "value"])
        aside = dots.groupby("experiment_id").cumcount() % 3 - 1
        offset = 0.0 if ends.bands["assessed_best"].notna().any() else 0.16
        x = dots["experiment_id"].map(self.scenarios.index) + offset + _ASIDE * aside
        return {
            "x": x.to_numpy(dtype=float),
            "value": dots["value"].to_numpy(),
            "model": dots["model"].tolist(),
            "scenario": dots["experiment_id"].map(label).tolist(),
            "paint": [paint(colour(report, e), self.theme) for e in dots["experiment_id"]],
        }


def _runs(lines: pd.DataFrame) -> tuple[list[str], list[Any], list[Any]]:
    """Models, and years and values of each; a groupby of pandas would take ten times as long."""
    model, year, value = lines["model"].to_numpy(), lines["Year"].to_numpy(), lines["value"].to_numpy()
    there = np.isfinite(value)
    model, year, value = model[there], year[there], value[there]
    order = np.lexsort((year, model.astype(str)))
    names, starts = np.unique(model[order].astype(str), return_index=True)
    years, values = (np.split(column[order], starts[1:]) for column in (year, value))
    return names.tolist(), years if names.size else [], values if names.size else []
