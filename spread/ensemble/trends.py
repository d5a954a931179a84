"""Linear trends of annual series, of models and observations alike, and what internal variability makes of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from spread.errors import NotComparable

Floats = NDArray[np.float64]
Years = tuple[int, int]

DECADE = 10.0
MINIMUM_DEGREES_OF_FREEDOM = 10
"""Fewest members beyond the first, over all models, that give a standard deviation to a quarter of itself
(one over the root of twice the degrees of freedom)."""


class InternalVariability(NamedTuple):
    """Standard deviation of trends by internal variability alone.

    Parameters
    ----------
    sd : float
        In the unit of the trends.
    source : str
        How it was found.
    """

    sd: float
    source: str


def trends(series: xr.DataArray, years: Years, minimum_years: float = 1.0) -> xr.DataArray:
    """Fit a straight line by least squares to the years of each series.

    Parameters
    ----------
    series : xarray.DataArray
        With the dimension ``year`` and any others, such as the ``anomaly`` of :func:`spread.ensemble.anomalies` or an
        observed series; NaN where a year lacks.
    years : tuple of int
        First and last year.
    minimum_years : float
        Share of the years that a series must have; fewer give NaN.

    Returns
    -------
    xarray.DataArray
        ``trend`` [unit per decade] on the other dimensions.

    Raises
    ------
    NotComparable
        If a trend is asked of fewer than three years.
    """
    part, first, last = _window(series, years)
    time, values = _centred(part)
    there = np.isfinite(values)
    enough = there.sum(axis=-1) >= max(3, minimum_years * (last - first + 1))
    slope = _slope(time, values, there)[0]
    others = [dim for dim in part.dims if dim != "year"]
    out = part.isel(year=0, drop=True).transpose(*others).copy(data=np.where(enough, DECADE * slope, np.nan))
    units = series.attrs.get("units", "K")
    attrs = {"units": f"{units} per decade", "years": f"{first}-{last}"}
    return out.rename("trend").assign_attrs({k: v for k, v in series.attrs.items() if k != "kind"} | attrs)


def internal_variability(series: xr.DataArray, years: Years) -> InternalVariability:
    r"""Estimate how much a trend varies by internal variability alone.

    Parameters
    ----------
    series : xarray.DataArray
        Annual series of runs on ``source_id, member_id, year``; more dimensions must have one label.
    years : tuple of int
        First and last year of the trends.

    Returns
    -------
    InternalVariability
        Standard deviation [unit per decade] and how it was found.

    Raises
    ------
    NotComparable
        If no run has the years.

    Notes
    -----
    Where models have enough members: the pooled standard deviation of trends of members about their model's mean.
    Otherwise from the residuals about each run's own line, with lag-one autocorrelation :math:`\rho` (Santer et al.,
    2008, Int. J. Climatol. 28, doi:10.1002/joc.1756): :math:`n_e = n (1-\rho)/(1+\rho)`,
    :math:`s^2 = \sum e_t^2/(n_e-2)`, :math:`sd = s / \sqrt{\sum (t-\bar t)^2}`; the median over models. Residuals hold
    what volcanoes did too, so that this is rather too much than too little where eruptions fall within the years.
    """
    more = [str(dim) for dim in series.dims if dim not in ("source_id", "member_id", "year")]
    if any(series.sizes[dim] > 1 for dim in more):
        raise NotComparable(f"internal variability: expected one {' and '.join(more)}, got several; select one")
    series = series.squeeze(more, drop=True)
    series = series if "member_id" in series.dims else series.expand_dims(member_id=["one"])
    runs = trends(series, years).transpose("source_id", "member_id").values
    there = np.isfinite(runs)
    if not there.any():
        raise NotComparable(f"internal variability: no run has every year of {years[0]}-{years[1]}")
    number = there.sum(axis=1)
    freedom = int((number[number > 0] - 1).sum())
    if freedom >= MINIMUM_DEGREES_OF_FREEDOM:
        means = np.where(there, runs, 0.0).sum(axis=1) / np.maximum(number, 1)
        squares = np.where(there, (runs - means[:, None]) ** 2, 0.0).sum()
        return InternalVariability(
            float(np.sqrt(squares / freedom)), f"members about their model's mean, {freedom} degrees of freedom"
        )
    part = _window(series, years)[0].transpose("source_id", "member_id", "year")
    each = np.array(
        [_trend_error(run) if np.isfinite(run).all() else np.nan for run in part.values.reshape(-1, part.sizes["year"])]
    )
    by_model = [row[np.isfinite(row)].mean() for row in each.reshape(there.shape) if np.isfinite(row).any()]
    return InternalVariability(
        float(np.median(by_model)), f"residuals about each run's line, lag-one autocorrelation, {len(by_model)} models"
    )


def _window(series: xr.DataArray, years: Years) -> tuple[xr.DataArray, int, int]:
    first, last = years
    if last - first + 1 < 3:
        raise NotComparable(f"trend: expected at least 3 years, got {first}-{last}")
    return series.reset_coords(drop=True).reindex(year=np.arange(first, last + 1)), first, last


def _centred(part: xr.DataArray) -> tuple[Floats, Floats]:
    years = part["year"].values.astype(np.float64)
    return years - years.mean(), np.asarray(part.transpose(..., "year").values, dtype=np.float64)


def _slope(time: Floats, values: Floats, there: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Slope of each series, over the years it has, and the sum of squares of its years."""
    number = np.maximum(there.sum(axis=-1, keepdims=True), 1)
    middle = np.where(there, time, 0.0).sum(axis=-1, keepdims=True) / number
    away = np.where(there, time - middle, 0.0)
    spread = (away**2).sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (away * np.where(there, values, 0.0)).sum(axis=-1) / spread, spread


def _trend_error(run: Floats) -> float:
    """Standard error of a trend per decade, with fewer effective years where residuals persist."""
    time = np.arange(run.size) - (run.size - 1) / 2
    spread = float(time @ time)
    residual = run - run.mean() - time * float(time @ run) / spread
    squares = float(residual @ residual)
    if squares == 0.0:
        return 0.0
    # a negative estimate would count more years than there are
    persistence = max(float(residual[1:] @ residual[:-1]) / squares, 0.0)
    effective = max(run.size * (1 - persistence) / (1 + persistence), 3.0)
    return DECADE * float(np.sqrt(squares / (effective - 2) / spread))
