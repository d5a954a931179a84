"""Figures of a report: plumes of anomalies, and the spread of a period beside the ranges assessed by AR6.

The same numbers feed both backends: bokeh for looking closely, matplotlib for print. hvPlot, HoloViews and their
backends are imported where they draw, so that importing this package stays cheap.
"""

from spread.figures.constraint import constrained_ranges, range_frame
from spread.figures.drawing import Backend, bars, plume
from spread.figures.files import MAXIMUM_FIGURES, MAXIMUM_INTERACTIVE, call, save
from spread.figures.frames import Frames, bar_frames, plume_frames
from spread.figures.weights import model_weights, weight_frame
from spread.figures.words import COLOURS, SEASONS, SYNTHETIC, Unit, band, colour, in_words, label, title, unit, voters

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
    "constrained_ranges",
    "in_words",
    "label",
    "model_weights",
    "plume",
    "plume_frames",
    "range_frame",
    "save",
    "title",
    "unit",
    "voters",
    "weight_frame",
]
