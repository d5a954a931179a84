"""The printed side: where axes, titles and the legend of a matplotlib figure go."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from spread.figures.frames import Frames
from spread.figures.words import SYNTHETIC, WARNING_COLOUR, Words, colour, label, voters
from spread.report import Report

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Finish = Callable[[Any, Any], None]

INCHES, INCHES_ALONE = (9.6, 5.2), (6.4, 5.2)

_GREY = "#444444"


def plume(words: Words, frames: Frames) -> Finish:
    """Finish the left half of a printed figure, and what belongs to both: the title and the legend below."""

    def finish(plot: Any, element: Any) -> None:
        axes = plot.handles["axis"]
        _calm(axes, (0.07, 0.235, 0.545, 0.575), words.axis)
        axes.set_title(words.subtitle, loc="left", fontsize=8.5, color=_GREY)
        _headline(axes.figure, words.title, words.report.synthetic)
        handles, names = _legend(words.report, frames)
        axes.figure.legend(
            handles, names, loc="lower left", bbox_to_anchor=(0.055, 0.0), ncols=min(4, math.ceil(len(names) / 2)),
            fontsize=8.5, frameon=False,
        )  # fmt: skip

    return finish


def bars(words: Words, beside: bool) -> Finish:
    """Finish the bars of a printed figure, beside a plume or alone."""

    def finish(plot: Any, element: Any) -> None:
        axes = plot.handles["axis"]
        box = (0.665, 0.235, 0.325, 0.575) if beside else (0.12, 0.15, 0.86, 0.64)
        _calm(axes, box, "" if beside else words.axis)
        axes.set_title(f"{words.period}\n{words.explained}", loc="left", fontsize=8.5, color=_GREY)
        if not beside:
            _headline(axes.figure, words.title, words.report.synthetic)

    return finish


def _headline(figure: Figure, title: str, synthetic: bool) -> None:
    lines = textwrap.wrap(title, round(figure.get_figwidth() * 8.8))
    figure.text(0.015, 0.975, "\n".join(lines), fontsize=12, fontweight="bold", va="top")
    if synthetic:
        figure.text(
            0.985, 0.015, SYNTHETIC, fontsize=10, fontweight="bold", color=WARNING_COLOUR, ha="right", va="bottom"
        )


def _legend(report: Report, frames: Frames) -> tuple[list[Any], list[str]]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Any] = []
    names = []
    for experiment, band in frames.bands.groupby("experiment_id", sort=False):
        paint = colour(report, str(experiment))
        line = Line2D([], [], color=paint, linewidth=2.2)
        shaded = band["low"].notna().any()
        handles.append((Patch(color=paint, alpha=0.22, linewidth=0), line) if shaded else line)
        names.append(f"{label(str(experiment))} ({voters(report, int(band['count'].max()))})")
    if report.observations:
        handles.append(Line2D([], [], color="black", linewidth=1.5))
        names.append(str(report.observations["name"]))
    return handles, names


def _calm(axes: Any, box: tuple[float, float, float, float], ylabel: str) -> None:
    """Place axes, and take from them what does not help to read."""
    axes.set_aspect("auto")
    axes.set_box_aspect(None)
    axes.set_position(box)
    axes.set_ylabel(ylabel, fontsize=9.5)
    axes.set_xlabel(axes.get_xlabel(), fontsize=9.5)
    axes.tick_params(labelsize=9)
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
