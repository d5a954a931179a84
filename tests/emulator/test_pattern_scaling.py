"""Pattern scaling against least squares of NumPy."""

import numpy as np
import pytest
from emulator_worlds import World

from spread.emulator.pattern_scaling import DAILY_HARMONICS, MONTHLY_HARMONICS, PatternScaling, basis
from spread.errors import BadModel


def drawn(years=30, steps=12, seed=0):
    random = np.random.default_rng(seed)
    day = np.tile((np.arange(steps) + 0.5) / steps, years)
    warming = np.repeat(np.linspace(0, 3, years), steps) + 0.1 * random.standard_normal(len(day))
    return random.normal(280, 5, (len(day), 7)).astype(np.float32), warming, day


@pytest.mark.parametrize(("steps", "harmonics"), [(12, MONTHLY_HARMONICS), (73, DAILY_HARMONICS)])
def test_coefficients_are_those_of_least_squares(steps, harmonics):
    tas, warming, day = drawn(60, steps)
    before = tas.copy()
    made = PatternScaling.fit(tas, warming, day, harmonics)
    of_year = basis(day, harmonics)
    design = np.concatenate([of_year, of_year * warming[:, None]], axis=1)
    exact, *_ = np.linalg.lstsq(design, tas.astype(np.float64), rcond=None)
    np.testing.assert_allclose(made.mean, exact[: of_year.shape[1]], atol=2e-5)
    np.testing.assert_allclose(made.pattern, exact[of_year.shape[1] :], atol=2e-5)
    np.testing.assert_array_equal(tas, before)


def test_the_basis_is_that_of_fourier():
    day = np.array([0.0, 0.1, 0.77])
    made = basis(day, 2)
    angle = 2 * np.pi * day
    exact = np.stack([np.ones(3), np.cos(angle), np.cos(2 * angle), np.sin(angle), np.sin(2 * angle)], axis=1)
    np.testing.assert_allclose(made, exact, atol=1e-15)
    assert basis(day, MONTHLY_HARMONICS).shape == (3, 12)


def test_six_harmonics_go_through_any_twelve_months():
    random = np.random.default_rng(1)
    cycle, pattern = random.normal(280, 15, (12, 5)), random.normal(1, 0.5, (12, 5))
    month, warming = np.tile(np.arange(12), 20), np.repeat(np.linspace(0, 3, 20), 12)
    day = (month + 0.5) / 12
    made = PatternScaling.fit(cycle[month] + pattern[month] * warming[:, None], warming, day, MONTHLY_HARMONICS)
    of_year = basis((np.arange(12) + 0.5) / 12, MONTHLY_HARMONICS)
    for number in range(12):
        np.testing.assert_allclose(made.response(0.0, of_year[number]), cycle[number], atol=2e-4)
        np.testing.assert_allclose(made.response(5.0, of_year[number]), cycle[number] + 5 * pattern[number], atol=5e-4)


def test_the_mean_of_a_synthetic_world_is_recovered():
    world = World(models=("ALPHA",), years=200)
    samples = world.samples()
    made = PatternScaling.fit(samples.cells, samples.warming, samples.day, MONTHLY_HARMONICS)
    day = (np.arange(12) + 0.5) / 12
    found = np.array([made.response(2.0, row) for row in basis(day, MONTHLY_HARMONICS)])
    exact, deviation = world.mean(0, np.full(12, 2.0), day), world.deviation(0, np.full(12, 2.0), day)
    # 400 years a month, and 2.0 K is near their mean
    assert np.abs(found - exact).max() < 5 * deviation.max() / np.sqrt(400)


def test_what_does_not_vary_tells_nothing():
    tas, warming, day = drawn()
    with pytest.raises(BadModel):
        PatternScaling.fit(tas, np.ones(len(day)), day, MONTHLY_HARMONICS)
    with pytest.raises(BadModel):
        PatternScaling.fit(tas, warming, np.full(len(day), 0.5), MONTHLY_HARMONICS)
