"""Regridding: weights between any two grids, made by one of several engines, kept, written and read."""

from spread.regrid.apply import regrid
from spread.regrid.kept import forget
from spread.regrid.making import ENGINES, make_weights
from spread.regrid.weights import METHODS, NORMS, Weights

__all__ = ["ENGINES", "METHODS", "NORMS", "Weights", "forget", "make_weights", "regrid"]
