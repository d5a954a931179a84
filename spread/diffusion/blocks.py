"""Many samples in blocks of one size: one compiled program, and results that do not depend on their grouping."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from spread.errors import BadModel

BLOCK = 64
"""Samples in a block: more gains little on a CPU."""


def in_blocks(function: Callable[..., PyTree], inputs: PyTree, size: int = BLOCK, *, shared: PyTree = None) -> PyTree:
    """Apply a function to samples, block by block.

    Parameters
    ----------
    function : callable
        ``function(shared, inputs)`` with one row of the inputs; what it returns is stacked. It is the same object in
        every call, so that it is compiled once.
    inputs : pytree
        Keys, conditions, observations ...: every leaf has a first axis of samples. A random key belongs to a sample
        (fold member, model and date into it), not to a place in the batch.
    size : int
        Samples in a block; the last one is filled with its last sample, and what that gives is thrown away.
    shared : pytree, optional
        What is the same for all samples, such as a denoiser.

    Returns
    -------
    pytree
        NumPy arrays with a first axis of samples.

    Raises
    ------
    BadModel
        For inputs without leaves or samples, or whose leaves differ in their number.

    Notes
    -----
    A compiled program may add in another order where the batch has another size, so that a sample differs in its last
    bits. Blocks of one size run one program. On one kind of device, a sample is then the same to the last bit whichever
    samples are beside it: ``tests/diffusion/test_blocks.py`` holds this on the CPU.
    """
    leaves = jax.tree.leaves(inputs)
    counts = {leaf.shape[0] if np.ndim(leaf) else 0 for leaf in leaves}
    if len(counts) != 1 or 0 in counts or size < 1:
        raise BadModel(
            f"in_blocks: expected leaves with the same first axis and size >= 1, got {sorted(counts)} and {size}"
        )
    (count,) = counts
    parts = []
    for first in range(0, count, size):
        rows = np.minimum(np.arange(first, first + size), count - 1)
        made = _block(function, shared, jax.tree.map(lambda leaf, rows=rows: leaf[rows], inputs))
        there = min(size, count - first)
        parts.append(jax.tree.map(lambda leaf, there=there: np.asarray(leaf)[:there], made))
    return jax.tree.map(lambda *pieces: np.concatenate(pieces), *parts)


@eqx.filter_jit
def _block(function: Callable[..., PyTree], shared: Any, inputs: PyTree) -> PyTree:
    return jax.vmap(lambda row: function(shared, row))(jax.tree.map(jnp.asarray, inputs))
