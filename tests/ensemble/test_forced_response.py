"""Forced responses against polynomials, np.polyfit and plain loops."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import seeds

from spread.ensemble.partition.forced_response import patterns, smoothed, smoother
from spread.errors import BadStudy

YEARS = np.arange(1950, 2100)


def series(seed, shape=(3, 2), years=YEARS):
    values = np.random.default_rng(seed).normal(14.0, 1.0, (*shape, years.size))
    return xr.DataArray(values, dims=("source_id", "region", "year"), coords={"year": years})


@given(seeds, st.integers(0, 4))
def test_a_polynomial_up_to_the_order_is_its_own_forced_response(seed, degree):
    coefficients = np.random.default_rng(seed).normal(0, 1, degree + 1)
    values = 288.0 + np.polyval(coefficients, (YEARS - 2025) / 75)
    np.testing.assert_allclose(smoother(YEARS, "polynomial", 4) @ values, values, rtol=1e-12)


@settings(max_examples=30)
@given(seeds, st.integers(1, 6))
def test_a_polynomial_fit_is_that_of_numpy(seed, order):
    values = series(seed, (1, 1)).values[0, 0]
    expected = np.polynomial.Polynomial.fit(YEARS, values, order)(YEARS)
    np.testing.assert_allclose(smoother(YEARS, "polynomial", order) @ values, expected, rtol=1e-10)


def test_residuals_of_a_fit_are_orthogonal_to_it():
    matrix = smoother(YEARS)
    np.testing.assert_allclose(matrix @ matrix, matrix, atol=1e-12)
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-12)
    assert np.trace(matrix) == pytest.approx(5.0)


@settings(max_examples=20)
@given(seeds, st.integers(0, 2), st.sampled_from([9, 20, 41]), st.booleans())
def test_loess_is_a_weighted_fit_around_each_year(seed, order, window, gaps):
    rng = np.random.default_rng(seed)
    years = np.sort(rng.choice(YEARS, 90, replace=False)) if gaps else YEARS
    values = rng.normal(0, 1, years.size)
    found = smoother(years, "loess", order, window) @ values
    for place in rng.choice(years.size, 8, replace=False):
        distance = np.abs(years - years[place]).astype(float)
        near = np.argsort(distance, kind="stable")[:window]
        weight = (1 - (distance[near] / distance[near].max()) ** 3) ** 3
        # np.polyfit squares its weights
        fit = np.polyfit(years[near] - years[place], values[near], order, w=np.sqrt(weight))
        np.testing.assert_allclose(found[place], fit[-1], rtol=1e-8, atol=1e-10)


@given(seeds, st.integers(1, 21))
def test_a_running_mean_is_a_mean_of_its_window(seed, window):
    values = series(seed, (1, 1)).values[0, 0]
    found = smoothed(series(seed, (1, 1)), "running_mean", window=window).values[0, 0]
    expected = np.full(values.size, np.nan)
    for place in range(values.size):
        first = place - window // 2
        if first >= 0 and first + window <= values.size:
            expected[place] = values[first : first + window].mean()
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_each_series_is_fitted_over_the_years_that_it_has():
    data = series(3)
    data[0, 0, 100:] = np.nan
    data[0, 1, [3, 70]] = np.nan
    data[1, 0] = np.nan
    before = data.copy(deep=True)
    found = smoothed(data)
    xr.testing.assert_identical(data, before)
    np.testing.assert_array_equal(found.isnull(), data.isnull())
    for at in np.ndindex(3, 2):
        there = np.isfinite(data.values[at])
        if there.any():
            fit = np.polynomial.Polynomial.fit(YEARS[there], data.values[at][there], 4)
            np.testing.assert_allclose(found.values[at][there], fit(YEARS[there]), rtol=1e-9)


def test_patterns_cover_every_series_that_has_years_once():
    there = np.array([[1, 1, 1], [1, 0, 1], [0, 0, 0], [1, 0, 1], [1, 1, 1], [0, 0, 1]], dtype=bool)
    found = {tuple(years): np.flatnonzero(rows).tolist() for years, rows in patterns(there)}
    assert found == {(True, True, True): [0, 4], (True, False, True): [1, 3], (False, False, True): [5]}


@pytest.mark.parametrize(("fit", "least"), [("polynomial", 5), ("loess", 41), ("running_mean", 41)])
def test_too_few_years_are_refused(fit, least):
    with pytest.raises(BadStudy, match=f"{fit}: expected at least {least} years, got 4"):
        smoother(np.arange(4), fit)
