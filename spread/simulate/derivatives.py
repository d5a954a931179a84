"""Derivative of an outcome with respect to every parameter, through the whole run, by the adjoint."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from spread.drivers import as_drivers
from spread.errors import BadModel
from spread.land import LandModel, Site, State, parameters_of
from spread.land.run import run
from spread.simulate.labels import CARBON_WATER, FROM_KERNEL, POOLS
from spread.simulate.outcome import Outcome
from spread.simulate.parameters import number_of_draws, parameter_values, with_parameters
from spread.simulate.running import kernel_forcing, same_places


def derivatives(
    outcome: Outcome,
    forcing: xr.Dataset,
    model: LandModel | None = None,
    state: State | None = None,
    *,
    reference: xr.Dataset | None = None,
    parameters: Sequence[str] = (),
) -> xr.Dataset:
    """Differentiate an outcome of :func:`spread.simulate.simulate` with respect to parameters.

    Parameters
    ----------
    outcome : Outcome
        What is differentiated.
    forcing, model, state, reference
        As in :func:`spread.simulate.simulate`; parameters of shape ``()``.
    parameters : sequence of str
        Paths; all by default.

    Returns
    -------
    xarray.Dataset
        On ``parameter``: ``derivative`` [units of the outcome per unit of the parameter], ``value``, ``units``, and
        ``over_prior``, the derivative with respect to the quantile of the prior: what moving through the whole box
        would do were the outcome linear [units of the outcome]. Attribute ``outcome`` is its value. In float64.

    Raises
    ------
    BadModel
        For a model with draws, or a parameter that it does not have.
    """
    model = LandModel() if model is None else model
    state = State() if state is None else state
    if number_of_draws(model):
        raise BadModel("derivatives: expected one number for each parameter, got draws; choose one draw")
    weather = as_drivers(forcing)
    before = weather if reference is None else same_places(as_drivers(reference), weather)
    weather, before = weather.compute(), before.compute()
    chosen = list(parameters) or list(parameters_of(model))
    with_parameters(model, {path: 0.0 for path in parameters})  # complains of unknown paths
    with jax.enable_x64(True):
        values = {path: jnp.asarray(parameter_values(model)[path], jnp.float64) for path in chosen}
        known = {path: parameters_of(model)[path] for path in chosen}
        value, slope = jax.value_and_grad(_outcome)(values, outcome, weather, before, model, state)
        # d x / d share of the prior, by the prior's own quantile function
        stretch = {
            path: jax.grad(lambda share, box=box: jnp.asarray(box.at(share), jnp.float64))(
                jnp.asarray(box.share(values[path]), jnp.float64)
            )
            for path, box in known.items()
        }
        found = {path: (float(slope[path]), float(slope[path] * stretch[path]), float(values[path])) for path in chosen}
    columns = np.array(list(found.values()))
    return xr.Dataset(
        {name: ("parameter", columns[:, i]) for i, name in enumerate(("derivative", "over_prior", "value"))},
        coords={"parameter": chosen, "units": ("parameter", [known[path].units for path in chosen])},
        attrs={"outcome": float(value), "outcome_of": outcome.name},
    )


def _outcome(
    values: dict[str, Any], outcome: Outcome, weather: xr.Dataset, before: xr.Dataset, model: LandModel, state: State
) -> Any:
    """The outcome as a function of parameters, in the units of CMIP6."""
    forcing, past = (kernel_forcing(w, 1, "float64") for w in (weather, before))
    site = Site.of(jnp.asarray(weather["lat"].values), jnp.asarray(weather["elevation"].values), past)
    cells = weather.sizes["cell"]
    start = jax.tree.map(lambda leaf: jnp.broadcast_to(jnp.asarray(leaf, jnp.float64), (cells,)), state)
    name = outcome.variable_id
    _, fluxes = run(with_parameters(model, values), start, forcing, site, outputs=(name,))
    field = fluxes[name]
    if name in POOLS:
        ends = jnp.concatenate([CARBON_WATER[name](start)[None], field])
        field = 0.5 * (ends[:-1] + ends[1:])
    return jnp.sum(field * jnp.asarray(outcome.weights(weather))) * FROM_KERNEL[name]
