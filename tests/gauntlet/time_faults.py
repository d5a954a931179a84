"""Faults of time: repeated, unordered, missing and misdated months, calendars, bounds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from gauntlet.cases import Case, Change, Rows, after, both, chosen, labelled, timed, typed, without

ALLOW = {"incomplete_periods": "allow"}


def repeated(start: int, length: int, wrong: float = 0.0) -> Change:
    """Months copied in again behind themselves; the first copy is off by ``wrong``."""

    def act(ds: xr.Dataset) -> xr.Dataset:
        name = str(ds.attrs["variable_id"])
        array = ds[name].values.copy()
        again = array[start : start + length].copy()
        array[start : start + length] += np.float32(wrong)
        stop = start + length
        at = np.concatenate([np.arange(stop), np.arange(start, ds.sizes["time"])])
        made = ds.assign({name: ds[name].copy(data=array)}).isel(time=at)
        whole = made[name].values.copy()
        whole[stop : stop + length] = again
        return made.assign({name: made[name].copy(data=whole)})

    return act


def past_2014(ds: xr.Dataset) -> xr.Dataset:
    """A historical run that goes on to 2029, with values of its own."""
    return _longer(ds, 15 * 12)


def _longer(ds: xr.Dataset, more: int) -> xr.Dataset:
    """More months behind the last, warm and in order (365-day calendar)."""
    name = str(ds.attrs["variable_id"])
    lengths = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], dtype=float)
    edges = ds["time_bnds"].values[-1, 1] + np.concatenate([[0.0], np.cumsum(np.tile(lengths, more // 12))])
    tail = ds.isel(time=slice(ds.sizes["time"] - 12, None)).isel(time=np.arange(more) % 12)
    tail = tail.assign_coords(time=("time", (edges[:-1] + edges[1:]) / 2, ds["time"].attrs))
    tail = tail.assign(
        {name: tail[name] + np.float32(2.0), "time_bnds": (("time", "bnds"), np.stack([edges[:-1], edges[1:]], 1))}
    )
    made = xr.concat([ds, tail], "time", data_vars="minimal", coords="minimal", combine_attrs="override")
    made[name].attrs = ds[name].attrs
    return made


def to_2300(ds: xr.Dataset) -> xr.Dataset:
    """A scenario that goes on for two hundred years."""
    return _longer(ds, 200 * 12)


def bounds(change) -> Change:
    """Change the bounds of time alone."""
    return lambda ds: ds.assign(time_bnds=(("time", "bnds"), change(ds["time_bnds"].values.copy())))


def no_calendar(ds: xr.Dataset) -> xr.Dataset:
    """The attribute calendar is missing though the calendar is not the standard one."""
    ds = ds.copy()
    ds["time"].attrs = {k: v for k, v in ds["time"].attrs.items() if k != "calendar"}
    return ds


def stamped(**attrs: str | None) -> Change:
    """Other attributes of time; None removes one."""

    def act(ds: xr.Dataset) -> xr.Dataset:
        made = {k: v for k, v in (ds["time"].attrs | attrs).items() if v is not None}
        return ds.assign_coords(time=("time", ds["time"].values, made))

    return act


def split_over_versions(rows: Rows, folder: Path) -> Rows:
    """The first years of the scenario lie under an older version than the last."""
    old = [row | {"version": "20190815", "zstore": row["zstore"].replace("/scenario/", "/part/")}
           for row in rows if row["experiment_id"] == "ssp585"]  # fmt: skip
    return [*rows, *old]


def cut_in_two(folder: Path) -> None:
    """Write the two parts of a dataset that was split."""
    ds = xr.open_zarr(folder / "scenario", decode_cf=False).load().drop_encoding()
    ds.isel(time=slice(0, 432)).to_zarr(folder / "part", zarr_format=2, consolidated=True)
    ds.isel(time=slice(432, None)).to_zarr(folder / "scenario", mode="w", zarr_format=2, consolidated=True)


def nan_times(stamps: np.ndarray) -> np.ndarray:
    """Some stamps are not numbers."""
    stamps[500:503] = np.nan
    return stamps


def month_before(ends: np.ndarray) -> np.ndarray:
    """Bounds that belong to the month before."""
    return np.concatenate([2 * ends[:1] - ends[1:2], ends[:-1]])


ORDER = (
    Case("overlap-fgoals", "row 7", "FGOALS-g3 historical: 24 months twice", repeated(1176, 24),
         source_id="FGOALS-g3"),
    Case("overlap-differs", "row 7 (kind)", "FGOALS-g3: 24 months twice, the first copy 3 K too warm",
         repeated(300, 24, wrong=3.0), source_id="FGOALS-g3"),
    Case("overlap-differs-late", "row 7 (kind)", "CESM2 ssp585: 24 months twice, the first copy 3 K too warm",
         scenario=repeated(900, 24, wrong=3.0), source_id="CESM2"),
    Case("overlap-cesm2", "row 8", "CESM2 historical: copy-pasted steps", repeated(600, 12), source_id="CESM2"),
    Case("overlap-unknown", "row 8 (kind)", "copy-pasted steps in a model that is not known for it",
         repeated(600, 12)),
    Case("backwards", "row 8 (kind)", "time runs backwards", chosen(lambda y, p: p[::-1])),
    Case("whole-twice", "row 10", "CESM2: the whole scenario again behind itself",
         scenario=chosen(lambda y, p: np.concatenate([p, p])), source_id="CESM2"),
    Case("years-in-disorder", "row 18", "GFDL-CM4: years 1991, 1992, 1960, 1961, ...",
         chosen(lambda y, p: np.concatenate([p[y < 1960], p[y > 1990], p[(y >= 1960) & (y <= 1990)]])),
         source_id="GFDL-CM4"),
    Case("first-file-misdated", "row 26", "EC-Earth3 r3: the first year carries the dates of 1860",
         timed(lambda t: np.where(np.arange(t.size) < 12, t + 3650.0, t)), source_id="EC-Earth3",
         member_id="r3i1p1f1"),
    Case("swapped-blocks", "row 30 (kind)", "files in swapped order, each with its own dates",
         chosen(lambda y, p: np.concatenate([p[600:1200], p[:600], p[1200:]]))),
    Case("daily", "row 46 (kind)", "daily steps in a monthly table",
         timed(lambda t: t[0] + np.arange(t.size, dtype=float), bounds=False)),
)  # fmt: skip

GAPS = (
    Case("extension-gap", "row 11 (kind)", "years 2085-2090 were removed with an extension",
         scenario=chosen(lambda y, p: (y < 2085) | (y > 2090))),
    Case("too-few-records", "row 19", "GFDL-ESM4: 1116 of 1200 records, the last years missing",
         scenario=chosen(lambda y, p: p < 948), source_id="GFDL-ESM4", grid_label="gr1"),
    Case("not-continuous", "row 20", "UKESM1-0-LL: months missing here and there",
         chosen(lambda y, p: p % 97 != 0), source_id="UKESM1-0-LL", member_id="r1i1p1f2"),
    Case("only-2015-2020", "row 21", "UKESM1-0-LL ssp: published to 2020 only",
         scenario=chosen(lambda y, p: y <= 2020), source_id="UKESM1-0-LL", member_id="r2i1p1f2"),
    Case("only-2019-2051", "row 21", "HadGEM3-GC31-LL ssp: 2019-2051 only",
         scenario=chosen(lambda y, p: (y >= 2019) & (y <= 2051)), source_id="HadGEM3-GC31-LL", member_id="r2i1p1f3"),
    both("every-second-month", "row 30", "NorESM2-LM: every second month is missing",
         chosen(lambda y, p: p % 2 == 0), source_id="NorESM2-LM"),
    Case("ends-2099", "row 34", "IITM-ESM, CAMS-CSM1-0: ends 2099-12, incomplete periods refused",
         scenario=chosen(lambda y, p: y < 2100), source_id="IITM-ESM"),
    Case("ends-2099-allowed", "row 34", "ends 2099-12, incomplete periods allowed",
         scenario=chosen(lambda y, p: y < 2100), source_id="CAMS-CSM1-0", study=ALLOW),
    Case("ends-november", "row 34 (kind)", "the last month is missing: 119 months of the decade",
         scenario=chosen(lambda y, p: p < 1031)),
    Case("starts-in-july", "row 46 (kind)", "the run begins in July 1850", chosen(lambda y, p: p >= 6)),
    Case("starts-in-july-allowed", "row 46 (kind)", "the run begins in July 1850, incomplete periods allowed",
         chosen(lambda y, p: p >= 6), study=ALLOW),
    Case("ten-years", "row 46", "a member of ten years", scenario=chosen(lambda y, p: y < 2025),
         source_id="IPSL-CM6A-LR", member_id="r2i1p1f1", grid_label="gr"),
    Case("year-missing", "row 48", "SAM0-UNICON: one year is missing", scenario=chosen(lambda y, p: y != 2090),
         source_id="SAM0-UNICON"),
    Case("year-missing-allowed", "row 48 (kind)", "one year is missing, incomplete periods allowed",
         scenario=chosen(lambda y, p: y != 2090), source_id="SAM0-UNICON", study=ALLOW),
    Case("21-of-86-years", "row 58", "AWI: 21 of 86 years", scenario=chosen(lambda y, p: y > 2079),
         source_id="AWI-CM-1-1-MR"),
    Case("only-1915-1959", "row 63", "MPI-ESM1-2-HR historical in the cloud: 1915-1959 only",
         chosen(lambda y, p: (y >= 1915) & (y <= 1959)), source_id="MPI-ESM1-2-HR"),
    Case("split-over-versions", "row 60", "NorESM2-LM: one dataset split over two versions",
         source_id="NorESM2-LM", catalog=split_over_versions, on_disk=cut_in_two),
    Case("past-2014", "row 31", "NorCPM1: the historical run goes on past 2014", past_2014, source_id="NorCPM1"),
    Case("to-2300", "row 56", "the scenario runs to 2300, beyond datetime64[ns]", scenario=to_2300,
         source_id="CESM2-WACCM"),
)  # fmt: skip

DATES = (
    Case("mixed-calendars", "row 25", "EC-Earth3-Veg: standard, then proleptic_gregorian", source_id="EC-Earth3-Veg",
         calendars=("standard", "proleptic_gregorian")),
    Case("mixed-lengths", "row 25 (kind)", "historical in 365_day, scenario in standard",
         calendars=("365_day", "standard")),
    *(
        both(f"calendar-{name}", "row 64", f"calendar written as {name}", stamped(calendar=name),
             calendars=(meant, meant))
        for name, meant in (("noleap", "365_day"), ("360_day", "360_day"), ("gregorian", "standard"),
                            ("julian", "julian"), ("GREGORIAN", "standard"), ("all_leap", "366_day"))
    ),
    both("no-calendar", "row 64 (kind)", "no calendar given, and it is not the standard one", no_calendar),
    both("no-calendar-no-bounds", "row 64 (kind)", "no calendar and no bounds, and it is not the standard one",
         after(no_calendar, without("time_bnds"))),
    both("strange-calendar", "row 64 (kind)", "a calendar that CF does not know", stamped(calendar="365.25_day")),
    both("bounds-20-days", "row 33", "FGOALS-f3-L: time bounds span 20 days",
         bounds(lambda b: b.mean(axis=1, keepdims=True) + np.array([[-10.0, 10.0]])), source_id="FGOALS-f3-L",
         grid_label="gr"),
    both("bounds-zero", "row 34 (kind)", "time bounds are all zero", bounds(np.zeros_like)),
    both("bounds-month-before", "row 34", "KACE-1-0-G, IITM-ESM: time bounds are those of the month before",
         bounds(lambda b: np.stack([month_before(b[:, 0]), month_before(b[:, 1])], axis=1)), source_id="KACE-1-0-G",
         grid_label="gr"),
    both("no-bounds", "row 34 (kind)", "no time bounds, stamps in the middle", without("time_bnds")),
    both("stamped-at-start", "row 34 (kind)", "no time bounds, stamps at the start of months",
         after(lambda ds: timed(lambda t: ds["time_bnds"].values[:, 0], bounds=False)(ds), without("time_bnds"))),
    both("stamped-at-end", "row 34 (kind)", "no time bounds, stamps at the first instant after months",
         after(lambda ds: timed(lambda t: ds["time_bnds"].values[:, 1], bounds=False)(ds), without("time_bnds"))),
    both("stamped-at-end-bounds", "row 34 (kind)", "stamps at the end of months, bounds right",
         lambda ds: timed(lambda t: ds["time_bnds"].values[:, 1], bounds=False)(ds)),
    both("branch-time", "row 49", "GFDL-CM4: wrong branch_time_in_parent", labelled(branch_time_in_parent=36500.0),
         source_id="GFDL-CM4", grid_label="gr1"),
    both("parent-variant", "row 50", "EC-Earth3: wrong parent_variant_label", labelled(parent_variant_label="r9i1p1f1"),
         source_id="EC-Earth3", grid_label="gr"),
    both("parent-units", "row 51", "UKESM1-0-LL: parent_time_units 1850-01-01-00-00-00",
         labelled(parent_time_units="days since 1850-01-01-00-00-00"), source_id="UKESM1-0-LL", member_id="r1i1p1f2"),
    both("frequency-monc", "row 52", "GFDL-CM4: frequency monC", labelled(frequency="monC"), source_id="GFDL-CM4",
         grid_label="gr1"),
    both("time-units", "row 54", "MIROC-ES2L: invalid time units", stamped(units="days since 0000-00-00"),
         source_id="MIROC-ES2L", member_id="r1i1p1f2"),
    both("no-time-units", "row 54 (kind)", "no time units", stamped(units=None)),
    both("invalid-second", "row 55", "GISS: invalid second in the time units",
         stamped(units="days since 1850-01-01 00:00:75"), source_id="GISS-E2-1-G"),
    both("nan-times", "row 62", "CESM2-WACCM-FV2: NaN times", timed(nan_times, bounds=False),
         source_id="CESM2-WACCM-FV2"),
    both("wrong-epoch", "row 54 (kind)", "time units a hundred years late", stamped(units="days since 1950-01-01")),
    Case("wrong-epoch-scenario", "row 54 (kind)", "the scenario's time units one year late",
         scenario=stamped(units="days since 1851-01-01")),
    both("bare-index", "row 18 (kind)", "time is a bare index without units or calendar",
         after(lambda ds: timed(lambda t: np.arange(t.size, dtype=float), bounds=False)(ds),
               stamped(units=None, calendar=None), without("time_bnds"))),
    both("half-precision", "row 9 (kind)", "time in float32", lambda ds: ds.assign_coords(
        time=("time", ds["time"].values.astype(np.float32), ds["time"].attrs))),
    both("double-precision", "row 9 (kind)", "values stored in float64", typed("float64")),
)  # fmt: skip

FAULTS = ORDER + GAPS + DATES
