"""Climate sensitivity: ECS, forcing and feedback by regression of abrupt-4xCO2, and TCR from 1pctCO2.

Sign conventions: N, the net radiation at the top of the atmosphere, is positive downward; N = F + lambda dT, so that
the feedback lambda of a stable climate is negative. A result that cannot be right has no number but a reason.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import xarray as xr

from spread.ensemble.control import Branches, Control, Labels, control_of, departures, labels_of, treatment, years_last
from spread.errors import BadStudy, did_you_mean

FITS = MappingProxyType({"all": (1, 150), "late": (21, 150), "early": (1, 20)})
"""Which years of abrupt-4xCO2 are fitted, counted from 1. All: Gregory et al. (2004) as Andrews et al. (2012, GRL) and
Zelinka et al. (2020, GRL) use it. Early and late: Andrews et al. (2015, J. Climate), as feedbacks change in time."""

DOUBLING = (61, 80)
"""Twenty years around the doubling of CO2 at 1 % per year, in year 70 (Cubasch et al. 2001, IPCC TAR, section 9.2)."""

RSDT = (335.0, 345.0)
"""Plausible mean incoming shortwave radiation [W m-2]: a quarter of 1361 W m-2 is 340.2; 45 CMIP6 models with whole
years have 337.3 (BCC-ESM1) to 341.7 (FGOALS-f3-L), CAS-ESM2-0 235 (chrisroadmap/ar6)."""

_IMBALANCE = 5.0  # of a control [W m-2]; 41 CMIP6 models have at most 4.3 (INM-CM4-8), CAS-ESM2-0 103 (same source)
_ECS = (1.0, 12.0)  # [K]; perturbed physics reach from below 2 to above 11 (Stainforth et al. 2005, Nature 433)
_TCR = (0.5, 5.0)  # [K]; CMIP6 models have 1.3 to 3.0 (AR6 WGI, chapter 7)
_ERRORS = 2.0  # standard errors by which a feedback must differ from zero; else the range of ECS has no upper end

Span = str | slice | tuple[int, int]


class _Fit(NamedTuple):
    """Ordinary least squares of N on dT."""

    intercept: float
    slope: float
    intercept_se: float
    slope_se: float
    ecs: float
    ecs_se: float
    r2: float


def net_radiation(rsdt: xr.DataArray, rsut: xr.DataArray, rlut: xr.DataArray) -> xr.DataArray:
    """Net radiation at the top of the atmosphere, positive downward.

    Parameters
    ----------
    rsdt, rsut, rlut : xarray.DataArray
        Incoming shortwave, outgoing shortwave and outgoing longwave radiation [W m-2].

    Returns
    -------
    xarray.DataArray
        ``rsdt - rsut - rlut`` [W m-2]; NaN in years that one of them lacks.
    """
    with xr.set_options(arithmetic_join="outer"):
        return (rsdt - rsut - rlut).rename("toa_net").assign_attrs(units="W m-2", positive="down")


def gregory(
    tas: xr.DataArray,
    toa_net: xr.DataArray,
    control_tas: xr.DataArray,
    control_net: xr.DataArray,
    years: Span = "all",
    control: Control = "mean",
    branch_year: Branches = None,
    rsdt: xr.DataArray | None = None,
    doublings: float = 2.0,
) -> xr.Dataset:
    """Equilibrium climate sensitivity, effective forcing and feedback by Gregory regression.

    Parameters
    ----------
    tas, toa_net : xarray.DataArray
        Yearly global means of the abrupt run [K] and [W m-2, positive downward], on ``year`` and any run dimensions;
        NaN where there is no run. Years are counted from the first that a run has, whatever it is called.
    control_tas, control_net : xarray.DataArray
        The same of piControl; on ``year``, ``source_id`` and, where there are several, ``member_id`` (see
        :func:`spread.ensemble.control.control_of`).
    years : str, tuple of int or slice
        First and last year of the fit, or one of :data:`FITS`.
    control : str
        ``mean`` of the control's years, or ``linear``: its straight line in the parallel years.
    branch_year : xarray.DataArray or mapping, optional
        By run or by ``source_id``: the control's year beside which the run's first year lies. ``linear`` needs it.
    rsdt : xarray.DataArray, optional
        Incoming shortwave radiation of the abrupt run [W m-2], to see whether it can be right.
    doublings : float
        How often CO2 is doubled: 2 in abrupt-4xCO2, 1 in abrupt-2xCO2.

    Returns
    -------
    xarray.Dataset
        On the run dimensions ``ecs`` [K], ``erf_2x`` [W m-2], ``feedback`` [W m-2 K-1], each with its standard error
        (``_se``); ``reason``, which says why they are NaN and is empty where they are not or where there is no run;
        ``intercept`` [W m-2], ``slope`` [W m-2 K-1] and ``r2`` of every fit that could be made, believed or not;
        ``years``, the number fitted. With ``model_year``, what was fitted: ``warming`` [K] and ``imbalance`` [W m-2].

    Raises
    ------
    BadStudy
        If the years or the treatment of the control are none.
    NotComparable
        If a control has a dimension that leaves a choice.

    Notes
    -----
    N = F + lambda dT by ordinary least squares; ECS = -F / lambda / doublings, ERF = F / doublings (Gregory et al.
    2004, GRL 31, doi:10.1029/2003GL018747). Standard errors are those of independent residuals; that of ECS by the
    delta method, with the covariance of slope and intercept. They hold neither the noise in dT nor that the relation
    bends.
    """
    first, last = _span(years)
    said = treatment(control)
    tas, toa_net = (years_last(array) for array in xr.align(tas, toa_net, join="outer"))
    toa_net = toa_net.transpose(*tas.dims)
    runs = labels_of(tas)
    x, y = np.full((2, len(runs), last - first + 1), np.nan)
    fits: list[_Fit | None] = [None] * len(runs)
    reasons: list[str] = [""] * len(runs)
    rows = zip(tas.values.reshape(-1, tas.sizes["year"]), toa_net.values.reshape(-1, tas.sizes["year"]), strict=True)
    for at, (run, (warm, net)) in enumerate(zip(runs, rows, strict=True)):
        (x[at], y[at]), faults = departures(
            run, (warm, net), (first, last), (control_tas, control_net), control, branch_year
        )
        if not faults and np.isfinite(x[at]).all():
            fits[at] = fit = _regression(x[at], y[at], doublings)
            faults = _implausible_radiation(run, rsdt, control_net) + _implausible_fit(fit)
        reasons[at] = "; ".join(faults)
    return _sensitivities(tas, (x, y), first, fits, reasons, doublings).assign_attrs(
        fit=f"years {first}-{last}, ordinary least squares of N on dT",
        control=said,
        doublings=doublings,
        standard_errors="independent residuals; ecs_se by the delta method",
        sign="N positive downward, feedback of a stable climate negative",
        source="Gregory et al. 2004, doi:10.1029/2003GL018747",
        **_origin(tas),
    )


def tcr(
    tas_1pct: xr.DataArray,
    control_tas: xr.DataArray,
    control: Control = "mean",
    branch_year: Branches = None,
) -> xr.Dataset:
    """Transient climate response: the warming around the doubling of CO2 at 1 % per year.

    Parameters
    ----------
    tas_1pct : xarray.DataArray
        Yearly global means of 1pctCO2 [K], on ``year`` and any run dimensions.
    control_tas, control, branch_year
        As in :func:`gregory`.

    Returns
    -------
    xarray.Dataset
        ``tcr`` [K] on the run dimensions, and ``reason``, why it is NaN.

    Raises
    ------
    BadStudy
        If the treatment of the control is none.
    NotComparable
        If a control has a dimension that leaves a choice.

    Notes
    -----
    Mean of years :data:`DOUBLING` less the control.
    """
    said = treatment(control)
    tas = years_last(tas_1pct)
    runs = labels_of(tas)
    value, reasons = np.full(len(runs), np.nan), [""] * len(runs)
    for at, (run, warm) in enumerate(zip(runs, tas.values.reshape(-1, tas.sizes["year"]), strict=True)):
        (warming,), faults = departures(run, (warm,), DOUBLING, (control_tas,), control, branch_year)
        mean = float(warming.mean())
        if not faults and np.isfinite(mean) and not _TCR[0] <= mean <= _TCR[1]:
            faults = [f"TCR of {mean:.3g} K, expected {_TCR[0]:g}..{_TCR[1]:g} K"]
        value[at], reasons[at] = (np.nan if faults else mean), "; ".join(faults)
    shape = tas.shape[:-1]
    return xr.Dataset(
        {
            "tcr": (tas.dims[:-1], value.reshape(shape), {"units": "K", "long_name": "transient climate response"}),
            "reason": (tas.dims[:-1], np.array(reasons, dtype=str).reshape(shape)),
        },
        coords=_run_coords(tas),
        attrs={"years": f"{DOUBLING[0]}-{DOUBLING[1]}", "control": said, **_origin(tas)},
    )


def _span(years: Span) -> tuple[int, int]:
    if isinstance(years, str):
        if years not in FITS:
            raise BadStudy(f"years of a Gregory regression: no fit {years!r}, {did_you_mean(years, list(FITS))}")
        return FITS[years]
    first, last = (years.start, years.stop) if isinstance(years, slice) else years
    if not (isinstance(first, int | np.integer) and isinstance(last, int | np.integer)) or not 1 <= first <= last - 2:
        raise BadStudy(f"years of a Gregory regression: expected first and last, three or more, from 1, got {years!r}")
    return int(first), int(last)


def _regression(x: np.ndarray, y: np.ndarray, doublings: float) -> _Fit:
    """Fit y = intercept + slope x; standard errors for independent residuals."""
    dx, dy = x - x.mean(), y - y.mean()
    sxx = float(dx @ dx)
    slope = float(dx @ dy) / sxx
    intercept = float(y.mean() - slope * x.mean())
    variance = float(((dy - slope * dx) ** 2).sum()) / (x.size - 2)
    slope_var, intercept_var = variance / sxx, variance * (1.0 / x.size + x.mean() ** 2 / sxx)
    covariance = -x.mean() * slope_var
    with np.errstate(divide="ignore", invalid="ignore"):
        at_rest = -np.float64(intercept) / slope  # dT at which N = 0
        # d(at_rest) = -(d intercept + at_rest d slope) / slope
        ecs_var = (intercept_var + at_rest**2 * slope_var + 2.0 * at_rest * covariance) / slope**2
        r2 = float(slope * (dx @ dy) / np.float64(dy @ dy))
    errors = np.sqrt([intercept_var, slope_var, max(ecs_var, 0.0)])
    return _Fit(intercept, slope, errors[0], errors[1], float(at_rest / doublings), errors[2] / doublings, r2)


def _implausible_radiation(run: Labels, rsdt: xr.DataArray | None, control_net: xr.DataArray) -> list[str]:
    faults = []
    if rsdt is not None:
        own, _ = control_of(run, rsdt)
        mean = np.nan if own is None else float(own.mean())
        if np.isfinite(mean) and not RSDT[0] <= mean <= RSDT[1]:
            faults.append(
                f"rsdt is {mean:.1f} W m-2, expected {RSDT[0]:g}..{RSDT[1]:g} (a quarter of the solar constant)"
            )
    control, _ = control_of(run, control_net)
    imbalance = 0.0 if control is None else float(control.mean())
    if abs(imbalance) > _IMBALANCE:
        faults.append(f"net radiation of its control is {imbalance:.1f} W m-2, expected within {_IMBALANCE:g} of zero")
    return faults


def _implausible_fit(fit: _Fit) -> list[str]:
    where = f"ECS would be {fit.ecs:.1f} K, r2 = {fit.r2:.2f}"
    if fit.slope >= 0:
        return [f"feedback is {fit.slope:.2f} W m-2 K-1: positive, no equilibrium ({where})"]
    if -fit.slope < _ERRORS * fit.slope_se:
        return [f"feedback {fit.slope:.2f} +- {fit.slope_se:.2f} W m-2 K-1 does not differ from zero ({where})"]
    if not _ECS[0] <= fit.ecs <= _ECS[1]:
        return [f"ECS would be {fit.ecs:.1f} K, expected {_ECS[0]:g}..{_ECS[1]:g} K"]
    return []


_UNITS = {
    "ecs": "K", "ecs_se": "K", "erf_2x": "W m-2", "erf_2x_se": "W m-2", "feedback": "W m-2 K-1",
    "feedback_se": "W m-2 K-1", "intercept": "W m-2", "slope": "W m-2 K-1", "r2": "1",
}  # fmt: skip


def _sensitivities(
    tas: xr.DataArray,
    fitted: tuple[np.ndarray, np.ndarray],
    first: int,
    fits: Sequence[_Fit | None],
    reasons: Sequence[str],
    doublings: float,
) -> xr.Dataset:
    x, y = fitted
    table = {name: np.full(len(fits), np.nan) for name in _UNITS}
    for at, fit in enumerate(fits):
        if fit is None:
            continue
        table["intercept"][at], table["slope"][at], table["r2"][at] = fit.intercept, fit.slope, fit.r2
        if not reasons[at]:
            table["ecs"][at], table["ecs_se"][at] = fit.ecs, fit.ecs_se
            table["erf_2x"][at], table["erf_2x_se"][at] = fit.intercept / doublings, fit.intercept_se / doublings
            table["feedback"][at], table["feedback_se"][at] = fit.slope, fit.slope_se
    dims, shape = tas.dims[:-1], tas.shape[:-1]
    numbers = np.array([0 if fit is None else x.shape[1] for fit in fits])
    return xr.Dataset(
        {
            **{name: (dims, values.reshape(shape), {"units": _UNITS[name]}) for name, values in table.items()},
            "years": (dims, numbers.reshape(shape), {"long_name": "years fitted"}),
            "reason": (dims, np.array(reasons, dtype=str).reshape(shape)),
            "warming": ((*dims, "model_year"), x.reshape(*shape, -1), {"units": "K"}),
            "imbalance": ((*dims, "model_year"), y.reshape(*shape, -1), {"units": "W m-2"}),
        },
        coords=_run_coords(tas) | {"model_year": first + np.arange(x.shape[1])},
    )


def _run_coords(tas: xr.DataArray) -> dict[Hashable, object]:
    return {dim: tas[dim].values for dim in tas.dims if dim in tas.coords and dim != "year"}


def _origin(tas: xr.DataArray) -> dict[str, str]:
    return {key: str(tas.attrs[key]) for key in ("synthetic",) if key in tas.attrs}
