"""What a case is: one fault, injected into one model's stores, catalog or transport."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from gauntlet.server import Rule

Change = Callable[[xr.Dataset], xr.Dataset]
Rows = list[dict[str, str]]


def as_is(ds: xr.Dataset) -> xr.Dataset:
    """No fault here."""
    return ds


@dataclass(frozen=True)
class Case:
    """One injected fault.

    Parameters
    ----------
    name : str
        Short and unique.
    source : str
        Row of the table of real faults (``row 7``), or where else it is from.
    what : str
        The fault in a few words.
    historical, scenario : callable
        What is done to the two datasets before they are written.
    source_id, member_id, variable_id, version, grid_label, scenario_id : str
        The victim.
    calendars : (str, str)
        Calendars of its clean runs; the model's own where empty.
    areacella, sftlf : callable or None
        What is done to a fixed field, None to have none.
    catalog : callable
        What is done to the victim's rows of the catalog, given the folder of the case.
    on_disk : callable
        What is done to the written stores, given the folder of the case.
    rules : tuple of Rule
        What the object store does; keys begin with the name of the case.
    study : mapping
        Fields of the study that differ.
    formats : int
        Zarr format of the victim's stores.
    stored : mapping
        Encoding of the victim's variable.
    whole_study : bool
        The fault is in what every model shares, such as the catalog: to refuse the study is right.
    """

    name: str
    source: str
    what: str
    historical: Change = as_is
    scenario: Change = as_is
    source_id: str = "ACCESS-CM2"
    member_id: str = "r1i1p1f1"
    variable_id: str = "tas"
    version: str = "20200101"
    grid_label: str = "gn"
    scenario_id: str = "ssp585"
    calendars: tuple[str, str] = ("", "")
    areacella: Change | None = None
    sftlf: Change | None = None
    catalog: Callable[[Rows, Path], Rows] = lambda rows, folder: rows
    on_disk: Callable[[Path], None] = lambda folder: None
    rules: tuple[Rule, ...] = ()
    study: Mapping[str, Any] = field(default_factory=dict)
    formats: int = 2
    stored: Mapping[str, Any] = field(default_factory=dict)
    whole_study: bool = False

    @property
    def base(self) -> tuple[int, int]:
        """Base period that the study asks for."""
        return self.study.get("base_period", (1850, 1900))


def both(name: str, source: str, what: str, change: Change, **facts: Any) -> Case:
    """A case with the same fault in both runs."""
    return Case(name, source, what, historical=change, scenario=change, **facts)


# ---- small changes that many faults are made of


def variable(ds: xr.Dataset) -> str:
    """Name of the data variable."""
    return str(ds.attrs["variable_id"])


def values(change: Callable[[np.ndarray], np.ndarray | None]) -> Change:
    """Change the values; a function that returns nothing has changed its argument."""

    def act(ds: xr.Dataset) -> xr.Dataset:
        name = variable(ds)
        array = ds[name].values.copy()
        made = change(array)
        return ds.assign({name: ds[name].copy(data=(array if made is None else made).astype(np.float32))})

    return act


def typed(kind: str) -> Change:
    """Store the data variable as another type."""
    return lambda ds: ds.assign({variable(ds): ds[variable(ds)].astype(kind)})


def described(**attrs: Any) -> Change:
    """Change attributes of the data variable; None removes one."""

    def act(ds: xr.Dataset) -> xr.Dataset:
        ds = ds.copy()
        for key, value in attrs.items():
            if value is None:
                ds[variable(ds)].attrs.pop(key, None)
            else:
                ds[variable(ds)].attrs[key] = value
        return ds

    return act


def labelled(**attrs: Any) -> Change:
    """Change global attributes."""
    return lambda ds: ds.assign_attrs(attrs)


def chosen(steps: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Change:
    """Take steps, given each step's year and its position; a result of booleans keeps, one of integers orders."""

    def act(ds: xr.Dataset) -> xr.Dataset:
        position = np.arange(ds.sizes["time"])
        begins = 1850 if ds.attrs["experiment_id"] == "historical" else 2015
        taken = steps(begins + position // 12, position)
        return ds.isel(time=np.flatnonzero(taken) if taken.dtype == bool else taken)

    return act


def timed(change: Callable[[np.ndarray], np.ndarray], bounds: bool = True, **attrs: Any) -> Change:
    """Change the numbers of time, and those of its bounds unless told otherwise."""

    def act(ds: xr.Dataset) -> xr.Dataset:
        stamps = ("time", change(ds["time"].values.copy()), ds["time"].attrs | attrs)
        if bounds:
            edges = np.stack([change(ds["time_bnds"].values[:, side].copy()) for side in (0, 1)], axis=1)
            ds = ds.assign(time_bnds=(("time", "bnds"), edges))
        return ds.assign_coords(time=stamps)

    return act


def without(*names: str) -> Change:
    """Remove variables and what points to them."""

    def act(ds: xr.Dataset) -> xr.Dataset:
        ds = ds.drop_vars([name for name in names if name in ds.variables])
        for name in ("time", "lat", "lon"):
            if name in ds and ds[name].attrs.get("bounds") in names:
                ds[name].attrs = {k: v for k, v in ds[name].attrs.items() if k != "bounds"}
        return ds

    return act


def after(*changes: Change) -> Change:
    """One change after the other."""

    def act(ds: xr.Dataset) -> xr.Dataset:
        for change in changes:
            ds = change(ds)
        return ds

    return act
