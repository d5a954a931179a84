"""When leaves unfold and fall."""

from __future__ import annotations

from abc import abstractmethod

import equinox as eqx
import jax.numpy as jnp

from spread.land.forcing import Forcing, Site
from spread.land.integrator import Rates
from spread.land.parameters import parameter
from spread.land.shapes import Cells, Memory
from spread.land.state import State


class AbstractPhenology(eqx.Module):
    """Rates from the labile pool to leaves, and from leaves to litter."""

    def memory(self, cells: tuple[int, ...]) -> Memory:
        """What is kept from step to step, before the first one, of shape ``cells``; None where nothing is."""
        return None

    @abstractmethod
    def __call__(self, state: State, leaf_area: Cells, forcing: Forcing, site: Site) -> tuple[Rates, Memory]:
        """Rates of unfolding and fall.

        Parameters
        ----------
        state : State
            Before the step; ``state.memory`` is what this brick returned last.
        leaf_area : array
            Leaf area index [1].
        forcing : Forcing
            Weather of the step.
        site : Site
            The place.

        Returns
        -------
        rates : dict
            On ``("labile", "foliar")`` and ``("foliar", "litter")`` [d-1], not negative.
        memory : pytree
            For the next step.
        """


class DALECPhenology(AbstractPhenology):
    """Leaves unfold and fall around two days of the year, whatever the weather.

    Parameters
    ----------
    leaf_life, labile_life : array
        Life span of leaves and of what is stored for them [yr].
    fall_day, unfold_day : array
        Day of the year of the largest rate [d].
    fall_period, unfold_period : array
        How long fall and unfolding take [d].

    Notes
    -----
    Bloom & Williams 2015, Biogeosciences 12, 1299, eqs. A3-A9. The days are periodic: the published boxes of three
    years hold the same phenology three times, so here they are angles.
    """

    leaf_life: Cells = parameter(1.5, 1.001, 8.0, units="yr", source="CARDAMOM DALEC-1005")
    labile_life: Cells = parameter(1.5, 1.001, 8.0, units="yr", source="DifferLand DALEC-993 t_labile")
    fall_day: Cells = parameter(
        280.0, 0.0, 365.25, units="d", prior="circular", source="CARDAMOM DALEC-1005 Fday, one of its three years"
    )
    unfold_day: Cells = parameter(
        120.0, 0.0, 365.25, units="d", prior="circular", source="CARDAMOM DALEC-1005 Bday, one of its three years"
    )
    fall_period: Cells = parameter(60.0, 30.4375, 150.0, units="d", source="CARDAMOM DALEC-1005")
    unfold_period: Cells = parameter(40.0, 30.4375, 100.0, units="d", source="CARDAMOM DALEC-1005")

    def __call__(self, state: State, leaf_area: Cells, forcing: Forcing, site: Site) -> tuple[Rates, Memory]:
        """Rates of unfolding and fall; see the interface."""
        fall = seasonal_rate(self.leaf_life, self.fall_day, self.fall_period, forcing.doy)
        unfold = seasonal_rate(self.labile_life, self.unfold_day, self.unfold_period, forcing.doy)
        return {("foliar", "litter"): fall, ("labile", "foliar"): unfold}, state.memory


_OFFSET = (
    2.3599784710e-5, 3.32730053021e-4, 9.01865258885e-4, -5.437736864888e-3, -2.0836027517787e-2, 1.26972018064287e-1,
    -1.88459767342504e-1,
)  # fmt: skip
"""Shift of the largest rate against the day at which half is gone, in periods; highest power of ln(life - 1) first."""

_YEAR = 365.25  # days: the period of the published curve


def seasonal_rate(life: Cells, day: Cells, period: Cells, doy: Cells) -> Cells:
    """Rate that takes a year's share of a pool around one day of the year.

    Parameters
    ----------
    life : array
        Life span of the pool [yr], above 1.
    day : array
        Day of the year of the largest loss [d].
    period : array
        How long the loss takes [d].
    doy : array
        Day of the year [d].

    Returns
    -------
    array
        Rate [d-1].
    """
    width = period / jnp.sqrt(2.0)
    powers = jnp.log(life - 1)
    offset = jnp.zeros_like(powers)
    for coefficient in _OFFSET:
        offset = offset * powers + coefficient
    scale = _YEAR / jnp.pi
    height = (jnp.log(life) - powers) / jnp.sqrt(jnp.pi) / width
    # The sine of a difference, so that what does not change with time can be computed once
    phase = (day - offset * width) / scale
    now = doy / scale
    swing = jnp.sin(now) * jnp.cos(phase) - jnp.cos(now) * jnp.sin(phase)
    return height * jnp.exp(-((swing * scale / width) ** 2))
