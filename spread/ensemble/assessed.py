"""Ranges of warming that the IPCC assessed, for comparison: published numbers, not computed here."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from spread.regions import REGIONS
from spread.study import Study

SOURCE = "IPCC AR6 WGI (2021), Table SPM.1: best estimate and very likely (5-95 %) range, 2081-2100 against 1850-1900"


@dataclass(frozen=True)
class AssessedRange:
    """Assessed global surface warming [K]: best estimate and very likely range."""

    best: float
    low: float
    high: float


WARMING_2081_2100 = MappingProxyType(
    {
        "ssp119": AssessedRange(1.4, 1.0, 1.8),
        "ssp126": AssessedRange(1.8, 1.3, 2.4),
        "ssp245": AssessedRange(2.7, 2.1, 3.5),
        "ssp370": AssessedRange(3.6, 2.8, 4.6),
        "ssp585": AssessedRange(4.4, 3.3, 5.7),
    }
)
"""By experiment_id; the source is :data:`SOURCE`."""


def assessed_ranges(study: Study) -> dict[str, AssessedRange]:
    """Assessed ranges that may stand beside a study's numbers.

    Parameters
    ----------
    study : Study
        The study.

    Returns
    -------
    dict
        By experiment_id; empty unless the study asks for global annual ``tas`` in 2081-2100 against 1850-1900.
    """
    fits = (
        study.assessed
        and study.variable_id == "tas"
        and study.anomaly_kind == "absolute"
        and study.base_period == (1850, 1900)
        and (2081, 2100) in study.periods
        and "annual" in study.seasons
        and REGIONS["global"] in study.regions
    )
    return {e: WARMING_2081_2100[e] for e in study.experiments if e in WARMING_2081_2100} if fits else {}
