"""Parameters of bricks: declared where they are used, with their prior box, unit and source.

A brick is an ``equinox.Module`` and its array fields are its parameters. A field made by :func:`parameter` knows its
box, so that :func:`draw` can draw every parameter of a nested model, and :func:`to_real` and :func:`from_real` map the
box to the real line and back for inference. Arrays without a box, such as the weights of a network, are left alone.
"""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp

from spread.land.shapes import Cells

Prior = Literal["log-uniform", "uniform", "circular"]


@dataclass(frozen=True)
class Parameter:
    """What is known of a parameter before any data.

    Parameters
    ----------
    default, low, high : float
        A value to start from and the box of the prior [units].
    units : str
        UDUNITS; ``1`` where it has none.
    prior : str
        ``log-uniform`` or ``uniform`` in the box, or ``circular``: uniform, and ``low`` is the same as ``high``.
    source : str
        Where the box comes from.
    """

    default: float
    low: float
    high: float
    units: str
    prior: Prior
    source: str

    def __post_init__(self) -> None:
        if not self.low < self.high or not self.low <= self.default <= self.high:
            raise ValueError(f"a parameter needs low <= default <= high, not {self.low}, {self.default}, {self.high}")
        if self.prior == "log-uniform" and self.low <= 0:
            raise ValueError(f"a log-uniform prior needs a box above zero, not one from {self.low}; use 'uniform'")

    def at(self, share: Cells) -> Cells:
        """Value at a quantile of the prior, 0 to 1."""
        if self.prior == "log-uniform":
            return self.low * jnp.exp(share * jnp.log(self.high / self.low))
        return self.low + share * (self.high - self.low)

    def share(self, value: Cells) -> Cells:
        """Quantile of the prior, 0 to 1, at a value."""
        if self.prior == "log-uniform":
            return jnp.log(value / self.low) / jnp.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


def parameter(default: float, low: float, high: float, *, units: str, source: str, prior: Prior = "log-uniform") -> Any:
    """Declare a field of a brick as a parameter with a prior box.

    Parameters
    ----------
    default, low, high : float
        A value to start from and the box of the prior [units].
    units : str
        UDUNITS; ``1`` where it has none.
    source : str
        Where the box comes from.
    prior : str
        ``log-uniform``, ``uniform`` or ``circular``.

    Returns
    -------
    field
        For the body of an ``equinox.Module``; values are converted to JAX arrays.
    """
    known = Parameter(default, low, high, units, prior, source)
    return eqx.field(default=default, converter=jnp.asarray, metadata={"parameter": known})


def parameters_of(module: eqx.Module) -> dict[str, Parameter]:
    """Parameters of a module and of those within it.

    Parameters
    ----------
    module : equinox.Module
        A brick or a whole model.

    Returns
    -------
    dict
        Path, such as ``photosynthesis.efficiency``, to :class:`Parameter`, in the order of the fields.
    """
    return {path: known for path, known, _ in _walk(module)}


def draw[M: eqx.Module](module: M, key: jax.Array, cells: int) -> M:
    """Draw every parameter of a module from its prior.

    Parameters
    ----------
    module : equinox.Module
        A brick, a model, or a :class:`~spread.land.state.State`; it is not modified.
    key : jax.Array
        Random key. What a parameter gets depends on the key and on its path only, not on the other bricks.
    cells : int
        How many draws; 0 for one draw without an axis.

    Returns
    -------
    equinox.Module
        The same with parameters of shape ``(cells,)``.
    """
    shape = (cells,) if cells else ()

    def drawn(path: str, known: Parameter, value: Cells) -> Cells:
        own = jax.random.fold_in(key, zlib.crc32(path.encode()))
        return jnp.clip(known.at(jax.random.uniform(own, shape)), known.low, known.high)

    return _mapped(module, drawn)


def to_real[M: eqx.Module](module: M) -> M:
    """Map every parameter from its box to the real line.

    Parameters
    ----------
    module : equinox.Module
        Parameters inside their boxes; a value on an edge is taken as just inside of it.

    Returns
    -------
    equinox.Module
        The same with the logit of the prior's quantile in place of each value, so that the prior of what is returned
        is the standard logistic distribution; for a ``circular`` parameter the angle [rad].
    """

    def real(path: str, known: Parameter, value: Cells) -> Cells:
        share = known.share(value)
        if known.prior == "circular":
            return 2 * jnp.pi * share
        inside = jnp.finfo(jnp.result_type(share)).eps
        share = jnp.clip(share, inside, 1 - inside)
        return jnp.log(share) - jnp.log1p(-share)

    return _mapped(module, real)


def from_real[M: eqx.Module](module: M) -> M:
    """Map every parameter from the real line back to its box.

    Parameters
    ----------
    module : equinox.Module
        As :func:`to_real` gives it.

    Returns
    -------
    equinox.Module
        The same with parameters in their boxes.
    """

    def boxed(path: str, known: Parameter, value: Cells) -> Cells:
        if known.prior == "circular":
            return known.at(jnp.mod(value / (2 * jnp.pi), 1.0))
        return known.at(jax.nn.sigmoid(value))

    return _mapped(module, boxed)


def _walk(module: eqx.Module, prefix: str = "") -> Iterator[tuple[str, Parameter, Cells]]:
    for field in dataclasses.fields(module):
        value = getattr(module, field.name)
        if "parameter" in field.metadata:
            yield prefix + field.name, field.metadata["parameter"], value
        elif isinstance(value, eqx.Module):
            yield from _walk(value, f"{prefix}{field.name}.")


def _mapped[M: eqx.Module](module: M, change: Callable[[str, Parameter, Cells], Cells]) -> M:
    found = list(_walk(module))
    if not found:
        return module
    changed = [change(*entry) for entry in found]
    return eqx.tree_at(lambda m: [value for _, _, value in _walk(m)], module, changed)
