"""Weighted statistics, against NumPy and closed forms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import seeds

from spread import stats

LEVELS = (0.0, 0.05, 0.17, 0.5, 0.83, 1.0)
holes = st.sampled_from([0.0, 0.3, 0.9])


def sample(seed, share, shape=(9, 4)):
    rng = np.random.default_rng(seed)
    values = rng.normal(3.0, 1.0, shape)
    values[rng.random(shape) < share] = np.nan
    return values, rng.random(shape[0]) + 0.1


def whole_numbers(seed, share):
    """Values, integer weights, and the sample in which each value is repeated as often as it weighs."""
    values, _ = sample(seed, share, (9,))
    weights = np.random.default_rng(seed).integers(1, 5, 9)
    return values, weights, np.repeat(values, weights)


@settings(max_examples=50)
@given(seeds, holes, st.sampled_from([0, 1]))
def test_without_weights_everything_is_numpys(seed, share, ddof):
    values, _ = sample(seed, share)
    for column in range(4):
        there = values[:, column][np.isfinite(values[:, column])]
        at = (..., column)
        assert stats.count(values)[column] == there.size
        expected = there.mean() if there.size else np.nan
        np.testing.assert_allclose(stats.mean(values)[column], expected, rtol=1e-12)
        expected = there.std(ddof=ddof) if there.size > ddof else np.nan
        np.testing.assert_allclose(stats.standard_deviation(values, ddof=ddof)[column], expected, atol=1e-12)
        expected = np.quantile(there, LEVELS) if there.size else np.full(len(LEVELS), np.nan)
        np.testing.assert_allclose(stats.quantile(values, LEVELS)[at], expected, rtol=1e-12)


@settings(max_examples=50)
@given(seeds, holes, st.floats(0.1, 100.0), st.sampled_from([0, 1]))
def test_equal_weights_are_no_weights(seed, share, weight, ddof):
    values, _ = sample(seed, share)
    weights = np.full(9, weight)
    np.testing.assert_allclose(stats.mean(values, weights), stats.mean(values), rtol=1e-12)
    np.testing.assert_allclose(
        stats.standard_deviation(values, weights, ddof=ddof), stats.standard_deviation(values, ddof=ddof), atol=1e-12
    )
    np.testing.assert_allclose(
        stats.quantile(values, LEVELS, weights), stats.quantile(values, LEVELS), rtol=1e-9, atol=1e-9
    )


@settings(max_examples=50)
@given(seeds, holes)
def test_a_whole_number_of_weight_is_a_repetition(seed, share):
    values, weights, repeated = whole_numbers(seed, share)
    np.testing.assert_allclose(stats.mean(values, weights), stats.mean(repeated), rtol=1e-12)
    np.testing.assert_allclose(
        stats.standard_deviation(values, weights, ddof=0), stats.standard_deviation(repeated, ddof=0), atol=1e-12
    )


@settings(max_examples=50)
@given(seeds)
def test_the_weighted_variance_has_its_closed_form(seed):
    values, weights = sample(seed, 0.0, (9,))
    v1, v2 = weights.sum(), (weights**2).sum()
    centre = (weights * values).sum() / v1
    expected = np.sqrt((weights * (values - centre) ** 2).sum() / (v1 - v2 / v1))
    np.testing.assert_allclose(stats.standard_deviation(values, weights), expected, rtol=1e-12)


def test_the_weighted_variance_is_unbiased():
    rng = np.random.default_rng(0)
    weights = np.array([5.0, 1.0, 1.0, 0.5])
    squares = stats.standard_deviation(rng.normal(size=(4, 200_000)), weights) ** 2
    assert squares.mean() == pytest.approx(1.0, abs=0.01)


@settings(max_examples=50)
@given(seeds, holes, st.floats(-5, 5), st.floats(0.1, 10))
def test_statistics_move_with_their_values(seed, share, shift, scale):
    values, weights = sample(seed, share)
    moved = shift + scale * values
    close = {"rtol": 1e-9, "atol": 1e-9}
    np.testing.assert_allclose(stats.mean(moved, weights), shift + scale * stats.mean(values, weights), **close)
    np.testing.assert_allclose(
        stats.standard_deviation(moved, weights), scale * stats.standard_deviation(values, weights), **close
    )
    np.testing.assert_allclose(
        stats.quantile(moved, LEVELS, weights), shift + scale * stats.quantile(values, LEVELS, weights), **close
    )


@settings(max_examples=50)
@given(seeds, holes)
def test_quantiles_rise_within_the_values_whatever_the_order(seed, share):
    values, weights = sample(seed, share, (9,))
    found = stats.quantile(values, LEVELS, weights)
    order = np.random.default_rng(seed).permutation(9)
    np.testing.assert_allclose(stats.quantile(values[order], LEVELS, weights[order]), found, rtol=1e-9)
    if np.isfinite(values).any():
        assert (np.diff(found) >= -1e-12).all()
        assert np.nanmin(values) - 1e-12 <= found[0]
        assert found[-1] <= np.nanmax(values) + 1e-12


def test_a_value_without_weight_is_not_there():
    values, weights = np.array([1.0, 2.0, 3.0, 1000.0]), np.array([1.0, 1.0, 1.0, 0.0])
    assert stats.mean(values, weights) == pytest.approx(2.0)
    assert stats.standard_deviation(values, weights) == pytest.approx(1.0)
    np.testing.assert_allclose(stats.quantile(values, [0.0, 0.5, 1.0], weights).ravel(), [1.0, 2.0, 3.0])


def test_an_overwhelming_weight_decides():
    found = stats.quantile([1.0, 5.0, 9.0], [0.05, 0.5, 0.95], [1e-9, 1.0, 1e-9])
    np.testing.assert_allclose(found, 5.0, atol=1e-6)


def test_nothing_gives_nothing():
    values = np.full((3, 2), np.nan)
    for weights in (None, np.ones(3)):
        assert np.isnan(stats.mean(values, weights)).all()
        assert np.isnan(stats.standard_deviation(values, weights)).all()
        assert np.isnan(stats.quantile(values, LEVELS, weights)).all()
    assert stats.count(values).tolist() == [0, 0]
    assert np.isnan(stats.standard_deviation([4.0]))
    assert stats.standard_deviation([4.0], ddof=0) == 0.0


def test_any_axis_may_be_reduced():
    values, _ = sample(0, 0.2, (3, 5, 4))
    weights = np.arange(1.0, 6.0)
    for function in (stats.mean, stats.standard_deviation):
        expected = function(np.moveaxis(values, 1, 0), weights)
        np.testing.assert_array_equal(function(values, weights, axis=1), expected)
    expected = stats.quantile(np.moveaxis(values, 1, 0), LEVELS, weights)
    np.testing.assert_array_equal(stats.quantile(values, LEVELS, weights, axis=1), expected)
    assert stats.quantile(values, LEVELS, axis=1).shape == (len(LEVELS), 3, 4)


@pytest.mark.parametrize("weights", [[1.0, 2.0], [1.0, -1.0, 1.0], [1.0, np.nan, 1.0], [[1.0, 1.0, 1.0]]])
def test_weights_that_are_none_are_refused(weights):
    for function in (stats.mean, stats.standard_deviation):
        with pytest.raises(ValueError, match="weights: expected 3 finite numbers"):
            function([1.0, 2.0, 3.0], weights)


def test_inputs_are_left_alone():
    values, weights = sample(0, 0.3)
    kept = values.copy(), weights.copy()
    stats.mean(values, weights)
    stats.standard_deviation(values, weights)
    stats.quantile(values, LEVELS, weights)
    np.testing.assert_array_equal(values, kept[0])
    np.testing.assert_array_equal(weights, kept[1])
