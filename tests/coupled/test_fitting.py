"""Fits of forced responses: known truth, no look at test years, short records, and real models out of sample."""

import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from spread.coupled import (
    EnergyBalance,
    ForcedResponse,
    Run,
    cummins,
    cummins_members,
    fit,
    forced_response,
    forced_warming,
    forced_warming_range,
    idealised_fraction,
    run,
    scenario_forcing,
)
from spread.coupled.fitted import PARAMETERS, response_of
from spread.coupled.fitting import _jacobian, _prepared, _residuals
from spread.errors import NotComparable, NotFound

sys.path.insert(0, str(Path(__file__).parents[1] / "ensemble"))

TRUTH = ForcedResponse(
    EnergyBalance(0.9, [4.2, 13.0, 95.0], [2.0, 0.75], 1.2, forcing_4xco2=7.4),
    well_mixed=0.92,
    aerosol=0.7,
    volcanic=0.8,
)
TRAIN = (1850, 2050)


def noise(seed, size, deviation=0.12, memory=0.5):
    draws, out = np.random.default_rng(seed).normal(0, deviation * np.sqrt(1 - memory**2), size), np.zeros(size)
    out[0] = draws[0] / np.sqrt(1 - memory**2)
    for n in range(1, size):
        out[n] = memory * out[n - 1] + draws[n]
    return out


def synthetic(truth=TRUTH, deviation=0.12, seed=0):
    """Synthetic runs of a known response: historical, two scenarios (relative to 287 K), abrupt-4xCO2."""
    runs = []
    for n, (name, first, last) in enumerate(
        [("historical", 1850, 2014), ("ssp126", 2015, 2100), ("ssp585", 2015, 2100)]
    ):
        forcing = scenario_forcing(name, np.arange(1850, last + 1))
        warming = forced_warming(truth, forcing)[first - 1850 :]
        years = np.arange(first, last + 1)
        runs.append(Run(name, years, 287.0 + warming + noise(10 * seed + n, years.size, deviation)))
    with jax.enable_x64(True):
        model = truth.energy_balance
        fluxes = run(model, idealised_fraction("abrupt-4xCO2", 150) * model.forcing_4xco2)[1]
    surface = np.asarray(fluxes.temperature)[:, 0] + noise(10 * seed + 8, 150, deviation)
    imbalance = np.asarray(fluxes.imbalance) + noise(10 * seed + 9, 150, 2 * deviation, 0.1)
    return [*runs, Run("abrupt-4xCO2", np.arange(1, 151), surface, imbalance)]


def test_a_known_truth_is_found():
    found = fit(synthetic(deviation=0.02), (1850, 2100))
    assert found.converged
    response = found.response
    assert float(response.energy_balance.feedback) == pytest.approx(0.9, rel=0.05)
    assert float(response.energy_balance.forcing_4xco2) == pytest.approx(7.4, rel=0.03)
    assert float(response.well_mixed) == pytest.approx(0.92, rel=0.06)
    assert float(response.aerosol) == pytest.approx(0.7, rel=0.15)
    assert float(response.volcanic) == pytest.approx(0.8, rel=0.15)
    assert found.noise["warming"][0] == pytest.approx(0.02, rel=0.25)
    forcing = scenario_forcing("ssp585", range(1850, 2101))
    np.testing.assert_allclose(forced_warming(response, forcing), forced_warming(TRUTH, forcing), atol=0.05)


@pytest.mark.slow
def test_the_range_holds_the_truth_as_often_as_it_says():
    forcing, inside = scenario_forcing("ssp585", range(1850, 2101)), []
    real = forced_warming(TRUTH, forcing)[-20:].mean()
    for seed in range(20):
        low, _, high = forced_warming_range(fit(synthetic(seed=seed)[:3], TRAIN), forcing, number=100, discrepancy=0.0)[
            :, -20:
        ].mean(1)
        inside.append(low < real < high)
    assert 14 <= sum(inside) <= 20  # 18 expected of 20 at 90 %, the prior not being where the truth was drawn


def test_years_outside_of_training_change_nothing():
    runs = synthetic()
    changed = [
        Run(r.experiment_id, r.years, np.where(r.idealised | (r.years <= 2050), r.temperature, np.nan), r.imbalance)
        for r in runs
    ]
    wild = [
        Run(r.experiment_id, r.years, np.where(r.idealised | (r.years <= 2050), r.temperature, 1e6), r.imbalance)
        for r in runs
    ]
    cut = [
        Run(r.experiment_id, r.years[k], r.temperature[k], r.imbalance if r.idealised else None)
        for r in runs
        for k in [r.idealised | (r.years <= 2050)]
    ]
    first = fit(runs, TRAIN)
    for other in (changed, wild, cut):
        again = fit(other, TRAIN)
        np.testing.assert_array_equal(first.estimate, again.estimate)
        np.testing.assert_array_equal(first.covariance, again.covariance)
    assert not np.array_equal(first.estimate, fit(runs, (1850, 2060)).estimate)


def test_inputs_stay_as_they_are_and_gaps_are_left_out():
    runs = synthetic()[:2]
    runs[0].temperature[51:100] = np.nan
    before = runs[0].temperature.copy()
    found = fit(runs, TRAIN)
    np.testing.assert_array_equal(runs[0].temperature, before)
    assert np.isfinite(found.estimate).all()
    gone = np.isfinite(before)
    dropped = [Run("historical", runs[0].years[gone], before[gone]), runs[1]]
    np.testing.assert_array_equal(fit(dropped, TRAIN).estimate, found.estimate)


def test_a_short_record_leaves_the_prior_where_it_says_nothing():
    runs = synthetic()[:1]
    short = fit([Run("historical", runs[0].years[-15:], runs[0].temperature[-15:])], TRAIN)
    assert short.converged
    assert np.abs((short.estimate - short.prior_mean) / short.prior_deviation)[:-1].max() < 2.5
    assert short.informed["log heat_capacity 3"] < 0.1
    long = fit(synthetic(), TRAIN)
    assert long.informed["log feedback"] > 0.8
    assert long.informed["log feedback"] > short.informed["log feedback"]
    widths = [
        np.ptp(forced_warming_range(f, scenario_forcing("ssp585", range(1850, 2101)))[::2, -1]) for f in (short, long)
    ]
    assert widths[0] > 2 * widths[1]


def test_the_jacobian_against_central_differences():
    problem = _prepared(synthetic(), TRAIN, {})
    with jax.enable_x64(True):
        for series in (s for each in problem.series for s in each):
            series.whiten(0.15, 0.5)
        found = fit(synthetic(), TRAIN)
        args = (problem.arrays(), found.prior_mean, found.prior_deviation)
        exact = np.asarray(_jacobian(found.estimate, *args))
        for n in range(len(PARAMETERS)):
            step = 1e-4 * np.eye(len(PARAMETERS))[n]
            difference = np.asarray(_residuals(found.estimate + step, *args) - _residuals(found.estimate - step, *args))
            scale = np.abs(exact[:, n]).max()
            np.testing.assert_allclose(exact[:, n], difference / 2e-4, atol=1e-6 * scale)


def test_forced_warming_is_that_of_a_plain_loop():
    forcing, model = scenario_forcing("ssp245", range(1750, 2101)), cummins("MIROC6")
    warming = forced_warming(forced_response(model), forcing, base=(1995, 2014))
    assert np.isnan(warming[:100]).all()
    c, (k2, k3), e, lam = model.heat_capacity, model.heat_exchange, model.efficacy, model.feedback
    share = model.forcing_4xco2 / 8.2577
    anthropogenic = {x: getattr(forcing, x) - getattr(forcing, x)[100] for x in ("co2", "other", "aerosol")}
    felt = share * (anthropogenic["co2"] + anthropogenic["other"] + forcing.solar) + anthropogenic["aerosol"]
    felt, t, out, small = (felt + forcing.volcanic)[100:], np.zeros(3), [], 400
    for value in felt:  # explicit Euler, 400 steps a year
        mean = 0.0
        for _ in range(small):
            down, deep = k2 * (t[0] - t[1]), k3 * (t[1] - t[2])
            rate = np.array([value - lam * t[0] - down, down - e * deep, deep]) / c
            t = t + rate / small
            mean += t[0] / small
        out.append(mean)
    np.testing.assert_allclose(warming[100:], np.array(out) - np.mean(out[145:165]), atol=3e-3)
    assert abs(np.nanmean(warming[245:265])) < 1e-12


def test_structural_error_grows_from_the_end_of_training():
    found, forcing = fit(synthetic()[:3], TRAIN), scenario_forcing("ssp585", range(1850, 2101))
    alone = forced_warming_range(found, forcing, discrepancy=0.0, number=500)
    wider = forced_warming_range(found, forcing, discrepancy=0.2, number=500)
    np.testing.assert_array_equal(alone[:, :201], wider[:, :201])
    growth = alone[1, -1] - alone[1, 200]
    deviations = [(r[2, -1] - r[0, -1]) / 2 / 1.645 for r in (alone, wider)]
    assert deviations[1] == pytest.approx(np.hypot(deviations[0], 0.2 * growth), rel=0.2)


def test_draws_and_responses():
    found = fit(synthetic()[:2], TRAIN)
    draws = found.draws(4000, seed=3)
    np.testing.assert_allclose(np.cov(draws.T), found.covariance, atol=0.1 * np.diag(found.covariance).max())
    np.testing.assert_array_equal(draws[:5], found.draws(4000, seed=3)[:5])
    low, middle, high = forced_warming_range(found, scenario_forcing("ssp126", range(1850, 2101)))[:, -1]
    assert low < middle < high
    with jax.enable_x64(True):
        many = response_of(jnp.asarray(draws[:7]))
    assert many.energy_balance.heat_capacity.shape == (7, 3)


@pytest.mark.parametrize(
    ("ask", "error", "words"),
    [
        (lambda: fit([], TRAIN), NotComparable, "no runs"),
        (lambda: fit([Run("ssp126", np.arange(2060, 2080), np.zeros(20))], TRAIN), NotComparable, "0 years"),
        (lambda: fit([Run("ssp126", np.arange(20), np.zeros(19))], TRAIN), NotComparable, "different years"),
        (lambda: fit([Run("spp126", np.arange(2015, 2045), np.zeros(30))], TRAIN), NotFound, "'ssp126'"),
        (lambda: fit(synthetic()[:1], TRAIN, "IPSL-CM6"), NotFound, "did you mean"),
        (
            lambda: fit([Run("ssp126", np.arange(2015, 2045), np.zeros(30), np.zeros(30))], TRAIN),
            NotComparable,
            "idealised experiments only",
        ),
        (lambda: forced_warming(TRUTH, scenario_forcing("ssp126", range(1850, 1890))), ValueError, "1850-1889"),
        (lambda: idealised_fraction("abrupt-3xCO2", 10), NotFound, "abrupt-4xCO2"),
    ],
)
def test_what_cannot_be_fitted_is_refused(ask, error, words):
    with pytest.raises(error, match=words):
        ask()


def real_errors(years, models, test=(2081, 2100), base=(1995, 2014)):
    """Predicted minus real warming of ssp585 between two periods, fitted to historical, ssp126 and ssp585 to 2050."""
    forcing, errors = scenario_forcing("ssp585", range(1850, 2101)), {}
    at, table = years["year"].values, cummins_members()
    for name in models:
        own = {s: years.sel(source_id=name, experiment_id=s).values for s in ("ssp126", "ssp585")}
        runs = [Run("historical", at[at < 2015], own["ssp585"][at < 2015])]
        runs += [Run(s, at[at > 2014], values[at > 2014]) for s, values in own.items()]
        found = fit(runs, TRAIN, name if name in table else None)
        ours = forced_warming(found.response, forcing, base)
        window = (at >= test[0]) & (at <= test[1]) & np.isfinite(own["ssp585"])
        past = (at >= base[0]) & (at <= base[1])
        real = own["ssp585"][window].mean() - own["ssp585"][past].mean()
        errors[name] = float(ours[np.isin(np.arange(1850, 2101), at[window])].mean() - real), real
    return errors


def test_real_models_out_of_sample(shared_data):
    """Warming of 2081-2100 predicted from training years to 2050, for every Atlas model with both scenarios."""
    import atlas

    years = atlas.global_years(shared_data, ("ssp126", "ssp585"))
    whole = np.isfinite(years.sel(year=slice(1995, 2098))).all(("year", "experiment_id"))
    errors = real_errors(years, [str(name) for name in years["source_id"].values[whole.values]])
    missed = np.abs([error for error, _ in errors.values()])
    for name, (error, real) in errors.items():
        print(f"{name:18s} warming {real:.2f} K, predicted minus real {error:+.2f} K")
    print(f"{len(errors)} models: median error {np.median(missed):.2f} K, highest {missed.max():.2f} K")
    assert len(errors) > 25
    assert np.median(missed) < 0.35
    assert missed.max() < 1.2


def test_real_ipsl_out_of_sample(shared_data):
    """IPSL-CM6A-LR of MESMER: trained to 2050, ssp585 of 2061-2080 and 2081-2100, and training years against LOWESS."""
    import xarray as xr

    def annual(experiment, member="r1i1p1f1"):
        path = shared_data / "mesmer_ipsl" / f"tas_mon_IPSL-CM6A-LR_{experiment}_{member}_g025.nc"
        with xr.open_dataset(path) as data:
            tas = data["tas"].load()
        area = np.cos(np.deg2rad(tas["lat"]))
        monthly = tas.weighted(area).mean([d for d in tas.dims if d != "time"])
        days = monthly["time"].dt.days_in_month
        return ((monthly * days).groupby("time.year").sum() / days.groupby("time.year").sum()).to_series()

    past = [annual("historical", member) for member in ("r1i1p1f1", "r2i1p1f1")]
    future = {name: annual(name) for name in ("ssp126", "ssp585")}
    runs = [Run("historical", s.index.to_numpy(), s.to_numpy()) for s in past]
    runs += [Run(name, s.index.to_numpy(), s.to_numpy()) for name, s in future.items()]
    base = np.mean([s.loc[1850:1900].mean() for s in past])
    for source_id in (None, "IPSL-CM6A-LR"):
        found = fit(runs, TRAIN, source_id)
        forcing = scenario_forcing("ssp585", range(1850, 2101))
        ours = forced_warming(found.response, forcing)
        spread = forced_warming_range(found, forcing)
        for first in (2061, 2081):
            real = future["ssp585"].loc[first : first + 19].mean() - base
            low, high = spread[[0, 2], first - 1850 : first - 1830].mean(1)
            error = ours[first - 1850 : first - 1830].mean() - real
            print(f"{source_id}: {first} on real {real:.2f} K, error {error:+.2f} K, 5-95 % {low:.2f}-{high:.2f}")
            assert abs(error) < 1.0
        smooth = lowess(np.mean([s.loc[1850:2014] for s in past], 0) - base)
        difference = np.sqrt(np.mean((ours[:165] - smooth) ** 2))
        print(f"{source_id}: 1850-2014 root-mean-square difference from LOWESS of two members {difference:.3f} K")
        assert difference < 0.15


def lowess(values, width=50):
    """Locally weighted line through `width` years with tricube weights (Cleveland 1979), without robustness steps."""
    at, out = np.arange(len(values), dtype=float), []
    for x in at:
        far = np.sort(np.abs(at - x))[width - 1]
        weight = np.clip(1 - (np.abs(at - x) / far) ** 3, 0, None) ** 1.5
        out.append(np.polyval(np.polyfit(at - x, values, 1, w=weight), 0.0))
    return np.array(out)
