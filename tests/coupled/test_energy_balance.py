"""The energy balance against closed forms, SciPy, the demo's plain NumPy, itself cut in pieces, and real 4xCO2 runs."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from spread.coupled import (
    EnergyBalance,
    check_energy_balance,
    cummins,
    cummins_members,
    equilibrium_climate_sensitivity,
    heat_content,
    idealised_fraction,
    initial_state,
    parameters_of,
    run,
    timescales,
    transient_climate_response,
)
from spread.coupled.energy_balance import rates_of_change
from spread.demo import energy_balance as demo
from spread.errors import BadModel, NotFound

TWO = EnergyBalance(1.1, [8.0, 100.0], [0.7], 1.3, forcing_4xco2=7.4)
"""About the mean of CMIP5 (Geoffroy et al. 2013, part II, table 2)."""


@pytest.fixture(autouse=True)
def sixty_four_bits():
    with jax.enable_x64(True):
        yield


@jax.jit
def centred(model, forcing):
    fluxes = run(model, forcing)[1]
    return fluxes.temperature[-20:, 0].mean() + fluxes.imbalance[-20:].mean()


def plain_matrix(model):
    """The equations written out, in plain NumPy."""
    c, k, e, lam = model.heat_capacity, model.heat_exchange, model.efficacy, model.feedback
    if len(c) == 2:
        return np.array([[-(lam + e * k[0]) / c[0], e * k[0] / c[0]], [k[0] / c[1], -k[0] / c[1]]])
    return np.array(
        [
            [-(lam + k[0]) / c[0], k[0] / c[0], 0],
            [k[0] / c[1], -(k[0] + e * k[1]) / c[1], e * k[1] / c[1]],
            [0, k[1] / c[2], -k[1] / c[2]],
        ]
    )


def models():
    """Energy balances of two or three layers over the range of the fits."""

    def made(layers, feedback, first, factors, exchange, efficacy):
        capacity = [first, first * factors[0], first * factors[0] * factors[1]][:layers]
        return EnergyBalance(feedback, capacity, exchange[: layers - 1], efficacy, forcing_4xco2=8.0)

    return st.builds(
        made,
        st.sampled_from([2, 3]),
        st.floats(0.3, 3.0),
        st.floats(1.0, 8.0),
        st.tuples(st.floats(1.5, 10.0), st.floats(1.5, 10.0)),
        st.lists(st.floats(0.1, 5.0), min_size=2, max_size=2),
        st.floats(0.3, 3.0),
    )


forcings = st.lists(st.floats(-5.0, 10.0), min_size=12, max_size=12).map(np.array)
few = settings(max_examples=25, deadline=None)


@few
@given(models())
def test_the_rates_are_the_equations(model):
    np.testing.assert_allclose(jax.jit(rates_of_change)(model), plain_matrix(model), rtol=1e-14)


@few
@given(models(), forcings, st.booleans(), st.sampled_from([1 / 12, 1.0, 3.0]), st.sampled_from([None, 2.7]))
def test_the_sum_of_the_imbalance_is_the_change_of_heat(model, forcing, linear, step, rate):
    model = replace(model, forcing_rate=rate)
    first, _ = run(model, forcing)
    last, fluxes = run(model, forcing[::-1], step, state=first, linear=linear)
    gained = heat_content(model, last) - heat_content(model, first)
    scale = np.abs(model.heat_capacity * np.array(last.temperature)).sum() + 1.0
    assert abs(gained - fluxes.imbalance.sum() * step) < 1e-10 * scale


@few
@given(models(), st.floats(0.5, 200.0))
def test_step_response_against_the_eigenvectors(model, years):
    last, _ = run(model, np.array([3.0]), step=years)
    values, vectors = np.linalg.eig(plain_matrix(model))
    equilibrium = np.full(len(values), 3.0 / model.feedback)
    decayed = (vectors * np.exp(values * years)) @ np.linalg.solve(vectors, equilibrium)
    np.testing.assert_allclose(last.temperature, (equilibrium - decayed).real, rtol=1e-9)


@few
@given(models())
def test_equilibrium_and_sensitivity(model):
    # 400,000 years; in steps ten times as long the rounding of a matrix exponential would show, some 1e-9
    last, fluxes = run(model, np.full(40, 4.0), step=1e4)
    np.testing.assert_allclose(last.temperature, 4.0 / model.feedback, rtol=1e-9)
    np.testing.assert_allclose(fluxes.imbalance[-1], 0.0, atol=1e-9)
    assert float(equilibrium_climate_sensitivity(model)) == pytest.approx(8.0 / 2 / model.feedback)


@few
@given(models(), forcings)
def test_constant_forcing_against_scipy_expm(model, forcing):
    matrix, n = plain_matrix(model), len(model.heat_capacity)
    joined = np.zeros((n + 1, n + 1))
    joined[:n, :n], joined[0, n] = matrix, 1 / model.heat_capacity[0]
    power, state = expm(joined), np.zeros(n)
    for value in forcing:
        state = power[:n, :n] @ state + power[:n, n] * value
    np.testing.assert_allclose(run(model, forcing)[0].temperature, state, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("model", [TWO, cummins("IPSL-CM6A-LR"), cummins("CESM2", lagged=True)])
@pytest.mark.parametrize("linear", [False, True])
def test_against_an_ode_solver(model, linear):
    edges = np.array([0.0, 1.0, 4.0, 3.0, 3.5, -1.0])
    lagged, n = model.forcing_rate is not None, len(model.heat_capacity)

    def rates(time, y):
        at = np.interp(time, np.arange(6), edges) if linear else edges[min(int(time), 4)]
        temperature, felt = (y[:n], y[2 * n]) if lagged else (y[:n], at)
        change = plain_matrix(model) @ temperature + np.eye(n)[0] * felt / model.heat_capacity[0]
        return [*change, *temperature, *([model.forcing_rate * (at - felt)] if lagged else [])]

    y, means = np.zeros(2 * n + lagged), []
    for year in range(5):
        before = y[n]
        y = solve_ivp(rates, (year, year + 1 - 1e-13), y, rtol=1e-11, atol=1e-13, method="DOP853").y[:, -1]
        means.append(y[n] - before)
    last, fluxes = run(model, edges if linear else edges[:5], linear=linear)
    np.testing.assert_allclose(last.temperature, y[:n], rtol=1e-8)
    np.testing.assert_allclose(fluxes.temperature[:, 0], means, rtol=1e-7)


def test_against_the_numpy_model_of_the_demo():
    forcing = np.random.default_rng(1).normal(2.0, 2.0, (1200, 3))
    for source_id, theirs in list(demo.energy_balances().items())[:6]:
        expected = demo.integrate(theirs, forcing)
        k1, *rest = theirs.exchange
        mine = EnergyBalance(k1, theirs.capacity, rest, theirs.efficacy, theirs.forcing_4xco2)
        last, fluxes = run(mine, forcing, 1 / 12)
        np.testing.assert_allclose(fluxes.temperature, expected.temperature, rtol=1e-9, atol=1e-9, err_msg=source_id)
        np.testing.assert_allclose(fluxes.imbalance, expected.imbalance, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(last.temperature, expected.final, rtol=1e-9, atol=1e-9)


@few
@given(models(), forcings)
def test_months_and_years_agree_where_forcing_does_not_change_within_the_year(model, forcing):
    yearly, fluxes = run(model, forcing)
    monthly, finer = run(model, np.repeat(forcing, 12), 1 / 12)
    np.testing.assert_allclose(monthly.temperature, yearly.temperature, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(finer.temperature.reshape(-1, 12, len(model.heat_capacity)).mean(1), fluxes.temperature,
                               rtol=1e-9, atol=1e-10)  # fmt: skip


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("lagged", [False, True])
def test_a_run_goes_on_bit_for_bit(wide, lagged):
    forcing = np.random.default_rng(0).normal(1.0, 2.0, 100)
    with jax.enable_x64(wide):
        model = cummins("UKESM1-0-LL", lagged=lagged)
        whole, fluxes = run(model, forcing)
        first, early = run(model, forcing[:37])
        last, late = run(model, forcing[37:], state=first)
        assert np.array_equal(whole.temperature, last.temperature)
        assert np.array_equal(fluxes.temperature, np.concatenate([early.temperature, late.temperature]))
        assert np.array_equal(fluxes.imbalance, np.concatenate([early.imbalance, late.imbalance]))


def test_no_forcing_no_drift():
    last, fluxes = run(cummins("IPSL-CM6A-LR"), np.zeros(10_000))
    assert not np.any(fluxes.temperature)
    assert not np.any(fluxes.imbalance)
    assert not np.any(last.temperature)


@pytest.mark.parametrize("lagged", [False, True])
def test_gradient_against_central_differences(lagged):
    model, forcing = cummins("CNRM-CM6-1", lagged=lagged), np.linspace(0.0, 6.0, 120)
    leaves, structure = jax.tree.flatten(model)
    sizes = np.cumsum([np.size(leaf) for leaf in leaves])[:-1]

    def warmed(logs):
        parts = [jnp.exp(p).reshape(np.shape(leaf)) for p, leaf in zip(jnp.split(logs, sizes), leaves, strict=True)]
        return centred(jax.tree.unflatten(structure, parts), forcing)

    logs = np.log(np.concatenate([np.ravel(leaf) for leaf in leaves]))
    exact = jax.grad(warmed)(logs)
    steps = 1e-4 * np.eye(len(logs))
    differences = [(warmed(logs + s) - warmed(logs - s)) / 2e-4 for s in steps]
    np.testing.assert_allclose(exact, differences, rtol=1e-6, atol=1e-7)
    assert np.abs(exact).max() > 0.1


@few
@given(models())
def test_timescales_are_those_of_the_matrix(model):
    expected = np.sort(-1.0 / np.linalg.eigvals(plain_matrix(model)).real)
    np.testing.assert_allclose(timescales(model), expected, rtol=1e-8)


@pytest.mark.parametrize("model", [TWO, cummins("IPSL-CM6A-LR"), cummins("CESM2", lagged=True)])
def test_transient_response_is_that_of_a_run(model):
    edges = np.arange(81) * np.log2(1.01) * model.forcing_4xco2 / 2
    fluxes = run(model, edges, linear=True)[1]
    assert float(transient_climate_response(model)) == pytest.approx(
        float(fluxes.temperature[60:, 0].mean()), rel=1e-10
    )


def test_forcing_is_felt_as_fair_has_it():
    """FaIR's state is forcing and temperatures, driven through gamma; x(n+1) = exp(A) x(n) + A^-1 (exp(A) - 1) b F."""
    forcing = 8.0 * np.ones(100)

    def fair(model):
        a = np.zeros((4, 4))
        a[0, 0], a[1, 0], a[1:, 1:] = -model.forcing_rate, 1 / model.heat_capacity[0], plain_matrix(model)
        power, x, out = expm(a), np.zeros(4), []
        push = np.linalg.solve(a, (power - np.eye(4)) @ np.array([model.forcing_rate, 0, 0, 0]))
        for value in forcing:
            x = power @ x + push * value
            out.append(x[1])
        return np.array(out)

    def ends(model):
        state, out = initial_state(model), []
        for value in forcing:
            state, _ = run(model, np.array([value]), state=state)
            out.append(float(state.temperature[0]))
        return np.array(out)

    lagged = cummins("IPSL-CM6A-LR", lagged=True)
    np.testing.assert_allclose(ends(lagged), fair(lagged), rtol=1e-9)
    at_once = ends(cummins("IPSL-CM6A-LR"))
    assert np.abs(at_once - fair(lagged)).max() > 0.3
    assert np.abs(at_once - ends(replace(lagged, forcing_rate=1e4))).max() < 2e-4


def test_many_models_and_many_forcings_at_once():
    forcing = np.random.default_rng(2).normal(size=(30, 4))
    together = run(TWO, forcing)[1].temperature
    for column in range(4):
        np.testing.assert_allclose(together[..., column], run(TWO, forcing[:, column])[1].temperature, rtol=1e-12)
    names = [*cummins_members()][:5]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *map(cummins, names))
    each = jax.vmap(lambda model: run(model, forcing[:, 0])[1].temperature)(stacked)
    for n, name in enumerate(names):
        np.testing.assert_allclose(each[n], run(cummins(name), forcing[:, 0])[1].temperature, rtol=1e-10, atol=1e-12)


def test_absent_forcing_reaches_what_comes_after_it_and_nothing_before():
    forcing = np.ones(10)
    forcing[4] = np.nan
    temperature = np.asarray(run(TWO, forcing)[1].temperature)
    assert np.isfinite(temperature[:4]).all()
    assert np.isnan(temperature[4:]).all()


def test_the_default_precision_is_good_to_a_millikelvin():
    model, forcing = cummins("CanESM5"), np.linspace(0, 8, 250)
    exact = np.asarray(run(model, forcing)[1].temperature)
    with jax.enable_x64(False):
        single = run(model, forcing)[1].temperature
    assert single.dtype == jnp.float32
    assert np.abs(single - exact).max() < 1e-3


def test_what_cannot_be_is_refused_all_at_once():
    bad = EnergyBalance(-1.0, [8.0, 100.0], [0.7], np.nan, forcing_4xco2=7.4)
    with pytest.raises(BadModel, match=r"feedback is -1, not between.*W m-2 K-1; efficacy is nan"):
        check_energy_balance(bad)
    with pytest.raises(BadModel, match="2 or 3 heat capacities"):
        check_energy_balance(EnergyBalance(1.0, [8.0, 100.0], [0.7, 0.1], 1.0, forcing_4xco2=7.4))
    check_energy_balance(TWO)
    assert {known.units for known in parameters_of(TWO).values()} == {"W m-2 K-1", "W yr m-2 K-1", "1", "W m-2", "yr-1"}


def test_the_table_of_fits():
    members = cummins_members()
    assert len(members) == 49
    assert sum(map(len, members.values())) == 66
    for name, runs in members.items():
        for member in runs:
            model = cummins(name, member)
            check_energy_balance(model)
            assert len(timescales(model)) == 3
            assert np.all(np.asarray(timescales(model)) > 0)
    with pytest.raises(NotFound, match="did you mean 'IPSL-CM6A-LR'"):
        cummins("IPSL-CM6-LR")
    with pytest.raises(NotFound, match="r1i1p1f1"):
        cummins("IPSL-CM6A-LR", "r99i1p1f1")


@pytest.fixture(scope="module")
def abrupt(shared_data):
    """Annual temperature [K] of abrupt-4xCO2 relative to piControl, of the same physics where it is there."""
    import pandas as pd

    table = pd.read_csv(shared_data / "ar6_gregory" / "tas_toa_4x_1pct_piControl_annual.csv.xz")
    control, found = table[table["exp"] == "piControl"], {}
    for (model, member), part in table[table["exp"] == "abrupt-4xCO2"].groupby(["model", "run"]):
        own = control[control["model"] == model]
        for ending in (member[member.index("p") :], member):
            same = own["run"].str.endswith(ending)
            own = own[same] if same.any() else own
        if len(own) and len(part) >= 100:
            found[model, member] = part.sort_values("yr")["tas"].to_numpy()[:150] - own["tas"].mean()
    return found


def test_the_table_follows_real_runs_of_four_times_co2(abrupt):
    """The mean misfit tells apart the controls: the archive has no branch times, and drift and other physics remain."""
    misfit, varying = {}, {}
    for key, real in abrupt.items():
        if key[1] not in cummins_members().get(key[0], ()):
            continue
        model = cummins(*key)
        ours = run(model, idealised_fraction("abrupt-4xCO2", len(real)) * model.forcing_4xco2)[1]
        difference = np.asarray(ours.temperature)[:, 0] - real
        misfit[key], varying[key] = np.sqrt(np.nanmean(difference**2)), np.nanstd(difference)
    for what, errors in (("RMSE", misfit), ("RMSE without the mean misfit", varying)):
        worst = max(errors, key=errors.get)
        print(f"{len(errors)} runs: {what} median {np.median([*errors.values()]):.3f}, {errors[worst]:.3f} K {worst}")
    assert len(misfit) > 50
    assert np.median([*misfit.values()]) < 0.15
    assert np.median([*varying.values()]) < 0.135
    assert max(varying.values()) < 0.21
