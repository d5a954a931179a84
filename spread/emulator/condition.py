"""What a map is conditioned on, as numbers that a network takes."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

WIDTH = 64
"""Numbers into which a condition is embedded."""

DROPPED = 0.1
"""Share of training samples whose model, and likewise whose scenario, is withheld: the network then also knows the mean
of all models and what to do with a scenario that it never saw."""

HARMONICS = 3
"""Of the year, that the network is given."""


Numbers = Array | np.ndarray


class Condition(eqx.Module):
    """One map's model, scenario, forced warming and day, or those of a batch with a leading axis.

    Parameters
    ----------
    model, scenario : array
        Numbers from 0 on; the number of models, or scenarios, stands for unknown.
    warming : array
        Forced warming within the range of training, standardised [1].
    day : array
        Part of the year, 0 to 1.
    """

    model: Int[Array | np.ndarray, ...]
    scenario: Int[Array | np.ndarray, ...]
    warming: Float[Array | np.ndarray, ...]
    day: Float[Array | np.ndarray, ...]


class Embedding(eqx.Module):
    """A condition and a level of noise as a vector that modulates the layers of a network.

    Parameters
    ----------
    models, scenarios : int
        How many are known.
    key : jax.Array
        Of the first weights.
    """

    model: Float[Array, "models 16"]
    scenario: Float[Array, "scenarios 8"]
    layers: eqx.nn.MLP

    def __init__(self, models: int, scenarios: int, key: jax.Array) -> None:
        first, second, third = jax.random.split(key, 3)
        self.model = 0.1 * jax.random.normal(first, (models + 1, 16))
        self.scenario = 0.1 * jax.random.normal(second, (scenarios + 1, 8))
        inputs = 16 + 8 + 1 + 2 * HARMONICS + 9
        self.layers = eqx.nn.MLP(inputs, WIDTH, WIDTH, 1, jax.nn.silu, key=third)

    def __call__(self, noise: Float[Array, ""], cond: Condition) -> Float[Array, 64]:
        """The vector; ``noise`` is that of :func:`spread.diffusion.c_noise`."""
        order = jnp.arange(1, 5, dtype=noise.dtype)
        angle = 2 * np.pi * cond.day * jnp.arange(1, HARMONICS + 1, dtype=noise.dtype)
        parts = [
            self.model[cond.model], self.scenario[cond.scenario], cond.warming[None],
            jnp.sin(angle), jnp.cos(angle), noise[None], jnp.sin(2 * order * noise), jnp.cos(2 * order * noise),
        ]  # fmt: skip
        return self.layers(jnp.concatenate(parts))


def withheld(cond: Condition, models: int, scenarios: int, key: jax.Array) -> Condition:
    """A batch in which some models and some scenarios are unknown."""
    first, second = jax.random.split(key)
    drop_model = jax.random.bernoulli(first, DROPPED, cond.model.shape)
    drop_scenario = jax.random.bernoulli(second, DROPPED, cond.scenario.shape)
    return Condition(
        jnp.where(drop_model, models, cond.model),
        jnp.where(drop_scenario, scenarios, cond.scenario),
        cond.warming,
        cond.day,
    )
