"""The partition of variance, against closed forms, plain loops, published shares and what must not matter."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from partitions import SCENARIOS, YEARS, ensemble, hawkins_sutton_in_loops, random_ensemble
from strategies import seeds

from spread.ensemble import PARTITION_DEFINITIONS, PartitionDefinition, hawkins_sutton
from spread.ensemble.partition import smoother
from spread.ensemble.partition.sources import squared_units
from spread.errors import BadStudy, NotComparable

HS09 = PARTITION_DEFINITIONS["HS09"]
LEHNER = PARTITION_DEFINITIONS["Lehner2020"]
BASE = (YEARS >= 1971) & (YEARS <= 2000)


def by_source(result, **at):
    return {str(name): result["variance"].sel(source=name, **at).values for name in result["source"].values}


def known(seed, noise=0.3, models=6):
    """A balanced ensemble: response (a_m + b_s) p(t) with p a polynomial, and noise orthogonal to all polynomials."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(2.0, 0.8, models), rng.normal(0.0, 1.5, 4)
    x = (YEARS - 2025) / 75
    p = x**4 - 0.3 * x**2 + x
    p = p - p[BASE].mean()
    q, _ = np.linalg.qr(np.vander(x, 6, increasing=True))
    orthogonal = q[:, 5]  # to all polynomials of degree 0 to 4
    size = noise * rng.uniform(0.5, 1.5, models)
    values = 280 + (a[:, None, None] + b[None, :, None]) * p + (size[:, None] * orthogonal)[:, None, :]
    return ensemble(values + rng.normal(0, 5, (models, 4, 1))), a, b, p, size, orthogonal


@pytest.mark.parametrize("seed", range(5))
def test_known_variances_come_back(seed):
    data, a, b, p, size, orthogonal = known(seed)
    how = replace(HS09, internal_window=1, internal_from=None)
    found = hawkins_sutton(data, how)
    np.testing.assert_allclose(by_source(found)["model"], a.var() * p**2, rtol=1e-7, atol=1e-10)
    np.testing.assert_allclose(by_source(found)["scenario"], b.var() * p**2, rtol=1e-7, atol=1e-10)
    np.testing.assert_allclose(by_source(found)["internal"], np.mean(size**2) * orthogonal.var(), rtol=1e-8)
    np.testing.assert_allclose(found["mean"], (a.mean() + b.mean()) * p, atol=1e-9)
    np.testing.assert_allclose(found["total"], found["variance"].sum("source"), rtol=1e-14)
    np.testing.assert_allclose(found["share"].sum("source"), 100.0, rtol=1e-13)
    # HS09: F = 1.65 sqrt(T) / G
    expected = 1.65 * np.sqrt(found["total"]) / np.abs(found["mean"])
    np.testing.assert_allclose(found["fractional_uncertainty"], expected, rtol=1e-13)
    np.testing.assert_allclose(found["signal_to_noise"], 1 / expected, rtol=1e-13)


def test_sample_variances_are_larger_by_n_over_n_minus_one():
    data = ensemble(random_ensemble(1, models=6))
    population = by_source(hawkins_sutton(data, HS09))
    sample = by_source(hawkins_sutton(data, replace(HS09, model_ddof=1, scenario_ddof=1)))
    np.testing.assert_allclose(sample["model"], population["model"] * 6 / 5, rtol=1e-12)
    np.testing.assert_allclose(sample["scenario"], population["scenario"] * 4 / 3, rtol=1e-12)


def test_the_variance_of_white_noise_is_found():
    rng = np.random.default_rng(7)
    data = ensemble(280 + rng.normal(0, 0.5, (20, 4, 150)))
    found = hawkins_sutton(data, replace(HS09, internal_window=1, internal_from=None))
    # a polynomial of order 4 takes 5 of 150 degrees of freedom; the sampling error of 12000 values is 1.3 %
    np.testing.assert_allclose(by_source(found, year=2050)["internal"], 0.25 * 145 / 150, rtol=0.04)
    # decadal means of residuals are a matrix times the noise, pooled over four runs of a model
    decade = smoother(YEARS, "running_mean", window=10)
    matrix = decade[np.isfinite(decade).all(axis=1)] @ (np.eye(150) - smoother(YEARS))
    expected = 0.25 * ((matrix**2).sum() / len(matrix) - (matrix.mean(axis=0) ** 2).sum() / 4)
    decadal = by_source(hawkins_sutton(data, replace(HS09, internal_from=None)), year=2050)["internal"]
    np.testing.assert_allclose(decadal, expected, rtol=0.1)


@pytest.mark.parametrize(
    ("units", "squared"), [("K", "K2"), ("kg m-2 s-1", "kg2 m-4 s-2"), ("%", "%2"), ("degC", "K2"), ("1", ""), ("", "")]
)
def test_the_unit_of_a_variance_is_the_square(units, squared):
    assert squared_units(units) == squared


DEFINITIONS = [
    HS09,
    LEHNER,
    PARTITION_DEFINITIONS["Lehner2020-annual"],
    replace(HS09, order=2, internal_window=5, model_ddof=1, scenario_ddof=1, internal_ddof=1, internal_from=1980),
]


@settings(max_examples=15, deadline=None)
@given(seeds, st.sampled_from(DEFINITIONS), st.sampled_from([0.0, 0.3]))
def test_every_source_equals_plain_loops(seed, how, holes):
    values = random_ensemble(seed, models=4, extra=(3,))
    gone = np.random.default_rng(seed).random(values.shape[:3]) < holes
    gone[:, :, 1] = False  # each model keeps a run of each scenario
    values[gone] = np.nan
    data = ensemble(values, dims=("source_id", "experiment_id", "member_id", "year"))
    found = by_source(hawkins_sutton(data, how))
    expected = hawkins_sutton_in_loops(data, how)
    for name, values in zip(("model", "scenario", "internal"), expected, strict=True):
        np.testing.assert_allclose(found[name], values, rtol=1e-7, atol=1e-10, err_msg=name)


@settings(max_examples=15, deadline=None)
@given(seeds, st.floats(0.1, 50.0), st.sampled_from([HS09, LEHNER]))
def test_order_offset_and_unit_do_not_matter(seed, factor, how):
    rng = np.random.default_rng(seed)
    data = ensemble(random_ensemble(seed, models=4))
    found = hawkins_sutton(data, how)
    shuffled = data.isel(source_id=rng.permutation(4), experiment_id=rng.permutation(4))
    np.testing.assert_allclose(hawkins_sutton(shuffled, how)["variance"], found["variance"], rtol=1e-9, atol=1e-12)
    shifted = data + xr.DataArray(rng.normal(0, 10, (4, 4)), dims=("source_id", "experiment_id"))
    np.testing.assert_allclose(hawkins_sutton(shifted, how)["variance"], found["variance"], rtol=1e-7, atol=1e-10)
    scaled = hawkins_sutton(factor * data, how)
    np.testing.assert_allclose(scaled["variance"], factor**2 * found["variance"], rtol=1e-7, atol=1e-10)
    np.testing.assert_allclose(scaled["share"].sel(year=2090), found["share"].sel(year=2090), rtol=1e-6)


def test_each_place_is_its_own_partition_and_an_empty_one_stays_empty():
    values = random_ensemble(3, extra=(2, 3))
    values[:, :, 1, 2] = np.nan  # the ocean of a land variable
    data = ensemble(values, dims=("source_id", "experiment_id", "lat", "lon", "year"))
    found = hawkins_sutton(data)
    assert found["variance"].dims == ("source", "year", "lat", "lon")
    for lat, lon in np.ndindex(2, 3):
        at = found["variance"].isel(lat=lat, lon=lon)
        if (lat, lon) == (1, 2):
            assert at.isel(source=[0, 1]).isnull().all()
            assert found["total"].isel(lat=lat, lon=lon).isnull().all()
        else:
            np.testing.assert_allclose(at, hawkins_sutton(data.isel(lat=lat, lon=lon))["variance"], rtol=1e-12)


def test_a_year_that_lacks_at_one_place_makes_a_run_incomplete():
    values = random_ensemble(3, extra=(2,))
    values[0, 1, 1, 40] = np.nan
    data = ensemble(values, dims=("source_id", "experiment_id", "region", "year"))
    with pytest.raises(NotComparable, match=r"M0: ssp245 has 149 of 150 years; expected every model"):
        hawkins_sutton(data)
    allowed = hawkins_sutton(data, replace(HS09, minimum_years=0.9))
    assert allowed.attrs["number_of_models"] == 5


def incomplete():
    values = random_ensemble(4)
    values[1, 3] = np.nan
    values[2, 0, 100:] = np.nan
    return ensemble(values)


def test_models_that_lack_a_scenario_are_refused_by_name():
    with pytest.raises(NotComparable, match=r"M1: no ssp585; M2: ssp126 has 100 of 150 years"):
        hawkins_sutton(incomplete())


def test_or_dropped_and_named():
    found = hawkins_sutton(incomplete(), complete="drop")
    alone = hawkins_sutton(incomplete().sel(source_id=["M0", "M3", "M4"]))
    np.testing.assert_array_equal(found["variance"], alone["variance"])
    assert found.attrs["models"] == "M0, M3, M4"
    assert found.attrs["lacking"] == "M1: no ssp585; M2: ssp126 has 100 of 150 years"
    assert alone.attrs["lacking"] == "none"
    with pytest.raises(NotComparable, match=r"at least two models .* got 1"):
        hawkins_sutton(incomplete().sel(source_id=["M0", "M1", "M2"]), complete="drop")
    with pytest.raises(NotComparable, match="'keep'"):
        hawkins_sutton(incomplete(), complete="keep")


def test_the_first_whole_run_stands_for_a_model_or_the_mean_of_all():
    values = random_ensemble(5, extra=(3,))
    values[0, 0, 0, :10] = np.nan
    data = ensemble(values, dims=("source_id", "experiment_id", "member_id", "year"))
    first = hawkins_sutton(data, members="first")
    chosen = values[:, :, 0].copy()
    chosen[0, 0] = values[0, 0, 1]
    np.testing.assert_allclose(first["variance"], hawkins_sutton(ensemble(chosen))["variance"], rtol=1e-10)
    assert (first.attrs["number_of_runs"], first.attrs["runs_too_short"]) == (20, 1)
    assert hawkins_sutton(data).attrs["number_of_runs"] == 59


def test_whole_weights_repeat_a_model_and_none_leaves_it_out():
    data = ensemble(random_ensemble(6, models=3))
    weights = xr.DataArray([2.0, 0.0, 1.0], dims="source_id", coords={"source_id": data["source_id"]})
    found = hawkins_sutton(data, weights=weights.isel(source_id=[2, 0, 1]))  # in whatever order
    repeated = ensemble(data.values[[0, 0, 2]])
    np.testing.assert_allclose(found["variance"], hawkins_sutton(repeated)["variance"], rtol=1e-10)
    with pytest.raises(NotComparable, match="weights: none for M1"):
        hawkins_sutton(data, weights=weights.isel(source_id=[0, 2]))


def test_scenario_variance_starts_after_its_minimum():
    data = ensemble(random_ensemble(8))
    plain = by_source(hawkins_sutton(data, replace(LEHNER, scenario_from_minimum=False)))["scenario"]
    found = by_source(hawkins_sutton(data, LEHNER))["scenario"]
    lowest = plain.argmin()
    assert 0 < lowest < 100
    assert (found[: lowest + 1] == 0).all()
    np.testing.assert_array_equal(found[lowest + 1 :], plain[lowest + 1 :])


def test_scenario_variance_within_models():
    data = ensemble(random_ensemble(9))
    found = by_source(hawkins_sutton(data, replace(HS09, scenario_within_models=True)), year=2090)["scenario"]
    each = [
        hawkins_sutton(data.isel(source_id=[m, m]).assign_coords(source_id=["A", "B"]))["variance"]
        .sel(source="scenario", year=2090)
        .item()
        for m in range(5)
    ]
    np.testing.assert_allclose(found, np.mean(each), rtol=1e-10)
    # the interaction of model and scenario, which the variance of means does not hold, makes it larger
    assert found >= by_source(hawkins_sutton(data), year=2090)["scenario"]


def test_per_cent_are_of_each_runs_own_base_and_so_is_its_noise():
    data = ensemble(random_ensemble(10))
    how = replace(HS09, kind="percent")
    found = hawkins_sutton(data, how)
    base = xr.DataArray(
        [[np.polynomial.Polynomial.fit(YEARS, r, 4)(YEARS)[BASE].mean() for r in m] for m in data.values],
        dims=("source_id", "experiment_id"),
    )
    expected = hawkins_sutton(100 * data / base)
    np.testing.assert_allclose(found["variance"], expected["variance"], rtol=1e-6, atol=1e-12)
    assert found["mean"].attrs["units"] == "%"
    # a unit cancels
    np.testing.assert_allclose(hawkins_sutton(86400 * data, how)["variance"], found["variance"], rtol=1e-6, atol=1e-12)


def test_forced_responses_and_internal_variance_may_be_given():
    data = ensemble(random_ensemble(11))
    smooth = data.copy(data=np.broadcast_to(np.linspace(0, 1, 150) * np.arange(5)[:, None, None], data.shape))
    found = hawkins_sutton(data, forced=smooth, internal=0.25)
    time = np.linspace(0, 1, 150)
    np.testing.assert_allclose(by_source(found)["model"], 2.0 * (time - time[BASE].mean()) ** 2, atol=1e-12)
    np.testing.assert_allclose(by_source(found)["scenario"], 0.0, atol=1e-12)
    assert (by_source(found)["internal"] == 0.25).all()
    assert found.attrs["forced_response"] == found.attrs["internal_variability"] == "given"
    with pytest.raises(NotComparable, match="forced: expected a value for each run"):
        hawkins_sutton(data, forced=smooth.isel(source_id=[0, 1]))


def test_the_result_says_how_it_was_made():
    data = ensemble(random_ensemble(12)).assign_attrs(synthetic="true", variable_id="tas")
    before = data.copy(deep=True)
    found = hawkins_sutton(data, LEHNER)
    xr.testing.assert_identical(data, before)
    assert found.attrs["definition"] == "Lehner2020"
    fields = json.loads(found.attrs["definition_fields"])
    assert fields["scenario_ddof"] == 1
    assert PartitionDefinition(**{k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()}) == LEHNER
    assert (found.attrs["synthetic"], found.attrs["variable_id"]) == ("true", "tas")
    assert found.attrs["scenarios"] == ", ".join(SCENARIOS)
    assert found["variance"].attrs["units"] == "K2"
    assert list(found["source"].values) == ["model", "scenario", "internal"]
    found.to_netcdf()  # what it says can be stored


def test_without_a_base_period_nothing_is_relative_to_the_mean():
    found = hawkins_sutton(ensemble(random_ensemble(13)), replace(HS09, base_period=None))
    assert "signal_to_noise" not in found
    assert found["mean"].sel(year=2000) > 200


def test_what_cannot_be_partitioned_is_refused_with_what_to_do():
    data = ensemble(random_ensemble(14))
    with pytest.raises(BadStudy, match="did you mean 'HS09'"):
        hawkins_sutton(data, "HS9")
    with pytest.raises(NotComparable, match="no dimension experiment_id"):
        hawkins_sutton(data.isel(experiment_id=0))
    with pytest.raises(NotComparable, match="no coordinate for source_id"):
        hawkins_sutton(data.drop_vars("source_id"))
    with pytest.raises(NotComparable, match="expected years 1950-2099, each once, got 100 from 2000 to 2099"):
        hawkins_sutton(data.sel(year=slice(2000, None)))
    with pytest.raises(NotComparable, match=r"base_period \(1971, 2000\) is not within its years 1980-2099"):
        hawkins_sutton(data, replace(HS09, years=(1980, 2099)))
    with pytest.raises(NotComparable, match="M0: ssp126 has 149 of 150 years"):
        hawkins_sutton(data.drop_sel(year=1960))
    with pytest.raises(NotComparable, match=r"model_scenario 'ssp585' is not among its scenarios.*; internal_scenario"):
        hawkins_sutton(data.isel(experiment_id=[0, 1]), LEHNER)
    with pytest.raises(NotComparable, match="at least two scenarios"):
        hawkins_sutton(data.isel(experiment_id=[0]), replace(HS09, scenario_ddof=1))
    assert (by_source(hawkins_sutton(data.isel(experiment_id=[0])))["scenario"] == 0).all()


def test_a_definition_names_all_that_is_wrong_with_it():
    with pytest.raises(BadStudy) as caught:
        PartitionDefinition("own", kind="percent", fit="spline", model_ddof=2, years=(2100, 1950), minimum_years=0.0)
    for breach in ("'spline'", "model_ddof", "(2100, 1950)", "minimum_years", "base_period is needed"):
        assert breach in str(caught.value)
    with pytest.raises(BadStudy, match="loess of order 4 needs at least 7 years"):
        PartitionDefinition("own", fit="loess", window=5)


@pytest.fixture(scope="module")
def cmip5(shared_data):
    """CMIP5 global means, each scenario after the historical run of the same label."""
    data = xr.open_dataset(shared_data / "uncertainty_partition" / "cmip5_tas_global_mon.nc")["tas"].load()
    data = data.assign_coords(time=data["time"].dt.year.values).rename(
        time="year", run="member_id", scen="experiment_id", model="source_id"
    )
    past = data.sel(experiment_id="historical", drop=True).sel(year=slice(None, 2005))
    return data.drop_sel(experiment_id="historical").fillna(past).transpose("source_id", ...)


def test_the_shares_of_cmip5_are_those_that_xclim_publishes(cmip5):
    found = hawkins_sutton(cmip5, "HS09", complete="drop", members="first")
    at = found["share"].sel(year=2090)
    for source, share in {"internal": 0.2, "model": 26.3, "scenario": 73.5}.items():
        assert at.sel(source=source).item() == pytest.approx(share, abs=0.1)
    # xclim 0.62 on the same runs
    np.testing.assert_allclose(
        found["variance"].sel(source=["internal", "model", "scenario"], year=2090),
        [0.00312615, 0.33795194, 0.94656609],
        rtol=5e-5,
    )
    assert found.attrs["number_of_models"] == 21


def test_a_loess_curve_instead_of_a_polynomial_leaves_most_as_it_is(cmip5):
    loess = replace(HS09, name="own", fit="loess", order=2, window=75)
    found = hawkins_sutton(cmip5, loess, complete="drop", members="first")["share"].sel(year=2090)
    np.testing.assert_allclose(found.sel(source=["model", "scenario"]), [26.3, 73.5], atol=1.5)


@pytest.fixture(scope="module")
def cmip6(shared_data):
    """CMIP6 global means of the Atlas, each scenario after the historical run of its model."""
    parts = {}
    for experiment in ("historical", *SCENARIOS):
        ds = xr.open_dataset(shared_data / "atlas_cmip6_tas" / f"cmip6_ar6regions_monthly_{experiment}.nc")
        tas = ds["tas"].sel(region="world", drop=True).assign_coords(source_id=("run", ds["source_id"].values))
        yearly = tas.groupby("time.year").mean(skipna=False).swap_dims(run="source_id")
        parts[experiment] = yearly.drop_vars("member_id", errors="ignore")
    runs = [xr.concat([parts["historical"], parts[e]], "year", join="outer") for e in SCENARIOS]
    return xr.concat(runs, pd.Index(SCENARIOS, name="experiment_id"), join="outer").assign_attrs(units="K")


def test_shares_and_internal_variance_of_cmip6_are_near_those_of_lehner(cmip6):
    found = hawkins_sutton(cmip6, "Lehner2020-annual", complete="drop")
    # Lehner et al. (2020), 21 models; here are 28, one run each
    published = {2030: (65.3, 9.9, 24.8), 2050: (60.3, 33.9, 5.8), 2080: (40.9, 58.1, 1.0), 2095: (36.6, 62.9, 0.5)}
    for year, shares in published.items():
        np.testing.assert_allclose(found["share"].sel(year=year), shares, atol=5.0)
    assert by_source(found, year=2050)["internal"] == pytest.approx(0.0153753, rel=0.1)
    assert found.attrs["number_of_models"] == 28
    assert "IITM-ESM: ssp370 has 149 of 150 years" in found.attrs["lacking"]


def test_the_definition_moves_the_share_of_scenarios_by_ten_points(cmip6):
    shares = {
        name: hawkins_sutton(cmip6, how, complete="drop")["share"].sel(source="scenario", year=2040).item()
        for name, how in (("HS09", HS09), ("Lehner2020", LEHNER))
    }
    assert shares["Lehner2020"] - shares["HS09"] > 10
