"""What is changed, that only it is, that pairs are pairs, and that effects add up to the total."""

from itertools import chain, combinations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from spread.counterfactual import (
    Change,
    Drawing,
    Setup,
    attribute,
    co2_fixed,
    differences,
    factor_effects,
    fire_off,
    named,
    precipitation,
    ranges,
    run_setup,
    scaled,
    sensitivities,
    spun,
    started,
    swapped,
    warmer,
    whatif,
)  # fmt: skip
from spread.demo.land_forcing import grid_forcing, site_forcing
from spread.drivers import saturation_pressure
from spread.errors import BadModel, NotComparable, NotFound
from spread.land import LandModel, State
from spread.land.fire import NoFire
from spread.simulate import Outcome, SpinUp, parameter_values, simulate


@pytest.fixture(scope="module")
def setup():
    return Setup.of(grid_forcing(2010, 2014).isel(lat=slice(9, 13)), drawing=Drawing(4, seed=2))


def powerset(names):
    return [frozenset(c) for c in chain.from_iterable(combinations(names, n) for n in range(len(names) + 1))]


@given(st.integers(1, 5).flatmap(lambda n: st.lists(st.floats(-1e6, 1e6), min_size=2**n, max_size=2**n)))
def test_effects_add_up_to_the_total(values):
    names = "abcde"[: len(values).bit_length() - 1]
    outcomes = dict(zip(powerset(names), values, strict=True))
    effects = factor_effects(outcomes)
    total = outcomes[frozenset(names)] - outcomes[frozenset()]
    assert sum(effects.values()) == pytest.approx(total, abs=1e-12 * max(map(abs, values)) * 4 ** len(names))
    # and those of any subset to what the subset does
    for chosen in powerset(names):
        part = sum(value for term, value in effects.items() if term <= chosen)
        assert part == pytest.approx(outcomes[chosen] - outcomes[frozenset()], abs=1e-8)


@given(st.lists(st.floats(-5, 5), min_size=3, max_size=3), st.floats(-5, 5))
def test_effects_of_a_known_function(slopes, coupling):
    """f = a x + b y + c z + d x y with x, y, z in 0, 1: interactions are what the formula says."""
    a, b, c = slopes
    outcomes = {
        s: a * ("x" in s) + b * ("y" in s) + c * ("z" in s) + coupling * ({"x", "y"} <= s) for s in powerset("xyz")
    }
    effects = factor_effects(outcomes)
    expected = {"x": a, "y": b, "z": c, "xy": coupling, "xz": 0.0, "yz": 0.0, "xyz": 0.0}
    for term, value in expected.items():
        assert float(effects[frozenset(term)]) == pytest.approx(value, abs=1e-12)


def test_a_subset_that_was_not_run_is_told():
    with pytest.raises(NotComparable, match="a \\+ b"):
        factor_effects({frozenset(): 0.0, frozenset("a"): 1.0, frozenset("b"): 1.0})


def test_attribution_adds_up_for_each_draw(setup):
    made = attribute(setup, [co2_fixed(2010), warmer(2.0), precipitation(-30.0)], Outcome("nbp", 2012, 2014))
    assert made["effect"].sizes == {"term": 7, "draw": 4}
    assert made["term"].values.tolist()[:4] == ["co2-2010", "+2K", "pr-30%", "co2-2010 x +2K"]
    np.testing.assert_allclose(made["effect"].sum("term"), made["total"], rtol=0, atol=1e-14 * 1e-6)
    assert float(abs(made["effect"].sel(term="+2K x pr-30%")).max()) > 0


def test_warmer_air_is_as_humid_relatively(setup):
    before, after = setup.forcing, warmer(2.0)(setup).forcing

    def humidity(weather):
        saturated = (saturation_pressure(weather["tasmin"]) + saturation_pressure(weather["tasmax"])) / 2
        return 1 - weather["vpd"] / saturated

    np.testing.assert_allclose(humidity(after), humidity(before), atol=1e-12)
    np.testing.assert_allclose(after["tasmin"] - before["tasmin"], 2.0)
    assert (after["vpd"].values >= before["vpd"].values).all()
    xr.testing.assert_identical(after["pr"], before["pr"])
    assert warmer(2.0)(setup).reference is setup.reference


def test_co2_stays_from_its_year_on(setup):
    after = co2_fixed(2012)(setup).forcing["co2"]
    year = setup.forcing["year"].values
    np.testing.assert_array_equal(after.values[year < 2012], setup.forcing["co2"].values[year < 2012])
    assert np.ptp(after.values[year >= 2012]) == 0
    assert float(after[-1]) == pytest.approx(float(setup.forcing["co2"].values[year == 2012].mean()), rel=1e-4)
    with pytest.raises(NotFound, match="2010-2014"):
        co2_fixed(1990)(setup)


@pytest.mark.parametrize(
    "change", [co2_fixed(2012), warmer(1.0), precipitation(10.0), fire_off(), swapped(fire=NoFire()),
               scaled({"decomposition.soil": 2.0}), started("bare", State(foliar=1.0))], ids=lambda c: c.name,
)  # fmt: skip
def test_a_change_leaves_what_it_is_given(change, setup):
    before, reference = setup.forcing.copy(deep=True), setup.reference.copy(deep=True)
    model = setup.model
    change(setup)
    xr.testing.assert_identical(setup.forcing, before)
    xr.testing.assert_identical(setup.reference, reference)
    assert setup.model is model


def test_pairs_have_the_same_parameters(setup):
    other = swapped(fire=NoFire())(setup)
    theirs, ours = parameter_values(other.model), parameter_values(setup.model)
    assert set(ours) - set(theirs) == {"fire.foliar", "fire.live", "fire.soil", "fire.resilience"}
    for path, value in theirs.items():
        np.testing.assert_array_equal(value, ours[path])
    back = swapped(fire=LandModel().fire)(other)  # a new brick gets the draws that it would have had
    for path, value in parameter_values(back.model).items():
        np.testing.assert_array_equal(value, ours[path])


def test_no_change_makes_no_difference(setup):
    made = differences(whatif(setup, Change("none", "nothing", lambda given: given)))
    assert all(float(abs(field).max()) == 0 for field in made.data_vars.values())


def test_no_fire_is_no_fire_brick(setup):
    """Weather without fire and a model without fire are the same to rounding, and both let more carbon stay."""
    one, two = whatif(setup, fire_off()), whatif(setup, swapped(fire=NoFire()))
    np.testing.assert_allclose(one["cVeg"].sel(run="changed"), two["cVeg"].sel(run="changed"), rtol=1e-5)
    assert (differences(one)["cVeg"].isel(year=-1) > 0).all()


def test_scaled_parameters_are_scaled_draw_by_draw(setup):
    twice = scaled({"decomposition.soil": 2.0})(setup)
    np.testing.assert_allclose(
        parameter_values(twice.model)["decomposition.soil"],
        2 * np.asarray(parameter_values(setup.model)["decomposition.soil"]),
    )
    assert (differences(whatif(setup, scaled({"decomposition.soil": 2.0})))["rh"] > 0).all()


def test_ranges_are_quantiles_of_the_pairs(setup):
    made = differences(whatif(setup, precipitation(-30.0)))
    np.testing.assert_allclose(ranges(made)["gpp"].sel(quantile=0.5), np.median(made["gpp"], axis=0))
    with pytest.raises(NotFound, match="0 to 1"):
        ranges(made, [5, 95])


def test_the_reference_of_the_spin_up_stays():
    few = grid_forcing(2010, 2014).isel(lat=slice(10, 11))
    spun = Setup.of(few, spin_up=SpinUp(5, 2))
    changed = precipitation(-90.0)(spun)
    first = [
        simulate(s.forcing, s.model, reference=s.reference, spin_up=s.spin_up)["cSoil"].isel(time=0)
        for s in (spun, changed)
    ]
    np.testing.assert_allclose(first[0], first[1], rtol=1e-3)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("co2-1996", "co2-1996"), ("+2K", "+2K"), ("-1.5K", "-1.5K"), ("pr-30%", "pr-30%"), ("no-fire", "no-fire"),
     ("fire=NoFire", "NoFire")],
)  # fmt: skip
def test_changes_have_names(name, expected):
    assert named(name).name == expected


@pytest.mark.parametrize("name", ["co2", "2K", "pr-200%", "fire=NoFir", "fires=NoFire", "photosynthesis=Assimilation"])
def test_names_that_are_none(name):
    from spread.errors import SpreadError

    with pytest.raises(SpreadError):
        named(name)


def test_sensitivities_start_where_they_are_told():
    site = Setup.of(site_forcing(50, 2014, 2014))
    assert float(sensitivities(site, Outcome("gpp"), ["photosynthesis.efficiency"])["derivative"][0]) > 0
    with pytest.raises(BadModel, match="no spin-up"):
        sensitivities(Setup.of(site_forcing(50, 2014, 2014), spin_up=SpinUp(1, 1)), Outcome("gpp"))


def test_pairs_start_from_the_same_spun_up_state():
    """Of the reference climate and the model before the change, whatever is changed: weather, bricks, parameters."""
    few = Setup.of(grid_forcing(2013, 2014).isel(lat=slice(9, 11)), spin_up=SpinUp(2), drawing=Drawing(2))
    begun = spun(few)
    for change in (warmer(2.0), swapped(fire=NoFire()), scaled({"decomposition.soil": 2.0})):
        changed = change(begun)
        xr.testing.assert_identical(changed.state, begun.state)
        first = [run_setup(s)["cSoil"].isel(time=0) for s in (begun, changed)]
        np.testing.assert_allclose(*first, rtol=0.02, atol=1e-9)  # means of the first month
    pair = whatif(few, fire_off())
    assert pair.attrs["spun_up_of"] == 2 * few.forcing.sizes["cell"]
    xr.testing.assert_identical(
        pair.sel(run="baseline")["cSoil"], whatif(begun, fire_off()).sel(run="baseline")["cSoil"]
    )
