"""Runs start from spun-up states, and go on where others ended: the same bits, on any number of workers."""

from concurrent.futures import ThreadPoolExecutor

import jax
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from spread.demo.land_forcing import grid_forcing, site_forcing
from spread.drivers import drivers
from spread.errors import BadModel, NotConforming
from spread.land import LandModel
from spread.land.phenology import KnorrPhenology
from spread.land.snow import DegreeDay
from spread.simulate import (
    FROM_KERNEL,
    Outcome,
    SpinUp,
    derivatives,
    draws,
    parameter_values,
    simulate,
    spun_up_states,
    with_parameters,
)  # fmt: skip


@pytest.fixture(scope="module")
def weather():
    return grid_forcing(2010, 2014)


@pytest.fixture(scope="module")
def few(weather):
    return drivers(weather.isel(lat=slice(9, 12), lon=slice(0, 12)))


def test_a_spun_up_run_comes_back_after_a_cycle(few):
    """Soil, wood, leaves and water at the end of the cycled years are those of their start."""
    spun = simulate(few, spin_up=SpinUp(years=5), keep_state=True, dtype="float64")
    start = spun_up_states(few, LandModel(), spin_up=SpinUp(years=5), dtype="float64")
    assert (spun["spun_up"] == 1).all()
    assert float(spun["spin_up_residual"].max()) <= 1e-6
    for pool in ("labile", "foliar", "root", "wood", "litter", "soil", "water"):
        begun, ended = (ds[f"state_{pool}"].values.ravel() for ds in (start, spun))
        np.testing.assert_allclose(ended, begun, rtol=1e-6, atol=1e-6)
    assert spun.attrs["spun_up_found"] == spun.attrs["spun_up_of"] == few.sizes["cell"]
    assert spun.attrs["spin_up"] == "to the fixed point of the first 5 whole years"


def test_it_is_where_many_cycles_lead(few):
    """Leaves and water after 200 cycles; wood and litter too, as they turn over within 30 years."""
    fast = with_parameters(LandModel(), {"decomposition.soil": 1e-3, "turnover.wood": 1e-3})
    at_once = spun_up_states(few, fast, spin_up=SpinUp(years=5), dtype="float64")
    by_cycles = spun_up_states(few, fast, spin_up=SpinUp(years=5, cycles=60), dtype="float64")
    agreeing = np.isclose(at_once["state_foliar"], by_cycles["state_foliar"], rtol=1e-4, atol=1e-3)
    assert agreeing.mean() > 0.95  # near the border between bare ground and canopy they may part
    for pool in ("wood", "litter", "soil", "water"):
        one, two = (ds[f"state_{pool}"].values[agreeing] for ds in (at_once, by_cycles))
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-3)


def test_float32_runs_are_spun_up_in_float64(few):
    """Soil with a turnover of 3,000 years: single precision would not see it change."""
    slow = with_parameters(LandModel(), {"decomposition.soil": 1e-6})
    single, double = (spun_up_states(few, slow, dtype=dtype) for dtype in ("float32", "float64"))
    assert single["state_soil"].dtype == np.float32
    np.testing.assert_array_equal(single["state_soil"], double["state_soil"].astype(np.float32))
    assert (single["spun_up"] == 1).all()


@pytest.mark.slow
def test_chunks_and_workers_change_no_bit(weather):
    many = draws(LandModel(), 16)
    whole = simulate(weather, many, spin_up=SpinUp(2), keep_state=True, blocks_a_task=100)
    with ThreadPoolExecutor(2) as executor:
        parts = simulate(weather.chunk({"lat": 3}), many, spin_up=SpinUp(2), keep_state=True, blocks_a_task=1,
                         executor=executor)  # fmt: skip
    xr.testing.assert_identical(whole, parts.compute())
    assert whole["spun_up"].dims == ("draw", "lat", "lon")


def test_what_has_no_fixed_point_is_flagged_and_run():
    """Snow that never melts."""
    cold = drivers(grid_forcing(2013, 2014).isel(lat=slice(9, 11), lon=slice(0, 8)))
    low, high = cold["tasmin"].copy(deep=True), cold["tasmax"].copy(deep=True)
    low[:, 0], high[:, 0] = -40.0, -30.0
    made = simulate(cold.assign(tasmin=low, tasmax=high), LandModel(snow=DegreeDay()), spin_up=SpinUp(2))
    assert float(made["spun_up"][0]) == 0
    assert float(made["spin_up_residual"][0]) > 1e-6
    assert (made["spun_up"][1:] == 1).mean() > 0.8
    assert made.attrs["spun_up_found"] == int(made["spun_up"].sum())
    assert np.isfinite(made["gpp"]).all()


@pytest.mark.slow
@settings(max_examples=8, deadline=None)
@given(cut=st.integers(2, 58), number=st.sampled_from([0, 3]))
def test_two_runs_in_a_row_are_one_wherever_they_are_cut(cut, number):
    """To the last bit; but a run of one step, whose program has no loop, may round its last bit otherwise."""
    one_run_and_two(cut, {}, number, False)


@pytest.mark.parametrize(
    ("cut", "bricks", "number", "spun"),
    [(31, {}, 2, True), (24, {"phenology": KnorrPhenology(), "snow": DegreeDay()}, 0, False)],
    ids=["draws, spun up", "memory and snow"],
)
def test_two_runs_in_a_row_are_one(cut, bricks, number, spun):
    one_run_and_two(cut, bricks, number, spun)


def one_run_and_two(cut, bricks, number, spun):
    """Every value of every variable of both, bit by bit."""
    whole_weather = drivers(grid_forcing(2010, 2014).isel(lat=slice(9, 12), lon=slice(0, 6)))
    model = LandModel(**bricks)
    model = draws(model, number) if number else model
    spin_up = SpinUp(2) if spun else None
    whole = simulate(whole_weather, model, spin_up=spin_up, keep_state=True)
    early, late = (whole_weather.isel(time=part) for part in (slice(0, cut), slice(cut, None)))
    past = simulate(early, model, reference=whole_weather, spin_up=spin_up, keep_state=True)
    later = simulate(late, model, past, keep_state=True)
    for name, field in whole.data_vars.items():
        if "time" in field.dims:
            np.testing.assert_array_equal(later[name].values, field.values[cut:], err_msg=str(name))
            np.testing.assert_array_equal(past[name].values, field.values[:cut], err_msg=str(name))
        else:
            np.testing.assert_array_equal(later[name].values, field.values, err_msg=str(name))
    assert later.attrs["branch_time_in_parent"] == later.attrs["branch_time_in_child"]
    assert later.attrs["parent_experiment_id"] == "land-hist"


def test_a_restart_on_a_grid_goes_through_a_file(weather, tmp_path):
    early, late = weather.isel(time=slice(0, 36)), weather.isel(time=slice(36, None))
    past = simulate(early, reference=weather, keep_state=True)
    past.to_zarr(tmp_path / "past.zarr", consolidated=False, zarr_format=3)
    kept = xr.open_zarr(tmp_path / "past.zarr", consolidated=False, decode_times=False)
    later = simulate(late, state=kept)
    whole = simulate(weather)
    for name in FROM_KERNEL:
        np.testing.assert_array_equal(later[name].values, whole[name].values[36:])


def test_states_that_do_not_fit_are_refused(few):
    kept = simulate(few, keep_state=True)
    with pytest.raises(NotConforming, match="keep_state=True"):
        simulate(few, state=kept.drop_vars("state_wood"))
    with pytest.raises(NotConforming, match="expected 2, as the model has, got 1"):
        simulate(few, draws(LandModel(), 2), kept)
    with pytest.raises(NotConforming, match="cells: expected those of the forcing"):
        simulate(few.isel(cell=slice(1, None)), state=kept)
    with pytest.raises(NotConforming, match="spin-up: expected none"):
        simulate(few, state=kept, spin_up=SpinUp())
    with pytest.raises(NotConforming, match="a whole year or more"):
        simulate(few.isel(time=slice(0, 11)), spin_up=SpinUp())


def test_parts_of_years_are_not_cycled(few):
    """From July on: the cycle begins in January."""
    july = few.isel(time=slice(6, None))
    one = spun_up_states(july, LandModel(), spin_up=SpinUp(2), dtype="float64")
    same = few.isel(time=slice(12, 36))
    other = spun_up_states(same, LandModel(), spin_up=SpinUp(2), dtype="float64")
    assert one.attrs["spin_up"].endswith("first 2 whole years")
    alike = np.isclose(one["state_foliar"], other["state_foliar"], rtol=0.2)  # the reference climates differ a little
    assert alike.mean() > 0.8


@pytest.mark.slow
@pytest.mark.parametrize("variable_id", ["gpp", "cSoil"])
def test_derivatives_go_through_the_spin_up(few, variable_id):
    """Central differences of the whole chain, spin-up and run, in float64."""
    alive = spun_up_states(few, LandModel(), spin_up=SpinUp(2))["state_foliar"].values[:, 0] > 10
    some = few.isel(cell=np.flatnonzero(alive)[:12])
    outcome, model = Outcome(variable_id, 2014, 2014), LandModel()
    paths = ["photosynthesis.efficiency", "decomposition.soil", "turnover.wood", "leaf_mass"]
    slopes = derivatives(outcome, some, model, spin_up=SpinUp(2), parameters=paths)
    assert slopes.attrs["spun_up_found"] == slopes.attrs["spun_up_of"] == some.sizes["cell"] > 3
    without = derivatives(outcome, some, model, parameters=paths)
    assert not np.allclose(slopes["derivative"], without["derivative"], rtol=0.01, atol=0)
    scale = float(abs(slopes["derivative"] * slopes["value"]).max())
    for path in paths:
        value = float(parameter_values(model)[path])
        with jax.enable_x64(True):
            up, down = (
                float(outcome.of(simulate(some, with_parameters(model, {path: value * (1 + h)}), spin_up=SpinUp(2),
                                          dtype="float64"), some))
                for h in (1e-4, -1e-4)
            )  # fmt: skip
        found = float(slopes["derivative"].sel(parameter=path))
        assert found * value == pytest.approx((up - down) / 2e-4, rel=1e-3, abs=1e-5 * scale)


def test_derivatives_through_data_or_cycles_are_refused(few):
    with pytest.raises(BadModel, match="expected a State"):
        derivatives(Outcome("nbp"), few, state=simulate(few, keep_state=True))
    with pytest.raises(BadModel, match="SpinUp"):
        derivatives(Outcome("nbp"), few, spin_up=SpinUp(cycles=3))


def test_daily_sites_are_spun_up():
    made = simulate(site_forcing(50, 2012, 2014), spin_up=SpinUp(1))
    assert float(made["spun_up"]) == 1
    assert float(made["cSoil"].mean()) > 0
