"""Linear operators on a field, each applied to a chunk while it is in memory (NumPy only)."""

from spread.operators.area_means import Applied, Operator, apply_weights, operator, region_weights

__all__ = ["Applied", "Operator", "apply_weights", "operator", "region_weights"]
