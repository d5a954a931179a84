"""The land model: bricks, one a process, and one step that uses each once."""

from __future__ import annotations

import dataclasses
from typing import get_type_hints

import equinox as eqx
import jax.numpy as jnp

from spread.errors import BadModel
from spread.land.allocation import AbstractAllocation, DALECAllocation
from spread.land.decomposition import AbstractDecomposition, ExponentialDecomposition
from spread.land.evapotranspiration import AbstractEvapotranspiration, UnderlyingWUE
from spread.land.fire import AbstractFire, BurnedArea
from spread.land.forcing import Forcing, Site
from spread.land.integrator import carbon_step, evaporate, merged, snow_step, split
from spread.land.parameters import parameter
from spread.land.phenology import AbstractPhenology, DALECPhenology
from spread.land.photosynthesis import ACM1, AbstractPhotosynthesis, Assimilation
from spread.land.shapes import Cells
from spread.land.snow import AbstractSnow, NoSnow
from spread.land.soil_water import AbstractSoilWater, OneLayer
from spread.land.state import CARBON, Fluxes, State
from spread.land.turnover import AbstractTurnover, ConstantTurnover
from spread.land.water_stress import AbstractWaterStress, LinearStress


class LandModel(eqx.Module):
    """Carbon and water of land, each process a brick that can be replaced.

    Parameters
    ----------
    photosynthesis, water_stress, evapotranspiration, phenology, allocation, turnover, decomposition, fire, snow, \
    soil_water : equinox.Module
        Bricks; the default is DALEC's choice for each.
    leaf_mass : array
        Carbon of leaves for each unit of leaf area [gC m-2].

    Raises
    ------
    BadModel
        Where bricks cannot go together, with every reason.

    Examples
    --------
    >>> from spread.land.fire import NoFire
    >>> LandModel(fire=NoFire()).fire
    NoFire()
    """

    photosynthesis: AbstractPhotosynthesis = eqx.field(default_factory=ACM1)
    water_stress: AbstractWaterStress = eqx.field(default_factory=LinearStress)
    evapotranspiration: AbstractEvapotranspiration = eqx.field(default_factory=UnderlyingWUE)
    phenology: AbstractPhenology = eqx.field(default_factory=DALECPhenology)
    allocation: AbstractAllocation = eqx.field(default_factory=DALECAllocation)
    turnover: AbstractTurnover = eqx.field(default_factory=ConstantTurnover)
    decomposition: AbstractDecomposition = eqx.field(default_factory=ExponentialDecomposition)
    fire: AbstractFire = eqx.field(default_factory=BurnedArea)
    snow: AbstractSnow = eqx.field(default_factory=NoSnow)
    soil_water: AbstractSoilWater = eqx.field(default_factory=OneLayer)
    leaf_mass: Cells = parameter(60.0, 5.0, 200.0, units="g m-2", source="CARDAMOM DALEC-1005 LCMA")

    def __check_init__(self) -> None:
        """Refuse bricks that cannot go together."""
        breaches = self._misplaced()
        if not breaches and self.evapotranspiration.needs_conductance and not self.photosynthesis.gives_conductance:
            breaches.append(
                f"{type(self.evapotranspiration).__name__} needs a stomatal conductance and "
                f"{type(self.photosynthesis).__name__} gives none: choose a photosynthesis with gives_conductance, or "
                "an evapotranspiration without needs_conductance"
            )
        if breaches:
            raise BadModel("land model: " + "; ".join(breaches))

    def _misplaced(self) -> list[str]:
        wanted = get_type_hints(type(self))
        breaches = []
        for field in dataclasses.fields(self):
            brick, kind = getattr(self, field.name), wanted[field.name]
            if "parameter" not in field.metadata and not isinstance(brick, kind):
                given = (
                    f"the class {brick.__name__}: call it" if isinstance(brick, type) else f"a {type(brick).__name__}"
                )
                breaches.append(f"{field.name} needs a {kind.__name__.removeprefix('Abstract')} brick, not {given}")
        return breaches

    def step(self, state: State, forcing: Forcing, site: Site) -> tuple[State, Fluxes]:
        """Advance by one step.

        Parameters
        ----------
        state : State
            Pools before the step; it is not modified.
        forcing : Forcing
            Weather of the step.
        site : Site
            The place.

        Returns
        -------
        state : State
            Pools after the step.
        fluxes : Fluxes
            What was applied.
        """
        leaf_area = state.foliar / self.leaf_mass
        stress = self.water_stress(state, forcing, site)
        assimilation = self.photosynthesis(leaf_area, stress, forcing, site)
        co2 = self.evapotranspiration.assimilation_co2
        shown = assimilation
        if co2 is not None:
            then = eqx.tree_at(lambda weather: weather.co2, forcing, jnp.full_like(forcing.co2, co2))
            shown = self.photosynthesis(leaf_area, stress, then, site)
        demand = self.evapotranspiration(shown, leaf_area, stress, forcing, site)
        pools, carbon = self._carbon(state, leaf_area, assimilation, forcing, site)
        water, wet = self._water(state, demand, forcing, site)
        after = State(**pools, **water)
        return after, _fluxes(after, 0.5 * (leaf_area + after.foliar / self.leaf_mass), carbon | wet)

    def _carbon(
        self, state: State, leaf_area: Cells, assimilation: Assimilation, forcing: Forcing, site: Site
    ) -> tuple[dict[str, Cells], dict[str, Cells]]:
        leaves, memory = self.phenology(state, leaf_area, forcing, site)
        rates = merged(
            leaves,
            self.turnover(state, forcing, site),
            self.decomposition(state, forcing, site),
            self.fire(state, forcing, site),
        )
        shares = self.allocation(assimilation, state, forcing, site)
        whole = shares.respiration + shares.labile + shares.foliar + shares.root + shares.wood
        part = assimilation.gpp / whole
        gains = {pool: part * getattr(shares, pool) for pool in ("labile", "foliar", "root", "wood")}
        before = {pool: getattr(state, pool) for pool in CARBON}
        after, leaving = carbon_step(before, gains, rates, forcing.days)
        leaving["ra"] = leaving["ra"] + part * shares.respiration
        return after | {"memory": memory}, leaving | {"gpp": assimilation.gpp}

    def _water(
        self, state: State, demand: Cells, forcing: Forcing, site: Site
    ) -> tuple[dict[str, Cells], dict[str, Cells]]:
        days = forcing.days
        frozen, rates = self.snow(state, forcing, site)
        snow, liquid, sublimated = snow_step(state.snow, forcing.pr * days, frozen, rates, days)
        infiltrated, runoff = split(liquid, self.soil_water.runoff(liquid, state, forcing, site))
        wet, evaporated = evaporate(state.water + infiltrated, demand * days)
        water, drained = split(wet, self.soil_water.drainage(wet, forcing))
        lateral, percolated = split(drained, self.soil_water.percolation(wet, forcing))
        below = state.deep + percolated
        deep, baseflow = split(below, self.soil_water.baseflow(below, forcing))
        fluxes = {"evspsbl": (evaporated + sublimated) / days, "mrro": (runoff + lateral + baseflow) / days}
        return {"snow": snow, "water": water, "deep": deep}, fluxes


def _fluxes(after: State, lai: Cells, applied: dict[str, Cells]) -> Fluxes:
    gpp, ra, rh, fire = (applied[name] for name in ("gpp", "ra", "rh", "fFire"))
    npp = gpp - ra
    nep = npp - rh
    return Fluxes(
        gpp=gpp, ra=ra, npp=npp, rh=rh, fFire=fire + jnp.zeros_like(gpp), nep=nep, nbp=nep - fire, lai=lai,
        evspsbl=applied["evspsbl"], mrro=applied["mrro"], mrso=after.water + after.deep, snw=after.snow,
        cVeg=after.labile + after.foliar + after.root + after.wood, cLitter=after.litter, cSoil=after.soil,
    )  # fmt: skip
