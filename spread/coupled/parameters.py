"""Parameters of coupled components: a field of a module that knows its unit, its bounds and its source."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import numpy as np

from spread.errors import BadModel

__all__ = ["Parameter", "check_bounds", "numeric", "parameter", "parameters_of"]


@dataclass(frozen=True)
class Parameter:
    """What a value of a parameter must be.

    Parameters
    ----------
    units : str
        UDUNITS; ``1`` where it has none.
    low, high : float
        Bounds, themselves excluded [units].
    source : str
        Where the parameter and its bounds come from.
    """

    units: str
    low: float
    high: float
    source: str


def numeric(value: Any) -> Any:
    """Leave tracers and JAX arrays alone; the rest becomes float64, which JAX narrows only where it computes."""
    return value if value is None or isinstance(value, jax.Array) else np.asarray(value, float)


def parameter(units: str, low: float, high: float, source: str, **default: Any) -> Any:
    """Declare a field of an ``equinox.Module`` as a parameter.

    Parameters
    ----------
    units : str
        UDUNITS; ``1`` where it has none.
    low, high : float
        Bounds, themselves excluded [units].
    source : str
        Where the parameter and its bounds come from.
    **default
        ``default=...`` where the field has one.

    Returns
    -------
    field
        For the body of an ``equinox.Module``.
    """
    return eqx.field(converter=numeric, metadata={"parameter": Parameter(units, low, high, source)}, **default)


def parameters_of(module: eqx.Module) -> dict[str, Parameter]:
    """Parameters of a module, not of those within it.

    Parameters
    ----------
    module : equinox.Module

    Returns
    -------
    dict
        Name of the field to :class:`Parameter`, in the order of the fields.
    """
    return {
        field.name: field.metadata["parameter"] for field in dataclasses.fields(module) if "parameter" in field.metadata
    }


def check_bounds(module: eqx.Module, who: str) -> None:
    """Refuse a module whose parameters are not finite numbers within their bounds.

    Parameters
    ----------
    module : equinox.Module
    who : str
        How the message calls it.

    Raises
    ------
    BadModel
        With every breach.
    """
    breaches = []
    for name, known in parameters_of(module).items():
        value = getattr(module, name)
        if value is None:
            continue
        outside = ~((np.asarray(value) > known.low) & (np.asarray(value) < known.high))
        if outside.any():
            breaches.append(
                f"{name} is {np.asarray(value)[outside].ravel()[0]:g}, not between {known.low:g} and {known.high:g}"
                f" {known.units}"
            )
    if breaches:
        raise BadModel(f"{who}: " + "; ".join(breaches))
