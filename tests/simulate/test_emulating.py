"""Maps of an emulator as CF data: on workers as here, flagged, and as members beside those of the models."""

import cftime
import numpy as np
import pytest
import xarray as xr

from spread.coupled import pathway
from spread.coupled.cummins import log_prior
from spread.emulator import prepare, sentences
from spread.emulator.pairs import paired_difference
from spread.emulator.training import started
from spread.errors import BadModel, Failure, NotFound
from spread.regions import REGIONS
from spread.simulate.emulating import emulate, emulated_member
from tests.emulator.emulator_worlds import RECIPE, World


@pytest.fixture(scope="module")
def emulator():
    """Of a synthetic world, with energy balances, its network untrained: the Gaussian emulator."""
    world = World(lat=6, lon=8)
    theta = np.concatenate([log_prior()[0], [0.0, 0.0, 0.0, 288.0]])
    made = prepare(world.samples(), RECIPE, True, {name: theta.tolist() for name in world.models})
    return made.emulator(started(made.space, made.facts, RECIPE)[0].best)


def one(emulator, **given):
    return emulate(emulator, "ALPHA", "ssp585", (2020, 2023), **({"members": 3} | given))


def test_it_is_cf_and_says_what_it_is(emulator):
    ds = one(emulator)
    assert ds["tas"].dims == ("member", "time", "lat", "lon")
    assert ds["tas"].shape == (3, 48, 6, 8)
    assert ds.attrs["emulated"] == "true"
    assert ds.attrs["synthetic"] == "true"
    assert "independent" in ds.attrs["time_coherence"]
    dates = cftime.num2date(ds["time"].values, ds["time"].attrs["units"], ds["time"].attrs["calendar"])
    assert [(d.year, d.month) for d in dates[:13]] == [(2020 + m // 12, m % 12 + 1) for m in range(13)]
    bounds = ds["time_bnds"].values
    np.testing.assert_array_equal(bounds[1:, 0], bounds[:-1, 1])
    assert bounds[-1, 1] - bounds[0, 0] == 4 * 365
    assert float(ds["co2e"][-1]) > float(ds["co2e"][0]) > 380
    meanings = ds["flag"].attrs["flag_meanings"].split()
    assert len(meanings) == len(ds["flag"].attrs["flag_masks"]) == 4


def test_results_do_not_depend_on_how_the_work_is_cut_or_where_it_is_done(emulator):
    from concurrent.futures import ThreadPoolExecutor

    whole = one(emulator)
    for size in (1000, 48, 7):
        xr.testing.assert_identical(one(emulator, maps_a_task=size), whole)
    with ThreadPoolExecutor(2) as pool:
        xr.testing.assert_identical(one(emulator, executor=pool, maps_a_task=16), whole)
    part = emulate(emulator, "ALPHA", "ssp585", (2022, 2022), members=2)
    np.testing.assert_array_equal(part["tas"].values, whole["tas"].values[:2, 24:36])


@pytest.mark.slow
def test_workers_of_a_cluster_draw_the_same_bits_and_get_the_weights_once(emulator):
    from spread.cluster import connected

    whole = one(emulator)
    with connected("local", 2) as executor:
        xr.testing.assert_identical(one(emulator, executor=executor, maps_a_task=24), whole)
        held = executor.hold(b"weights")
        assert executor.submit(len, held).result() == 7
        assert executor.submit(max, held, b"x").result() == b"x"


def test_daily_steps_count_days_of_the_calendar(emulator):
    from dataclasses import replace

    import equinox as eqx

    daily = eqx.tree_at(lambda e: e.local, emulator, emulator.local)
    daily = type(emulator)(
        daily.local, daily.space, daily.denoiser, daily.coherence, replace(emulator.facts, frequency="day")
    )
    for calendar, days in (("noleap", 365), ("360_day", 360), ("standard", 366)):
        ds = emulate(daily, "ALPHA", "ssp585", (2020, 2020), members=1, calendar=calendar)
        assert ds.sizes["time"] == days
        dates = cftime.num2date(ds["time"].values, ds["time"].attrs["units"], calendar)
        assert [dates[0].month, dates[-1].month, dates[-1].day] == [1, 12, 30 if days == 360 else 31]


def test_a_pathway_of_its_own_warms_less_and_is_flagged(emulator):
    plain = emulate(emulator, "ALPHA", "ssp585", (2090, 2091), members=1)
    path = pathway("ssp585", np.arange(1850, 2093), scale=0.3)
    other = emulate(emulator, "ALPHA", "ssp585", (2090, 2091), members=1, pathway=path)
    assert (other["forced_warming"] < plain["forced_warming"] - 0.5).all()
    assert (other["co2e"] < plain["co2e"] - 100).all()
    assert any("departs from" in text for text in sentences(int(other["flag"].max())))
    assert "departs" in other.attrs["emulator_flags"]
    assert "departs" not in plain.attrs["emulator_flags"]
    assert "above the range" in plain.attrs["emulator_flags"]


def test_a_member_goes_the_way_of_all_members(emulator):
    ds = one(emulator)
    member = emulated_member(ds, 1, (REGIONS["global"],))
    assert not isinstance(member, Failure)
    assert member.attrs["emulated"] == "true"
    area = np.asarray(emulator.facts.area).reshape(6, 8)
    expected = np.tensordot(ds["tas"].values[1].astype(np.float64), area, axes=2)
    np.testing.assert_allclose(member.isel(region=0).values, expected, atol=2e-4)


def test_what_is_not_there_is_said(emulator):
    with pytest.raises(NotFound, match=r"no model 'ALFA'.*ALPHA"):
        emulate(emulator, "ALFA", "ssp585", (2020, 2021))
    with pytest.raises(NotFound, match="ssp5855"):
        emulate(emulator, "ALPHA", "ssp5855", (2020, 2021))
    with pytest.raises(NotFound, match="first year before the last"):
        emulate(emulator, "ALPHA", "ssp585", (2021, 2020))
    with pytest.raises(BadModel, match="one member or more"):
        one(emulator, members=0)
    with pytest.raises(NotFound, match="numbered from 0"):
        emulated_member(one(emulator), 3, (REGIONS["global"],))


def test_pairs_of_two_scenarios_differ_by_the_scenario_alone(emulator):
    found = paired_difference(emulator, "ALPHA", ("ssp126", 1.0), ("ssp126", 1.5), 0.5, 60)
    assert found.reduction > 100
    assert np.abs(found.effect - found.unpaired_effect).max() < 5 * found.unpaired_error.max()
