"""CO2 equivalent and pathways: round trips, published forcing, the table that the package carries, flags."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spread.coupled import Forcing, co2_concentration, co2_forcing, co2e, pathway, scenario_forcing, scenarios
from spread.errors import NotFound

SSPS = ("ssp119", "ssp126", "ssp245", "ssp370", "ssp434", "ssp460", "ssp534-over", "ssp585")


@given(st.lists(st.floats(2.0, 9e4), min_size=1, max_size=20).map(np.array))
def test_concentration_to_forcing_and_back(ppm):
    np.testing.assert_allclose(co2_concentration(co2_forcing(ppm)), ppm, rtol=1e-12)


@given(st.floats(-20.0, 30.0))
def test_forcing_to_concentration_and_back(forcing):
    assert abs(co2_forcing(co2_concentration(forcing)) - forcing) < 1e-12 * max(abs(forcing), 1.0)


@given(st.floats(2.0, 9e4), st.floats(1e-6, 1.0))
def test_more_co2_is_more_forcing(ppm, share):
    assert co2_forcing(ppm * (1 + share)) > co2_forcing(ppm)


def test_published_forcing():
    assert co2_forcing(277.15) == 0.0
    assert co2_forcing(2 * 277.15) == pytest.approx(3.93, abs=0.01)  # AR6 WGI section 7.3.2.1
    # AR6 WGI table 7.8: 2.16 W m-2 in 2019 at 409.9 ppm, from 278.3 ppm in 1750, with the same expression
    assert co2_forcing(409.9) - co2_forcing(278.3) == pytest.approx(2.16, abs=0.02)
    assert co2_forcing(2 * 277.15) / co2_forcing(4 * 277.15) == pytest.approx(0.476, abs=0.001)


def test_absent_stays_absent_and_impossible_is_refused():
    assert np.isnan(co2_concentration(np.array([np.nan, 1.0]))).tolist() == [True, False]
    assert np.isnan(co2_forcing(np.array([np.nan, 300.0]))).tolist() == [True, False]
    with pytest.raises(ValueError, match="above 0 ppm"):
        co2_forcing(np.array([300.0, -1.0]))
    with pytest.raises(ValueError, match="no CO2 equivalent"):
        co2_concentration(300.0)


def test_the_carried_table_is_rcmip(shared_data):
    import pandas as pd

    table = pd.read_csv(
        shared_data / "rcmip_ssp_forcing" / "rcmip-radiative-forcing-annual-means-5-1-0-ssp-only.csv.gz"
    )
    years = [str(year) for year in range(1750, 2501)]
    for scenario in SSPS:
        ours, theirs = scenario_forcing(scenario), table[table["Scenario"] == scenario].set_index("Variable")
        for part, name in {
            "total": "", "anthropogenic": "|Anthropogenic", "co2": "|Anthropogenic|CO2",
            "aerosol": "|Anthropogenic|Aerosols", "volcanic": "|Natural|Volcanic", "solar": "|Natural|Solar",
        }.items():  # fmt: skip
            given_ = theirs.loc[f"Effective Radiative Forcing{name}", years].to_numpy(float)
            np.testing.assert_allclose(getattr(ours, part), given_, atol=2.6e-4, err_msg=f"{scenario} {part}")


def test_co2_alone_is_near_the_expression(shared_data):
    """RCMIP has Etminan et al. 2016, Meinshausen et al. 2020 refit it: 2 % where the fit is made, below 1000 ppm."""
    import pandas as pd

    table = pd.read_csv(shared_data / "rcmip_ssp_forcing" / "rcmip-concentrations-annual-means-5-1-0-ssp-only.csv.gz")
    years = np.arange(1850, 2101)
    for scenario in ("ssp126", "ssp370"):
        row = table[(table["Scenario"] == scenario) & table["Variable"].str.endswith("|CO2")].iloc[0]
        ppm = row[[str(year) for year in years]].to_numpy(float)
        np.testing.assert_allclose(co2_forcing(ppm), scenario_forcing(scenario, years).co2, rtol=0.02)


def test_scenarios_share_their_past_and_are_ordered_in_2100():
    assert scenarios() == ("historical", *SSPS)
    past = scenario_forcing("historical")
    assert (past.years[0], past.years[-1]) == (1750, 2014)
    for scenario in SSPS:
        np.testing.assert_array_equal(scenario_forcing(scenario, past.years).total, past.total)
    high = [co2e(scenario, [2100])[0] for scenario in ("ssp119", "ssp126", "ssp245", "ssp370", "ssp585")]
    assert high == sorted(high)
    assert co2e("ssp245", range(1991, 1993), of="total")[1] < co2e("ssp245", range(1991, 1993))[1]  # Pinatubo


@pytest.mark.parametrize(
    ("ask", "error", "words"),
    [
        (lambda: co2e("ssp854"), NotFound, "did you mean 'ssp585'"),
        (lambda: scenario_forcing("historical", range(2010, 2020)), NotFound, "1750-2014, not for 2010-2019"),
        (lambda: scenario_forcing("ssp126", []), NotFound, "no years at all"),
        (lambda: scenario_forcing("ssp126", [2000, 2002]), ValueError, "without a gap"),
        (lambda: co2e("ssp126", of="natural"), ValueError, "not of 'natural'"),
        (lambda: scenario_forcing("ssp126", [2000]).relative_to(1850), ValueError, "1850 is not among"),
        (lambda: Forcing(np.arange(2), *[np.array([0, np.nan])] * 2, *[np.zeros(3)] * 3), ValueError, "aerosol"),
        (lambda: Forcing(np.arange(2), *[np.array([0, np.nan])] * 5), ValueError, "not finite"),
        (lambda: pathway("ssp126", scale=-1, peak=2200, decline=-1), ValueError, "scale.*decline.*peak"),
        (lambda: pathway("ssp126", decline=0.1), ValueError, "needs a peak"),
        (lambda: pathway("ssp126", start=1800), ValueError, "start 1800"),
    ],
)
def test_what_is_not_there_is_refused(ask, error, words):
    with pytest.raises(error, match=words):
        ask()


def test_an_unchanged_pathway_is_the_scenario_to_the_bit():
    same = pathway("ssp370", training=(200.0, 2000.0))
    assert same.flags == ()
    np.testing.assert_array_equal(same.forcing.total, scenario_forcing("ssp370", same.years).total)
    np.testing.assert_array_equal(same.co2e, co2e("ssp370", same.years))


@given(st.sampled_from(SSPS), st.floats(0.0, 2.0), st.integers(2015, 2100), st.floats(0.0, 0.05))
def test_a_pathway_has_the_forcing_of_its_co2_equivalent(scenario, scale, peak, decline):
    changed, own = (
        pathway(scenario, scale=scale, peak=peak, decline=decline),
        scenario_forcing(scenario, range(1850, 2101)),
    )
    np.testing.assert_allclose(co2_forcing(changed.co2e), changed.forcing.anthropogenic, atol=1e-10)
    for agent in ("other", "aerosol", "volcanic", "solar"):
        np.testing.assert_array_equal(getattr(changed.forcing, agent), getattr(own, agent))
    past, after = changed.years <= 2015, changed.years >= peak
    np.testing.assert_array_equal(changed.forcing.co2[past], own.co2[past])
    if changed.co2e[after][0] > 277.15:
        assert (np.diff(changed.co2e[after]) <= 1e-9).all()


def test_half_the_rise_and_a_peak():
    years = np.arange(1850, 2101)
    own, half = co2e("ssp585", years), pathway("ssp585", scale=0.5, peak=2060, decline=0.01)
    at = 2050 - 1850
    assert half.co2e[at] - own[165] == pytest.approx((own[at] - own[165]) / 2)
    assert half.co2e[250] - 277.15 == pytest.approx((half.co2e[210] - 277.15) * np.exp(-0.4))
    assert "leaves ssp585 from 2016" in half.flags[0]


def test_the_range_of_training_is_flagged():
    beyond = pathway("ssp585", training=(277.0, 600.0))
    (flag,) = beyond.flags
    first = beyond.years[(beyond.co2e > 600).argmax()]
    assert f"from {first} " in flag
    assert "277-600 ppm" in flag
    assert len(pathway("ssp585", scale=2.0, training=(277.0, 600.0)).flags) == 2
