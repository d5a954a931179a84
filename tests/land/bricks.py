"""All bricks there are, found by their interfaces, and models that hold every pair of them."""

import dataclasses
import importlib
import inspect
import itertools
import pkgutil
from typing import get_type_hints

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import spread.land
from spread.errors import BadModel
from spread.land import LandModel, parameters_of

for found in pkgutil.walk_packages(spread.land.__path__, "spread.land."):
    importlib.import_module(found.name)


def finals(interface):
    """Final implementations of an interface in the package, ready made, in every variant of the bricks within them."""
    kinds = sorted(_below(interface), key=lambda kind: kind.__name__)
    return [brick for kind in kinds if kind.__module__.startswith("spread.") for brick in _variants(kind)]


def _below(interface):
    for kind in interface.__subclasses__():
        yield from _below(kind)
        if not inspect.isabstract(kind):
            yield kind


def _variants(kind):
    hints = get_type_hints(kind)
    inner = {f.name: finals(hints[f.name]) for f in dataclasses.fields(kind) if inspect.isabstract(hints.get(f.name))}
    extra = {"key": jax.random.key(7)} if "key" in inspect.signature(kind).parameters else {}
    for chosen in itertools.product(*inner.values()):
        yield kind(**dict(zip(inner, chosen, strict=True)), **extra)


def name(brick):
    inner = [name(value) for value in vars(brick).values() if isinstance(value, eqx.Module)]
    return type(brick).__name__ + (f"({', '.join(inner)})" if inner else "")


SLOTS = {slot: finals(kind) for slot, kind in get_type_hints(LandModel).items() if inspect.isabstract(kind)}


def on_edges(brick, rng, cells):
    """A brick with every parameter on one of the two edges of its box."""
    edges = {path: np.where(rng.random(cells) < 0.5, p.low, p.high) for path, p in parameters_of(brick).items()}

    def at(module, path):
        for step in path.split("."):
            module = getattr(module, step)
        return module

    values = [jnp.asarray(edge, jnp.result_type(1.0)) for edge in edges.values()]
    return eqx.tree_at(lambda m: [at(m, path) for path in edges], brick, values) if edges else brick


def allowed(chosen):
    try:
        return LandModel(**chosen)
    except BadModel:
        return None


def covering():
    """Models in which every pair of bricks that may go together does so once, greedy and always the same."""
    slots = list(SLOTS)
    wanted = {}
    for one, two in itertools.combinations(slots, 2):
        for i, j in itertools.product(range(len(SLOTS[one])), range(len(SLOTS[two]))):
            if _possible({one: i, two: j}):
                wanted[one, i, two, j] = True
    models = []
    while wanted:
        one, i, two, j = next(iter(wanted))
        chosen = {one: i, two: j}
        for slot in sorted(set(slots) - {one, two}, key=lambda s: (-len(SLOTS[s]), s)):
            options = [k for k in range(len(SLOTS[slot])) if _possible(chosen | {slot: k})]
            chosen[slot] = max(options, key=lambda k: len(_pairs(chosen | {slot: k}) & wanted.keys()))
        models.append(allowed({slot: SLOTS[slot][k] for slot, k in chosen.items()}))
        wanted = {pair: True for pair in wanted if pair not in _pairs(chosen)}
    return models


def _pairs(chosen):
    order = [slot for slot in SLOTS if slot in chosen]
    return {(one, chosen[one], two, chosen[two]) for one, two in itertools.combinations(order, 2)}


def _possible(chosen):
    """Whether bricks can be part of a model: rules speak of photosynthesis and evapotranspiration alone."""
    given = {slot: SLOTS[slot][k] for slot, k in chosen.items()}
    if {"photosynthesis", "evapotranspiration"} <= given.keys() or "evapotranspiration" not in given:
        return allowed(given) is not None
    return any(allowed(given | {"photosynthesis": brick}) for brick in SLOTS["photosynthesis"])


def product():
    """Every model there can be."""
    for chosen in itertools.product(*SLOTS.values()):
        model = allowed(dict(zip(SLOTS, chosen, strict=True)))
        if model is not None:
            yield model


def described(model):
    """Names of the bricks that were chosen where there is a choice."""
    return "-".join(name(getattr(model, slot)) for slot, options in SLOTS.items() if len(options) > 1)


def marked(models):
    """Cases of a test: slow are those whose every brick is in a model before."""
    seen, cases = set(), []
    for model in models:
        bricks = {(slot, name(getattr(model, slot))) for slot in SLOTS}
        marks = [pytest.mark.slow] if bricks <= seen else []
        cases.append(pytest.param(model, marks=marks, id=described(model)))
        seen |= bricks
    return cases
