"""The circle of the year against plain periodic interpolation."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from spread.emulator.seasons import KNOTS, distance, middles, month_of, weights

days = st.lists(st.floats(0, 1), min_size=1, max_size=30).map(np.array)


@given(days, st.integers(0, 100))
def test_weights_interpolate_as_numpy_does_round_the_year(day, seed):
    values = np.random.default_rng(seed).standard_normal(KNOTS)
    made = weights(day)
    np.testing.assert_allclose(made.sum(axis=1), 1, atol=1e-6)
    assert (made >= 0).all()
    np.testing.assert_allclose(made @ values, np.interp(day, middles(), values, period=1), atol=1e-5)


def test_months_lie_on_the_knots():
    np.testing.assert_array_equal(weights((np.arange(24) % 12 + 0.5) / 12), np.tile(np.eye(12), (2, 1)))
    np.testing.assert_array_equal(month_of((np.arange(12) + 0.5) / 12), np.arange(12))


@given(days)
def test_the_month_is_the_knot_that_is_nearest(day):
    near = np.array([distance(day, knot) for knot in middles()])
    found = near[month_of(day), np.arange(len(day))]
    np.testing.assert_allclose(found, near.min(axis=0), atol=1e-12)


@given(days, st.floats(0, 1))
def test_distance_is_along_the_shorter_arc(day, knot):
    chord = np.abs(np.exp(2j * np.pi * day) - np.exp(2j * np.pi * knot))
    np.testing.assert_allclose(distance(day, knot), np.arcsin(np.clip(chord / 2, 0, 1)) / np.pi, atol=1e-7)
