"""The ensemble: members side by side, means over time, and the spread across models. Small arrays only."""

from spread.ensemble.assessed import assessed_ranges
from spread.ensemble.blending import BLENDINGS, Blending
from spread.ensemble.comparison import compare
from spread.ensemble.constraint import Predictor, constrain
from spread.ensemble.members import RUN, assemble, join_historical, month_numbers
from spread.ensemble.observations import annual_series, as_gsat, observed
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
from spread.ensemble.weights import by_member, climwip, democracy, effective_number

__all__ = [
    "BLENDINGS",
    "RUN",
    "Blending",
    "InternalVariability",
    "Predictor",
    "across",
    "annual_series",
    "anomalies",
    "as_gsat",
    "assemble",
    "assessed_ranges",
    "by_member",
    "changes",
    "climwip",
    "compare",
    "constrain",
    "democracy",
    "effective_number",
    "incomplete_runs",
    "internal_variability",
    "join_historical",
    "keep_complete_models",
    "model_spread",
    "month_numbers",
    "observed",
    "period_means",
    "period_name",
    "refuse_empty",
    "trends",
    "yearly_means",
]
