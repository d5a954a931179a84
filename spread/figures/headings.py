"""What stands around a figure of one dataset: title, a line that explains, the mark of synthetic data, axes."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from spread.figures import printing
from spread.figures.words import SYNTHETIC, WARNING_COLOUR

if TYPE_CHECKING:
    import holoviews as hv

_GREY = "#444444"
_LINE, _TITLE_LINE = 0.19, 0.25  # heights of lines of text [inch]
_INCH = 80  # of a screen [pixel]
_LEFT, _RIGHT, _BOTTOM, _LEGEND = 0.75, 0.15, 0.55, 0.3  # room around axes [inch]


class Heading(NamedTuple):
    """What a figure says around its data.

    Parameters
    ----------
    title : str
        What is drawn.
    explained : str
        What its marks are.
    xlabel, ylabel : str
        Quantities and units.
    synthetic : bool
        Whether the data are synthetic, which is then said in red.
    """

    title: str
    explained: str
    xlabel: str
    ylabel: str
    synthetic: bool


def dressed(
    overlay: hv.Overlay,
    heading: Heading,
    backend: Literal["bokeh", "matplotlib"],
    axes: tuple[float, float],
    grid: Literal["x", "y"] = "y",
    left: float = _LEFT,
    legend: bool = False,
) -> hv.Overlay:
    """Put a heading over an overlay, and its axes where text never meets text.

    Parameters
    ----------
    overlay : holoviews.Overlay
        What is drawn.
    heading : Heading
        What is said.
    backend : str
        ``bokeh`` or ``matplotlib``.
    axes : (float, float)
        Width and height of the axes [inch].
    grid : str
        The axis whose grid is drawn.
    left : float
        Room for the labels left of the axes [inch].
    legend : bool
        Whether the labels of elements make a legend, below the axes.

    Returns
    -------
    holoviews.Overlay
        With the options.
    """
    labels = {"xlabel": heading.xlabel, "ylabel": heading.ylabel, "show_legend": legend}
    if backend == "bokeh":
        return overlay.opts(backend=backend, **labels, **_on_screen(heading, axes, grid, legend))
    labels["show_legend"] = False  # the hook makes one of its own
    width = left + axes[0] + _RIGHT
    title = textwrap.wrap(heading.title, round(width * 8.8))
    explained = textwrap.wrap(heading.explained, round(width * 14.5))
    top = 0.25 + _TITLE_LINE * (len(title) + heading.synthetic) + _LINE * len(explained)
    bottom = _BOTTOM + (_LEGEND if legend else 0.0)
    size = printing.Paper(width, bottom + axes[1] + top, bottom, axes[1])

    def finish(plot: Any, element: Any) -> None:
        drawn = plot.handles["axis"]
        figure = drawn.figure
        printing.keep(figure, size)
        printing.calm(drawn, size.box(left, left + axes[0]), heading.ylabel, grid)
        at = size.height - 0.12
        parts: list[tuple[str, float, str, str, float]] = [
            ("\n".join(title), 12, "bold", "black", _TITLE_LINE * len(title))
        ]
        parts += [(SYNTHETIC, 10, "bold", WARNING_COLOUR, _TITLE_LINE)] if heading.synthetic else []
        parts += [("\n".join(explained), 8.5, "normal", _GREY, 0.0)]
        for text, points, weight, colour, height in parts:
            figure.text(
                0.12 / width, at / size.height, text, fontsize=points, fontweight=weight, color=colour, va="top"
            )
            at -= height
        if legend:
            handles, names = drawn.get_legend_handles_labels()
            shown = {"loc": "lower left", "bbox_to_anchor": (left / width, 0.0), "fontsize": 8.5, "frameon": False}
            figure.legend(handles, names, ncols=len(names), handletextpad=0.3, **shown)

    return overlay.opts(backend=backend, fig_inches=(size.width, size.height), hooks=[finish], **labels)


def _on_screen(heading: Heading, axes: tuple[float, float], grid: str, legend: bool) -> dict[str, Any]:
    from bokeh.models.annotations import Title

    width, height = (round(_INCH * inches) for inches in axes)

    def finish(plot: Any, element: Any) -> None:
        lines = textwrap.wrap(heading.explained, max(30, width // 6))
        texts: list[tuple[str, Literal["normal", "bold"], str, str]]
        texts = [("\n".join(lines), "normal", "#555555", "12px")]
        texts += [(SYNTHETIC, "bold", WARNING_COLOUR, "13px")] if heading.synthetic else []
        texts += [("\n".join(textwrap.wrap(heading.title, max(24, width // 8))), "bold", "black", "15px")]
        for text, style, colour, size in texts:
            line = Title(text=text, text_font_style=style, text_color=colour, text_font_size=size)
            plot.state.add_layout(line, "above")

    other = "y" if grid == "x" else "x"
    place = {"legend_position": "bottom", "legend_cols": 3} if legend else {}
    return {
        "title": "", "frame_width": width, "frame_height": height, "show_grid": True,
        "gridstyle": {f"{other}grid_line_alpha": 0}, "hooks": [finish], **place,
        "fontsize": {"labels": "13px", "ticks": "12px", "legend": "12px"},
    }  # fmt: skip
