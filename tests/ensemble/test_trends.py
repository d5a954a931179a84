"""Trends against polyfit, and the trends of pure noise against how much they really vary."""

import atlas
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import seeds

from spread.ensemble import internal_variability, trends
from spread.errors import NotComparable


def series(values, first=1981, **dims):
    values = np.asarray(values, dtype=float)
    names = list(dims) or [f"d{k}" for k in range(values.ndim - 1)]
    coords = {"year": np.arange(first, first + values.shape[-1])} | dims
    return xr.DataArray(values, coords, [*names, "year"], attrs={"units": "K"})


def noise(seed, shape, persistence=0.0):
    rng = np.random.default_rng(seed)
    shocks = rng.normal(0, 0.1, (*shape[:-1], shape[-1] + 50))
    out = np.zeros_like(shocks)
    for t in range(1, out.shape[-1]):
        out[..., t] = persistence * out[..., t - 1] + shocks[..., t]
    return out[..., 50:]


@settings(deadline=None, max_examples=40)
@given(seeds, st.integers(3, 40), st.floats(0.0, 0.4))
def test_a_trend_is_the_slope_of_the_least_squares_line(seed, length, holes):
    rng = np.random.default_rng(seed)
    values = rng.normal(0, 1, (3, length))
    values[rng.random(values.shape) < holes] = np.nan
    found = trends(series(values), (1981, 1980 + length), minimum_years=0.5)
    years = np.arange(1981, 1981 + length)
    for row, slope in zip(values, found.values, strict=True):
        there = np.isfinite(row)
        if there.sum() < max(3, 0.5 * length):
            assert np.isnan(slope)
        else:
            np.testing.assert_allclose(slope, 10 * np.polyfit(years[there], row[there], 1)[0], rtol=1e-7, atol=1e-9)
    assert found.attrs["units"] == "K per decade"
    assert found.attrs["years"] == f"1981-{1980 + length}"


def test_only_the_years_asked_count_and_all_of_them_must_be_there():
    values = np.concatenate([np.full(10, 99.0), 0.02 * np.arange(30)])
    assert float(trends(series(values, 1971), (1981, 2010))) == pytest.approx(0.2)
    assert np.isnan(trends(series(values, 1971), (1981, 2011)))
    assert float(trends(series(values, 1971), (1981, 2011), 0.9)) == pytest.approx(0.2)
    with pytest.raises(NotComparable, match="at least 3 years"):
        trends(series(values), (1981, 1982))


def test_inputs_are_left_alone():
    data = series(noise(0, (2, 3, 34)), source_id=["A", "B"], member_id=["r1", "r2", "r3"])
    before = data.copy(deep=True)
    trends(data, (1981, 2014))
    internal_variability(data, (1981, 2014))
    xr.testing.assert_identical(data, before)


@pytest.mark.parametrize("persistence", [0.0, 0.5])
def test_internal_variability_of_members_and_of_residuals_is_that_of_many_draws(persistence):
    truth = trends(series(noise(1, (4000, 34), persistence)), (1981, 2014)).std().item()
    data = series(
        noise(2, (40, 6, 34), persistence) + np.linspace(0, 1, 34) * np.arange(40)[:, None, None],
        source_id=[f"M{k}" for k in range(40)],
        member_id=[f"r{k}" for k in range(6)],
    )
    members = internal_variability(data, (1981, 2014))
    assert members.source == "members about their model's mean, 200 degrees of freedom"
    assert members.sd == pytest.approx(truth, rel=0.12)
    single = internal_variability(data.isel(member_id=[0]), (1981, 2014))
    assert single.source.startswith("residuals about each run's line")
    # lag-one autocorrelation of 34 residuals is biased low, and so is the standard error
    assert single.sd == pytest.approx(truth, rel=0.25)
    assert internal_variability(data.isel(member_id=0, drop=True), (1981, 2014)).sd == single.sd


def test_members_of_unequal_number_are_pooled_by_their_degrees_of_freedom():
    data = series(noise(3, (8, 4, 34)), source_id=[f"M{k}" for k in range(8)], member_id=list("abcd"))
    data[0, 1:] = np.nan
    data[1, 2:] = np.nan
    each = trends(data, (1981, 2014)).values
    pooled = sum(np.nansum((row - np.nanmean(row)) ** 2) for row in each)
    freedom = sum(np.isfinite(row).sum() - 1 for row in each)
    assert internal_variability(data, (1981, 2014)).sd == pytest.approx(np.sqrt(pooled / freedom))


def test_what_has_no_internal_variability_is_refused():
    data = series(noise(0, (2, 2, 34)), source_id=["A", "B"], member_id=["r1", "r2"])
    with pytest.raises(NotComparable, match="no run has every year of 2050-2080"):
        internal_variability(data, (2050, 2080))
    with pytest.raises(NotComparable, match="expected one region, got several"):
        internal_variability(data.expand_dims(region=["a", "b"]), (1981, 2014))
    straight = series(np.tile(np.arange(34.0), (2, 1)), source_id=["A", "B"])
    assert internal_variability(straight, (1981, 2014)).sd == pytest.approx(0.0, abs=1e-9)


def test_real_trends_and_their_variability_are_plausible(shared_data):
    years = atlas.global_years(shared_data, ("ssp585",)).isel(experiment_id=0, drop=True)
    found = trends(years, (1981, 2014))
    # CanESM5 is among the fastest of CMIP6, and most are faster than the observed 0.17: Tokarska et al. (2020), Fig. 1
    assert float(found.sel(source_id="CanESM5")) > float(found.quantile(0.8))
    assert float(found.median()) == pytest.approx(0.24, abs=0.04)
    assert float(found.min()) > 0.1
    # large ensembles: 0.03-0.05 K per decade for 30-35 years
    assert 0.02 < internal_variability(years, (1981, 2014)).sd < 0.06
