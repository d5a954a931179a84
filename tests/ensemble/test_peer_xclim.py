"""The same numbers as xclim, where it is installed (it is no requirement of these tests)."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from partitions import YEARS, ensemble, random_ensemble

from spread.ensemble import PARTITION_DEFINITIONS, hawkins_sutton, internal_threshold, lafferty_sriver, robustness

peer = pytest.importorskip("xclim.ensembles", reason="xclim is not installed")

THEIRS = {"source_id": "model", "experiment_id": "scenario", "year": "time"}


def dated(data):
    # years of equal length: xclim fits its polynomials to dates
    first, number = int(data["year"].values[0]), data.sizes["year"]
    times = xr.date_range(f"{first:04d}-01-01", periods=number, freq="YS", calendar="noleap", use_cftime=True)
    return data.assign_coords(year=times).rename({k: v for k, v in THEIRS.items() if k in data.dims})


@pytest.mark.parametrize("seed", range(3))
def test_hawkins_sutton(seed):
    data = ensemble(random_ensemble(seed))
    centre, theirs = peer.hawkins_sutton(dated(data))
    ours = hawkins_sutton(data)
    for source, name in (("model", "model"), ("scenario", "scenario"), ("internal", "variability")):
        expected = theirs.sel(uncertainty=name).values
        np.testing.assert_allclose(ours["variance"].sel(source=source), expected, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(ours["mean"], centre, atol=1e-5)


@pytest.mark.parametrize("holes", [0.0, 0.3])
def test_lafferty_sriver(holes):
    values = random_ensemble(4, extra=(3,))
    values[np.random.default_rng(4).random(values.shape[:3]) < holes] = np.nan
    data = ensemble(values, dims=("source_id", "experiment_id", "downscaling", "year"))
    _, theirs = peer.lafferty_sriver(dated(data))
    ours = lafferty_sriver(data, "LS23-xclim")["variance"]
    for source in ("model", "scenario", "downscaling"):
        expected = theirs.sel(uncertainty=source).values
        np.testing.assert_allclose(ours.sel(source=source), expected, rtol=1e-6, atol=1e-9)
    expected = theirs.sel(uncertainty="variability").values
    np.testing.assert_allclose(ours.sel(source="internal"), expected, rtol=1e-4)


def test_robustness_of_yearly_variability():
    rng = np.random.default_rng(5)
    past = rng.normal(280, 0.5, (12, 20, 6))
    future = past.mean(axis=1, keepdims=True) + rng.normal(0.2, 0.5, (12, 20, 6)) * rng.uniform(0, 2, 6)
    dims = ("source_id", "year", "region")
    names = [f"M{k}" for k in range(12)]
    past, future = (
        xr.DataArray(values, dims=dims, coords={"source_id": names, "year": np.arange(first, first + 20)})
        for values, first in ((past, 1995), (future, 2081))
    )
    fractions = peer.robustness_fractions(
        dated(future).rename(model="realization"), dated(past).rename(model="realization"), test="ipcc-ar6-c"
    )
    categories = peer.robustness_categories(fractions)
    gamma = internal_threshold(past, "yearly", ddof=0)
    found = robustness(future.mean("year") - past.mean("year"), gamma, "advanced")
    np.testing.assert_allclose(found["signal"], fractions["changed"])
    np.testing.assert_allclose(found["agreement"], fractions["agree"])
    np.testing.assert_array_equal(found["robustness"], categories)
    assert len(set(found["robustness"].values)) > 1


def test_per_cent_differ_for_xclim_leaves_residuals_in_the_datas_unit():
    data = ensemble(random_ensemble(6))
    _, theirs = peer.hawkins_sutton(dated(data), kind="*")
    ours = hawkins_sutton(data, replace(PARTITION_DEFINITIONS["HS09"], kind="percent"))["variance"]
    for source in ("model", "scenario"):
        expected = 1e4 * theirs.sel(uncertainty=source).values
        np.testing.assert_allclose(ours.sel(source=source), expected, rtol=1e-3, atol=1e-7)
    # a ratio of 280 K: theirs is larger by 280 squared
    ratio = 1e4 * theirs.sel(uncertainty="variability").values / ours.sel(source="internal").values
    np.testing.assert_allclose(ratio, 280.0**2, rtol=0.05)
    assert YEARS.size == ratio.size
