"""Hypothesis strategies for what the archive varies: grids, chunks, calendars, holes."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

CALENDARS = ("standard", "proleptic_gregorian", "365_day", "366_day", "360_day", "julian")

calendars = st.sampled_from(CALENDARS)
years = st.integers(1, 3000)
months = st.integers(1, 12)
seeds = st.integers(0, 2**32 - 1)


@st.composite
def cuts(draw, length):
    """Chunk sizes that add up to a length."""
    at = draw(st.sets(st.integers(1, length - 1), max_size=4)) if length > 1 else set()
    return tuple(np.diff([0, *sorted(at), length]).tolist())


@st.composite
def latitude_edges(draw, most=12):
    """Edges from pole to pole, unevenly spaced."""
    widths = draw(st.lists(st.floats(0.5, 3.0), min_size=2, max_size=most))
    return -90.0 + 180.0 * np.concatenate([[0.0], np.cumsum(widths)]) / np.sum(widths)


@st.composite
def longitude_edges(draw, most=16):
    """Edges once round the Earth, evenly spaced from anywhere."""
    count = draw(st.integers(3, most))
    start = draw(st.floats(-360.0, 360.0))
    return start + np.linspace(0.0, 360.0, count + 1)
