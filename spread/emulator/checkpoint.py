"""Emulators and interrupted trainings in files: arrays by name and a header (safetensors), nothing that runs."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from spread.diffusion import Training
from spread.emulator.coherence import Coherence
from spread.emulator.emulator import Emulator, Facts, Local
from spread.emulator.marginals import LEVELS, Marginals
from spread.emulator.pattern_scaling import PatternScaling, basis
from spread.emulator.scale import Scale
from spread.emulator.seasons import KNOTS
from spread.emulator.spaces import REMAINING, AbstractSpace, Grid, Patterns
from spread.emulator.training import Prepared, Recipe, started
from spread.errors import BadModel, NotFound, one_line

FORMAT = "spread-emulator-1"
"""Changes where arrays or their meaning change."""

_KINDS = {"emulator": "an emulator", "training": "a training"}

Arrays = dict[str, np.ndarray]


def save(path: str | Path, emulator: Emulator) -> None:
    """Write an emulator; the file appears whole or not at all.

    Parameters
    ----------
    path : str or Path
        Where; a file that is there is replaced.
    emulator : Emulator
        What.
    """
    modes = list(emulator.space.shape)
    _write(path, _named(emulator), {"kind": "emulator", "shape": modes, "facts": asdict(emulator.facts)})


def load(path: str | Path) -> Emulator:
    """Read an emulator.

    Parameters
    ----------
    path : str or Path
        Written by :func:`save`.

    Returns
    -------
    Emulator
        Its samples are those of the one that was saved.

    Raises
    ------
    NotFound
        For a file that is not there, is not an emulator, is of another version, is cut off or was changed.
    """
    arrays, header = _read(path, "emulator")
    try:
        facts = facts_of(header["facts"])
        like = eqx.filter_eval_shape(_skeleton, facts, tuple(header["shape"]))
    except (AttributeError, KeyError, TypeError, ValueError, BadModel) as error:
        raise NotFound(f"checkpoint {path}: its header cannot be understood: {one_line(error)}; train again") from error
    return _filled(path, like, arrays)


def save_training(path: str | Path, state: Training, prepared: Prepared) -> None:
    """Write a training that is under way, to be gone on with.

    Parameters
    ----------
    path : str or Path
        Where.
    state : Training
        As :func:`spread.emulator.training.train` hands it over.
    prepared : Prepared
        What it learns from: only data that are the same can go on.
    """
    header = {"kind": "training", "data": _digest(_named(prepared.data), {}), "facts": asdict(prepared.facts)}
    _write(path, _named(state), header)


def load_training(path: str | Path, prepared: Prepared) -> Training:
    """Read a training, to go on with the same data and recipe.

    Parameters
    ----------
    path : str or Path
        Written by :func:`save_training`.
    prepared : Prepared
        From the same samples and recipe.

    Returns
    -------
    Training

    Raises
    ------
    NotFound
        As :func:`load`, and for other samples or another recipe.
    """
    arrays, header = _read(path, "training")
    if header.get("data") != _digest(_named(prepared.data), {}) or facts_of(header["facts"]) != prepared.facts:
        raise NotFound(
            f"checkpoint {path}: it was begun with other samples or another recipe; give those, or another file to"
            " begin anew"
        )
    recipe = Recipe(**prepared.facts.recipe)  # type: ignore[arg-type]
    return _filled(path, started(prepared.space, prepared.facts, recipe)[0], arrays)


def facts_of(values: Mapping[str, Any]) -> Facts:
    """Facts as they were before they became JSON."""
    return Facts(**{name: _tuples(value) if name != "recipe" else value for name, value in values.items()})


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _skeleton(facts: Facts, shape: tuple[int, ...]) -> Emulator:
    """An emulator of the right shapes, whatever its numbers."""
    recipe, cells = Recipe(**facts.recipe), len(facts.area)  # type: ignore[arg-type]
    width = basis(np.zeros(1), facts.harmonics).shape[1]
    local = Local(
        PatternScaling(jnp.zeros((width, cells)), jnp.zeros((width, cells))),
        Scale(jnp.zeros((KNOTS, cells)), jnp.zeros((KNOTS, cells))),
        Marginals(jnp.zeros((KNOTS, len(LEVELS), cells))),
    )
    models = len(facts.models)
    space: AbstractSpace
    if recipe.backbone == "patches":
        space = Grid((shape[0], shape[1]))
    else:
        modes, left = shape[0], min(REMAINING, cells - shape[0])
        colour = jnp.zeros((models, KNOTS, modes, modes))
        space = Patterns(jnp.zeros((cells, modes)), colour, jnp.zeros(cells), jnp.zeros((models, cells, left)))
    state, _ = started(space, facts, recipe)
    return Emulator((local,) * models, space, state.average, Coherence(jnp.zeros(shape)), facts)


def _named(tree: Any) -> Arrays:
    leaves, _ = jax.tree_util.tree_flatten_with_path(eqx.filter(tree, eqx.is_array_like))
    return {jax.tree_util.keystr(path): np.array(leaf, order="C") for path, leaf in leaves}


def _filled(path: str | Path, like: Any, arrays: Arrays) -> Any:
    leaves, structure = jax.tree_util.tree_flatten_with_path(like)
    wrong, made = [], []
    for place, leaf in leaves:
        name = jax.tree_util.keystr(place)
        if not hasattr(leaf, "shape"):
            made.append(leaf)
            continue
        found = arrays.get(name)
        if found is None or found.shape != leaf.shape:
            wrong.append(f"{name}: expected {tuple(leaf.shape)}, got {'none' if found is None else found.shape}")
            continue
        made.append(jnp.asarray(found, leaf.dtype))
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise NotFound(f"checkpoint {path}: arrays do not fit: {'; '.join(wrong[:3])}{more}; train again")
    return jax.tree_util.tree_unflatten(structure, made)


def _digest(arrays: Arrays, header: Mapping[str, Any]) -> str:
    """Of arrays and of what is said of them, but for the digest itself."""
    said = {name: value for name, value in header.items() if name != "sha256"}
    total = hashlib.sha256(json.dumps(said, sort_keys=True).encode())
    for name in sorted(arrays):
        total.update(f"{name}{arrays[name].dtype}{arrays[name].shape}".encode())
        total.update(arrays[name].tobytes())
    return total.hexdigest()


def _write(path: str | Path, arrays: Arrays, header: dict[str, Any]) -> None:
    from safetensors.numpy import save_file

    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    described = header | {"format": FORMAT}
    described["sha256"] = _digest(arrays, described)
    try:
        save_file(arrays, aside, metadata={"spread": json.dumps(described)})
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def _read(path: str | Path, kind: str) -> tuple[Arrays, dict[str, Any]]:
    from safetensors import SafetensorError, safe_open

    if not Path(path).is_file():
        raise NotFound(f"checkpoint {path}: there is no such file; train an emulator first (spread emulate train)")
    try:
        with safe_open(path, framework="numpy") as opened:
            header = json.loads((opened.metadata() or {}).get("spread", "{}"))
            arrays = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 - not a mapping
    except (SafetensorError, OSError, ValueError) as error:
        raise NotFound(
            f"checkpoint {path}: it cannot be read, perhaps cut off: {one_line(error)}; make it anew"
        ) from error
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        found = header.get("format", "no format of spread") if isinstance(header, dict) else "no format of spread"
        raise NotFound(f"checkpoint {path}: expected {FORMAT}, got {found}; train again, or install its version")
    if header.get("kind") != kind:
        raise NotFound(
            f"checkpoint {path}: expected {_KINDS[kind]}, got {_KINDS.get(str(header.get('kind')), 'neither')}"
        )
    if header.get("sha256") != _digest(arrays, header):
        raise NotFound(f"checkpoint {path}: its contents are not those that were written; copy it again")
    return arrays, header
