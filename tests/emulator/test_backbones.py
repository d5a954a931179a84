"""Networks: where they begin, what they see beyond the edges of the map, and that they learn."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from emulator_worlds import RECIPE, World, gaussian, prepared, trained

from spread.diffusion import Preconditioned
from spread.emulator import Recipe, prepare, train
from spread.emulator.backbones import PatchTransformer, PatternNetwork
from spread.emulator.backbones.patch_transformer import padded, positions
from spread.emulator.condition import DROPPED, Condition, withheld
from spread.errors import BadModel

CONDITION = Condition(np.int32(1), np.int32(0), np.float32(0.7), np.float32(0.3))
KEY = jax.random.key(0)


@pytest.mark.parametrize(
    ("network", "shape"),
    [(PatternNetwork(7, 2, 3, KEY, 16, 2), (7,)), (PatchTransformer((4, 8), 2, 3, KEY, 2, 16, 1, 2), (4, 8))],
    ids=["patterns", "patches"],
)
def test_a_network_begins_as_the_exact_denoiser_of_normal_data(network, shape):
    denoiser = Preconditioned(network)
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    for sigma in (0.01, 0.5, 20.0):
        made = denoiser.denoise(sigma * x, sigma, CONDITION)
        np.testing.assert_allclose(made, sigma * x / (1 + sigma**2), rtol=1e-5)


def test_maps_before_training_are_those_of_the_gaussian_emulator():
    """The sampler with the initial network draws unit normal amplitudes."""
    emulator = gaussian()
    settings, one = (
        emulator.settings,
        Condition(*(jnp.asarray(leaf[0]) for leaf in jax.tree.leaves(prepared().data[1]))),
    )
    noise = jax.random.normal(jax.random.key(1), (3000, *emulator.space.shape))
    made = np.asarray(jax.jit(jax.vmap(lambda z: settings.sample(emulator.denoiser, z, one)))(noise))
    assert made.var() == pytest.approx(1, abs=0.02 + 5 * np.sqrt(2 / made.size))


def spherical(lat, lon):
    """A smooth function of the sphere without a symmetry."""
    lat, lon = np.deg2rad(lat)[:, None], np.deg2rad(lon)[None, :]
    x, y, z = np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.broadcast_to(np.sin(lat), (lat + lon).shape)
    return x + 2 * x * y - 3 * z * y + 0.5 * z**3 + x**2 * z


@pytest.mark.parametrize("margin", [0, 1, 2, 3])
def test_beyond_the_edges_is_the_other_side_of_the_globe(margin):
    step = 360 / 12
    lat = -90 + (np.arange(6) + 0.5) * step
    lon = (np.arange(12) + 0.5) * step
    # the function goes on by itself: a latitude of 100 degrees is one of 80, half of the globe further east
    further_lat = -90 + (np.arange(-margin, 6 + margin) + 0.5) * step
    further_lon = (np.arange(-margin, 12 + margin) + 0.5) * step
    made = padded(jnp.asarray(spherical(lat, lon)), margin)
    np.testing.assert_allclose(made, spherical(further_lat, further_lon), atol=2e-6)


def test_positions_are_those_on_the_sphere():
    """The monomials of first degree are the unit vectors; neighbours over the date line are as near as any others."""
    powers = [(i, j, k) for i in range(5) for j in range(5) for k in range(5) if i + j + k <= 4]
    made = positions((6, 12), 2)
    vectors = made[:, [powers.index(one) for one in ((1, 0, 0), (0, 1, 0), (0, 0, 1))]].reshape(3, 6, 3)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=2), 1)
    np.testing.assert_allclose(
        np.rad2deg(np.arcsin(vectors[..., 2])), np.repeat([[-60.0], [0.0], [60.0]], 6, axis=1), atol=1e-9
    )
    apart = np.linalg.norm(vectors - np.roll(vectors, 1, axis=1), axis=2)
    np.testing.assert_allclose(apart, 2 * np.sin(np.deg2rad(30)) * np.cos(np.deg2rad([[-60], [0], [60]])) * np.ones(6))
    np.testing.assert_allclose(made[:, powers.index((1, 2, 1))],
                               np.prod(vectors.reshape(18, 3) ** np.array([1, 2, 1]), axis=1))  # fmt: skip


def test_the_transformer_sees_across_the_date_line_and_the_pole():
    network = PatchTransformer((4, 8), 1, 1, KEY, 2, 16, 1, 2)
    field = np.arange(32.0).reshape(4, 8)
    seen = np.asarray(network._patches(jnp.asarray(field))).reshape(2, 4, 4, 4)
    np.testing.assert_array_equal(seen[0, 0, 1:3, 1:3], field[:2, :2])
    np.testing.assert_array_equal(seen[0, 0, 1:3, 0], field[:2, 7])  # west of the first column
    np.testing.assert_array_equal(seen[0, 0, 0, 1:3], field[0, 4:6])  # beyond the southern pole
    np.testing.assert_array_equal(seen[1, 3, 3, 1:3], field[3, 2:4])  # beyond the northern one
    np.testing.assert_array_equal(seen[1, 3, 1:3, 3], field[2:, 0])
    np.testing.assert_array_equal(seen[1, 1], np.asarray(padded(jnp.asarray(field), 1))[2:6, 2:6])


@pytest.mark.parametrize("shape", [(5, 8), (4, 10), (3, 9)])
def test_patches_have_to_cover_the_grid(shape):
    with pytest.raises(BadModel, match=r"multiples of the patch of 4|even number of longitudes"):
        PatchTransformer(shape, 1, 1, KEY)


@pytest.mark.slow
def test_the_transformer_learns():
    """A synthetic world whose residuals are far from white on the grid: the loss falls below its start of 1."""
    recipe = Recipe("patches", steps=80, batch=32, width=16, depth=1, patch=2, learning_rate=3e-3)
    emulator, state, losses = train(prepare(World(years=20).samples(), recipe))
    assert int(state.step) == 80
    assert losses[:3].mean() == pytest.approx(1, abs=0.25)
    assert losses[-20:].mean() < 0.98 * losses[:20].mean()
    made = emulator.sample("BETA", "ssp585", np.full(2, 1.0), np.array([0.04, 0.54]), np.arange(2), members=2)
    assert made.tas.shape == (2, 2, 4, 6)
    assert np.isfinite(made.tas).all()


def test_a_condition_changes_a_trained_network():
    emulator = trained(World(), RECIPE)
    x = np.ones(emulator.space.shape, np.float32)
    other = Condition(np.int32(0), np.int32(2), np.float32(0.7), np.float32(0.3))
    made = [np.asarray(emulator.denoiser.denoise(x, 1.0, each)) for each in (CONDITION, other)]
    assert np.abs(made[0] - made[1]).max() > 1e-5


def test_a_tenth_of_models_and_of_scenarios_is_withheld():
    count = 20_000
    cond = Condition(np.full(count, 1), np.full(count, 2), np.linspace(-1, 1, count), np.linspace(0, 1, count))
    made = withheld(cond, 3, 5, jax.random.key(0))
    no_model, no_scenario = np.asarray(made.model) == 3, np.asarray(made.scenario) == 5
    error = 5 * np.sqrt(DROPPED * (1 - DROPPED) / count)
    assert no_model.mean() == pytest.approx(DROPPED, abs=error)
    assert no_scenario.mean() == pytest.approx(DROPPED, abs=error)
    assert (no_model & no_scenario).mean() == pytest.approx(DROPPED**2, abs=error)
    np.testing.assert_array_equal(np.asarray(made.model)[~no_model], 1)
    np.testing.assert_array_equal(np.asarray(made.scenario)[~no_scenario], 2)
    np.testing.assert_array_equal(made.warming, cond.warming)
    np.testing.assert_array_equal(made.day, cond.day)
