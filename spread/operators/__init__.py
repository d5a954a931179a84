"""Linear operators on a field, all applied to a chunk while it is in memory (NumPy only)."""

from spread.operators.area_means import Applied, Operator, apply_weights, operator, region_weights
from spread.operators.remap import Sparse, remap
from spread.operators.season_sums import SeasonSums, SeasonYears, YearlyMaps, continued, joined, season_years

__all__ = [
    "Applied",
    "Operator",
    "SeasonSums",
    "SeasonYears",
    "Sparse",
    "YearlyMaps",
    "apply_weights",
    "continued",
    "joined",
    "operator",
    "region_weights",
    "remap",
    "season_years",
]
