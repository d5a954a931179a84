"""The partition of downscaled projections, against plain loops, a closed form and the published answer."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from partitions import ensemble, random_ensemble
from strategies import seeds

from spread.ensemble import PARTITION_DEFINITIONS, lafferty_sriver
from spread.errors import NotComparable

YEARS = np.arange(2015, 2101)
DIMS = ("source_id", "experiment_id", "downscaling", "year")
LS23, XCLIM = PARTITION_DEFINITIONS["LS23"], PARTITION_DEFINITIONS["LS23-xclim"]
SOURCES = ("model", "scenario", "downscaling", "internal")


def downscaled(seed, methods=3, holes=0.0, models=5):
    values = random_ensemble(seed, models=models, years=YEARS, extra=(methods,))
    values += np.random.default_rng(seed).normal(0, 1, (1, 1, methods, 1))
    values[np.random.default_rng(seed).random(values.shape[:3]) < holes] = np.nan
    return ensemble(values, years=YEARS, dims=DIMS)


def in_loops(data, lone):
    """The four variances by loops over runs, with the weights of the paper's code or of xclim."""
    values = data.transpose(*DIMS).values
    fits, rolling = np.full(values.shape, np.nan), []
    for at in np.ndindex(values.shape[:3]):
        if np.isfinite(values[at]).all():
            fits[at] = np.polynomial.Polynomial.fit(YEARS, values[at], 4)(YEARS)
            rest = values[at] - fits[at]
            rolling.append(
                [rest[t - 5 : t + 6].var() if 5 <= t < YEARS.size - 5 else np.nan for t in range(YEARS.size)]
            )
    scenario = np.var([np.nanmean(fits[:, s], axis=(0, 1)) for s in range(4)], axis=0)

    def averaged(groups):
        total, weight = 0.0, 0.0
        for group in groups:
            group = group[np.isfinite(group).all(axis=1)]
            if len(group) > 1 or (len(group) == 1 and lone == "zero"):
                total, weight = total + len(group) * group.var(axis=0), weight + len(group)
        return total / weight

    model = averaged([fits[:, s, d] for s in range(4) for d in range(fits.shape[2])])
    downscaling = averaged([fits[m, s] for m in range(len(fits)) for s in range(4)])
    return model, scenario, downscaling, np.mean(rolling, axis=0)


@settings(max_examples=20, deadline=None)
@given(seeds, st.sampled_from([0.0, 0.2, 0.5]), st.sampled_from([LS23, XCLIM]))
def test_every_source_equals_plain_loops(seed, holes, how):
    data = downscaled(seed, holes=holes)
    data[:, :, 0] = data[:, :, 0].fillna(downscaled(seed)[:, :, 0])  # one method is complete
    data[0] = data[0].fillna(downscaled(seed)[0])  # and one model
    found = lafferty_sriver(data, how)["variance"]
    for source, expected in zip(SOURCES, in_loops(data, how.lone), strict=True):
        np.testing.assert_allclose(found.sel(source=source), expected, rtol=1e-7, atol=1e-10, err_msg=source)


def test_effects_that_add_come_back():
    rng = np.random.default_rng(1)
    a, b, c = rng.normal(0, 2, 6), rng.normal(0, 1, 4), rng.normal(0, 0.5, 3)
    p = ((YEARS - 2015) / 85) ** 2
    values = (10 + a[:, None, None, None] + b[None, :, None, None] + c[None, None, :, None]) * p
    found = lafferty_sriver(ensemble(values, years=YEARS, dims=DIMS))["variance"].sel(year=slice(2020, 2095))
    p = p[5:-5]
    for source, effect in (("model", a), ("scenario", b), ("downscaling", c)):
        np.testing.assert_allclose(found.sel(source=source), effect.var() * p**2, rtol=1e-6, atol=1e-10)
    np.testing.assert_allclose(found.sel(source="internal"), 0.0, atol=1e-18)


def test_a_complete_ensemble_needs_no_weights():
    data = downscaled(2)
    np.testing.assert_array_equal(lafferty_sriver(data, LS23)["variance"], lafferty_sriver(data, XCLIM)["variance"])


def test_a_variance_across_one_method_is_unknown_and_not_zero():
    data = downscaled(3)
    data[1:, :, 1:] = np.nan  # all models but one are downscaled by one method
    ours, theirs = (
        lafferty_sriver(data, how)["variance"].sel(source="downscaling", year=2090) for how in (LS23, XCLIM)
    )
    alone = lafferty_sriver(data.isel(source_id=[0, 0]).assign_coords(source_id=["A", "B"]))
    np.testing.assert_allclose(ours, alone["variance"].sel(source="downscaling", year=2090), rtol=1e-10)
    np.testing.assert_allclose(theirs, ours * 3 / (3 + 4), rtol=1e-10)


def test_the_window_does_not_reach_the_first_and_last_years():
    found = lafferty_sriver(downscaled(4))
    known = found["year"][found["total"].notnull()]
    assert (known.min(), known.max()) == (2020, 2095)
    np.testing.assert_allclose(found["share"].sel(year=slice(2020, 2095)).sum("source"), 100.0, rtol=1e-12)


def test_a_model_that_a_method_did_for_some_scenarios_is_kept_dropped_or_refused():
    data = downscaled(5)
    data[1, 3, 2] = np.nan
    assert lafferty_sriver(data).attrs["lacking"] == "M1 downscaling2: no ssp585"
    dropped = data.copy()
    dropped[1, :, 2] = np.nan
    np.testing.assert_array_equal(
        lafferty_sriver(data, complete="drop")["variance"], lafferty_sriver(dropped)["variance"]
    )
    with pytest.raises(NotComparable, match="M1 downscaling2: no ssp585; expected every model"):
        lafferty_sriver(data, complete="refuse")


def test_other_definitions_are_refused_with_what_to_do():
    with pytest.raises(NotComparable, match="expected internal='rolling'"):
        lafferty_sriver(downscaled(6), "HS09")
    with pytest.raises(NotComparable, match="no dimension downscaling"):
        lafferty_sriver(downscaled(6).isel(downscaling=0))


def test_scenario_variance_within_models():
    data = downscaled(6)
    found = lafferty_sriver(data, replace(LS23, scenario_within_models=True))["variance"].sel(source="scenario")
    fits = [np.polynomial.Polynomial.fit(YEARS, run, 4)(YEARS) for run in data.transpose(*DIMS).values.reshape(-1, 86)]
    expected = np.reshape(fits, (5, 4, 3, 86)).var(axis=1).mean(axis=(0, 1))
    np.testing.assert_allclose(found, expected, rtol=1e-7)


@pytest.fixture(scope="module")
def seattle(shared_data):
    table = pd.read_csv(shared_data / "uncertainty_partition" / "seattle_avg_tas.csv")
    table = table.rename(
        columns={"ssp": "experiment_id", "ensemble": "downscaling", "model": "source_id", "time": "year"}
    )
    return xr.Dataset.from_dataframe(table.set_index(list(DIMS)))["tas"]


def test_the_shares_of_seattle_are_those_that_xclim_publishes(seattle):
    found = lafferty_sriver(seattle, "LS23-xclim")["share"].sel(year=2090)
    for source, share in zip(SOURCES, (36.0, 43.7, 11.6, 8.7), strict=True):
        assert found.sel(source=source).item() == pytest.approx(share, abs=0.1)


def test_the_papers_own_weights_move_them_little(seattle):
    # made once with the formulas of the code that was published with the paper, in plain xarray
    found = lafferty_sriver(seattle, "LS23")["share"].sel(year=2090)
    np.testing.assert_allclose(found.sel(source=list(SOURCES)), (35.91, 43.60, 11.79, 8.70), atol=0.01)
