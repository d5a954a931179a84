"""Every photosynthesis and every water stress within the model: mass, runs, gradients."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import worlds

from spread.land import LandModel, State, draw
from spread.land.photosynthesis import ACM1, MOD17, FarquharMedlyn, NeuralLightUse, PModel
from spread.land.run import run
from spread.land.state import CARBON
from spread.land.water_stress import (
    LinearStress,
    MonotoneNeuralStress,
    NeuralStress,
    NoStress,
    PotentialStress,
    QuadraticStress,
)

KEY = jax.random.key(5)
PAIRS = {
    "ACM1, quadratic": lambda: (ACM1(), QuadraticStress()),
    "PModel, potential": lambda: (PModel(), PotentialStress()),
    "MOD17, none": lambda: (MOD17(), NoStress()),
    "FarquharMedlyn, linear": lambda: (FarquharMedlyn(), LinearStress()),
    "NeuralLightUse, neural": lambda: (NeuralLightUse(KEY), NeuralStress(KEY)),
    "PModel, monotone": lambda: (PModel(), MonotoneNeuralStress(KEY)),
}


def model_of(pair):
    photosynthesis, water_stress = PAIRS[pair]()
    return LandModel(photosynthesis=photosynthesis, water_stress=water_stress)


@eqx.filter_jit
def balance(model, state, forcing, site):
    """Final pools and mean production of a run, what carbon and water do not add up to, and the gradient by all."""

    def mean(inputs):
        after, fluxes = run(*inputs, forcing, site, outputs=("gpp", "nbp", "evspsbl", "mrro"), block=1)
        return jnp.mean(fluxes["gpp"]), (after, fluxes)

    (_, (after, fluxes)), gradient = eqx.filter_value_and_grad(mean, has_aux=True)((model, state))
    days = forcing.days[:, None]
    carbon = sum(getattr(after, n) - getattr(state, n) for n in CARBON) - jnp.sum(fluxes["nbp"] * days, axis=0)
    through = (forcing.pr - fluxes["evspsbl"] - fluxes["mrro"]) * days
    water = sum(getattr(after, n) - getattr(state, n) for n in ("snow", "water", "deep")) - jnp.sum(through, axis=0)
    carbon = carbon / (sum(getattr(state, n) for n in CARBON) + jnp.sum(fluxes["gpp"] * days, axis=0))
    water = water / (state.water + state.deep + jnp.sum(forcing.pr * days, axis=0))
    return after, fluxes["gpp"], carbon, water, gradient


@pytest.mark.parametrize("pair", PAIRS)
def test_a_run_conserves_and_has_a_finite_gradient(pair):
    with jax.enable_x64(True):
        cells = 10  # as many as a hidden layer of the networks has units
        forcing, site = worlds.monthly(2, cells)
        model, state = draw(model_of(pair), jax.random.key(1), cells), draw(State(), jax.random.key(2), cells)
        after, gpp, carbon, water, gradient = balance(model, state, forcing, site)
        assert gpp.shape == (24, cells)
        assert float(jnp.min(gpp)) >= 0
        assert float(jnp.max(jnp.abs(carbon))) <= 1e-12
        assert float(jnp.max(jnp.abs(water))) <= 1e-12
        assert all(float(jnp.min(pool)) >= 0 for pool in jax.tree.leaves(after))
        assert all(bool(jnp.all(jnp.isfinite(slope))) for slope in jax.tree.leaves(gradient))
        learned = jax.tree.leaves((gradient[0].photosynthesis, gradient[0].water_stress))
        # the respiration of FarquharMedlyn lowers its conductance only
        assert sum(not bool(jnp.any(slope != 0)) for slope in learned) == ("FarquharMedlyn" in pair)


def test_weights_are_not_taken_for_cells():
    forcing, site = worlds.monthly(1, 7)
    after, _ = run(model_of("NeuralLightUse, neural"), State(), forcing, site, outputs=())
    assert after.wood.shape == (7,)
    assert np.all(np.isfinite(after.wood))
