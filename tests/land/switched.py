"""One model that holds every brick and takes a choice at run time: what is compiled once serves every combination."""

import itertools

import bricks
import equinox as eqx
import jax
import jax.numpy as jnp

from spread.land import LandModel
from spread.land.decomposition import AbstractDecomposition
from spread.land.evapotranspiration import AbstractEvapotranspiration
from spread.land.fire import AbstractFire
from spread.land.phenology import AbstractPhenology, KnorrPhenology
from spread.land.photosynthesis import AbstractPhotosynthesis, Assimilation
from spread.land.snow import AbstractSnow
from spread.land.soil_water import AbstractSoilWater
from spread.land.water_stress import AbstractWaterStress


def chosen(index, calls):
    """What one of several functions gives, all brought to one form: arrays of one shape, absent rates and shares 0."""
    shapes = [jax.eval_shape(call) for call in calls]
    edges = sorted({edge for shape in shapes if isinstance(shape, dict) for edge in shape})
    leaves = [leaf for shape in shapes for leaf in jax.tree.leaves(shape)]
    shape = jnp.broadcast_shapes(*(leaf.shape for leaf in leaves))
    dtype = jnp.result_type(*(leaf.dtype for leaf in leaves))

    def formed(call):
        def do():
            value = call()
            if isinstance(value, dict):
                value = [value.get(edge, 0.0) for edge in edges]
            return jax.tree.map(lambda x: jnp.broadcast_to(jnp.asarray(x, dtype), shape), value)

        return do

    found = jax.lax.switch(index, [formed(call) for call in calls])
    return dict(zip(edges, found, strict=True)) if edges else found


class Switched(eqx.Module):
    options: tuple
    index: jax.Array

    def pick(self, give):
        return chosen(self.index, [lambda o=option: give(o) for option in self.options])


class Photosynthesis(Switched, AbstractPhotosynthesis):
    gives_conductance = True

    def __call__(self, *given):
        def both(option):
            found = option(*given)
            return found.gpp, jnp.zeros_like(found.gpp) if found.conductance is None else found.conductance

        return Assimilation(*self.pick(both))


class WaterStress(Switched, AbstractWaterStress):
    def __call__(self, *given):
        return self.pick(lambda option: option(*given))


class Evapotranspiration(Switched, AbstractEvapotranspiration):
    def __call__(self, *given):
        return self.pick(lambda option: option(*given))


class Phenology(Switched, AbstractPhenology):
    def memory(self, cells):
        return KnorrPhenology().memory(cells)

    def __call__(self, state, *given):
        begun = self.memory(jnp.shape(state.foliar)) if state.memory is None else state.memory
        state = eqx.tree_at(lambda s: s.memory, state, begun, is_leaf=lambda leaf: leaf is None)
        edges = [("labile", "foliar"), ("foliar", "litter")]

        def both(option):
            rates, memory = option(state, *given)
            return [rates[edge] for edge in edges], memory

        rates, memory = self.pick(both)
        return dict(zip(edges, rates, strict=True)), memory


class Decomposition(Switched, AbstractDecomposition):
    def __call__(self, *given):
        return self.pick(lambda option: option(*given))


class Fire(Switched, AbstractFire):
    def __call__(self, *given):
        return self.pick(lambda option: option(*given))


class Snow(Switched, AbstractSnow):
    def __call__(self, state, *given):
        edges = [("snow", "water"), ("snow", "evspsbl")]

        def both(option):
            frozen, rates = option(state, *given)
            return [jnp.zeros(()) if frozen is None else frozen, *(rates.get(edge, jnp.zeros(())) for edge in edges)]

        frozen, *rates = self.pick(both)
        return frozen, dict(zip(edges, rates, strict=True))


class SoilWater(Switched, AbstractSoilWater):
    def _share(self, name, like, *given):
        def share(option):
            found = getattr(option, name)(*given)
            return jnp.zeros_like(like) if found is None else found

        return self.pick(share)

    def runoff(self, liquid, *given):
        return self._share("runoff", liquid, liquid, *given)

    def drainage(self, water, forcing):
        return self._share("drainage", water, water, forcing)

    def percolation(self, water, forcing):
        return self._share("percolation", water, water, forcing)

    def baseflow(self, deep, forcing):
        return self._share("baseflow", deep, deep, forcing)


KINDS = {
    "photosynthesis": Photosynthesis, "water_stress": WaterStress, "evapotranspiration": Evapotranspiration,
    "phenology": Phenology, "decomposition": Decomposition, "fire": Fire, "snow": Snow, "soil_water": SoilWater,
}  # fmt: skip
CHOICES = [slot for slot, options in bricks.SLOTS.items() if len(options) > 1]
assert set(KINDS) == set(CHOICES)


def switched(model_of=lambda slot: bricks.SLOTS[slot]):
    """A model that holds every brick; the choice is an array of indices, 0 at first."""
    return LandModel(**{slot: kind(tuple(model_of(slot)), jnp.asarray(0)) for slot, kind in KINDS.items()})


def turned(model, choice):
    """The same with the choice of one brick a slot."""
    return eqx.tree_at(lambda m: [getattr(m, slot).index for slot in KINDS], model, list(choice))


def choices():
    """Indices of bricks of every model there can be."""
    for choice in itertools.product(*(range(len(bricks.SLOTS[slot])) for slot in KINDS)):
        if bricks.allowed({slot: bricks.SLOTS[slot][k] for slot, k in zip(KINDS, choice, strict=True)}) is not None:
            yield choice
