"""A figure of one panel: what stands above it and around it, for both backends."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import xarray as xr

from spread.errors import BadStudy
from spread.figures import printing
from spread.figures.words import SYNTHETIC, WARNING_COLOUR

if TYPE_CHECKING:
    import holoviews as hv

_GREY = "#444444"
_ABOVE = 0.25  # height of a line above the axes [inch]
_DPI = 100  # points of the screen an inch, so that both backends have the same proportions

Finish = Callable[[Any], None]


class Sheet(NamedTuple):
    """What a figure says around its panel, and how large that is [inch]."""

    title: str
    subtitle: str
    synthetic: bool
    width: float
    height: float
    left: float = 0.75
    bottom: float = 0.6


def is_synthetic(data: xr.Dataset, given: bool | None) -> bool:
    """Whether data are synthetic: as their attributes say, or as the caller does.

    Parameters
    ----------
    data : xarray.Dataset
        What is drawn.
    given : bool or None
        What the caller says.

    Returns
    -------
    bool
        True where either says so.

    Raises
    ------
    BadStudy
        If neither says anything: a figure of synthetic data must say that it is one.
    """
    said = data.attrs.get("synthetic")
    if said is None and given is None:
        raise BadStudy(
            "figure: expected data that say whether they are synthetic (attribute 'synthetic'), or synthetic=True or "
            "False, got neither"
        )
    return bool(given) or said == "true"


def on_screen(overlay: hv.Overlay, sheet: Sheet, finish: Finish) -> hv.Overlay:
    """Finish an overlay of bokeh.

    Parameters
    ----------
    overlay : holoviews.Overlay
        What is drawn.
    sheet : Sheet
        What it says.
    finish : callable
        Takes the bokeh figure last.

    Returns
    -------
    holoviews.Overlay
        The same with options.
    """
    from bokeh.models.annotations import Title

    def hook(plot: Any, element: Any) -> None:
        figure = plot.state
        subtitle, title = ("\n".join(_wrapped(text, sheet, n)) for text, n in ((sheet.subtitle, 14), (sheet.title, 11)))
        lines = [Title(text=subtitle, text_font_style="normal", text_color="#555555", text_font_size="12px")]
        if sheet.synthetic:
            lines.append(Title(text=SYNTHETIC, text_color=WARNING_COLOUR, text_font_size="13px"))
        for line in (*lines, Title(text=title, text_font_size="15px")):
            figure.add_layout(line, "above")
        finish(figure)

    return overlay.opts(
        backend="bokeh", title="", frame_width=round(_DPI * (sheet.width - sheet.left)),
        frame_height=round(_DPI * sheet.height), show_grid=True, hooks=[hook], show_legend=False,
        fontsize={"labels": "13px", "ticks": "12px"},
    )  # fmt: skip


def in_print(overlay: hv.Overlay, sheet: Sheet, ylabel: str, finish: Finish) -> hv.Overlay:
    """Finish an overlay of matplotlib.

    Parameters
    ----------
    overlay, sheet
        As in :func:`on_screen`.
    ylabel : str
        What stands beside the vertical axis.
    finish : callable
        Takes the matplotlib axes last.

    Returns
    -------
    holoviews.Overlay
        The same with options.
    """
    titles, subtitles = _wrapped(sheet.title, sheet, 8.8), _wrapped(sheet.subtitle, sheet, 13.0)
    above = 0.2 + _ABOVE * (len(titles) + sheet.synthetic) + 0.2 * len(subtitles)
    size = printing.Paper(sheet.width, sheet.bottom + sheet.height + above, sheet.bottom, sheet.height)

    def hook(plot: Any, element: Any) -> None:
        axes = plot.handles["axis"]
        printing.keep(axes.figure, size)
        printing.calm(axes, size.box(sheet.left, size.width - 0.15), ylabel)
        at = 0.1
        lines = [(line, 12.0, "bold", "black") for line in titles]
        lines += [(SYNTHETIC, 10.0, "bold", WARNING_COLOUR)] if sheet.synthetic else []
        lines += [(line, 8.5, "normal", _GREY) for line in subtitles]
        for text, points, weight, paint in lines:
            style = {"fontsize": points, "fontweight": weight, "color": paint, "va": "top"}
            axes.figure.text(0.1 / size.width, 1 - at / size.height, text, **style)
            at += _ABOVE if weight == "bold" else 0.2
        finish(axes)

    inches = (size.width, size.height)
    return overlay.opts(backend="matplotlib", show_legend=False, fig_inches=inches, hooks=[hook])


def _wrapped(text: str, sheet: Sheet, letters: float) -> list[str]:
    """Lines of a text, with so many letters an inch."""
    return textwrap.wrap(text, round(sheet.width * letters), break_on_hyphens=False)
