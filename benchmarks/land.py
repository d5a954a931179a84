"""The land model on one core: cell-steps a second forward and with gradients, and what a gradient keeps in memory.

``python -m benchmarks.land`` runs the model of DALEC's bricks in float32 over synthetic monthly weather with parameters
drawn from their priors, returns all CMIP6 outputs, and prints processor time for each cell-step. Compilation and one
call before are not measured. Memory is what XLA sets aside, beside arguments and results, for a gradient by the last
state; one by all outputs holds their derivatives too.

The last lines are wall-clock seconds on one and on two host devices (:func:`spread.land.devices.use_cores`), each in a
process of its own that may use every core, for inputs that lie on their devices. They want a machine with nothing else
to do.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import measuring

CONTESTANTS = ("forward", "gradient", "gradient in blocks")
CORES = tuple(f"{work} on {devices}" for work in ("forward", "gradient") for devices in (1, 2))
BARS = {"forward": 30e6, "gradient": 5e6, "gradient in blocks": 5e6}  # cell-steps a second on one core
KEPT = 8.0  # bytes for each cell-step that a gradient in blocks may keep
REPEATS = 5
LENGTHS = np.array([31, 28.25, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])


def world(cells: int, years: int) -> tuple[Any, ...]:
    """Model, state, synthetic weather and places."""
    import jax
    import jax.numpy as jnp

    from spread.land import Forcing, LandModel, Site, State, draw

    rng, steps = np.random.default_rng(0), 12 * years
    lat = rng.uniform(-60.0, 75.0, cells)
    doy = np.tile(np.cumsum(LENGTHS) - LENGTHS / 2, years)
    season = np.cos(2 * np.pi * (doy[:, None] - 196) / 365.25) * np.sign(lat)
    tas = 27.0 - 0.006 * lat**2 + 0.28 * np.abs(lat) * season + rng.normal(0.0, 1.5, (steps, cells))
    fields = {
        "tasmin": tas - 5.0, "tasmax": tas + 5.0,
        "rsds": np.maximum(20.0 - 0.14 * np.abs(lat) + 0.13 * np.abs(lat) * season, 0.2),
        "vpd": rng.uniform(1.0, 20.0, (steps, cells)), "pr": rng.gamma(2.0, 1.0, (steps, cells)),
        "co2": 380.0 + 0.18 * np.arange(steps), "burned": np.maximum(rng.uniform(-0.5, 0.05, (steps, cells)), 0.0),
        "doy": doy, "days": np.tile(LENGTHS, years),
    }  # fmt: skip
    forcing = Forcing(**{name: jnp.asarray(value, jnp.float32) for name, value in fields.items()})
    one, two = jax.random.split(jax.random.key(0))
    site = Site.of(jnp.asarray(lat, jnp.float32), jnp.zeros(cells, jnp.float32), forcing)
    return draw(LandModel(), one, cells), draw(State(), two, cells), forcing, site


def work(contestant: str, outputs: tuple[str, ...], block: int) -> Callable[..., Any]:
    """What a contestant does, as a function of model, state, forcing and site that is not compiled yet."""
    import jax
    import jax.numpy as jnp

    from spread.land.run import run

    length = block if contestant == "gradient in blocks" else 1

    def forward(*inputs: Any) -> Any:
        return run(*inputs, outputs=outputs, block=length)

    def loss(*inputs: Any) -> Any:
        after, fluxes = forward(*inputs)
        return sum(jnp.mean(x**2) for x in fluxes.values()) + jnp.mean(after.soil), (after, fluxes)

    return forward if contestant == "forward" else jax.value_and_grad(loss, argnums=(0, 1), has_aux=True)


def only(contestant: str, cells: int, years: int, block: int) -> dict[str, Any]:
    """Figures of one contestant: processor seconds, cell-steps a second, bytes kept for each cell-step."""
    import jax

    from spread.land.run import OUTPUTS

    given = world(cells, years)
    size = cells * 12 * years
    compiled = jax.jit(work(contestant, OUTPUTS, block)).lower(*given).compile()
    # Of the run alone: derivatives of a loss by every output of every step are the loss's own
    alone = jax.jit(work(contestant, (), block)).lower(*given).compile()
    kept = alone.memory_analysis().temp_size_in_bytes / size
    jax.block_until_ready(compiled(*given))
    seconds = []
    for _ in range(REPEATS):
        started = time.process_time()
        answer = jax.block_until_ready(compiled(*given))
        seconds.append(time.process_time() - started)
    finite = all(bool(np.isfinite(leaf).all()) for leaf in jax.tree.leaves(answer))
    cpu = statistics.median(seconds)
    return {"cpu": cpu, "best": min(seconds), "rate": size / min(seconds), "kept": kept, "finite": finite}


def on_devices(contestant: str, cells: int, years: int, block: int) -> dict[str, Any]:
    """Wall-clock seconds, processor seconds and cell-steps a second of one contestant of :data:`CORES`."""
    from spread.land.devices import use_cores
    from spread.land.run import OUTPUTS

    name, devices = contestant.split(" on ")
    use_cores(int(devices))
    import jax
    import jax.numpy as jnp
    from jax.sharding import Mesh, NamedSharding, PartitionSpec

    mesh = Mesh(np.array(jax.local_devices()), ("cells",))

    def laid(leaf: Any) -> Any:
        split = jnp.ndim(leaf) > 0 and jnp.shape(leaf)[-1] == cells
        axes = (*[None] * (jnp.ndim(leaf) - 1), "cells") if split else ()
        return jax.device_put(leaf, NamedSharding(mesh, PartitionSpec(*axes)))

    given = jax.tree.map(laid, world(cells, years))
    compiled = jax.jit(work(name, OUTPUTS, block))
    jax.block_until_ready(compiled(*given))
    seconds = []
    for _ in range(REPEATS):
        started, processor = time.perf_counter(), time.process_time()
        answer = jax.block_until_ready(compiled(*given))
        seconds.append((time.perf_counter() - started, time.process_time() - processor))
    best, cpu = min(seconds)
    finite = all(bool(np.isfinite(leaf).all()) for leaf in jax.tree.leaves(answer))
    return {"best": best, "cpu": cpu, "rate": cells * 12 * years / best, "finite": finite}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=4096)
    parser.add_argument("--years", type=int, default=20)
    parser.add_argument("--block", type=int, default=15, help="steps of a block")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--only", choices=CONTESTANTS + CORES)
    parser.add_argument("--spin-up", action="store_true", help="spin-up against repeated cycles, and nothing else")
    return parser.parse_args()


def main() -> None:
    args = arguments()
    if args.spin_up:
        from benchmarks.spin_up import report

        if hasattr(os, "sched_setaffinity"):  # one core
            os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        measuring.save(args.json, {"spin_up": report(args.cells)})
        return
    if args.only in CORES:
        print(json.dumps(on_devices(args.only, args.cells, args.years, args.block)))
        return
    if args.only:
        if hasattr(os, "sched_setaffinity"):  # one core
            os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        print(json.dumps(only(args.only, args.cells, args.years, args.block)))
        return
    passed = ["--cells", str(args.cells), "--years", str(args.years), "--block", str(args.block)]
    found = measuring.contest("benchmarks.land", CONTESTANTS, passed, args.rounds)
    print(f"{args.cells} cells, {12 * args.years} months, float32, one core; best of {REPEATS} x {args.rounds}")
    print(f"{'':<20} {'ns':>8} {'1e6/s':>8} {'bar':>6} {'bytes kept':>11}")
    for name, figures in found.items():
        rate, kept = max(f["rate"] for f in figures), figures[0]["kept"]
        print(f"{name:<20} {1e9 / rate:8.1f} {rate / 1e6:8.1f} {BARS[name] / 1e6:6.0f} {kept:11.1f}")
    print(f"CPU, gradient / forward: {measuring.ratio(found, 'gradient', 'forward', 'best'):.1f}")
    cores = measuring.contest("benchmarks.land", CORES, passed, args.rounds)
    for name, figures in cores.items():
        best = min(figures, key=lambda one: one["best"])
        busy = best["cpu"] / best["best"]
        print(f"{name:<20} {1e3 * best['best']:8.1f} ms {best['rate'] / 1e6:8.1f} 1e6/s, {busy:.1f} cores busy")
    for name in ("forward", "gradient"):
        gain = measuring.ratio(cores, f"{name} on 1", f"{name} on 2", "best")
        print(f"{name}: two devices are {gain:.2f} times as fast as one")
    size = {"cells": args.cells, "steps": 12 * args.years}
    measuring.save(args.json, {"figures": found | cores, "bars": BARS | {"kept": KEPT}} | size)


if __name__ == "__main__":
    sys.exit(main())
