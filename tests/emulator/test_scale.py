"""Variability against known log-linear variances and a gamma regression by Newton's method in plain NumPy."""

import numpy as np
import pytest
from emulator_worlds import World

from spread.emulator.scale import Scale
from spread.emulator.seasons import weights

MONTHS = (np.arange(12) + 0.5) / 12


def data(years=400, level=0.3, slope=0.4, cells=5, levels=0, seed=0):
    """Residuals of a known variance at the middles of months; warming in so many levels, or without any."""
    random = np.random.default_rng(seed)
    day = np.tile(MONTHS, years)
    warming = np.repeat(random.uniform(0, 4, years), 12)
    if levels:
        warming = np.round(warming * levels / 4) * 4 / levels
    of_month = level + np.cos(2 * np.pi * day)
    deviation = np.exp(0.5 * (of_month + slope * warming))
    return deviation[:, None] * random.standard_normal((12 * years, cells)), warming, day


def newton(square, warming):
    """Maximum likelihood of a gamma distribution with the mean ``exp(a + b G)``, by Newton's method."""
    design = np.stack([np.ones_like(warming), warming], axis=1)
    found = np.array([np.log(square.mean()), 0.0])
    for _ in range(100):
        ratio = square / np.exp(design @ found)
        step = np.linalg.solve((design * ratio[:, None]).T @ design, design.T @ (ratio - 1))
        found = found + step
        if np.abs(step).max() < 1e-13:
            return found
    raise AssertionError("Newton's method did not end")


def test_a_known_variance_is_recovered():
    made = Scale.fit(*data(years=4000, slope=0.4))
    exact = np.repeat(0.3 + np.cos(2 * np.pi * MONTHS)[:, None], 5, axis=1)
    # sd of a slope: sqrt(2 / years) / sd of warming = 0.019
    assert np.abs(np.asarray(made.slope) - 0.4).max() < 5 * 0.019
    assert np.asarray(made.slope).mean() == pytest.approx(0.4, abs=5 * 0.019 / np.sqrt(60))
    assert np.abs(np.asarray(made.level) - exact).max() < 5 * 0.044


def test_groups_of_equal_warming_give_the_regression_of_single_samples():
    residuals, warming, day = data(years=300, levels=12)
    made = Scale.fit(residuals, warming, day)
    smallest = 1e-6 * np.mean(residuals**2)
    for month in (0, 5, 11):
        mine = np.arange(month, len(day), 12)
        given, centred = warming[mine], warming[mine] - warming[mine].mean()
        for cell in range(5):
            level, slope = newton(residuals[mine, cell] ** 2 + smallest, given)
            # positive-part rule: 1.5 times the chance variance of a slope, 2 / (n var G)
            kept = max(1 - 1.5 * 2 / (len(mine) * np.mean(centred**2)) / slope**2, 0)
            middle = level + slope * given.mean()
            assert made.slope[month, cell] == pytest.approx(kept * slope, abs=1e-6)
            assert made.level[month, cell] == pytest.approx(middle - kept * slope * given.mean(), abs=1e-6)


def test_groups_of_like_warming_give_nearly_that():
    residuals, warming, day = data(years=600, slope=0.5)
    made = Scale.fit(residuals, warming, day)
    for month in (2, 8):
        mine = np.arange(month, len(day), 12)
        for cell in range(5):
            level, slope = newton(residuals[mine, cell] ** 2, warming[mine])
            kept = 1 - 3 / (len(mine) * np.var(warming[mine])) / slope**2
            assert made.slope[month, cell] == pytest.approx(kept * slope, abs=0.012)
            assert made.level[month, cell] + 2 * made.slope[month, cell] == pytest.approx(level + 2 * slope, abs=0.012)


def test_a_change_within_chance_is_none():
    made = Scale.fit(*data(years=300, slope=0.0, cells=400))
    slope = np.asarray(made.slope)
    chance = np.sqrt(2 / 300) / np.sqrt(16 / 12)
    assert np.mean(slope == 0) > 0.7  # |z| < sqrt(1.5) has probability 0.78
    assert np.sqrt(np.mean(slope**2)) < 0.5 * chance


def test_without_warming_there_is_a_level_and_no_slope():
    residuals, _, day = data(years=100, slope=0.0)
    made = Scale.fit(residuals, np.full(len(day), 1.2), day)
    assert not np.asarray(made.slope).any()
    plain = np.log(np.mean(residuals.reshape(100, 12, -1) ** 2, axis=0))
    np.testing.assert_allclose(made.level, plain, atol=1e-4)


def test_a_cell_that_never_varies_stays_finite():
    residuals, warming, day = data(years=50)
    residuals[:, 2] = 0
    made = Scale.fit(residuals, warming, day)
    assert np.isfinite(made.level).all()
    assert np.isfinite(made.slope).all()
    assert made.deviation(1.0, weights(day[:1])[0])[2] < 1e-2


def test_days_between_months_count_for_both():
    """Daily residuals whose logarithmic variance is a line between two knots give that line."""
    random = np.random.default_rng(1)
    day = np.tile((np.arange(360) + 0.5) / 360, 200)
    season = weights(day)
    exact = np.cos(2 * np.pi * MONTHS)
    residuals = np.exp(0.5 * season @ exact)[:, None] * random.standard_normal((len(day), 2))
    made = Scale.fit(residuals.astype(np.float32), np.zeros(len(day)), day)
    # a window of two months sees the curvature of the cycle, at most 0.27 * (1/12 of it) here
    assert np.abs(np.asarray(made.level) - exact[:, None]).max() < 0.06


def test_the_deviation_of_a_day_is_interpolated_in_logarithms():
    made = Scale.fit(*data())
    season = weights(np.array([0.3]))[0]
    exact = np.exp(0.5 * (season @ np.asarray(made.level) + 2.5 * season @ np.asarray(made.slope)))
    np.testing.assert_allclose(made.deviation(2.5, season), exact, rtol=1e-5)


def test_the_variance_of_a_synthetic_world_is_recovered():
    world = World(models=("ALPHA",), years=200, runs=2, growth=0.4)
    samples = world.samples()
    residuals = samples.cells - world.mean(0, samples.warming, samples.day)
    made = Scale.fit(residuals, samples.warming, samples.day)
    for warming in (1.0, 3.0):
        exact = world.deviation(0, np.full(12, warming), MONTHS)
        found = np.array([made.deviation(warming, row) for row in weights(MONTHS)])
        leverage = 1 + (warming - samples.warming.mean()) ** 2 / samples.warming.var()
        error = 0.5 * np.sqrt(2 / 800 * leverage)  # of the logarithm, from 800 maps a month
        assert np.sqrt(np.mean(np.log(found / exact) ** 2)) == pytest.approx(error, rel=0.3)
