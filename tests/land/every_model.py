"""What a step of a model gets wrong: for tests, and as a script for every model there can be, one line of JSON each.

``python tests/land/every_model.py LOG`` takes hours, for each model is compiled. It goes on where LOG ends and prints a
summary at the end, or at once with ``--summary``.
"""

import argparse
import collections
import itertools
import json
import time
from pathlib import Path

import bricks
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import worlds

from spread.errors import BadModel
from spread.land import LandModel
from spread.land.state import CARBON

WATER = ("snow", "water", "deep")
ULP = 2.0**-23  # of float32
CELLS = 300


def total(state, names):
    return sum(getattr(state, name) for name in names)


def one_step(changing, fixed, forcing, site):
    """A number that depends on all that a step gives, and what it gets wrong.

    Wrong are residuals of carbon and water over the pools with what came in, the smallest pool, and how much more
    evaporates than there is.
    """
    model, state = eqx.combine(changing, fixed)
    after, fluxes = model.step(state, forcing, site)
    days = forcing.days
    carbon = total(after, CARBON) - total(state, CARBON) - fluxes.nbp * days
    water = total(after, WATER) - total(state, WATER) - (forcing.pr - fluxes.evspsbl - fluxes.mrro) * days
    carbon = carbon / (total(state, CARBON) + fluxes.gpp * days)
    water = water / (total(state, WATER) + forcing.pr * days)
    least = jnp.min(jnp.stack(jnp.broadcast_arrays(*(getattr(after, name) for name in CARBON + WATER))))
    there = total(state, ("water", "snow")) + forcing.pr * days
    over = jnp.max((fluxes.evspsbl * days - there) / there)
    wrong = (jnp.max(jnp.abs(carbon)), jnp.max(jnp.abs(water)), least, over)
    return sum(jnp.sum(x) for x in jax.tree.leaves((after, fluxes))), wrong


CHECKED = jax.jit(
    jax.value_and_grad(one_step, has_aux=True),
    static_argnames="fixed",
    # Each model is compiled for one call: compiling is what takes time
    compiler_options={"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True},
)


def measured(model, cells=CELLS, wide=True):
    """Residuals, smallest pool, surplus of evaporation and how much is not finite, over draws with edges."""
    dtype = jnp.float64 if wide else jnp.float32
    with jax.enable_x64(wide):
        model, state, forcing, site = worlds.anything(3, cells, model)
        drawn = jax.tree.map(lambda x: x.astype(dtype) if eqx.is_inexact_array(x) else x, (model, state))
        changing, fixed = eqx.partition(drawn, eqx.is_inexact_array)
        (value, wrong), gradient = CHECKED(changing, fixed, forcing, site)
        odd = sum(int(np.sum(~np.isfinite(leaf))) for leaf in jax.tree.leaves((value, gradient)))
        carbon, water, least, over = map(float, wrong)
    return {"carbon": carbon, "water": water, "least": least, "over": over, "odd": odd}


def holds(model):
    found = measured(model)
    assert found["carbon"] <= 1e-12
    assert found["water"] <= 1e-12
    assert found["least"] >= 0
    assert found["over"] <= 0
    assert found["odd"] == 0


def refused():
    """Number of choices that a model refuses, by reason."""
    reasons = collections.Counter()
    for chosen in itertools.product(*bricks.SLOTS.values()):
        try:
            LandModel(**dict(zip(bricks.SLOTS, chosen, strict=True)))
        except BadModel as reason:
            reasons[str(reason).split(":")[1].strip()] += 1
    return reasons


def summary(log):
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    for kind, unit, named in (("float64", 1.0, ""), ("float32", ULP, " ulp")):
        worst = {k: max(line[kind][k] for line in lines) for k in ("carbon", "water", "over", "odd")}
        least = min(line[kind]["least"] for line in lines)
        print(
            f"{kind}: {len(lines)} models; worst residual carbon {worst['carbon'] / unit:.2g}{named}, "
            f"water {worst['water'] / unit:.2g}{named}; smallest pool {least:.2g}; evaporation above the water there "
            f"{max(worst['over'], 0.0):.2g}; not finite {worst['odd']}"
        )
    print(f"{sum(line['seconds'] for line in lines) / len(lines):.1f} s a model")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("log", type=Path)
    parser.add_argument("--draws", type=int, default=CELLS)
    parser.add_argument("--order", type=int, default=0, help="seed of the order in which models are taken")
    parser.add_argument("--summary", action="store_true", help="only sum up")
    args = parser.parse_args()
    if not args.summary:
        done = {json.loads(line)["model"] for line in args.log.read_text().splitlines()} if args.log.exists() else set()
        models = {bricks.described(model): model for model in bricks.product()}
        print(f"{len(models)} models, {len(done)} done; refused: {dict(refused())}", flush=True)
        left = [name for name in models if name not in done]
        np.random.default_rng(args.order).shuffle(left)
        with args.log.open("a") as log:
            for count, name in enumerate(left):
                started = time.perf_counter()
                found = {
                    kind: measured(models[name], args.draws, wide)
                    for kind, wide in (("float64", True), ("float32", False))
                }
                line = {"model": name, "draws": args.draws, "seconds": time.perf_counter() - started, **found}
                print(json.dumps(line), file=log, flush=True)
                if count % 20 == 19:
                    jax.clear_caches()  # what was compiled is not called again
    summary(args.log)


if __name__ == "__main__":
    main()
