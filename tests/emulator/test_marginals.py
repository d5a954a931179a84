"""The map of each cell between residuals and normal scores: monotone, invertible, right where the truth is known."""

import equinox as eqx
import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtri
from scipy.stats import expon, norm

from spread.emulator.marginals import LEVELS, Marginals
from spread.emulator.seasons import weights

MONTHS = (np.arange(12) + 0.5) / 12
KNOTS = ndtri(np.asarray(LEVELS))


def fitted(draw, years=600, cells=3, seed=0):
    """A map of residuals that are drawn alike in all months."""
    random = np.random.default_rng(seed)
    residuals = draw(random, (12 * years, cells)).astype(np.float32)
    return Marginals.fit(residuals, np.tile(MONTHS, years)), residuals


@eqx.filter_jit
def _mapped(marginals, scores, season):
    return jax.vmap(lambda row: marginals.residual(row, season))(scores)


def mapped(marginals, scores, season):
    """Residuals of maps of scores that are all of one day."""
    return np.asarray(_mapped(marginals, scores.astype(np.float32), season))


SHAPES = {
    "normal": lambda random, size: random.standard_normal(size),
    "exponential": lambda random, size: random.exponential(size=size) - 1,
    "bounded": lambda random, size: np.maximum(random.standard_normal(size), -0.5),
    "heavy": lambda random, size: random.standard_t(3, size=size) / 3**0.5,
    "two values": lambda random, size: np.sign(random.standard_normal(size)),
    "constant": lambda random, size: np.zeros(size),
}


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(sorted(SHAPES)), st.sampled_from([10, 20, 40]), st.floats(0, 1), st.integers(0, 1000))
def test_the_map_rises_and_its_inverse_is_its_inverse(shape, years, day, seed):
    made, residuals = fitted(SHAPES[shape], years, seed=seed)
    assert (np.diff(np.asarray(made.quantiles), axis=1) > 0).all()
    season = weights(np.array([day]))[0]
    ladder = np.repeat(np.linspace(-6, 6, 61)[:, None], 3, axis=1)
    out = mapped(made, ladder, season)
    assert (np.diff(out, axis=0) > 0).all()
    there = made.scores(residuals.astype(np.float64), np.tile(season, (len(residuals), 1)))
    back = mapped(made, there, season)
    # 1e-5 of the size of residuals; a step that is nearly vertical multiplies the rounding of the scores
    steepest = np.max(np.diff(np.asarray(made.quantiles), axis=1) / np.diff(KNOTS)[:, None])
    assert np.abs(back - residuals).max() < 1e-5 * max(1, steepest)


def test_normal_residuals_are_their_own_scores():
    made, residuals = fitted(SHAPES["normal"], years=400, cells=200)
    kept = np.abs(np.asarray(made.quantiles) - KNOTS[None, :, None])
    assert np.mean(kept.max(axis=1) < 1e-6) > 0.85  # the rule keeps what is beyond twice the mean of chance
    assert np.sqrt(np.mean(kept**2)) < 0.02
    scores = made.scores(residuals, np.tile(weights(MONTHS), (400, 1)))
    assert np.sqrt(np.mean((scores - residuals) ** 2)) < 0.02


def test_quantiles_of_a_skewed_distribution_are_recovered():
    made, residuals = fitted(SHAPES["exponential"], years=1500, cells=2)
    season = weights(MONTHS)[4]
    levels = np.array([0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99])
    found = mapped(made, np.repeat(ndtri(levels)[:, None], 2, axis=1), season)
    exact = expon.ppf(levels)[:, None] - 1
    # 1,800 draws: sd of a quantile sqrt(p (1 - p) / n) / density; and lines between the levels of the map
    error = np.sqrt(levels * (1 - levels) / 1800)[:, None] / expon.pdf(exact + 1)
    assert (np.abs(found - exact) < 4 * error + 0.02).all()
    scores = made.scores(residuals, np.tile(weights(MONTHS), (1500, 1)))
    assert scores.std() == pytest.approx(1, abs=0.04)
    assert np.mean((scores - scores.mean()) ** 3) == pytest.approx(0, abs=0.25)  # that of residuals is 2


def test_a_bound_is_kept():
    """Where sea ice melts: values pile up at the bound, and what is drawn stays near it."""
    made, residuals = fitted(SHAPES["bounded"], years=600, cells=1)
    drawn = mapped(made, np.random.default_rng(1).standard_normal((4000, 1)), weights(MONTHS)[6])
    assert residuals.min() == -0.5
    # 2.15 from the normal quantile, of which chance takes a fiftieth back
    assert drawn.min() > -0.55
    assert np.mean(drawn < -0.47) == pytest.approx(norm.cdf(-0.5), abs=0.05)


def test_tails_go_on_as_straight_as_the_last_two_intervals():
    made, _ = fitted(SHAPES["exponential"], years=100, cells=1)
    season = weights(MONTHS)[0]
    table = np.asarray(made.quantiles)[0, :, 0]
    found = mapped(made, np.array([[-5.0], [-4.0], [4.0], [5.0]]), season)[:, 0]
    low, high = (table[2] - table[0]) / (KNOTS[2] - KNOTS[0]), (table[-1] - table[-3]) / (KNOTS[-1] - KNOTS[-3])
    np.testing.assert_allclose(found[:2], table[0] + low * (np.array([-5, -4]) - KNOTS[0]), rtol=1e-4)
    np.testing.assert_allclose(found[2:], table[-1] + high * (np.array([4, 5]) - KNOTS[-1]), rtol=1e-4)


def test_few_samples_change_nothing():
    made, _ = fitted(SHAPES["exponential"], years=19, cells=2)  # 57 in three months, 60 are needed
    np.testing.assert_allclose(made.quantiles, np.broadcast_to(KNOTS[:, None], (12, 11, 2)), rtol=1e-6)
    more, _ = fitted(SHAPES["exponential"], years=20, cells=2)
    assert np.abs(np.asarray(more.quantiles) - KNOTS[:, None]).max() > 0.5


def test_seasons_have_their_own_shapes():
    random = np.random.default_rng(2)
    day = np.tile(MONTHS, 500)
    winter = np.cos(2 * np.pi * day) > 0.3
    residuals = np.where(winter, random.exponential(size=len(day)) - 1, random.standard_normal(len(day)))[:, None]
    table = np.asarray(Marginals.fit(residuals, day).quantiles)
    assert table[0, 0, 0] == pytest.approx(expon.ppf(LEVELS[0]) - 1, abs=0.05)
    assert table[6, 0, 0] == pytest.approx(KNOTS[0], abs=0.3)


def test_inputs_are_not_modified():
    made, residuals = fitted(SHAPES["heavy"], years=30)
    before = residuals.copy()
    made.scores(residuals, np.tile(weights(MONTHS), (30, 1)))
    np.testing.assert_array_equal(residuals, before)
