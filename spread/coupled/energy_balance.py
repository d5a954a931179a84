"""Energy balance of the globe: two or three layers of heat with an efficacy of deep-ocean heat uptake.

The equations of layer temperatures T, with F the effective radiative forcing,

    C1 dT1/dt = F - lambda T1 - kappa2 (T1 - T2)
    C2 dT2/dt = kappa2 (T1 - T2) - epsilon kappa3 (T2 - T3)
    C3 dT3/dt = kappa3 (T2 - T3)

are linear, so a step is exact: the exponential of their matrix, joined with the integral of the temperatures and with a
forcing that is constant or linear within the step (Van Loan 1978). With two layers epsilon sits on kappa2 of the first.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import expm
from jaxtyping import Array, Float

from spread.coupled.parameters import check_bounds, parameter
from spread.errors import BadModel

__all__ = [
    "CO2_DOUBLINGS_PER_YEAR",
    "EnergyBalance",
    "EnergyBalanceState",
    "HeatFluxes",
    "check_energy_balance",
    "equilibrium_climate_sensitivity",
    "heat_content",
    "initial_state",
    "rates_of_change",
    "run",
    "timescales",
    "transient_climate_response",
]

CUMMINS = "Cummins, Stephenson & Stott 2020, doi:10.1175/JCLI-D-19-0589.1, equations 1-4"
type Numbers = Array | np.ndarray | float | list[float] | tuple[float, ...]
"""What a parameter may be given as; numbers are kept in float64."""

CO2_DOUBLINGS_PER_YEAR = float(np.log2(1.01))
"""Doublings of CO2 a year in 1pctCO2, where it compounds at 1 % a year (Eyring et al. 2016)."""


class EnergyBalance(eqx.Module):
    """Energy balance of two or three layers; every field may have trailing axes of its own for many models.

    Parameters
    ----------
    feedback : array
        Radiative feedback, positive where it damps: kappa1 of Cummins et al. [W m-2 K-1].
    heat_capacity : array
        Of each layer, from the surface down (layer,) [W yr m-2 K-1].
    heat_exchange : array
        Between each layer and the next, kappa2 and kappa3 (layer - 1,) [W m-2 K-1].
    efficacy : array
        Of the heat uptake of the deepest layer (Winton et al. 2010; Geoffroy et al. 2013) [1].
    forcing_4xco2 : array
        Effective radiative forcing of four times CO2 [W m-2].
    forcing_rate : array, optional
        Rate at which the forcing that is felt relaxes to the one that is given, gamma of Cummins et al. [yr-1]; where
        it is absent, forcing is felt at once.

    Source
    ------
    Cummins, Stephenson and Stott 2020, doi:10.1175/JCLI-D-19-0589.1, equations 1-4. The bounds hold the 66 fits of
    ``cummins.csv`` but those that did not identify the deep ocean, and a margin.
    """

    feedback: Numbers = parameter("W m-2 K-1", 0.05, 10.0, CUMMINS)
    heat_capacity: Numbers = parameter("W yr m-2 K-1", 0.01, 5000.0, CUMMINS)
    heat_exchange: Numbers = parameter("W m-2 K-1", 0.01, 50.0, CUMMINS)
    efficacy: Numbers = parameter("1", 1e-4, 100.0, CUMMINS)
    forcing_4xco2: Numbers = parameter("W m-2", 1.0, 20.0, CUMMINS)
    forcing_rate: Numbers | None = parameter("yr-1", 1e-3, 1e9, CUMMINS, default=None)


class EnergyBalanceState(NamedTuple):
    """What a run starts from and ends with.

    Parameters
    ----------
    temperature : array
        Of each layer, relative to equilibrium without forcing (layer, ...) [K].
    forcing : array or None
        The forcing that is felt (...) [W m-2]; None where it is felt at once.
    """

    temperature: Float[Array, "layer ..."]
    forcing: Float[Array, "*cells"] | None = None


class HeatFluxes(NamedTuple):
    """Means over each step of a run.

    Parameters
    ----------
    temperature : array
        Of each layer (time, layer, ...) [K]; the first layer is the surface.
    imbalance : array
        Net downward radiation at the top of the atmosphere (time, ...) [W m-2]; its sum over time is the change of
        heat content.
    """

    temperature: Float[Array, "time layer ..."]
    imbalance: Float[Array, "time ..."]


def check_energy_balance(model: EnergyBalance) -> None:
    """Refuse an energy balance that cannot be: shapes that do not go together, values out of bounds.

    Parameters
    ----------
    model : EnergyBalance

    Raises
    ------
    BadModel
        With what is wrong.
    """
    layers, exchanges = np.shape(model.heat_capacity), np.shape(model.heat_exchange)
    if not layers or layers[0] not in (2, 3) or exchanges[:1] != (layers[0] - 1,):
        raise BadModel(
            f"an energy balance has 2 or 3 heat capacities and one heat exchange fewer, not shapes {layers} and"
            f" {exchanges}; give heat_capacity (layer,) and heat_exchange (layer - 1,)"
        )
    check_bounds(model, "energy balance")


def rates_of_change(model: EnergyBalance) -> Float[Array, "layer layer"]:
    """Rate of change of the layer temperatures per kelvin.

    Parameters
    ----------
    model : EnergyBalance

    Returns
    -------
    array
        (layer, layer) [yr-1].
    """
    upper = jnp.asarray(model.heat_exchange)
    # what leaves the last but one layer is felt with the efficacy, what the deepest one gains is not
    leaving = upper.at[-1].multiply(model.efficacy)
    downwards = jnp.diag(-jnp.append(leaving, 0.0)) + jnp.diag(leaving, 1)
    upwards = jnp.diag(upper, -1) - jnp.diag(jnp.insert(upper, 0, 0.0))
    surface = jnp.zeros_like(downwards).at[0, 0].set(-jnp.asarray(model.feedback))
    return (downwards + upwards + surface) / jnp.asarray(model.heat_capacity)[:, None]


class _Propagator(NamedTuple):
    """One step of the state, with or without felt forcing as its first entry, and what it reads off the step.

    Parameters
    ----------
    advance, mean : array
        (state, state): end of the step and mean over it from the state before.
    push, mean_push : array
        (state, 2): the same from forcing at the start [W m-2] and its rate of change [W m-2 yr-1].
    radiated : array
        (state,): change of the imbalance per unit of the mean state.
    """

    advance: Array
    mean: Array
    push: Array
    mean_push: Array
    radiated: Array


@jax.jit
def _propagator(model: EnergyBalance, step: float | Array) -> _Propagator:
    matrix = rates_of_change(model)
    felt = model.forcing_rate is not None
    capacity, layers = jnp.asarray(model.heat_capacity), matrix.shape[0]
    into = jnp.zeros(layers).at[0].set(1.0 / capacity[0])
    deep = (1.0 - jnp.asarray(model.efficacy)) * jnp.asarray(model.heat_exchange)[-1]
    radiated = (
        jnp.zeros(layers).at[0].set(-jnp.asarray(model.feedback)).at[layers - 2].add(deep).at[layers - 1].add(-deep)
    )
    if felt:
        rate = jnp.asarray(model.forcing_rate)
        matrix = jnp.block([[-rate.reshape(1, 1), jnp.zeros((1, layers))], [into[:, None], matrix]])
        into = jnp.zeros(layers + 1).at[0].set(rate)
        radiated = jnp.insert(radiated, 0, 1.0)
    n = matrix.shape[0]
    whole = jnp.zeros((2 * n + 2, 2 * n + 2))
    whole = whole.at[:n, :n].set(matrix).at[:n, 2 * n].set(into)
    whole = whole.at[n : 2 * n, :n].set(jnp.eye(n)).at[2 * n, 2 * n + 1].set(1.0)
    power = expm(whole * step, max_squarings=32)
    return _Propagator(
        power[:n, :n], power[n : 2 * n, :n] / step, power[:n, 2 * n :], power[n : 2 * n, 2 * n :] / step, radiated
    )


def initial_state(model: EnergyBalance, cells: tuple[int, ...] = ()) -> EnergyBalanceState:
    """Equilibrium without forcing.

    Parameters
    ----------
    model : EnergyBalance
    cells : tuple of int
        Axes of the forcing behind time.

    Returns
    -------
    EnergyBalanceState
    """
    felt = None if model.forcing_rate is None else jnp.zeros(cells)
    return EnergyBalanceState(jnp.zeros((np.shape(model.heat_capacity)[0], *cells)), felt)


def _dot(matrix: Array, state: Array) -> Array:
    return jnp.tensordot(matrix, state, axes=1)


def run(
    model: EnergyBalance,
    forcing: Float[Array, "time ..."],
    step: float = 1.0,
    state: EnergyBalanceState | None = None,
    linear: bool = False,
) -> tuple[EnergyBalanceState, HeatFluxes]:
    """Integrate exactly through a forcing that is constant, or linear, within each step.

    Parameters
    ----------
    model : EnergyBalance
        Without trailing axes; ``jax.vmap`` runs many.
    forcing : array
        Effective radiative forcing: mean of each step (time, ...), or, where ``linear``, at the edges of the steps
        (time + 1, ...) [W m-2].
    step : float
        Length of a step [yr].
    state : EnergyBalanceState, optional
        Before the first step; equilibrium without forcing by default.
    linear : bool
        Forcing is linear between the edges of the steps.

    Returns
    -------
    state : EnergyBalanceState
        After the last step; a run from there goes on bit for bit as if it had not been cut.
    fluxes : HeatFluxes
        Means over each step.

    Notes
    -----
    Precision is JAX's: float32 unless 64 bits are enabled. :func:`~spread.coupled.forced_warming` enables them.
    In float64 the rounding of the matrix exponential is below 1e-10 of the warming for steps of up to 1e4 years.
    """
    state = initial_state(model, np.shape(forcing)[1:]) if state is None else state
    length = jnp.asarray(step, dtype=float)
    return _run(_propagator(model, length), jnp.asarray(forcing), length, state, linear)


@partial(jax.jit, static_argnames="linear")
def _run(
    by: _Propagator, forcing: Array, step: Array, state: EnergyBalanceState, linear: bool
) -> tuple[EnergyBalanceState, HeatFluxes]:
    """Integrate; compiled apart from the propagator, which does not depend on how long the forcing is."""
    starts, slopes = (forcing[:-1], jnp.diff(forcing, axis=0) / step) if linear else (forcing, jnp.zeros_like(forcing))
    felt = state.forcing is not None
    first = state.temperature if state.forcing is None else jnp.concatenate([state.forcing[None], state.temperature])

    def stepped(before: Array, given: tuple[Array, Array]) -> tuple[Array, tuple[Array, Array]]:
        pushed = jnp.stack(given)
        mean = _dot(by.mean, before) + _dot(by.mean_push, pushed)
        imbalance = _dot(by.radiated, mean) + (0.0 if felt else pushed[0] + pushed[1] * (step / 2.0))
        return _dot(by.advance, before) + _dot(by.push, pushed), (mean[int(felt) :], imbalance)

    first = jnp.broadcast_to(first, (first.shape[0], *forcing.shape[1:]))
    first = first.astype(jnp.result_type(first, forcing, by.advance))
    last, (temperature, imbalance) = jax.lax.scan(stepped, first, (starts, slopes))
    end = EnergyBalanceState(last[int(felt) :], last[0] if felt else None)
    return end, HeatFluxes(temperature, imbalance)


def heat_content(model: EnergyBalance, state: EnergyBalanceState) -> Float[Array, "*cells"]:
    """Heat above equilibrium.

    Parameters
    ----------
    model : EnergyBalance
    state : EnergyBalanceState

    Returns
    -------
    array
        (...) [W yr m-2].
    """
    return _dot(jnp.asarray(model.heat_capacity), state.temperature)


def equilibrium_climate_sensitivity(model: EnergyBalance) -> Float[Array, "*cells"]:
    """Warming at which the feedback balances half the forcing of four times CO2.

    Parameters
    ----------
    model : EnergyBalance

    Returns
    -------
    array
        (...) [K].

    Source
    ------
    Half of quadrupling is the convention of CMIP6 (Gregory et al. 2004; Zelinka et al. 2020); a doubling is rather
    0.476 of it (Meinshausen et al. 2020, equation of table 3).
    """
    return jnp.asarray(model.forcing_4xco2) / 2.0 / jnp.asarray(model.feedback)


def transient_climate_response(model: EnergyBalance) -> Float[Array, ""]:
    """Surface warming of years 61-80 of 1pctCO2, when CO2 doubles.

    Parameters
    ----------
    model : EnergyBalance
        Without trailing axes.

    Returns
    -------
    array
        () [K].

    Source
    ------
    AR6 WGI glossary; the forcing rises linearly, half the forcing of four times CO2 a doubling.
    """
    slope = jnp.asarray(model.forcing_4xco2) / 2.0 * CO2_DOUBLINGS_PER_YEAR
    before, during = _propagator(model, 60.0), _propagator(model, 20.0)
    ramp = jnp.stack([60.0 * slope, slope])
    mean = _dot(during.mean, before.push[:, 1] * slope) + _dot(during.mean_push, ramp)
    return mean[int(model.forcing_rate is not None)]


def timescales(model: EnergyBalance) -> Float[Array, " layer"]:
    """E-folding times of the response to forcing.

    Parameters
    ----------
    model : EnergyBalance
        Without trailing axes.

    Returns
    -------
    array
        (layer,) [yr], shortest first.

    Notes
    -----
    Scaled by the square roots of the heat capacities, the deepest times the efficacy, the matrix is symmetric; so its
    eigenvalues are real whatever the efficacy.
    """
    scale = jnp.sqrt(jnp.asarray(model.heat_capacity).at[-1].multiply(model.efficacy))
    symmetric = scale[:, None] * rates_of_change(model) / scale[None, :]
    return -1.0 / jnp.linalg.eigvalsh((symmetric + symmetric.T) / 2.0)
