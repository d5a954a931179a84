"""The ensemble: members side by side, means over time, and the spread across models. Small arrays only."""

from spread.ensemble.assessed import assessed_ranges
from spread.ensemble.comparison import compare
from spread.ensemble.members import RUN, assemble, join_historical, month_numbers
from spread.ensemble.observations import observed
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

__all__ = [
    "RUN",
    "across",
    "anomalies",
    "assemble",
    "assessed_ranges",
    "changes",
    "compare",
    "incomplete_runs",
    "join_historical",
    "keep_complete_models",
    "model_spread",
    "month_numbers",
    "observed",
    "period_means",
    "period_name",
    "refuse_empty",
    "yearly_means",
]
