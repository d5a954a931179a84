"""Baselines have the mean, variance and covariance that they claim, and do not depend on what is asked for beside."""

import numpy as np
import pytest

from spread.emulator import baselines
from spread.emulator.baselines import GAUSSIAN, NEAREST, PATTERN, RESIDUALS, WHITE_NOISE, all_baselines
from spread.emulator.covariance import SHRINKAGE, Covariance, _randomised
from spread.emulator.synthetic import MODEL, SyntheticClimate
from spread.errors import BadModel, NotFound

CLIMATE = SyntheticClimate(lat=4, lon=6, years=30)
TRAIN = CLIMATE.samples(3, 1)
NAMES = [NEAREST, PATTERN, WHITE_NOISE, RESIDUALS, GAUSSIAN]


@pytest.fixture(scope="module")
def fitted():
    return all_baselines(TRAIN)


def asked(steps, warming=None):
    first = TRAIN.where(TRAIN.run == 0)
    heat = first.warming[steps] if warming is None else np.full(len(steps), warming)
    return MODEL, heat, first.day[steps], first.step[steps]


def test_all_are_there_always(fitted):
    assert list(fitted) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_map_does_not_depend_on_what_is_asked_for_beside_it(fitted, name):
    steps = np.arange(40)
    together = fitted[name].sample(*asked(steps), 3, 5)
    assert together.shape == (3, 40, 4, 6)
    assert together.dtype == np.float32
    alone = fitted[name].sample(*asked(steps[17:19]), 2, 5)
    np.testing.assert_allclose(alone, together[:2, 17:19], rtol=1e-6)
    if name != PATTERN:
        assert not np.array_equal(fitted[name].sample(*asked(steps), 3, 6), together)
        assert not np.array_equal(together[0], together[1])


@pytest.mark.parametrize("name", [PATTERN, WHITE_NOISE, RESIDUALS, GAUSSIAN])
def test_the_mean_goes_on_in_proportion_to_warming(fitted, name):
    months = np.arange(12)
    members = 1 if name == PATTERN else 500
    cold, warm = (
        fitted[name].sample(*asked(months, heat), members, 0).mean(axis=0, dtype=float) for heat in (0.0, 3.0)
    )
    rise = (warm - cold) / 3
    for month in months:
        mine = TRAIN.where((TRAIN.step - TRAIN.step[0]) % 12 == month)
        slope = np.polyfit(mine.warming, mine.cells, 1)[0].reshape(4, 6)
        np.testing.assert_allclose(rise[month], slope, atol=1e-3 if name == PATTERN else 0.6)


@pytest.mark.parametrize("name", [WHITE_NOISE, RESIDUALS, GAUSSIAN])
def test_standard_deviations_are_those_of_the_month_whatever_the_warming(fitted, name):
    months = np.arange(12)
    drawn = fitted[name].sample(*asked(months, 9.0), 3000, 0).std(axis=0)
    expected = np.broadcast_to(CLIMATE.deviation[:12], drawn.shape)
    np.testing.assert_allclose(drawn, expected, rtol=0.35)
    assert np.mean(drawn / expected) == pytest.approx(1, abs=0.04)


def test_only_the_covariance_and_the_bootstrap_know_of_neighbours(fitted):
    steps = np.zeros(1, int)
    along = {}
    for name in (WHITE_NOISE, RESIDUALS, GAUSSIAN):
        drawn = fitted[name].sample(*asked(steps), 4000, 0)[:, 0]
        along[name] = np.corrcoef(drawn[:, 1, 2], drawn[:, 1, 3])[0, 1]
    truth = np.corrcoef(CLIMATE.weather(20, 9)[:, :, 1, 2:4].reshape(-1, 2).T)[0, 1]
    assert along[WHITE_NOISE] == pytest.approx(0, abs=0.05)
    assert along[RESIDUALS] == pytest.approx(truth, abs=0.12)
    assert along[GAUSSIAN] == pytest.approx((1 - SHRINKAGE) * truth, abs=0.08)


def test_the_nearest_map_is_of_the_month_and_one_of_those_as_warm(fitted):
    first = TRAIN.where(TRAIN.run == 0)
    drawn = fitted[NEAREST].sample(*asked(np.arange(120, 132)), 50, 0)
    for at, step in enumerate(range(120, 132)):
        for each in drawn[:, at]:
            found = np.flatnonzero((TRAIN.tas == each).all(axis=(1, 2)))
            assert len(found) == 1
            assert TRAIN.day[found[0]] == first.day[step]
            near = np.sort(np.abs(TRAIN.warming[TRAIN.day == first.day[step]] - first.warming[step]))
            assert abs(TRAIN.warming[found[0]] - first.warming[step]) <= near[baselines.NEIGHBOURS - 1] + 1e-12


def test_residuals_are_of_the_season(fitted):
    known = fitted[RESIDUALS].fitted[MODEL]
    drawn = fitted[RESIDUALS].sample(*asked(np.arange(6)), 5, 0).reshape(5, 6, -1)
    _, heat, day, _ = asked(np.arange(6))
    left = drawn - known.mean(heat, day)
    for step in range(6):
        own = known.residuals[known.day == day[step]]
        for each in left[:, step]:
            assert np.abs(own - each).max(axis=1).min() < 1e-3


@pytest.mark.parametrize("modes", [5, 24, 100])
def test_a_truncated_covariance_keeps_every_cell_s_variance(modes):
    maps = np.random.default_rng(0).standard_normal((200, 24)) @ np.random.default_rng(1).standard_normal((24, 24))
    made = Covariance.fit(maps, modes)
    plain = maps.T @ maps / 200
    got = made.patterns.T @ made.patterns + np.diag(made.alone**2)
    np.testing.assert_allclose(np.diag(got), np.diag(plain))
    if modes >= 24:
        np.testing.assert_allclose(got, (1 - SHRINKAGE) * plain + SHRINKAGE * np.diag(np.diag(plain)), atol=1e-10)


def test_draws_have_the_covariance_with_fewer_maps_than_cells():
    maps = np.random.default_rng(2).standard_normal((10, 16))
    made = Covariance.fit(maps)
    drawn = made.draw([np.random.default_rng([3, i]) for i in range(20_000)])
    plain = maps.T @ maps / 10
    expected = (1 - SHRINKAGE) * plain + SHRINKAGE * np.diag(np.diag(plain))
    np.testing.assert_allclose(drawn.T @ drawn / len(drawn), expected, atol=0.06)


def test_the_randomised_search_finds_the_largest_patterns():
    values = np.random.default_rng(4).standard_normal((300, 60)) * 0.8 ** np.arange(60)
    variance, vectors = _randomised(values, 8)
    exact, axes = np.linalg.eigh(values.T @ values / 300)
    np.testing.assert_allclose(variance, exact[::-1][:8], rtol=1e-6)
    np.testing.assert_allclose(np.abs(np.sum(vectors * axes[:, ::-1][:, :8].T, axis=1)), 1, atol=1e-5)


def test_what_cannot_be_is_refused(fitted):
    model, heat, day, step = asked(np.arange(3))
    with pytest.raises(NotFound, match="no model 'synthetik'; did you mean 'synthetic'"):
        fitted[GAUSSIAN].sample("synthetik", heat, day, step, 1, 0)
    with pytest.raises(BadModel, match=r"warming: expected a number.*members: expected one or more, got 0"):
        fitted[GAUSSIAN].sample(model, heat[:2], day, step, 0, 0)
    with pytest.raises(BadModel, match="give more years, seasons or scenarios"):
        all_baselines(TRAIN.where(np.isin((TRAIN.day * 12).astype(int), np.arange(11))))
