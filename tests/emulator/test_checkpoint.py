"""Emulators and trainings in files: the same samples to the bit, and one clear error for anything else."""

import json
import struct
from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from emulator_worlds import RECIPE, World, gaussian, prepared, trained
from emulator_worlds import training as training_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import save_file

from spread.emulator import Recipe, checkpoint, load, load_training, prepare, save, save_training
from spread.errors import NotFound

ASKED = {"warming": np.array([1.0, 2.2]), "day": np.array([0.04, 0.6]), "step": np.array([24360, 24367]), "members": 3}


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("checkpoints") / "emulator.safetensors"
    save(path, trained())
    return path


@pytest.fixture(scope="module")
def training(tmp_path_factory):
    path = tmp_path_factory.mktemp("checkpoints") / "training.safetensors"
    save_training(path, training_of()[1], prepared())
    return path


def refused(path, said, how=load):
    with pytest.raises(NotFound, match=said) as raised:
        how(path)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def rewritten(path, out, arrays=None, sign=True, **header):
    """The file with other arrays or another header, signed anew or not."""
    with safe_open(path, framework="numpy") as opened:
        old = json.loads(opened.metadata()["spread"])
        there = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 - not a mapping
    there = arrays(there) if arrays else there
    made = old | header
    if sign:
        made["sha256"] = checkpoint._digest(there, made)
    save_file(there, out, metadata={"spread": json.dumps(made)})
    return out


@pytest.mark.parametrize("coherent", [False, True])
def test_samples_of_a_loaded_emulator_are_the_same_to_the_bit(file, coherent):
    loaded = load(file)
    for model in ("ALPHA", "BETA"):
        for scenario in ("ssp126", "ssp585", "ssp245"):
            old = trained().sample(model, scenario, **ASKED, coherent=coherent)
            new = loaded.sample(model, scenario, **ASKED, coherent=coherent)
            np.testing.assert_array_equal(new.tas, old.tas)
            np.testing.assert_array_equal(new.flags, old.flags)
    assert loaded.facts == trained().facts


@pytest.mark.slow
def test_so_are_those_of_a_transformer(tmp_path):
    recipe = Recipe("patches", steps=2, batch=4, width=8, depth=1, patch=2)
    emulator = gaussian(World(years=10), recipe)  # whose network then says something
    network = jax.tree.map(lambda leaf: leaf + 0.02 if eqx.is_inexact_array(leaf) else leaf, emulator.denoiser)
    emulator = replace(emulator, denoiser=network)
    save(tmp_path / "patches", emulator)
    new, old = load(tmp_path / "patches").sample("BETA", "ssp126", **ASKED), emulator.sample("BETA", "ssp126", **ASKED)
    np.testing.assert_array_equal(new.tas, old.tas)


def test_facts_of_energy_balances_and_versions_come_back(tmp_path):
    estimates = {"ALPHA": (0.1, 0.2), "BETA": (0.3, 1 / 3)}
    made = prepare(World().samples(), RECIPE, estimates=estimates, versions=("v1", "v2"))
    save(tmp_path / "one", made.emulator(gaussian().denoiser))
    assert load(tmp_path / "one").facts == made.facts
    assert made.facts.estimates == ((0.1, 0.2), (0.3, 1 / 3))


def test_a_file_is_replaced_whole_and_nothing_is_left_beside_it(tmp_path):
    path = tmp_path / "new" / "emulator"
    save(path, gaussian())
    save(path, trained())
    assert [each.name for each in path.parent.iterdir()] == ["emulator"]
    np.testing.assert_array_equal(load(path).sample("BETA", "ssp126", **ASKED).tas,
                                  trained().sample("BETA", "ssp126", **ASKED).tas)  # fmt: skip


def test_there_is_no_such_file(tmp_path):
    refused(tmp_path / "absent", "there is no such file; train an emulator first")
    refused(tmp_path, "there is no such file")


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.9, 0.9999])
def test_a_file_that_was_cut_off(file, tmp_path, share):
    whole = file.read_bytes()
    (tmp_path / "cut").write_bytes(whole[: int(share * len(whole))])
    refused(tmp_path / "cut", "it cannot be read, perhaps cut off")


@pytest.mark.parametrize("content", [b"CDF\x01" * 40, b"\x00" * 100, b"{}", struct.pack("<Q", 2) + b"{}"])
def test_a_file_of_something_else(tmp_path, content):
    (tmp_path / "other").write_bytes(content)
    refused(tmp_path / "other", "it cannot be read|expected spread-emulator-1, got no format of spread")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0, 1, exclude_max=True), in_header=st.booleans(), bit=st.integers(0, 7))
def test_a_flipped_bit_anywhere_is_found(file, tmp_path, share, in_header, bit):
    """In the numbers and in the header, whose facts decide what is drawn just as well."""
    changed = bytearray(file.read_bytes())
    (header,) = struct.unpack("<Q", changed[:8])
    at = int(share * (8 + header)) if in_header else 8 + header + int(share * (len(changed) - 8 - header))
    changed[at] ^= 1 << bit
    (tmp_path / "flipped").write_bytes(changed)
    with pytest.raises(NotFound, match="checkpoint"):
        load(tmp_path / "flipped")


def test_a_changed_number_of_the_facts_is_found(file, tmp_path):
    facts = json.loads(json.dumps(trained().facts.__dict__))
    facts["warming"][0][1] += 1
    path = rewritten(file, tmp_path / "changed", sign=False, facts=facts)
    refused(path, "its contents are not those that were written; copy it again")


def test_another_version_of_the_format(file, tmp_path):
    path = rewritten(file, tmp_path / "later", format="spread-emulator-99")
    refused(path, "expected spread-emulator-1, got spread-emulator-99; train again, or install its version")


def test_another_kind_of_file(file, training):
    refused(training, "expected an emulator, got a training")
    refused(file, "expected a training, got an emulator", lambda path: load_training(path, prepared()))


def test_another_grid(file, tmp_path):
    """Facts of a coarser grid than that of the arrays: which do not fit, and what was expected, is said."""
    facts = replace(trained().facts, area=(1 / 12,) * 12, lat=(-45.0, 45.0))
    path = rewritten(file, tmp_path / "grid", facts=facts.__dict__)
    refused(path, r"arrays do not fit: .*expected \(12, 12\), got \(12, 24\).* and \d+ more; train again")


def test_arrays_that_are_missing(file, tmp_path):
    def without(arrays):
        return {name: values for name, values in arrays.items() if "coherence" not in name}

    path = rewritten(file, tmp_path / "missing", without)
    refused(path, r"arrays do not fit: \.coherence\.memory: expected \(12,\), got none; train again")


@pytest.mark.parametrize("facts", [{}, {"models": ["A"]}, {"surprise": 1}, None, 3])
def test_a_header_that_cannot_be_understood(file, tmp_path, facts):
    refused(rewritten(file, tmp_path / "header", facts=facts), "its header cannot be understood.*; train again")


def test_a_training_goes_on_with_its_own_samples_and_recipe_only(training):
    state = load_training(training, prepared())
    assert int(state.step) == RECIPE.steps
    recipes = [replace(RECIPE, steps=50), replace(RECIPE, seed=3)]
    for other in (prepared(World(seed=1)), *(prepared(World(), recipe) for recipe in recipes)):
        with pytest.raises(NotFound, match="begun with other samples or another recipe; give those, or another file"):
            load_training(training, other)


def test_samples_that_differ_in_one_value_are_other_samples(training):
    samples = World().samples()
    tas = samples.tas.copy()
    tas[17, 2, 2] += 0.5
    with pytest.raises(NotFound, match="other samples"):
        load_training(training, prepare(replace(samples, tas=tas), RECIPE, synthetic=True))


def test_numbers_keep_their_kind(training):
    """The counter of steps is whole, and weights are single."""
    state, old = load_training(training, prepared()), training_of()[1]
    for new, was in zip(jax.tree.leaves(state), jax.tree.leaves(old), strict=True):
        if hasattr(was, "dtype"):
            assert new.dtype == was.dtype
            np.testing.assert_array_equal(jnp.asarray(new), jnp.asarray(was))
