"""What the commands ``spread land run`` and ``spread whatif`` do: simulate, and leave a folder that explains itself."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from spread import counterfactual, land_page
from spread.beside import STORE
from spread.demo import land_forcing
from spread.drivers import drivers
from spread.errors import NotFound, one_line
from spread.figures import SYNTHETIC
from spread.figures import land as figures
from spread.figures.files import write_png
from spread.placing import check_writable, whole_folder
from spread.simulate import FROM_KERNEL, UNSPUN, Outcome, SpinUp, on_field, yearly_means

PAIR = "whatif.zarr"
"""Likewise of a counterfactual."""

BEGINNING = (
    "spin_up", "spun_up_found", "spun_up_of", "parent_experiment_id", "parent_time_units", "branch_time_in_parent",
    "branch_time_in_child",
)  # fmt: skip
"""What a summary says of where a run began: cells and draws that were spun up, of how many; or CMIP6's parent."""

Progress = Callable[[str, int, int], None]


def forcing_of(where: str | Sequence[str], lat: float = 50.0) -> xr.Dataset:
    """Weather by name or from a file.

    Parameters
    ----------
    where : str or sequence of str
        ``site`` or ``grid``, made and synthetic, or the path of a netCDF file or Zarr store; several, such as one for
        each variable, have the same steps and places.
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
    opened = [_opened(path) for path in ([where] if isinstance(where, str) else where)]
    try:
        # of files for one variable each, heights and the like may differ, steps and places must not
        return xr.merge(opened, join="exact", compat="override", combine_attrs="drop_conflicts")
    except ValueError as error:
        raise NotFound(f"forcing: files differ in steps or places: {one_line(error)}") from error


def _opened(path: str) -> xr.Dataset:
    try:
        how: dict[str, Any] = {"engine": "zarr", "consolidated": False} if Path(path).is_dir() else {}
        ds: xr.Dataset = xr.open_dataset(path, decode_times=False, chunks={}, **how)
    except Exception as error:  # xarray's engines raise what they like
        if not Path(path).exists():
            raise NotFound(f"forcing {path}: not found") from error
        raise NotFound(f"forcing {path}: cannot be read as netCDF or Zarr: {one_line(error)}") from error
    return ds.rename({old: new for old, new in _OTHER_PLACES.items() if old in ds.variables or old in ds.dims})


_OTHER_PLACES = {"latitude": "lat", "longitude": "lon"}
"""What files of ECMWF call them."""


def run_land(
    where: str | Sequence[str], out: Path, lat: float = 50.0, changes: Sequence[str] = (), draws: int = 0,
    seed: int = 0, spin_up: bool = True, restart: Path | None = None, executor: Executor | None = None,
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
        Names as :func:`spread.counterfactual.named` reads them, such as ``soil_water=TwoLayers``.
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
    forcing = forcing_of(where, lat)
    setup = _setup(forcing, draws, seed, spin_up) if restart is None else _continued(forcing, restart, draws)
    for name in changes:
        setup = counterfactual.named(name)(setup)
    progress("simulating", 0, 2)
    simulated = counterfactual.run_setup(setup, executor, keep_state=True)
    yearly = yearly_means(simulated, setup.forcing)
    progress("drawing", 1, 2)
    title = f"Simulated land, {_where(where, lat)}, {_years(yearly)}"
    summary = _about(setup, simulated.attrs) | {
        "title": title,
        "command": _command("land run", changes, where, lat, spin_up, draws=draws, seed=seed, restart=restart),
        "forcing": _where(where, lat),
        "means": _means(yearly),
        "largest_rest_of_carbon_kg_m-2": float(yearly["carbon_closure"].max()),
        "largest_rest_of_water_kg_m-2": float(yearly["water_closure"].max()),
    }
    with whole_folder(out) as folder:
        _store(on_field(simulated, forcing), folder / STORE)
        yearly.to_dataframe().reset_index().to_csv(folder / "yearly.csv", index=False)
        (folder / "figures").mkdir()
        _draw(figures.budget(yearly, title), folder, "budget", title, _BUDGET, summary)
        _finished(folder, summary)
    progress("drawing", 2, 2)
    return summary


def run_whatif(
    names: Sequence[str], where: str | Sequence[str], out: Path, lat: float = 50.0, draws: int = 16, seed: int = 0,
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
    setup = counterfactual.spun(_setup(forcing_of(where, lat), draws, seed, spin_up), executor)
    last = int(setup.forcing["year"].max())
    asked = Outcome(outcome, max(int(setup.forcing["year"].min()), last - 9), last)
    pairs, steps = {}, len(changes) + (len(changes) > 1)
    for done, change in enumerate(changes):
        progress("simulating", done, steps)
        pairs[change.name] = counterfactual.whatif(setup, change, executor)
    shared = counterfactual.attribute(setup, changes, asked, executor) if len(changes) > 1 else None
    progress("simulating", steps, steps)
    summary = _about(setup, next(iter(pairs.values())).attrs) | {
        "title": f"What if? Simulated land, {_where(where, lat)}, {_years(next(iter(pairs.values())))}",
        "command": _command("whatif", names, where, lat, spin_up, draws=draws, seed=seed, outcome=outcome),
        "forcing": _where(where, lat),
        "outcome": outcome,
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
            stem = f"whatif-{number + 1}"
            summary.setdefault("figures", {})[name] = f"figures/{stem}.png"
            _draw(figures.counterfactual(pair, title), folder, stem, title, _PAIRED, summary)
        if shared is not None:
            title = f"What changes {asked.name}: each factor, and what they do only together"
            shared.to_dataframe().reset_index().to_csv(folder / "attribution.csv", index=False)
            _draw(figures.effects(shared, title), folder, "attribution", title, _SHARES, summary)
        _finished(folder, summary)
    return summary


def _setup(forcing: xr.Dataset, draws: int, seed: int, spin_up: bool) -> counterfactual.Setup:
    if draws < 0:
        raise NotFound(f"draws: expected 0 or more, got {draws}")
    return counterfactual.Setup.of(
        drivers(forcing), spin_up=SpinUp() if spin_up else UNSPUN,
        drawing=counterfactual.Drawing(number=draws, seed=seed),
    )  # fmt: skip


def _continued(forcing: xr.Dataset, folder: Path, draws: int) -> counterfactual.Setup:
    """A setup that goes on from the end of a run, with its draws."""
    try:
        state = xr.open_zarr(folder / STORE, consolidated=False, decode_times=False, chunks=None)
        before = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise NotFound(f"restart {folder}: expected the folder of a land run: {one_line(error)}") from error
    if draws not in (0, before["draws"]):
        raise NotFound(f"restart {folder}: expected its {before['draws']} draws, got {draws}; leave --draws out")
    return replace(_setup(forcing, before["draws"], before["seed"], spin_up=False), state=state)


def _where(where: str | Sequence[str], lat: float) -> str:
    if where == "site":
        return f"site at {lat:g}\u00b0"
    if where == "grid":
        return "coarse grid"
    return ", ".join(Path(w).name for w in ([where] if isinstance(where, str) else where))


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


_BUDGET = "yearly means of carbon fluxes and pools, water fluxes, soil water, leaf area, and the rest of both budgets"
_PAIRED = "both runs above, their difference below, for carbon uptake, net carbon, evaporation and vegetation"
_SHARES = "a bar for each factor, for each interaction, and for their total"


def _draw(figure: Any, folder: Path, stem: str, title: str, shows: str, summary: dict[str, Any]) -> None:
    png = f"figures/{stem}.png"
    write_png(figure, folder / png, title, SYNTHETIC if summary["synthetic"] else "simulated by spread")
    summary.setdefault("pictures", []).append({"png": png, "title": title, "shows": shows})


def _finished(folder: Path, summary: dict[str, Any]) -> None:
    """The summary for machines and the page for people."""
    summary["created"] = datetime.now(UTC).isoformat(timespec="seconds")
    (folder / "summary.json").write_text(json.dumps(summary, indent=1), encoding="utf-8")
    land_page.write(folder, summary)


def _command(
    verb: str, names: Sequence[str], where: str | Sequence[str], lat: float, spin_up: bool, **options: object
) -> str:  # fmt: skip
    """What to type to have the same again."""
    place = ["--site", f"{lat:g}"] if where == "site" else ["--grid"]
    if where not in ("site", "grid"):
        place = [word for path in ([where] if isinstance(where, str) else where) for word in ("--forcing", path)]
    given = [word for name, value in options.items() if value is not None for word in (f"--{name}", str(value))]
    how = [] if spin_up else ["--no-spin-up"]
    return shlex.join(["spread", *verb.split(), *names, *place, *given, *how])
