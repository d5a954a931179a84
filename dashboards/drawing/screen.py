"""How figures look on the page, by day and by night: colours, calm axes, words above them and for screen readers."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any, NamedTuple

from spread.figures.drawing import holoviews


class Paint(NamedTuple):
    """Colours of a theme: text, soft text, lines of a grid, paper, what is neither, and cells without a value."""

    ink: str
    soft: str
    line: str
    paper: str
    neutral: str
    absent: str


THEMES = {
    "light": Paint("#1c1f23", "#59616b", "#e3e6ea", "#ffffff", "#8c8c8c", "#d9d9d9"),
    "dark": Paint("#e7e9ec", "#a5adb7", "#343a42", "#1b1f24", "#9aa2ab", "#4a5058"),
}
"""Themes by name; ``page.css`` has the same colours."""

_BY_NIGHT = {
    "#173c66": "#6f9fd8", "#951b1e": "#d8484c", "#e71d25": "#ff6168", "#5a5a5a": "#b4b4b4", "#333333": "#a5adb7",
    "#354aa1": "#5f78d8", "#007f3c": "#1f9d58", "#000000": "#e7e9ec", "black": "#e7e9ec", "#444444": "#a5adb7",
    "#555555": "#a5adb7", "#999999": "#747c86", "#0072b2": "#4aa8e0",
    "#56b4e9": "#b5e3fb",
}  # fmt: skip
"""Colours that would be lost on dark paper, and what stands for them there."""


def paint(colour: str, theme: str) -> str:
    """A colour as a theme shows it: the dark blues and reds of AR6 are lost on dark paper."""
    return _BY_NIGHT.get(colour.lower(), colour) if theme == "dark" else colour


def calm(figure: Any, theme: str, alt: str) -> Any:
    """Take from a Bokeh figure what does not help to read, and tell screen readers what it shows.

    Parameters
    ----------
    figure : bokeh.plotting.figure
        The figure; changed.
    theme : str
        Of :data:`THEMES`.
    alt : str
        What it shows, in words.

    Returns
    -------
    bokeh.plotting.figure
        The same figure.
    """
    colours = THEMES[theme]
    figure.background_fill_color = None
    figure.border_fill_color = None
    figure.outline_line_color = None
    figure.min_border_left = figure.min_border_right = 8
    for axis in figure.axis:
        axis.axis_label_text_font_style = "normal"
        axis.axis_label_text_color = colours.soft
        axis.major_label_text_color = colours.ink
        axis.axis_label_text_font_size = axis.major_label_text_font_size = "13px"
        axis.axis_line_color = axis.major_tick_line_color = colours.soft
        axis.minor_tick_line_color = None
    for grid in figure.grid:
        grid.grid_line_color = colours.line
    for legend in figure.legend:
        legend.label_text_color = colours.ink
        legend.label_text_font_size = "13px"
        legend.background_fill_color = colours.paper
        legend.background_fill_alpha = 0.0
        legend.border_line_color = None
        legend.inactive_fill_alpha = 0.6
        legend.inactive_fill_color = colours.paper
    figure.toolbar.logo = None
    figure.toolbar.autohide = True
    describe(figure, alt)
    return figure


def describe(figure: Any, alt: str) -> None:
    """Say what a figure shows to those who do not see it."""
    figure.html_attributes = {"role": "img", "aria-label": alt}


def screened(drawn: Any, theme: str, alt: str) -> tuple[Any, str]:
    """Take a figure of spread.figures onto the page: as wide as there is room, its words above it as HTML.

    Parameters
    ----------
    drawn : holoviews.Overlay
        Of one panel, for Bokeh.
    theme : str
        Of :data:`THEMES`.
    alt : str
        What it shows.

    Returns
    -------
    bokeh.plotting.figure, str
        The figure without titles, and the titles as HTML.
    """
    from bokeh.models.annotations import Title

    figure = holoviews().render(drawn, backend="bokeh")
    titles = [one for one in figure.above if isinstance(one, Title)]
    figure.above = [one for one in figure.above if one not in titles]
    height = figure.frame_height or 360
    figure.frame_width = figure.frame_height = None
    figure.height = height + 60 + _legend_below(figure)
    figure.width = None
    figure.sizing_mode = "stretch_width"
    figure.toolbar_location = "above"
    calm(figure, theme, alt)
    if theme == "dark":
        for glyph in _glyphs(figure):
            _repaint(glyph)
    # the last title stands highest
    head, *rest = [str(title.text).replace("\n", " ") for title in reversed(titles)] or [""]
    words = f"<h3>{escape(head)}</h3>" if head else ""
    words += "".join(f"<p class='soft'>{escape(text)}</p>" for text in rest if not text.startswith("SYNTHETIC"))
    return figure, words


def _legend_below(figure: Any) -> int:
    """Put legends below, a line an entry, so that they fit a telephone; names within the figure go. Its height [px]."""
    from bokeh.models import Text

    legends = list(figure.legend)
    if not legends:
        return 0
    for side in ("above", "below", "left", "right", "center"):
        setattr(figure, side, [one for one in getattr(figure, side) if one not in legends])
    for legend in legends:
        legend.ncols, legend.orientation, legend.location, legend.margin = 1, "vertical", "left", 4
        figure.add_layout(legend, "below")
    for renderer in figure.renderers:
        if isinstance(getattr(renderer, "glyph", None), Text):
            renderer.visible = False
    return 24 * sum(len(legend.items) for legend in legends) + 8


def _glyphs(figure: Any) -> Iterator[Any]:
    from bokeh.models import Span

    for renderer in figure.renderers:
        if isinstance(renderer, Span):
            yield renderer
        for name in ("glyph", "nonselection_glyph", "selection_glyph", "hover_glyph", "muted_glyph"):
            if getattr(renderer, name, None) not in (None, "auto"):
                yield getattr(renderer, name)


def _repaint(glyph: Any) -> None:
    for name in ("line_color", "fill_color", "text_color"):
        value = getattr(glyph, name, None)
        if isinstance(value, str):
            setattr(glyph, name, paint(value, "dark"))
