"""A transformer on patches of the globe, for accelerators: longitudes are periodic, and the poles are crossed."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray

from spread.emulator.backbones.pattern_network import modulated, zero
from spread.emulator.condition import WIDTH, Condition, Embedding
from spread.errors import BadModel


def padded(field: Float[Array, "lat lon"], margin: int) -> Float[Array, "lat2 lon2"]:
    """A field with what lies beyond its edges: round the globe in longitude, over the pole in latitude.

    Parameters
    ----------
    field : array
        Global, ``(lat, lon)``; longitudes evenly spaced and even in number.
    margin : int
        Rows and columns to add on each side.

    Returns
    -------
    array
        ``(lat + 2 margin, lon + 2 margin)``.

    Notes
    -----
    Beyond the pole lies the row nearest to it, half of the globe further east.
    """
    if margin == 0:
        return field
    turned = jnp.roll(field, field.shape[1] // 2, axis=1)
    tall = jnp.concatenate([turned[margin - 1 :: -1], field, turned[: -margin - 1 : -1]])
    return jnp.concatenate([tall[:, -margin:], tall, tall[:, :margin]], axis=1)


class Block(eqx.Module):
    """Attention among patches, then a layer for each, both scaled, shifted and gated by the condition."""

    attention: eqx.nn.MultiheadAttention
    widen: eqx.nn.Linear
    narrow: eqx.nn.Linear
    modulation: eqx.nn.Linear

    def __init__(self, width: int, heads: int, key: jax.Array) -> None:
        first, second, third, fourth = jax.random.split(key, 4)
        self.attention = eqx.nn.MultiheadAttention(heads, width, key=first)
        self.widen = eqx.nn.Linear(width, 4 * width, key=second)
        self.narrow = eqx.nn.Linear(4 * width, width, key=third)
        self.modulation = zero(eqx.nn.Linear(WIDTH, 6 * width, key=fourth))

    def __call__(self, tokens: Float[Array, "patch width"], embedded: Float[Array, 64]) -> Float[Array, "patch width"]:
        """The patches after the block."""
        width = tokens.shape[1]
        shift = self.modulation(embedded)
        ahead = modulated(tokens, shift[: 2 * width])
        tokens = tokens + shift[4 * width : 5 * width] * self.attention(ahead, ahead, ahead)
        ahead = modulated(tokens, shift[2 * width : 4 * width])
        return tokens + shift[5 * width :] * jax.vmap(self.narrow)(jax.nn.gelu(jax.vmap(self.widen)(ahead)))


class PatchTransformer(eqx.Module):
    """Patches that overlap in what they see, attention over the globe, and the positions of patches on the sphere.

    Parameters
    ----------
    shape : tuple of int
        ``(lat, lon)``, both multiples of ``patch``.
    models, scenarios : int
        How many the emulator knows.
    key : jax.Array
        Of the first weights.
    patch : int
        Side of a patch.
    width, depth, heads : int
        Of the blocks.

    Raises
    ------
    BadModel
        For a grid that patches do not cover, or an odd number of longitudes.

    Notes
    -----
    Peebles & Xie 2023 (adaLN-Zero); the last layer begins at zero. A patch sees half a patch beyond its edges, so that
    neighbours join; only the patch itself is written.
    """

    embedding: Embedding
    inwards: eqx.nn.Linear
    blocks: tuple[Block, ...]
    last: eqx.nn.Linear
    outwards: eqx.nn.Linear
    place: Float[Array, "patch width"]
    shape: tuple[int, int] = eqx.field(static=True)
    patch: int = eqx.field(static=True)

    def __init__(
        self, shape: tuple[int, int], models: int, scenarios: int, key: jax.Array, patch: int = 4, width: int = 128,
        depth: int = 4, heads: int = 4,
    ) -> None:  # fmt: skip
        if shape[0] % patch or shape[1] % patch or shape[1] % 2:
            raise BadModel(
                f"patch transformer: expected latitudes and longitudes in multiples of the patch of {patch}, and an"
                f" even number of longitudes, got {shape}; give another patch or grid"
            )
        keys = jax.random.split(key, 5 + depth)
        seen = patch + 2 * (patch // 2)
        self.shape, self.patch = shape, patch
        self.embedding = Embedding(models, scenarios, keys[0])
        self.inwards = eqx.nn.Linear(seen**2, width, key=keys[1])
        self.blocks = tuple(Block(width, heads, k) for k in keys[5:])
        self.last = zero(eqx.nn.Linear(WIDTH, 2 * width, key=keys[2]))
        self.outwards = zero(eqx.nn.Linear(width, patch**2, key=keys[3]))
        where = jnp.asarray(positions(shape, patch), jnp.float32)
        self.place = where @ jax.random.normal(keys[4], (where.shape[1], width)) / np.sqrt(where.shape[1])

    def __call__(
        self, scaled: Float[Array, "lat lon"], noise: Float[Array, ""], cond: Condition
    ) -> Float[Array, "lat lon"]:
        """What the preconditioned denoiser adds; see :class:`spread.diffusion.Preconditioned`."""
        embedded = self.embedding(noise, cond)
        tokens = jax.vmap(self.inwards)(self._patches(scaled)) + self.place
        for block in self.blocks:
            tokens = block(tokens, embedded)
        made = jax.vmap(self.outwards)(modulated(tokens, self.last(embedded)))
        rows, columns = self.shape[0] // self.patch, self.shape[1] // self.patch
        square = made.reshape(rows, columns, self.patch, self.patch)
        return square.transpose(0, 2, 1, 3).reshape(self.shape)

    def _patches(self, field: Float[Array, "lat lon"]) -> Float[Array, "patch seen"]:
        margin = self.patch // 2
        wide = padded(field, margin)
        seen = self.patch + 2 * margin
        rows = np.arange(0, self.shape[0], self.patch)[:, None] + np.arange(seen)
        columns = np.arange(0, self.shape[1], self.patch)[:, None] + np.arange(seen)
        return wide[rows[:, None, :, None], columns[None, :, None, :]].reshape(-1, seen**2)


def positions(shape: tuple[int, int], patch: int) -> NDArray[np.float64]:
    """Features of where patches are on the sphere: products of their unit vectors, smooth over poles and the date line.

    Parameters
    ----------
    shape : tuple of int
        ``(lat, lon)`` of an equally spaced grid.
    patch : int
        Side of a patch.

    Returns
    -------
    ndarray
        Monomials of x, y, z up to the fourth degree, ``(patch, 35)``.
    """
    lat = np.deg2rad(-90 + (np.arange(0, shape[0], patch) + patch / 2) * 180 / shape[0])
    lon = 2 * np.pi * (np.arange(0, shape[1], patch) + patch / 2) / shape[1]
    lat, lon = (grid.ravel() for grid in np.meshgrid(lat, lon, indexing="ij"))
    x, y, z = np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)
    powers = [(i, j, k) for i in range(5) for j in range(5) for k in range(5) if i + j + k <= 4]
    return np.stack([x**i * y**j * z**k for i, j, k in powers], axis=1)
