"""Fit the forced response of one climate model to its runs, with priors that keep a short record safe.

The logarithms of the parameters are found by Levenberg-Marquardt with exact derivatives, as the mode of the posterior;
its curvature is their covariance (Laplace). Years outside of the training period are dropped before anything is
computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from spread.coupled.cummins import log_prior
from spread.coupled.energy_balance import run
from spread.coupled.fitted import Fit, response_of
from spread.coupled.forcing import Forcing, scenario_forcing
from spread.coupled.response import CONTROL_YEAR, IDEALISED, forcing_groups, idealised_fraction
from spread.errors import NotComparable

__all__ = ["Run", "fit"]

SCALE_PRIOR = {
    # other agents and fast adjustments differ beyond what four times CO2 tells; assumed
    "well_mixed": (0.0, 0.15),
    # aerosol ERF of 17 CMIP6 models, 1850 to 2014: -1.01 +- 0.23 W m-2 (Smith et al. 2020,
    # doi:10.5194/acp-20-9591-2020) over RCMIP's -1.27; widened by half, for the shape in time differs
    "aerosol": (float(np.log(1.01 / 1.27)), 0.35),
    # energy balances overstate volcanic cooling by 10-40 % (Gregory et al. 2016,
    # doi:10.1007/s00382-016-3055-1); assumed
    "volcanic": (-0.2, 0.35),
}
"""Mean and deviation of the logarithm of each scale; that of well-mixed agents is relative to the model's 4xCO2."""

OFFSET_DEVIATION = 5.0
"""Of the prior of a model's unforced temperature about the mean of its data [K]: it says nothing."""

FIRST_NOISE = {"warming": (0.15, 0.5), "imbalance": (0.35, 0.2)}
"""Standard deviation [K, W m-2] and lag-1 autocorrelation of annual global means before residuals are known."""


@dataclass(frozen=True)
class Run:
    """Annual global means of one run of a model.

    Parameters
    ----------
    experiment_id : str
        ``historical``, an SSP, or an idealised CO2 experiment such as ``abrupt-4xCO2``.
    years : ndarray
        Calendar years; of an idealised experiment, years since its start, the first of which is 1 (time,).
    temperature : ndarray
        Surface temperature, NaN where absent (time,) [K]: of idealised experiments relative to the control run, of
        others relative to anything that is the same for all runs of a fit.
    imbalance : ndarray, optional
        Net downward radiation at the top of the atmosphere relative to the control run, of idealised experiments
        (time,) [W m-2].
    """

    experiment_id: str
    years: np.ndarray
    temperature: np.ndarray
    imbalance: np.ndarray | None = None

    @property
    def idealised(self) -> bool:
        """Whether the experiment is one of CO2 alone."""
        return self.experiment_id in IDEALISED


@dataclass
class _Series:
    """One observed series, on all the years of its run, and the matrix that whitens it."""

    kind: str
    data: np.ndarray
    whitening: np.ndarray

    def whiten(self, deviation: float, autocorrelation: float) -> None:
        """Set the whitening of AR(1) noise at the years that are there; other rows stay zero."""
        there = np.flatnonzero(np.isfinite(self.data))
        covariance = deviation**2 * autocorrelation ** np.abs(there[:, None] - there[None, :])
        self.whitening = np.zeros((self.data.size, self.data.size))
        self.whitening[np.ix_(there, there)] = np.linalg.inv(np.linalg.cholesky(covariance))


@dataclass
class _Problem:
    """Forcing and series of every run: fraction of 4xCO2 (time,), groups of agents (time, 3), series."""

    forcing: list[tuple[np.ndarray, np.ndarray]]
    series: list[list[_Series]]
    centre: float

    def arrays(self) -> tuple:
        return tuple(
            (fraction, groups, tuple((np.nan_to_num(s.data), s.whitening) for s in series))
            for (fraction, groups), series in zip(self.forcing, self.series, strict=True)
        )


@jax.jit
def _simulated(theta: jax.Array, runs: tuple) -> tuple:
    """Temperature and imbalance of every run (time,); the offset is added to runs under agents other than CO2."""
    response = response_of(theta)
    out = []
    for fraction, groups, _ in runs:
        forcing = fraction * response.energy_balance.forcing_4xco2 + response.felt(groups)
        fluxes = run(response.energy_balance, forcing)[1]
        offset = jnp.where(jnp.any(groups != 0.0), theta[-1], 0.0)
        out.append((fluxes.temperature[:, 0] + offset, fluxes.imbalance))
    return tuple(out)


@jax.jit
def _residuals(theta: jax.Array, runs: tuple, mean: jax.Array, deviation: jax.Array) -> jax.Array:
    """Whitened misfit of every series, then departure from the prior."""
    parts = [(theta - mean) / deviation]
    for simulated, (_, _, series) in zip(_simulated(theta, runs), runs, strict=True):
        parts += [whitening @ (got - data) for got, (data, whitening) in zip(simulated, series, strict=False)]
    return jnp.concatenate(parts)


_jacobian = jax.jit(jax.jacfwd(_residuals))


def fit(
    runs: Sequence[Run],
    train: tuple[int, int],
    source_id: str | None = None,
    forcing: dict[str, Forcing] | None = None,
) -> Fit:
    """Fit the forced response of one model to its runs.

    Parameters
    ----------
    runs : sequence of Run
        Of one model: historical and scenarios, idealised CO2 experiments, or both.
    train : tuple of int
        First and last calendar year that may be used; idealised experiments have no calendar and are used whole.
    source_id : str, optional
        A model of the table of :func:`~spread.coupled.cummins`, whose own fit to abrupt-4xCO2 is then the prior; by
        default the prior is all models of the table.
    forcing : dict, optional
        Forcing by experiment; :func:`~spread.coupled.scenario_forcing` by default.

    Returns
    -------
    Fit

    Raises
    ------
    NotComparable
        For runs that cannot be used, all at once.
    NotFound
        For an experiment without forcing, and a model that the table does not have.

    Notes
    -----
    Noise of the annual means is AR(1); its deviation and autocorrelation are those of the residuals of a first fit, so
    that misfit of the shared forcing widens the covariance. Scenarios of a model share their past but are taken as
    independent, for every run gives its own years only.
    """
    problem = _prepared(runs, train, forcing or {})
    mean, deviation = log_prior(source_id)
    scales = np.array([SCALE_PRIOR[name] for name in ("well_mixed", "aerosol", "volcanic")])
    mean = np.concatenate([mean, scales[:, 0], [problem.centre]])
    deviation = np.concatenate([deviation, scales[:, 1], [OFFSET_DEVIATION]])
    noise = dict(FIRST_NOISE)
    theta = mean
    with jax.enable_x64(True):
        for _ in range(3):  # the second and third know the noise from the fit before
            for series in (s for each in problem.series for s in each):
                series.whiten(*noise[series.kind])
            theta, converged = _solved(theta, problem.arrays(), mean, deviation)
            misfit, noise = _noise(problem, _simulated(theta, problem.arrays()))
        jacobian = np.asarray(_jacobian(theta, problem.arrays(), mean, deviation))
    return Fit(theta, np.linalg.inv(jacobian.T @ jacobian), mean, deviation, noise, misfit, converged, train)


def _solved(start: np.ndarray, runs: tuple, mean: np.ndarray, deviation: np.ndarray) -> tuple[np.ndarray, bool]:
    """Least squares from a start, in units of the prior's deviation."""
    from scipy.optimize import least_squares

    found = least_squares(
        lambda theta: np.asarray(_residuals(theta, runs, mean, deviation)),
        start,
        lambda theta: np.asarray(_jacobian(theta, runs, mean, deviation)),
        method="lm",
        x_scale=deviation,
        max_nfev=200,
        xtol=1e-10,
        ftol=1e-10,
    )
    return found.x, bool(found.status > 0)


def _noise(problem: _Problem, simulated: tuple) -> tuple[dict[str, float], dict[str, tuple[float, float]]]:
    """Root-mean-square misfit, and deviation and lag-1 autocorrelation of the residuals, by kind of series."""
    misfit, noise = {}, dict(FIRST_NOISE)
    for kind in FIRST_NOISE:
        residuals = [
            s.data - np.asarray(got)
            for series, pair in zip(problem.series, simulated, strict=True)
            for s, got in zip(series, pair, strict=False)
            if s.kind == kind
        ]
        there = np.concatenate([r[np.isfinite(r)] for r in residuals]) if residuals else np.zeros(0)
        if there.size < 3:
            continue
        misfit[kind] = float(np.sqrt((there**2).mean()))
        lagged = np.concatenate([r[1:] * r[:-1] for r in residuals])
        correlation = np.nanmean(lagged) / misfit[kind] ** 2 if np.isfinite(lagged).any() else 0.0
        # exact data would make the noise zero, and a fit without noise is never finished
        noise[kind] = max(misfit[kind], 1e-3), float(np.clip(correlation, 0.0, 0.95))
    return misfit, noise


def _prepared(runs: Sequence[Run], train: tuple[int, int], forcing: dict[str, Forcing]) -> _Problem:
    """Drop what is not for training, put every series on all the years of its run, and refuse what cannot be used."""
    wrong = [] if runs else ["there are no runs"]
    problem, calendar = _Problem([], [], 0.0), []
    for each in runs:
        years, temperature = np.asarray(each.years, int), np.array(each.temperature, float)
        first = 1 if each.idealised else CONTROL_YEAR
        if years.shape != temperature.shape or years.ndim != 1 or np.unique(years).size != years.size:
            wrong.append(f"{each.experiment_id}: {temperature.shape} temperatures for {years.shape} different years")
            continue
        used = (years >= first) & (each.idealised | ((years >= train[0]) & (years <= train[1])))
        used &= np.isfinite(temperature)
        if used.sum() < 10:
            wrong.append(f"{each.experiment_id}: {used.sum()} years from {first} on in {train[0]}-{train[1]}, not 10")
            continue
        length = int(years[used].max()) - first + 1
        data = np.full(length, np.nan)
        data[years[used] - first] = temperature[used]
        series = [_Series("warming", data, np.zeros(0))]
        if each.imbalance is not None and each.idealised:
            flux = np.full(length, np.nan)
            flux[years[used] - first] = np.asarray(each.imbalance, float)[used]
            series.append(_Series("imbalance", flux, np.zeros(0)))
        elif each.imbalance is not None:
            wrong.append(f"{each.experiment_id}: imbalance can be used of idealised experiments only; leave it out")
        if each.idealised:
            given = idealised_fraction(each.experiment_id, length), np.zeros((length, 3))
        else:
            own = forcing.get(each.experiment_id) or scenario_forcing(each.experiment_id)
            given = np.zeros(length), forcing_groups(own)[:length]
            calendar.append(data)
        problem.forcing.append(given)
        problem.series.append(series)
    if wrong:
        raise NotComparable("fit of a forced response: " + "; ".join(wrong))
    if calendar:
        problem.centre = float(np.nanmean(np.concatenate(calendar)))
    return problem
