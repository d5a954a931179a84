"""Which pools only follow the others: the published model's, and bricks that break the rule."""

import dataclasses

import jax
import jax.numpy as jnp
import pytest
import worlds

from spread.land import LandModel, State
from spread.land.allocation import DALECAllocation
from spread.land.decomposition import ExponentialDecomposition, Q10Decomposition
from spread.land.dependence import following, sources
from spread.land.phenology import KnorrPhenology
from spread.land.run import prepared
from spread.land.snow import DegreeDay
from spread.land.soil_water import TwoLayers


class Crowded(ExponentialDecomposition):
    """Litter decays the faster the more of it there is."""

    def __call__(self, state, forcing, site):
        rates = super().__call__(state, forcing, site)
        return rates | {("litter", "rh"): rates["litter", "rh"] * state.litter / 100.0}


class Burdened(DALECAllocation):
    """Tall plants build fewer leaves."""

    def __call__(self, assimilation, state, forcing, site):
        shares = super().__call__(assimilation, state, forcing, site)
        return dataclasses.replace(shares, foliar=shares.foliar / (1 + state.wood / 1e4))


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (LandModel(), {"root", "wood", "litter", "soil", "snow", "deep"}),
        (LandModel(snow=DegreeDay(), soil_water=TwoLayers()), {"root", "wood", "litter", "soil"}),
        (LandModel(phenology=KnorrPhenology(), decomposition=Q10Decomposition()),
         {"root", "wood", "litter", "soil", "snow", "deep"}),
        (LandModel(decomposition=Crowded()), {"wood", "soil", "snow", "deep"}),  # roots feed litter
        (LandModel(allocation=Burdened()), {"root", "litter", "soil", "snow", "deep"}),
    ],
    ids=["published", "snow and two layers", "Knorr", "crowded litter", "burdened wood"],
)  # fmt: skip
def test_what_follows(model, expected):
    forcing, site = worlds.monthly(1, 2)
    model, state, forcing, site = prepared(model, State(), forcing, site)
    leaves, tree = jax.tree.flatten(state)
    weather = jax.tree.map(lambda field: field[0], forcing)
    found = following(lambda x: jax.tree.leaves(model.step(jax.tree.unflatten(tree, x), weather, site)[0]), leaves)
    names = [str(path[0]).removeprefix(".") for path, _ in jax.tree_util.tree_leaves_with_path(state)]
    assert {names[i] for i in found} == expected


def test_sources_reach_through_branches_and_not_beyond():
    def step(x, y, z):
        return jnp.where(x > 0, x, y), jnp.clip(z, 0, 1), jax.lax.scan(lambda c, _: (c + y, None), z, None, length=3)[0]

    found = sources(jax.make_jaxpr(step)(1.0, 2.0, 3.0).jaxpr)
    assert found == [frozenset({0, 1}), frozenset({2}), frozenset({1, 2})]
