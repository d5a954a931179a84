"""One step: mass is conserved and no pool falls below zero, for any draw of the prior box."""

import equinox as eqx
import jax
import jax.numpy as jnp
import pytest
import worlds

from spread.errors import BadModel
from spread.land import LandModel, State, draw
from spread.land.evapotranspiration import AbstractEvapotranspiration
from spread.land.state import CARBON

WATER = ("snow", "water", "deep")


def total(state, names):
    return sum(getattr(state, name) for name in names)


def drawn(key, cells):
    one, two, three, four = jax.random.split(key, 4)
    model, state = draw(LandModel(), one, cells), draw(State(), two, cells)
    return model, state, worlds.any_weather(three, cells), worlds.any_place(four, cells)


@eqx.filter_jit
def closure(model, state, forcing, site):
    """Residuals of carbon and water over the pools and what went through, and the smallest pool."""
    after, fluxes = model.step(state, forcing, site)
    days = forcing.days
    carbon = total(after, CARBON) - total(state, CARBON) - fluxes.nbp * days
    water = total(after, WATER) - total(state, WATER) - (forcing.pr - fluxes.evspsbl - fluxes.mrro) * days
    carbon = carbon / (total(state, CARBON) + fluxes.gpp * days)
    water = water / (total(state, WATER) + forcing.pr * days)
    least = jnp.min(jnp.stack([getattr(after, name) for name in CARBON + WATER]))
    return jnp.max(jnp.abs(carbon)), jnp.max(jnp.abs(water)), least


@pytest.mark.parametrize(("wide", "bar"), [(False, 4 * 1.2e-7), (True, 1e-12)], ids=["float32", "float64"])
def test_any_draw_conserves_and_stays_positive(wide, bar):
    with jax.enable_x64(wide):
        carbon, water, least = map(float, closure(*drawn(jax.random.key(1), 4096)))
    assert carbon <= bar
    assert water <= bar
    assert least >= 0


class Conducting(AbstractEvapotranspiration):
    needs_conductance = True

    def __call__(self, assimilation, leaf_area, stress, forcing, site):
        return assimilation.conductance


def test_bricks_that_cannot_go_together_are_refused():
    with pytest.raises(BadModel, match="Conducting needs a stomatal conductance and ACM1 gives none"):
        LandModel(evapotranspiration=Conducting())
