"""Parameters of a land model: read, replaced, drawn, and told apart by a digest."""

from __future__ import annotations

import dataclasses
import hashlib
import zlib
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from spread.errors import BadModel, did_you_mean
from spread.land import LandModel, parameters_of


def standard_model() -> LandModel:
    """The default bricks with their default parameters."""
    return LandModel()


def brick(process: str, name: str) -> eqx.Module:
    """A brick by its name, with default parameters.

    Parameters
    ----------
    process : str
        Such as ``water_stress``.
    name : str
        Of the class.

    Returns
    -------
    equinox.Module
        For :class:`~spread.land.model.LandModel`.

    Raises
    ------
    BadModel
        If there is none of that name, or it needs more than defaults.
    """
    processes = [f.name for f in dataclasses.fields(LandModel) if f.name != "leaf_mass"]
    if process not in processes:
        raise BadModel(f"land model: no process is called {process!r}: {did_you_mean(process, processes)}")
    module = import_module(f"spread.land.{process}")
    known = {
        n: c for n, c in vars(module).items()
        if isinstance(c, type) and issubclass(c, eqx.Module) and c.__module__ == module.__name__ and "Abstract" not in n
    }  # fmt: skip
    if name not in known:
        raise BadModel(f"land model: no brick of {process} is called {name!r}: {did_you_mean(name, tuple(known))}")
    try:
        return known[name]()
    except TypeError as error:
        raise BadModel(f"land model: {name} cannot be made by its name alone ({error}); make it in Python") from error


def number_of_draws(model: LandModel) -> int:
    """Draws that the parameters of a model hold; 0 where each is one number.

    Raises
    ------
    BadModel
        Where they differ in number.
    """
    sizes = {path: np.shape(value) for path, value in parameter_values(model).items() if np.ndim(value)}
    if len(set(sizes.values())) > 1 or any(len(shape) > 1 for shape in sizes.values()):
        raise BadModel(f"land model: parameters need shape () or one (draw,) for all, not {sizes}")
    return next(iter(sizes.values()))[0] if sizes else 0


def parameter_values(model: eqx.Module) -> dict[str, Any]:
    """Values of all parameters of a model, by path."""
    return {path: _at(model, path) for path in parameters_of(model)}


def with_parameters(model: LandModel, values: Mapping[str, Any]) -> LandModel:
    """A model with other values of some parameters.

    Parameters
    ----------
    model : LandModel
        It is not modified.
    values : mapping
        Path, such as ``photosynthesis.efficiency``, to a number or an array ``(draw,)``.

    Returns
    -------
    LandModel
        With these.

    Raises
    ------
    BadModel
        For a path that the model does not have.
    """
    known = list(parameters_of(model))
    breaches = [f"no parameter is called {p!r}: {did_you_mean(p, known)}" for p in values if p not in known]
    if breaches:
        raise BadModel("land model: " + "; ".join(breaches))
    paths = list(values)
    return eqx.tree_at(lambda m: [_at(m, path) for path in paths], model, [jnp.asarray(values[p]) for p in paths])


def _at(module: Any, path: str) -> Any:
    for name in path.split("."):
        module = getattr(module, name)
    return module


def draws(model: LandModel, number: int, seed: int = 0, width: float = 0.2, only: Sequence[str] = ()) -> LandModel:
    """Draw parameters around those of a model.

    Parameters
    ----------
    model : LandModel
        With one number for each parameter; it is not modified.
    number : int
        How many draws.
    seed : int
        Draws with the same seed are pairs: a parameter's draws depend on it and on the parameter's path only, whatever
        the other bricks, and the first draws stay the same where more are made.
    width : float
        Share of each prior from which is drawn, around the model's value, moved inside the prior where it would reach
        beyond; 1 is the whole prior.
    only : sequence of str
        Paths; all parameters by default.

    Returns
    -------
    LandModel
        With parameters of shape ``(number,)``.

    Raises
    ------
    BadModel
        For a path that the model does not have.
    """
    known, values = parameters_of(model), parameter_values(model)
    with_parameters(model, {path: 0.0 for path in only})  # complains of unknown paths
    made = {}
    for path in only or known:
        rng = np.random.default_rng([seed, zlib.crc32(path.encode())])
        centre = float(np.clip(known[path].share(jnp.asarray(values[path])), 0.0, 1.0))
        low = min(max(centre - width / 2, 0.0), 1.0 - width)
        made[path] = known[path].at(jnp.asarray(low + width * rng.random(number), jnp.float32))
    return with_parameters(model, made)


def bricks_of(model: LandModel) -> str:
    """Bricks of a model as text: ``photosynthesis=ACM1, ...``."""
    fields = {f.name: getattr(model, f.name) for f in dataclasses.fields(model)}
    return ", ".join(f"{n}={type(brick).__name__}" for n, brick in fields.items() if isinstance(brick, eqx.Module))


def digest_of(*modules: Any) -> str:
    """SHA-256 of the structure and all arrays of modules."""
    made = hashlib.sha256()
    for module in modules:
        made.update(bricks_of(module).encode() if isinstance(module, LandModel) else type(module).__name__.encode())
        for path, leaf in jax.tree_util.tree_leaves_with_path(module):
            made.update(jax.tree_util.keystr(path).encode())
            made.update(np.asarray(leaf, np.float64).tobytes() if eqx.is_array_like(leaf) else repr(leaf).encode())
    return made.hexdigest()
