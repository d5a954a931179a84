"""Training: the loss and its weights, runs that resume to the same bits, a small network that learns what is known."""

from functools import partial
from itertools import pairwise

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from spread.diffusion import (
    ClassifierFree,
    Gaussian,
    GaussianMixture,
    Heun,
    Noise,
    Preconditioned,
    Training,
    denoising_loss,
    fit,
    in_blocks,
    karras,
    rows,
)
from spread.diffusion.preconditioning import c_in, c_out, c_skip, loss_weight
from spread.errors import BadModel, Diverged


class Perceptron(eqx.Module):
    """Three layers that see the noise and, where there is one, a condition of one number."""

    layers: list

    def __init__(self, size, width, key):
        keys = jax.random.split(key, 4)
        sizes = (size + 3, width, width, width, size)
        self.layers = [eqx.nn.Linear(a, b, key=k) for k, (a, b) in zip(keys, pairwise(sizes), strict=True)]

    def __call__(self, x, noise, cond):
        extra = jnp.zeros(1) if cond is None else cond
        values = jnp.concatenate([x, jnp.stack([noise, noise**2]), extra])
        for layer in self.layers[:-1]:
            values = jax.nn.silu(layer(values))
        return self.layers[-1](values)


def small(size=2, width=16, seed=0):
    return Preconditioned(Perceptron(size, width, jax.random.key(seed)))


def bits(tree):
    return [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(eqx.filter(tree, eqx.is_array))]


def test_preconditioning_keeps_variances_at_one():
    """Karras et al. 2022, appendix B.6: input and target of the network have unit variance, by moments."""
    with jax.enable_x64(True):
        for data in (0.5, 1.0, 3.0):
            sigma = jnp.geomspace(1e-3, 100, 30)
            np.testing.assert_allclose(c_in(sigma, data) ** 2 * (data**2 + sigma**2), 1, rtol=1e-12)
            # target (x0 - c_skip (x0 + sigma n)) / c_out
            skip, out = c_skip(sigma, data), c_out(sigma, data)
            np.testing.assert_allclose(((1 - skip) ** 2 * data**2 + skip**2 * sigma**2) / out**2, 1, rtol=1e-12)
            np.testing.assert_allclose(loss_weight(sigma, data) * out**2, 1, rtol=1e-12)


def test_a_network_is_wired_as_published():
    """c_skip x + c_out F(c_in x, ln(sigma) / 4), in plain NumPy."""
    wired = Preconditioned(lambda x, noise, cond: x**3 + noise * cond, 2.0)
    x, sigma, cond = np.array([0.7, -1.1]), 0.4, 1.5
    total = sigma**2 + 4.0
    network = (x / total**0.5) ** 3 + np.log(sigma) / 4 * cond
    with jax.enable_x64(True):
        made = wired.denoise(jnp.asarray(x), sigma, cond)
        np.testing.assert_allclose(made, 4 / total * x + sigma * 2 / total**0.5 * network, rtol=1e-12)


def test_a_network_that_says_nothing_has_a_loss_of_one():
    zero = Preconditioned(lambda x, noise, cond: jnp.zeros_like(x), 2.0)
    x = 2 * jax.random.normal(jax.random.key(0), (20000, 3))
    loss = denoising_loss(zero, x, None, jax.random.key(1), Noise(sigma_data=2.0))
    assert float(loss) == pytest.approx(1, abs=0.02)


def test_the_exact_denoiser_has_the_loss_of_the_closed_form():
    """v sigma^2 / (v + sigma^2), weighted, by quadrature over ln sigma."""
    variance = 0.25
    exact = Gaussian(jnp.zeros(2), jnp.full(2, variance))
    x = variance**0.5 * jax.random.normal(jax.random.key(0), (50000, 2))
    loss = float(denoising_loss(exact, x, None, jax.random.key(1), Noise()))
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    sigma = np.exp(-0.5 + 1.2 * nodes)
    expected = np.sum(weights * (sigma**2 + 1) / sigma**2 * variance * sigma**2 / (variance + sigma**2)) / np.sum(
        weights
    )
    print(f"loss {loss:.4f}, closed form {expected:.4f}")
    assert loss == pytest.approx(expected, rel=0.02)


def test_a_run_that_is_resumed_ends_with_the_same_bits(tmp_path):
    optimizer, batch, key = optax.adam(1e-3), rows(32), jax.random.key(7)
    data = (jax.random.normal(jax.random.key(1), (300, 2)), jnp.linspace(-1, 1, 300)[:, None])
    start = Training.start(small(), optimizer)
    before = bits(start)
    whole, losses = fit(start, optimizer, batch, data, key, 57, chunk=20)
    assert bits(start) == before
    assert len(losses) == 57
    first, early = fit(start, optimizer, batch, data, key, 23, chunk=20)
    eqx.tree_serialise_leaves(tmp_path / "state.eqx", first)
    again = eqx.tree_deserialise_leaves(tmp_path / "state.eqx", start)
    second, late = fit(again, optimizer, batch, data, key, 34, chunk=20)
    assert bits(second) == bits(whole)
    np.testing.assert_array_equal(np.concatenate([early, late]), losses)
    assert int(second.step) == 57
    alone, one_by_one = fit(start, optimizer, batch, data, key, 5, chunk=1)
    np.testing.assert_allclose(one_by_one, losses[:5], rtol=1e-5)
    assert bits(alone) != bits(start)


def test_another_key_is_another_run():
    optimizer, batch = optax.adam(1e-3), rows(32)
    data = (jax.random.normal(jax.random.key(1), (300, 2)), None)
    start = Training.start(small(), optimizer)
    one, other = (fit(start, optimizer, batch, data, jax.random.key(k), 5, chunk=20)[1] for k in (0, 1))
    assert not np.any(one == other)


def test_no_two_steps_share_their_noise():
    """Parameters that stand still have another loss in every step."""
    still = optax.sgd(0.0)
    losses = fit(Training.start(small(), still), still, rows(32), (jnp.ones((300, 2)), None), jax.random.key(0), 50)[1]
    assert len(np.unique(losses)) == 50


def test_the_running_mean_is_that_of_plain_numpy():
    optimizer, batch, key = optax.sgd(0.1), rows(16), jax.random.key(0)
    data = (jax.random.normal(jax.random.key(1), (50, 2)), None)
    state = Training.start(small(), optimizer)
    expected = [np.asarray(leaf, np.float64) for leaf in jax.tree.leaves(state.denoiser)]
    for step in range(12):
        state, _ = fit(state, optimizer, batch, data, key, 1, decay=0.5, chunk=20)
        kept = min(0.5, (1 + step) / (10 + step))
        new = [np.asarray(leaf, np.float64) for leaf in jax.tree.leaves(state.denoiser)]
        expected = [kept * old + (1 - kept) * now for old, now in zip(expected, new, strict=True)]
    for made, right in zip(jax.tree.leaves(state.average), expected, strict=True):
        np.testing.assert_allclose(made, right, atol=1e-6)


def test_a_loss_that_is_not_finite_names_its_step():
    optimizer = optax.adam(1e-3)

    def batch(data, key):
        return data, None

    state = Training.start(small(), optimizer)
    state, _ = fit(state, optimizer, batch, jnp.ones((8, 2)), jax.random.key(0), 3, chunk=20)
    with pytest.raises(Diverged, match="nan in step 3"):
        fit(state, optimizer, batch, jnp.full((8, 2), jnp.nan), jax.random.key(0), 9, chunk=20)
    wild = optax.sgd(1e20)
    with pytest.raises(Diverged, match=r"in step [1-9]"):
        fit(Training.start(small(), wild), wild, batch, jnp.ones((8, 2)), jax.random.key(0), 30, chunk=20)


@pytest.mark.parametrize("wrong", [{"steps": -1}, {"chunk": 0}, {"decay": 1.0}])
def test_a_loop_that_cannot_be_is_refused(wrong):
    optimizer = optax.adam(1e-3)
    arguments = {"steps": 1} | wrong
    steps = arguments.pop("steps")
    with pytest.raises(BadModel, match="fit"):
        fit(
            Training.start(small(), optimizer),
            optimizer,
            rows(2),
            (jnp.ones((4, 2)), None),
            jax.random.key(0),
            steps,
            **arguments,
        )


MIXTURE = (0.3, 0.7), ((-1.2, 0.4), (0.6, -0.3)), 0.09


def known_mixture():
    weights, means, variance = MIXTURE
    return GaussianMixture.of(weights, *(Gaussian(jnp.asarray(mean), jnp.full(2, variance)) for mean in means))


def drawn(data, key):
    """A batch of the mixture, made afresh; its condition is the number of the kind, or 0 in a tenth of the samples."""
    kinds, noise, dropped = jax.random.split(key, 3)
    second = jax.random.bernoulli(kinds, 0.7, (512,))
    mean = jnp.where(second[:, None], jnp.array(MIXTURE[1][1]), jnp.array(MIXTURE[1][0]))
    x = mean + MIXTURE[2] ** 0.5 * jax.random.normal(noise, mean.shape)
    cond = jnp.where(second, 1.0, -1.0)[:, None]
    return x, jnp.where(jax.random.bernoulli(dropped, 0.5, (512, 1)), 0.0, cond)


def draw_one(denoiser, row):
    key, cond = row
    return Heun().sample(denoiser, jax.random.normal(key, (2,)), karras(32, 0.002, 40.0), cond)


def draw_guided(denoiser, row):
    return draw_one(ClassifierFree(denoiser, jnp.zeros(1), 1.0), row)


def test_a_small_network_learns_a_mixture():
    """Weights, means and variances of two kinds, from 8000 samples; and each kind alone where it is the condition."""
    schedule = optax.cosine_decay_schedule(3e-3, 3000)
    optimizer = optax.adam(schedule)
    state, losses = fit(
        Training.start(small(2, 64), optimizer), optimizer, drawn, None, jax.random.key(2), 3000, decay=0.995
    )
    keys = jax.random.split(jax.random.key(3), 8000)
    made = in_blocks(draw_one, (keys, jnp.zeros((8000, 1))), 2000, shared=state.average)
    first = made[:, 0] < -0.3
    print(
        f"loss {losses[:100].mean():.3f} to {losses[-100:].mean():.3f}; weight {first.mean():.3f} (0.3), means "
        f"{np.round(made[first].mean(0), 3)} {np.round(made[~first].mean(0), 3)}, variances "
        f"{np.round(made[first].var(0), 3)} {np.round(made[~first].var(0), 3)} (0.09)"
    )
    assert first.mean() == pytest.approx(0.3, abs=0.03)
    for kind, mean in zip((first, ~first), MIXTURE[1], strict=True):
        np.testing.assert_allclose(made[kind].mean(0), mean, atol=0.04)
        np.testing.assert_allclose(made[kind].var(0), MIXTURE[2], rtol=0.2)
    conditional = in_blocks(draw_guided, (keys[:2000], jnp.ones((2000, 1))), 2000, shared=state.average)
    print(
        f"given the second kind: {np.mean(conditional[:, 0] > -0.3):.4f} are of it, "
        f"mean {np.round(conditional.mean(0), 3)}"
    )
    assert np.mean(conditional[:, 0] > -0.3) > 0.99
    np.testing.assert_allclose(conditional.mean(0), MIXTURE[1][1], atol=0.04)


def test_the_exact_denoiser_of_a_mixture_is_that_of_its_score():
    """Tweedie: x + sigma^2 times the derivative of the log density; and that density against plain NumPy."""
    with jax.enable_x64(True):
        data, x, sigma = known_mixture(), jnp.array([-0.2, 0.1]), 0.4
        score = jax.grad(partial(GaussianMixture.log_density, data))(x, sigma)
        np.testing.assert_allclose(data.denoise(x, sigma), x + sigma**2 * score, rtol=1e-10)
        variance = MIXTURE[2] + sigma**2
        terms = [
            w * np.exp(-0.5 * np.sum((np.asarray(x) - m) ** 2) / variance) / (2 * np.pi * variance)
            for w, m in zip(*MIXTURE[:2], strict=True)
        ]
        assert float(data.log_density(x, sigma)) == pytest.approx(np.log(sum(terms)), rel=1e-10)
        np.testing.assert_allclose(data.responsibilities(x, sigma), np.array(terms) / sum(terms), rtol=1e-10)
        draws = np.asarray(jax.vmap(data.draw)(jax.random.split(jax.random.key(0), 20000)))
        assert np.mean(draws[:, 0] < -0.3) == pytest.approx(0.3, abs=0.015)


def test_densities_with_a_basis_are_those_of_the_covariance():
    random = np.random.default_rng(0)
    root = random.standard_normal((5, 3))
    mean, x = random.standard_normal((2, 5))
    with jax.enable_x64(True):
        covariance = root @ root.T
        whole = Gaussian.of(jnp.asarray(mean), jnp.asarray(covariance))
        np.testing.assert_allclose(whole.covariance(), covariance, atol=1e-12)
        part = Gaussian(whole.mean, whole.variance[-3:], whole.basis[:, -3:])
        noisy = covariance + 0.5**2 * np.eye(5)
        apart = x - mean
        expected = -0.5 * (apart @ np.linalg.solve(noisy, apart) + np.linalg.slogdet(2 * np.pi * noisy)[1])
        for data in (whole, part):
            assert float(data.log_density(jnp.asarray(x), 0.5)) == pytest.approx(expected, rel=1e-10)
            np.testing.assert_allclose(
                data.denoise(jnp.asarray(x), 0.5), mean + covariance @ np.linalg.solve(noisy, apart), atol=1e-12
            )
        draws = np.asarray(jax.vmap(part.draw)(jax.random.split(jax.random.key(0), 50000)))
        np.testing.assert_allclose(np.cov(draws.T), covariance, atol=0.1)
    with pytest.raises(BadModel, match="a column for each variance"):
        Gaussian(jnp.zeros(5), jnp.ones(2), jnp.ones((5, 3)))
