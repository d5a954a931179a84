"""Maps of an emulator as CF data, drawn here or on workers, and as conformed members of an ensemble."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from functools import lru_cache
from typing import Any

import cftime
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from spread import __version__
from spread.calendars import canonical_calendar, days_in_month, is_leap
from spread.conform import conform, grid_of
from spread.coupled import Forcing, Pathway, co2_concentration, scenario_forcing
from spread.drivers import EPOCH, start_of_month
from spread.emulator import Emulator, Flag, sentences
from spread.emulator.checkpoint import packed, unpacked
from spread.errors import BadModel, Failure, NotConforming, NotFound
from spread.grids import make_grid
from spread.reduce import compute_or_fail, reduction
from spread.regions import Region
from spread.vocabulary import FACETS, VARIABLES, Row

MAPS_A_TASK = 2048
"""Maps that one call on a worker draws."""


def emulate(
    emulator: Emulator, model: str, scenario: str, years: tuple[int, int], *, members: int = 10, seed: int = 0,
    pathway: Pathway | None = None, coherent: bool = False, calendar: str = "noleap", executor: Executor | None = None,
    maps_a_task: int = MAPS_A_TASK,
) -> xr.Dataset:  # fmt: skip
    """Draw temperature of a model under a scenario.

    Parameters
    ----------
    emulator : Emulator
        Trained.
    model, scenario : str
        ``source_id`` and ``experiment_id``.
    years : tuple of int
        First and last calendar year.
    members : int
        How many.
    seed : int
        Of the noise.
    pathway : Pathway, optional
        Whose forcing is felt instead of the scenario's; then aerosols no longer go with CO2 equivalent, and every map
        is flagged.
    coherent : bool
        Whether steps that follow each other are alike.
    calendar : str
        CF calendar of the time axis.
    executor : concurrent.futures.Executor, optional
        Where maps are drawn, such as that of :func:`spread.cluster.connected`; this process otherwise. The emulator
        goes to a worker once.
    maps_a_task : int
        Maps that one call draws; the result does not depend on it.

    Returns
    -------
    xarray.Dataset
        ``tas`` [K] ``(member, time, lat, lon)``, ``forced_warming`` [K], ``co2e`` [ppm] and ``flag`` ``(time,)``; the
        attribute ``emulated`` is ``true``. Time is undecoded, with bounds.

    Raises
    ------
    NotFound
        For a model, scenario or years that are not there.
    BadModel
        For fewer members than one.
    """
    if years[1] < years[0]:
        raise NotFound(f"emulate: expected a first year before the last, got {years[0]} to {years[1]}")
    if members < 1:
        raise BadModel(f"emulate: expected one member or more, got {members}")
    calendar = canonical_calendar(calendar)
    year, day, step, bounds = _times(emulator.facts.frequency, years, calendar)
    forcing: str | Forcing = scenario if pathway is None else pathway.forcing
    warming = emulator.warming(model, forcing, year, day)
    decoupled = pathway is not None and bool(pathway.flags)
    flags = emulator.flags(model, scenario, warming, decoupled)
    given = (model, scenario, warming, day, step)
    cuts = _cuts(members, len(step), maps_a_task)
    if executor is None:
        parts = [_drawn(emulator, *given, *cut, seed, coherent) for cut in cuts]
    else:
        weights = _held(packed(emulator), executor)
        promises = [executor.submit(_drawn, weights, *given, *cut, seed, coherent) for cut in cuts]
        parts = [promise.result() for promise in promises]
    tas = np.empty((members, len(step), len(emulator.facts.lat), len(emulator.facts.lon)), np.float32)
    for (first, last, begin, end), part in zip(cuts, parts, strict=True):
        tas[first:last, begin:end] = part
    return _labelled(emulator, tas, flags, warming, year, bounds, model, scenario, seed, calendar, pathway, coherent)


def emulated_member(emulated: xr.Dataset, member: int, regions: Sequence[Region]) -> xr.DataArray | Failure:
    """One member of an emulation as a reduced member, which :func:`spread.ensemble.assemble` takes.

    Parameters
    ----------
    emulated : xarray.Dataset
        Monthly, as :func:`emulate` gives it.
    member : int
        Which, from 0 on.
    regions : sequence of Region
        Over which area means are made.

    Returns
    -------
    xarray.DataArray or Failure
        ``(time, region)``, with the attribute ``emulated``; or why its values cannot be believed.

    Raises
    ------
    NotFound
        For daily maps, or a member that is not there.
    """
    if emulated.attrs["frequency"] != "mon":
        raise NotFound("emulated member: expected monthly maps, got daily ones; average them or train on monthly data")
    if not 0 <= member < emulated.sizes["member"]:
        raise NotFound(f"emulated member: there are {emulated.sizes['member']}, numbered from 0, not {member}")
    facets = {name: str(emulated.attrs[name]) for name in FACETS if name in emulated.attrs}
    facets |= {"variable_id": "tas", "member_id": f"r{member + 1}i1p1f1"}
    row = Row(**facets, zstore=f"emulated:{emulated.attrs['version']}", version=str(emulated.attrs["version"]))
    field = emulated[["tas"]].isel(member=member, drop=True).assign_attrs(facets)
    try:
        ds = conform(field.assign(time_bnds=emulated["time_bnds"]), row)
    except NotConforming as error:
        return Failure(error.who, "conform", "; ".join(error.breaches))
    ds = ds.assign(tas=ds["tas"].chunk({"time": -1}))
    reduced = compute_or_fail(reduction(ds, grid_of(ds), tuple(regions)))
    return reduced if isinstance(reduced, Failure) else reduced.assign_attrs(emulated="true")


def _times(
    frequency: str, years: tuple[int, int], calendar: str
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
    """Year, part of the year, number of the step, and bounds as days since the epoch."""
    months = np.arange(12 * years[0], 12 * (years[1] + 1))
    lengths = days_in_month(months, calendar)
    start = start_of_month(int(months[0]), calendar)
    if frequency == "mon":
        edges = start + np.concatenate([[0.0], np.cumsum(lengths)])
        return months // 12, (months % 12 + 0.5) / 12, months, np.stack([edges[:-1], edges[1:]], 1)
    days = int(lengths.sum())
    edges = start + np.arange(days + 1.0)
    year = np.repeat(months // 12, lengths.astype(int))
    first = np.searchsorted(year, year)
    long = np.where(is_leap(year, calendar), 366.0, 365.0) if calendar != "360_day" else np.full(days, 360.0)
    begin = cftime.date2num(cftime.num2date(start, EPOCH, calendar), "days since 0001-01-01", calendar)
    step = int(np.floor(float(begin) + 1e-6)) + np.arange(days)
    return year, (np.arange(days) - first + 0.5) / long, step, np.stack([edges[:-1], edges[1:]], 1)


def _cuts(members: int, steps: int, maps: int) -> list[tuple[int, int, int, int]]:
    """Ranges of members and steps, of at most so many maps."""
    if maps >= steps:
        each = max(1, maps // steps)
        return [(m, min(m + each, members), 0, steps) for m in range(0, members, each)]
    return [(m, m + 1, t, min(t + maps, steps)) for m in range(members) for t in range(0, steps, maps)]


@lru_cache(maxsize=2)
def _unpacked(data: bytes) -> Emulator:
    return unpacked(data)


def _drawn(
    emulator: Emulator | bytes, model: str, scenario: str, warming: NDArray[np.float64], day: NDArray[np.float64],
    step: NDArray[np.int64], first: int, last: int, begin: int, end: int, seed: int, coherent: bool,
) -> NDArray[np.float32]:  # fmt: skip
    """Some maps of some members; what a worker does."""
    own = _unpacked(emulator) if isinstance(emulator, bytes) else emulator
    part = slice(begin, end)
    return own.sample(
        model, scenario, warming[part], day[part], step[part], last - first, seed, first_member=first, coherent=coherent
    ).tas


def _held(data: bytes, executor: Executor) -> Any:
    """Bytes that are on the workers already where the executor can put them there, else to be sent with each call."""
    hold = getattr(executor, "hold", None)
    return data if hold is None else hold(data)


def _labelled(
    emulator: Emulator, tas: NDArray[np.float32], flags: NDArray[np.int64], warming: NDArray[np.float64],
    year: NDArray[np.int64], bounds: NDArray[np.float64], model: str, scenario: str, seed: int, calendar: str,
    pathway: Pathway | None, coherent: bool,
) -> xr.Dataset:  # fmt: skip
    facts, variable, grid = (
        emulator.facts,
        VARIABLES["tas"],
        make_grid(np.asarray(emulator.facts.lat), np.asarray(emulator.facts.lon)),
    )
    own = pathway.forcing if pathway is not None else scenario_forcing(scenario, np.arange(year[0], year[-1] + 1))
    co2e = np.interp(year, own.years, co2_concentration(own.anthropogenic))
    masks = [int(flag) for flag in Flag if flag]
    of_time = {
        "forced_warming": (warming, {"long_name": "forced global warming since 1850-1900", "units": "K"}),
        "co2e": (co2e, {"long_name": "CO2 equivalent of anthropogenic forcing", "units": "ppm"}),
        "flag": (flags, {
            "long_name": "in which respects a map is an extrapolation", "flag_masks": np.array(masks, np.int64),
            "flag_meanings": " ".join(str(Flag(mask).name).lower() for mask in masks),
        }),
    }  # fmt: skip
    described = {
        "standard_name": variable.standard_name, "long_name": variable.long_name, "units": variable.units,
        "cell_methods": "area: mean time: mean",
    }  # fmt: skip
    found = int(np.bitwise_or.reduce(flags))
    attrs = {
        "Conventions": "CF-1.11", "activity_id": "emulated", "institution_id": "spread", "source_id": model,
        "experiment_id": scenario, "member_id": "r1i1p1f1", "grid_label": "gr", "variable_id": "tas",
        "table_id": "Amon" if facts.frequency == "mon" else "day", "frequency": facts.frequency, "calendar": calendar,
        "emulated": "true", "synthetic": str(facts.synthetic).lower(), "version": _version(emulator), "seed": seed,
        "emulator_learned_from": "; ".join(facts.runs), "emulator_flags": "; ".join(sentences(found)),
        "time_coherence": "first-order memory of the noise" if coherent else "none: steps are independent draws",
        "pathway": "" if pathway is None else f"CO2 equivalent departs from {pathway.experiment_id}",
        "spread_version": __version__,
    }  # fmt: skip
    time = {"units": EPOCH, "calendar": calendar, "standard_name": "time", "bounds": "time_bnds"}
    return xr.Dataset(
        {"tas": (("member", "time", "lat", "lon"), tas, described)}
        | {name: ("time", values, about) for name, (values, about) in of_time.items()},
        coords={
            "member": np.arange(len(tas)), "time": ("time", bounds.mean(axis=1), time),
            "time_bnds": (("time", "bnds"), bounds),
            "lat": ("lat", np.asarray(facts.lat), {"units": "degrees_north", "bounds": "lat_bnds"}),
            "lon": ("lon", np.asarray(facts.lon), {"units": "degrees_east", "bounds": "lon_bnds"}),
            "lat_bnds": (("lat", "bnds"), np.asarray(grid.lat_bounds)),
            "lon_bnds": (("lon", "bnds"), np.asarray(grid.lon_bounds)),
        },
        attrs=attrs,
    )  # fmt: skip


@lru_cache(maxsize=4)
def _digest_of(data: bytes) -> str:
    import hashlib

    return hashlib.sha256(data).hexdigest()[:12]


def _version(emulator: Emulator) -> str:
    return _digest_of(packed(emulator))
