"""Regridding: weights between any two grids, made by one of several engines, kept, written, read and applied."""

from typing import Any

from spread.regrid.kept import forget
from spread.regrid.making import ENGINES, make_weights
from spread.regrid.weights import METHODS, NORMS, Weights

__all__ = ["ENGINES", "METHODS", "NORMS", "Weights", "forget", "make_weights", "regrid"]


def __getattr__(name: str) -> Any:
    """Import what needs xarray when it is asked for."""
    if name != "regrid":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from spread.regrid.apply import regrid

    return regrid
