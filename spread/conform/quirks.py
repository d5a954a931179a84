"""Cures for known faults of particular models, each with its receipt.

A quirk is a value: whom it concerns, what it does, where that is documented. Faults that can be told without knowing
the model are not here: the other steps mend them and the contract refuses the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np
import xarray as xr

from spread.vocabulary import Row


@dataclass(frozen=True)
class Quirk:
    """One documented fault and its cure.

    Parameters
    ----------
    source_id, experiment_id, variable_id, version : str
        Whom it concerns; shell patterns.
    what : str
        What is wrong and what is done.
    receipt : str
        Where it is documented.
    cure : callable
        Takes and returns the dataset; returns it unchanged where the fault is not there.
    """

    source_id: str
    experiment_id: str
    variable_id: str
    version: str
    what: str
    receipt: str
    cure: Callable[[xr.Dataset, str], xr.Dataset]

    def concerns(self, row: Row) -> bool:
        """Tell whether a dataset may have this fault."""
        return all(
            fnmatchcase(getattr(row, facet), getattr(self, facet))
            for facet in ("source_id", "experiment_id", "variable_id", "version")
        )


def keep_first_of_repeated_steps(ds: xr.Dataset, variable_id: str) -> xr.Dataset:
    """Keep the first of each repeated month, in rising order."""
    _, first = np.unique(ds["month_number"].values, return_index=True)
    return ds if first.size == ds.sizes["time"] else ds.isel(time=first)


def times_thousand(ds: xr.Dataset, variable_id: str) -> xr.Dataset:
    """Multiply the field by 1000."""
    field = ds[variable_id]
    return ds.assign({variable_id: (field.astype(np.float64) * 1000.0).assign_attrs(field.attrs)})


def turn_sign(ds: xr.Dataset, variable_id: str) -> xr.Dataset:
    """Turn the sign of the field."""
    return ds.assign({variable_id: (-ds[variable_id]).assign_attrs(ds[variable_id].attrs)})


QUIRKS = (
    Quirk(
        "FGOALS-g3", "historical", "*", "*",
        "time steps of overlapping files are repeated; the first of each is kept",
        "ESMValCore cmor/_fixes/cmip6/fgoals_g3.py (Tas); intake-esm issue 150",
        keep_first_of_repeated_steps,
    ),
    Quirk(
        "CESM2*", "*", "*", "*",
        "time steps of overlapping files are repeated; the first of each is kept",
        "ESMValCore cmor/_fixes/cmip6/cesm2.py; IPCC-WG1/Chapter-11 fixes (CESM2 ssp370 r4i1p1f1)",
        keep_first_of_repeated_steps,
    ),
    Quirk(
        "CIESM", "*", "pr", "20200417",
        "precipitation is 1000 times too small; multiplied by 1000",
        "ESMValCore cmor/_fixes/cmip6/ciesm.py (Pr)",
        times_thousand,
    ),
    Quirk(
        "SAM0-UNICON", "*", "nbp", "20190323",
        "net biome production has the wrong sign; turned",
        "ESMValCore cmor/_fixes/cmip6/sam0_unicon.py (Nbp), tested there for v20190323",
        turn_sign,
    ),
)  # fmt: skip
"""All quirks; when they outgrow 300 lines, one file a model."""


def apply_quirks(ds: xr.Dataset, row: Row) -> tuple[xr.Dataset, list[str]]:
    """Apply the quirks that concern a dataset and find their fault in it.

    Parameters
    ----------
    ds : xarray.Dataset
        With canonical names, units and month numbers.
    row : Row
        Which dataset it is.

    Returns
    -------
    xarray.Dataset, list of str
        The cured dataset, and each cure with its receipt.
    """
    fixes = []
    for quirk in QUIRKS:
        if quirk.concerns(row):
            cured = quirk.cure(ds, row.variable_id)
            if cured is not ds:
                fixes.append(f"quirk: {quirk.what} [{quirk.receipt}]")
            ds = cured
    return ds, fixes
