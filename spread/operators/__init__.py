"""Linear operators on a field, all applied to a chunk while it is in memory (NumPy only)."""

from spread.operators.area_means import Applied, Operator, apply_weights, operator, region_weights
from spread.operators.remap import Sparse, fold_mask, remap
from spread.operators.season_sums import SeasonSums, SeasonYears, YearlyMaps, continued, joined, season_years
from spread.operators.separable import Separable, factors

__all__ = [
    "Applied",
    "Operator",
    "SeasonSums",
    "SeasonYears",
    "Separable",
    "Sparse",
    "YearlyMaps",
    "apply_weights",
    "continued",
    "factors",
    "fold_mask",
    "joined",
    "operator",
    "region_weights",
    "remap",
    "season_years",
]
