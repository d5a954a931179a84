"""Month arithmetic, held against cftime in every calendar."""

import cftime
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import CALENDARS, calendars, months, years

from spread.calendars import (
    ALIASES,
    canonical_calendar,
    days_in_month,
    from_datetime64,
    is_leap,
    label,
    month_number,
    month_of,
    spans,
    to_datetime64,
    year_of,
)

numbers = st.integers(12, 12 * 3001)


def length(year, month, calendar) -> int:
    first = cftime.datetime(year, month, 1, calendar=calendar)
    return (cftime.datetime(year + month // 12, month % 12 + 1, 1, calendar=calendar) - first).days


@settings(deadline=None, max_examples=300)
@given(calendars, years, months)
def test_months_are_as_long_as_in_cftime(calendar, year, month):
    assert days_in_month(month_number(year, month), calendar) == length(year, month, calendar)


@pytest.mark.parametrize("calendar", CALENDARS)
@pytest.mark.parametrize("year", [4, 100, 1500, 1581, 1582, 1583, 1700, 1900, 2000, 2100])
def test_years_that_matter_are_as_long_as_in_cftime(calendar, year):
    found = days_in_month(month_number(year, np.arange(1, 13)), calendar)
    assert found.tolist() == [length(year, month, calendar) for month in range(1, 13)]


def test_the_october_of_the_reform_had_21_days():
    assert days_in_month(month_number(1582, 10), "gregorian") == 21
    assert days_in_month(month_number(1582, 10), "proleptic_gregorian") == 31


@settings(max_examples=100)
@given(calendars.filter(lambda c: c != "360_day"), years)
def test_leap_years_are_those_of_cftime(calendar, year):
    assert is_leap(np.array(year), calendar) == (length(year, 2, calendar) == 29)


@given(years, months)
def test_a_month_number_holds_its_year_and_month(year, month):
    number = month_number(year, month)
    assert (year_of(number), month_of(number)) == (year, month)
    assert label(int(number)) == f"{year:04d}-{month:02d}"
    assert month_number(year + month // 12, month % 12 + 1) == number + 1


@given(st.lists(numbers, min_size=1))
def test_months_survive_datetime64(given_):
    array = np.array(given_)
    dates = to_datetime64(array)
    assert dates.dtype == "datetime64[s]"
    np.testing.assert_array_equal(from_datetime64(dates), array)
    assert str(dates[0])[:7] == label(given_[0])
    assert str(dates[0])[7:] == "-01T00:00:00"


def test_any_moment_of_a_month_has_its_number():
    moments = np.array(["1850-01-31T23:59:59", "0001-02-28", "2999-12-01"], dtype="datetime64[s]")
    assert from_datetime64(moments).tolist() == [12 * 1850, 12 + 1, 12 * 2999 + 11]


@pytest.mark.parametrize(("name", "canonical"), list(ALIASES.items()))
def test_calendars_have_one_name(name, canonical):
    assert canonical_calendar(f" {name.upper()} ") == canonical
    assert canonical_calendar(canonical) == canonical
    # cftime holds the two names for the same
    a, b = (cftime.datetime(2000, 2, 28, calendar=n) for n in (name, canonical))
    assert a.calendar == b.calendar


def test_an_unknown_calendar_is_refused():
    with pytest.raises(ValueError, match="'mayan' is not one of CF's"):
        canonical_calendar("mayan")


def expanded(texts) -> list[int]:
    found = []
    for text in texts:
        ends = [12 * int(t[:4]) + int(t[5:]) - 1 for t in text.split("..")]
        found += range(ends[0], ends[-1] + 1)
    return found


@given(st.sets(st.integers(24000, 24060)))
def test_spans_say_exactly_the_months(given_):
    texts = spans(list(given_))
    assert expanded(texts) == sorted(given_)
    # no two spans touch
    assert len(texts) == sum(n - 1 not in given_ for n in given_)


def test_spans_in_words():
    assert spans([24002, 24000, 24001, 24011, 24001]) == ["2000-01..2000-03", "2000-12"]
    assert spans([]) == []
