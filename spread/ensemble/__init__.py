"""The ensemble: members side by side, means over time, the spread across models, and its sources. Small arrays only."""

from spread.ensemble.agreement import ROBUSTNESS_CLASSES, internal_threshold, robustness, sign_agreement
from spread.ensemble.answers import LEVELS_FROM, answers
from spread.ensemble.assessed import assessed_ranges
from spread.ensemble.blending import BLENDINGS, Blending
from spread.ensemble.comparison import compare
from spread.ensemble.constraint import Predictor, constrain
from spread.ensemble.members import RUN, assemble, join_historical, month_numbers
from spread.ensemble.observations import annual_series, as_gsat, observed
from spread.ensemble.partition import PARTITION_DEFINITIONS, PartitionDefinition, hawkins_sutton, lafferty_sriver
from spread.ensemble.sensitivity import gregory, net_radiation, tcr
from spread.ensemble.spread import (
    across,
    anomalies,
    changes,
    incomplete_runs,
    keep_complete_models,
    model_spread,
    refuse_empty,
)
from spread.ensemble.time_means import period_means, period_name, yearly_means
from spread.ensemble.trends import InternalVariability, internal_variability, trends
from spread.ensemble.warming_levels import across_warming_levels, at_warming_level, passing_years, warming_levels
from spread.ensemble.weights import by_member, climwip, democracy, effective_number

__all__ = [
    "BLENDINGS",
    "LEVELS_FROM",
    "PARTITION_DEFINITIONS",
    "ROBUSTNESS_CLASSES",
    "RUN",
    "Blending",
    "InternalVariability",
    "PartitionDefinition",
    "Predictor",
    "across",
    "across_warming_levels",
    "annual_series",
    "anomalies",
    "answers",
    "as_gsat",
    "assemble",
    "assessed_ranges",
    "at_warming_level",
    "by_member",
    "changes",
    "climwip",
    "compare",
    "constrain",
    "democracy",
    "effective_number",
    "gregory",
    "hawkins_sutton",
    "incomplete_runs",
    "internal_threshold",
    "internal_variability",
    "join_historical",
    "keep_complete_models",
    "lafferty_sriver",
    "model_spread",
    "month_numbers",
    "net_radiation",
    "observed",
    "passing_years",
    "period_means",
    "period_name",
    "refuse_empty",
    "robustness",
    "sign_agreement",
    "tcr",
    "trends",
    "warming_levels",
    "yearly_means",
]
