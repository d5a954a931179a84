"""Noise that remembers: its correlation in closed form, whatever stretch is asked for."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from spread.emulator.coherence import LONGEST, MOST_PERSISTENT, Coherence, independent

MEMORY = np.array([0.0, 0.3, 0.6, 0.9], np.float32)


def noise(steps, members=1, memory=MEMORY):
    """``(member, step, entry)``."""
    coherence = Coherence(jnp.asarray(memory))
    keys = jax.random.split(jax.random.key(5), members)
    made = jax.jit(jax.vmap(lambda key: jax.vmap(lambda step: coherence.noise(key, step))(jnp.asarray(steps))))
    return np.asarray(made(keys), np.float64)


def test_variance_and_memory_are_those_of_the_closed_form():
    """``corr(lag) = m^lag (1 - m^(2 (L - lag))) / (1 - m^(2 L))`` of a moving average of L terms m^j."""
    made = noise(np.arange(1000, 1010), 5000)
    memory = MEMORY.astype(np.float64)
    assert np.abs(made.mean(axis=0)).max() < 5 / np.sqrt(5000)
    np.testing.assert_allclose(made.var(axis=0), 1, atol=5 * np.sqrt(2 / 5000))
    for lag in (1, 2, 5):
        found = np.mean(made[:, :-lag] * made[:, lag:], axis=(0, 1))
        exact = memory**lag * (1 - memory ** (2 * (LONGEST - lag))) / (1 - memory ** (2 * LONGEST))
        np.testing.assert_allclose(found, exact, atol=5 / np.sqrt(5000))


def test_the_forgotten_part_of_the_most_persistent_memory_is_below_a_percent():
    assert MOST_PERSISTENT**LONGEST < 0.01


def test_a_step_does_not_depend_on_the_stretch():
    whole = noise(np.arange(12 * 2015, 12 * 2015 + 40))
    np.testing.assert_array_equal(noise(np.arange(12 * 2015 + 17, 12 * 2015 + 25)), whole[:, 17:25])
    np.testing.assert_array_equal(noise(np.arange(12 * 2015, 12 * 2015 + 40)[::-1].copy())[:, ::-1], whole)


def test_steps_before_year_0_are_steps_as_well():
    assert np.isfinite(noise(np.arange(-3, 3))).all()


def test_independent_noise_knows_nothing_of_other_steps():
    made = np.array([independent(jax.random.key(1), step, (4000,)) for step in range(6)])
    assert np.abs(np.corrcoef(made) - np.eye(6)).max() < 5 / np.sqrt(4000)
    np.testing.assert_allclose(made.std(), 1, atol=0.03)


def autoregression(memory, steps, seed=0):
    random = np.random.default_rng(seed)
    made = np.empty((steps, len(memory)))
    made[0] = random.standard_normal(len(memory))
    for step in range(1, steps):
        made[step] = memory * made[step - 1] + np.sqrt(1 - memory**2) * random.standard_normal(len(memory))
    return made


def test_a_fit_finds_the_memory_of_an_autoregression():
    memory = np.array([0.0, 0.2, 0.5, 0.8])
    values = autoregression(memory, 20_000)
    made = Coherence.fit(values, np.arange(20_000) > 0)
    np.testing.assert_allclose(made.memory, memory, atol=5 / np.sqrt(20_000) + 0.002)


def test_only_steps_that_follow_tell():
    values = autoregression(np.array([0.8]), 4000)
    shuffled = values.copy()
    shuffled[::2] = np.random.default_rng(1).standard_normal((2000, 1))  # of other runs
    follows = np.arange(4000) % 2 == 0
    follows[0] = False
    assert float(Coherence.fit(values, follows).memory[0]) == pytest.approx(0.8, abs=0.05)
    assert float(Coherence.fit(shuffled, follows).memory[0]) == pytest.approx(0, abs=0.1)


def test_memory_is_between_none_and_the_most():
    alternating = np.array([1.0, -1.0] * 50)[:, None]
    assert float(Coherence.fit(alternating, np.arange(100) > 0).memory[0]) == 0
    assert float(Coherence.fit(np.ones((100, 1)), np.arange(100) > 0).memory[0]) == pytest.approx(MOST_PERSISTENT)
    np.testing.assert_array_equal(Coherence.fit(np.ones((9, 2, 3)), np.zeros(9, bool)).memory, np.zeros((2, 3)))
