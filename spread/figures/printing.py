"""The printed side: where axes, titles and the legend of a matplotlib figure go."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from spread.figures.frames import Frames
from spread.figures.words import SYNTHETIC, WARNING_COLOUR, Words, colour, label, simulated_style, voters
from spread.report import Report

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Finish = Callable[[Any, Any], None]

_GREY = "#444444"
_ROW, _TITLE_ROW = 0.22, 0.25  # heights of a line of text [inch]
_COLUMNS = 4


class Paper(NamedTuple):
    """How large a printed figure is, and where its axes stand: all in inches, so that text never meets text."""

    width: float
    height: float
    bottom: float
    axes: float = 3.2

    def box(self, left: float, right: float) -> tuple[float, float, float, float]:
        """Place axes between two edges, as Matplotlib wants it."""
        return left / self.width, self.bottom / self.height, (right - left) / self.width, self.axes / self.height


def paper(words: Words, frames: Frames | None = None, runs: int = 0) -> Paper:
    """Measure a printed figure.

    Parameters
    ----------
    words : Words
        What it says.
    frames : Frames, optional
        What its plume draws; without it the bars stand alone and need no legend.
    runs : int
        Simulated runs, which have a row of the legend each.

    Returns
    -------
    Paper
        Higher for a long title and for many scenarios.
    """
    width = 6.4 if frames is None else 9.6
    rows = 0 if frames is None else math.ceil(len(_legend(words.report, frames)[1]) / _COLUMNS)
    bottom = 0.7 + _ROW * (max(rows, 2 if frames is not None else 0) + runs)
    top = 0.68 + _TITLE_ROW * (len(_wrapped(words.title, width)) + words.report.synthetic)
    return Paper(width, bottom + Paper._field_defaults["axes"] + top, bottom)


def plume(words: Words, frames: Frames, runs: Sequence[str] = ()) -> Finish:
    """Finish the left half of a printed figure, and what belongs to both: the title and the legend below."""
    size = paper(words, frames, len(runs))

    def finish(plot: Any, element: Any) -> None:
        axes = plot.handles["axis"]
        keep(axes.figure, size)
        calm(axes, size.box(0.7, 5.95), words.axis)
        axes.set_title(words.subtitle, loc="left", fontsize=8.5, color=_GREY)
        _headline(axes.figure, words, size)
        handles, names = _legend(words.report, frames)
        columns = min(_COLUMNS, math.ceil(len(names) / 2))
        at = _ROW * len(runs) / size.height
        look: dict[str, Any] = {"loc": "lower left", "fontsize": 8.5, "frameon": False}
        axes.figure.legend(handles, names, bbox_to_anchor=(0.055, at), ncols=columns, **look)
        if runs:
            lines = [_simulated_line(number) for number in range(len(runs))]
            axes.figure.legend(lines, runs, bbox_to_anchor=(0.055, 0.0), ncols=1, handlelength=3.4, **look)

    return finish


def bars(words: Words, size: Paper, beside: bool) -> Finish:
    """Finish the bars of a printed figure, beside a plume or alone."""

    def finish(plot: Any, element: Any) -> None:
        axes = plot.handles["axis"]
        calm(axes, size.box(6.4, 9.5) if beside else size.box(0.75, 6.3), "" if beside else words.axis)
        axes.set_title(f"{words.period}\n{words.explained}", loc="left", fontsize=8.5, color=_GREY)
        if not beside:
            keep(axes.figure, size)
            _headline(axes.figure, words, size)

    return finish


def keep(figure: Figure, size: Paper) -> None:
    """Keep a figure's size whenever it is drawn: HoloViews gives a layout another height after its hooks.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The figure.
    size : Paper
        How large it is.
    """
    from matplotlib.layout_engine import LayoutEngine

    class Kept(LayoutEngine):
        _adjust_compatible = _colorbar_gridspec = True

        def execute(self, fig: Figure) -> None:
            if tuple(fig.get_size_inches()) != size[:2]:
                fig.set_size_inches(*size[:2])

    figure.set_size_inches(*size[:2])
    figure.set_layout_engine(Kept())


def _wrapped(title: str, width: float) -> list[str]:
    return textwrap.wrap(title, round(width * 8.8))


def _headline(figure: Figure, words: Words, size: Paper) -> None:
    lines = _wrapped(words.title, size.width)
    figure.text(0.015, 1 - 0.12 / size.height, "\n".join(lines), fontsize=12, fontweight="bold", va="top")
    if words.report.synthetic:
        at = 1 - (0.16 + _TITLE_ROW * len(lines)) / size.height
        figure.text(0.015, at, SYNTHETIC, fontsize=10, fontweight="bold", color=WARNING_COLOUR, va="top")


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


def _simulated_line(number: int) -> Any:
    from matplotlib.lines import Line2D

    paint, style = simulated_style(number)
    line = Line2D([], [], color=paint, linewidth=2.0)
    line.set_linestyle(style)  # type: ignore[arg-type]
    return line


def calm(axes: Any, box: tuple[float, float, float, float], ylabel: str, grid: Literal["x", "y"] = "y") -> None:
    """Place axes, and take from them what does not help to read.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        The axes.
    box : tuple of float
        Left, bottom, width and height, in parts of the figure.
    ylabel : str
        What stands beside the vertical axis.
    grid : str
        Along which axis lines help to read.
    """
    axes.set_aspect("auto")
    axes.set_box_aspect(None)
    axes.set_position(box)
    axes.set_ylabel(ylabel, fontsize=9.5)
    axes.set_xlabel(axes.get_xlabel(), fontsize=9.5)
    axes.tick_params(labelsize=9)
    axes.grid(axis=grid, color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
