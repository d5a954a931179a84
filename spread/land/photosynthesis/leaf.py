"""Physics and enzymes of a C3 leaf that several schemes share."""

from __future__ import annotations

import jax.numpy as jnp

from spread.land.forcing import Forcing
from spread.land.guarded import lost_share, root
from spread.land.shapes import Cells

CARBON_MASS = 12.0107  # g mol-1, IUPAC
DAY = 86400.0  # s
DIFFUSIVITY_RATIO = 1.6  # of water vapour to CO2 in air, Massman 1998
PHOTONS = 2.04  # mol MJ-1: photosynthetic photons in shortwave radiation, Meek et al. 1984, Agron. J. 76, 939

STANDARD_PRESSURE = 101325.0  # Pa
_LAPSE, _SEA_LEVEL, _EXPONENT = 0.0065, 288.15, 5.25588  # K m-1, K, 1: ICAO standard atmosphere

_GAS = 8.3145  # J mol-1 K-1
_REFERENCE = 298.15  # K
_COMPENSATION, _COMPENSATION_ENERGY = 4.332, 37830.0  # Pa, J mol-1
_CARBOXYLATION, _CARBOXYLATION_ENERGY = 39.97, 79430.0
_OXYGENATION, _OXYGENATION_ENERGY = 27480.0, 36380.0
"""Bernacchi et al. 2001, Plant Cell Environ. 24, 253, in Pa at standard pressure (Stocker et al. 2020)."""
_OXYGEN = 0.209476  # mol mol-1

_DRIEST_DEFICIT = 0.5  # hPa
_VISCOSITY = ((280.68, -1.9), (511.45, -7.7), (61.131, -19.6), (0.45903, -40.0))  # 1e-6 Pa s, of T / 300 K
_VISCOSITY_REFERENCE = sum(a * (_REFERENCE / 300) ** b for a, b in _VISCOSITY)


def surface_pressure(elevation: Cells) -> Cells:
    """Pressure of the ICAO standard atmosphere [Pa] at a height above sea level [m]."""
    return STANDARD_PRESSURE * (1 - _LAPSE / _SEA_LEVEL * elevation) ** _EXPONENT


def intercepted(leaf_area: Cells, extinction: Cells) -> Cells:
    """Share of light that a canopy intercepts: ``1 - exp(-extinction leaf_area)`` (Monsi & Saeki 1953)."""
    return lost_share(extinction * leaf_area)


def root_of_deficit(forcing: Forcing) -> Cells:
    """Square root of the vapour pressure deficit [hPa0.5], of at least 0.5 hPa.

    Stomatal conductance would be infinite in saturated air. The Community Land Model 5 (Lawrence et al. 2019) has the
    same floor of 50 Pa for the model of Medlyn et al. 2011.
    """
    return jnp.sqrt(jnp.maximum(forcing.vpd, _DRIEST_DEFICIT))


def compensation_point(tas: Cells, pressure: Cells) -> Cells:
    """CO2 at which photosynthesis balances photorespiration, Gamma* [Pa].

    Parameters
    ----------
    tas : array
        Temperature [degC].
    pressure : array
        Air pressure [Pa].
    """
    return _COMPENSATION * pressure / STANDARD_PRESSURE * _arrhenius(tas, _COMPENSATION_ENERGY)


def michaelis_menten(tas: Cells, pressure: Cells) -> Cells:
    """Coefficient K of carboxylation in the presence of oxygen [Pa].

    Parameters
    ----------
    tas : array
        Temperature [degC].
    pressure : array
        Air pressure [Pa].
    """
    oxygen = _OXYGEN * pressure / (_OXYGENATION * _arrhenius(tas, _OXYGENATION_ENERGY))
    return _CARBOXYLATION * _arrhenius(tas, _CARBOXYLATION_ENERGY) * (1 + oxygen)


def relative_viscosity(tas: Cells) -> Cells:
    """Viscosity of water over that at 25 degC, eta*.

    Parameters
    ----------
    tas : array
        Temperature [degC].

    Notes
    -----
    IAPWS SR6-08(2011), at 0.1 MPa between -20 and 110 degC; pressures of the atmosphere change it by 1e-4.
    """
    reduced = jnp.log((tas + 273.15) / 300)
    parts = (a * jnp.exp(b * reduced) for a, b in _VISCOSITY)
    return sum(parts, start=jnp.zeros_like(reduced)) / _VISCOSITY_REFERENCE


def _arrhenius(tas: Cells, energy: float) -> Cells:
    """Rate at a temperature over that at 25 degC."""
    return jnp.exp(energy / _GAS * (tas - 25) / (_REFERENCE * (tas + 273.15)))


def limited_by_capacity(factor: Cells, cost: Cells) -> Cells:
    """Share of light-limited assimilation left by the cost of electron transport.

    Parameters
    ----------
    factor : array
        CO2 limitation ``m`` of light-limited assimilation, 0 to 1.
    cost : array
        Cost ``c*`` of the capacity.

    Returns
    -------
    array
        ``sqrt(1 - (c* / m)^(2/3))``, and 0 where ``m`` is at or below ``c*``: there no capacity pays.

    Notes
    -----
    Wang et al. 2017, Nat. Plants 3, 734.
    """
    pays = factor > cost
    share = jnp.where(pays, cost / jnp.where(pays, factor, 1), 1)
    return root(-jnp.expm1(jnp.log(share) / 1.5))
