"""Samples in blocks: to the last bit the same, whichever samples are beside them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from test_training import small

from spread.diffusion import DPMSolver2M, Gaussian, GaussianMixture, MomentMatching, Observation, in_blocks, karras
from spread.errors import BadModel

CELLS = 19  # no multiple of the width of a vector register
SCHEDULE = karras(6, 0.02, 20.0)


def draw(denoiser, key):
    return DPMSolver2M().sample(denoiser, jax.random.normal(key, (CELLS,)), SCHEDULE)


def draw_guided(denoiser, row):
    key, values = row
    observed = Observation(lambda x: x[::4], values, jnp.asarray(0.1))
    return DPMSolver2M().sample(MomentMatching(denoiser, observed), jax.random.normal(key, (CELLS,)), SCHEDULE)


def denoisers():
    root = jax.random.normal(jax.random.key(0), (CELLS, CELLS))
    gaussian = Gaussian.of(jnp.zeros(CELLS), root @ root.T / CELLS)
    other = Gaussian.of(jnp.ones(CELLS), jnp.eye(CELLS))
    return {
        "Gaussian": gaussian,
        "mixture": GaussianMixture.of([0.4, 0.6], gaussian, other),
        "network of 16": small(CELLS, 16),
        "network of 77": small(CELLS, 77),
        "network of 256": small(CELLS, 256),
    }


@pytest.mark.parametrize("size", [5, 64])
@pytest.mark.parametrize("case", denoisers())
def test_a_sample_does_not_depend_on_its_neighbours(case, size):
    denoiser, keys = denoisers()[case], jax.random.split(jax.random.key(1), 83)
    whole = in_blocks(draw, keys, size, shared=denoiser)
    assert whole.shape == (83, CELLS)
    order = np.random.default_rng(0).permutation(83)
    np.testing.assert_array_equal(in_blocks(draw, keys[order], size, shared=denoiser), whole[order])
    for group in ([0], [82], list(range(7)), list(range(3, 71)), [5, 5, 5]):
        np.testing.assert_array_equal(in_blocks(draw, keys[np.array(group)], size, shared=denoiser), whole[group])


@pytest.mark.parametrize("case", ["Gaussian", "network of 77"])
def test_a_guided_sample_does_not_depend_on_its_neighbours(case):
    denoiser, keys = denoisers()[case], jax.random.split(jax.random.key(1), 40)
    values = jax.random.normal(jax.random.key(2), (40, 5))
    whole = in_blocks(draw_guided, (keys, values), 16, shared=denoiser)
    for group in (np.arange(39, -1, -1), np.arange(3, 30), np.array([7])):
        np.testing.assert_array_equal(
            in_blocks(draw_guided, (keys[group], values[group]), 16, shared=denoiser), whole[group]
        )


def test_blocks_return_what_one_call_returns():
    denoiser, keys = denoisers()["network of 16"], jax.random.split(jax.random.key(1), 10)
    alone = np.stack([draw(denoiser, key) for key in keys])
    np.testing.assert_allclose(in_blocks(draw, keys, 4, shared=denoiser), alone, atol=1e-5)


def test_trees_go_in_and_come_out():
    def function(shared, row):
        return {"sum": row["a"] + row["b"] + shared, "first": row["a"]}

    inputs = {"a": np.arange(5.0), "b": np.ones(5)}
    made = in_blocks(function, inputs, 2, shared=10.0)
    np.testing.assert_array_equal(made["sum"], np.arange(5) + 11)
    np.testing.assert_array_equal(made["first"], np.arange(5))


@pytest.mark.parametrize("inputs", [(), (np.ones(3), np.ones(4)), np.ones(0), 1.0])
def test_inputs_that_do_not_go_together_are_refused(inputs):
    with pytest.raises(BadModel, match="same first axis"):
        in_blocks(lambda shared, row: row, inputs, 2)
