"""What if: two runs of the same draws, with and without a change, and their difference with its range."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor

import numpy as np
import xarray as xr

from spread.counterfactual.attribution import run_setup, spun
from spread.counterfactual.changes import Change, Setup
from spread.errors import NotFound
from spread.simulate import Outcome, bricks_of, derivatives, yearly_means

QUANTILES = (0.05, 0.5, 0.95)


def whatif(setup: Setup, change: Change, executor: Executor | None = None) -> xr.Dataset:
    """Run with and without a change.

    Parameters
    ----------
    setup : Setup
        Before the change, with its draws.
    change : Change
        What is changed.
    executor : concurrent.futures.Executor, optional
        As in :func:`spread.simulate.simulate`.

    Returns
    -------
    xarray.Dataset
        Yearly means over all places of every simulated variable on ``run`` (``baseline``, ``changed``), ``draw`` and
        ``year``; a draw is the same parameters in both runs, and a spin-up is that of the setup before the change.
    """
    setup = spun(setup, executor)
    changed = change(setup)
    pair = [
        yearly_means(run_setup(given, executor, experiment_id=name), given.forcing)
        for name, given in (("land-hist", setup), (f"land-{change.name}", changed))
    ]
    made = xr.concat(pair, "run", combine_attrs="override", join="exact", coords="minimal", compat="override")
    return made.assign_coords(run=["baseline", "changed"]).assign_attrs(
        change=change.name, change_label=change.label, bricks_changed=bricks_of(changed.model),
        parameter_draws=setup.drawing.number, seed=setup.drawing.seed, width=setup.drawing.width,
    )  # fmt: skip


def differences(pair: xr.Dataset) -> xr.Dataset:
    """Changed less baseline, draw by draw, on ``draw, year``."""
    made: xr.Dataset = pair.sel(run="changed", drop=True) - pair.sel(run="baseline", drop=True)
    return made.assign({n: f.assign_attrs(pair[n].attrs) for n, f in made.data_vars.items()}).assign_attrs(pair.attrs)


def ranges(values: xr.Dataset, quantiles: Sequence[float] = QUANTILES) -> xr.Dataset:
    """Quantiles over the draws, on ``quantile`` in place of ``draw``.

    Parameters
    ----------
    values : xarray.Dataset
        With ``draw``, such as :func:`differences`.
    quantiles : sequence of float
        0 to 1.

    Returns
    -------
    xarray.Dataset

    Raises
    ------
    NotFound
        For a quantile outside 0 to 1.
    """
    if not all(0.0 <= q <= 1.0 for q in quantiles):
        raise NotFound(f"ranges: expected quantiles of 0 to 1, got {list(quantiles)}")
    made: xr.Dataset = values.quantile(np.asarray(quantiles, np.float64), dim="draw", keep_attrs=True)
    return made


def sensitivities(setup: Setup, outcome: Outcome, parameters: Sequence[str] = ()) -> xr.Dataset:
    """Derivative of an outcome with respect to parameters; see :func:`spread.simulate.derivatives`.

    Parameters
    ----------
    setup : Setup
        Without draws. With spin-up the derivative goes through it.
    outcome : Outcome
        What is differentiated.
    parameters : sequence of str
        Paths; all by default.

    Returns
    -------
    xarray.Dataset
        On ``parameter``.
    """
    return derivatives(
        outcome, setup.forcing, setup.model, setup.state, reference=setup.reference, spin_up=setup.spin_up,
        parameters=parameters,
    )  # fmt: skip
