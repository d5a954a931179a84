"""The constraint against closed forms, against draws of a truth, and against what was published for real models."""

import atlas
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from strategies import seeds

from spread.ensemble import Predictor, as_gsat, constrain, internal_variability, trends
from spread.ensemble.assessed import WARMING_2081_2100
from spread.ensemble.constraint import predict
from spread.errors import BadStudy, NotComparable

EXACT = Predictor(0.2, 0.0, 0.0)


def ensemble(x, y):
    names = {"source_id": [f"M{k}" for k in range(np.shape(x)[-1])]}
    trend = xr.DataArray(x, names, "source_id", attrs={"units": "K per decade"})
    return trend, trend.copy(data=np.asarray(y)).assign_attrs(units="K")


def related(seed, number=30, slope=10.0, noise=0.3):
    rng = np.random.default_rng(seed)
    x = rng.normal(0.25, 0.05, number)
    return ensemble(x, 1.0 + slope * x + noise * rng.normal(0, 1, number))


@settings(deadline=None, max_examples=40)
@given(seeds, st.sampled_from(["regression", "conditional"]), st.floats(0.05, 0.4))
def test_an_exact_observation_gives_the_prediction_interval_of_the_regression(seed, method, observed):
    trend, change = related(seed)
    found = constrain(trend, change, Predictor(observed, 0.0, 0.0), method, (0.05, 0.5, 0.95))
    x, y, n = trend.values, change.values, trend.size
    fit = scipy_stats.linregress(x, y)
    residual = np.sum((y - fit.intercept - fit.slope * x) ** 2) / (n - 2)
    width = np.sqrt(residual * (1 + 1 / n + (observed - x.mean()) ** 2 / np.sum((x - x.mean()) ** 2)))
    expected = scipy_stats.t(n - 2, fit.intercept + fit.slope * observed, width).ppf([0.05, 0.5, 0.95])
    at = found.sel(estimate="constrained")
    np.testing.assert_allclose(at["quantiles"], expected, rtol=1e-9)
    np.testing.assert_allclose([at["slope"], at["intercept"]], [fit.slope, fit.intercept])
    np.testing.assert_allclose([at["correlation"], at["p_value"]], [fit.rvalue, fit.pvalue])
    raw = found.sel(estimate="raw")
    np.testing.assert_allclose([raw["mean"], raw["sd"]], [y.mean(), y.std(ddof=1)])
    np.testing.assert_allclose(raw["quantiles"], np.quantile(y, [0.05, 0.5, 0.95]))


@pytest.mark.parametrize(("observational", "internal", "members"), [(0.0, 0.0, 1), (0.03, 0.0, 1), (0.02, 0.04, 5)])
def test_many_models_give_the_conditional_moments_of_a_bivariate_normal(observational, internal, members):
    """Forced trend f ~ N(m, s2), change = a + b f + e; the truth's trend has internal variability and error."""
    rng = np.random.default_rng(8)
    number, m, s, b, e = 200_000, 0.25, 0.05, 10.0, 0.3
    forced = rng.normal(m, s, number)
    x = forced + rng.normal(0, internal / np.sqrt(members), number)
    y = 1.0 + b * forced + rng.normal(0, e, number)
    observed = 0.17
    centre, width = predict(
        x, y, np.full(number, 1 / members), Predictor(observed, observational, internal), "conditional"
    )
    total = s**2 + internal**2 + observational**2
    np.testing.assert_allclose(centre, 1.0 + b * m + b * s**2 / total * (observed - m), rtol=2e-3)
    np.testing.assert_allclose(width**2, b**2 * s**2 * (1 - s**2 / total) + e**2, rtol=1e-2)


@pytest.mark.parametrize(("observational", "internal"), [(0.0, 0.0), (0.02, 0.03)])
def test_many_models_give_the_convolution_of_the_regression(observational, internal):
    rng = np.random.default_rng(9)
    x = rng.normal(0.25, 0.05, 200_000)
    y = 1.0 + 10.0 * x + rng.normal(0, 0.3, x.size)
    centre, width = predict(x, y, np.ones(x.size), Predictor(0.17, observational, internal), "regression")
    draws = rng.normal(0.17, np.hypot(observational, internal), 400_000)
    draws = 1.0 + 10.0 * draws + rng.normal(0, 0.3, draws.size)
    np.testing.assert_allclose([centre, width], [draws.mean(), draws.std()], rtol=5e-3)


def worlds(rng, models, members, internal):
    """Models and a truth from one distribution, each run with internal variability."""
    forced = rng.normal(0.25, 0.05, models + 1)
    x = forced[:, None] + rng.normal(0, internal, (models + 1, members))
    y = 1.0 + 10.0 * forced + rng.normal(0, 0.3, models + 1)
    return x, y


@pytest.mark.parametrize(
    ("method", "members", "low", "high"),
    [("conditional", 1, 0.87, 0.93), ("conditional", 8, 0.87, 0.93), ("regression", 1, 0.90, 0.99),
     ("regression", 8, 0.87, 0.95)],
)  # fmt: skip
def test_a_truth_like_the_models_lies_in_the_range_as_often_as_said(method, members, low, high):
    """1500 worlds: conditional holds 90 %, regression at least that, and too much where models have one member."""
    rng = np.random.default_rng(5)
    inside = []
    for _ in range(1500):
        x, y = worlds(rng, 25, members, 0.03)
        seen = Predictor(x[-1, 0] + rng.normal(0, 0.01), 0.01, 0.03)
        centre, width = predict(x[:-1].mean(axis=1), y[:-1], np.full(25, 1 / members), seen, method)
        inside.append(abs(y[-1] - centre) <= width * scipy_stats.t(23).ppf(0.95))
    assert low < np.mean(inside) < high


@settings(deadline=None, max_examples=20)
@given(seeds, st.sampled_from(["regression", "conditional"]))
def test_order_and_units_change_nothing(seed, method):
    trend, change = related(seed)
    seen = Predictor(0.2, 0.01, 0.02)
    one = constrain(trend, change, seen, method)
    order = np.random.default_rng(seed).permutation(trend.size)
    xr.testing.assert_allclose(one, constrain(trend[order], change[order], seen, method), rtol=1e-9)
    years = constrain(trend / 10, change, Predictor(0.02, 0.001, 0.002), method)
    np.testing.assert_allclose(years["quantiles"], one["quantiles"], rtol=1e-9)
    np.testing.assert_allclose(years["slope"], 10 * one["slope"], rtol=1e-9)
    np.testing.assert_allclose(years["coverage"], one["coverage"])


@pytest.mark.parametrize("method", ["regression", "conditional"])
def test_coverage_counts_each_model_as_the_truth_of_the_others(method):
    rng = np.random.default_rng(6)
    runs, change = worlds(rng, 14, 3, 0.03)
    trend = xr.DataArray(runs, {"source_id": [f"M{k}" for k in range(15)]}, ("source_id", "member_id"))
    change = trend.copy(data=np.repeat(change[:, None], 3, axis=1))
    inside = 0
    for truth in range(15):
        others = np.arange(15) != truth
        # its trend is a mean of three members
        seen = Predictor(float(trend[truth].mean()), 0.0, 0.03 / np.sqrt(3))
        found = constrain(trend[others], change[others], seen, method)
        low, _, high = found["quantiles"].sel(estimate="constrained").values
        inside += low <= float(change[truth, 0]) <= high
    seen = Predictor(0.2, 0.05, 0.03)
    assert float(constrain(trend, change, seen, method)["coverage"]) == pytest.approx(inside / 15)
    assert 0 < inside < 15


def test_more_uncertainty_widens_and_a_better_relation_narrows():
    trend, change = related(1)

    def width(seen, data=change):
        return float(np.ptp(constrain(trend, data, seen)["quantiles"].sel(estimate="constrained").values))

    assert width(EXACT) < width(Predictor(0.2, 0.02, 0.0)) < width(Predictor(0.2, 0.02, 0.03))
    tight = 1.0 + 10.0 * trend + 0.1 * (change - 1.0 - 10.0 * trend)
    assert width(EXACT, tight) < 0.2 * width(EXACT)


def test_members_are_averaged_and_only_those_with_both_count():
    trend, change = related(2)
    wide = (
        trend.expand_dims(member_id=["r1", "r2", "r3"]).copy(),
        change.expand_dims(member_id=["r1", "r2", "r3"]).copy(),
    )
    wide[0].loc["r2"], wide[1].loc["r3"] = np.nan, np.nan
    wide[0].loc["r3"] = 9.0
    xr.testing.assert_allclose(constrain(*wide, EXACT), constrain(trend, change, EXACT))


def test_models_without_a_change_are_not_counted():
    trend, change = related(3)
    found = constrain(trend, change.where(change["source_id"] != "M4"), EXACT)
    assert found["count"] == 29
    kept = np.arange(30) != 4
    np.testing.assert_allclose(found["quantiles"], constrain(trend[kept], change[kept], EXACT)["quantiles"])


def test_what_is_not_related_or_too_few_is_refused_with_the_reason_and_the_rest_goes_on():
    trend, change = related(4)
    rng = np.random.default_rng(0)
    unrelated = change.copy(data=rng.normal(0, 1, 30))
    few = change.where(xr.DataArray(np.arange(30) < 8, dims="source_id"))
    three = xr.concat([change, unrelated, few], "experiment_id").assign_coords(experiment_id=["good", "bad", "few"])
    found = constrain(trend, three, EXACT)
    refused = dict(zip(found["experiment_id"].values, found["refused"].values, strict=True))
    assert refused["good"] == ""
    assert "not related across models (r = " in refused["bad"]
    assert "p = " in refused["bad"]
    assert refused["few"] == "8 models have both a trend and a change, 10 are needed"
    constrained = found.sel(estimate="constrained")
    for name in ("mean", "sd", "quantiles"):
        assert np.isfinite(constrained[name].sel(experiment_id="good")).all()
        assert np.isnan(constrained[name].sel(experiment_id=["bad", "few"])).all()
        assert np.isfinite(found.sel(estimate="raw")[name]).all()
    with pytest.raises(NotComparable, match="not related across models"):
        constrain(trend, unrelated, EXACT)
    with pytest.raises(NotComparable, match="0 models have both"):
        constrain(trend, change * np.nan, EXACT)
    with pytest.raises(NotComparable, match="all the same"):
        constrain(trend, change * 0, EXACT)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"method": "guess"}, "method: expected 'regression' or 'conditional'"),
        ({"quantiles": (0.0, 1.0)}, "quantiles: expected numbers between 0 and 1"),
        ({"predictor": Predictor(np.nan, 0.0, 0.0)}, "expected an observed trend, got nan"),
        ({"predictor": Predictor(0.2, -1.0, np.nan)}, "observational_sd of 0 or more, got -1.0; .*internal_sd"),
        ({"trend": related(0)[0].expand_dims(region=["a", "b"])}, "select one region"),
        ({"trend": related(0)[0].expand_dims(member_id=["r1"])}, "member_id in both or in neither"),
        ({"change": xr.DataArray(1.0)}, "change: expected the dimension source_id, got none"),
    ],
)
def test_bad_inputs_are_refused_in_words(values, said):
    trend, change = related(0)
    with pytest.raises(BadStudy, match=said):
        constrain(**({"trend": trend, "change": change, "predictor": EXACT} | values))


def test_inputs_are_left_alone_and_what_was_done_is_written():
    trend, change = related(0)
    change.attrs["synthetic"] = "true"
    before = trend.copy(deep=True), change.copy(deep=True)
    found = constrain(trend, change, Predictor(0.2, 0.01, 0.02))
    xr.testing.assert_identical(trend, before[0])
    xr.testing.assert_identical(change, before[1])
    assert found.attrs["synthetic"] == "true"
    assert found.attrs["method"] == "regression"
    assert (found.attrs["observed_trend"], found.attrs["observational_sd"], found.attrs["internal_sd"]) == (
        0.2,
        0.01,
        0.02,
    )
    assert found["slope"].attrs["units"] == "K / (K per decade)"


# IPCC-WG1/Chapter-4_Figure4.11, input_data/constrained_cmip6/Tokarska/*.csv, year 2090 (2081-2100), against 1995-2014:
# 5, 50 and 95 % as constrained by the trend of 1981-2017 [K]
TOKARSKA = {
    "ssp126": (0.26, 0.93, 1.59), "ssp245": (1.03, 1.79, 2.54),
    "ssp370": (1.73, 2.66, 3.58), "ssp585": (2.07, 3.38, 4.68),
}  # fmt: skip


@pytest.fixture(scope="module")
def real(shared_data):
    """Trends 1981-2017 and changes of the Atlas models, and what constrains them."""
    years, window = atlas.global_years(shared_data), (1981, 2017)
    gsat = as_gsat(atlas.igcc(shared_data))
    observed = float(trends(gsat, window))
    # assumed: 0.01 K per decade between data sets; and the conversion
    error = float(np.hypot(0.01, gsat.attrs["conversion_sd"] * observed))
    internal = internal_variability(years.sel(experiment_id="ssp585", drop=True), window)
    return trends(years, window), atlas.warming(years), Predictor(observed, error, internal.sd)


def test_real_models_are_constrained_as_published(real):
    """Other models (35 of one member), other observations, and yet Tokarska's numbers to 0.15 K."""
    found = constrain(*real)
    for scenario, published in TOKARSKA.items():
        at = found.sel(experiment_id=scenario)
        np.testing.assert_allclose(at["quantiles"].sel(estimate="constrained"), published, atol=0.15)
        assert at["correlation"] > 0.5
        assert at["count"] >= 30
        assert 0.8 < at["coverage"] <= 1.0


def test_real_models_are_lowered_towards_the_assessment(real, shared_data):
    found = constrain(*real)["quantiles"]
    for scenario in atlas.SCENARIOS:
        folder = shared_data / "ar6_gregory" / "chapter4_assessed_ranges"
        with xr.open_dataset(folder / f"assessed_{scenario}_central.nc") as data:
            assessed = float(data["mean"].isel(time=-1))
        raw, constrained = (
            float(found.sel(experiment_id=scenario, estimate=e, quantile=0.5)) for e in found["estimate"].values
        )
        assert constrained < raw
        assert abs(constrained - assessed) < 0.25
        assert assessed + 0.85 == pytest.approx(WARMING_2081_2100[scenario].best, abs=0.1)
    hot = found.sel(experiment_id="ssp585", quantile=0.95)
    assert float(hot.sel(estimate="constrained")) < float(hot.sel(estimate="raw")) - 0.5


def test_more_years_of_observations_narrow_the_real_range(shared_data):
    years, gsat = atlas.global_years(shared_data, ("ssp245",)), as_gsat(atlas.igcc(shared_data))
    widths = []
    for window in ((1981, 2008), (1981, 2024)):
        internal = internal_variability(years, window).sd
        seen = Predictor(float(trends(gsat, window)), 0.01, internal)
        found = constrain(trends(years, window), atlas.warming(years), seen)["quantiles"]
        widths.append(float(np.ptp(found.sel(estimate="constrained").values)))
    assert widths[1] < 0.95 * widths[0]
