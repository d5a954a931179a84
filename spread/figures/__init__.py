"""Figures of a report: plumes of anomalies, and the spread of a period beside the ranges assessed by AR6.

The same numbers feed both backends: bokeh for looking closely, matplotlib for print. hvPlot, HoloViews and their
backends are imported where they draw, so that importing this package stays cheap.
"""

from spread.figures.drawing import Backend, bars, plume
from spread.figures.files import MAXIMUM_FIGURES, MAXIMUM_INTERACTIVE, call, save
from spread.figures.frames import Frames, bar_frames, plume_frames
from spread.figures.words import (
    COLOURS,
    SEASONS,
    SYNTHETIC,
    Unit,
    band,
    colour,
    in_words,
    label,
    place,
    title,
    unit,
    voters,
)

__all__ = [
    "COLOURS",
    "MAXIMUM_FIGURES",
    "MAXIMUM_INTERACTIVE",
    "SEASONS",
    "SYNTHETIC",
    "Backend",
    "Frames",
    "Unit",
    "band",
    "bar_frames",
    "bars",
    "call",
    "colour",
    "in_words",
    "label",
    "place",
    "plume",
    "plume_frames",
    "save",
    "title",
    "unit",
    "voters",
]
