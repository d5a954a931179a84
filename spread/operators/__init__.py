"""Linear operators on a field, each applied to a chunk while it is in memory (NumPy only)."""

from spread.operators.area_means import Applied, Operator, apply_weights, operator, region_weights
from spread.operators.remap import Sparse, fold_mask, remap
from spread.operators.separable import Separable, factors

__all__ = [
    "Applied",
    "Operator",
    "Separable",
    "Sparse",
    "apply_weights",
    "factors",
    "fold_mask",
    "operator",
    "region_weights",
    "remap",
]
