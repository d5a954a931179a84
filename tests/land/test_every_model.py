"""The full product of bricks, compiled once: each model conserves, stays positive and has finite gradients."""

import equinox as eqx
import every_model
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import worlds
from bricks import SLOTS, allowed
from every_model import CELLS, ULP, one_step
from switched import CHOICES, KINDS, choices, switched, turned

from spread.land import State, draw, parameters_of


def drawn_brick(brick, key):
    """Parameters of a brick from the whole prior, edges included."""
    brick = draw(brick, key, CELLS)
    return worlds.on_edges(brick, jax.random.fold_in(key, 1)) if parameters_of(brick) else brick


def everything(dtype):
    """All bricks in one model, pools, weather and places."""
    keys = {slot: jax.random.key(number) for number, slot in enumerate(KINDS)}
    model = switched(
        lambda slot: [drawn_brick(brick, jax.random.fold_in(keys[slot], k)) for k, brick in enumerate(SLOTS[slot])]
    )
    model = draw(model, jax.random.key(3), CELLS)  # what has no choice
    _, state, forcing, site = worlds.anything(3, CELLS)
    return jax.tree.map(lambda x: x.astype(dtype) if eqx.is_inexact_array(x) else x, (model, state, forcing, site))


@pytest.mark.slow
@pytest.mark.parametrize(("wide", "bar"), [(False, 4 * ULP), (True, 1e-12)], ids=["float32", "float64"])
def test_every_model_conserves_stays_positive_and_differentiates(wide, bar):
    with jax.enable_x64(wide):
        model, state, forcing, site = everything(jnp.float64 if wide else jnp.float32)
        changing, fixed = eqx.partition((model, state), eqx.is_inexact_array)
        indices, static = eqx.partition(fixed, eqx.is_array)

        @jax.jit
        def wrong(changing, choice):
            def one(changing):
                whole, pools = eqx.combine(changing, indices, static)
                given = (turned(whole, choice), pools)
                return one_step(given, jax.tree.map(lambda x: None, given), forcing, site)

            (value, residuals), slopes = jax.value_and_grad(one, has_aux=True)(changing)
            odd = sum(jnp.sum(~jnp.isfinite(leaf)) for leaf in jax.tree.leaves((value, slopes)))
            return jnp.stack([*residuals, odd.astype(residuals[0].dtype)])

        taken = list(choices())
        found = np.array([wrong(changing, jnp.asarray(choice)) for choice in taken])
    carbon, water, least, over, odd = found.T
    assert len(taken) == np.prod([len(SLOTS[slot]) for slot in CHOICES]) * 12 // 15  # Penman-Monteith needs stomata
    assert carbon.max() <= bar
    assert water.max() <= bar
    assert least.min() >= 0
    assert over.max() <= 0
    assert odd.sum() == 0
    assert len({tuple(row) for row in found}) > 300  # the choice has an effect


def test_a_switched_model_is_the_model_of_the_chosen_bricks():
    """For models that hold every brick at least once."""
    with jax.enable_x64(True):
        model, state, forcing, site = everything(jnp.float64)
        changing, static = eqx.partition(model, eqx.is_array)

        @jax.jit
        def step(changing, choice):
            return turned(eqx.combine(changing, static), choice).step(state, forcing, site)

        every = list(choices())
        rng = np.random.default_rng(0)
        missing, tried = {(slot, k) for slot in KINDS for k in range(len(SLOTS[slot]))}, 0
        while missing:
            choice = max(
                (every[k] for k in rng.integers(len(every), size=200)),
                key=lambda c: len(missing & set(zip(KINDS, c, strict=True))),
            )
            missing -= set(zip(KINDS, choice, strict=True))
            plain = allowed({slot: getattr(model, slot).options[k] for slot, k in zip(KINDS, choice, strict=True)})
            plain = eqx.tree_at(
                lambda m: [m.leaf_mass, m.allocation, m.turnover], plain,
                [model.leaf_mass, model.allocation, model.turnover],
            )  # fmt: skip
            after, fluxes = eqx.filter_jit(lambda m: m.step(state, forcing, site))(plain)
            other, others = step(changing, jnp.asarray(choice))
            for path in vars(fluxes):
                one, two = getattr(fluxes, path), getattr(others, path)
                np.testing.assert_allclose(two, one, rtol=1e-10, atol=1e-12 * np.max(np.abs(one)), err_msg=path)
            for pool in parameters_of(State()):
                np.testing.assert_allclose(getattr(other, pool), getattr(after, pool), rtol=1e-10, atol=1e-9)
            tried += 1
    assert tried < 10


def test_what_is_refused_is_told():
    found = every_model.refused()
    assert set(found) == {
        f"PenmanMonteith needs a stomatal conductance and {scheme} gives none"
        for scheme in ("ACM1", "MOD17", "NeuralLightUse")
    }
    assert sum(found.values()) + len(list(choices())) == np.prod([len(options) for options in SLOTS.values()])
