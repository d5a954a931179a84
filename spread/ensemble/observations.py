"""Observed annual series, brought to a study's base period so that they can stand on the plume."""

from __future__ import annotations

from typing import Any

import numpy as np

from spread.errors import NotFound, one_line
from spread.study import Study


def observed(study: Study) -> dict[str, Any]:
    """Read a study's observations as anomalies against its base period.

    Parameters
    ----------
    study : Study
        With ``observations``, or without.

    Returns
    -------
    dict
        ``name``, ``year`` and ``anomaly`` (lists; the variable's unit, or % where the study counts so); empty without
        observations.

    Raises
    ------
    NotFound
        If the file, its columns, or its base period are not there.

    Notes
    -----
    A series is shifted by its own mean over the base period. A series of blended surface temperature (sea surface under
    the ice-free ocean) warms a few per cent less than ``tas``; that difference is not removed here.
    """
    if study.observations is None:
        return {}
    import pandas as pd

    asked = study.observations
    try:
        table = pd.read_csv(asked.file, comment="#")
    except (OSError, ValueError) as error:
        raise NotFound(f"observations {asked.file}: cannot be read: {one_line(error)}") from error
    missing = [c for c in (asked.year_column, asked.value_column) if c not in table.columns]
    if missing:
        known = ", ".join(map(str, table.columns))
        raise NotFound(f"observations {asked.file}: no column {', '.join(missing)}; the file has {known}")
    table = table[[asked.year_column, asked.value_column]].dropna()
    # some series stamp the middle of a year
    year = np.floor(table[asked.year_column].to_numpy(dtype=float)).astype(int)
    value = table[asked.value_column].to_numpy(dtype=float)
    first, last = study.base_period
    base = value[(year >= first) & (year <= last)]
    if base.size < study.minimum_years * (last - first + 1):
        raise NotFound(
            f"observations {asked.file}: {base.size} of {last - first + 1} years of the base period {first}-{last}; "
            "choose a base period that the series covers"
        )
    anomaly = value - base.mean()
    if study.anomaly_kind == "percent":
        anomaly = 100.0 * anomaly / base.mean()
    return {"name": asked.name, "year": year.tolist(), "anomaly": anomaly.tolist()}
