import json

import numpy as np
import pytest

from spread.demo import energy_balance as eb
from spread.demo.models import MODELS

MODEL = eb.EnergyBalance((4.0, 12.0, 90.0), (1.2, 2.0, 0.7), 1.3, 7.6, (1.0, 1.0, 1.0), (0.0,) * 4)
TABLE = json.loads((eb.HERE / "energy_balance.json").read_text())["models"]


def test_equilibrium_is_forcing_over_feedback():
    final = eb.integrate(MODEL, np.full(12 * 8000, 3.7)).final
    np.testing.assert_allclose(final, 3.7 / 1.2, rtol=1e-6)


def test_one_layer_has_the_exponential_of_the_textbook():
    alone = eb.EnergyBalance((8.0, 1.0, 1.0), (1.0, 1e-12, 1e-12), 1.0, 7.6, (1.0,) * 3, (0.0,) * 4)
    final = eb.integrate(alone, np.full(120, 2.0)).final[0]
    assert final == pytest.approx(2.0 * (1 - np.exp(-10.0 / 8.0)), rel=1e-9)


def test_imbalance_is_what_the_layers_store():
    forcing = np.random.default_rng(1).normal(2.0, 3.0, (600, 4))
    response = eb.integrate(MODEL, forcing)
    heat = np.array(MODEL.capacity) @ response.final
    np.testing.assert_allclose(response.imbalance.sum(0) / 12.0, heat, rtol=1e-10)


def test_step_length_does_not_matter_for_a_constant_forcing():
    coarse, fine = eb.integrate(MODEL, np.ones(10), 1.0), eb.integrate(MODEL, np.ones(120), 1.0 / 12.0)
    np.testing.assert_allclose(coarse.final, fine.final, rtol=1e-10)
    np.testing.assert_allclose(coarse.imbalance, fine.imbalance.reshape(10, 12).mean(1), rtol=1e-10)


def test_every_demo_model_is_calibrated():
    assert set(MODELS) <= set(TABLE)
    for name in MODELS:
        assert {key for key in TABLE[name]["misfit"] if key != "historical"}, name
        assert all(
            abs(value) < (0.15 if key == "historical" else 0.1) for key, value in TABLE[name]["misfit"].items()
        ), name
        assert 285.5 < TABLE[name]["base_state"] < 288.5


def test_warming_is_that_of_the_real_models():
    for name in MODELS:
        last = 2099 if name == "CAMS-CSM1-0" else 2100
        for scenario, real in TABLE[name]["real_warming"].items():
            gap = eb.warming(name, scenario, 2081, last).mean() - real
            assert gap == pytest.approx(TABLE[name]["misfit"][scenario], abs=2e-3), (name, scenario)


def test_extra_forcing_stays_small():
    assert max(abs(value) for name in MODELS for value in TABLE[name]["ramp"]) < 0.8


def test_scenarios_are_ordered_and_continue_the_history():
    for name in MODELS:
        end = [eb.warming(name, scenario, 2081, 2100).mean() for scenario in eb.SCENARIOS]
        assert np.all(np.diff(end) > 0), name
        assert abs(eb.warming(name, "historical", 2014, 2014)[-1] - eb.warming(name, "ssp245", 2015, 2015)[0]) < 0.05
        assert abs(eb.warming(name, "historical", 1850, 1900).mean()) < 1e-12


def test_pinatubo_cools():
    for name in MODELS:
        after, before = (
            eb.warming(name, "historical", 1992, 1992).mean(),
            eb.warming(name, "historical", 1990, 1990).mean(),
        )
        assert -0.9 < after - before < -0.1


def test_carbon_dioxide():
    assert eb.co2("historical", np.array([1850.5]))[0] == pytest.approx(284.3, abs=2)
    assert eb.co2("historical", np.array([2014.0]))[0] == pytest.approx(397, abs=3)
    assert eb.co2("ssp585", np.array([2100.5]))[0] == pytest.approx(1135, abs=15)


def test_misfit_table_against_the_real_runs(shared_data):
    from spread.demo.calibrate import read_warming, window_misfit

    real = read_warming(shared_data)
    for name in MODELS:
        runs = {key: value for key, value in real[name].items() if np.isfinite(value).any()}
        misfit = window_misfit(eb.energy_balances()[name], runs)
        assert misfit == pytest.approx(TABLE[name]["misfit"], abs=2e-3)
