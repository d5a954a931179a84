"""CO2 equivalent: the concentration of CO2 that alone has the effective radiative forcing of all agents together.

F(C) = 1.05 alpha(C) ln(C / C0), the simplified expression of Meinshausen et al. 2020 with N2O held at its value of
1750. It rises strictly with C, so it has an inverse, which :func:`co2_concentration` finds to rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from spread.coupled.forcing import scenario_forcing

__all__ = ["CO2_1750", "co2_concentration", "co2_forcing", "co2e"]

CO2_1750 = 277.15
"""Concentration of CO2 in 1750 [ppm]; Meinshausen et al. 2020, table 3."""

N2O_1750 = 273.87
"""Concentration of N2O in 1750 [ppb]; Meinshausen et al. 2020, table 3."""

A1, B1, C1, D1 = -2.4785e-7, 7.5906e-4, -2.1492e-3, 5.2488
"""Coefficients of the CO2 forcing [W m-2 ppm-2, W m-2 ppm-1, W m-2 ppb-1/2, W m-2]; Meinshausen et al. 2020, table 3,
doi:10.5194/gmd-13-3571-2020, which refits Etminan et al. 2016, doi:10.1002/2016GL071930."""

ADJUSTMENT = 1.05
"""Effective over instantaneous-with-stratosphere forcing of CO2; AR6 WGI section 7.3.2.1 (1.05 +- 0.05)."""

HIGHEST = CO2_1750 - B1 / (2.0 * A1)
"""Concentration from which alpha no longer rises [ppm]."""

LIMITS = (1.0, 1e5)
"""Concentrations between which the inverse is sought [ppm]."""


def _alpha(concentration: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coefficient of the logarithm [W m-2], and its derivative [W m-2 ppm-1]."""
    above = np.clip(concentration, CO2_1750, HIGHEST) - CO2_1750
    rising = (concentration > CO2_1750) & (concentration < HIGHEST)
    alpha = D1 + B1 * above + A1 * above**2 + C1 * np.sqrt(N2O_1750)
    return alpha, np.where(rising, B1 + 2.0 * A1 * above, 0.0)


def co2_forcing(concentration: float | np.ndarray) -> np.ndarray:
    """Effective radiative forcing of CO2 alone, relative to 1750.

    Parameters
    ----------
    concentration : float or ndarray
        CO2 (...) [ppm], above zero.

    Returns
    -------
    ndarray
        (...) [W m-2].

    Raises
    ------
    ValueError
        For concentrations that are not above zero.

    Source
    ------
    Meinshausen et al. 2020, doi:10.5194/gmd-13-3571-2020, table 3, times 1.05 (AR6 WGI section 7.3.2.1). RCMIP, whose
    forcing the package carries, has Etminan et al. 2016 times 1.05, which is 1.5 % more at 400 ppm.
    """
    given = np.asarray(concentration, float)
    if (given <= 0).any():
        raise ValueError(f"a concentration of CO2 must be above 0 ppm, not {np.nanmin(given):g}")
    return ADJUSTMENT * _alpha(given)[0] * np.log(given / CO2_1750)


def co2_concentration(forcing: float | np.ndarray) -> np.ndarray:
    """Concentration of CO2 that alone has a forcing: the inverse of :func:`co2_forcing`.

    Parameters
    ----------
    forcing : float or ndarray
        Effective radiative forcing relative to 1750 (...) [W m-2]; NaN stays NaN.

    Returns
    -------
    ndarray
        CO2 equivalent (...) [ppm].

    Raises
    ------
    ValueError
        For forcing that no concentration between 1 ppm and 10 % has.
    """
    given = np.asarray(forcing, float)
    least, most = co2_forcing(np.array(LIMITS))
    if ((given < least) | (given > most)).any():
        raise ValueError(
            f"forcing of {np.nanmin(given):g} to {np.nanmax(given):g} W m-2 has no CO2 equivalent;"
            f" it must be between {least:.1f} and {most:.1f} W m-2"
        )
    low, high = (np.full(given.shape, np.log(limit / CO2_1750)) for limit in LIMITS)
    for _ in range(40):  # halves the bracket of 11.5 to 1e-11, from where two Newton steps reach rounding
        middle = (low + high) / 2.0
        below = ADJUSTMENT * _alpha(CO2_1750 * np.exp(middle))[0] * middle < given
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    logarithm = (low + high) / 2.0
    for _ in range(2):
        ppm = CO2_1750 * np.exp(logarithm)
        alpha, slope = _alpha(ppm)
        logarithm = logarithm - (alpha * logarithm - given / ADJUSTMENT) / (alpha + slope * ppm * logarithm)
    return CO2_1750 * np.exp(np.where(np.isnan(given), np.nan, logarithm))


def co2e(
    experiment_id: str,
    years: Sequence[int] | np.ndarray | None = None,
    of: Literal["anthropogenic", "total"] = "anthropogenic",
) -> np.ndarray:
    """CO2 equivalent of a CMIP6 experiment.

    Parameters
    ----------
    experiment_id : str
        ``historical`` or an SSP.
    years : sequence of int, optional
        Calendar years that follow each other; by default all that :func:`scenario_forcing` has.
    of : str
        Whether it stands for all ``anthropogenic`` agents, aerosol included, or for the ``total`` with volcanoes and
        the sun.

    Returns
    -------
    ndarray
        (time,) [ppm].

    Raises
    ------
    NotFound
        For an experiment or years that are not there.
    """
    if of not in ("anthropogenic", "total"):
        raise ValueError(f"CO2 equivalent is of 'anthropogenic' or of 'total' forcing, not of {of!r}")
    forcing = scenario_forcing(experiment_id, years)
    return co2_concentration(forcing.anthropogenic if of == "anthropogenic" else forcing.total)
