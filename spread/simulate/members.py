"""A simulated dataset as members like any other: through conform, through reduce, into the ensemble."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import xarray as xr

from spread.calendars import days_in_month, month_number
from spread.conform import conform, grid_of
from spread.conform.contract import breaches
from spread.drivers import EPOCH, start_of_month
from spread.errors import Failure, NotConforming, NotFound, did_you_mean
from spread.grids import regular
from spread.natural_earth import land_fraction
from spread.operators.area_means import region_weights
from spread.reduce import reduction
from spread.regions import Region
from spread.simulate.labels import FROM_KERNEL
from spread.vocabulary import FACETS, VARIABLES, Row

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


def conformed(
    simulated: xr.Dataset, variable_id: str, frequency: str = "mon", draw: int | None = None, whole: bool = True
) -> xr.Dataset:
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
    whole : bool
        Whether its cells must cover the Earth.

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
    others = [n for n in made.data_vars if n != variable_id]  # not a selection, which would lose the bounds
    field = made.drop_vars([*others, "areacella", "sftlf"], errors="ignore")
    field = field.drop_attrs(deep=False).assign_attrs({k: v for k, v in made.attrs.items() if k not in FACETS})
    return conform(
        field.assign_attrs(facets), row,
        *(xr.DataArray(fixed[n], name=n) if n in fixed else None for n in ("areacella", "sftlf")),
        whole=whole,
    )  # fmt: skip


def as_member(
    simulated: xr.Dataset, variable_id: str, regions: Sequence[Region], frequency: str = "mon", draw: int | None = None
) -> xr.DataArray | Failure:
    """One variable of a simulation as a reduced member, which :func:`spread.ensemble.assemble` takes.

    Parameters
    ----------
    simulated, variable_id, frequency, draw
        As in :func:`conformed`; but a run over a part of the Earth, or at one site, is taken for the regions that it
        covers.
    regions : sequence of Region
        Over which area means are made.

    Returns
    -------
    xarray.DataArray or Failure
        ``(time, region)``; or why it does not stand for a region, or a value is beyond what is possible.

    Notes
    -----
    A land model knows nothing of the sea: a variable that is defined everywhere, such as ``evspsbl``, has means over
    regions of land only.
    """
    apart = "lat" in simulated.coords and simulated["lat"].ndim == 0
    try:
        ds = conformed(_one_cell(simulated) if apart else simulated, variable_id, frequency, draw, whole=False)
        whole = not _breaches_of_coverage(ds)
        found = _not_covered(ds, variable_id, regions, apart, whole)
        if found:
            raise NotConforming(_who(ds), found)
        # its units are known: a mean that is odd, as where a draw lets the plants die, is a result and no fault
        variable = replace(VARIABLES[variable_id], domain="land", plausible_mean=(-np.inf, np.inf))
        ds = ds.assign({variable_id: ds[variable_id].chunk({"time": -1})})
        planned = reduction(ds, grid_of(ds), tuple(regions), variable=variable)
        reduced = planned.means.compute(scheduler="synchronous")
    except NotConforming as error:
        return Failure(error.who, "conform", "; ".join(error.breaches))
    return reduced.assign_attrs(simulated="true")


SITE = 3.0
"""Largest box for which one site may stand [degrees]: about a cell of the coarsest CMIP6 models (CanESM5: 2.8)."""

_HALF = 0.01  # half the width of the cell that a site gets [degrees]: about the footprint of a flux tower


def _one_cell(site: xr.Dataset) -> xr.Dataset:
    """A site as a grid of one cell, all of it land."""
    place: dict[str, tuple[object, ...]] = {}
    for name in ("lat", "lon"):
        at = float(site[name]) if name in site.coords else 0.0
        at = float(np.clip(at, -90 + _HALF, 90 - _HALF)) if name == "lat" else at
        units = {"units": "degrees_north" if name == "lat" else "degrees_east", "bounds": f"{name}_bnds"}
        place |= {name: (name, [at], units), f"{name}_bnds": ((name, "bnds"), [[at - _HALF, at + _HALF]])}
    made = site.drop_vars([n for n in (*place, "areacella", "sftlf") if n in site.variables])
    fields = {n: f.expand_dims(("lat", "lon"), (-2, -1)) for n, f in made.data_vars.items()}
    land = xr.DataArray([[100.0]], dims=("lat", "lon"), attrs={"units": "%"})
    return made.assign(fields).assign_coords(place).assign(sftlf=land)


def _who(ds: xr.Dataset) -> str:
    return ".".join(ds.attrs[facet] for facet in ("source_id", "experiment_id", "member_id", "variable_id"))


def _breaches_of_coverage(ds: xr.Dataset) -> list[str]:
    return [b for b in breaches(ds, VARIABLES[ds.attrs["variable_id"]]) if b.startswith("cell_area")]


def _not_covered(ds: xr.Dataset, variable_id: str, regions: Sequence[Region], apart: bool, whole: bool) -> list[str]:
    """Why a run cannot stand for some regions."""
    found = []
    for region in regions:
        if region.surface == "ocean":
            found.append(f"region {region.name!r} is ocean, and a land model has none")
        elif VARIABLES[variable_id].domain == "all" and region.surface != "land":
            found.append(
                f"region {region.name!r}: models have {variable_id} over the sea too and this run over land only; "
                "compare over land: 'land', or a region with surface = 'land'"
            )
        elif apart:
            found += _not_of_site(region, float(ds["lat"][0]), float(ds["lon"][0]))
        elif not whole:
            share = _covered(ds, region)
            if share < 0.99:
                found.append(
                    f"region {region.name!r}: the run covers {100 * share:.0f} % of its land; choose a region "
                    f"within {_extent(ds)}, or a run that covers it"
                )
    return found


def _not_of_site(region: Region, lat: float, lon: float) -> list[str]:
    south, north, west, east = region.extent
    wide = (east - west) % 360.0 or 360.0
    if max(north - south, wide) > SITE or not (south <= lat <= north and (lon - west) % 360.0 <= wide):
        return [
            f"region {region.name!r}: the run is one site ({lat:.4g}, {lon:.4g}) and no mean over a region; choose a "
            f"box round it of {SITE:g} degrees at most"
        ]
    return []


def _covered(ds: xr.Dataset, region: Region) -> float:
    """Share of a region's land that lies in cells of the run, to a quarter of a degree."""
    fine = regular("0.5")
    land = land_fraction(fine.lat_bounds, fine.lon_bounds)
    weights = region_weights(fine, [region], fine.area(), land, "land")[0]
    inside = np.zeros(fine.shape[0]), np.zeros(fine.shape[1])
    for edges, centres, at in zip((ds["lat_bnds"], ds["lon_bnds"]), (fine.lat, fine.lon), (0, 1), strict=True):
        for low, high in np.sort(edges.values.reshape(-1, 2), 1):
            inside[at][((centres - low) % 360.0 < high - low) if at else ((centres > low) & (centres < high))] = 1.0
    return float((weights * inside[0][:, None] * inside[1]).sum())


def _extent(ds: xr.Dataset) -> str:
    lat, lon = ds["lat_bnds"].values, ds["lon_bnds"].values
    return f"lat [{lat.min():g}, {lat.max():g}], lon [{lon.min():g}, {lon.max():g}]"
