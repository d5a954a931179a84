"""Baselines on real maps of IPSL-CM6A-LR, beside the figures of the reference experiment.

The reference scores are of a second run of ssp585, which is not among the shared data: the warm end of its first run,
which is not learned from either, is the nearest to it that can be had.
"""

import numpy as np
import pytest

from spread.emulator.baselines import GAUSSIAN, NEAREST, RESIDUALS, WHITE_NOISE, all_baselines
from spread.emulator.comparison import Comparison
from spread.emulator.estimates import estimate
from spread.emulator.samples import Samples
from spread.emulator.scores import energy_score, fair_crps, spread_skill, variogram_score
from spread.emulator.splits import Split, held_out_member, out_of_range
from spread.emulator.variability import global_mean_deviation, spectrum_ratio

MODEL = "IPSL-CM6A-LR"
PARTS = (("historical", "r1i1p1f1"), ("historical", "r2i1p1f1"), ("ssp126", "r1i1p1f1"), ("ssp585", "r1i1p1f1"))

BEYOND = {NEAREST: 2.104, RESIDUALS: 0.935, GAUSSIAN: 0.931}
"""fCRPS [K] of the reference experiment: ssp585 r2, 2061-2100, after training on ssp126 and on ssp585 up to 2050."""


def running_line(values, window=21):
    """A straight line over 21 years about every year: forced warming, as far as one run tells it."""
    at = np.arange(len(values))
    made = np.empty(len(values))
    for year in at:
        near = np.abs(at - year) <= window // 2
        made[year] = np.polyval(np.polyfit(at[near] - year, values[near], 1), 0)
    return made


@pytest.fixture(scope="module")
def ipsl(shared_data):
    import xarray as xr

    folder = shared_data / "mesmer_ipsl"
    if not folder.is_dir():
        pytest.skip(f"the maps of {MODEL} are not here ({folder})")
    opened = [xr.open_dataset(folder / f"tas_mon_{MODEL}_{scenario}_{member}_g025.nc") for scenario, member in PARTS]
    lat, lon = opened[0].lat.values, opened[0].lon.values
    share = np.cos(np.deg2rad(lat))[:, None] * np.ones(len(lon))
    area = share / share.sum()
    maps = [each.tas.values for each in opened]
    yearly = [(each.reshape(-1, 12, *area.shape).mean(axis=1) * area).sum(axis=(1, 2)) for each in maps]
    base = yearly[0][:51].mean()
    low, high = (running_line(np.concatenate([yearly[0], each]) - base) for each in yearly[2:])
    heat = [high[:165], high[:165], low[165:], high[165:]]
    count = [len(each) for each in maps]
    year = np.concatenate(
        [first + np.arange(n) // 12 for first, n in zip((1850, 1850, 2015, 2015), count, strict=True)]
    )
    month = np.concatenate([np.arange(n) % 12 for n in count])
    return Samples(
        np.concatenate(maps).astype(np.float32), np.zeros(sum(count), int), np.repeat([0, 0, 1, 2], count),
        np.repeat(np.arange(4), count), year, (month + 0.5) / 12, 12 * year + month,
        np.concatenate([np.repeat(each, 12) for each in heat]), (MODEL,), ("historical", "ssp126", "ssp585"),
        tuple(f"{MODEL}.{scenario}.{member}" for scenario, member in PARTS), lat, lon, area,
    )  # fmt: skip


def drawn(split):
    test = split.test
    for name, each in all_baselines(split.train).items():
        maps = each.sample(MODEL, test.warming, test.day, test.step, 20, 0)
        yield name, Comparison(maps, test.tas, test.area, test.day, test.year, test.warming)


def of(score, pair):
    return estimate(score(pair))


def test_the_driver_is_that_of_the_reference(ipsl):
    ssp585 = ipsl.where(ipsl.run == 3)
    at = {int(year): heat for year, heat in zip(ssp585.year, ssp585.warming, strict=True)}
    assert (at[2050], at[2061], at[2100]) == pytest.approx((2.98, 3.67, 6.81), abs=0.02)


def test_out_of_range_the_baselines_score_as_in_the_reference(ipsl, capsys):
    split = out_of_range(ipsl.where(ipsl.scenario > 0), f"{MODEL}.ssp585.r1i1p1f1", after=2050)
    split = Split(split.kind, split.train, split.test.where(split.test.year >= 2061))
    found = {name: of(fair_crps, pair) for name, pair in drawn(split) if name in BEYOND}
    with capsys.disabled():
        for name, each in found.items():
            print(f"\nout of range, {name}: fCRPS {each.value:.4f} K, years ~{each.time_error:.3f};"
                  f" reference {BEYOND[name]:.3f}", end="")  # fmt: skip
        print()
    for name, each in found.items():
        # another realisation of the same forced climate: the error of its years is the tolerance
        assert float(each.value) == pytest.approx(BEYOND[name], abs=1.5 * float(each.time_error)), name
    ratio = float(found[RESIDUALS].value / found[GAUSSIAN].value)
    assert ratio == pytest.approx(BEYOND[RESIDUALS] / BEYOND[GAUSSIAN], abs=0.004)


def test_the_crps_cannot_tell_noise_from_weather_and_the_other_scores_can(ipsl, capsys):
    split = held_out_member(ipsl, f"{MODEL}.historical.r2i1p1f1")
    split = Split(split.kind, split.train, split.test.where(split.test.year >= 1975))
    pairs = {name: pair for name, pair in drawn(split) if name in (WHITE_NOISE, GAUSSIAN)}
    scores = (fair_crps, energy_score, variogram_score, spread_skill, global_mean_deviation, spectrum_ratio)
    found = {(name, score.__name__): of(score, pair) for name, pair in pairs.items() for score in scores}
    with capsys.disabled():
        for (name, score), each in found.items():
            print(f"\nheld-out run, {name}: {score} {np.round(each.value, 4)}", end="")
        print()
    white, gaussian = ({s.__name__: found[name, s.__name__] for s in scores} for name in (WHITE_NOISE, GAUSSIAN))
    assert float(white["fair_crps"].value / gaussian["fair_crps"].value) == pytest.approx(1, abs=0.005)
    assert (
        white["variogram_score"].value > gaussian["variogram_score"].value + 3 * white["variogram_score"].member_error
    )
    assert (
        float(white["global_mean_deviation"].value) < 0.5 < 0.85 < float(gaussian["global_mean_deviation"].value) < 1.15
    )
    # the reference found 0.26, 0.42, 1.78 and 6.09 at wavenumbers 0, 1, 5 and 10
    assert white["spectrum_ratio"].value[0] < 0.4
    assert white["spectrum_ratio"].value[10] > 4
    for each in (white, gaussian):
        assert float(each["spread_skill"].value) == pytest.approx(1.0, abs=0.05)
