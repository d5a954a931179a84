"""Maps of years from the months of chunks: against plain NumPy, and whatever the chunks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spread.calendars import SEASONS, days_in_month
from spread.operators import SeasonSums, Sparse, apply_weights, continued, joined, season_years
from spread.operators.season_sums import season_days

CALENDARS = ["standard", "365_day", "360_day", "proleptic_gregorian", "366_day", "julian"]


def sparse(dense) -> Sparse:
    used = dense != 0.0
    return Sparse(
        np.concatenate([[0], np.cumsum(used.sum(axis=1))]).astype(np.int64),
        np.nonzero(used)[1].astype(np.int32),
        dense[used],
        dense.shape,
    )


def matrix_of(rng, targets, sources):
    """Rows add up to 1, but for one that is empty."""
    dense = rng.random((targets, sources)) * (rng.random((targets, sources)) < 0.5)
    dense[:, 0] += 0.1
    dense[-1] = 0.0
    total = dense.sum(axis=1, keepdims=True)
    return dense / np.where(total > 0.0, total, 1.0)


def maps_of(field, months, calendar, season, matrix, sizes):
    parts = []
    for piece in np.split(np.arange(len(months)), np.cumsum(sizes)[:-1]):
        when = season_years(months[piece], calendar, season)
        sums = SeasonSums(when, matrix)
        apply_weights(field[piece], np.ones((1, *field.shape[1:])), [sums])
        parts.append((when, sums.close()))
    return joined(parts).complete(season, calendar)


def oracle(field, months, calendar, season, dense, coverage):
    """Every year by itself, in the order of the definition."""
    found = {}
    for year in range(int(months[0]) // 12, int(months[-1]) // 12 + 2):
        wanted = [12 * (year - (season == "DJF" and m == 12)) + m - 1 for m in SEASONS[season]]
        if not set(wanted) <= set(months.tolist()):
            continue
        at = [months.tolist().index(number) for number in wanted]
        days = days_in_month(months[at], calendar)
        cells = field[at].reshape(len(at), -1).astype(np.float64)
        there = np.isfinite(cells)
        sums = dense @ (np.where(there, cells, 0.0) * days[:, None]).sum(axis=0)
        present = dense @ (there * days[:, None]).sum(axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            found[year] = np.where(present >= coverage * days.sum() * (1 - 1e-12), sums / present, np.nan)
        found[year][-1] = np.nan  # nothing maps to it
    return found


@settings(deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    calendar=st.sampled_from(CALENDARS),
    season=st.sampled_from(list(SEASONS)),
    start=st.integers(1850 * 12, 1853 * 12),
    sizes=st.lists(st.integers(1, 17), min_size=1, max_size=5),
    holes=st.sampled_from(["none", "land", "anywhere"]),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_maps_equal_plain_numpy_whatever_the_chunks(seed, calendar, season, start, sizes, holes, dtype):
    rng = np.random.default_rng(seed)
    months = start + np.arange(sum(sizes))
    field = (280.0 + 20.0 * rng.standard_normal((months.size, 3, 4))).astype(dtype)
    if holes == "land":
        field[:, rng.random((3, 4)) < 0.4] = np.nan
    elif holes == "anywhere":
        field[rng.random(field.shape) < 0.2] = np.nan
    dense = matrix_of(rng, 5, 12)
    found = maps_of(field, months, calendar, season, sparse(dense), sizes)
    expected = oracle(field, months, calendar, season, dense, coverage=0.5)
    assert found.years.tolist() == sorted(expected)
    means = found.means(0.5)
    for row, year in enumerate(found.years):
        np.testing.assert_allclose(means[row], expected[year], rtol=1e-13)
        # a map of float32 is the oracle's to the last bit but one
        ulp = np.spacing(np.abs(expected[year]).astype(np.float32))
        off = np.abs(means[row].astype(np.float32) - expected[year].astype(np.float32))
        assert (off <= ulp)[np.isfinite(ulp)].all()


@settings(deadline=None)
@given(seed=st.integers(0, 2**32 - 1), holes=st.booleans())
def test_other_diagnostics_change_no_bit(seed, holes):
    rng = np.random.default_rng(seed)
    months = 1850 * 12 + np.arange(30)
    field = rng.standard_normal((30, 4, 5)).astype(np.float32)
    if holes:
        field[rng.random(field.shape) < 0.3] = np.nan
    matrix, few, many = sparse(matrix_of(rng, 7, 20)), rng.random((1, 4, 5)), rng.random((9, 4, 5))

    def made(weights, seasons):
        sums = [SeasonSums(season_years(months, "standard", s), matrix) for s in seasons]
        applied = apply_weights(field, weights, sums)
        return applied, {s.when.season: s.close() for s in sums}

    alone, maps = made(few, ["annual"])
    _, others = made(many, list(SEASONS))
    without = apply_weights(field, few)
    np.testing.assert_array_equal(maps["annual"], others["annual"])
    np.testing.assert_array_equal(alone.sums, without.sums)
    np.testing.assert_array_equal(alone.present, without.present)


@settings(deadline=None)
@given(seed=st.integers(0, 2**32 - 1), holes=st.booleans())
def test_pieces_of_the_globe_add_up(seed, holes):
    rng = np.random.default_rng(seed)
    months = 1850 * 12 + np.arange(26)
    field = rng.standard_normal((26, 4, 6))
    if holes:
        field[:, rng.random((4, 6)) < 0.5] = np.nan
    dense = matrix_of(rng, 5, 24)
    cells = np.arange(24).reshape(4, 6)
    when = season_years(months, "365_day", "annual")
    whole = SeasonSums(when, sparse(dense))
    apply_weights(field, np.ones((1, 4, 6)), [whole])
    parts = []
    for piece in (slice(0, 2), slice(2, 6)):
        sums = SeasonSums(when, sparse(dense).of_cells(cells[:, piece].ravel()), part=True)
        apply_weights(field[:, :, piece], np.ones((1, 4, piece.stop - piece.start)), [sums])
        parts.append(sums.close())
    assert all(part.shape == (3, 2, 5) for part in parts), "each says what was there"
    together = joined([(when, parts[0] + parts[1])])
    np.testing.assert_allclose(together.means(0.5), joined([(when, whole.close())]).means(0.5), atol=1e-13)


def sums_of(field, months, calendar, season, matrix):
    when = season_years(months, calendar, season)
    sums = SeasonSums(when, matrix)
    apply_weights(field, np.ones((1, *field.shape[1:])), [sums])
    return joined([(when, sums.close())])


@pytest.mark.parametrize("season", list(SEASONS))
@pytest.mark.parametrize("cut", [24, 31], ids=["january", "august"])
@pytest.mark.parametrize("holes", [False, True])
def test_a_run_that_continues_another_is_one_run(season, cut, holes):
    """The winter across the new year, and the year of a run that begins in August, come from both."""
    rng = np.random.default_rng(3)
    months = 1990 * 12 + np.arange(60)
    field = rng.standard_normal((60, 3, 4))
    if holes:
        field[cut:, 0, :2] = np.nan  # only the later run knows the sea
    matrix = sparse(matrix_of(rng, 5, 12))
    whole = sums_of(field, months, "standard", season, matrix).complete(season, "standard")
    before, after = (sums_of(field[part], months[part], "standard", season, matrix)
                     for part in (slice(0, cut), slice(cut, None)))  # fmt: skip
    found = continued(before, after, season, ("standard", "standard"))
    assert found.years.tolist() == whole.years.tolist()
    np.testing.assert_allclose(found.means(0.5), whole.means(0.5), rtol=1e-13)


def test_what_a_historical_run_has_beyond_the_scenario_is_left_out():
    rng = np.random.default_rng(4)
    matrix = sparse(matrix_of(rng, 2, 3))
    months = 1990 * 12 + np.arange(60)
    before = sums_of(np.zeros((60, 1, 3)), months, "standard", "DJF", matrix)
    after = sums_of(np.ones((36, 1, 3)), months[24:], "standard", "DJF", matrix)
    found = continued(before, after, "DJF", ("standard", "standard"))
    assert found.years.tolist() == [1991, 1993, 1994], "a winter with too many days is of neither"
    assert found.means(0.5)[:, 0].tolist() == [0.0, 1.0, 1.0]


def test_a_constant_field_stays_what_it_is():
    rng = np.random.default_rng(1)
    dense = matrix_of(rng, 6, 12)
    months = 1999 * 12 + np.arange(37)
    found = maps_of(np.full((37, 3, 4), 287.5, np.float32), months, "standard", "JJA", sparse(dense), [10, 20, 7])
    np.testing.assert_allclose(found.means(0.5)[:, :-1], 287.5, rtol=1e-15)


def test_a_year_without_a_month_has_no_map():
    months = np.delete(1900 * 12 + np.arange(48), 20)
    rng = np.random.default_rng(2)
    found = maps_of(np.ones((47, 1, 3)), months, "standard", "annual", sparse(matrix_of(rng, 2, 3)), [47])
    assert found.years.tolist() == [1900, 1902, 1903]


@pytest.mark.parametrize(("season", "days"), [("annual", 366), ("DJF", 91), ("JJA", 92), ("SON", 91)])
def test_days_of_a_season_in_a_leap_year(season, days):
    assert season_days(np.array([2000]), season, "standard").tolist() == [days]


def test_yearly_data_have_no_seasons():
    with pytest.raises(ValueError, match="only 'annual'"):
        season_years(np.arange(12, 60, 12), "standard", "JJA", "yr")
    assert season_years(np.arange(12, 60, 12), "standard", "annual", "yr").years.tolist() == [1, 2, 3, 4]


def test_the_months_handed_over_are_left_alone():
    field = np.full((12, 1, 3), np.nan)
    field[:, :, 1:] = 1.0
    before = field.copy()
    when = season_years(1900 * 12 + np.arange(12), "standard", "annual")
    apply_weights(field, np.ones((1, 1, 3)), [SeasonSums(when, sparse(np.full((1, 3), 1 / 3)))])
    np.testing.assert_array_equal(field, before)
