"""A scenario that does not continue its historical run is left out, with the reason; one that does stays as it is."""

import numpy as np
import pytest
import xarray as xr
from synthetic import member

from spread.calendars import month_number
from spread.ensemble.seams import sound_seams

START, SEAM = month_number(1950, 1), month_number(2015, 1)


def judged(seed=0):
    """A member with the mean over its domain: seasons of 1.9 K, weather, and a century of warming."""

    def series(experiment_id, numbers, offset=0.0, shift=0, **facets):
        rng = np.random.default_rng([seed, int(numbers[0])])
        month = numbers + shift
        mean = 287.0 - 1.9 * np.cos(2 * np.pi * (month % 12) / 12.0) + 0.03 * (month - START) / 12.0
        mean = mean + rng.normal(0.0, 0.1, numbers.size) + offset
        made = member(experiment_id=experiment_id, numbers=numbers, values=mean, **facets)
        return made.assign_coords(domain_mean=("time", mean))

    return series


def pair(end=SEAM, begin=SEAM, **scenario):
    series = judged()
    return series("historical", np.arange(START, end)), series("ssp585", np.arange(begin, SEAM + 1032), **scenario)


@pytest.mark.parametrize("end", [SEAM, SEAM + 24])  # some historical runs go on beside the scenario
def test_a_scenario_that_continues_its_run_stays_as_it_is(end):
    members = pair(end=end)
    kept, failures = sound_seams(members, "historical", gaps=False)
    assert failures == []
    for before, after in zip(members, kept, strict=True):
        xr.testing.assert_identical(before, after)


@pytest.mark.parametrize("offset", [-5.0, 3.0])
def test_a_wrong_restart_shows_at_the_seam(offset):
    kept, (failure,) = sound_seams(pair(offset=offset), "historical", gaps=True)
    assert [m.attrs["experiment_id"] for m in kept] == ["historical"]
    assert failure.dataset == "MODEL.ssp585.r1i1p1f1.tas"
    assert "joined to its historical run" in failure.reason
    assert "2015" in failure.reason or "2014" in failure.reason
    assert failure.facets["experiment_id"] == "ssp585"


def test_months_named_wrongly_from_the_seam_on_are_told():
    _, (failure,) = sound_seams(pair(shift=-1), "historical", gaps=True)
    assert "seasons shift by" in failure.reason


@pytest.mark.parametrize(("late", "said"), [(1, "2015-01"), (12, "2015-01..2015-12")])
def test_months_between_the_runs_are_refused_or_listed(late, said):
    members = pair(begin=SEAM + late)
    _, (failure,) = sound_seams(members, "historical", gaps=False)
    assert f"its historical run ends 2014-12: {late} missing" in failure.reason
    kept, failures = sound_seams(members, "historical", gaps=True)
    assert failures == []
    assert kept[1].attrs["missing_periods"] == [said]
    assert members[1].attrs["missing_periods"] == []  # the input is as it was


def test_only_the_run_of_the_same_model_and_member_counts():
    series = judged()
    past = series("historical", np.arange(START, SEAM))
    others = [
        series("ssp585", np.arange(SEAM + 12, SEAM + 600), offset=-5.0, source_id="OTHER"),
        series("ssp585", np.arange(SEAM + 12, SEAM + 600), offset=-5.0, member_id="r2i1p1f1"),
    ]
    assert sound_seams([past, *others], "historical", gaps=False) == ([past, *others], [])
    assert sound_seams([past, *others], None, gaps=False)[1] == []


def test_without_means_over_the_domain_only_the_months_are_judged():
    members = [m.drop_vars("domain_mean") for m in pair(offset=-5.0)]
    assert sound_seams(members, "historical", gaps=False)[1] == []
