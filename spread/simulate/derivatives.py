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
from spread.land.spinup import spun_up
from spread.simulate.blocks import kernel_forcing
from spread.simulate.labels import CARBON_WATER, FROM_KERNEL, POOLS
from spread.simulate.outcome import Outcome
from spread.simulate.parameters import number_of_draws, parameter_values, with_parameters
from spread.simulate.running import same_places
from spread.simulate.spinning import UNSPUN, SpinUp, cycle_of


def derivatives(
    outcome: Outcome,
    forcing: xr.Dataset,
    model: LandModel | None = None,
    state: State | None = None,
    *,
    reference: xr.Dataset | None = None,
    spin_up: SpinUp | None = None,
    parameters: Sequence[str] = (),
) -> xr.Dataset:
    """Differentiate an outcome of :func:`spread.simulate.simulate` with respect to parameters.

    Parameters
    ----------
    outcome : Outcome
        What is differentiated.
    forcing, model, state, reference
        As in :func:`spread.simulate.simulate`; parameters of shape ``()``, and a state that is no dataset.
    spin_up : SpinUp, optional
        By default the initial state does not depend on parameters. With ``SpinUp()`` the derivative goes through the
        fixed point too, by the implicit function theorem.
    parameters : sequence of str
        Paths; all by default.

    Returns
    -------
    xarray.Dataset
        On ``parameter``: ``derivative`` [units of the outcome per unit of the parameter], ``value``, ``units``, and
        ``over_prior``, the derivative with respect to the quantile of the prior: what moving through the whole box
        would do were the outcome linear [units of the outcome]. Attribute ``outcome`` is its value; ``spun_up_found``
        of ``spun_up_of`` cells were spun up, the others start from a state that is held fixed. In float64.

    Raises
    ------
    BadModel
        For a model with draws, a state that is a dataset, a spin-up of so many cycles, or a parameter that the model
        does not have.
    """
    model = LandModel() if model is None else model
    state = State() if state is None else state
    if number_of_draws(model):
        raise BadModel("derivatives: expected one number for each parameter, got draws; choose one draw")
    spin_up = UNSPUN if spin_up is None else spin_up
    if isinstance(state, xr.Dataset) or spin_up.cycles:
        raise BadModel(
            "derivatives: expected a State, and SpinUp() or no spin-up; a state that is data has no derivative"
        )
    weather = as_drivers(forcing)
    before = weather if reference is None else same_places(as_drivers(reference), weather)
    weather, before = weather.compute(), before.compute()
    chosen = list(parameters) or list(parameters_of(model))
    with_parameters(model, {path: 0.0 for path in parameters})  # complains of unknown paths
    with jax.enable_x64(True):
        values = {path: jnp.asarray(parameter_values(model)[path], jnp.float64) for path in chosen}
        known = {path: parameters_of(model)[path] for path in chosen}
        cycle = None if spin_up.cycles == 0 else cycle_of(before, spin_up.years)
        (value, spun), slope = jax.value_and_grad(_outcome, has_aux=True)(
            values, outcome, weather, before, model, state, cycle
        )
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
        attrs={"outcome": float(value), "outcome_of": outcome.name}
        | ({} if cycle is None else {"spun_up_found": int(np.sum(spun)), "spun_up_of": weather.sizes["cell"]}),
    )


def _outcome(
    values: dict[str, Any], outcome: Outcome, weather: xr.Dataset, before: xr.Dataset, model: LandModel, state: State,
    cycle: tuple[int, int] | None,
) -> Any:  # fmt: skip
    """The outcome as a function of parameters, in the units of CMIP6; and which cells were spun up."""
    forcing, past = (kernel_forcing(w, 1, "float64") for w in (weather, before))
    site = Site.of(jnp.asarray(weather["lat"].values), jnp.asarray(weather["elevation"].values), past)
    cells, name = weather.sizes["cell"], outcome.variable_id
    start = jax.tree.map(lambda leaf: jnp.broadcast_to(jnp.asarray(leaf, jnp.float64), (cells,)), state)
    given, spun = with_parameters(model, values), jnp.ones(cells, bool)
    if cycle is not None:
        found = spun_up(given, start, jax.tree.map(lambda field: field[slice(*cycle)], past), site)
        start, spun = found.state, found.converged
    _, fluxes = run(given, start, forcing, site, outputs=(name,))
    field = fluxes[name]
    if name in POOLS:
        ends = jnp.concatenate([CARBON_WATER[name](start)[None], field])
        field = 0.5 * (ends[:-1] + ends[1:])
    return jnp.sum(field * jnp.asarray(outcome.weights(weather))) * FROM_KERNEL[name], spun
