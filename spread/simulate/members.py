"""A simulated dataset as members like any other: through conform, through reduce, into the ensemble."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from spread.calendars import days_in_month, month_number
from spread.conform import conform, grid_of
from spread.drivers import EPOCH, start_of_month
from spread.errors import Failure, NotConforming, NotFound, did_you_mean
from spread.reduce import compute_or_fail, reduction
from spread.regions import Region
from spread.simulate.labels import FROM_KERNEL
from spread.vocabulary import FACETS, Row

_TABLES = {"mon": "Lmon", "yr": "Eyr"}


def step_means(simulated: xr.Dataset, frequency: str) -> xr.Dataset:
    """Means over months or years of a simulation, each step as heavy as it is long.

    Parameters
    ----------
    simulated : xarray.Dataset
        As :func:`spread.simulate.simulate` gives it.
    frequency : str
        ``mon`` or ``yr``.

    Returns
    -------
    xarray.Dataset
        Of the whole months or years only; what has that frequency already is returned as it is.

    Raises
    ------
    NotFound
        For another frequency, a finer one than that of the run, or a run without one whole month or year.
    """
    own = str(simulated.attrs["frequency"])
    order = ("day", "mon", "yr")
    if frequency not in _TABLES or order.index(own) > order.index(frequency):
        raise NotFound(f"simulated member: expected 'mon' or 'yr', not finer than the run's {own!r}, got {frequency!r}")
    if own == frequency:
        return simulated
    import cftime

    calendar = str(simulated.attrs["calendar"])
    bounds = simulated["time_bnds"].values
    days = bounds[:, 1] - bounds[:, 0]
    dates = cftime.num2date(bounds.mean(1), EPOCH, calendar)
    months = month_number(np.array([d.year for d in dates]), np.array([d.month for d in dates]))
    group = months if frequency == "mon" else months // 12
    names, where = np.unique(group, return_inverse=True)
    long = np.bincount(where, weights=days)
    whole = days_in_month(names, calendar) if frequency == "mon" else _years(names, calendar)
    kept = np.flatnonzero(np.isclose(long, whole))
    if not kept.size:
        raise NotFound(f"simulated member: the run holds no whole {'month' if frequency == 'mon' else 'year'}")
    share = np.where(where[None, :] == kept[:, None], days / long[where], 0.0)
    starts = np.array([start_of_month(int(n if frequency == "mon" else 12 * n), calendar) for n in names[kept]])
    fields = {name: field for name, field in simulated.data_vars.items() if "time" in field.dims}
    mean = {
        name: (field.dims, np.tensordot(share, field.values.astype(np.float64), axes=(1, 0)), field.attrs)
        for name, field in fields.items()
    }
    coords = {n: c.variable for n, c in simulated.coords.items() if "time" not in c.dims}
    edges = np.stack([starts, starts + whole[kept]], 1)
    time = {"time": ("time", edges.mean(1), simulated["time"].attrs), "time_bnds": (("time", "bnds"), edges)}
    return xr.Dataset(
        mean, coords=coords | time, attrs=simulated.attrs | {"frequency": frequency, "table_id": _TABLES[frequency]}
    )


def _years(years: np.ndarray, calendar: str) -> np.ndarray:
    return np.array([days_in_month(12 * y + np.arange(12), calendar).sum() for y in years])


def conformed(simulated: xr.Dataset, variable_id: str, frequency: str = "mon", draw: int | None = None) -> xr.Dataset:
    """One variable of a simulation on a global grid as a conformed dataset.

    Parameters
    ----------
    simulated : xarray.Dataset
        As :func:`spread.simulate.simulate` gives it, on ``lat, lon``.
    variable_id : str
        Which variable.
    frequency : str
        ``mon`` or ``yr``.
    draw : int, optional
        Which draw, where there are; draw ``d`` is the member with physics ``p(d + 1)``.

    Returns
    -------
    xarray.Dataset
        As :func:`spread.conform.conform` gives it for a published dataset: it goes the same way and keeps the same
        contract; the attribute ``simulated`` is ``true``.

    Raises
    ------
    NotConforming
        With every breach, such as cells that do not cover the Earth.
    NotFound
        For a variable or a draw that is not there.
    """
    if variable_id not in FROM_KERNEL or variable_id not in simulated:
        raise NotFound(
            f"simulated member: no variable {variable_id!r}: {did_you_mean(variable_id, tuple(FROM_KERNEL))}"
        )
    if ("draw" in simulated.dims) != (draw is not None) or not 0 <= (draw or 0) < simulated.sizes.get("draw", 1):
        raise NotFound(f"simulated member: draw {draw} of {simulated.sizes.get('draw', 0)} draws (numbered from 0)")
    made = step_means(simulated if draw is None else simulated.isel(draw=draw, drop=True), frequency)
    member = str(made.attrs["member_id"])
    if draw is not None:
        head, tail = member.split("p", 1)
        member = f"{head}p{draw + 1}f{tail.split('f', 1)[1]}"
    facets = {n: str(made.attrs[n]) for n in FACETS if n in made.attrs}
    facets |= {"variable_id": variable_id, "member_id": member, "table_id": _TABLES[frequency]}
    version = str(made.attrs["version"])
    row = Row(**facets, zstore=f"simulated:{version}", version=version)
    fixed = {n: made[n].variable for n in ("areacella", "sftlf") if n in made.variables}
    field = made[[variable_id]].drop_vars(["areacella", "sftlf"], errors="ignore")
    field = field.drop_attrs(deep=False).assign_attrs({k: v for k, v in made.attrs.items() if k not in FACETS})
    return conform(
        field.assign_attrs(facets), row,
        *(xr.DataArray(fixed[n], name=n) if n in fixed else None for n in ("areacella", "sftlf")),
    )  # fmt: skip


def as_member(
    simulated: xr.Dataset, variable_id: str, regions: Sequence[Region], frequency: str = "mon", draw: int | None = None
) -> xr.DataArray | Failure:
    """One variable of a simulation as a reduced member, which :func:`spread.ensemble.assemble` takes.

    Parameters
    ----------
    simulated, variable_id, frequency, draw
        As in :func:`conformed`.
    regions : sequence of Region
        Over which area means are made.

    Returns
    -------
    xarray.DataArray or Failure
        ``(time, region)``; or why its values cannot be believed.
    """
    try:
        ds = conformed(simulated, variable_id, frequency, draw)
    except NotConforming as error:
        return Failure(error.who, "conform", "; ".join(error.breaches))
    ds = ds.assign({variable_id: ds[variable_id].chunk({"time": -1})})
    reduced = compute_or_fail(reduction(ds, grid_of(ds), tuple(regions)))
    return reduced if isinstance(reduced, Failure) else reduced.assign_attrs(simulated="true")
