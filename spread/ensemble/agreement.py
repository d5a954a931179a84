"""Do models agree on a change? The rules by which AR6 hatches its maps.

Both approaches of AR6 WGI Cross-Chapter Box Atlas.1 (Gutiérrez et al., 2021): the *simple* one asks for agreement on
the sign, the *advanced* one also whether the change leaves internal variability. Every model has one vote; one that
has no value at a place has no vote there, and is counted.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from spread import stats
from spread.ensemble.partition.forced_response import patterns
from spread.errors import BadStudy, NotComparable

Floats = NDArray[np.float64]
Method = Literal["simple", "advanced"]
Sigma = Literal["control", "yearly"]

AGREEMENT = 0.8
"""Share of models that must agree on the sign (AR6 WGI Cross-Chapter Box Atlas.1)."""

SIGNAL = 0.66
"""Share of models whose change must exceed internal variability (AR6 WGI Cross-Chapter Box Atlas.1)."""

ROBUSTNESS_CLASSES = MappingProxyType(
    {
        "simple": ("too_few_models", "high_model_agreement", "low_model_agreement"),
        "advanced": ("too_few_models", "robust_signal", "no_change_or_no_robust_signal", "conflicting_signals"),
    }
)
"""Names of the classes of :func:`robustness` by method, in the order of their numbers from 0."""

_QUANTILE = 1.645  # of a normal distribution, 5 % above it: AR6 WGI Cross-Chapter Box Atlas.1
_PERIOD = 20  # years of the means that are compared, same source
_ORDER = {"control": 2, "yearly": 1}  # of the polynomial taken off first, same source

_FEWEST = {"control": 5, "yearly": 10}
"""Values behind a standard deviation: with fewer, the polynomial that was taken off explains most of them."""


def sign_agreement(change: xr.DataArray, dim: str = "source_id") -> xr.DataArray:
    """Share of the models that agree on the sign of a change.

    Parameters
    ----------
    change : xarray.DataArray
        Change of each model, with the dimension ``dim``; NaN where a model has no value.
    dim : str
        Dimension of the models.

    Returns
    -------
    xarray.DataArray
        The larger of the shares of increase and of decrease, 0..1, among the models that have a value; a model without
        any change agrees with neither. NaN where no model has a value.

    Raises
    ------
    NotComparable
        If there is no such dimension.
    """
    _refuse_other(change, dim)
    votes = _finite(change)
    number, rising, falling = votes.notnull().sum(dim), (votes > 0).sum(dim), (votes < 0).sum(dim)
    agreement = rising.where(rising > falling, falling) / number.where(number > 0)
    return agreement.assign_attrs(units="1", long_name="share of models that agree on the sign")


def internal_threshold(
    yearly: xr.DataArray,
    sigma: Sigma = "control",
    dim: str = "year",
    ddof: int = 1,
    fewest: int | None = None,
) -> xr.DataArray:
    """Change between two 20-year means that internal variability alone rarely exceeds (gamma).

    Parameters
    ----------
    yearly : xarray.DataArray
        Yearly means with the dimension ``dim``, one after the other; NaN where a year lacks.
    sigma : str
        ``control``: sqrt(2) 1.645 sigma of 20-year means of a pre-industrial control run, which do not overlap, after
        a quadratic trend is taken off; ``yearly``: sqrt(2/20) 1.645 sigma of single years, after a linear trend is
        taken off, for where there is no control run.
    dim : str
        Dimension of the years.
    ddof : int
        Delta degrees of freedom of sigma; AR6 does not say which, xclim takes 0.
    fewest : int, optional
        Fewest values behind sigma, 5 means or 10 years by default; fewer give NaN.

    Returns
    -------
    xarray.DataArray
        Gamma on the other dimensions, in the unit of ``yearly``.

    Raises
    ------
    BadStudy
        If ``sigma`` is neither.
    NotComparable
        If there is no such dimension.

    Notes
    -----
    AR6 WGI Cross-Chapter Box Atlas.1. A trend is fitted to the years that a series has. The 20-year means begin with
    the first of these, and one that lacks a year is left out. Meant is one of ten cases; as sigma of 25 means, of which
    a quadratic trend was taken, is itself uncertain, white noise exceeds ``control`` in 13 of 100.
    """
    if sigma not in _ORDER:
        raise BadStudy(f"internal_threshold: sigma: expected 'control' or 'yearly', got {sigma!r}")
    _refuse_other(yearly, dim)
    least = _FEWEST[sigma] if fewest is None else fewest
    moved = yearly.transpose(..., dim)
    series = moved.values.astype(np.float64).reshape(-1, moved.shape[-1])
    gamma = np.full(series.shape[0], np.nan)
    for pattern, rows in patterns(np.isfinite(series)):
        if pattern.sum() <= _ORDER[sigma] + 1:
            continue
        rest = _without_trend(series[rows], pattern, _ORDER[sigma])
        values = _block_means(rest, pattern) if sigma == "control" else rest[:, pattern]
        if values.shape[1] >= max(least, ddof + 1):
            scale = 2.0 if sigma == "control" else 2.0 / _PERIOD
            gamma[rows] = np.sqrt(scale) * _QUANTILE * stats.standard_deviation(values, axis=1, ddof=ddof)
    out = moved.isel({dim: 0}, drop=True).copy(data=gamma.reshape(moved.shape[:-1]))
    said = {"long_name": "threshold of internal variability", "sigma": sigma, "ddof": ddof}
    return out.assign_attrs({"units": yearly.attrs.get("units", "")} | said)


def robustness(
    change: xr.DataArray,
    gamma: xr.DataArray | None = None,
    method: Method = "simple",
    dim: str = "source_id",
    agreement: float = AGREEMENT,
    signal: float = SIGNAL,
    fewest: int = 2,
) -> xr.Dataset:
    """Classes of robustness of a change, as AR6 hatches its maps.

    Parameters
    ----------
    change : xarray.DataArray
        Change between two 20-year means of each model, with the dimension ``dim`` and any others.
    gamma : xarray.DataArray, optional
        Threshold of internal variability of each model, as :func:`internal_threshold` returns it; for ``advanced``. A
        model without a threshold has no vote there.
    method : str
        ``simple`` or ``advanced``.
    dim : str
        Dimension of the models.
    agreement : float
        Share of models that must agree on the sign.
    signal : float
        Share of models whose change must exceed ``gamma``.
    fewest : int
        Fewest models that make a class: one always agrees with itself.

    Returns
    -------
    xarray.Dataset
        ``robustness``, numbers of :data:`ROBUSTNESS_CLASSES` with CF ``flag_values`` and ``flag_meanings``;
        ``agreement`` and, for ``advanced``, ``signal``, shares of the models that vote; ``models``, how many vote, and
        ``left_out``, how many lack a value or a threshold there.

    Raises
    ------
    BadStudy
        If the method is neither, a share is not in 0..1, or ``advanced`` has no ``gamma``.
    NotComparable
        If the models of ``change`` and ``gamma`` are not the same.

    Notes
    -----
    AR6 WGI Cross-Chapter Box Atlas.1. Simple: at least 80 % agree on the sign. Advanced: *robust* where at least 66 %
    exceed gamma and at least 80 % of all agree on the sign; *no change or no robust signal* where fewer than 66 %
    exceed gamma; *conflicting signals* where at least 66 % do and fewer than 80 % agree.
    """
    _refuse_options(method, gamma, agreement, signal)
    _refuse_other(change, dim)
    votes = _finite(change)
    if method == "advanced" and gamma is not None:
        gamma = _same_models(gamma, change, dim)
        votes = votes.where(gamma.notnull()).transpose(*change.dims, ...)
    number = votes.notnull().sum(dim)
    agrees = sign_agreement(votes, dim)
    enough = number >= fewest
    out = xr.Dataset({"agreement": agrees})
    if method == "simple" or gamma is None:
        classes = xr.where(agrees >= agreement, 1, 2)
    else:
        exceeds = (abs(votes) > gamma).sum(dim) / number.where(number > 0)
        out["signal"] = exceeds.assign_attrs(units="1", long_name="share of models that exceed internal variability")
        classes = xr.where(exceeds < signal, 2, xr.where(agrees >= agreement, 1, 3))
    meanings = ROBUSTNESS_CLASSES[method]
    out["robustness"] = xr.where(enough, classes, 0).astype(np.int8).assign_attrs(
        long_name="robustness of the change", flag_values=np.arange(len(meanings), dtype=np.int8),
        flag_meanings=" ".join(meanings),
    )  # fmt: skip
    out["models"] = number.assign_attrs(units="1", long_name="models that vote")
    out["left_out"] = (votes.sizes[dim] - number).assign_attrs(units="1", long_name="models without a vote")
    rule = {"method": method, "agreement_threshold": agreement, "fewest_models": fewest}
    if method == "advanced":
        rule["signal_threshold"] = signal
    return out.assign_attrs(rule | {"source": "AR6 WGI Cross-Chapter Box Atlas.1"})


def _without_trend(series: Floats, there: NDArray[np.bool_], order: int) -> Floats:
    """Residuals of a polynomial through the years that are there; NaN elsewhere."""
    x = np.linspace(-1.0, 1.0, there.size)[there]
    q, _ = np.linalg.qr(np.polynomial.legendre.legvander(x, order))
    out = np.full(series.shape, np.nan)
    out[:, there] = series[:, there] - series[:, there] @ q @ q.T
    return out


def _block_means(rest: Floats, there: NDArray[np.bool_]) -> Floats:
    """Means of 20 years each from the first year that is there; those that lack a year are left out."""
    first = int(there.argmax())
    number = (there.size - first) // _PERIOD
    means = rest[:, first : first + number * _PERIOD].reshape(rest.shape[0], number, _PERIOD).mean(axis=2)
    return means[:, there[first : first + number * _PERIOD].reshape(number, _PERIOD).all(axis=1)]


def _finite(change: xr.DataArray) -> xr.DataArray:
    return change.where(np.isfinite(change))  # a change in % of nothing is infinite, and says nothing


def _refuse_other(data: xr.DataArray, dim: str) -> None:
    if dim not in data.dims:
        raise NotComparable(f"agreement of models: expected the dimension {dim!r}, got {data.dims}")


def _refuse_options(method: str, gamma: xr.DataArray | None, agreement: float, signal: float) -> None:
    breaches = []
    if method not in ROBUSTNESS_CLASSES:
        breaches.append(f"method: expected 'simple' or 'advanced', got {method!r}")
    if method == "advanced" and gamma is None:
        breaches.append("method 'advanced' needs gamma: make it with internal_threshold from control runs")
    for name, share in (("agreement", agreement), ("signal", signal)):
        if not 0 <= share <= 1:
            breaches.append(f"{name}: expected a share in 0..1, got {share}")
    if breaches:
        raise BadStudy("robustness: " + "; ".join(breaches))


def _same_models(gamma: xr.DataArray, change: xr.DataArray, dim: str) -> xr.DataArray:
    """Thresholds in the order of the changes; those of other models do not matter, those that lack are NaN."""
    named = dim in gamma.coords and dim in change.coords
    if dim in gamma.dims and named:
        if not np.isin(change[dim].values, gamma[dim].values).any():
            names = ", ".join(map(str, change[dim].values[:5]))
            raise NotComparable(f"robustness: gamma has none of the models of change ({names})")
        gamma = gamma.reindex({dim: change[dim]})
    elif dim in gamma.dims and (dim in gamma.coords) != (dim in change.coords):
        raise NotComparable(f"robustness: expected names of the models ({dim!r}) on both change and gamma, or on none")
    try:
        # without this, xarray would leave out the places that the two do not share
        return xr.align(change, gamma, join="exact")[1]
    except ValueError as error:
        raise NotComparable(f"robustness: expected change and gamma at the same places: {error}") from None
