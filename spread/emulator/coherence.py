"""Maps that follow each other: noise of a day that remembers the days before it, whatever stretch is asked for."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray

LONGEST = 48
"""Steps that noise remembers at most."""

MOST_PERSISTENT = 0.9
"""Largest memory of a step: what is left of it after :data:`LONGEST` steps is below 1 %."""


class Coherence(eqx.Module):
    """Memory of each entry of a sample from one step to the next.

    Parameters
    ----------
    memory : array
        Correlation with the step before, 0 to :data:`MOST_PERSISTENT`; the shape of a sample.

    Notes
    -----
    Noise of step ``t`` is ``sum_j w_j e(t - j)`` with ``w_j`` in proportion to ``memory^j`` and ``e`` keyed by the step
    itself. It is what a first-order autoregressive process gives, forgotten after :data:`LONGEST` steps: it needs no
    start, so that a map does not depend on which stretch of time was asked for. A sampler of the probability-flow
    equation is a smooth map of its noise and passes the memory on nearly as it is; how nearly is measured by the lag-1
    score of an evaluation. Only the memory from one step to the next is fitted.
    """

    memory: Float[Array, "*sample"]

    @classmethod
    def fit(cls, white: NDArray[np.floating], follows: NDArray[np.bool_]) -> Coherence:
        """Measure the memory of whitened samples.

        Parameters
        ----------
        white : ndarray
            In the order of time within each run, ``(sample, ...)``.
        follows : ndarray
            Whether a sample is one step after the one before it, in the same run, ``(sample,)``.

        Returns
        -------
        Coherence
        """
        later = np.flatnonzero(follows)
        product = np.mean(white[later] * white[later - 1], axis=0) if later.size else np.zeros(white.shape[1:])
        found = product / np.maximum(np.mean(white**2, axis=0), 1e-12)
        return cls(jnp.asarray(np.clip(found, 0.0, MOST_PERSISTENT), jnp.float32))

    def noise(self, key: jax.Array, step: Array) -> Float[Array, "*sample"]:
        """Standard normal numbers of one step.

        Parameters
        ----------
        key : jax.Array
            Of the member.
        step : array
            Number of the step, counted from any fixed date.

        Returns
        -------
        array
            The shape of a sample.
        """
        shape, dtype = self.memory.shape, self.memory.dtype

        def add(total: Array, lag: Array) -> tuple[Array, None]:
            fresh = jax.random.normal(jax.random.fold_in(key, step - lag), shape, dtype)
            return total + self.memory**lag * fresh, None

        total, _ = jax.lax.scan(add, jnp.zeros(shape, dtype), jnp.arange(LONGEST))
        power = (1 - self.memory ** (2 * LONGEST)) / (1 - self.memory**2)
        return total / jnp.sqrt(power)


def independent(key: jax.Array, step: Array, shape: tuple[int, ...]) -> Float[Array, "*sample"]:
    """Standard normal numbers of one step that know nothing of others."""
    return jax.random.normal(jax.random.fold_in(key, step), shape, jnp.float32)
