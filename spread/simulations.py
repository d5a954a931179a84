"""What the commands ``spread land run`` and ``spread whatif`` do: simulate, and leave a folder that explains itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from spread import counterfactual
from spread.demo import land_forcing
from spread.drivers import drivers
from spread.errors import NotFound, one_line
from spread.figures import land as figures
from spread.placing import check_writable, whole_folder
from spread.simulate import FROM_KERNEL, UNSPUN, Outcome, SpinUp, yearly_means

STORE = "simulated.zarr"
"""In the folder of a run, and what marks it."""

PAIR = "whatif.zarr"
"""Likewise of a counterfactual."""

BEGINNING = (
    "spin_up", "spun_up_found", "spun_up_of", "parent_experiment_id", "parent_time_units", "branch_time_in_parent",
    "branch_time_in_child",
)  # fmt: skip
"""What a summary says of where a run began: cells and draws that were spun up, of how many; or CMIP6's parent."""

Progress = Callable[[str, int, int], None]


def forcing_of(where: str, lat: float = 50.0) -> xr.Dataset:
    """Weather by name or from a file.

    Parameters
    ----------
    where : str
        ``site`` or ``grid``, made and synthetic, or the path of a netCDF file or Zarr store.
    lat : float
        Latitude of the site [degrees_north].

    Returns
    -------
    xarray.Dataset
        For :func:`spread.drivers.drivers`.

    Raises
    ------
    NotFound
        If a file cannot be read, or the latitude is none.
    """
    if not -90.0 <= lat <= 90.0:
        raise NotFound(f"site: expected a latitude of -90 to 90 degrees, got {lat:g}")
    if where == "site":
        return land_forcing.site_forcing(lat)
    if where == "grid":
        return land_forcing.grid_forcing()
    try:
        return xr.open_dataset(where, decode_times=False, chunks={})
    except Exception as error:  # xarray's engines raise what they like
        raise NotFound(f"forcing {where}: cannot be read: {one_line(error)}") from error


def run_land(
    where: str, out: Path, lat: float = 50.0, changes: Sequence[str] = (), draws: int = 0, seed: int = 0,
    spin_up: bool = True, restart: Path | None = None, executor: Executor | None = None,
    progress: Progress = lambda stage, done, total: None,
) -> dict[str, Any]:  # fmt: skip
    """Run the land model and write its members, tables and a figure.

    Parameters
    ----------
    where, lat
        As in :func:`forcing_of`.
    out : Path
        Folder; an older one of the same kind is replaced.
    changes : sequence of str
        Names as :func:`spread.counterfactual.named` reads them, such as ``soil_water=TwoLayer``.
    draws, seed : int
        Of parameters; 0 draws is one run with the defaults.
    spin_up : bool
        Whether to start from the state that the first ten years of the weather, repeated for ever, lead to.
    restart : Path, optional
        Folder of an earlier run, which this one goes on from: its pools, reference climate and draws.
    executor : concurrent.futures.Executor, optional
        Where blocks of cells run.
    progress : callable
        Told of stage, done, total.

    Returns
    -------
    dict
        The summary that is also written.
    """
    check_writable(out, STORE)
    setup = _setup(where, lat, draws, seed, spin_up) if restart is None else _continued(where, lat, restart, draws)
    for name in changes:
        setup = counterfactual.named(name)(setup)
    progress("simulating", 0, 2)
    simulated = counterfactual.run_setup(setup, executor, keep_state=True)
    yearly = yearly_means(simulated, setup.forcing)
    progress("drawing", 1, 2)
    title = f"Simulated land, {_where(where, lat)}, {_years(yearly)}"
    summary = _about(setup, simulated.attrs) | {
        "means": _means(yearly),
        "largest_rest_of_carbon_kg_m-2": float(yearly["carbon_closure"].max()),
        "largest_rest_of_water_kg_m-2": float(yearly["water_closure"].max()),
    }
    with whole_folder(out) as folder:
        _store(simulated, folder / STORE)
        yearly.to_dataframe().reset_index().to_csv(folder / "yearly.csv", index=False)
        (folder / "figures").mkdir()
        _draw(figures.budget(yearly, title), folder / "figures" / "budget.png", title, summary)
        (folder / "summary.json").write_text(json.dumps(summary, indent=1), encoding="utf-8")
    progress("drawing", 2, 2)
    return summary


def run_whatif(
    names: Sequence[str], where: str, out: Path, lat: float = 50.0, draws: int = 16, seed: int = 0,
    outcome: str = "nbp", spin_up: bool = True, executor: Executor | None = None,
    progress: Progress = lambda stage, done, total: None,
) -> dict[str, Any]:  # fmt: skip
    """Run pairs with and without changes, and split their joint effect where there are several.

    Parameters
    ----------
    names : sequence of str
        Changes, as :func:`spread.counterfactual.named` reads them.
    where, lat, out, draws, seed, spin_up, executor, progress
        As in :func:`run_land`.
    outcome : str
        Variable whose mean over the last ten years is attributed and differentiated.

    Returns
    -------
    dict
        The summary that is also written.
    """
    check_writable(out, PAIR)
    changes = [counterfactual.named(name) for name in names]
    progress("simulating", 0, len(changes) + (len(changes) > 1))
    setup = counterfactual.spun(_setup(where, lat, draws, seed, spin_up), executor)
    last = int(setup.forcing["year"].max())
    asked = Outcome(outcome, max(int(setup.forcing["year"].min()), last - 9), last)
    pairs, steps = {}, len(changes) + (len(changes) > 1)
    for done, change in enumerate(changes):
        progress("simulating", done, steps)
        pairs[change.name] = counterfactual.whatif(setup, change, executor)
    shared = counterfactual.attribute(setup, changes, asked, executor) if len(changes) > 1 else None
    progress("simulating", steps, steps)
    summary = _about(setup, next(iter(pairs.values())).attrs) | {
        "changes": {change.name: change.label for change in changes},
        "differences_in_the_last_ten_years": {name: _differences(pair) for name, pair in pairs.items()},
    }
    if shared is not None:
        summary["attribution"] = _terms(shared)
    with whole_folder(out) as folder:
        (folder / "figures").mkdir()
        together = xr.concat(
            [_alone(pair) for pair in pairs.values()], xr.DataArray(list(pairs), dims="change", name="change")
        )
        _store(together.assign_attrs(next(iter(pairs.values())).attrs), folder / PAIR)
        for number, (name, pair) in enumerate(pairs.items()):
            title = f"What if: {pair.attrs['change_label']}? {_where(where, lat)}, {_years(pair)}"
            path = folder / "figures" / f"whatif-{number + 1}.png"
            summary.setdefault("figures", {})[name] = f"figures/{path.name}"
            _draw(figures.counterfactual(pair, title), path, title, summary)
        if shared is not None:
            title = f"What changes {asked.name}: each factor, and what they do only together"
            shared.to_dataframe().reset_index().to_csv(folder / "attribution.csv", index=False)
            _draw(figures.effects(shared, title), folder / "figures" / "attribution.png", title, summary)
        (folder / "summary.json").write_text(json.dumps(summary, indent=1), encoding="utf-8")
    return summary


def _setup(where: str, lat: float, draws: int, seed: int, spin_up: bool) -> counterfactual.Setup:
    if draws < 0:
        raise NotFound(f"draws: expected 0 or more, got {draws}")
    return counterfactual.Setup.of(
        drivers(forcing_of(where, lat)), spin_up=SpinUp() if spin_up else UNSPUN,
        drawing=counterfactual.Drawing(number=draws, seed=seed),
    )  # fmt: skip


def _continued(where: str, lat: float, folder: Path, draws: int) -> counterfactual.Setup:
    """A setup that goes on from the end of a run, with its draws."""
    try:
        state = xr.open_zarr(folder / STORE, consolidated=False, decode_times=False, chunks=None)
        before = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise NotFound(f"restart {folder}: expected the folder of a land run: {one_line(error)}") from error
    if draws not in (0, before["draws"]):
        raise NotFound(f"restart {folder}: expected its {before['draws']} draws, got {draws}; leave --draws out")
    setup = _setup(where, lat, before["draws"], before["seed"], spin_up=False)
    return replace(setup, state=state)


def _where(where: str, lat: float) -> str:
    return f"site at {lat:g}\u00b0" if where == "site" else "coarse grid" if where == "grid" else Path(where).name


def _years(yearly: xr.Dataset) -> str:
    return f"{int(yearly['year'].min())}-{int(yearly['year'].max())}"


def _about(setup: counterfactual.Setup, attrs: dict[Any, Any]) -> dict[str, Any]:
    kept = ("synthetic", "bricks", "parameters_digest", *BEGINNING, "forcing_fixes", "spread_version", "jax_version")
    return {
        "simulated": True, "synthetic": str(attrs["synthetic"]) == "true", "draws": setup.drawing.number,
        "seed": setup.drawing.seed, "years": [int(setup.forcing["year"].min()), int(setup.forcing["year"].max())],
        "cells": setup.forcing.sizes["cell"],
    } | {name: attrs[name] for name in kept[1:] if name in attrs}  # fmt: skip


def _quantiles(values: xr.DataArray) -> dict[str, Any]:
    made = np.quantile(values.values, counterfactual.QUANTILES)
    return {
        "units": values.attrs["units"],
        **{f"q{100 * q:g}": float(v) for q, v in zip(counterfactual.QUANTILES, made, strict=True)},
    }


def _means(yearly: xr.Dataset) -> dict[str, Any]:
    return {name: _quantiles(yearly[name].mean("year", keep_attrs=True)) for name in FROM_KERNEL}


def _differences(pair: xr.Dataset) -> dict[str, Any]:
    last = counterfactual.differences(pair).isel(year=slice(-10, None)).mean("year", keep_attrs=True)
    return {name: _quantiles(last[name]) for name in FROM_KERNEL}


def _terms(shared: xr.Dataset) -> dict[str, Any]:
    effect = {str(term): _quantiles(shared["effect"].sel(term=term)) for term in shared["term"].values}
    return {"outcome": shared.attrs["outcome"], "effects": effect, "total": _quantiles(shared["total"])}


def _alone(pair: xr.Dataset) -> xr.Dataset:
    return pair.drop_attrs(deep=False)


def _store(ds: xr.Dataset, path: Path) -> None:
    ds.to_zarr(path, consolidated=False, zarr_format=3)


def _draw(figure: Any, path: Path, title: str, summary: dict[str, Any]) -> None:
    figures.write(figure, path, title, summary["synthetic"])
