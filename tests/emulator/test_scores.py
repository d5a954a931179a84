"""Scores against scoringrules, closed forms and plain loops."""

import time

import numpy as np
import pytest
import scoringrules
from hypothesis import given, settings
from hypothesis import strategies as st

from spread.emulator import scores, tails, variability
from spread.emulator.comparison import Comparison
from spread.emulator.copies import copied_share
from spread.emulator.estimates import block_counts, estimate, jackknife_error
from spread.emulator.evaluation import SCORES, score_all
from spread.errors import BadModel


def comparison(members=5, years=4, grid=(3, 4), seed=0, offset=280.0, warming=False, **changed):
    random = np.random.default_rng(seed)
    steps = 12 * years
    area = random.random(grid) + 0.1
    cycle = offset + 8 * np.cos(2 * np.pi * (np.arange(steps) + 0.5) / 12)[:, None, None]
    parts = {
        "emulated": cycle + random.standard_normal((members, steps, *grid)),
        "truth": cycle + random.standard_normal((steps, *grid)),
        "area": area / area.sum(),
        "day": (np.arange(steps) % 12 + 0.5) / 12,
        "year": 1990 + np.arange(steps) // 12,
        "warming": 0.02 * np.repeat(np.arange(years), 12) if warming else None,
    }
    return Comparison(**parts | changed)


def value(score):
    return score.value(np.arange(score.members), np.ones(score.years, int))


def mean(values, area):
    """Over steps and by area."""
    return (values * area).sum(axis=(1, 2)).mean()


shapes = {"members": st.integers(2, 7), "years": st.integers(1, 3), "seed": st.integers(0, 1000)}


@settings(max_examples=25, deadline=None)
@given(**shapes)
def test_fair_crps_is_that_of_scoringrules(members, years, seed):
    pair = comparison(members, years, seed=seed)
    theirs = scoringrules.crps_ensemble(pair.truth, pair.emulated, m_axis=0, estimator="fair")
    assert value(scores.fair_crps(pair)) == pytest.approx(mean(theirs, pair.area), rel=1e-5, abs=1e-6)


@settings(max_examples=25, deadline=None)
@given(**shapes)
def test_the_energy_score_is_that_of_scoringrules(members, years, seed):
    pair = comparison(members, years, seed=seed)
    root = np.sqrt(pair.area).ravel()
    truth, emulated = (each.reshape(*each.shape[:-2], -1) * root for each in (pair.truth, pair.emulated))
    theirs = scoringrules.es_ensemble(truth, emulated.swapaxes(0, 1), estimator="fair").mean()
    assert value(scores.energy_score(pair)) == pytest.approx(theirs, rel=1e-5, abs=1e-6)


def test_the_variogram_score_is_that_of_scoringrules_over_two_cells_less_the_finite_ensemble():
    pair = comparison(6, 3, (1, 2), area=np.array([[0.5, 0.5]]))
    theirs = scoringrules.vs_ensemble(
        pair.truth.reshape(-1, 2), pair.emulated.reshape(6, -1, 2).swapaxes(0, 1), p=0.5
    )  # over both orders of the one pair
    roots = np.sqrt(np.abs(pair.emulated[..., 0] - pair.emulated[..., 1]))[..., 0]
    fair = theirs.mean() / 2 - (roots.var(axis=0, ddof=1) / 6).mean()
    drawn = value(scores.variogram_score(pair, pairs=4000))
    # half of the pairs are of a cell with itself and score zero
    assert drawn == pytest.approx(fair / 2, rel=0.08)


def test_spread_over_error_by_plain_loops():
    pair = comparison(7, 3)
    spread = error = 0.0
    for step in range(36):
        for row, column in np.ndindex(3, 4):
            x, y, share = pair.emulated[:, step, row, column], pair.truth[step, row, column], pair.area[row, column]
            spread += share * x.var(ddof=1)
            error += share * (x.mean() - y) ** 2
    assert value(scores.spread_skill(pair)) == pytest.approx(np.sqrt(8 / 7 * spread / error), rel=1e-5)


def test_the_fair_crps_of_normal_numbers_is_the_closed_form():
    # E |x - y| - E |x - x'| / 2 of N(0, s) against N(0, 1)
    for deviation in (0.8, 1.0, 1.25):
        random = np.random.default_rng(1)
        pair = comparison(3, 100, (5, 5), emulated=deviation * random.standard_normal((3, 1200, 5, 5)),
                          truth=random.standard_normal((1200, 5, 5)))  # fmt: skip
        exact = np.sqrt(2 / np.pi) * np.sqrt(1 + deviation**2) - deviation / np.sqrt(np.pi)
        found = estimate(scores.fair_crps(pair))
        assert float(found.value) == pytest.approx(exact, abs=5 * float(found.error))


def test_a_single_member_scores_half_of_its_distance():
    pair = comparison(1)
    assert value(scores.fair_crps(pair)) == pytest.approx(mean(np.abs(pair.emulated[0] - pair.truth), pair.area) / 2)
    assert np.isnan(value(scores.spread_skill(pair)))
    assert np.isnan(value(scores.rank_chi2(pair)))


def test_ranks_by_plain_loops():
    pair = comparison(4, 2)
    for run in (-1, 2):
        expected = np.zeros((2, 5))
        everyone = np.concatenate([pair.emulated, pair.truth[None]]).astype(np.float32)
        for step, row, column in np.ndindex(24, 3, 4):
            rank = (everyone[:, step, row, column] < everyone[run, step, row, column]).sum()
            expected[step // 12, rank] += pair.area[row, column] / 12
        np.testing.assert_allclose(scores.rank_counts(pair, run), expected, atol=1e-6)


def test_equal_values_share_their_ranks():
    steps = 1200
    pair = comparison(9, 100, emulated=np.zeros((9, steps, 3, 4)), truth=np.zeros((steps, 3, 4)))
    np.testing.assert_allclose(scores.rank_counts(pair).mean(axis=0), 0.1, atol=0.015)


def test_rank_chi2_sees_a_narrow_ensemble():
    wide = comparison(10, 20)
    narrow = comparison(10, 20, emulated=wide.emulated.mean() + 0.3 * (wide.emulated - wide.emulated.mean()))
    assert value(scores.rank_chi2(wide)) < 3 < 20 < value(scores.rank_chi2(narrow))


def test_the_spectrum_by_plain_loops():
    pair = comparison(2, 3, (3, 6))

    def power(run):
        run = np.asarray(run).reshape(3, 12, 3, 6)
        run = run - run.mean(axis=0)
        share = pair.area.sum(axis=1)
        total = np.zeros(4)
        for year, month, row in np.ndindex(3, 12, 3):
            for k in range(4):
                wave = np.exp(-2j * np.pi * k * np.arange(6) / 6)
                total[k] += share[row] * abs((run[year, month, row] * wave).mean()) ** 2 / 36
        return total

    truth = power(pair.truth)
    expected = (power(pair.emulated[0]) + power(pair.emulated[1])) / 2 / truth
    np.testing.assert_allclose(value(variability.spectrum_ratio(pair)), expected, rtol=2e-4)
    np.testing.assert_allclose(value(variability.spectrum_of_truth(pair)), truth, rtol=2e-4)


def test_anomalies_are_without_the_month_and_the_trend():
    pair = comparison(2, 20, warming=True)
    steps = np.flatnonzero(pair.month == 6)
    of_month = pair.anomalies[:, steps]
    assert np.abs(of_month.mean(axis=1)).max() < 1e-5
    line = pair.warming[steps] - pair.warming[steps].mean()
    assert np.abs(np.einsum("t,rtc->rc", line, of_month)).max() < 1e-5
    plain = np.polynomial.polynomial.polyfit(pair.warming[steps], pair.truth[steps, 1, 2], 1)
    left = pair.truth[steps, 1, 2] - np.polynomial.polynomial.polyval(pair.warming[steps], plain)
    np.testing.assert_allclose(of_month[-1, :, 6], left, atol=1e-5)


def test_deviations_and_memory_by_plain_numpy():
    pair = comparison(3, 5)
    runs = np.concatenate([pair.emulated, pair.truth[None]])
    anomalies = runs.reshape(4, 5, 12, 3, 4) - runs.reshape(4, 5, 12, 3, 4).mean(axis=1, keepdims=True)
    local = anomalies.reshape(4, 60, 3, 4).std(axis=1)
    expected = np.sqrt(((local[:3].mean(axis=0) - local[3]) ** 2 * pair.area).sum())
    assert value(variability.local_deviation(pair)) == pytest.approx(expected, rel=1e-4)
    whole = (anomalies * pair.area).sum(axis=(-1, -2))
    ratio = np.sqrt((whole[:3] ** 2).mean() / (whole[3] ** 2).mean())
    assert value(variability.global_mean_deviation(pair)) == pytest.approx(ratio, rel=1e-4)


def test_memory_of_an_autoregression_is_its_coefficient():
    random = np.random.default_rng(3)

    def run(coefficient, years=400):
        made = np.zeros(12 * years)
        for step in range(1, len(made)):
            made[step] = coefficient * made[step - 1] + random.standard_normal()
        return np.broadcast_to(made[:, None, None], (len(made), 2, 2))

    area = np.full((2, 2), 0.25)
    pair = comparison(3, 400, (2, 2), emulated=np.stack([run(0.7)] * 2 + [run(0.7)]), truth=run(0.3), area=area)
    assert value(variability.global_mean_memory(pair)) == pytest.approx(0.4, abs=0.05)


@pytest.mark.parametrize("late", [-30.0, -3.0, 0.0, 10.0])
def test_the_cycle_is_late_by_so_many_days_and_larger(late):
    day = (np.arange(36) % 12 + 0.5) / 12
    truth = 280 + 10 * np.cos(2 * np.pi * day)[:, None, None] * np.ones((1, 3, 4))
    shifted = 281 + 12 * np.cos(2 * np.pi * (day - late / 365.25))[:, None, None] * np.ones((1, 3, 4))
    pair = comparison(2, 3, emulated=np.stack([shifted, shifted]), truth=truth)
    assert value(variability.cycle_phase(pair)) == pytest.approx(late, abs=1e-3)
    assert value(variability.cycle_amplitude(pair)) == pytest.approx(2, abs=1e-4)


def test_quantiles_are_those_of_numpy():
    pair = comparison(3, 9)
    own = np.quantile(pair.emulated, 0.99, axis=1).mean(axis=0)
    expected = np.sqrt(((own - np.quantile(pair.truth, 0.99, axis=0)) ** 2 * pair.area).sum())
    assert value(tails.quantile_error(pair)) == pytest.approx(expected, rel=1e-4)
    total = 0.0
    for months in ((11, 0, 1), (2, 3, 4), (5, 6, 7), (8, 9, 10)):
        of = np.isin(pair.month, months)
        own = np.quantile(pair.emulated[:, of], 0.99, axis=1).mean(axis=0)
        total += ((own - np.quantile(pair.truth[of], 0.99, axis=0)) ** 2 * pair.area).sum() / 4
    assert value(tails.season_quantile_error(pair)) == pytest.approx(np.sqrt(total), rel=1e-4)


@settings(max_examples=25, deadline=None)
@given(years=st.integers(2, 40), seed=st.integers(0, 1000), level=st.sampled_from([0.9, 0.99, 0.999]))
def test_quantiles_of_resampled_years_are_those_of_the_repeated_steps(years, seed, level):
    random = np.random.default_rng(seed)
    run, year = random.standard_normal((12 * years, 3)).astype(np.float32), np.repeat(np.arange(years), 12)
    counts = np.bincount(random.integers(years, size=years), minlength=years)
    plain = np.quantile(np.repeat(run, counts[year], axis=0).astype(float), level, axis=0)
    np.testing.assert_allclose(tails.SampledTail.of(run, year, level).quantile(counts, level), plain, atol=1e-5)


def test_return_levels_of_known_distributions():
    random = np.random.default_rng(4)
    reduced = -np.log(random.random((200_000, 1)))  # exponential
    exact = -np.log(1 - 1 / 20)
    assert tails.gev(3 - 2 * np.log(reduced), 20)[0] == pytest.approx(3 - 2 * np.log(exact), abs=0.03)  # Gumbel
    shape = 0.2
    assert tails.gev((1 - reduced**shape) / shape, 20)[0] == pytest.approx((1 - exact**shape) / shape, abs=0.01)
    assert tails.gev(np.full((30, 2), 5.0), 20) == pytest.approx(5.0)


def test_the_jackknife_of_a_mean_is_its_standard_error():
    values = np.random.default_rng(5).standard_normal(12)
    without = [np.delete(values, i).mean() for i in range(12)]
    expected = values.std(ddof=1) / np.sqrt(12)
    assert float(jackknife_error(without, np.asarray(values.mean()))) == pytest.approx(expected)


@given(years=st.integers(1, 60), block=st.integers(1, 60), seed=st.integers(0, 100))
def test_every_bootstrap_sample_is_as_long_as_the_record(years, block, seed):
    if block > years:
        with pytest.raises(BadModel, match="blocks of 1 to"):
            block_counts(years, block, 3, seed)
        return
    counts = block_counts(years, block, 3, seed)
    assert counts.shape == (3, years)
    assert (counts.sum(axis=1) == years).all()


def test_the_block_bootstrap_knows_the_error_of_an_autocorrelated_mean():
    # years alike in fives: the error of the mean is that of independent fifths, sqrt(5) times the naive one
    blocks = np.repeat(np.random.default_rng(6).standard_normal(400), 5)
    counts = block_counts(2000, 25, 400)
    assert (counts @ blocks / 2000).std() == pytest.approx(blocks.std() / np.sqrt(400), rel=0.15)


def test_the_member_error_is_that_of_new_draws():
    random = np.random.default_rng(7)
    truth = random.standard_normal((24, 2, 3))
    found, errors = [], []
    for _ in range(150):
        pair = comparison(8, 2, (2, 3), emulated=random.standard_normal((8, 24, 2, 3)), truth=truth,
                          area=np.full((2, 3), 1 / 6))  # fmt: skip
        each = estimate(scores.fair_crps(pair))
        found.append(float(each.value))
        errors.append(float(each.member_error))
    assert np.mean(errors) == pytest.approx(np.std(found), rel=0.2)


def test_copies_are_found_and_new_maps_are_not():
    pair = comparison(3, 4)
    old = np.random.default_rng(8).standard_normal(pair.truth.shape)
    assert copied_share(pair.emulated, pair.day, old, pair.day, pair.area) == 0
    emulated = pair.emulated.copy()
    emulated[1, ::2] = pair.truth[::2] + 1e-5
    assert copied_share(emulated, pair.day, pair.truth, pair.day, pair.area) == pytest.approx(0.5 / 3)


def test_what_does_not_fit_is_refused_all_at_once():
    with pytest.raises(BadModel, match=r"emulated: expected .*area: expected .*year: expected one for each"):
        comparison(emulated=np.zeros((2, 5, 3, 4)), area=np.ones((2, 2)), year=np.arange(5))
    broken, year = comparison().truth.copy(), comparison().year.copy()
    broken[3, 1, 1], year[:2] = np.nan, 1991
    with pytest.raises(BadModel, match=r"truth: 1 values are absent.*the sum 12.*whole years"):
        comparison(truth=broken, area=np.ones((3, 4)), year=year)


def test_daily_runs_may_have_leap_years():
    days = np.array([365, 366, 365, 365])
    random = np.random.default_rng(10)
    pair = comparison(
        3, emulated=random.standard_normal((3, days.sum(), 3, 4)), truth=random.standard_normal((days.sum(), 3, 4)),
        year=np.repeat(np.arange(2003, 2007), days), day=np.concatenate([(np.arange(n) + 0.5) / n for n in days]),
    )  # fmt: skip
    assert pair.in_year.shape == (4, 365)
    assert pair.in_year[2, 0] == 365 + 366
    for each in score_all(pair).values():
        assert np.isfinite(each.value).all()


def test_inputs_are_not_modified_and_scores_do_not_depend_on_the_order_of_steps():
    pair = comparison(4, 12, warming=True)
    before = pair.emulated.copy()
    first = score_all(pair)
    np.testing.assert_array_equal(before, pair.emulated)
    mixed = np.argsort(np.random.default_rng(9).random(12), kind="stable")
    steps = (12 * mixed[:, None] + np.arange(12)).ravel()
    moved = Comparison(pair.emulated[:, steps], pair.truth[steps], pair.area, pair.day[steps], pair.year[steps],
                       pair.warming[steps])  # fmt: skip
    second = score_all(moved)
    assert set(first) == set(SCORES)
    for name in set(first) - {"rank"}:
        np.testing.assert_allclose(second[name].value, first[name].value, rtol=1e-3, atol=1e-5, err_msg=name)
        np.testing.assert_allclose(second[name].time_error, first[name].time_error, rtol=1e-2, atol=1e-5, err_msg=name)


@pytest.mark.slow
def test_all_scores_of_twenty_members_of_a_historical_run_take_seconds():
    pair = comparison(20, 165, (20, 20))
    start = time.process_time()
    score_all(pair)
    assert time.process_time() - start < 5 * 4  # of all cores together, with room for a busy machine
