"""Observed annual series, read, brought to a study's base period, and made comparable with ``tas`` where asked."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from spread.ensemble.blending import blending
from spread.errors import NotFound, one_line
from spread.study import Observations, Study


def annual_series(asked: Observations) -> xr.DataArray:
    """Read an observed annual series as it is in its file.

    Parameters
    ----------
    asked : Observations
        File, columns, name, and what kind of temperature it is.

    Returns
    -------
    xarray.DataArray
        Values on ``year`` (rising, rows without a value left out). Attributes: ``name``, ``file``, and ``kind`` and
        ``conversion`` where they are given. Nothing is converted.

    Raises
    ------
    NotFound
        If the file or its columns are not there, or a value is no number.
    """
    import pandas as pd

    try:
        table = pd.read_csv(asked.file, comment="#")
    except (OSError, ValueError) as error:
        raise NotFound(f"observations {asked.file}: cannot be read: {one_line(error)}") from error
    columns = [asked.year_column, asked.value_column]
    missing = [c for c in columns if c not in table.columns]
    if missing:
        known = ", ".join(map(str, table.columns))
        raise NotFound(f"observations {asked.file}: no column {', '.join(missing)}; the file has {known}")
    try:
        numbers = table[columns].dropna().astype(float)
    except ValueError as error:
        raise NotFound(f"observations {asked.file}: expected numbers in {columns}: {one_line(error)}") from error
    # some series stamp the middle of a year
    year = np.floor(numbers[asked.year_column].to_numpy()).astype(int)
    order = np.argsort(year, kind="stable")
    twice = sorted({int(y) for y, n in zip(*np.unique(year, return_counts=True), strict=True) if n > 1})
    if twice:
        raise NotFound(
            f"observations {asked.file}: expected one row a year, got several for {twice[0]}"
            + (f" and {len(twice) - 1} more years" if len(twice) > 1 else "")
            + "; give annual means"
        )
    attrs: dict[str, Any] = {"name": asked.name, "file": asked.file}
    attrs |= {what: value for what in ("kind", "conversion") if (value := getattr(asked, what)) is not None}
    return xr.DataArray(numbers[asked.value_column].to_numpy()[order], {"year": year[order]}, "year", attrs=attrs)


def as_gsat(anomaly: xr.DataArray) -> xr.DataArray:
    """Multiply anomalies by the ratio of GSAT to GMST that their attributes name.

    Parameters
    ----------
    anomaly : xarray.DataArray
        Anomalies or changes [K] with the attributes ``kind`` and, for GMST, ``conversion``.

    Returns
    -------
    xarray.DataArray
        Anomalies of GSAT [K]; ``kind`` is ``GSAT``. Attributes say what was done: ``converted_from``,
        ``conversion_ratio``, ``conversion_sd`` (of the ratio) and ``conversion_source``.

    Raises
    ------
    NotFound
        If the series does not say which kind it is.
    BadStudy
        If it is GMST and names no known conversion; see :func:`spread.ensemble.blending.blending`.
    """
    if "kind" not in anomaly.attrs:
        raise NotFound(
            f"observations {anomaly.attrs.get('name', '')!r}: which temperature is it? say kind = 'GSAT' (air "
            "everywhere, as tas) or kind = 'GMST' (sea surface over the ocean) and its conversion"
        )
    ratio = blending(anomaly.attrs["kind"], anomaly.attrs.get("conversion"))
    attrs = {k: v for k, v in anomaly.attrs.items() if k != "conversion"}
    said = {"conversion_ratio": ratio.ratio, "conversion_sd": ratio.sd, "conversion_source": ratio.source}
    converted = {"converted_from": "GMST"} if anomaly.attrs["kind"] == "GMST" else {}
    return (
        anomaly.copy(data=anomaly.values * ratio.ratio, deep=True)
        .drop_attrs()
        .assign_attrs(attrs | {"kind": "GSAT"} | converted | said)
    )


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
        observations. Where the observations say which temperature they are, also ``kind``, and for a converted series
        ``conversion_ratio`` and ``conversion_source``; the name then tells it too.

    Raises
    ------
    NotFound
        If the file, its columns, or its base period are not there.

    Notes
    -----
    A series is shifted by its own mean over the base period. A blended series (``kind = "GMST"``) is then multiplied by
    the ratio that its ``conversion`` names; one that does not say its kind is drawn as it is.
    """
    if study.observations is None:
        return {}
    asked = study.observations
    series = annual_series(asked)
    first, last = study.base_period
    base = series.sel(year=slice(first, last))
    if base.size < study.minimum_years * (last - first + 1):
        raise NotFound(
            f"observations {asked.file}: {base.size} of {last - first + 1} years of the base period {first}-{last}; "
            "choose a base period that the series covers"
        )
    mean = float(base.mean())
    anomaly = series - mean
    if study.anomaly_kind == "percent":
        anomaly = 100.0 * anomaly / mean
    found: dict[str, Any] = {"name": asked.name}
    if asked.kind is not None:
        anomaly = as_gsat(anomaly.assign_attrs(series.attrs))
        found["kind"] = asked.kind
    if asked.conversion is not None:
        found |= {what: anomaly.attrs[what] for what in ("conversion_ratio", "conversion_source")}
        if anomaly.attrs["conversion_ratio"] != 1.0:
            found["name"] = f"{asked.name} (GMST x {anomaly.attrs['conversion_ratio']:g})"
    return found | {"year": anomaly["year"].values.tolist(), "anomaly": anomaly.values.tolist()}
