"""What burns, and what fire kills."""

from __future__ import annotations

from abc import abstractmethod

import equinox as eqx
import jax.numpy as jnp

from spread.land.forcing import Forcing, Site
from spread.land.guarded import ratio
from spread.land.integrator import Rates
from spread.land.parameters import parameter
from spread.land.shapes import Cells
from spread.land.state import State


class AbstractFire(eqx.Module):
    """Rates of combustion and of mortality by fire."""

    @abstractmethod
    def __call__(self, state: State, forcing: Forcing, site: Site) -> Rates:
        """Rates of fire.

        Parameters
        ----------
        state : State
            Before the step.
        forcing : Forcing
            Weather of the step, with the burned fraction.
        site : Site
            The place.

        Returns
        -------
        dict
            Rates on edges to ``fFire`` (combustion) and to litter and soil (mortality) [d-1], not negative.
        """


class NoFire(AbstractFire):
    """Nothing burns."""

    def __call__(self, state: State, forcing: Forcing, site: Site) -> Rates:
        """No rates."""
        return {}


class BurnedArea(AbstractFire):
    """A prescribed burned fraction, of which a share of each pool burns and a share of the rest dies.

    Parameters
    ----------
    foliar, live, soil : array
        Share of leaves, of the other living pools and of the soil that burns where there is fire; of litter, the mean
        of the first two.
    resilience : array
        Share of what did not burn that lives on.

    Notes
    -----
    Bloom et al. 2016, PNAS 113, 1285, and Exbrayat et al. 2018, Glob. Biogeochem. Cycles 32, 1776. Fire competes with
    the other losses of a pool: its rate is the one that alone would take the same share in the step,
    ``-ln(1 - burned share) / days``.
    """

    foliar: Cells = parameter(0.6, 0.01, 1.0, units="1", source="CARDAMOM DALEC-1005 cf_foliar")
    live: Cells = parameter(0.2, 0.01, 1.0, units="1", source="CARDAMOM DALEC-1005 cf_ligneous")
    soil: Cells = parameter(0.05, 0.01, 1.0, units="1", source="CARDAMOM DALEC-1005 cf_DOM")
    resilience: Cells = parameter(0.5, 0.01, 1.0, units="1", source="CARDAMOM DALEC-1005 resilience")

    def __call__(self, state: State, forcing: Forcing, site: Site) -> Rates:
        """Rates of fire; see the interface."""
        litter = 0.5 * (self.foliar + self.live)
        rates: dict[tuple[str, str], Cells] = {("soil", "fFire"): _rate(self.soil, forcing)}
        for pools, burns, remains in (
            (("foliar",), self.foliar, "litter"),
            (("labile", "root"), self.live, "litter"),
            (("wood",), self.live, "soil"),
            (("litter",), litter, "soil"),
        ):
            dies = (1 - burns) * (1 - self.resilience)
            both = _rate(burns + dies, forcing)
            for pool in pools:
                rates[pool, "fFire"] = both * ratio(burns, burns + dies)
                rates[pool, remains] = both * ratio(dies, burns + dies)
        return rates


def _rate(share: Cells, forcing: Forcing) -> Cells:
    lost = jnp.minimum(forcing.burned * share, 1 - 1e-6)  # an infinite rate has no shares
    return -jnp.log1p(-lost) / forcing.days
