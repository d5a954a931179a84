"""Forced warming at the times of maps against the annual energy balance."""

from dataclasses import replace

import numpy as np
import pytest
from emulator_worlds import gaussian

from spread.coupled import cummins, forced_response, forced_warming, scenario_forcing
from spread.coupled.fitted import PARAMETERS
from spread.emulator.forced import response_from, warming_at
from spread.errors import NotFound

RESPONSE = forced_response(cummins("CanESM5"))
ESTIMATE = (0.0, 1.5, 2.5, 4.0, 0.5, 0.0, 0.1, 2.0, 0.0, 0.0, 0.0, 0.0)


def annual(scenario, last=2101):
    forcing = scenario_forcing(scenario, np.arange(1850, last + 1))
    return forcing.years, forced_warming(RESPONSE, forcing)


def at(scenario, year, day, response=RESPONSE):
    return warming_at(response, scenario, np.atleast_1d(year), np.atleast_1d(day))


def test_the_middle_of_a_year_is_the_year():
    years, exact = annual("ssp245")
    np.testing.assert_allclose(at("ssp245", years[:-1], np.full(len(years) - 1, 0.5)), exact[:-1], atol=1e-12)


@pytest.mark.parametrize("scenario", ["historical", "ssp126", "ssp585"])
def test_it_is_straight_between_the_middles_of_years(scenario):
    years, exact = annual(scenario, 2014 if scenario == "historical" else 2101)
    of = dict(zip(years.tolist(), exact.tolist(), strict=True))
    assert at(scenario, 1990, 0.75)[0] == pytest.approx(0.75 * of[1990] + 0.25 * of[1991], abs=1e-12)
    assert at(scenario, 1990, 0.25)[0] == pytest.approx(0.25 * of[1989] + 0.75 * of[1990], abs=1e-12)


def test_the_end_of_the_last_year_does_not_depend_on_what_else_is_asked_for():
    """December of 2100 lies between the middles of 2100 and 2101, alone as well as in a run to 2100."""
    alone = at("ssp585", 2050, 0.96)
    among = at("ssp585", np.arange(2015, 2101), np.full(86, 0.96))[35]
    np.testing.assert_array_equal(alone, among)
    of = dict(zip(*(each.tolist() for each in annual("ssp585", 2101)), strict=True))
    assert at("ssp585", 2100, 0.96)[0] == pytest.approx(0.54 * of[2100] + 0.46 * of[2101], abs=1e-12)


def test_a_run_of_old_years_has_the_same_base():
    """Warming is relative to 1850-1900, also where nothing later is asked for."""
    assert at("historical", 1860, 0.5)[0] == pytest.approx(annual("historical", 2014)[1][10], abs=1e-12)
    assert np.mean(at("historical", np.arange(1850, 1901), np.full(51, 0.5))) == pytest.approx(0, abs=1e-9)


def test_a_forcing_may_be_given_itself():
    years = np.arange(1850, 2101)
    forcing = scenario_forcing("ssp245", years)
    np.testing.assert_allclose(
        warming_at(RESPONSE, forcing, years, np.full(len(years), 0.5)),
        at("ssp245", years, np.full(len(years), 0.5)),
        atol=1e-12,
    )


def test_an_unknown_scenario_names_the_near_one():
    with pytest.raises(NotFound, match=r"forcing of experiment 'ssp586' is not there; .*ssp585"):
        at("ssp586", 2050, 0.5)


def test_an_emulator_with_energy_balances_gives_their_warming():
    emulator = gaussian()
    assert len(ESTIMATE) == len(PARAMETERS)
    facts = replace(emulator.facts, estimates=(ESTIMATE, tuple(value + 0.1 for value in ESTIMATE)))
    emulator = replace(emulator, facts=facts)
    year, day = np.array([2040, 2041]), np.array([0.1, 0.9])
    exact = warming_at(response_from(facts.estimates[1]), "ssp245", year, day)
    np.testing.assert_array_equal(emulator.warming("BETA", "ssp245", year, day), exact)
    assert (exact != emulator.warming("ALPHA", "ssp245", year, day)).all()
    with pytest.raises(NotFound, match="it knows no model 'GAMMA'"):
        emulator.warming("GAMMA", "ssp245", year, day)
