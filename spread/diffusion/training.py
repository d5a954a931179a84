"""Training of a denoiser: the loss of EDM, an optimiser, a running mean of the parameters, a loop that can be resumed.

The loop is compiled as a whole, many steps a call. All that is random in a step comes from the run's key and the number
of the step, so that a run which is interrupted and resumed ends with the same bits as one that is not.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, PyTree
from numpy.typing import NDArray

from spread.diffusion.preconditioning import AbstractDenoiser, loss_weight
from spread.diffusion.shapes import Condition, Samples
from spread.errors import BadModel, Diverged

Batch = Callable[[Any, jax.Array], tuple[Samples, Condition]]
"""Makes a batch from the data and a random key: samples, and conditions (leaves with the same first axis) or None."""

CHUNK = 500
"""Steps in a call of the compiled loop, after which losses are looked at."""


class Noise(eqx.Module):
    """How noisy the samples of training are: ``ln sigma`` is normal.

    Parameters
    ----------
    mean, deviation : float
        Of ``ln sigma``. Karras et al. 2022 (Table 1) take -1.2 and 1.2 for data with standard deviation 0.5; for 1 that
        is ``-1.2 + ln 2 = -0.5``.
    sigma_data : float
        Standard deviation of the data, for the weight of the loss.
    """

    mean: float = eqx.field(default=-0.5, static=True)
    deviation: float = eqx.field(default=1.2, static=True)
    sigma_data: float = eqx.field(default=1.0, static=True)


class Training(eqx.Module):
    """All that a run needs to go on: a pytree, to be saved and restored as one.

    Parameters
    ----------
    denoiser : AbstractDenoiser
        With the parameters as they are; all its arrays of floating point are trained.
    average : AbstractDenoiser
        With their running mean, which is what samples are drawn with.
    optimizer : pytree
        State of the optimiser.
    step : array
        How many steps were made.
    """

    denoiser: AbstractDenoiser
    average: AbstractDenoiser
    optimizer: PyTree
    step: Int[Array, ""]

    @classmethod
    def start(cls, denoiser: AbstractDenoiser, optimizer: optax.GradientTransformation) -> Training:
        """The state before the first step."""
        trained = eqx.filter(denoiser, eqx.is_inexact_array)
        return cls(denoiser, denoiser, optimizer.init(trained), jnp.zeros((), jnp.int32))


def denoising_loss(
    denoiser: AbstractDenoiser, x: Samples, cond: Condition, key: jax.Array, noise: Noise
) -> Float[Array, ""]:
    """Mean squared error of the denoised samples, weighted so that every level of noise counts.

    Parameters
    ----------
    denoiser : AbstractDenoiser
        What is trained.
    x : array
        Clean samples.
    cond : pytree
        Their conditions, leaves with the same first axis, or None.
    key : jax.Array
        Random key of levels and noise.
    noise : Noise
        Distribution of the levels.

    Returns
    -------
    array
        1 for a network that returns 0 where the data have ``sigma_data``; averaged over the entries of a sample.

    Notes
    -----
    Karras et al. 2022, Eq. 2 and Table 1.
    """
    levels, noises = jax.random.split(key)
    sigma = jnp.exp(noise.mean + noise.deviation * jax.random.normal(levels, x.shape[:1], x.dtype))
    wide = sigma.reshape(-1, *[1] * (x.ndim - 1))
    noisy = x + wide * jax.random.normal(noises, x.shape, x.dtype)
    clean = jax.vmap(denoiser.denoise)(noisy, sigma, cond)
    return jnp.mean(loss_weight(wide, noise.sigma_data) * (clean - x) ** 2)


def rows(size: int) -> Batch:
    """Batches that are drawn with replacement from the first axis of ``(samples, conditions)``.

    Parameters
    ----------
    size : int
        Samples in a batch.

    Returns
    -------
    callable
        To be given to :func:`fit` with the data; made once and used again, it is compiled once.
    """
    return partial(_rows, size)


def _rows(size: int, data: tuple[Array, Condition], key: jax.Array) -> tuple[Array, Condition]:
    chosen = jax.random.randint(key, (size,), 0, data[0].shape[0])
    return jax.tree.map(lambda leaf: leaf[chosen], data)


def fit(
    state: Training, optimizer: optax.GradientTransformation, batch: Batch, data: Any, key: jax.Array, steps: int, *,
    noise: Noise | None = None, decay: float = 0.999, chunk: int = CHUNK,
) -> tuple[Training, NDArray[np.float64]]:  # fmt: skip
    """Train for some steps.

    Parameters
    ----------
    state : Training
        Where to go on; it is not modified.
    optimizer : optax.GradientTransformation
        The one with which the state was started.
    batch : callable
        ``batch(data, key)``; dropping conditions, for classifier-free guidance, is its business.
    data : pytree
        Whatever that needs; arrays are handed over, not compiled in.
    key : jax.Array
        Random key of the run, the same each time it is resumed; step ``n`` uses ``fold_in(key, n)``.
    steps : int
        How many more.
    noise : Noise, optional
        Distribution of the levels of noise.
    decay : float
        Of the running mean of the parameters; smaller in the first steps, ``(1 + n) / (10 + n)``.
    chunk : int
        Steps between two looks at the losses; the result does not depend on it.

    Returns
    -------
    Training
        The state after the steps.
    numpy.ndarray
        Loss of each step.

    Raises
    ------
    Diverged
        Where a loss is not finite; it names the step.
    BadModel
        For a negative number of steps, a chunk below 1 or a decay outside 0..1.
    """
    if steps < 0 or chunk < 1 or not 0 <= decay < 1:
        raise BadModel(f"fit: expected steps >= 0, chunk >= 1 and 0 <= decay < 1, got {steps}, {chunk} and {decay}")
    noise = Noise() if noise is None else noise
    losses = []
    for done in range(0, steps, chunk):
        count = min(chunk, steps - done)
        first = int(state.step)
        state, of_chunk = _steps(state, optimizer, batch, data, key, jnp.asarray(count), noise, decay, chunk)
        made = np.asarray(of_chunk, np.float64)[:count]
        bad = np.flatnonzero(~np.isfinite(made))
        if bad.size:
            raise Diverged(
                f"training: expected finite losses, got {made[bad[0]]} in step {first + bad[0]}; look for absent values"
                " in the data, lower the learning rate or clip gradients"
            )
        losses.append(made)
    return state, np.concatenate(losses) if losses else np.zeros(0)


@eqx.filter_jit
def _steps(
    state: Training, optimizer: optax.GradientTransformation, batch: Batch, data: Any, key: jax.Array,
    count: Int[Array, ""], noise: Noise, decay: float, chunk: int,
) -> tuple[Training, Float[Array, " chunk"]]:  # fmt: skip
    """Some steps in one program; how many is not part of what is compiled, so that all chunks run the same one."""
    arrays, fixed = eqx.partition(state, eqx.is_array)

    def one(index: Array, carry: tuple[Any, Array]) -> tuple[Any, Array]:
        before, losses = carry
        after, loss = _step(eqx.combine(before, fixed), optimizer, batch, data, key, noise, decay)
        return eqx.filter(after, eqx.is_array), losses.at[index].set(loss)

    arrays, losses = jax.lax.fori_loop(0, count, one, (arrays, jnp.zeros(chunk)))
    return eqx.combine(arrays, fixed), losses


def _step(
    state: Training, optimizer: optax.GradientTransformation, batch: Batch, data: Any, key: jax.Array, noise: Noise,
    decay: float,
) -> tuple[Training, Float[Array, ""]]:  # fmt: skip
    of_batch, of_loss = jax.random.split(jax.random.fold_in(key, state.step))
    x, cond = batch(data, of_batch)
    loss, gradient = eqx.filter_value_and_grad(denoising_loss)(state.denoiser, x, cond, of_loss, noise)
    trained = eqx.filter(state.denoiser, eqx.is_inexact_array)
    change, after = optimizer.update(gradient, state.optimizer, trained)
    denoiser = eqx.apply_updates(state.denoiser, change)
    kept = jnp.minimum(decay, (1 + state.step) / (10 + state.step))

    def mean(old: Any, new: Any) -> Any:
        return old + ((1 - kept) * (new - old)).astype(old.dtype) if eqx.is_inexact_array(old) else old

    average = jax.tree.map(mean, state.average, denoiser)
    return Training(denoiser, average, after, state.step + 1), loss
