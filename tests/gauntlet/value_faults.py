"""Faults of the values: wrong units, zeros, fill values, wrong restarts, known-bad versions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from gauntlet.cases import Case, Change, Rows, after, as_is, both, chosen, described, labelled, typed, values

ON_LAND = {"variable_id": "gpp", "sftlf": as_is}


def offset(kelvin: float, start: int = 0) -> Change:
    """A shift from a step on."""

    def act(array: np.ndarray) -> None:
        array[start:] += kelvin

    return values(act)


def cells(
    value: float, steps: slice = slice(600, 603), rows: slice = slice(4, 6), columns: slice = slice(3, 6)
) -> Change:
    """One value in a few cells of a few months."""

    def act(array: np.ndarray) -> None:
        array[steps, rows, columns] = value

    return values(act)


def zero_months(*positions: int) -> Change:
    """Months that are zero everywhere."""

    def act(array: np.ndarray) -> None:
        array[list(positions)] = 0.0

    return values(act)


def factor(by: float) -> Change:
    """Values too large or too small."""
    return values(lambda array: array * np.float32(by))


def celsius(start: int = 0) -> Change:
    """Degrees Celsius from a step on."""
    return offset(-273.15, start)


def at_sea(value: float) -> Change:
    """A value where a land variable has none."""
    return values(lambda array: np.where(np.isnan(array), np.float32(value), array))


def packed_twice(ds: xr.Dataset) -> xr.Dataset:
    """Land cells NaN and sea cells at 1e20 under one declared fill value."""
    name = str(ds.attrs["variable_id"])
    array = ds[name].values.copy()
    array[:, ::2][np.isnan(array[:, ::2])] = 1e20
    made = ds[name].copy(data=array)
    made.attrs["_FillValue"] = np.float32(1e20)
    return ds.assign({name: made})


def two_vintages(with_version: bool) -> dict:
    """An older copy of the scenario, colder by 1.09 K, beside the newer one."""

    def catalog(rows: Rows, folder: Path) -> Rows:
        old = [
            row | {"zstore": row["zstore"].replace("/scenario/", "/historical-vintage/")}
            for row in rows
            if row["experiment_id"] == "ssp585"
        ]
        for row in old:
            row["version"] = "20190818" if with_version else ""
        if not with_version:
            rows = [row | {"version": ""} for row in rows]
        return [*old, *rows]

    def on_disk(folder: Path) -> None:
        store = xr.open_zarr(folder / "scenario", decode_times=False, decode_cf=False).load()
        store["tas"] = store["tas"] - np.float32(1.09)
        store.drop_encoding().to_zarr(folder / "historical-vintage", zarr_format=2, consolidated=True)

    return {"catalog": catalog, "on_disk": on_disk}


UNITS = (
    Case("pr-thousandth-known", "row 2", "CIESM pr v20200417: 1000 times too small", factor(1e-3), factor(1e-3),
         source_id="CIESM", variable_id="pr", version="20200417", grid_label="gr"),
    both("pr-thousandth", "row 2 (kind)", "pr 1000 times too small in another model", factor(1e-3), variable_id="pr"),
    Case("pr-thousandth-scenario", "row 2 (kind)", "pr 1000 times too small in the scenario only",
         scenario=factor(1e-3), variable_id="pr"),
    both("pr-mm-per-day", "row 2 (kind)", "mm d-1 declared as kg m-2 s-1", factor(86400.0), variable_id="pr"),
    Case("pr-mm-per-day-declared", "row 2 (kind)", "scenario in mm d-1, rightly declared",
         scenario=after(factor(86400.0), described(units="mm d-1")), variable_id="pr"),
    both("celsius-as-kelvin", "row 3", "units say K, values are degrees Celsius", celsius()),
    Case("celsius-scenario", "row 3 (kind)", "degrees Celsius under K in the scenario only", scenario=celsius()),
    Case("celsius-late", "row 3 (kind)", "degrees Celsius under K from 2070 on", scenario=celsius(660)),
    both("kelvin-as-celsius", "row 4 (kind: tos)", "units say degC, values are K", described(units="degC")),
    both("declared-fahrenheit", "row 4 (kind)", "degrees Fahrenheit, rightly declared",
         after(values(lambda a: (a.astype(float) - 273.15) * 1.8 + 32.0), described(units="degF"))),
    both("no-units", "row 4 (kind)", "no units at all", described(units=None)),
    both("foreign-units", "row 4 (kind)", "units of something else", described(units="W m-2")),
)  # fmt: skip

KNOWN_BAD = (
    Case("ciesm-restart", "row 1", "CIESM ssp585 v20200417: wrong restart, drop in tas", scenario=offset(-5.0),
         source_id="CIESM", version="20200417", grid_label="gr"),
    Case("ciesm-restart-no-version", "row 1 (kind)", "the same where the catalog has no version",
         scenario=offset(-5.0), source_id="CIESM", version="", grid_label="gr"),
    Case("giss-gap", "row 5", "GISS-E2-1-G ScenarioMIP r1i1p1f2: jump between historical and ssp585",
         scenario=offset(-0.6), source_id="GISS-E2-1-G", member_id="r1i1p1f2", version="20200115"),
    Case("two-vintages", "row 6", "FGOALS-g3 ssp585: two vintages of one dataset differ by 1.09 K",
         source_id="FGOALS-g3", **two_vintages(True)),
    Case("two-vintages-no-version", "row 6 (kind)", "two vintages, and the catalog has no versions",
         source_id="FGOALS-g3", **two_vintages(False)),
    Case("cesm2-extremes", "row 12", "CESM2 tasmax v20190308: means, not extremes", historical=offset(-5.0),
         source_id="CESM2", variable_id="tasmax", version="20190308"),
    Case("cesm2-no-soa", "row 13", "CESM2 ssp585 v20190730: no SOA emissions after 2015",
         scenario=offset(-0.1), source_id="CESM2", version="20190730"),
    Case("access-forcing", "row 14", "ACCESS-ESM1-5 ssp585 r10: biomass and DMS forcing swapped",
         scenario=offset(-0.1), source_id="ACCESS-ESM1-5", member_id="r10i1p1f1", version="20200908"),
    Case("mri-r6", "row 16", "MRI-ESM2-0 historical r6 v20210813: 1923-10/11 wrong",
         values(lambda a: np.where((np.arange(len(a)) // 2 == 442)[:, None, None], a - 3.0, a)),
         source_id="MRI-ESM2-0", member_id="r6i1p1f1", version="20210813"),
    Case("gfdl-emissions", "row 17", "GFDL-ESM4 historical v20180701: emissions of December 2014",
         source_id="GFDL-ESM4", version="20180701", grid_label="gr1"),
    Case("ec-earth3-veg-co2", "row 61", "EC-Earth3-Veg 1pctCO2 v20200226: CO2 constant after year 141",
         scenario=offset(-0.5, 700), source_id="EC-Earth3-Veg", version="20200226", grid_label="gr",
         scenario_id="1pctCO2", study={"historical": None, "experiments": ["1pctCO2"], "base_period": (2015, 2034)}),
    Case("ipsl-symlinks", "row 59", "IPSL-CM6A-LR 1pctCO2 v20180605: links to a wrong version",
         scenario=offset(-0.4, 500), source_id="IPSL-CM6A-LR", version="20180605", grid_label="gr",
         scenario_id="1pctCO2", study={"historical": None, "experiments": ["1pctCO2"], "base_period": (2015, 2034)}),
)  # fmt: skip

MISSING = (
    Case("zero-months-e3sm", "row 15", "E3SM-1-1-ECA v20200127: tas zero in 2000-01 and 2007-01",
         zero_months(1800, 1884), source_id="E3SM-1-1-ECA", version="20200127", grid_label="gr"),
    Case("zero-months", "row 15 (kind)", "zero months in a dataset without errata", zero_months(1800, 1884)),
    Case("missing-months-base", "row 15 (kind)", "two months of the base period are fill values",
         values(lambda a: np.where(np.isin(np.arange(len(a)), [300, 384])[:, None, None], np.nan, a))),
    Case("missing-month-late", "row 15 (kind)", "one month of 2090 is fill values",
         scenario=values(lambda a: np.where((np.arange(len(a)) == 905)[:, None, None], np.nan, a))),
    both("missing-cell", "row 15 (kind)", "one cell has no value in any month", cells(np.nan, slice(None))),
    Case("missing-rows-late", "row 15 (kind)", "polar rows have no value from 2090 on",
         scenario=cells(np.nan, slice(900, None), slice(10, 12), slice(None))),
    Case("zero-july-1982", "row 45 (kind)", "July 1982 is zero everywhere", zero_months(12 * 132 + 6)),
    Case("zero-cells", "row 40 (kind)", "cells masked by the value 0", cells(0.0, slice(None))),
    both("fill-two-ways", "row 39 (kind)", "sea is NaN here and 1e20 there, _FillValue 1e20", packed_twice,
         **ON_LAND, stored={"_FillValue": None}),
    both("fill-undeclared", "row 39 (kind)", "sea is 1e20 and no _FillValue is declared", at_sea(1e20), **ON_LAND),
    both("fill-undeclared-tas", "row 41", "unmasked values of 1e20 in a few cells", cells(1e20)),
    both("beyond-range", "row 41", "values above 1000 in a few cells", cells(1234.0)),
    both("minus-9999", "row 43 (kind)", "-9999 in a few cells", cells(-9999.0)),
    both("infinite", "row 41 (kind)", "infinite values in a few cells", cells(np.inf)),
    both("rsdt-235", "row 42", "CAS-ESM2-0 rsdt: 235 instead of 340 W m-2", factor(235.0 / 335.0),
         source_id="CAS-ESM2-0", variable_id="rsdt"),
    both("nbp-sign", "row 44", "SAM0-UNICON nbp: sign error", values(np.negative), source_id="SAM0-UNICON",
         variable_id="nbp", sftlf=as_is),
    both("pr-sign", "row 44 (kind)", "pr negative", values(np.negative), variable_id="pr"),
    both("gpp-zero-sea", "row 62", "CanESM5 gpp: 0 over the sea", at_sea(0.0), source_id="CanESM5-CanOE", **ON_LAND),
    both("gpp-negative", "row 62 (kind)", "gpp negative", values(np.negative), **ON_LAND),
    both("whole-numbers", "row 62 (kind)", "values stored as whole numbers", typed("int16")),
)  # fmt: skip

MISLABELLED = (
    Case("wrong-source-id", "row 53", "CESM2 AerChemMIP: the store's source_id is another model's",
         scenario=after(offset(-0.7), labelled(source_id="CESM2-WACCM"))),
    both("wrong-source-id-both", "row 53 (kind)", "both stores are another model's, and say so",
         after(values(lambda a: a * np.linspace(1.0, 1.01, len(a))[:, None, None]), labelled(source_id="MIROC6"))),
    Case("other-scenario", "row 59 (kind)", "the store holds ssp126, and says so",
         scenario=after(values(lambda a: a - np.linspace(0.0, 4.0, len(a))[:, None, None]),
                        labelled(experiment_id="ssp126"))),
    Case("other-member", "row 59 (kind)", "the store holds r2i1p1f1, and says so",
         scenario=after(offset(0.2), labelled(variant_label="r2i1p1f1"))),
    both("other-variable", "row 59 (kind)", "the store holds tasmax", lambda ds: ds.rename({"tas": "tasmax"})),
    both("other-variable-inside", "row 59 (kind)", "tasmax under the name tas, and the attribute says so",
         after(values(lambda a: a + np.linspace(0.0, 1.0, len(a))[:, None, None]), labelled(variable_id="tas"),
               described(cell_methods="area: mean time: maximum", standard_name="air_temperature"))),
    both("no-steps", "row 62 (kind)", "an empty store: no time step at all", chosen(lambda y, p: p < 0)),
)  # fmt: skip

FAULTS = UNITS + KNOWN_BAD + MISSING + MISLABELLED
