"""Means over years, seasons and periods, against plain sums over dates of cftime."""

import cftime
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import calendars, months, seeds
from synthetic import member

from spread.calendars import month_number
from spread.ensemble import assemble, join_historical, period_means, yearly_means

RUN = {"source_id": "MODEL", "experiment_id": "historical", "member_id": "r1i1p1f1"}
SEASONS = ("annual", "DJF", "MAM", "JJA", "SON")
MONTHS = {"annual": range(1, 13), "MAM": (3, 4, 5), "JJA": (6, 7, 8), "SON": (9, 10, 11)}


def length(year, month, calendar) -> int:
    first = cftime.datetime(year, month, 1, calendar=calendar)
    after = cftime.datetime(year + month // 12, month % 12 + 1, 1, calendar=calendar)
    return (after - first).days


def dates_of(season, year):
    if season == "DJF":
        return [(year - 1, 12), (year, 1), (year, 2)]
    return [(year, month) for month in MONTHS[season]]


def direct(series: dict, season, year, calendar) -> float:
    """Mean of {(year, month): value}; NaN where a month is not there."""
    dates = dates_of(season, year)
    days = [length(*date, calendar) for date in dates]
    return sum(d * series.get(date, np.nan) for d, date in zip(days, dates, strict=True)) / sum(days)


def run_of(values, start, calendar):
    numbers = month_number(*start) + np.arange(len(values))
    series = {(int(n) // 12, int(n) % 12 + 1): v for n, v in zip(numbers, values, strict=True)}
    return member(values=values, start=start, calendar=calendar), series


@settings(deadline=None, max_examples=40)
@given(calendars, st.integers(2, 2990), months, st.integers(1, 60), seeds)
def test_yearly_means_equal_direct_sums(calendar, year, month, count, seed):
    rng = np.random.default_rng(seed)
    values = rng.normal(285.0, 10.0, count)
    values[rng.random(count) < 0.05] = np.nan
    run, series = run_of(values, (year, month), calendar)
    yearly = yearly_means(assemble([run]), SEASONS)
    found = yearly["tas"].sel(RUN).isel(region=0)
    for season in SEASONS:
        expected = [direct(series, season, int(y), calendar) for y in yearly["year"].values]
        np.testing.assert_allclose(found.sel(season=season), expected, rtol=1e-13)


def test_yearly_means_around_the_reform_of_the_calendar():
    values = np.arange(36.0)
    run, series = run_of(values, (1581, 1), "standard")
    found = yearly_means(assemble([run]), ("annual", "SON"))["tas"].sel(RUN).isel(region=0)
    for season in ("annual", "SON"):
        np.testing.assert_allclose(found.sel(season=season, year=1582), direct(series, season, 1582, "standard"))


def test_a_december_counts_to_the_winter_that_follows():
    values = np.zeros(36)
    values[11] = 90.0  # December 2000
    run, _ = run_of(values, (2000, 1), "360_day")
    winter = yearly_means(assemble([run]), ("DJF",))["tas"].sel(RUN).sel(season="DJF").isel(region=0)
    assert np.isnan(winter.sel(year=2000))
    assert winter.sel(year=2001) == 30.0
    assert winter.sel(year=2002) == 0.0


def test_months_of_a_joined_run_have_the_lengths_of_both_calendars():
    # historical on 360 days to November 2014, scenario on 365 days from December: a winter has 31 + 31 + 28 days
    historical = member(experiment_id="historical", start=(2014, 1), values=np.zeros(11), calendar="360_day")
    scenario = member(experiment_id="ssp585", start=(2014, 12), values=np.ones(13), calendar="365_day")
    ens = join_historical(assemble([historical, scenario]), "historical")
    yearly = yearly_means(ens).sel(experiment_id="ssp585", season="annual").squeeze()
    np.testing.assert_allclose(yearly["tas"].sel(year=2014), 31.0 / (11 * 30 + 31))
    assert yearly["days"].sel(year=2014) == 361.0
    assert yearly["days"].sel(year=2015) == 365.0


@settings(deadline=None, max_examples=30)
@given(calendars, seeds)
def test_period_means_equal_means_over_their_days(calendar, seed):
    values = np.random.default_rng(seed).normal(285.0, 10.0, 144)
    run, series = run_of(values, (1996, 1), calendar)
    found = period_means(yearly_means(assemble([run])), [(1997, 2004)])["tas"].sel(RUN)
    dates = [(y, m) for y in range(1997, 2005) for m in range(1, 13)]
    days = np.array([length(*date, calendar) for date in dates])
    expected = (days * [series[date] for date in dates]).sum() / days.sum()
    np.testing.assert_allclose(found.values.ravel(), [expected], rtol=1e-13)


def test_an_incomplete_year_is_left_out_of_its_period_and_counted():
    values = np.repeat([1.0, 2.0, 6.0], 12)
    values[14] = np.nan
    run, _ = run_of(values, (2000, 1), "360_day")
    found = period_means(yearly_means(assemble([run])), [(2000, 2002), (2010, 2012)]).sel(RUN).sel(season="annual")
    assert found["tas"].sel(period="2000-2002").item() == 3.5
    assert found["years"].sel(period="2000-2002").item() == 2
    assert found["years_expected"].values.tolist() == [3, 3]
    assert np.isnan(found["tas"].sel(period="2010-2012").item())
    assert found["years"].sel(period="2010-2012").item() == 0


def test_one_region_without_values_does_not_empty_the_others():
    values = np.stack([np.full(24, np.nan), np.arange(24.0)], axis=1)
    for frequency, numbers in (("mon", 24000 + np.arange(24)), ("yr", 24000 + 12 * np.arange(24))):
        run = member(values=values, numbers=numbers, regions=("empty", "full"), frequency=frequency)
        yearly = yearly_means(assemble([run]))
        first = int(yearly["year"][0])
        found = period_means(yearly, [(first, first + 1)])["tas"].sel(RUN).squeeze()
        assert np.isnan(found.sel(region="empty"))
        assert np.isfinite(found.sel(region="full"))


def test_yearly_data_pass_through():
    run = member(values=[1.0, 2.0, 4.0], numbers=[12 * 2000, 12 * 2001, 12 * 2003], frequency="yr")
    yearly = yearly_means(assemble([run]))
    np.testing.assert_array_equal(yearly["tas"].squeeze(), [1.0, 2.0, np.nan, 4.0])
    assert yearly["year"].values.tolist() == [2000, 2001, 2002, 2003]
    found = period_means(yearly, [(2000, 2003)])
    assert found["years"].item() == 3
    np.testing.assert_allclose(found["tas"].item(), 7.0 / 3.0)


def test_seasons_of_yearly_data_are_refused():
    run = member(values=[1.0], numbers=[24000], frequency="yr")
    with pytest.raises(ValueError, match="only 'annual'"):
        yearly_means(assemble([run]), ("DJF",))


def test_the_first_winter_of_a_run_is_not_expected_and_a_later_one_is():
    values = np.zeros(60)
    whole, _ = run_of(values, (2000, 1), "360_day")
    counted = period_means(yearly_means(assemble([whole]), ("annual", "DJF")), [(2000, 2004), (2001, 2004)])
    assert counted["years_expected"].sel(season="annual").values.ravel().tolist() == [5, 4]
    assert counted["years_expected"].sel(season="DJF").values.ravel().tolist() == [4, 4]
    assert counted["years"].sel(RUN).sel(season="DJF").values.ravel().tolist() == [4, 4]
    values[23] = np.nan  # December 2001
    holed, _ = run_of(values, (2000, 1), "360_day")
    counted = period_means(yearly_means(assemble([holed]), ("DJF",)), [(2000, 2004)])
    assert counted["years"].item() == 3
    assert counted["years_expected"].item() == 4
