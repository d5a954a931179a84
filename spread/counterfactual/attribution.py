"""What each factor does by itself, and what factors do only together: all subsets are run.

With ``f(S)`` the outcome where the factors ``S`` are on, the effect that needs just the factors ``S`` is the sum over
subsets ``T`` of ``S`` of ``(-1)^(|S| - |T|) f(T)``, and the effects of all subsets but the empty one add up to
``f(all) - f(none)`` (Stein & Alpert 1993, J. Atmos. Sci. 50, 2107, eqs. 11-13).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from itertools import chain, combinations
from typing import Any

import numpy as np
import xarray as xr

from spread.counterfactual.changes import Change, Setup
from spread.errors import NotComparable, NotFound
from spread.simulate import UNSPUN, Outcome, simulate, spun_up_states

MAXIMUM_FACTORS = 6
"""64 runs."""

Factors = frozenset[str]


def subsets(names: Sequence[str]) -> list[Factors]:
    """All subsets, small ones first, in the order of the names."""
    sizes = range(len(names) + 1)
    return [frozenset(chosen) for chosen in chain.from_iterable(combinations(names, size) for size in sizes)]


def factor_effects(values: Mapping[Factors, Any]) -> dict[Factors, Any]:
    """Effects of factors and of their interactions from the outcomes of all subsets.

    Parameters
    ----------
    values : mapping
        Outcome where just these factors are on, for every subset, the empty one too; numbers or arrays of one shape.

    Returns
    -------
    dict
        Effect that needs just these factors, for every subset but the empty one.

    Raises
    ------
    NotComparable
        If a subset is missing.
    """
    names = sorted(frozenset().union(*values))
    missing = [" + ".join(sorted(s)) or "none" for s in subsets(names) if s not in values]
    if missing or not values:
        raise NotComparable(f"attribution: expected the outcome of all {2 ** len(names)} subsets, lacking {missing}")
    effects = {}
    for chosen in subsets(names)[1:]:
        signed = [(-1.0) ** (len(chosen) - len(part)) * np.asarray(values[part]) for part in subsets(sorted(chosen))]
        effects[chosen] = np.sum(signed, axis=0)
    return effects


def attribute(
    setup: Setup, changes: Sequence[Change], outcome: Outcome, executor: Executor | None = None
) -> xr.Dataset:
    """Run all subsets of some changes and split the change of an outcome among them.

    Parameters
    ----------
    setup : Setup
        Before any change; its draws are those of every run.
    changes : sequence of Change
        One to :data:`MAXIMUM_FACTORS`, applied in this order.
    outcome : Outcome
        Of which effects are asked.
    executor : concurrent.futures.Executor, optional
        As in :func:`spread.simulate.simulate`.

    Returns
    -------
    xarray.Dataset
        ``effect`` on ``term, draw`` [units of the outcome], terms named ``co2-1990`` and ``co2-1990 x +2K``; ``total``
        and ``baseline`` on ``draw``. Effects add up to the total for each draw.

    Raises
    ------
    NotFound
        For no or too many changes, or two of one name.
    """
    names = [change.name for change in changes]
    if not 1 <= len(names) <= MAXIMUM_FACTORS or len(set(names)) < len(names):
        raise NotFound(f"attribution: expected 1 to {MAXIMUM_FACTORS} changes of different names, got {names}")
    values, setup = {}, spun(setup, executor)
    for chosen in subsets(names):
        given = setup
        for change in changes:
            given = change(given) if change.name in chosen else given
        made = run_setup(given, executor)
        values[chosen] = np.atleast_1d(outcome.of(made, given.forcing).values)
    made_of = factor_effects(values)
    effects = {chosen: made_of[chosen] for chosen in subsets(names)[1:]}
    units = made[outcome.variable_id].attrs["units"]
    terms = [" x ".join(name for name in names if name in chosen) for chosen in effects]
    none, everything = values[frozenset()], values[frozenset(names)]
    return xr.Dataset(
        {
            "effect": (("term", "draw"), np.stack(list(effects.values())), {"units": units}),
            "total": ("draw", everything - none, {"units": units}),
            "baseline": ("draw", none, {"units": units}),
        },
        coords={"term": terms, "order": ("term", [len(chosen) for chosen in effects])},
        attrs={"outcome": outcome.name, "simulated": "true", "synthetic": setup.forcing.attrs["synthetic"]},
    )


def spun(setup: Setup, executor: Executor | None = None) -> Setup:
    """A setup with its spin-up done, so that whatever is changed then, runs start from the same state.

    Parameters
    ----------
    setup : Setup
        Before any change.
    executor : concurrent.futures.Executor, optional
        As in :func:`spread.simulate.simulate`.

    Returns
    -------
    Setup
        Whose state is that of its reference weather; the same where there is nothing to spin up.
    """
    if setup.spin_up.cycles == 0:
        return setup
    state = spun_up_states(setup.reference, setup.model, setup.state, setup.spin_up, executor=executor)
    return replace(setup, state=state, spin_up=UNSPUN)


def run_setup(setup: Setup, executor: Executor | None = None, keep_state: bool = False, **facets: str) -> xr.Dataset:
    """Run a setup.

    Parameters
    ----------
    setup : Setup
        What the run is given.
    executor : concurrent.futures.Executor, optional
        As in :func:`spread.simulate.simulate`.
    keep_state : bool
        Likewise.
    **facets
        CMIP6 facets, such as ``experiment_id``.

    Returns
    -------
    xarray.Dataset
        As :func:`spread.simulate.simulate` gives it.
    """
    return simulate(
        setup.forcing, setup.model, setup.state, reference=setup.reference, spin_up=setup.spin_up,
        keep_state=keep_state, facets=facets, executor=executor,
    )  # fmt: skip
