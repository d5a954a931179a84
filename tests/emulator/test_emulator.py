"""Drawing maps: each is the same whatever is asked for beside it, follows its condition, and is flagged outside."""

from dataclasses import replace

import numpy as np
import pytest
from emulator_worlds import World, gaussian, prepared, trained
from hypothesis import given, settings
from hypothesis import strategies as st

from spread.emulator import Flag, sentences
from spread.emulator import emulator as module
from spread.emulator.pattern_scaling import basis
from spread.errors import BadModel, NotFound

DAY = (np.arange(12) + 0.5) / 12
STEP = 12 * 2030 + np.arange(12)
WARMING = np.linspace(1.0, 2.0, 12)


def drawn(emulator=None, model="BETA", scenario="ssp585", chosen=slice(None), warming=WARMING, **asked):
    emulator = trained() if emulator is None else emulator
    return emulator.sample(model, scenario, warming[chosen], DAY[chosen], STEP[chosen], **{"members": 4} | asked)


@pytest.mark.parametrize("coherent", [False, True])
@settings(max_examples=12, deadline=None)
@given(steps=st.permutations(range(12)), kept=st.integers(1, 12), first=st.integers(0, 3), count=st.integers(1, 4))
def test_a_map_is_the_same_to_the_bit_whatever_is_beside_it(coherent, steps, kept, first, count):
    """Chunks of time, members and the order of steps."""
    whole = drawn(coherent=coherent).tas
    chosen, members = list(steps[:kept]), min(count, 4 - first)
    made = drawn(chosen=chosen, first_member=first, members=members, coherent=coherent).tas
    np.testing.assert_array_equal(made, whole[first : first + members, chosen])


def test_maps_beyond_one_block_are_the_same_to_the_bit():
    many = drawn(members=24).tas  # 288 maps, in blocks of 128
    assert many.shape[0] * many.shape[1] > 2 * module.BLOCK
    np.testing.assert_array_equal(many[20:], drawn(first_member=20).tas)


def test_members_models_and_seeds_have_their_own_noise():
    whole = drawn(coherent=False)
    others = [drawn(seed=1), drawn(first_member=4), drawn(model="ALPHA")]
    for other in others:
        assert (np.abs(other.tas - whole.tas).max(axis=(2, 3)) > 1e-3).all()
    assert whole.tas.dtype == np.float32
    assert whole.tas.shape == (4, 12, 4, 6)


def test_two_scenarios_share_their_noise():
    """With a linear denoiser the amplitudes are the same: maps of equal warming differ in nothing."""
    first, second = drawn(gaussian(), scenario="ssp126"), drawn(gaussian(), scenario="ssp585")
    np.testing.assert_array_equal(first.tas, second.tas)
    with_network = drawn(scenario="ssp126").tas - drawn(scenario="ssp585").tas
    assert np.abs(with_network).std() < 0.05 * drawn().tas.std(axis=0).mean()


def test_noise_is_that_of_the_date():
    """The same step in another run of dates has the same noise, another step another."""
    emulator = gaussian()
    here = emulator.sample("BETA", "ssp585", np.ones(1), DAY[:1], STEP[:1], members=2).tas
    np.testing.assert_array_equal(here, drawn(emulator, warming=np.ones(12), members=2).tas[:, :1])
    later = emulator.sample("BETA", "ssp585", np.ones(1), DAY[:1], STEP[:1] + 12, members=2).tas
    assert np.abs(later - here).max() > 0.1


def test_a_gaussian_emulator_has_mean_and_variance_of_its_world():
    world = World(years=100)
    emulator = gaussian(world)
    for number, model in enumerate(world.models):
        made = emulator.sample(model, "ssp585", np.full(2, 2.0), DAY[[0, 6]], STEP[[0, 6]], members=1500).tas
        made = made.reshape(1500, 2, -1).astype(np.float64)
        given_warming = np.full(2, 2.0)
        mean, deviation = (of(number, given_warming, DAY[[0, 6]]) for of in (world.mean, world.deviation))
        # a mean of 200 years, a variance of 600 maps
        assert np.sqrt(np.mean(((made.mean(axis=0) - mean) / deviation) ** 2)) < 0.15
        assert np.mean(made.std(axis=0) / deviation) == pytest.approx(1, abs=0.05)
        found = np.corrcoef(made[:, 0].T)
        assert np.abs(found - world.correlation(number)).mean() < 0.06


def test_consecutive_maps_are_as_alike_as_the_memory_says():
    emulator = gaussian()
    memory = np.full(emulator.coherence.memory.shape, 0.8, np.float32)
    emulator = replace(emulator, coherence=replace(emulator.coherence, memory=memory))
    scaled = {}
    for coherent in (True, False):
        made = drawn(emulator, coherent=coherent, members=400, warming=np.ones(12)).tas.astype(np.float64)
        made = (made - made.mean(axis=0)) / made.std(axis=0)
        scaled[coherent] = np.mean(made[:, 1:] * made[:, :-1])
    assert scaled[False] == pytest.approx(0, abs=0.05)
    # patterns remember, what they leave does not
    space = emulator.space
    shared = np.square(np.asarray(space.rest[1])).sum(axis=1).mean()
    assert 0.8 * (1 - shared) - 0.12 < scaled[True] < 0.82


def test_an_unknown_model_is_refused_with_the_near_one():
    with pytest.raises(NotFound, match=r"emulator: it knows no model 'ALPA'; .*ALPHA"):
        drawn(model="ALPA")


def test_an_unknown_scenario_is_drawn_without_one_and_flagged():
    made = drawn(scenario="ssp245")
    assert (made.flags == Flag.UNKNOWN_SCENARIO).all()
    assert sentences(int(made.flags[0])) == ["no run of this scenario was in the training of this model"]
    assert np.isfinite(made.tas).all()
    np.testing.assert_array_equal(made.tas, drawn(scenario="anything").tas)
    assert not (made.tas == drawn(scenario="ssp585").tas).all()


def test_a_scenario_that_another_model_held_is_unknown_to_this_one():
    emulator = trained()
    facts = replace(emulator.facts, held=((0, 1), (0,)))
    emulator = replace(emulator, facts=facts)
    assert (drawn(emulator, model="ALPHA").flags == 0).all()
    assert (drawn(emulator, model="BETA").flags == Flag.UNKNOWN_SCENARIO).all()
    np.testing.assert_array_equal(drawn(emulator).tas, drawn(emulator, scenario="ssp245").tas)


def test_each_step_beyond_the_range_of_training_is_flagged():
    low, high = trained().facts.warming[1]
    made = drawn(warming=np.linspace(low - 1, high + 1, 12))
    expected = np.where(np.linspace(low - 1, high + 1, 12) > high, Flag.WARMER, 0)
    expected[np.linspace(low - 1, high + 1, 12) < low] = Flag.COLDER
    np.testing.assert_array_equal(made.flags, expected)
    both = drawn(warming=np.full(12, high + 1), scenario="ssp245", decoupled=True).flags
    assert (both == Flag.WARMER | Flag.UNKNOWN_SCENARIO | Flag.DECOUPLED).all()
    assert len(sentences(int(both[0]))) == 3
    assert sentences(0) == []


@pytest.mark.parametrize(("beyond", "end"), [(1.5, 1), (-1.5, 0)])
def test_beyond_the_range_the_mean_goes_on_and_variability_stays(beyond, end):
    """To the bit of the network: what differs is the pattern times the excess of warming, in every member."""
    emulator = trained()
    edge = emulator.facts.warming[1][end]
    at, past = (drawn(warming=np.full(12, value)).tas.astype(np.float64) for value in (edge, edge + beyond))
    exact = beyond * basis(DAY, emulator.facts.harmonics) @ np.asarray(emulator.local[1].pattern.pattern)
    np.testing.assert_allclose((past - at).reshape(4, 12, -1), np.broadcast_to(exact, (4, 12, 24)), atol=2e-4)
    assert np.abs(exact).min() > 0.3


def test_within_the_range_variability_grows_with_warming():
    emulator = gaussian(World(years=200, growth=0.5))
    cool, warm = (
        drawn(emulator, warming=np.full(12, value), members=60).tas.std(axis=0).mean() for value in (1.0, 3.5)
    )
    assert warm / cool == pytest.approx(np.exp(0.5 * 0.5 * 2.5), rel=0.1)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"warming": np.array([1.0, np.nan])}, "warming: expected numbers, one for each step"),
        ({"warming": np.array([1.0])}, "warming: expected numbers, one for each step"),
        ({"day": np.array([0.5, np.inf])}, "day: expected numbers, one for each step"),
        ({"members": 0}, "members: expected one or more, got 0"),
        ({"warming": np.array([1.0, np.nan]), "day": np.zeros(3), "members": -1}, "warming: .*; day: .*; members: "),
    ],
)
def test_conditions_that_are_not_numbers_are_refused(changed, said):
    given_all = {"warming": np.ones(2), "day": np.array([0.1, 0.2]), "step": np.arange(2), "members": 2} | changed
    with pytest.raises(BadModel, match=f"emulator: {said}"):
        trained().sample("BETA", "ssp585", **given_all)


def test_forced_warming_needs_energy_balances():
    with pytest.raises(NotFound, match="trained without energy balances; give forced warming to sample"):
        trained().warming("BETA", "ssp585", np.array([2050]), np.array([0.5]))


def test_conditions_are_not_modified():
    warming, day, step = WARMING.copy(), DAY.copy(), STEP.copy()
    trained().sample("ALPHA", "ssp126", warming, day, step, members=1)
    np.testing.assert_array_equal(warming, WARMING)
    np.testing.assert_array_equal(day, DAY)
    np.testing.assert_array_equal(step, STEP)


def test_facts_say_what_it_was_made_of():
    facts = prepared().facts
    samples = World().samples()
    assert facts.synthetic
    assert (facts.models, facts.scenarios, facts.runs) == (samples.models, samples.scenarios, samples.runs)
    assert facts.held == ((0, 1), (0, 1))
    low, high = facts.warming[0]
    assert (low, high) == (samples.warming.min(), samples.warming.max())
    np.testing.assert_allclose(facts.area, samples.area.ravel())
