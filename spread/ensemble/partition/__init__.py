"""Where the variance of projections comes from: internal variability, models, scenarios, downscaling.

The shares depend on how each variance is defined: with one set of runs, scenarios hold 63 or 73 % in 2095. So every
result carries its :class:`PartitionDefinition`.
"""

from spread.ensemble.partition.definitions import PARTITION_DEFINITIONS, PartitionDefinition
from spread.ensemble.partition.forced_response import smoother
from spread.ensemble.partition.hawkins_sutton import hawkins_sutton
from spread.ensemble.partition.lafferty_sriver import lafferty_sriver

__all__ = ["PARTITION_DEFINITIONS", "PartitionDefinition", "hawkins_sutton", "lafferty_sriver", "smoother"]
