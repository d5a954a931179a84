"""The integrator owns mass: bricks give rates and shares, and only here do they move carbon and water.

For any rates that are not negative, carbon and water are conserved to rounding and no pool falls below zero. Nothing
is clamped: the losses of a pool compete for it, each takes its part of what an exponential decay at the sum of the
rates takes, and what comes in is added after. The flux that is reported is the one that was applied.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import jax.numpy as jnp

from spread.errors import BadModel, did_you_mean
from spread.land.guarded import SMALLEST, lost_share, ratio, smooth_minimum
from spread.land.shapes import Cells
from spread.land.state import CARBON

Edge = tuple[str, str]
"""Where something comes from and where it goes: a pool, and a pool or a way out."""

Rates = Mapping[Edge, Cells]
"""Rate of each edge [d-1], not negative and below 1e30."""

EXITS = ("ra", "rh", "fFire")
"""Ways out of the carbon pools: respiration of plants, heterotrophic respiration, combustion."""

WETTEST = 1 - 1e-4
"""Evapotranspiration takes less than this share of the water that is there, so that rounding cannot empty a bucket."""


def merged(*contributions: Rates) -> dict[Edge, Cells]:
    """Sum of the rates of several bricks, edge by edge."""
    total: dict[Edge, Cells] = {}
    for rates in contributions:
        for edge, rate in rates.items():
            total[edge] = total[edge] + rate if edge in total else rate
    return total


def refuse_unknown(edges: Iterable[Edge], sources: Iterable[str], targets: Iterable[str]) -> None:
    """Raise for edges between pools that are not there.

    Parameters
    ----------
    edges : iterable of pairs
        What the bricks gave.
    sources, targets : iterable of str
        What there is.

    Raises
    ------
    BadModel
        With every breach.
    """
    sources, targets, breaches = tuple(sources), tuple(targets), []
    for source, target in edges:
        if source not in sources:
            breaches.append(f"{source!r} of edge {source} -> {target} is no pool: {did_you_mean(source, sources)}")
        if target not in targets:
            breaches.append(f"{target!r} of edge {source} -> {target} is nowhere: {did_you_mean(target, targets)}")
        if source == target:
            breaches.append(f"edge {source} -> {target} goes nowhere: leave it out")
    if breaches:
        raise BadModel("land model: " + "; ".join(breaches))


def decay(pool: Cells, rates: Mapping[str, Cells], days: Cells) -> tuple[Cells, dict[str, Cells]]:
    """Competing losses of one pool over a step, exactly.

    Parameters
    ----------
    pool : array
        Content before the step, not negative.
    rates : mapping
        Rate [d-1] to each target.
    days : array
        Length of the step [d].

    Returns
    -------
    left : array
        Content after the losses.
    moved : dict
        Amount to each target.
    """
    if not rates:
        return pool, {}
    total = sum(rates.values(), start=jnp.zeros(()))
    lost = pool * lost_share(total * days)  # at most `pool`, so that what is left is not below 0
    if len(rates) == 1:
        return pool - lost, dict.fromkeys(rates, lost)
    # Lost for each unit of rate; without any loss its limit, whose derivative by a rate is not 0
    each = jnp.where(total > SMALLEST, lost * ratio(jnp.ones_like(total), total), pool * days)
    return pool - lost, {target: rate * each for target, rate in rates.items()}


def carbon_step(
    pools: Mapping[str, Cells], gains: Mapping[str, Cells], rates: Rates, days: Cells
) -> tuple[dict[str, Cells], dict[str, Cells]]:
    """Move carbon along its edges, then add what is assimilated.

    Parameters
    ----------
    pools : mapping
        Carbon pools before the step [gC m-2].
    gains : mapping
        What is built into each pool [gC m-2 d-1].
    rates : mapping
        Rates on the edges [d-1].
    days : array
        Length of the step [d].

    Returns
    -------
    pools : dict
        After the step [gC m-2].
    leaving : dict
        Mean flux through each of :data:`EXITS` [gC m-2 d-1].

    Raises
    ------
    BadModel
        Where an edge joins what is not there.
    """
    refuse_unknown(rates, CARBON, CARBON + EXITS)
    after: dict[str, Cells] = {}
    arriving: dict[str, list[Cells]] = {}
    for pool in CARBON:
        losses = {target: rate for (source, target), rate in rates.items() if source == pool}
        after[pool], moved = decay(pools[pool], losses, days)
        for target, amount in moved.items():
            arriving.setdefault(target, []).append(amount)
    for pool in CARBON:
        for amount in arriving.get(pool, []):
            after[pool] = after[pool] + amount
        if pool in gains:
            after[pool] = after[pool] + gains[pool] * days
    leaving = {exit_: sum(arriving.get(exit_, []), start=jnp.zeros(())) / days for exit_ in EXITS}
    return after, leaving


def snow_step(
    pack: Cells, fallen: Cells, frozen: Cells | None, rates: Rates, days: Cells
) -> tuple[Cells, Cells, Cells]:
    """Snow falls, then melts and sublimates.

    Parameters
    ----------
    pack : array
        Snow before the step [mm].
    fallen : array
        Precipitation in the step [mm].
    frozen : array or None
        Share of it that is snow.
    rates : mapping
        Of melt and sublimation [d-1].
    days : array
        Length of the step [d].

    Returns
    -------
    pack, liquid, sublimated : array
        Snow after the step; rain and melt; what went to the air [mm].
    """
    refuse_unknown(rates, ("snow",), ("water", "evspsbl"))
    liquid = fallen
    if frozen is not None:
        snowfall = frozen * fallen
        pack, liquid = pack + snowfall, fallen - snowfall
    pack, moved = decay(pack, {target: rate for (_, target), rate in rates.items()}, days)
    if "water" in moved:
        liquid = liquid + moved["water"]
    return pack, liquid, moved.get("evspsbl", jnp.zeros(()))


def evaporate(water: Cells, demand: Cells) -> tuple[Cells, Cells]:
    """Give the air what it asks for, as far as there is water.

    Parameters
    ----------
    water : array
        Water with what came in [mm].
    demand : array
        What the air asks for in the step [mm].

    Returns
    -------
    left, evaporated : array
        [mm].
    """
    evaporated = smooth_minimum(demand, WETTEST * water)
    return water - evaporated, evaporated


def split(amount: Cells, share: Cells | None) -> tuple[Cells, Cells]:
    """What stays of an amount and what leaves, for a share that leaves; None is nothing."""
    if share is None:
        return amount, jnp.zeros_like(amount)
    leaves = amount * share
    return amount - leaves, leaves
