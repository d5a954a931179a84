"""Differences of pairs that share their noise: much less variance, the same mean."""

import numpy as np
import pytest
from emulator_worlds import World, gaussian, trained

from spread.emulator.flags import Flag
from spread.emulator.pairs import paired_difference
from spread.errors import BadModel

WORLD = World(years=200, growth=0.4)
HALF = {"first": ("ssp585", 1.5), "second": ("ssp585", 2.0), "day": 0.54}


@pytest.mark.parametrize("of", [gaussian, trained], ids=["gaussian", "trained"])
def test_half_a_kelvin_has_a_hundredth_of_the_variance(of):
    made = paired_difference(of(), "BETA", **HALF, members=300)
    assert made.reduction >= 100
    assert made.global_reduction >= 100
    assert made.flags == 0


def test_the_reduction_of_a_gaussian_emulator_is_the_closed_form():
    """Differences ``(s2 - s1) u`` beside ``s2 u' - s1 u``: variances ``(s2 - s1)^2`` and ``s1^2 + s2^2`` of ``u``'s."""
    emulator = gaussian(WORLD)
    made = paired_difference(emulator, "BETA", ("ssp585", 1.0), ("ssp585", 3.5), 0.54, members=1000)
    season = np.eye(12, dtype=np.float32)[6]
    first, second = (np.asarray(emulator.local[1].scale.deviation(value, season), np.float64) for value in (1.0, 3.5))
    area = WORLD.area.ravel()
    exact = np.sum(area * (first**2 + second**2)) / np.sum(area * (second - first) ** 2)
    assert 4 < exact < 20
    assert made.reduction == pytest.approx(exact, rel=0.1)


@pytest.mark.parametrize("of", [lambda: gaussian(WORLD), trained], ids=["gaussian", "trained"])
def test_the_paired_mean_is_the_unpaired_one(of):
    made = paired_difference(of(), "ALPHA", **HALF, members=400)
    error = np.hypot(made.error, made.unpaired_error)
    z = (made.effect - made.unpaired_effect) / error
    # cells are alike, so that there are few independent ones among 24
    assert np.abs(z).max() < 4
    assert (made.error < 0.2 * made.unpaired_error).all()


def test_the_effect_is_that_of_the_synthetic_world():
    made = paired_difference(gaussian(WORLD), "ALPHA", **HALF, members=400)
    day = np.full(2, 6.5 / 12)
    exact = np.diff(WORLD.mean(0, np.array([1.5, 2.0]), day), axis=0).reshape(4, 6)
    # the pattern's error: 400 maps of the month, warming with a deviation of about 1 K
    deviation = WORLD.deviation(0, np.full(1, 2.0), day[:1]).reshape(4, 6)
    assert (np.abs(made.effect - exact) < 5 * 0.5 * deviation / np.sqrt(400) + 5 * made.error).all()


def test_errors_are_those_of_plain_numpy():
    emulator = trained()
    made = paired_difference(emulator, "BETA", ("ssp126", 1.0), ("ssp585", 2.0), 0.2, members=5, seed=3)

    def maps(scenario, warming, first):
        asked = (np.array([warming]), np.array([0.2]), np.zeros(1, int))
        return emulator.sample("BETA", scenario, *asked, members=5, seed=3, first_member=first).tas[:, 0].astype(float)

    before, after, other = maps("ssp126", 1.0, 0), maps("ssp585", 2.0, 0), maps("ssp585", 2.0, 5)
    np.testing.assert_allclose(made.effect, (after - before).mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(made.error, (after - before).std(axis=0, ddof=1) / np.sqrt(5), rtol=1e-6)
    np.testing.assert_allclose(made.unpaired_effect, (other - before).mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(made.unpaired_error, (other - before).std(axis=0, ddof=1) / np.sqrt(5), rtol=1e-6)


def test_flags_of_both_conditions_are_kept():
    made = paired_difference(trained(), "BETA", ("ssp245", 1.0), ("ssp585", 9.0), 0.2, members=3)
    assert made.flags == Flag.UNKNOWN_SCENARIO | Flag.WARMER


def test_two_pairs_are_too_few():
    with pytest.raises(BadModel, match="paired difference: expected three pairs or more, got 2"):
        paired_difference(trained(), "BETA", **HALF, members=2)
