"""When leaves unfold and fall."""

from __future__ import annotations

from abc import abstractmethod

import equinox as eqx
import jax.numpy as jnp
from jax.scipy.special import ndtr

from spread.land.daylight import day_length
from spread.land.evapotranspiration import EXTINCTION
from spread.land.forcing import Forcing, Site
from spread.land.guarded import mean_light, ratio, smooth_minimum
from spread.land.integrator import Rates
from spread.land.parameters import parameter
from spread.land.shapes import Cells, Memory
from spread.land.state import State
from spread.land.surface_energy import LATENT_HEAT, equilibrium_share, net_radiation


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
    Bloom & Williams 2015, Biogeosciences 12, 1299. The days are periodic: the published boxes of three
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


class KnorrPhenology(AbstractPhenology):
    """Leaves follow warmth, day length and the water that they would need.

    Parameters
    ----------
    onset_temperature, onset_range : array
        Temperature at which half of the plants grow leaves [degC], and its spread among them [K].
    shedding_day, shedding_range : array
        Length of the day at which half of the plants shed leaves, and its spread among them [h].
    growth : array
        Rate at which leaf area approaches its target [d-1].
    senescence : array
        Rate at which leaves fall out of season [d-1].
    largest : array
        Leaf area index where water is not short [1].
    endurance : array
        How long the water of the soil should last for the leaves [d].

    Notes
    -----
    Knorr et al. 2010, J. Geophys. Res. 115, G04017: the share of plants that grow is
    ``f = Phi((T - onset) / range) Phi((D - shedding) / range)``, and
    ``dL/dt = growth f (L_max - L) - (1 - f) senescence L``. Warmth ``T`` and the target ``L_max`` are means with
    weights that decay over 30 d.

    Three choices are ours. The labile pool pays for leaves: it is released at ``growth f`` times the share of the
    target that is missing, where the paper takes carbon as given. Leaves above the target fall at the rate at which
    the paper's leaf area would approach it. The water that leaves would need is what radiation could evaporate from
    them (Priestley & Taylor 1972), where the paper takes the transpiration of the model.
    """

    onset_temperature: Cells = parameter(
        8.0, -5.0, 50.0, units="degC", prior="uniform", source="CARDAMOM DALEC-1100 T_phi (268.15 to 323.15 K)"
    )
    onset_range: Cells = parameter(2.0, 0.1, 10.0, units="K", source="CARDAMOM DALEC-1100 T_range")
    shedding_day: Cells = parameter(10.0, 2.0, 22.0, units="h", source="CARDAMOM DALEC-1100 time_c")
    shedding_range: Cells = parameter(0.5, 0.1, 6.0, units="h", source="CARDAMOM DALEC-1100 time_r")
    growth: Cells = parameter(0.05, 1e-3, 0.5, units="d-1", source="CARDAMOM DALEC-1100 plgr")
    senescence: Cells = parameter(0.05, 1e-3, 0.5, units="d-1", source="CARDAMOM DALEC-1100 k_leaf")
    largest: Cells = parameter(4.0, 0.1, 10.0, units="1", source="CARDAMOM DALEC-1100 lambda_max")
    endurance: Cells = parameter(30.0, 0.1, 300.0, units="d", source="CARDAMOM DALEC-1100 tau_W")

    def memory(self, cells: tuple[int, ...]) -> Memory:
        """Warmth above the reference climate [K], and the share of the largest leaf area that drought forbids."""
        return {"warmth": jnp.zeros(cells), "drought": jnp.zeros(cells)}

    def __call__(self, state: State, leaf_area: Cells, forcing: Forcing, site: Site) -> tuple[Rates, Memory]:
        """Rates of unfolding and fall; see the interface."""
        before = self.memory(()) if state.memory is None else state.memory
        kept = jnp.exp(-forcing.days / _MEMORY)
        warmth = _faded(before["warmth"], forcing.tas - site.tas, kept)
        drought = _faded(before["drought"], 1 - self._watered(state, leaf_area, forcing, site), kept)
        growing = ndtr((warmth + site.tas - self.onset_temperature) / self.onset_range)
        growing = growing * ndtr((day_length(site.lat, forcing.doy) - self.shedding_day) / self.shedding_range)
        target = self.largest * (1 - drought)
        missing = ratio(jnp.maximum(target - leaf_area, 0), target)
        beyond = ratio(jnp.maximum(leaf_area - target, 0), leaf_area)
        rates = {
            ("labile", "foliar"): self.growth * growing * missing,
            ("foliar", "litter"): self.growth * growing * beyond + self.senescence * (1 - growing),
        }
        return rates, {"warmth": warmth, "drought": drought}

    def _watered(self, state: State, leaf_area: Cells, forcing: Forcing, site: Site) -> Cells:
        """Leaf area whose needs the soil can meet for as long as leaves endure, as a share of the largest, 0 to 1."""
        net = net_radiation(jnp.asarray(_ALBEDO), forcing, site)
        wet = 1.26 / LATENT_HEAT * net * equilibrium_share(forcing.tas, site.elevation)
        each = wet * EXTINCTION * mean_light(EXTINCTION * leaf_area)  # transpiration of a unit of leaf area
        return smooth_minimum(state.water / ((self.endurance * each + _LEAST_NEED) * self.largest), jnp.ones(()))


_MEMORY = 30.0  # days (Knorr et al. 2010: tau_m and tau_s)
_ALBEDO = 0.23  # of a green canopy (FAO-56)
_LEAST_NEED = 1e-3  # mm for a unit of leaf area: in the dark no soil is too dry


def _faded(before: Cells, now: Cells, kept: Cells) -> Cells:
    return now + (before - now) * kept


_OFFSET = (
    2.3599784710e-5, 3.32730053021e-4, 9.01865258885e-4, -5.437736864888e-3, -2.0836027517787e-2, 1.26972018064287e-1,
    -1.88459767342504e-1,
)  # fmt: skip
"""Shift of the largest rate against the day at which half is gone, in periods; highest power of ln(life - 1) first."""

_SHORTEST = 1e-4  # yr above one year: a life span of one year would lose all in it, at a rate without bound
_YEAR = 365.25  # days: the period of the published curve


def seasonal_rate(life: Cells, day: Cells, period: Cells, doy: Cells) -> Cells:
    """Rate that takes a year's share of a pool around one day of the year.

    Parameters
    ----------
    life : array
        Life span of the pool [yr]; what is not above 1 is taken as just above.
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
    beyond = jnp.maximum(life - 1, _SHORTEST)
    powers = jnp.log(beyond)
    offset = jnp.zeros_like(powers)
    for coefficient in _OFFSET:
        offset = offset * powers + coefficient
    scale = _YEAR / jnp.pi
    height = jnp.log1p(1 / beyond) / jnp.sqrt(jnp.pi) / width
    # The sine of a difference, so that what does not change with time can be computed once
    phase = (day - offset * width) / scale
    now = doy / scale
    swing = jnp.sin(now) * jnp.cos(phase) - jnp.cos(now) * jnp.sin(phase)
    return height * jnp.exp(-((swing * scale / width) ** 2))
