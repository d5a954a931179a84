"""Figures: plumes of anomalies, the spread of a period beside the ranges assessed by AR6, sources of uncertainty.

And of what the ensemble says beside it: when models pass warming levels, and the regressions behind their sensitivity.

The same numbers feed both backends: bokeh for looking closely, matplotlib for print. HoloViews and its
backends are imported where they draw, so that importing this package stays cheap.
"""

from spread.figures.constraint import constrained_ranges, range_frame
from spread.figures.drawing import Backend, bars, plume
from spread.figures.files import MAXIMUM_FIGURES, MAXIMUM_INTERACTIVE, call, save
from spread.figures.frames import Frames, bar_frames, plume_frames
from spread.figures.gregory import GregoryFrames, gregory_frames, gregory_plot
from spread.figures.maps import change_maps
from spread.figures.partition import SOURCE_COLOURS, SOURCE_NAMES, partition_frame, partition_stack
from spread.figures.sections import MAXIMUM_PICTURES, Picture, Section, save_sections
from spread.figures.warming_levels import TimelineFrames, timeline_frames, warming_level_timeline
from spread.figures.weights import model_weights, weight_frame
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
from spread.figures.zonal import zonal_means, zonal_spread

__all__ = [
    "COLOURS",
    "MAXIMUM_FIGURES",
    "MAXIMUM_INTERACTIVE",
    "MAXIMUM_PICTURES",
    "SEASONS",
    "SOURCE_COLOURS",
    "SOURCE_NAMES",
    "SYNTHETIC",
    "Backend",
    "Frames",
    "GregoryFrames",
    "Picture",
    "Section",
    "TimelineFrames",
    "Unit",
    "band",
    "bar_frames",
    "bars",
    "call",
    "change_maps",
    "colour",
    "constrained_ranges",
    "gregory_frames",
    "gregory_plot",
    "in_words",
    "label",
    "model_weights",
    "partition_frame",
    "partition_stack",
    "place",
    "plume",
    "plume_frames",
    "range_frame",
    "save",
    "save_sections",
    "timeline_frames",
    "title",
    "unit",
    "voters",
    "warming_level_timeline",
    "weight_frame",
    "zonal_means",
    "zonal_spread",
]
