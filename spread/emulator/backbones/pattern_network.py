"""A residual network on amplitudes of patterns: matrix products only, so that two CPU cores train it in minutes."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from spread.emulator.condition import WIDTH, Condition, Embedding


class PatternNetwork(eqx.Module):
    """Residual layers, each scaled and shifted by the condition.

    Parameters
    ----------
    modes : int
        Length of a sample.
    models, scenarios : int
        How many the emulator knows.
    key : jax.Array
        Of the first weights.
    width, depth : int
        Of the layers.

    Notes
    -----
    The last layer begins at zero. As amplitudes are white, the network then is the exact denoiser of normal data with
    the training covariance: training begins at the Gaussian emulator and learns what differs from it.
    """

    embedding: Embedding
    inwards: eqx.nn.Linear
    layers: tuple[eqx.nn.Linear, ...]
    modulations: tuple[eqx.nn.Linear, ...]
    outwards: eqx.nn.Linear

    def __init__(
        self, modes: int, models: int, scenarios: int, key: jax.Array, width: int = 256, depth: int = 3
    ) -> None:
        keys = jax.random.split(key, 3 + 2 * depth)
        self.embedding = Embedding(models, scenarios, keys[0])
        self.inwards = eqx.nn.Linear(modes, width, key=keys[1])
        self.outwards = zero(eqx.nn.Linear(width, modes, key=keys[2]))
        self.layers = tuple(eqx.nn.Linear(width, width, key=k) for k in keys[3 : 3 + depth])
        self.modulations = tuple(eqx.nn.Linear(WIDTH, 2 * width, key=k) for k in keys[3 + depth :])

    def __call__(
        self, scaled: Float[Array, " mode"], noise: Float[Array, ""], cond: Condition
    ) -> Float[Array, " mode"]:
        """What the preconditioned denoiser adds; see :class:`spread.diffusion.Preconditioned`."""
        embedded = self.embedding(noise, cond)
        hidden = self.inwards(scaled)
        for layer, modulation in zip(self.layers, self.modulations, strict=True):
            hidden = hidden + layer(jax.nn.silu(modulated(hidden, modulation(embedded))))
        return self.outwards(hidden)


def zero(linear: eqx.nn.Linear) -> eqx.nn.Linear:
    """A layer whose weights begin at zero."""
    return jax.tree.map(jnp.zeros_like, linear)


def modulated(hidden: Float[Array, "... width"], shift: Float[Array, " double"]) -> Float[Array, "... width"]:
    """Normalised over the last axis, then scaled and shifted (adaptive layer norm; Peebles & Xie 2023)."""
    centred = hidden - jnp.mean(hidden, axis=-1, keepdims=True)
    normal = centred * jax.lax.rsqrt(jnp.mean(centred**2, axis=-1, keepdims=True) + 1e-5)
    scale, offset = jnp.split(shift, 2)
    return normal * (1 + scale) + offset
