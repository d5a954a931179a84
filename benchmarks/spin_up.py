"""Spin-up of the land model against running the same cycle again and again: ``python -m benchmarks.land --spin-up``.

Every cell has ``k_som = 1e-6 d-1`` and starts from the default pools; a cycle is one year of months, in float64. By
repeated cycles a cell is done at the first that changes no pool by more than 1e-6 of it, or of 1 g m-2 or 1 mm, just as
by ours; cycles are counted until every cell is done, and all of this is processor time in one process. Nothing burns
unless it is said: fire turns soil over faster than ``k_som``, so that cells with fire need fewer cycles.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

KINDS = ("defaults", "draws", "draws, with fire")
K_SOM = 1e-6  # d-1: a soil that turns over in 2,700 years
MOST_CYCLES = 45_000
REPEATS = 5


def spin_up_world(kind: str, cells: int) -> tuple[Any, ...]:
    """Model, state, forcing and site, as :func:`spread.land.run.prepared` gives them."""
    import equinox as eqx
    import jax
    import jax.numpy as jnp

    from benchmarks.land import world
    from spread.land import LandModel, State, draw
    from spread.land.run import prepared

    _, _, forcing, site = world(cells, 1)
    burned = forcing.burned if "fire" in kind else 0 * forcing.burned
    forcing = eqx.tree_at(lambda f: f.burned, forcing, burned)
    model = LandModel() if kind == "defaults" else draw(LandModel(), jax.random.key(0), cells)
    model = eqx.tree_at(lambda m: m.decomposition.soil, model, jnp.full(cells, K_SOM))
    state = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), State())
    return prepared(model, state, forcing, site)


def best(function: Any) -> float:
    """Least processor time of some calls, after one that compiles [s]."""
    import jax

    jax.block_until_ready(function())
    spent = []
    for _ in range(REPEATS):
        started = time.process_time()
        jax.block_until_ready(function())
        spent.append(time.process_time() - started)
    return min(spent)


def explicit_cycles(inputs: tuple[Any, ...]) -> tuple[Any, float]:
    """Cycles that each cell needs, -1 where it does not end; and the processor time of all of them [s]."""
    import equinox as eqx
    import jax
    import jax.numpy as jnp

    from spread.land.run import advanced
    from spread.land.spinup import TOLERANCE, residual

    model, begin, forcing, site = inputs
    many = 500

    @eqx.filter_jit
    def on(state: Any, needed: Any, done: Any) -> Any:
        def cycle(i: Any, carried: Any) -> Any:
            before, needed = carried
            after = advanced(model, before, forcing, site, (), 1)[0]
            there = (needed < 0) & (residual(before, after) <= TOLERANCE)
            return after, jnp.where(there, done + i + 1, needed)

        return jax.lax.fori_loop(0, many, cycle, (state, needed))

    needed = jnp.full(jnp.shape(begin.soil), -1)
    jax.block_until_ready(on(begin, needed, 0))
    state, done, started = begin, 0, time.process_time()
    while done < MOST_CYCLES and bool(jnp.any(needed < 0)):
        state, needed = on(state, needed, done)
        done += many
    return np.asarray(needed), time.process_time() - started


def spin_up_figures(kind: str, cells: int = 1024, counted: bool = True) -> dict[str, Any]:
    """Processor time of ours and of repeated cycles, and how often theirs is ours.

    Parameters
    ----------
    kind : str
        One of :data:`KINDS`.
    cells : int
        How many.
    counted : bool
        Whether to run the repeated cycles until every cell is done; otherwise only as many as the cell with the
        slowest soil is sure to need, ``ln(rate of a cycle / 1e-6) / rate of a cycle``, are reckoned.
    """
    import jax

    from spread.land.run import advanced
    from spread.land.spinup import spun_up

    with jax.enable_x64(True):
        inputs = spin_up_world(kind, cells)
        model, begin, forcing, site = inputs
        found = spun_up(*inputs)
        ours = best(lambda: spun_up(*inputs))
        again = jax.jit(
            lambda state: jax.lax.fori_loop(0, 20, lambda _, x: advanced(model, x, forcing, site, (), 1)[0], state)
        )
        cycle = best(lambda: again(begin)) / 20
        converged = np.asarray(found.converged)
        rate = K_SOM * 365.25
        made = {
            "cells": cells, "ours": ours, "cycle": cycle, "cycles_worth": ours / cycle,
            "converged": float(converged.mean()),
            "largest_residual": float(np.asarray(found.residual)[converged].max()),
            "cycles_run": [float(q) for q in np.quantile(np.asarray(found.cycles), (0.5, 0.95, 1.0))],
        }  # fmt: skip
        if not counted:
            needed = np.log(rate / 1e-6) / rate
            return made | {"ratio": needed * cycle / ours}
        needed, explicit = explicit_cycles(inputs)
    ended = needed >= 0
    median = float(np.median(np.where(ended, needed, MOST_CYCLES)))
    return made | {
        "explicit": explicit, "explicit_ended": float(ended.mean()), "explicit_cycles_median": median,
        "explicit_cycles_most": int(needed[ended].max()), "ratio": explicit / ours,
        "ratio_of_the_median_cell": median * cycle / ours,
        "not_found_that_ended": int((ended & ~converged).sum()),
    }  # fmt: skip


def report(cells: int) -> dict[str, Any]:
    """Print a table and return its figures."""
    print(f"{cells} cells, one year of months, float64, k_som = {K_SOM:g} d-1; processor time")
    heads = ("ours s", "= cycles", "explicit s", "cycles", "most", "times", "median", "found", "ended")
    print(f"{'':<17}", *(f"{head:>10}" for head in heads))
    found = {}
    for kind in KINDS:
        one = found[kind] = spin_up_figures(kind, cells)
        names = ("ours", "cycles_worth", "explicit", "explicit_cycles_median", "explicit_cycles_most", "ratio",
                 "ratio_of_the_median_cell", "converged", "explicit_ended")  # fmt: skip
        print(f"{kind:<17}", *(f"{one[name]:>10.5g}" for name in names), flush=True)
    return found
