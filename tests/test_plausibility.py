"""A run is refused for what no real run does, and for nothing that one did."""

import re

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from spread.plausibility import suspicious_series
from spread.vocabulary import VARIABLES

TAS = VARIABLES["tas"]
YEARS = 80
MONTHS = 12 * 1950 + np.arange(12 * YEARS)


def run(seed=0, years=YEARS, warming=0.03) -> np.ndarray:
    """Monthly global means like a model's: seasons of 1.9 K that peak in July, autocorrelated noise, warming."""
    rng = np.random.default_rng(seed)
    month = np.arange(12 * years)
    noise = np.convolve(rng.normal(0.0, 0.1, month.size + 11), np.exp(-np.arange(12) / 4.0), mode="valid")
    return 287.0 - 1.9 * np.cos(2 * np.pi * (month - 0.2) / 12.0) + warming * month / 12.0 + noise


def judged(mean, months=MONTHS, variable=TAS, frequency="mon", **options) -> list[str]:
    return suspicious_series(months, mean, variable, frequency, **options)


def fields(seed=0) -> tuple[np.ndarray, np.ndarray]:
    mean = run(seed)
    rng = np.random.default_rng(seed)
    return mean, np.stack([mean - 60.0 + rng.normal(size=mean.size), mean + 20.0 + rng.normal(size=mean.size)], axis=1)


@pytest.mark.parametrize("seed", range(20))
def test_a_sound_run_is_not_suspected(seed):
    mean, extremes = fields(seed)
    assert judged(mean, extremes=extremes, cells=100) == []
    assert judged(np.full(40, 287.0), MONTHS[:40]) == []
    assert judged(np.full(MONTHS.size, np.nan)) == []


@pytest.mark.parametrize("size", [2.5, -4.0])
@pytest.mark.parametrize("at", [30, 481, 900])
def test_a_step_is_found_where_it_is(size, at):
    mean = run()
    mean[at:] += size
    (said,) = judged(mean)
    assert f"{1950 + at // 12:04d}-{at % 12 + 1:02d}" in said
    assert "steps by" in said


def test_a_step_across_a_gap_is_no_seam():
    mean, there = run(), np.r_[0:480, 600:960]
    mean[600:] += 4.0
    assert judged(mean[there], MONTHS[there]) == []


def test_the_first_years_after_quadrupling_are_believed():
    month = np.arange(12 * YEARS)
    response = 5.0 * (1.0 - 0.5 * np.exp(-month / 36.0) - 0.5 * np.exp(-month / 2400.0))
    assert judged(run(warming=0.0) + response) == []


def test_both_thresholds_must_be_passed():
    quiet, restless = 287.0 + 0.001 * run(), 287.0 + 30.0 * (run(warming=0.0) - 287.0)
    rsut = VARIABLES["rsut"]  # no season to judge
    quiet[480:] += 9.0
    restless[480:] += 20.0
    assert judged(quiet, variable=rsut) == []
    assert judged(restless, variable=rsut) == []
    quiet[480:] += 2.0
    restless[480:] += 200.0
    assert judged(quiet, variable=rsut) != []
    assert judged(restless, variable=rsut) != []


def test_eruptions_are_believed():
    month = np.arange(12 * YEARS)
    mean = run()
    for year, size in ((13, 0.4), (41, 0.7), (60, 0.5)):
        after = np.clip(month - 12 * year - 5, 0, None)
        mean -= size * 2.7 * (after / 12.0) * np.exp(-after / 12.0)
    assert judged(mean) == []


@pytest.mark.parametrize(
    ("months", "named"), [([500], "1991-09"), ([500, 501], "1991-09..1991-10"), ([481, 490], "1990-02, 1990-11")]
)
def test_stray_months_are_named(months, named):
    mean = run()
    mean[months] -= 4.0
    (said,) = judged(mean)
    assert f": {named} off by -" in said


def test_months_named_a_month_late_from_the_middle_are_told():
    mean = run()
    mean[480:] = np.roll(mean, 1)[480:]
    (said,) = judged(mean)
    assert re.search("seasons shift by (0.9|1.0|1.1) months around 19[89]", said)


def test_seasons_of_the_other_hemisphere_are_told():
    assert "named wrongly" in judged(run(), MONTHS + 6)[0]
    assert judged(run() * 0.0 + 287.0 + 0.01 * np.arange(MONTHS.size) % 0.1) == []  # an aquaplanet has no seasons


def uptake(sign=1.0, amplitude=1e-8) -> np.ndarray:
    """Net uptake of the land: seasons that peak in July, weather."""
    rng = np.random.default_rng(0)
    return -sign * amplitude * np.cos(2 * np.pi * (np.arange(MONTHS.size) - 0.2) / 12.0) + rng.normal(
        0.0, 1e-9, MONTHS.size
    )


def test_uptake_that_is_highest_in_the_northern_winter_has_its_sign_turned():
    nbp = VARIABLES["nbp"]
    assert judged(uptake(), variable=nbp) == []
    (said,) = judged(uptake(sign=-1.0), variable=nbp)
    assert "the sign is turned" in said
    assert judged(uptake(sign=-1.0, amplitude=5e-10), variable=nbp) == []  # too weak a cycle to tell


def test_a_constant_field_is_named():
    mean, extremes = fields()
    extremes[[7, 8]] = 280.0
    assert judged(mean, extremes=extremes, cells=100) == ["values: 280 in every cell in 1950-08..1950-09"]
    assert judged(mean, extremes=extremes, cells=1) == []


def test_copied_months_are_named():
    mean, extremes = fields()
    mean[600:612], extremes[600:612] = mean[480:492], extremes[480:492]
    (said,) = judged(mean, extremes=extremes, cells=100)
    assert said == "values: 2000-01..2000-12 are bit for bit those of 1990-01..1990-12"
    assert judged(mean, extremes=extremes, cells=1) == []
    assert judged(mean + 53.0, extremes=extremes, cells=100, variable=VARIABLES["rsdt"]) == []


def test_equal_means_of_different_fields_are_no_copy():
    mean, extremes = fields()
    mean[600:612] = mean[588:600]
    assert judged(mean, extremes=extremes, cells=100) == []


def test_yearly_means_are_judged_too():
    months = 12 * np.arange(1900, 1980)
    mean = run().reshape(-1, 12).mean(axis=1)
    assert judged(mean, months, frequency="yr") == []
    mean[40:] += 3.0
    (said,) = judged(mean, months, frequency="yr")
    assert "at 1940-01" in said


def test_a_variable_without_thresholds_is_not_judged():
    assert judged(np.cumsum(run()), variable=VARIABLES["nbp"]) == []


def test_no_real_yearly_series_is_suspected(shared_data):
    """tas and radiation of piControl, 1pctCO2 and abrupt-4xCO2 of all models: 770 series, 46,000 years."""
    table = pd.read_csv(shared_data / "ar6_gregory" / "tas_toa_4x_1pct_piControl_annual.csv.xz")
    count = 0
    for name in ("tas", "rsdt", "rsut", "rlut"):
        for run_of, series in table.dropna(subset=[name]).groupby(["exp", "model", "run"]):
            series = series.drop_duplicates("yr").sort_values("yr")
            months = 12 * (series["yr"].to_numpy().astype(int) + 1000)
            assert judged(series[name].to_numpy(), months, VARIABLES[name], "yr") == [], (name, run_of)
            count += 1
    assert count > 700


@pytest.mark.slow
def test_no_real_monthly_series_is_suspected_and_every_spoilt_one_is(atlas_archive):
    rng, count = np.random.default_rng(0), 0
    for store in sorted(atlas_archive.parent.glob("CMIP6/**/.zgroup")):
        ds = xr.open_zarr(store.parent, decode_times=False)
        if "tas" not in ds or ds.sizes["time"] < 400:
            continue
        mean = ds["tas"].weighted(np.cos(np.deg2rad(ds["lat"]))).mean(("lat", "lon")).values
        time = xr.decode_cf(ds[["time"]], decode_times=xr.coders.CFDatetimeCoder(use_cftime=True))["time"]
        months = np.array([12 * t.year + t.month - 1 for t in time.values])
        assert judged(mean, months) == [], store
        at = int(rng.integers(120, mean.size - 120))
        stray, step = mean.copy(), mean.copy()
        stray[at] += 2.0
        step[at:] += 3.0
        gap_near = (np.diff(months[at - 14 : at + 14]) != 1).any()
        assert gap_near or (judged(stray, months) and judged(step, months)), store
        count += 1
    assert count > 150
