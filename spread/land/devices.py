"""Cells shared out among the devices of a host, such as the cores of a CPU."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from spread.errors import BadModel
from spread.land.forcing import Forcing
from spread.land.network import Network


def use_cores(cores: int | None = None) -> int:
    """Let runs use several cores of a CPU: a JAX device for each. To be called before anything of JAX is computed.

    Parameters
    ----------
    cores : int, optional
        How many; by default those that this process may use.

    Returns
    -------
    int
        How many.

    Raises
    ------
    BadModel
        Where JAX has begun to compute, for its devices are then fixed.

    Notes
    -----
    A scan over time runs on one core alone, however many threads XLA has. With several devices it is one program for
    each, but XLA runs them one after the other where it dispatches asynchronously, as by default (measured with
    jaxlib 0.12.0); so that is turned off.
    """
    if cores is None:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        jax.config.update("jax_num_cpu_devices", cores)
    except RuntimeError as error:
        raise BadModel(
            f"land model: {cores} cores were asked for after JAX had begun: call use_cores before anything else of JAX"
        ) from error
    jax.config.update("jax_cpu_enable_async_dispatch", False)
    return cores


def axes(tree: Any) -> int:
    """Number of axes of what differs from cell to cell: time comes first in forcing."""
    return 2 if isinstance(tree, Forcing) else 1


def is_network(leaf: Any) -> bool:
    """Whether a part of a tree holds weights that are the same for all cells, whatever their shape."""
    return isinstance(leaf, Network)


def shared(function: Callable[..., Any], trees: tuple[Any, ...], fixed: tuple[Any, ...], cells: int) -> Any:
    """Call a function whose cells do not look at each other, a part of them on each device.

    Parameters
    ----------
    function : callable
        ``function(*trees, *fixed)``; gives a state of the cells, and sequences ``(time, cells)``.
    trees : tuple of pytrees
        Arrays of any shape; those with as many :func:`axes` as cells need, and ``cells`` on the last, are shared out.
    fixed : tuple
        What is not of arrays.
    cells : int
        How many there are; 0 where there is no axis.

    Returns
    -------
    pytree
        What the function gives for all cells.
    """
    devices = jax.local_devices()
    if len(devices) == 1 or cells < len(devices):
        return function(*trees, *fixed)
    mesh = Mesh(np.array(devices), ("cells",))
    missing = -cells % len(devices)
    laid, places = _laid(trees, cells, missing, mesh)
    found = _alone(function, laid, fixed, places, mesh)
    return jax.tree.map(lambda leaf: leaf[..., :cells], found) if missing else found


@eqx.filter_jit
def _alone(function: Callable[..., Any], laid: Any, fixed: Any, places: Any, mesh: Mesh) -> Any:
    """Each device runs its own cells, with nothing to tell the others before a gradient of what they share."""
    arrays, static = eqx.partition(laid, eqx.is_array)
    across = (PartitionSpec("cells"), PartitionSpec(None, "cells"))
    each = jax.shard_map(
        lambda part: function(*eqx.combine(part, static), *fixed),
        mesh=mesh, in_specs=(places,), out_specs=across, check_vma=False,
    )  # fmt: skip
    return each(arrays)


def _laid(trees: Any, cells: int, missing: int, mesh: Mesh) -> tuple[Any, Any]:
    """Arrays on their devices, the last cell repeated as often as cells are missing, and the axes that are shared."""

    def place(leaf: Any, rank: int) -> PartitionSpec:
        split = not is_network(leaf) and np.ndim(leaf) == rank and np.shape(leaf)[-1] == cells
        return PartitionSpec(*[None] * (rank - 1), "cells") if split else PartitionSpec()

    def lay(leaf: Any, split: PartitionSpec) -> Any:
        if missing and split:
            leaf = jnp.concatenate([leaf, jnp.repeat(leaf[..., -1:], missing, axis=-1)], axis=-1)
        return jax.device_put(leaf, NamedSharding(mesh, split))

    arrays, static = eqx.partition(trees, eqx.is_array)
    places = tuple(jax.tree.map(partial(place, rank=axes(tree)), tree, is_leaf=is_network) for tree in arrays)
    laid = jax.tree.map(lay, arrays, places, is_leaf=is_network)
    return eqx.combine(laid, static), places
