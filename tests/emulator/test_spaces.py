"""Whitening of maps: unit covariance there, the covariance of the maps back again, of each model and season."""

import jax
import numpy as np
import pytest
from emulator_worlds import World

from spread.emulator.spaces import Grid, Patterns
from spread.errors import BadModel

WORLD = World(years=100, lat=6, lon=8)
SAMPLES = WORLD.samples()
CELLS = 48


def scores(seed=0):
    """Normal scores of two synthetic models whose covariances differ."""
    random = np.random.default_rng(seed)
    roots = [np.linalg.cholesky(WORLD.correlation(m)) for m in range(2)]
    made = np.empty((len(SAMPLES), CELLS))
    for m, root in enumerate(roots):
        mine = SAMPLES.model == m
        made[mine] = random.standard_normal((mine.sum(), CELLS)) @ root.T
    return made


def fitted(values, modes):
    return Patterns.fit(values, SAMPLES.model, SAMPLES.day, WORLD.area.ravel(), modes)


def drawn(space, model, month, count=20_000, seed=0):
    """Maps of normal amplitudes and normal remainders."""
    random = np.random.default_rng(seed)
    one = space.of_model(model)
    noise = random.standard_normal((count, CELLS)).astype(np.float32)
    samples = random.standard_normal((count, *space.shape)).astype(np.float32)
    return np.asarray(jax.jit(jax.vmap(lambda z, e: one.scores(z, e, month)))(samples, noise), np.float64)


def covariance(space, model, month):
    """Of maps of normal amplitudes and remainders."""
    colour = (
        np.asarray(space.patterns) @ np.asarray(space.colour[model, month]) / np.asarray(space.root_weight)[:, None]
    )
    factor = np.concatenate([colour, np.asarray(space.rest[model])], axis=1).astype(np.float64)
    return factor @ factor.T


def weighted_error(found, exact):
    """Of a covariance, relative, in the area-weighted space."""
    root = np.sqrt(WORLD.area.ravel())
    return np.linalg.norm(root[:, None] * (found - exact) * root) / np.linalg.norm(root[:, None] * exact * root)


@pytest.mark.parametrize("modes", [12, 48])
def test_white_samples_of_each_model_have_unit_covariance(modes):
    values = scores()
    _, white = fitted(values, modes)
    assert white.shape == (len(SAMPLES), modes)
    for m in range(2):
        mine = white[SAMPLES.model == m].astype(np.float64)
        # each season is drawn toward the year's covariance, so that only the year as a whole is nearly white
        # entries of a sample covariance have deviations of sqrt(2 / 2400) on the diagonal
        assert np.abs(mine.T @ mine / len(mine) - np.eye(modes)).max() < 5 * np.sqrt(2 / len(mine))


@pytest.mark.parametrize(("modes", "lost"), [(12, 0.06), (48, 2e-3)])
@pytest.mark.parametrize("model", [0, 1])
def test_decoded_normal_amplitudes_have_the_covariance_of_the_scores(modes, lost, model):
    """In closed form, over the year: patterns and what they leave have all of it, however few the patterns.

    But for what a model's own patterns share with what they leave, as the patterns are those of all models: 6 % where
    twelve patterns hold 80 %, nothing where they hold all.
    """
    values = scores()
    space, _ = fitted(values, modes)
    mine = values[SAMPLES.model == model]
    exact = mine.T @ mine / len(mine)
    found = np.mean([covariance(space, model, month) for month in range(12)], axis=0)
    assert weighted_error(found, exact) < lost
    root = np.sqrt(WORLD.area.ravel())
    assert np.sum(root**2 * np.diag(found)) == pytest.approx(np.sum(root**2 * np.diag(exact)), rel=2e-3)


def test_drawn_maps_have_the_covariance_of_the_factors():
    space, _ = fitted(scores(), 12)
    made = drawn(space, 1, 4)
    assert weighted_error(made.T @ made / len(made), covariance(space, 1, 4)) < 0.05  # of 20,000 draws


def test_the_remaining_part_is_what_patterns_leave():
    """In closed form: colour and rest as factors of the covariance."""
    values = scores()
    space, _ = fitted(values, 10)
    mine = values[SAMPLES.model == 1]
    exact = mine.T @ mine / len(mine)
    root = np.asarray(space.root_weight, np.float64)
    patterns, rest = np.asarray(space.patterns, np.float64), np.asarray(space.rest[1], np.float64)
    np.testing.assert_allclose(patterns.T @ patterns, np.eye(10), atol=1e-5)
    held = patterns @ patterns.T
    weighted = root[:, None] * exact * root
    left = (np.eye(CELLS) - held) @ weighted @ (np.eye(CELLS) - held)
    np.testing.assert_allclose(root[:, None] * (rest @ rest.T) * root, left, atol=1e-4)
    assert np.trace(left) > 0.1 * np.trace(weighted)  # ten patterns leave much: the test sees it


def test_models_keep_their_own_covariance():
    space, _ = fitted(scores(), 48)
    near, far = (np.corrcoef(drawn(space, m, 0)[:, :2].T)[0, 1] for m in (0, 1))
    assert near == pytest.approx(WORLD.correlation(0)[0, 1], abs=0.1)
    assert far == pytest.approx(WORLD.correlation(1)[0, 1], abs=0.1)
    assert near - far > 0.05


def test_seasons_have_their_own_covariance():
    """A model whose first half of the map varies in northern winter only."""
    random = np.random.default_rng(3)
    values = random.standard_normal((len(SAMPLES), CELLS))
    winter = np.cos(2 * np.pi * SAMPLES.day) > 0
    values[~winter, : CELLS // 2] *= 0.3
    space, _ = fitted(values, 48)
    january, july = (drawn(space, 0, month)[:, : CELLS // 2].std() for month in (0, 6))
    # 600 maps of a season over 48 patterns: 7 % are taken from the year's covariance
    share = 600 / (600 + 48)
    year = (1 + 0.3**2) / 2
    assert january**2 == pytest.approx(share + (1 - share) * year, rel=0.06)
    assert july**2 == pytest.approx(share * 0.3**2 + (1 - share) * year, rel=0.06)


def test_white_samples_decode_to_their_maps():
    values = scores()
    space, white = fitted(values, 48)
    for at in (0, 7, 2405):
        month = int(SAMPLES.day[at] * 12)
        one = space.of_model(int(SAMPLES.model[at]))
        np.testing.assert_allclose(one.scores(white[at], np.zeros(CELLS), month), values[at], atol=2e-4)


def test_as_many_patterns_as_the_variance_needs():
    random = np.random.default_rng(5)
    values = random.standard_normal((len(SAMPLES), 5)) @ random.standard_normal((5, CELLS))
    space, _ = fitted(values, 48)
    assert space.shape == (5,)
    assert np.abs(np.asarray(space.rest)).max() < 0.05 * values.std()


def test_too_few_maps_for_the_patterns():
    values = scores()
    few = np.concatenate([np.arange(2400), 2400 + np.arange(60)])
    with pytest.raises(BadModel, match="model number 1 has 60 training maps for 47 patterns; give at least 71 maps or"
                       " ask for at most 40 patterns"):  # fmt: skip
        Patterns.fit(values[few], SAMPLES.model[few], SAMPLES.day[few], WORLD.area.ravel(), 48)
    Patterns.fit(values[few], SAMPLES.model[few], SAMPLES.day[few], WORLD.area.ravel(), 40)


def test_the_grid_is_its_own_space():
    grid = Grid((6, 8))
    field = np.random.default_rng(0).standard_normal((6, 8))
    np.testing.assert_array_equal(grid.of_model(1).scores(field, np.ones(48), 3), field.ravel())
    assert grid.shape == (6, 8)
