"""Weights add up to one; applying them is a plain sum, however many steps are given at once."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import cuts, seeds
from synthetic import regular

from spread.grids import make_grid
from spread.operators import apply_weights, operator, region_weights
from spread.study import REGIONS, Region

GRID = make_grid(*regular(12, 16))
AREA = GRID.area()
LAND = np.random.default_rng(3).random(GRID.shape)


@settings(deadline=None, max_examples=40)
@given(st.floats(-90, 80), st.floats(5, 180), st.floats(-360, 0), st.floats(1, 360),
       st.sampled_from(["all", "land", "ocean"]))  # fmt: skip
def test_weights_of_a_region_add_up_to_one(south, height, west, width, surface):
    region = Region(name="box", lat=(south, min(south + height, 90.0)), lon=(west, west + width), surface=surface)
    weights = region_weights(GRID, [REGIONS["global"], region], AREA, LAND)
    np.testing.assert_allclose(weights.sum(axis=(1, 2)), 1.0, rtol=1e-12)
    assert (weights >= 0.0).all()


def test_land_and_ocean_share_out_the_globe():
    everything, land, ocean = region_weights(GRID, [REGIONS[n] for n in ("global", "land", "ocean")], AREA, LAND)
    share = (AREA * LAND).sum() / AREA.sum()
    np.testing.assert_allclose(share * land + (1 - share) * ocean, everything, rtol=1e-12)


def test_hemispheres_share_out_the_globe():
    names = ("global", "northern_hemisphere", "southern_hemisphere")
    everything, north, south = region_weights(GRID, [REGIONS[n] for n in names], AREA, None)
    np.testing.assert_allclose((north + south) / 2, everything, rtol=1e-12)


def test_a_variable_of_the_land_is_weighted_by_land_once():
    regions = [REGIONS["global"], REGIONS["land"]]
    everything, land = region_weights(GRID, regions, AREA, LAND, domain="land")
    np.testing.assert_allclose(everything, AREA * LAND / (AREA * LAND).sum(), rtol=1e-12)
    np.testing.assert_array_equal(everything, land)


def test_a_variable_of_the_land_has_no_ocean():
    with pytest.raises(ValueError, match="ocean"):
        region_weights(GRID, [REGIONS["ocean"]], AREA, LAND, domain="land")


def test_regions_without_cells_are_all_named():
    regions = [Region(name="one", lat=(10.0, 20.0), surface="land"), Region(name="two", surface="land")]
    with pytest.raises(ValueError, match=r"'one' holds no land .*; region 'two' holds no land"):
        region_weights(GRID, regions, AREA, np.zeros(GRID.shape))


def test_land_that_is_not_known_is_missed():
    with pytest.raises(ValueError, match="'land' needs the land share"):
        region_weights(GRID, [REGIONS["land"]], AREA, None)


@settings(deadline=None, max_examples=40)
@given(seeds, st.sampled_from([0.0, 0.1, 0.9, 1.0]), st.sampled_from([np.float32, np.float64]))
def test_sums_equal_plain_numpy_whatever_is_missing(seed, holes, dtype):
    rng = np.random.default_rng(seed)
    field = rng.normal(280.0, 20.0, (5, 12, 16)).astype(dtype)
    field[rng.random(field.shape) < holes] = rng.choice([np.nan, np.inf, -np.inf])
    weights = rng.random((3, 12, 16)) * (rng.random((3, 12, 16)) < 0.5)
    weights[1, :, 5:] = weights[2] = 0.0
    applied = apply_weights(field, weights)
    sums, present = applied.sums, applied.present
    finite = np.isfinite(field)
    clean = np.where(finite, field, 0.0).astype(np.float64)
    np.testing.assert_allclose(sums, np.einsum("tyx,ryx->tr", clean, weights), rtol=1e-12, atol=1e-10)
    np.testing.assert_allclose(present, np.einsum("tyx,ryx->tr", finite * 1.0, weights), rtol=1e-12, atol=1e-13)
    for found, extreme in ((applied.low, np.fmin), (applied.high, np.fmax)):
        np.testing.assert_array_equal(found, extreme.reduce(field.reshape(5, -1), axis=1))


@settings(deadline=None, max_examples=40)
@given(seeds, st.sampled_from([0.0, 0.02, 0.5]), st.booleans(), cuts(12))
def test_results_do_not_depend_on_how_many_steps_come_at_once(seed, holes, land, split):
    rng = np.random.default_rng(seed)
    field = rng.normal(280.0, 20.0, (12, 19, 23)).astype(np.float32)
    field[rng.random(field.shape) < holes] = np.nan
    field[:4][:, rng.random((19, 23)) < 0.3] = np.nan if land else 1.0
    weights = rng.random((4, 19, 23)) * (rng.random((4, 19, 23)) < 0.7)
    weights[1:3, :, 8:] = weights[2, :5] = 0.0  # boxes
    whole = apply_weights(field, weights)
    parts = [apply_weights(part, weights) for part in np.split(field, np.cumsum(split)[:-1])]
    for what in ("sums", "present", "low", "high"):
        joined = np.concatenate([getattr(part, what) for part in parts])
        np.testing.assert_array_equal(getattr(whole, what), joined)


@settings(deadline=None, max_examples=30)
@given(seeds, st.sampled_from([0, 1, 2, 30]))
def test_a_row_does_not_depend_on_the_other_rows(seed, holes):
    rng = np.random.default_rng(seed)
    field = rng.normal(280.0, 20.0, (4, 11, 17))
    field[:, rng.integers(11, size=holes), rng.integers(17, size=holes)] = np.nan
    weights = rng.random((5, 11, 17)) * (rng.random((5, 11, 17)) < 0.7)
    weights[1:3, :, :4] = weights[1:3, :, 9:] = 0.0  # boxes
    weights[3] = weights[0]
    together = apply_weights(field, weights)
    for k in range(5):
        alone = apply_weights(field, weights[k : k + 1])
        np.testing.assert_array_equal(together.sums[:, k], alone.sums[:, 0])
        np.testing.assert_array_equal(together.present[:, k], alone.present[:, 0])


def test_an_operator_is_made_once_for_a_grid_and_anew_for_another(monkeypatch):
    regions = [REGIONS["global"], REGIONS["arctic"]]
    first = operator(GRID, regions, AREA, LAND)
    np.testing.assert_array_equal(first.weights, region_weights(GRID, regions, AREA, LAND))
    assert operator(GRID, regions, AREA.copy(), LAND.copy()) is first
    others = [operator(GRID, regions[:1], AREA, LAND), operator(GRID, regions, AREA + 1.0, LAND),
              operator(GRID, regions, AREA, None),
              operator(make_grid(*regular(12, 8)), regions, AREA[:, :8], None)]  # fmt: skip
    assert all(other is not first for other in others)
    assert others[1].digest != first.digest
    with pytest.raises(ValueError, match="read-only"):
        first.weights[0, 0, 0] = 1.0


def test_what_no_weight_touches_may_be_missing():
    field, weights = np.ones((2, 3, 4)), np.zeros((1, 3, 4))
    weights[0, 1] = 0.25
    field[:, 0] = np.nan
    applied = apply_weights(field, weights)
    assert applied.sums.tolist() == applied.present.tolist() == [[1.0], [1.0]]


def test_the_field_is_left_alone():
    field = np.full((2, 3, 4), np.nan)
    apply_weights(field, np.ones((1, 3, 4)))
    assert np.isnan(field).all()
