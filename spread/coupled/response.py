"""Forced global-mean warming: an energy balance, and how strongly a model feels each forcing."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from spread.coupled.co2_equivalent import CO2_1750, co2_forcing
from spread.coupled.energy_balance import CO2_DOUBLINGS_PER_YEAR, EnergyBalance, Numbers, run
from spread.coupled.forcing import Forcing
from spread.coupled.parameters import numeric, parameter
from spread.errors import NotFound, did_you_mean

__all__ = [
    "CONTROL_YEAR",
    "RCMIP_4XCO2",
    "ForcedResponse",
    "forced_response",
    "forced_warming",
    "forcing_groups",
    "idealised_fraction",
    "surface_temperature",
]

CONTROL_YEAR = 1850
"""Year whose anthropogenic forcing the control run of a CMIP6 model has (Eyring et al. 2016)."""

RCMIP_4XCO2 = float(co2_forcing(4.0 * CO2_1750))
"""Forcing of four times CO2 on the scale of the shared forcing [W m-2], to which a model's own is compared."""

IDEALISED = ("abrupt-4xCO2", "abrupt-2xCO2", "abrupt-0p5xCO2", "1pctCO2", "piControl")
DOUBLING_SHARE = 0.476
"""Forcing of a doubling over that of a quadrupling of CO2; Meinshausen et al. 2020, table 3."""

SCALE = "factor of a model on the shared forcing of RCMIP"


class ForcedResponse(eqx.Module):
    """An energy balance and the factors by which a model feels each group of agents.

    Parameters
    ----------
    energy_balance : EnergyBalance
    well_mixed : array
        Factor on CO2, other anthropogenic agents and the sun [1].
    aerosol : array
        Factor on aerosol [1].
    volcanic : array
        Factor on volcanoes [1].
    """

    energy_balance: EnergyBalance
    well_mixed: Numbers = parameter("1", 0.05, 20.0, SCALE, default=1.0)
    aerosol: Numbers = parameter("1", 0.001, 50.0, SCALE, default=1.0)
    volcanic: Numbers = parameter("1", 0.001, 50.0, SCALE, default=1.0)

    def felt(self, groups: Float[Array, "time 3"]) -> Float[Array, " time"]:
        """Forcing that the model feels, from that of :func:`forcing_groups` (time, 3) [W m-2]."""
        return groups @ jnp.stack([jnp.asarray(x) for x in (self.well_mixed, self.aerosol, self.volcanic)])


def forced_response(energy_balance: EnergyBalance) -> ForcedResponse:
    """Response of a model of which no more is known than its energy balance.

    Parameters
    ----------
    energy_balance : EnergyBalance

    Returns
    -------
    ForcedResponse
        Feels CO2, other agents and the sun in proportion to its own forcing of four times CO2; aerosol and volcanoes
        as RCMIP has them.
    """
    return ForcedResponse(energy_balance, well_mixed=numeric(energy_balance.forcing_4xco2) / RCMIP_4XCO2)


def forcing_groups(forcing: Forcing, control: int | None = CONTROL_YEAR) -> np.ndarray:
    """Forcing by the groups that a :class:`ForcedResponse` scales, from the control year on.

    Parameters
    ----------
    forcing : Forcing
    control : int, optional
        Year that the run starts in and whose anthropogenic forcing counts as none; None takes forcing as it is.

    Returns
    -------
    ndarray
        (time, 3) [W m-2]: CO2, other agents and the sun; aerosol; volcanoes.
    """
    given = forcing if control is None else forcing.relative_to(control).during(control, int(forcing.years[-1]))
    return np.stack([given.co2 + given.other + given.solar, given.aerosol, given.volcanic], 1)


def idealised_fraction(experiment_id: str, years: int) -> np.ndarray:
    """Forcing of an idealised CO2 experiment as a part of that of four times CO2.

    Parameters
    ----------
    experiment_id : str
        ``abrupt-4xCO2``, ``abrupt-2xCO2``, ``abrupt-0p5xCO2``, ``1pctCO2`` (held at four times) or ``piControl``.
    years : int
        How many.

    Returns
    -------
    ndarray
        Annual means (time,) [1].

    Raises
    ------
    NotFound
        For another experiment.
    """
    if experiment_id not in IDEALISED:
        raise NotFound(f"experiment {experiment_id!r} is not idealised; {did_you_mean(experiment_id, IDEALISED)}")
    if experiment_id == "1pctCO2":
        return np.minimum((np.arange(years) + 0.5) * CO2_DOUBLINGS_PER_YEAR / 2.0, 1.0)
    level = {"abrupt-4xCO2": 1.0, "abrupt-2xCO2": DOUBLING_SHARE, "abrupt-0p5xCO2": -DOUBLING_SHARE, "piControl": 0.0}
    return np.full(years, level[experiment_id])


@jax.jit
def surface_temperature(response: ForcedResponse, groups: Float[Array, "time 3"]) -> Float[Array, " time"]:
    """Annual surface warming since the start (time,) [K]; differentiable."""
    return run(response.energy_balance, response.felt(groups))[1].temperature[:, 0]


def forced_warming(
    model: EnergyBalance | ForcedResponse,
    forcing: Forcing,
    base: tuple[int, int] = (1850, 1900),
    control: int | None = CONTROL_YEAR,
) -> np.ndarray:
    """Forced global-mean surface warming, without internal variability.

    Parameters
    ----------
    model : EnergyBalance or ForcedResponse
        An energy balance is taken by :func:`forced_response`.
    forcing : Forcing
        Annual; from the control year on or from before.
    base : tuple of int
        First and last year that warming is relative to.
    control : int, optional
        Year in whose equilibrium the run starts, as CMIP6 runs do; None starts with the forcing, taken as it is.

    Returns
    -------
    ndarray
        (time,) [K], float64, one for each year of ``forcing``; NaN before the control year.

    Raises
    ------
    ValueError
        Where the forcing does not hold the base period.
    """
    response = model if isinstance(model, ForcedResponse) else forced_response(model)
    with jax.enable_x64(True):
        warming = np.asarray(surface_temperature(response, jnp.asarray(forcing_groups(forcing, control))))
    return relative_to_base(warming, forcing, base, control)


def relative_to_base(
    warming: np.ndarray, forcing: Forcing, base: tuple[int, int], control: int | None = CONTROL_YEAR
) -> np.ndarray:
    """Warming since the start of a run (..., time) as warming since a base period, on the years of its forcing [K]."""
    start = int(forcing.years[0]) if control is None else control
    last = int(forcing.years[-1])
    if not start <= base[0] <= base[1] <= last:
        raise ValueError(
            f"base {base[0]}-{base[1]} must be within {start}-{last}, the years of the run; give forcing that holds it"
        )
    years = np.arange(start, last + 1)
    inside = (years >= base[0]) & (years <= base[1])
    before = np.full((*warming.shape[:-1], start - int(forcing.years[0])), np.nan)
    return np.concatenate([before, warming - warming[..., inside].mean(-1, keepdims=True)], -1)
