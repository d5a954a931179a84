"""Every step gets the month it stands for, in its own calendar; what cannot be told is refused."""

import cftime
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import calendars
from synthetic import monthly_time, published, row

from spread.conform import conform
from spread.conform.times import breaches_of_order, conform_times, incomplete_months, missing_months
from spread.errors import NotConforming


def timed(stamps, units, calendar="365_day", bounds=None, **attrs) -> xr.Dataset:
    """A dataset of times alone."""
    ds = xr.Dataset(coords={"time": ("time", np.asarray(stamps), {"units": units, "calendar": calendar})})
    if bounds is not None:
        ds["time_bnds"] = (("time", "bnds"), np.asarray(bounds))
        ds["time"].attrs["bounds"] = "time_bnds"
    return ds.assign_attrs({"frequency": "mon", **attrs})


def numbers(ds) -> list[int]:
    return conform_times(ds)[0]["month_number"].values.tolist()


@settings(deadline=None, max_examples=40)
@given(
    calendars,
    st.integers(1, 2500),
    st.integers(1, 12),
    st.sampled_from(["days", "hours", "minutes"]),
    st.sampled_from([(1850, 1, 1), (1, 1, 1), (1583, 1, 1), (2000, 1, 1)]),
    st.sampled_from(["start", "middle", "end"]),
)
def test_months_are_told_in_every_calendar(calendar, year, month, unit, since, stamp):
    units = f"{unit} since {since[0]:04d}-{since[1]:02d}-{since[2]:02d}"
    middle, bounds, _ = monthly_time(calendar, (year, month), 30, units)
    stamps = {"start": bounds[:, 0], "middle": middle, "end": bounds[:, 1]}[stamp]
    ds, _ = conform_times(timed(stamps, units, calendar, bounds if unit == "days" else None))
    first = 12 * year + month - 1
    late = stamp == "end" and unit != "days"  # only bounds can tell a stamp at the end
    assert ds["month_number"].values.tolist() == list(range(first + late, first + 30 + late))
    at = cftime.num2date(stamps[7], units, calendar=calendar)
    assert (ds["time"].values[7].year, ds["time"].values[7].month) == (at.year, at.month)


def test_stamps_at_the_end_belong_to_the_month_before():
    _, bounds, units = monthly_time(months=12)
    ds, fixes = conform_times(timed(bounds[:, 1], units, bounds=bounds))
    assert ds["month_number"].values.tolist() == list(range(24000, 24012))
    assert fixes == ["time: 12 stamps lie outside their month, bounds decide"]


def test_bounds_that_span_no_month_are_not_believed():
    stamps, bounds, units = monthly_time(months=12)
    bounds = np.stack([bounds[:, 0] - 40.0, bounds[:, 0] - 20.0], axis=1)
    ds, fixes = conform_times(timed(stamps, units, bounds=bounds))
    assert ds["month_number"].values.tolist() == list(range(24000, 24012))
    assert fixes == ["time: 12 bounds span 20 days, stamps decide"]


def test_one_faulty_bound_leaves_the_others_in_charge():
    _, bounds, units = monthly_time(months=12)
    stamps = bounds[:, 1].copy()
    stamps[4] -= 10.0
    bounds[4] = bounds[4, 0], bounds[4, 0] + 5.0
    assert numbers(timed(stamps, units, bounds=bounds)) == list(range(24000, 24012))


@pytest.mark.parametrize("spoil", [lambda b: b[:, ::-1], lambda b: b * np.nan, lambda b: b[:, :1]])
def test_bounds_swapped_missing_or_misshapen_do_no_harm(spoil):
    stamps, bounds, units = monthly_time(months=12)
    assert numbers(timed(stamps, units, bounds=spoil(bounds))) == list(range(24000, 24012))


def test_bounds_are_not_part_of_the_result():
    ds = conform(published(), row())
    assert "time_bnds" not in ds.variables
    assert isinstance(ds["time"].values[0], cftime.datetime)


def test_a_repeated_month_is_refused():
    ds = published().isel(time=[0, 1, 2, 2, 3])
    with pytest.raises(NotConforming, match="time: 1 months appear twice, 2000-03 to 2000-03"):
        conform(ds, row())


def test_months_out_of_order_are_refused():
    with pytest.raises(NotConforming, match="time: goes back from 2000-04 to 2000-03"):
        conform(published().isel(time=[0, 1, 3, 2, 4]), row())


def test_a_dataset_without_a_step_is_refused():
    with pytest.raises(NotConforming, match="no step at all"):
        conform(published().isel(time=slice(0, 0)), row())


@pytest.mark.parametrize(
    ("units", "calendar"),
    [
        ("days since 0000-00-00", "365_day"),
        ("days since 0000-00-00", "standard"),
        ("fortnights since 2000-01-01", "365_day"),
        ("days", "365_day"),
        (None, "365_day"),
        ("months since 2000-01-01", "standard"),
        ("days since 2000-01-01", "martian"),
        ("days since 2000-02-30", "365_day"),
    ],
)
def test_a_time_that_cannot_be_decoded_is_refused(units, calendar):
    stamps, _, _ = monthly_time(months=12)
    ds = timed(stamps, units, calendar)
    if units is None:
        del ds["time"].attrs["units"]
    with pytest.raises(ValueError, match="cannot be decoded"):
        conform_times(ds)


def test_a_time_with_holes_is_refused():
    stamps, _, units = monthly_time(months=12)
    stamps[3] = np.nan
    with pytest.raises(ValueError, match="missing"):
        conform_times(timed(stamps, units))


def test_a_dataset_without_time_is_refused():
    with pytest.raises(ValueError, match="time: expected one dimension"):
        conform_times(published().isel(time=0, drop=True))


def test_no_calendar_means_the_standard_one():
    stamps, bounds, units = monthly_time("standard", months=12)
    ds = timed(stamps, units, bounds=bounds)
    del ds["time"].attrs["calendar"]
    ds, fixes = conform_times(ds)
    assert ds.attrs["calendar"] == "standard"
    assert fixes == ["time: no calendar given, standard assumed (CF default)"]


@pytest.mark.parametrize(
    ("given_", "canonical"), [("noleap", "365_day"), ("gregorian", "standard"), ("all_leap", "366_day")]
)
def test_calendars_get_their_one_name(given_, canonical):
    stamps, bounds, units = monthly_time(canonical, months=12)
    assert conform_times(timed(stamps, units, given_, bounds))[0].attrs["calendar"] == canonical


@pytest.mark.parametrize("stamp", [0.0, 182.0, 364.0])
def test_yearly_steps_are_numbered_by_their_year(stamp):
    starts = np.arange(5) * 365.0
    ds, _ = conform_times(timed(starts + stamp, "days since 2000-01-01", frequency="yr"))
    assert ds.attrs["frequency"] == "yr"
    assert ds["month_number"].values.tolist() == [12 * y for y in range(2000, 2005)]


def test_yearly_bounds_decide_for_stamps_at_the_end():
    starts = np.arange(5) * 365.0
    ds = timed(starts + 365.0, "days since 2000-01-01", bounds=np.stack([starts, starts + 365.0], 1), frequency="yr")
    assert numbers(ds) == [12 * y for y in range(2000, 2005)]


def test_frequency_is_told_by_attribute_or_table():
    stamps, _, units = monthly_time(months=12)
    for attrs in ({"frequency": "monC"}, {"frequency": "", "table_id": "Lmon"}):
        assert conform_times(timed(stamps, units, **attrs))[0].attrs["frequency"] == "mon"
    for attrs in ({"frequency": "3hr"}, {"frequency": "fx", "table_id": "fx"}, {"frequency": ""}):
        with pytest.raises(ValueError, match="frequency: expected daily, monthly or yearly"):
            conform_times(timed(stamps, units, **attrs))


def daily(start=0.0, days=59, drop=(), **kwargs):
    stamps = np.delete(start + np.arange(days) + 0.5, list(drop))
    bounds = np.stack([stamps - 0.5, stamps + 0.5], 1)
    return timed(stamps, "days since 2001-01-01", bounds=bounds, frequency="day", **kwargs)


def test_days_are_numbered_in_their_own_calendar():
    import cftime

    for calendar in ("standard", "noleap", "360_day"):
        ds, _ = conform_times(daily(calendar=calendar))
        begin = cftime.date2num(cftime.datetime(2001, 1, 1, calendar=calendar), "days since 0001-01-01", calendar)
        assert ds["day_number"].values.tolist() == list(range(int(begin), int(begin) + 59))
        assert ds.attrs["frequency"] == "day"
        january = 30 if calendar == "360_day" else 31
        assert (ds["month_number"].values == 12 * 2001).sum() == january


def test_a_month_that_lacks_days_is_incomplete_and_one_that_does_not_is_not():
    ds, _ = conform_times(daily(drop=(35,)))
    assert incomplete_months(ds).tolist() == [12 * 2001 + 1]
    assert incomplete_months(conform_times(daily())[0]).tolist() == []


def test_days_that_repeat_or_go_back_are_breaches():
    numbers = conform_times(daily())[0]["day_number"].values
    assert breaches_of_order(numbers, "noleap") == []
    assert breaches_of_order(np.r_[numbers, numbers[-1]], "noleap") == [
        "time: 1 days appear twice, 2001-02-28 to 2001-02-28"
    ]
    assert "goes back from 2001-01-02 to 2001-01-01" in breaches_of_order(numbers[[1, 0]], "noleap")[0]


@settings(deadline=None, max_examples=50)
@given(st.sets(st.integers(0, 100), min_size=1))
def test_missing_months_complete_the_others(there):
    ordered = np.array(sorted(there))
    missing = missing_months(ordered, 1)
    assert set(missing.tolist()) | there == set(range(min(there), max(there) + 1))
    assert set(missing.tolist()).isdisjoint(there)
    assert breaches_of_order(ordered) == []


def test_missing_years_are_counted_in_years():
    assert missing_months(np.array([24000, 24012, 24048]), 12).tolist() == [24024, 24036]


@pytest.mark.parametrize("bounded", [True, False])
@pytest.mark.parametrize(
    ("true", "named", "years", "said"),
    [
        ("360_day", "standard", 10, "looks like 360_day"),
        ("360_day", "365_day", 10, "looks like 360_day"),
        ("365_day", "360_day", 10, "looks like"),
        ("365_day", "standard", 165, "looks like 365_day"),
        ("standard", "365_day", 165, "looks like standard"),
    ],
)
def test_a_calendar_of_another_name_is_refused_and_guessed(true, named, years, said, bounded):
    stamps, bounds, units = monthly_time(true, (1850, 1), 12 * years)
    ds = timed(stamps, units, named, bounds if bounded else None)
    with pytest.raises(ValueError, match="do not lead to the next month") as refused:
        conform_times(ds)
    assert said in str(refused.value)


@pytest.mark.parametrize(("true", "named"), [("365_day", "standard"), ("standard", "proleptic_gregorian")])
def test_a_calendar_of_another_name_that_names_every_month_rightly_does_no_harm(true, named):
    stamps, bounds, units = monthly_time(true, (1950, 1), 12 * 30)
    assert numbers(timed(stamps, units, named, bounds)) == list(range(12 * 1950, 12 * 1980))


def test_gaps_and_repeated_steps_keep_pace_with_the_days():
    stamps, bounds, units = monthly_time("standard", (1950, 1), 60)
    at = [*range(10), *range(11, 20), *range(14, 20), *range(30, 60)]
    found = numbers(timed(stamps[at], units, "standard", bounds[at]))
    assert found == [12 * 1950 + i for i in at]
