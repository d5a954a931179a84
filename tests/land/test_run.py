"""What surrounds the steps of a run: devices, blocks, shapes, and inputs that cannot be."""

import os
import subprocess
import sys
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import psutil
import pytest
import worlds
from hypothesis import given
from hypothesis import strategies as st

from spread.errors import BadModel
from spread.land import LandModel, State, draw
from spread.land.phenology import KnorrPhenology
from spread.land.run import MEMORY_SHARE, block_length, cells_of, prepared, run
from spread.land.water_stress import NeuralStress

HERE = Path(__file__).parent


@pytest.mark.slow
def test_devices_change_neither_values_nor_gradients(tmp_path):
    paths = os.pathsep.join([str(HERE), str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")])
    found = []
    for devices in (1, 2):
        file = tmp_path / f"{devices}.npz"
        command = [sys.executable, str(HERE / "on_devices.py"), str(devices), str(file)]
        done = subprocess.run(command, env=os.environ | {"PYTHONPATH": paths}, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]
        found.append(dict(np.load(file)))
    one, two = found
    assert one.keys() == two.keys()
    assert len(one) > 150
    for name, value in one.items():
        assert value.shape == two[name].shape
        np.testing.assert_allclose(two[name], value, rtol=1e-11, atol=1e-13 * np.max(np.abs(value)), err_msg=name)
        if "-1-" in name:  # not shared out
            np.testing.assert_array_equal(two[name], value)


@given(steps=st.integers(1, 10**6), state=st.integers(1, 10**9), free=st.integers(0, 10**12))
def test_a_block_is_one_step_where_there_is_room_and_else_keeps_the_least(steps, state, free):
    block = block_length(steps, state, free)
    assert 1 <= block <= steps
    if steps * state <= free / MEMORY_SHARE:
        assert block == 1
    else:
        kept = steps / block + block
        assert kept <= 2 * steps**0.5 + 1.5
    assert block_length(steps, state, free + state) <= block  # more room never makes it longer
    assert block_length(steps, 2 * state, free) >= block


def test_free_memory_is_that_of_the_machine(monkeypatch):
    class Memory:
        available = 8000

    monkeypatch.setattr(psutil, "virtual_memory", lambda: Memory)
    assert block_length(100, 20) == 1
    assert block_length(100, 21) == 10


def test_a_run_finds_its_block_by_the_size_of_its_state(monkeypatch):
    asked = []
    monkeypatch.setattr("spread.land.run.block_length", lambda steps, state: asked.append((steps, state)) or 1)
    forcing, site = worlds.monthly(1, 4)
    run(LandModel(), draw(State(), jax.random.key(0), 4), forcing, site, ("gpp",))
    assert asked == [(12, 4 * 4 * 9)]  # nine pools of float32


def month(forcing):
    return jax.tree.map(lambda x: x[:2], forcing)


def test_every_breach_of_outputs_and_forcing_is_told():
    forcing, site = worlds.monthly(1, 3)
    short = eqx.tree_at(lambda f: f.pr, forcing, forcing.pr[:5])
    with pytest.raises(BadModel, match=r"land run: no output is called 'gp': did you mean 'gpp'.*'pr': 5"):
        run(LandModel(), State(), short, site, ("gp", "nbp"))
    single = eqx.tree_at(lambda f: f.co2, forcing, jnp.asarray(380.0))
    with pytest.raises(BadModel, match=r"same number of steps on its first axis, not .*'co2': 0"):
        run(LandModel(), State(), single, site)
    empty = jax.tree.map(lambda x: x[:0], forcing)
    with pytest.raises(BadModel, match=r"needs the same number of steps"):
        run(LandModel(), State(), empty, site)


def test_cells_are_the_same_everywhere():
    forcing, site = worlds.monthly(1, 3)
    with pytest.raises(BadModel, match=r"have \[3, 4\] cells: give all the same"):
        run(draw(LandModel(), jax.random.key(0), 4), State(), forcing, site)
    assert cells_of(LandModel(), State()) == 0
    assert cells_of(draw(LandModel(), jax.random.key(0), 1), State()) == 1
    assert cells_of(draw(LandModel(), jax.random.key(0), 1), forcing) == 3
    assert cells_of(jax.tree.map(lambda x: x[:, 0] if x.ndim == 2 else x, forcing)) == 0  # time is no cells
    assert cells_of(LandModel(water_stress=NeuralStress(jax.random.key(0), width=7)), State()) == 0  # nor weights


def test_what_is_prepared_has_the_shape_and_dtype_of_the_state():
    forcing, site = worlds.monthly(1, 3)
    model, state = LandModel(phenology=KnorrPhenology()), State()
    with jax.enable_x64(True):
        wide = eqx.tree_at(lambda s: s.soil, state, jnp.asarray(1e4, jnp.float64))
        made = prepared(model, wide, forcing, site)
    assert {leaf.dtype for leaf in jax.tree.leaves(made)} == {jnp.dtype("float64")}
    assert {leaf.shape for leaf in jax.tree.leaves(made[1])} == {(3,)}
    assert set(made[1].memory) == {"warmth", "drought"}
    assert state.memory is None  # what was given stays
    assert state.wood.shape == ()
    kept = eqx.tree_at(lambda s: s.memory, state, {"warmth": jnp.asarray(2.0)}, is_leaf=lambda leaf: leaf is None)
    np.testing.assert_array_equal(prepared(model, kept, forcing, site)[1].memory["warmth"], [2.0, 2.0, 2.0])


def test_one_place_runs_without_an_axis():
    forcing, site = worlds.monthly(1, 1)
    alone = jax.tree.map(lambda x: x[..., 0] if x.ndim == 2 else x, forcing)
    here = jax.tree.map(lambda x: x[0], site)
    after, fluxes = run(LandModel(), State(), alone, here, ("nbp", "fFire"))
    assert after.soil.shape == ()
    assert fluxes["nbp"].shape == fluxes["fFire"].shape == (12,)
    same, wide = run(LandModel(), State(), forcing, site, ("nbp",))
    np.testing.assert_allclose(wide["nbp"][:, 0], fluxes["nbp"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(same.soil[0], after.soil, rtol=1e-6)
