"""What drives the land model: weather of a step, and what does not change at a place."""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp

from spread.land.shapes import Cells


class Forcing(eqx.Module):
    """Weather of one step, each ``(cells,)`` or a scalar; a sequence of steps has time first.

    Parameters
    ----------
    tasmin, tasmax : array
        Lowest and highest near-surface air temperature of the day [degC].
    rsds : array
        Surface downwelling shortwave radiation [MJ m-2 d-1].
    vpd : array
        Vapour pressure deficit [hPa], not below 0.
    pr : array
        Precipitation, rain and snow [mm d-1], not below 0.
    co2 : array
        Mole fraction of CO2 [ppm].
    burned : array
        Burned fraction of the cell in the step, 0 to 1.
    doy : array
        Day of the year at the middle of the step [d].
    days : array
        True length of the step [d].
    """

    tasmin: Cells
    tasmax: Cells
    rsds: Cells
    vpd: Cells
    pr: Cells
    co2: Cells
    burned: Cells
    doy: Cells
    days: Cells

    @property
    def tas(self) -> Cells:
        """Mean of the lowest and the highest temperature [degC]."""
        return 0.5 * (self.tasmin + self.tasmax)


class Site(eqx.Module):
    """What does not change at a place, each ``(cells,)`` or a scalar.

    Parameters
    ----------
    lat : array
        Latitude [degrees_north].
    elevation : array
        Height of the surface above sea level [m].
    tas : array
        Mean temperature of the reference climate [degC]. It belongs to the parameters of decomposition: it stays as it
        is when a counterfactual changes the weather.
    pr : array
        Mean precipitation of the reference climate [mm d-1]; likewise.
    """

    lat: Cells
    elevation: Cells
    tas: Cells
    pr: Cells

    @classmethod
    def of(cls, lat: Cells, elevation: Cells, reference: Forcing) -> Site:
        """A site whose reference climate is the mean of a sequence of forcing, weighted by the length of its steps."""
        days = jnp.asarray(reference.days)
        weight = (days / jnp.sum(days, axis=0)).reshape(-1, *[1] * (jnp.ndim(reference.tas) - 1))
        return cls(lat, elevation, jnp.sum(weight * reference.tas, axis=0), jnp.sum(weight * reference.pr, axis=0))
