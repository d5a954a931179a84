"""Observational constraint: what the observed recent warming says about future warming, across models.

Models that warmed more in recent decades warm more later. Tokarska et al. (2020), Sci. Adv. 6, eaaz9549, regress one on
the other and read the regression at the observed trend. The raw and the constrained range stand side by side here,
with the relation that narrows one to the other, and with how often it holds when each model in turn is the truth.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from spread import stats
from spread.errors import BadStudy, NotComparable

Floats = NDArray[np.float64]
Method = Literal["regression", "conditional"]

MINIMUM_MODELS = 10  # there a correlation must exceed 0.63 to be significant at 5 %
_RUNS = ("source_id", "member_id")


class Predictor(NamedTuple):
    """The observed trend and what is not known about it.

    Parameters
    ----------
    observed : float
        Observed trend, in the unit of the models' trends.
    observational_sd : float
        Standard deviation of its errors: measurement, coverage, conversion.
    internal_sd : float
        Standard deviation of a trend by internal variability alone.
    """

    observed: float
    observational_sd: float
    internal_sd: float


def constrain(
    trend: xr.DataArray,
    change: xr.DataArray,
    predictor: Predictor,
    method: Method = "regression",
    quantiles: Sequence[float] = (0.05, 0.5, 0.95),
    significance: float = 0.05,
    minimum_models: int = MINIMUM_MODELS,
) -> xr.Dataset:
    r"""Constrain future change by an observed trend.

    Parameters
    ----------
    trend : xarray.DataArray
        Past trend of each run, on ``source_id[, member_id]`` and perhaps ``experiment_id``.
    change : xarray.DataArray
        Future change of each run, on the same and perhaps ``period``; NaN where there is none. A model has one vote:
        both are averaged over the members that have both.
    predictor : Predictor
        The observed trend.
    method : str
        ``regression`` or ``conditional``; see Notes.
    quantiles : sequence of float
        Quantiles, 0..1.
    significance : float
        Largest p-value (two-sided t-test of the slope) at which the relation is used.
    minimum_models : int
        Fewest models for which it is used.

    Returns
    -------
    xarray.Dataset
        ``mean``, ``sd`` and ``quantiles`` on ``estimate`` (raw, constrained); ``slope``, ``intercept``,
        ``correlation``, ``p_value``, ``count`` (models), ``coverage`` (share of models whose change lies between the
        outer quantiles when they are the truth and the others the models), and ``refused``: why there is no constrained
        estimate, empty where there is one. ``base_period`` of ``change`` and ``years`` of ``trend`` are handed on as
        attributes. Raw quantiles are those of the models, constrained ones of a t distribution.

    Raises
    ------
    BadStudy
        If the inputs have other dimensions, or the predictor is not a number.
    NotComparable
        If there is no constrained estimate at all, with the reasons.

    Notes
    -----
    For models :math:`i = 1..n` with trend :math:`x_i` (mean over :math:`m_i` members) and change :math:`y_i`, ordinary
    least squares gives :math:`y = a + b x`, residual variance :math:`s^2 = \sum (y_i - a - b x_i)^2 / (n-2)`, and
    :math:`S_{xx} = \sum (x_i - \bar x)^2`. With the observed trend :math:`x_o`, observational variance
    :math:`\sigma_w^2` and internal variance :math:`\sigma_u^2`:

    *regression*, in the manner of Tokarska et al. (2020): the observed trend is uncertain by
    :math:`\sigma_o^2 = \sigma_w^2 + \sigma_u^2`, mean :math:`a + b x_o`, variance
    :math:`b^2 \sigma_o^2 + s^2 (1 + 1/n + ((x_o - \bar x)^2 + \sigma_o^2) / S_{xx})`. Where models have one member,
    their residuals hold internal variability already, so that this range is too wide rather than too narrow.

    *conditional*: reality is one more draw from the distribution of the models, observed with error (the case of
    a signal-to-noise ratio in Bowman et al., 2018, Geophys. Res. Lett. 45, doi:10.1029/2018GL080082). With sample
    moments :math:`V_x, V_y, C` the observed trend has the variance
    :math:`V_o = V_x + \sigma_u^2 (1 - \overline{1/m}) + \sigma_w^2`; mean :math:`\bar y + (C/V_o)(x_o - \bar x)`,
    variance :math:`(V_y - C^2/V_o) (n-1)/(n-2) (1 + 1/n + (x_o - \bar x)^2 / ((n-1) V_o))`. Without observational
    error and with one member a model it is the prediction of the regression.

    Quantiles are mean plus standard deviation times those of Student's t with :math:`n - 2` degrees of freedom.
    """
    _check(trend, change, predictor, method, quantiles)
    trend, change = xr.broadcast(trend.reset_coords(drop=True), change.reset_coords(drop=True))
    runs = [dim for dim in _RUNS if dim in change.dims]
    rest = [str(dim) for dim in change.dims if dim not in runs]
    x, y, inverse = _by_model(trend.transpose(*runs, *rest).values, change.transpose(*runs, *rest).values, len(runs))
    shape = x.shape[1:]
    found = np.empty(shape, dtype=object)
    for at in np.ndindex(shape):
        there = np.isfinite(x[(slice(None), *at)])
        one, two, three = (values[(there, *at)] for values in (x, y, inverse))
        found[at] = _constrained(one, two, three, predictor, method, quantiles, significance, minimum_models)
    reasons = [one.refused for one in found.flat]
    if all(reasons):
        raise NotComparable("constraint: " + "; ".join(dict.fromkeys(reasons)))
    return _dataset(found, rest, change, trend, predictor, method, quantiles, significance)


class _Estimate(NamedTuple):
    mean: tuple[float, float]
    sd: tuple[float, float]
    quantiles: Floats
    slope: float
    intercept: float
    correlation: float
    p_value: float
    models: int
    coverage: float
    refused: str


def _by_model(trend: Floats, change: Floats, runs: int) -> tuple[Floats, Floats, Floats]:
    """Means over the members that have both, and one over their number; NaN for models without."""
    if runs == 1:
        trend, change = trend[:, None], change[:, None]
    both = np.isfinite(trend) & np.isfinite(change)
    number = both.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = np.where(number > 0, 1.0 / number, np.nan)
    x, y = (np.where(both, values, 0.0).sum(axis=1) * inverse for values in (trend, change))
    return x, y, inverse


def _constrained(
    x: Floats,
    y: Floats,
    inverse: Floats,
    predictor: Predictor,
    method: Method,
    quantiles: Sequence[float],
    significance: float,
    minimum_models: int,
) -> _Estimate:
    nothing = np.full(len(quantiles), np.nan)
    raw = stats.quantile(y, quantiles) if y.size else nothing
    mean, sd = (float(f(y)) if y.size else np.nan for f in (stats.mean, stats.standard_deviation))
    refused, slope, intercept, r, p = "", np.nan, np.nan, np.nan, np.nan
    if x.size >= 3 and np.ptp(x) > 0 and np.ptp(y) > 0:
        slope, intercept, r, p = _regression(x, y)
    if x.size < minimum_models:
        refused = f"{x.size} models have both a trend and a change, {minimum_models} are needed"
    elif not np.isfinite(p):
        refused = "trends or changes of the models are all the same"
    elif p > significance:
        refused = f"past trend and future change are not related across models (r = {r:.2f}, p = {p:.2g}, n = {x.size})"
    if refused:
        return _Estimate((mean, np.nan), (sd, np.nan), np.stack([raw, nothing]), slope, intercept, r, p, x.size, np.nan,
                         refused)  # fmt: skip
    centre, width = predict(x, y, inverse, predictor, method)
    levels = centre + width * student_t(quantiles, x.size - 2)
    coverage = _coverage(x, y, inverse, predictor.internal_sd, method, (min(quantiles), max(quantiles)))
    both = np.stack([raw, levels])
    return _Estimate((mean, centre), (sd, width), both, slope, intercept, r, p, x.size, coverage, "")


def _regression(x: Floats, y: Floats) -> tuple[float, float, float, float]:
    from scipy.stats import linregress

    fit = linregress(x, y)
    return float(fit.slope), float(fit.intercept), float(fit.rvalue), float(fit.pvalue)


def student_t(quantiles: Sequence[float], degrees_of_freedom: int) -> Floats:
    """Quantiles of Student's t distribution."""
    from scipy.stats import t

    return np.asarray(t.ppf(np.asarray(quantiles, dtype=np.float64), degrees_of_freedom), dtype=np.float64)


def predict(x: Floats, y: Floats, inverse: Floats, predictor: Predictor, method: Method) -> tuple[float, float]:
    """Mean and standard deviation of the change, given an observed trend.

    Parameters
    ----------
    x, y : numpy.ndarray, shape (model,)
        Trends and changes.
    inverse : numpy.ndarray, shape (model,)
        One over the number of members of each.
    predictor : Predictor
        The observed trend.
    method : str
        As in :func:`constrain`, whose Notes give the equations.

    Returns
    -------
    mean, sd : float
        Of the constrained change; the width of a t distribution with ``n - 2`` degrees of freedom.
    """
    n, dx, dy = x.size, x - x.mean(), y - y.mean()
    sxx, syy, sxy = float(dx @ dx), float(dy @ dy), float(dx @ dy)
    away = predictor.observed - float(x.mean())
    internal, observational = predictor.internal_sd**2, predictor.observational_sd**2
    if method == "regression":
        slope = sxy / sxx
        unsure = internal + observational
        residual = max(syy - slope * sxy, 0.0) / (n - 2)
        variance = slope**2 * unsure + residual * (1 + 1 / n + (away**2 + unsure) / sxx)
        return float(y.mean()) + slope * away, float(np.sqrt(variance))
    total = sxx / (n - 1) + internal * (1 - float(inverse.mean())) + observational
    covariance = sxy / (n - 1)
    left = max(syy / (n - 1) - covariance**2 / total, 0.0) * (n - 1) / (n - 2)
    variance = left * (1 + 1 / n + away**2 / ((n - 1) * total))
    return float(y.mean()) + covariance / total * away, float(np.sqrt(variance))


def _coverage(
    x: Floats, y: Floats, inverse: Floats, internal_sd: float, method: Method, outer: tuple[float, float]
) -> float:
    """Share of models whose change is in the range that their own trend gives, with the others as the models.

    A pseudo-truth's trend has no observational error. It is a mean over members, so that its internal variance is less.
    """
    inside = []
    for truth in range(x.size):
        others = np.arange(x.size) != truth
        seen = Predictor(float(x[truth]), 0.0, internal_sd * float(np.sqrt(inverse[truth])))
        centre, width = predict(x[others], y[others], inverse[others], seen, method)
        low, high = centre + width * student_t(outer, x.size - 3)
        inside.append(low <= y[truth] <= high)
    return float(np.mean(inside))


def _check(
    trend: xr.DataArray, change: xr.DataArray, predictor: Predictor, method: str, quantiles: Sequence[float]
) -> None:
    breaches = []
    for what, data in (("trend", trend), ("change", change)):
        if "source_id" not in data.dims:
            breaches.append(f"{what}: expected the dimension source_id, got {', '.join(map(str, data.dims)) or 'none'}")
        more = [str(dim) for dim in data.dims if dim in ("region", "season", "year") and data.sizes[dim] > 1]
        if more:
            breaches.append(f"{what}: an observed trend is of one place and season, select one {' and '.join(more)}")
    if ("member_id" in trend.dims) != ("member_id" in change.dims):
        breaches.append("trend and change: expected member_id in both or in neither")
    if not np.isfinite(predictor.observed):
        breaches.append(f"predictor: expected an observed trend, got {predictor.observed}")
    for what, sd in (("observational_sd", predictor.observational_sd), ("internal_sd", predictor.internal_sd)):
        if not (np.isfinite(sd) and sd >= 0):
            breaches.append(f"predictor: expected {what} of 0 or more, got {sd}")
    if method not in ("regression", "conditional"):
        breaches.append(f"method: expected 'regression' or 'conditional', got {method!r}")
    if not quantiles or not all(0 < q < 1 for q in quantiles):
        breaches.append(f"quantiles: expected numbers between 0 and 1, got {list(quantiles)}")
    if breaches:
        raise BadStudy("constraint: " + "; ".join(breaches))


def _dataset(
    found: NDArray[np.object_],
    rest: list[str],
    change: xr.DataArray,
    trend: xr.DataArray,
    predictor: Predictor,
    method: str,
    quantiles: Sequence[float],
    significance: float,
) -> xr.Dataset:
    def stacked(name: str) -> Floats:
        values = [getattr(one, name) for one in found.flat]
        return np.array(values).reshape((*found.shape, *np.shape(values[0])))

    unit, past = str(change.attrs.get("units", "")), str(trend.attrs.get("units", ""))
    dims, both = tuple(rest), (*rest, "estimate")
    ratio = f"{unit} / ({past})"
    out = xr.Dataset(
        {
            "mean": (both, stacked("mean"), {"units": unit}),
            "sd": (both, stacked("sd"), {"units": unit}),
            "quantiles": ((*both, "quantile"), stacked("quantiles"), {"units": unit}),
            "slope": (dims, stacked("slope"), {"units": ratio}),
            "intercept": (dims, stacked("intercept"), {"units": unit}),
            **{name: (dims, stacked(name)) for name in ("correlation", "p_value", "coverage", "refused")},
            "count": (dims, stacked("models")),
        },
        coords={name: change.coords[name] for name in rest if name in change.coords}
        | {"estimate": ["raw", "constrained"], "quantile": list(quantiles)},
        attrs={
            "units": unit, "method": method, "significance": significance, "observed_trend": predictor.observed,
            "observational_sd": predictor.observational_sd, "internal_sd": predictor.internal_sd, "trend_units": past,
            "synthetic": str(change.attrs.get("synthetic", "false")), "trend_years": str(trend.attrs.get("years", "")),
            "base_period": str(change.attrs.get("base_period", "")),
        },
    )  # fmt: skip
    return out.transpose("estimate", "quantile", ...)
