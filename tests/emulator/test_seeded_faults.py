"""Every seeded fault sets off the alarm that is named for it, and a perfect emulator sets off none."""

import numpy as np
import pytest

from spread.emulator import variability
from spread.emulator.comparison import Comparison
from spread.emulator.estimates import estimate
from spread.emulator.faults import ALARMS, FAULTS, PERFECT, seeded
from spread.emulator.gates import SPECTRUM
from spread.emulator.synthetic import SyntheticClimate

CLIMATE = SyntheticClimate()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("fault", FAULTS, ids=lambda each: each.name)
def test_a_fault_is_caught_by_its_named_alarm(fault, seed):
    rung = seeded(fault, CLIMATE, seed=seed)
    assert fault.alarm in rung
    assert not set(fault.silent) & set(rung), "another alarm knows of it too: say so in the table"


def test_every_alarm_is_needed():
    """Some fault that is named for it, or for which the others are silent."""
    assert {fault.alarm for fault in FAULTS} | {"global_sd"} == set(ALARMS)


def test_false_alarms_are_rare(capsys):
    seeds = 50
    rung = dict.fromkeys(ALARMS, 0)
    for seed in range(100, 100 + seeds):
        for name in seeded(PERFECT, CLIMATE, seed=seed):
            rung[name] += 1
    with capsys.disabled():
        print(f"\nfalse alarms of a perfect emulator in {seeds} seeds: {rung}")
    assert sum(rung.values()) <= 1


def test_the_gate_of_the_spectrum_is_seldom_missed_by_chance(capsys):
    seeds, missed = 50, 0
    for seed in range(seeds):
        truth, drawn = CLIMATE.draw(1, 1000 + 2 * seed)[0], CLIMATE.draw(10, 1001 + 2 * seed)
        pair = Comparison(drawn, truth, CLIMATE.area, CLIMATE.day, CLIMATE.year, CLIMATE.forced)
        ratio, own = (estimate(each(pair)) for each in (variability.spectrum_ratio, variability.spectrum_of_truth))
        missed += not gate_of_spectrum(ratio, own.time_error / own.value)
    with capsys.disabled():
        print(f"\nthe gate of the spectrum is missed by a perfect emulator in {missed} of {seeds} seeds")
    assert missed <= 3


def gate_of_spectrum(ratio, error):
    return bool(np.all(np.abs(ratio.value - 1) <= SPECTRUM + error))


def test_the_synthetic_climate_has_the_variance_and_the_mean_that_it_says():
    drawn = CLIMATE.draw(200, 5).astype(float)
    anomalies = (drawn - CLIMATE.mean) / CLIMATE.deviation
    assert np.abs(anomalies.mean(axis=(0, 1))).max() < 5 / np.sqrt(200 * 480)
    np.testing.assert_allclose(anomalies.std(axis=(0, 1)), 1, atol=5 / np.sqrt(2 * 200 * 480))
    power = (np.abs(np.fft.rfft(anomalies[..., 3, :])) ** 2).mean(axis=(0, 1))
    np.testing.assert_allclose(power / power[0], (1.0 + np.arange(7)) ** -2, rtol=0.03)


def test_areas_of_the_synthetic_climate_are_those_of_a_sphere():
    assert CLIMATE.area.sum() == pytest.approx(1)
    assert CLIMATE.area[:4].sum() == pytest.approx(0.5)
