"""Members lie side by side by month number; scenarios continue their own historical run."""

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import member, nothing_computes

from spread.calendars import month_number
from spread.ensemble import assemble, join_historical, month_numbers
from spread.errors import NotComparable


def one(ens, **run):
    """One run of an ensemble as {month number: value}, without the months it lacks."""
    values = ens["tas"].sel(run).isel(region=0).values
    numbers = month_numbers(ens)
    return {int(n): float(v) for n, v in zip(numbers, values, strict=True) if np.isfinite(v)}


@settings(deadline=None, max_examples=30)
@given(st.lists(st.sets(st.integers(0, 60), min_size=1), min_size=1, max_size=4), st.booleans())
def test_every_value_lies_at_its_month(months, lazy):
    # a member's value is its month number, so that a shifted month shows
    members = [member(f"M{k}", numbers=12 * 2000 + np.array(sorted(m)), lazy=lazy) for k, m in enumerate(months)]
    ens = assemble(members).compute()
    for k, m in enumerate(months):
        found = one(ens, source_id=f"M{k}", experiment_id="historical", member_id="r1i1p1f1")
        assert found == {24000 + n: 24000.0 + n for n in m}
    numbers = month_numbers(ens)
    assert (np.diff(numbers) == 1).all()
    assert numbers[0] == 24000 + min(map(min, months))
    assert numbers[-1] == 24000 + max(map(max, months))


def test_lazy_members_make_the_same_ensemble_lazily():
    runs = [("A", (2000, 1), 30), ("B", (2001, 5), 24), ("C", (1999, 3), 7)]
    lazy = [member(name, start=start, months=n, lazy=True) for name, start, n in runs]
    with nothing_computes():
        ens = assemble(lazy)
    assert isinstance(ens["tas"].data, da.Array)
    eager = assemble([member(name, start=start, months=n) for name, start, n in runs])
    assert not isinstance(eager["tas"].data, da.Array)
    xr.testing.assert_identical(ens.compute(), eager)


def test_ragged_members_are_present_only_where_they_are():
    ens = assemble([
        member("A", "historical", "r1i1p1f1"),
        member("A", "historical", "r10i1p1f1"),
        member("B", "ssp585", "r2i1p1f2", version="20190909"),
    ])  # fmt: skip
    assert int(ens["present"].sum()) == 3
    assert list(ens["member_id"].values) == ["r1i1p1f1", "r2i1p1f2", "r10i1p1f1"]
    assert bool(ens["present"].sel(source_id="B", experiment_id="ssp585", member_id="r2i1p1f2"))
    assert str(ens["version"].sel(source_id="B", experiment_id="ssp585", member_id="r2i1p1f2").values) == "20190909"
    absent = ens.sel(source_id="A", experiment_id="ssp585", member_id="r1i1p1f1")
    assert not absent["present"]
    assert str(absent["version"].values) == ""
    assert np.isnan(absent["tas"]).all()


def test_regions_keep_their_values():
    values = np.arange(24.0)[:, None] + [0.0, 100.0]
    ens = assemble([member(values=values, regions=("north", "south"))])
    found = ens["tas"].isel(source_id=0, experiment_id=0, member_id=0)
    np.testing.assert_array_equal(found.sel(region="south") - found.sel(region="north"), 100.0)


def test_experiments_keep_the_order_asked_for():
    members = [member(experiment_id=e) for e in ("ssp585", "historical", "ssp126")]
    ens = assemble(members, ["historical", "ssp585", "ssp126", "ssp370"])
    assert list(ens["experiment_id"].values) == ["historical", "ssp585", "ssp126"]


def test_the_order_of_members_changes_nothing():
    members = [member(s, e, m) for s in "BA" for e in ("ssp585", "historical") for m in ("r2i1p1f1", "r1i1p1f1")]
    xr.testing.assert_identical(assemble(members), assemble(members[::-1]))


def test_facts_travel_with_their_run():
    ens = assemble([
        member("A", calendar="360_day", fixes=["one", "two"], missing_periods=["2000-03"]),
        member("B", calendar="standard", synthetic="true"),
    ])  # fmt: skip
    assert ens["calendar"].values.ravel().tolist() == ["360_day", "standard"]
    assert ens["fixes"].values.ravel().tolist() == ["one; two", ""]
    assert ens["missing_periods"].values.ravel().tolist() == ["2000-03", ""]
    assert ens.attrs["synthetic"] == "true"


def test_members_that_differ_are_refused_with_all_differences():
    with pytest.raises(NotComparable) as refused:
        assemble([member("A"), member("B", units="degC", frequency="yr", regions=("land",))])
    for what in ("units", "frequency", "regions"):
        assert what in str(refused.value)
    assert "variable" not in str(refused.value)


def test_no_member_is_refused():
    with pytest.raises(NotComparable):
        assemble([])


def pair(historical_end=(2014, 12), scenario_start=(2015, 1), **kwargs):
    """A historical run of zeros and a scenario of ones, with the values of months alone."""
    months = month_number(*historical_end) - month_number(2010, 1) + 1
    first = month_number(*scenario_start)
    return [
        member("A", "historical", start=(2010, 1), values=np.zeros(int(months)), **kwargs),
        member("A", "ssp585", start=scenario_start, values=np.ones(int(month_number(2019, 12) - first + 1))),
    ]


def joined(members, lazy=False):
    return join_historical(assemble(members), "historical")


def test_a_scenario_continues_its_historical_run():
    found = one(joined(pair()), source_id="A", experiment_id="ssp585", member_id="r1i1p1f1")
    border = int(month_number(2015, 1))
    assert found == {n: float(n >= border) for n in range(int(month_number(2010, 1)), int(month_number(2020, 1)))}


def test_a_historical_run_that_reaches_into_the_scenario_is_cut():
    found = one(joined(pair(historical_end=(2016, 6))), source_id="A", experiment_id="ssp585", member_id="r1i1p1f1")
    assert sum(v == 0.0 for v in found.values()) == 60
    assert sum(v == 1.0 for v in found.values()) == 60


def test_a_historical_run_that_outlives_the_scenario_does_not_continue_it():
    members = [
        member("A", "historical", start=(2010, 1), values=np.zeros(240)),
        member("A", "ssp585", start=(2015, 1), values=np.ones(24)),
    ]
    found = one(joined(members), source_id="A", experiment_id="ssp585", member_id="r1i1p1f1")
    assert max(found) == month_number(2016, 12)
    assert len(found) == 60 + 24


def test_a_gap_between_the_runs_stays_a_gap():
    found = one(joined(pair(historical_end=(2014, 10))), source_id="A", experiment_id="ssp585", member_id="r1i1p1f1")
    assert {int(month_number(2014, 11)), int(month_number(2014, 12))}.isdisjoint(found)
    assert len(found) == 118


def test_a_scenario_without_its_historical_run_stands_alone():
    members = [*pair(), member("B", "ssp585", start=(2015, 1), values=np.ones(60))]
    ens = joined(members)
    found = one(ens, source_id="B", experiment_id="ssp585", member_id="r1i1p1f1")
    assert min(found) == month_number(2015, 1)
    flags = ens["has_historical"].sel(experiment_id="ssp585", member_id="r1i1p1f1")
    assert flags.sel(source_id="A")
    assert not flags.sel(source_id="B")


def test_a_historical_run_without_its_scenario_is_no_scenario():
    ens = joined([*pair(), member("B", "historical", start=(2010, 1), values=np.zeros(60))])
    assert np.isnan(ens["tas"].sel(source_id="B")).all()


def test_a_run_joins_only_to_its_own_member():
    r2 = member("A", "ssp585", "r2i1p1f1", start=(2015, 1), values=np.full(60, 2.0))
    found = one(joined([*pair(), r2]), source_id="A", experiment_id="ssp585", member_id="r2i1p1f1")
    assert set(found.values()) == {2.0}


def test_the_pair_keeps_both_calendars():
    ens = joined(pair(calendar="360_day"))
    assert ens["calendar"].values.ravel().tolist() == ["365_day"]
    assert ens["historical_calendar"].values.ravel().tolist() == ["360_day"]
    assert ens["joined_at"].values.ravel().tolist() == [month_number(2015, 1)]


def test_joining_lazily_or_in_memory_gives_the_same():
    eager = [
        member("A", "historical", start=(2010, 1), months=60),
        member("A", "ssp585", start=(2015, 1), months=60),
        member("B", "ssp585", start=(2016, 1), months=30),
    ]
    lazy = [m.copy(data=da.from_array(m.values, chunks=(12, -1))) for m in eager]
    xr.testing.assert_identical(joined(eager), joined(lazy).compute())


def test_the_ensemble_itself_is_left_alone():
    ens = assemble(pair())
    before = ens.copy(deep=True)
    join_historical(ens, "historical")
    xr.testing.assert_identical(ens, before)
    assert join_historical(ens, None) is ens


def test_a_missing_experiment_to_join_to_is_refused():
    with pytest.raises(NotComparable, match="'historical'"):
        join_historical(assemble([member(experiment_id="ssp585")]), "historical")
