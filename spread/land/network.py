"""Small networks whose cells are the last axis, for bricks that learn."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from math import sqrt
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from spread.land.shapes import Cells

Features = Float[Array, "features *#cells"]
"""One row for each input or output of a network, cells last."""


class Network(eqx.Module):
    """Layers of weights with tanh between them.

    Parameters
    ----------
    sizes : tuple of int
        Inputs, units of each hidden layer, outputs.
    key : jax.Array
        Random key of the first weights: normal as by Glorot & Bengio 2010; biases are 0.

    Notes
    -----
    ``equinox.nn.MLP`` takes one cell at a time. Here a layer is one product of matrices for all cells, and nothing but
    arrays is in the tree, so that ``jax.grad`` takes a model as it is.
    """

    weights: tuple[Array, ...]
    biases: tuple[Array, ...]

    def __init__(self, sizes: tuple[int, ...], key: jax.Array) -> None:
        pairs = list(pairwise(sizes))
        keys = jax.random.split(key, len(pairs))
        self.weights = tuple(
            sqrt(2 / (before + after)) * jax.random.normal(one, (after, before))
            for one, (before, after) in zip(keys, pairs, strict=True)
        )
        self.biases = tuple(jnp.zeros(after) for _, after in pairs)

    def __call__(self, inputs: Features) -> Features:
        """Outputs of the last layer, without limits.

        Parameters
        ----------
        inputs : array
            One row for each input; see :func:`features`.
        """
        return self._through(inputs, lambda weight: weight)

    def increasing(self, inputs: Features) -> Features:
        """Outputs that no input lowers: each weight counts as its softplus.

        Parameters
        ----------
        inputs : array
            One row for each input; see :func:`features`.

        Notes
        -----
        Monotone networks by positive weights: Sill 1997, Adv. Neural Inf. Process. Syst. 10.
        """
        return self._through(inputs, jax.nn.softplus)

    def _through(self, inputs: Features, taken: Callable[[Array], Array]) -> Features:
        values = inputs
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            values = jnp.tanh(values) if layer else values
            # GPUs would otherwise round the factors of a product of float32 matrices to 10 bits
            values = jnp.tensordot(taken(weight), values, axes=1, precision=jax.lax.Precision.HIGHEST)
            values = values + bias.reshape(-1, *[1] * (values.ndim - 1))
        return values


def features(*inputs: Cells) -> Features:
    """Rows of a network's input from values that broadcast against each other."""
    return jnp.stack(jnp.broadcast_arrays(*map(jnp.asarray, inputs)))


def is_network(part: Any) -> bool:
    """Whether a part of a tree holds weights that are the same for all cells, whatever their shape."""
    return isinstance(part, Network)
