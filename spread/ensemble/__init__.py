"""The ensemble: members side by side, means over time, and the spread across models. Small arrays only."""

from spread.ensemble.members import RUN, assemble, join_historical, month_numbers
from spread.ensemble.spread import across, anomalies, changes, incomplete_runs, keep_complete_models, model_spread
from spread.ensemble.time_means import period_means, period_name, yearly_means

__all__ = [
    "RUN",
    "across",
    "anomalies",
    "assemble",
    "changes",
    "incomplete_runs",
    "join_historical",
    "keep_complete_models",
    "model_spread",
    "month_numbers",
    "period_means",
    "period_name",
    "yearly_means",
]
