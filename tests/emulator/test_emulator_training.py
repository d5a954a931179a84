"""From samples to a trained emulator: exact resumption, falling losses, and refusals that name everything."""

from dataclasses import replace

import equinox as eqx
import jax
import numpy as np
import pytest
from emulator_worlds import RECIPE, World, gaussian, prepared, training

from spread.emulator import Recipe, load_training, prepare, save_training, train
from spread.emulator.pattern_scaling import basis
from spread.emulator.seasons import weights
from spread.errors import BadModel, Diverged


def bits(tree):
    return [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(eqx.filter(tree, eqx.is_array))]


def test_an_interrupted_training_ends_as_one_that_was_not(tmp_path):
    """Through a file, in parts of another length, as after a kill; and progress is told on the way."""
    whole, state, losses = training()
    kept, told = [], []

    class Killed(Exception):
        pass

    def keep(reached):
        save_training(tmp_path / "training", reached, prepared())
        kept.append(int(reached.step))
        if len(kept) == 3:
            raise Killed

    with pytest.raises(Killed):
        train(prepared(), keep=keep, progress=lambda *heard: told.append(heard), every=8)
    assert kept == [8, 16, 24]
    assert [heard[:2] for heard in told] == [(8, 40), (16, 40)]
    np.testing.assert_allclose([heard[2] for heard in told], [losses[:8].mean(), losses[8:16].mean()], rtol=1e-6)
    again = load_training(tmp_path / "training", prepare(World().samples(), RECIPE, synthetic=True))
    resumed, end, rest = train(prepared(), state=again)
    np.testing.assert_array_equal(rest, losses[24:])
    assert bits(end) == bits(state)
    assert bits(resumed) == bits(whole)


def test_a_finished_training_has_nothing_to_do():
    emulator, state, _ = training()
    again, end, losses = train(prepared(), state=state)
    assert losses.size == 0
    assert bits(end) == bits(state)
    assert bits(again) == bits(emulator)


def test_seeds_decide_the_first_weights():
    assert bits(gaussian(World(), replace(RECIPE, seed=1)).denoiser) != bits(gaussian().denoiser)


@pytest.mark.slow
def test_losses_fall_on_data_that_are_not_normal():
    """One half of the map is the size of the other half: uncorrelated with it, and known from it."""
    world = World(models=("ALPHA",), years=60, lat=2, lon=4)
    samples, random = world.samples(), np.random.default_rng(0)
    one = random.standard_normal((len(samples), 1, 1))
    weather = np.concatenate([one.repeat(4, axis=2), np.abs(one).repeat(4, axis=2)], axis=1)
    weather += 0.01 * random.standard_normal(weather.shape)
    samples = replace(samples, tas=(280 + samples.warming[:, None, None] + weather).astype(np.float32))
    recipe = Recipe(steps=400, batch=128, width=32, depth=1, modes=2, learning_rate=3e-3)
    _, _, losses = train(prepare(samples, recipe))
    assert losses[:10].mean() == pytest.approx(1, abs=0.1)  # the exact denoiser of normal data
    assert losses[-50:].mean() < 0.9


def test_what_is_prepared_is_the_decomposition_undone():
    """``T = mu + s q(u)`` gives the samples back from their amplitudes, where no pattern is left out."""
    world = World(models=("ALPHA",), years=20)
    samples = world.samples()
    before = samples.tas.copy()
    made = prepare(samples, replace(RECIPE, modes=24))
    np.testing.assert_array_equal(samples.tas, before)
    local, space = made.local[0], made.space.of_model(0)
    season, of_year = weights(samples.day), basis(samples.day, made.facts.harmonics).astype(np.float32)
    for at in (0, 5, 333):
        scores = space.scores(made.data[0][at], np.zeros(24, np.float32), int(samples.day[at] * 12))
        residual = local.marginals.residual(scores, season[at]) * local.scale.deviation(samples.warming[at], season[at])
        whole = local.pattern.response(samples.warming[at], of_year[at]) + residual
        np.testing.assert_allclose(whole, samples.cells[at], atol=0.1)  # 24 patterns of 24 cells, but for 0.1 %
    assert made.data[0].std() == pytest.approx(1, abs=0.02)


def test_conditions_are_standardised_over_all_samples():
    cond = prepared().data[1]
    assert np.mean(cond.warming) == pytest.approx(0, abs=1e-5)
    assert np.std(cond.warming) == pytest.approx(1, abs=1e-5)
    samples = World().samples()
    np.testing.assert_array_equal(cond.model, samples.model)
    np.testing.assert_array_equal(cond.scenario, samples.scenario)


def test_samples_that_follow_teach_the_memory():
    world = World(models=("ALPHA",), years=60, lat=2, lon=4)
    samples, random = world.samples(), np.random.default_rng(0)
    weather = random.standard_normal((len(samples), 8))
    for step in range(1, len(weather)):
        weather[step] = 0.6 * weather[step - 1] + 0.8 * weather[step]
    tas = (world.mean(0, samples.warming, samples.day) + weather).astype(np.float32)
    made = prepare(replace(samples, tas=tas.reshape(-1, 2, 4)), RECIPE)
    assert np.mean(made.coherence.memory) == pytest.approx(0.6, abs=0.05)
    alone = np.asarray(prepared(World(years=60)).coherence.memory)
    assert alone.mean() < 0.05


def test_a_recipe_names_all_of_its_breaches():
    with pytest.raises(BadModel) as raised:
        Recipe("unet", steps=0, batch=-1, learning_rate=float("nan"), modes=0, width=0, depth=0, patch=0)
    names = ("steps", "batch", "learning_rate", "modes", "width", "depth", "patch")
    for name in ("backbone: expected patterns or patches, got 'unet'", *(f"{name}: expected" for name in names)):
        assert name in str(raised.value), name


def test_a_name_without_samples_is_refused():
    samples = World().samples()
    with pytest.raises(BadModel, match="no training samples of BETA; leave the name out or add runs"):
        prepare(samples.where(samples.model == 0), RECIPE)


def test_absent_values_do_not_reach_a_training():
    """Run and date are named before anything is fitted."""
    samples = World().samples()
    tas = samples.tas.copy()
    tas[500, 1, 2] = np.nan
    with pytest.raises(BadModel, match=r"the first of ALPHA.ssp585.r1i1p1f1 in 2016, 0.708 of the year"):
        prepare(replace(samples, tas=tas), RECIPE)


def test_too_short_a_record_is_refused():
    samples = World(years=1).samples()
    with pytest.raises(BadModel, match=r"pattern scaling: 24 samples|training maps for"):
        prepare(samples, RECIPE)


def test_a_training_whose_numbers_grow_without_end_is_ended():
    made = prepared(World(), replace(RECIPE, learning_rate=1e12))
    broken = eqx.tree_at(lambda each: each.data[0], made, np.full_like(made.data[0], np.inf))
    with pytest.raises(Diverged):
        train(broken)
