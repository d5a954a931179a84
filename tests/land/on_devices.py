"""Script of a test: a run and gradients with so many devices, into a file. ``on_devices.py DEVICES FILE``."""

import sys

import jax
import numpy as np
import pytest

from spread.errors import BadModel
from spread.land import LandModel, State, draw
from spread.land.devices import use_cores
from spread.land.run import run


def loss(inputs, forcing, site):
    after, fluxes = run(*inputs, forcing, site, ("nbp", "evspsbl"), block=5)
    return jax.numpy.sum(after.soil) * 1e-3 + sum(jax.numpy.sum(x**2) for x in fluxes.values())


def main(devices, file):
    assert use_cores(devices) == devices
    jax.config.update("jax_enable_x64", True)
    import equinox as eqx
    import worlds

    from spread.land.water_stress import NeuralStress

    found = {}
    # Odd and even, as many as steps, and fewer than devices
    for cells in (1, 24, 33):
        forcing, site = worlds.monthly(2, cells)
        model = draw(LandModel(water_stress=NeuralStress(jax.random.key(0))), jax.random.key(1), cells)
        model = eqx.tree_at(lambda m: m.leaf_mass, model, jax.numpy.asarray(60.0))  # shared by all cells
        inputs = (model, draw(State(), jax.random.key(2), cells))
        before = jax.tree.map(np.array, (inputs, forcing, site))
        given = (inputs, forcing, site)
        results = (run(*inputs, forcing, site), jax.grad(loss)(*given), jax.jit(jax.grad(loss))(*given))
        for one, other in zip(jax.tree.leaves(before), jax.tree.leaves(given), strict=True):
            np.testing.assert_array_equal(one, other)
        used = {len(leaf.devices()) for leaf in jax.tree.leaves(results[0])}
        assert used == {devices if cells % devices == 0 and cells > 1 else 1} or cells == 33
        for part, result in zip(("run", "gradient", "jitted"), results, strict=True):
            for number, leaf in enumerate(jax.tree.leaves(result)):
                found[f"{part}-{cells}-{number}"] = np.asarray(leaf)
    np.savez(file, **found)
    with pytest.raises(BadModel, match="call use_cores before anything else of JAX"):
        use_cores(devices + 1)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
