"""Snow: what falls frozen, and how it melts."""

from __future__ import annotations

from abc import abstractmethod

import equinox as eqx
import jax
import jax.numpy as jnp

from spread.land.forcing import Forcing, Site
from spread.land.guarded import smooth_minimum
from spread.land.integrator import Rates
from spread.land.parameters import parameter
from spread.land.shapes import Cells
from spread.land.state import State


class AbstractSnow(eqx.Module):
    """Share of precipitation that falls as snow, and rates at which the pack melts and sublimates."""

    @abstractmethod
    def __call__(self, state: State, forcing: Forcing, site: Site) -> tuple[Cells | None, Rates]:
        """Snowfall and melt.

        Parameters
        ----------
        state : State
            Before the step.
        forcing : Forcing
            Weather of the step.
        site : Site
            The place.

        Returns
        -------
        frozen : array or None
            Share of precipitation that falls as snow, 0 to 1; None where no snow ever falls.
        rates : dict
            On ``("snow", "water")`` (melt) and ``("snow", "evspsbl")`` (sublimation) [d-1], not negative. They act on
            the pack with the snow that fell in the step.
        """


class NoSnow(AbstractSnow):
    """All precipitation is rain, and a pack that was there stays."""

    def __call__(self, state: State, forcing: Forcing, site: Site) -> tuple[Cells | None, Rates]:
        """Nothing falls and nothing melts."""
        return None, {}


class DegreeDay(AbstractSnow):
    """Snow falls in the cold and melts in proportion to the warmth above a threshold.

    Parameters
    ----------
    melt : array
        Melt for each degree and day [mm K-1 d-1].
    threshold : array
        Temperature above which snow melts [degC].
    freezing : array
        Temperature at which half of the precipitation is snow [degC].
    span : array
        How much the temperature rises between 12 % rain and 88 % rain [K].

    Notes
    -----
    Hock 2003, J. Hydrol. 282, 104. The melt of a step takes no more than the pack: a rounded minimum, as for
    evapotranspiration. The share of snow is a logistic curve in the mean temperature of the step (Jennings et al. 2018,
    Nat. Commun. 9, 1148).
    """

    melt: Cells = parameter(3.0, 0.5, 12.0, units="mm K-1 d-1", source="Hock 2003: snow, 1 to 11.6")
    threshold: Cells = parameter(
        0.0, -10.0, 10.0, units="degC", prior="uniform", source="CARDAMOM DALEC-1100 min_melt (263.15 to 283.15 K)"
    )
    freezing: Cells = parameter(
        1.0, -0.4, 2.4, units="degC", prior="uniform", source="Jennings et al. 2018: 95 % of stations"
    )
    span: Cells = parameter(
        4.0, 0.5, 10.0, units="K", source="spread: a day with both to a month with warm and cold days"
    )

    def __call__(self, state: State, forcing: Forcing, site: Site) -> tuple[Cells | None, Rates]:
        """Snowfall and melt; see the interface."""
        frozen = jax.nn.sigmoid(4 * (self.freezing - forcing.tas) / self.span)
        pack = state.snow + frozen * forcing.pr * forcing.days
        possible = self.melt * jnp.maximum(forcing.tas - self.threshold, 0) * forcing.days
        share = _MOST * smooth_minimum(possible / (pack + _TRACE), jnp.ones(()))
        return frozen, {("snow", "water"): -jnp.log1p(-share) / forcing.days}


_MOST = 1 - 1e-4
"""Share of a pack that melts at most in a step: all of it would be an infinite rate."""

_TRACE = 0.01
"""Snow [mm] below which melt slows: a day's melt of less than a trace has no use, and its derivative no bound."""
