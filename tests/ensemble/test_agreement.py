"""Agreement between models, against cases by hand, closed forms and plain loops."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t as student
from strategies import seeds

from spread.ensemble import ROBUSTNESS_CLASSES, internal_threshold, robustness, sign_agreement
from spread.errors import BadStudy, NotComparable


def models(values, dims=("source_id",)):
    values = np.asarray(values, dtype=float)
    return xr.DataArray(
        values, dims=dims, coords={"source_id": [f"M{k}" for k in range(values.shape[0])]}, attrs={"units": "K"}
    )


def named(result):
    return [ROBUSTNESS_CLASSES[result.attrs["method"]][k] for k in np.atleast_1d(result["robustness"].values)]


@pytest.mark.parametrize(
    ("change", "share"),
    [
        ([1, 2, 3, 4], 1.0),
        ([-1, -2, -3, 4], 0.75),
        ([1, -1], 0.5),
        ([0, 0, 0, 1], 0.25),  # no change agrees with neither sign
        ([0, 0], 0.0),
        ([1, np.nan, 1, -1], 2 / 3),
        ([np.nan, np.nan], np.nan),
        ([np.inf, 1, -1], 0.5),  # per cent of nothing
    ],
)
def test_agreement_on_the_sign(change, share):
    np.testing.assert_equal(sign_agreement(models(change)).item(), share)


def test_four_of_five_agree_enough_and_just_fewer_do_not():
    assert named(robustness(models([1, 1, 1, 1, -1]))) == ["high_model_agreement"]
    assert named(robustness(models([1] * 24 + [-1] * 6))) == ["high_model_agreement"]
    assert named(robustness(models([1] * 23 + [-1] * 7))) == ["low_model_agreement"]


@pytest.mark.parametrize(
    ("large", "small_same", "small_other", "large_other", "name"),
    [
        (66, 34, 0, 0, "robust_signal"),
        (66, 14, 20, 0, "robust_signal"),  # all models are asked for the sign, not only those with a signal
        (66, 13, 21, 0, "conflicting_signals"),
        (65, 35, 0, 0, "no_change_or_no_robust_signal"),
        (40, 10, 10, 40, "conflicting_signals"),
        (0, 100, 0, 0, "no_change_or_no_robust_signal"),
        (80, 0, 0, 20, "robust_signal"),
        (79, 0, 0, 21, "conflicting_signals"),
    ],
)
def test_the_advanced_classes(large, small_same, small_other, large_other, name):
    change = [2.0] * large + [0.5] * small_same + [-0.5] * small_other + [-2.0] * large_other
    found = robustness(models(change), models(np.ones(100)), "advanced")
    assert named(found) == [name]
    assert found["signal"].item() == pytest.approx((large + large_other) / 100)
    assert found["models"].item() == 100


def test_a_change_as_large_as_gamma_does_not_exceed_it():
    assert robustness(models([1.0, 1.0]), models([1.0, 1.0]), "advanced")["signal"].item() == 0.0


def test_models_without_a_value_have_no_vote_and_are_counted():
    change = models([[1, 1], [2, np.nan], [np.nan, np.nan], [-1, 3]], ("source_id", "region"))
    found = robustness(change)
    np.testing.assert_array_equal(found["models"], [3, 2])
    np.testing.assert_array_equal(found["left_out"], [1, 2])
    np.testing.assert_allclose(found["agreement"], [2 / 3, 1.0])
    gamma = models([0.5, 0.5, 0.5, np.nan])
    advanced = robustness(change, gamma, "advanced")
    np.testing.assert_array_equal(advanced["models"], [2, 1])
    assert named(advanced) == ["robust_signal", "too_few_models"]


def test_one_model_does_not_agree_with_itself_unless_asked():
    change = models([[1, np.nan], [np.nan, np.nan]], ("source_id", "region"))
    assert named(robustness(change)) == ["too_few_models", "too_few_models"]
    assert named(robustness(change, fewest=1)) == ["high_model_agreement", "too_few_models"]


def by_hand(change, gamma, share, signal):
    """Classes of one place, by counting."""
    votes = [(c, g) for c, g in zip(change, gamma, strict=True) if np.isfinite(c) and np.isfinite(g)]
    if len(votes) < 2:
        return 0
    agree = max(sum(c > 0 for c, _ in votes), sum(c < 0 for c, _ in votes)) / len(votes)
    beyond = sum(abs(c) > g for c, g in votes) / len(votes)
    if beyond < signal:
        return 2
    return 1 if agree >= share else 3


@settings(max_examples=60, deadline=None)
@given(seeds, st.sampled_from([0.0, 0.3, 0.8]), st.sampled_from([(0.8, 0.66), (0.9, 0.5)]), st.integers(2, 12))
def test_maps_equal_counting_place_by_place(seed, holes, thresholds, number):
    rng = np.random.default_rng(seed)
    change = rng.normal(0.7, 1.0, (number, 3, 4))
    change[rng.random(change.shape) < holes] = np.nan
    gamma = rng.uniform(0.1, 1.0, (number, 3, 4))
    dims = ("source_id", "lat", "lon")
    found = robustness(models(change, dims), models(gamma, dims), "advanced", "source_id", *thresholds)
    assert found["robustness"].dtype == np.int8
    for at in np.ndindex(3, 4):
        expected = by_hand(change[:, *at], gamma[:, *at], *thresholds)
        assert found["robustness"].values[at] == expected
    order = rng.permutation(number)
    xr.testing.assert_identical(
        robustness(
            models(change, dims).isel(source_id=order), models(gamma, dims), "advanced", "source_id", *thresholds
        ),
        found,
    )


def test_classes_carry_their_meaning_and_can_be_stored(tmp_path):
    found = robustness(models([1.0, 2.0]), models([0.1, 0.1]), "advanced")
    attrs = found["robustness"].attrs
    assert attrs["flag_values"].dtype == found["robustness"].dtype
    assert attrs["flag_meanings"].split()[found["robustness"].item()] == "robust_signal"
    assert len(attrs["flag_values"]) == len(attrs["flag_meanings"].split())
    assert (found.attrs["agreement_threshold"], found.attrs["signal_threshold"]) == (0.8, 0.66)
    found.to_netcdf(tmp_path / "robustness.nc")
    stored = xr.open_dataset(tmp_path / "robustness.nc")
    np.testing.assert_array_equal(stored["robustness"], found["robustness"])


def yearly(values):
    return xr.DataArray(values, dims=("source_id", "year")[-np.ndim(values) :], attrs={"units": "K"})


def test_gamma_of_a_control_run_is_that_of_its_20_year_means():
    rng = np.random.default_rng(1)
    values = rng.normal(0, 0.2, (3, 500))
    found = internal_threshold(yearly(values))
    x = np.arange(500)
    for row, gamma in zip(values, found.values, strict=True):
        rest = row - np.polynomial.Polynomial.fit(x, row, 2)(x)
        sigma = np.std([rest[k : k + 20].mean() for k in range(0, 500, 20)], ddof=1)
        assert gamma == pytest.approx(np.sqrt(2) * 1.645 * sigma, rel=1e-10)
    assert found.attrs["units"] == "K"


def test_gamma_of_single_years_is_that_of_their_deviations_from_a_line():
    values = np.random.default_rng(2).normal(0, 0.2, 20)
    x = np.arange(20)
    rest = values - np.polynomial.Polynomial.fit(x, values, 1)(x)
    for ddof in (0, 1):
        found = internal_threshold(yearly(values), "yearly", ddof=ddof)
        assert found.item() == pytest.approx(np.sqrt(2 / 20) * 1.645 * np.std(rest, ddof=ddof), rel=1e-10)


def test_a_trend_is_no_variability():
    x = np.arange(500) / 500
    drift = 3 + 2 * x + 5 * x**2
    noise = np.random.default_rng(3).normal(0, 0.2, 500)
    same = internal_threshold(yearly(noise)).item()
    assert internal_threshold(yearly(noise + drift)).item() == pytest.approx(same, rel=1e-9)
    assert internal_threshold(yearly(drift)).item() == pytest.approx(0.0, abs=1e-12)
    line = internal_threshold(yearly(noise + 100 * x), "yearly").item()
    assert line == pytest.approx(internal_threshold(yearly(noise), "yearly").item(), rel=1e-9)


def test_white_noise_exceeds_gamma_as_often_as_students_t_says():
    rng = np.random.default_rng(4)
    difference = rng.normal(0, np.sqrt(2 / 20), (1000, 1000))  # of two 20-year means of white noise
    # nominally one of ten cases; 25 means of which three parameters of a trend are taken leave 22 degrees of freedom
    for length, sigma, left, divisor in ((500, "control", 22, 24), (200, "yearly", 198, 199)):
        gamma = internal_threshold(yearly(rng.normal(0, 1, (1000, length))), sigma)
        expected = 2 * student.sf(1.645 * np.sqrt(left / divisor), left)
        assert np.mean(np.abs(difference) > gamma.values[:, None]) == pytest.approx(expected, abs=0.006)


def test_years_that_lack_are_left_out_each_series_on_its_own():
    rng = np.random.default_rng(5)
    values = rng.normal(0, 0.2, (4, 300))
    values[1, :107] = np.nan  # begins later: its means begin later, too
    values[2, [30, 31]] = np.nan  # one mean lacks years
    values[3] = np.nan
    found = internal_threshold(yearly(values)).values
    assert found[0] == pytest.approx(internal_threshold(yearly(values[0])).item(), rel=1e-12)
    assert found[1] == pytest.approx(internal_threshold(yearly(values[1, 107:])).item(), rel=1e-10)
    x = np.flatnonzero(np.isfinite(values[2]))
    rest = values[2] - np.polynomial.Polynomial.fit(x, values[2, x], 2)(np.arange(300))
    means = [rest[k : k + 20].mean() for k in range(0, 300, 20) if k != 20]
    assert found[2] == pytest.approx(np.sqrt(2) * 1.645 * np.std(means, ddof=1), rel=1e-10)
    assert np.isnan(found[3])


def test_too_few_values_give_no_gamma():
    values = np.random.default_rng(6).normal(0, 0.2, 99)
    assert np.isnan(internal_threshold(yearly(values)).item())
    assert np.isfinite(internal_threshold(yearly(values), fewest=4).item())
    gap = np.random.default_rng(6).normal(0, 0.2, 100)
    assert np.isfinite(internal_threshold(yearly(gap)).item())
    gap[50] = np.nan  # four whole means are left
    assert np.isnan(internal_threshold(yearly(gap)).item())
    assert np.isnan(internal_threshold(yearly(values[:9]), "yearly").item())


@settings(max_examples=20, deadline=None)
@given(seeds, st.sampled_from(["control", "yearly"]), st.floats(0.01, 1000.0))
def test_gamma_follows_the_unit_and_not_the_offset(seed, sigma, factor):
    values = np.random.default_rng(seed).normal(0, 0.3, (2, 200))
    gamma = internal_threshold(yearly(values), sigma)
    np.testing.assert_allclose(internal_threshold(yearly(280 + factor * values), sigma), factor * gamma, rtol=1e-6)


def test_what_cannot_be_told_is_refused():
    change = models([1.0, 2.0])
    with pytest.raises(BadStudy, match=r"needs gamma.*internal_threshold"):
        robustness(change, method="advanced")
    with pytest.raises(BadStudy, match=r"got 'both'; agreement: expected a share in 0..1, got 80"):
        robustness(change, method="both", agreement=80)
    with pytest.raises(NotComparable, match="expected the dimension 'source_id'"):
        sign_agreement(change.rename(source_id="model"))
    with pytest.raises(NotComparable, match="gamma has none of the models"):
        robustness(change, change.assign_coords(source_id=["X", "Y"]), "advanced")
    with pytest.raises(NotComparable, match="names of the models"):
        robustness(change, change.drop_vars("source_id"), "advanced")
    places = models([[1.0, 2.0], [1.0, 2.0]], ("source_id", "lat")).assign_coords(lat=[10.0, 20.0])
    with pytest.raises(NotComparable, match="at the same places"):
        robustness(places, abs(places).assign_coords(lat=[10.0, 20.000001]), "advanced")
    with pytest.raises(BadStudy, match="'control' or 'yearly', got 'decadal'"):
        internal_threshold(yearly(np.zeros(200)), "decadal")


def test_gamma_is_matched_by_name_and_a_model_without_one_has_no_vote():
    change, gamma = models([1.0, 2.0, 3.0]), models([0.5, 1.5, 10.0])
    whole = robustness(change, gamma, "advanced")
    xr.testing.assert_identical(robustness(change, gamma.isel(source_id=[2, 0, 1]), "advanced"), whole)
    part = robustness(change, gamma.isel(source_id=[2, 0]), "advanced")
    assert (part["models"].item(), part["left_out"].item()) == (2, 1)
    shared = robustness(change, xr.DataArray(1.5), "advanced")
    assert shared["signal"].item() == pytest.approx(2 / 3)


def test_inputs_are_left_alone():
    change, gamma = models([1.0, np.nan]), models([0.5, 1.5])
    before = change.copy(deep=True), gamma.copy(deep=True)
    robustness(change, gamma, "advanced")
    xr.testing.assert_identical(change, before[0])
    xr.testing.assert_identical(gamma, before[1])


def test_gamma_of_real_control_runs_and_their_warming(shared_data):
    """piControl and abrupt-4xCO2 of CMIP6: gamma of global means is about a tenth of a kelvin, warming is robust."""
    table = pd.read_csv(shared_data / "ar6_gregory" / "tas_toa_4x_1pct_piControl_annual.csv.xz")
    table = table.drop_duplicates(["model", "exp", "yr"])
    runs = {exp: part.pivot(index="model", columns="yr", values="tas") for exp, part in table.groupby("exp")}
    control, warmed = (
        xr.DataArray(frame, dims=("source_id", "year"))
        for frame in runs["piControl"].align(runs["abrupt-4xCO2"], join="inner", axis=0)
    )
    gamma = internal_threshold(control)
    known = gamma.dropna("source_id")
    assert known.size > 15
    assert 0.03 < float(known.median()) < 0.2
    change = warmed.sel(year=slice(131, 150)).mean("year") - control.mean("year")
    found = robustness(change, gamma, "advanced")
    assert named(found) == ["robust_signal"]
    assert found["agreement"].item() == found["signal"].item() == 1.0
    assert found["left_out"].item() == int((gamma + change).isnull().sum()) == 1
    assert found["models"].item() == 40
