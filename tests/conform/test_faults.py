"""Each of the 64 real faults: the broken dataset is built, and what becomes of it is shown."""

import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from synthetic import areas, field, published, records, regular, row, write_collection

from spread import catalog, ensemble, errata, selection
from spread.conform import conform, grid_of
from spread.conform.faults import FAULTS, OUTCOMES, page
from spread.errors import Failure, NotComparable, NotConforming
from spread.reduce import compute_or_fail, reduction
from spread.study import REGIONS, Study
from spread.vocabulary import VARIABLES

BY_NUMBER = {fault.number: fault for fault in FAULTS}
SHOWN: dict[int, Callable[[], None]] = {}


def shows(*numbers):
    def register(test):
        for number in numbers:
            assert number not in SHOWN
            SHOWN[number] = test
        return test

    return register


def reduced(ds, areacella=None, sftlf=None, regions=("global",), **who) -> xr.DataArray | Failure:
    """A dataset as the flow treats it: its member, or why it has none."""
    given = row(**who)
    try:
        conformed = conform(ds, given, areacella, sftlf)
    except NotConforming as error:
        return Failure(given.name, "conform", "; ".join(error.breaches))
    return compute_or_fail(reduction(conformed, grid_of(conformed), [REGIONS[name] for name in regions]))


def cured(ds, sound, said, **who) -> None:
    """The cured dataset gives the numbers of the sound one, and its fixes say what was done."""
    member, expected = reduced(ds, **who), reduced(sound, **who)
    assert not isinstance(member, Failure), member
    assert any(re.search(said, fix) for fix in member.attrs["fixes"]), member.attrs["fixes"]
    np.testing.assert_allclose(member.values, expected.values, rtol=1e-12)
    np.testing.assert_array_equal(member["month_number"], expected["month_number"])


def rejected(ds, said, **who) -> None:
    failure = reduced(ds, **who)
    assert isinstance(failure, Failure)
    assert re.search(said, failure.reason), failure.reason


def harmless(ds, sound, **who) -> None:
    member, expected = reduced(ds, **who), reduced(sound, **who)
    assert not isinstance(member, Failure), member
    np.testing.assert_allclose(member.values, expected.values, rtol=1e-8)
    np.testing.assert_array_equal(member["month_number"], expected["month_number"])


def years(first, last, keep=slice(None), calendar="365_day", seed=0, **options) -> xr.Dataset:
    """A sound run of whole years, of which only some steps are kept."""
    months = 12 * (last - first + 1)
    values = (0.1 * field(months, 6, 8, seed) + 260.0).astype("f4")
    ds = published(values, months=months, start=(first, 1), calendar=calendar, chunks=(240, 6, 8), **options)
    return ds.isel(time=keep)


def refused_period(historical, scenario, said, gaps=()) -> None:
    """Both datasets conform, what lacks is listed, and the period that needs it is refused with the reason."""
    members = [reduced(historical), reduced(scenario, experiment_id="ssp245", activity_id="ScenarioMIP")]
    assert not any(isinstance(member, Failure) for member in members), members
    assert [gap for member in members for gap in member.attrs["missing_periods"]][: len(gaps)] == list(gaps)
    study = Study.make(catalog="x", experiments=["ssp245"], base_period=[1995, 2014], periods=[[2081, 2100]])
    _, _, change, failures = ensemble.compare(members, study)
    assert any(re.search(said, failure.reason) for failure in failures), failures
    with pytest.raises(NotComparable):
        ensemble.refuse_empty(change, failures, "x")


def repeated(experiment_id="historical") -> tuple[xr.Dataset, xr.Dataset]:
    """A run whose files overlap by two years, and the same run without."""
    sound = years(1995, 2014)
    return sound.isel(time=[*range(120), *range(96, 240)]), sound


@shows(2)
def rain_of_ciesm():
    rain = published((3e-5 * (1 + 0.1 * np.random.default_rng(0).random((24, 6, 8)))).astype("f4"), "pr", "kg m-2 s-1")
    thin = rain.assign(pr=(rain["pr"] / np.float32(1000.0)).assign_attrs(rain["pr"].attrs))
    member = reduced(thin, source_id="CIESM", variable_id="pr", version="20200417")
    np.testing.assert_allclose(member, reduced(rain, variable_id="pr"), rtol=1e-6)
    assert "1000 times too small" in member.attrs["fixes"][0]
    rejected(thin, "1000 times too small", source_id="OTHER", variable_id="pr")


@shows(3)
def celsius_under_the_name_of_kelvin():
    rejected(published(field(24, 6, 8) - 273.15), "look like degrees Celsius", source_id="MPI-ESM1-2-LR")


@shows(6)
def two_vintages():
    stores = [
        {"experiment_id": e, "version": "", "zstore": f"memory/{e}/{n}"}
        for e in ("historical", "ssp245")
        for n in (1, 2)
    ]
    alone = [{"experiment_id": e, "source_id": "ALONE"} for e in ("historical", "ssp245")]
    with tempfile.TemporaryDirectory() as folder:
        collection = catalog.read(write_collection(Path(folder), records(*stores, *alone)))
        chosen = selection.select(collection, Study.make(catalog="x", experiments=["ssp245"]))
    assert {r.source_id for r in chosen.rows} == {"ALONE"}
    assert any("nothing says which to use: memory/ssp245/1" in failure.reason for failure in chosen.failures)


@shows(7)
def overlapping_files_of_fgoals():
    cured(*repeated(), "overlapping files", source_id="FGOALS-g3")


@shows(8)
def copied_steps_of_cesm2():
    for source in ("CESM2", "CESM2-WACCM", "CESM2-FV2"):
        cured(*repeated(), "overlapping files", source_id=source)


@shows(9)
def bounds_of_other_precision():
    ds = published()
    harmless(ds.assign(lat_bnds=ds["lat_bnds"].astype("f4"), lon_bnds=ds["lon_bnds"].astype("f4")), ds)


@shows(10)
def a_second_file_of_cesm2():
    sound = years(2015, 2100)
    twice = xr.concat([sound, sound], "time", data_vars="minimal")
    cured(twice, sound, "overlapping files", source_id="CESM2", experiment_id="ssp370", member_id="r4i1p1f1")


@shows(15)
def zero_months_of_e3sm():
    values = field(120, 6, 8)
    values[[0, 84]] = 0.0
    rejected(published(values, months=120, chunks=(120, 6, 8)), "2000-01, 2007-01")


@shows(18)
def years_in_disorder():
    ds = years(1960, 1996)
    at = [12 * (year - 1960) + month for year in (1991, 1992, 1960, 1961, 1962, 1996) for month in range(12)]
    rejected(ds.isel(time=at), "goes back from 1992-12 to 1960-01")


@shows(19)
def records_that_lack_at_the_end():
    refused_period(years(1995, 2014), years(2015, 2100, slice(0, 948)), "2081-2100 has 13 of 20 years")


@shows(20)
def a_time_axis_with_a_gap():
    keep = [*range(800), *range(812, 1032)]
    refused_period(years(1995, 2014), years(2015, 2100, keep), "has 18 of 20 years", ["2081-09..2082-08"])


@shows(21)
def a_few_years_published():
    refused_period(years(1995, 2014), years(2015, 2100, slice(0, 72)), "2081-2100 has 0 of 20 years")
    refused_period(years(1995, 2014), years(2015, 2100, slice(48, 444)), "begins 2019-01 though its historical run")


@shows(22)
def another_variable_is_longer():
    harmless(years(1850, 1869).isel(time=slice(0, 180)), years(1850, 1864, seed=0).isel(time=slice(0, 180)))


@shows(24)
def latitudes_that_differ_by_a_hair():
    ds = published()
    rng = np.random.default_rng(0)
    lat, bounds = ds["lat"] + rng.uniform(-1e-8, 1e-8, 6), ds["lat_bnds"] + rng.uniform(-1e-8, 1e-8, (6, 2))
    other = ds.assign(lat_bnds=bounds).assign_coords(lat=("lat", lat.values, ds["lat"].attrs))
    harmless(other, ds)
    members = [reduced(ds), reduced(other, experiment_id="ssp245")]
    assert ensemble.assemble(members)["tas"].sizes["region"] == 1


@shows(25)
def calendars_of_two_names():
    past, future = years(1995, 2014, calendar="standard"), years(2015, 2100, calendar="proleptic_gregorian")
    members = [reduced(past), reduced(future, experiment_id="ssp245", activity_id="ScenarioMIP")]
    study = Study.make(catalog="x", experiments=["ssp245"], base_period=[1995, 2014], periods=[[2081, 2100]])
    _, yearly, _, failures = ensemble.compare(members, study)
    assert failures == []
    assert np.isfinite(yearly["tas"].sel(year=slice(1995, 2100))).all()


@shows(26)
def a_bad_first_file():
    ds = years(1995, 2004)
    rejected(ds.isel(time=[*range(50, 62), *range(12, 120)]), "twice|goes back", source_id="EC-Earth3")


@shows(28)
def names_of_mcm_ua():
    sound = published()
    ds = sound.rename(lat="latitude", lon="longitude", tas="tas ")
    bounds = ds["lon_bnds"].values.copy()
    bounds[-1, 1] -= 22.0
    for name in ("lat_bnds", "lon_bnds"):
        ds = ds.assign({name: (("latitude" if name[:3] == "lat" else "longitude", "bnds"), ds[name].values)})
    cured(ds, sound, "spaces removed", source_id="MCM-UA-1-0")
    ds["lon_bnds"] = (("longitude", "bnds"), bounds)
    cured(ds.assign_attrs(parent_time_units="(noleap)"), sound, "lon bounds rebuilt", source_id="MCM-UA-1-0")


@shows(29)
def cut_bounds_of_noresm():
    sound = published(first_lon=-22.5)
    bounds = sound["lon_bnds"].values.copy()
    bounds[0, 0] = 0.0
    cured(sound.assign(lon_bnds=(("lon", "bnds"), bounds)), sound, "lon bounds rebuilt", source_id="NorESM2-LM")


@shows(30)
def every_second_month():
    refused_period(years(1995, 2014), years(2015, 2100, slice(0, None, 2)), "has 0 of 20 years", ["2015-02", "2015-04"])


@shows(31)
def historical_runs_that_go_on():
    scenario = reduced(years(2015, 2100, seed=1), experiment_id="ssp245", activity_id="ScenarioMIP")
    study = Study.make(catalog="x", experiments=["ssp245"], base_period=[1995, 2014], periods=[[2081, 2100]])
    changes = [
        ensemble.compare([reduced(years(1995, 2029).isel(time=keep)), scenario], study)[2]["change"].values
        for keep in (slice(None), slice(0, 240))
    ]
    np.testing.assert_array_equal(changes[0], changes[1])


@shows(32)
def falling_bounds():
    sound = published()
    ds = sound.assign(lat_bnds=sound["lat_bnds"].copy(data=sound["lat_bnds"].values[:, ::-1]))
    cured(ds, sound, "rising order", source_id="MPI-ESM1-2-HR")


@shows(33)
def bounds_and_land_of_fgoals_f3():
    sound = published()
    middle = sound["time"].values[:, None]
    ds = sound.assign(time_bnds=(("time", "bnds"), middle + np.array([-10.0, 10.0])))
    cured(ds, sound, "bounds span 20 days", source_id="FGOALS-f3-L")
    gaps = sound["lat_bnds"].values * 1.0
    gaps[2, 1] -= 5.0
    cured(sound.assign(lat_bnds=(("lat", "bnds"), gaps)), sound, "lat bounds rebuilt", source_id="FGOALS-f3-L")
    share = xr.DataArray(np.tile([0.0, 0.5, 1.0, 0.0], (6, 2)), dims=("lat", "lon"), attrs={"units": "%"})
    member, expected = (reduced(sound, sftlf=land, regions=["land"]) for land in (share, share * 100.0))
    np.testing.assert_allclose(member, expected, rtol=1e-12)


@shows(34)
def time_bounds_of_iitm():
    sound = published()
    bounds = sound["time_bnds"].values
    ds = sound.assign(time_bnds=(("time", "bnds"), np.stack([bounds[:, 0], bounds[:, 0]], axis=1)))
    cured(ds, sound, "stamps decide", source_id="IITM-ESM")
    refused_period(years(1995, 2014), years(2015, 2099), "2081-2100 has 19 of 20 years")


@shows(35)
def bounds_of_fio():
    sound = published()
    for name in ("lat", "lon"):
        bounds = sound[f"{name}_bnds"].values * 1.0
        bounds[2] = bounds[1]
        bounds[4, 0] = bounds[4, 1]
        cured(sound.assign({f"{name}_bnds": ((name, "bnds"), bounds)}), sound, f"{name} bounds rebuilt")


@shows(42)
def insolation_of_cas():
    values = np.full((24, 6, 8), 235.0) + np.random.default_rng(0).random((24, 6, 8))
    rejected(published(values, "rsdt", "W m-2"), "mean over the globe: 235", source_id="CAS-ESM2-0", variable_id="rsdt")


@shows(44)
def fluxes_of_the_wrong_sign():
    sftlf = xr.DataArray(np.full((6, 8), 50.0), dims=("lat", "lon"), attrs={"units": "%"})
    values = (1e-9 * np.random.default_rng(0).random((24, 6, 8))).astype("f4")
    who = {"variable_id": "nbp", "table_id": "Lmon", "sftlf": sftlf, "version": "20190323"}
    wrong = reduced(published(-values, "nbp", "kg m-2 s-1"), source_id="SAM0-UNICON", **who)
    np.testing.assert_allclose(wrong, reduced(published(values, "nbp", "kg m-2 s-1"), **who), rtol=1e-12)
    assert "wrong sign" in wrong.attrs["fixes"][0]
    evaporation = 3e-5 * (1.0 + values / values.max())
    assert not isinstance(reduced(published(evaporation, "evspsbl", "kg m-2 s-1"), variable_id="evspsbl"), Failure)
    rejected(published(-evaporation, "evspsbl", "kg m-2 s-1"), "mean over the globe: -4", variable_id="evspsbl")


@shows(45)
def a_month_of_zeros():
    for variable, units, offset in (("tas", "K", 280.0), ("pr", "kg m-2 s-1", 3e-5)):
        values = offset * (1.0 + 0.01 * np.random.default_rng(0).random((24, 6, 8)))
        values[6] = 0.0
        rejected(published(values, variable, units, start=(1982, 1)), "1982-07$", variable_id=variable)


@shows(46)
def runs_that_begin_in_mid_year():
    yearly = ensemble.yearly_means(ensemble.assemble([reduced(years(1850, 1859).isel(time=slice(6, 100)))]))
    there = np.isfinite(yearly["tas"].squeeze())
    assert yearly["year"].values[there].tolist() == list(range(1851, 1858))


@shows(48)
def files_of_sam0():
    ds = years(285, 295)
    timed = ds.assign(lat_bnds=ds["lat_bnds"].expand_dims(time=ds.sizes["time"]))
    gap = reduced(timed.isel(time=[*range(60), *range(72, 132)]), source_id="SAM0-UNICON", experiment_id="piControl")
    assert gap.attrs["missing_periods"] == ["0290-01..0290-12"]
    assert "time dimension removed" in gap.attrs["fixes"][0]
    rejected(ds.isel(time=[*range(60), *range(48, 132)]), "twice", source_id="SAM0-UNICON", experiment_id="piControl")


@shows(49, 51)
def attributes_about_parents():
    wrong = {"branch_time_in_parent": 36500.0, "branch_time_in_child": 0.0, "parent_variant_label": "r9i9p9f9"}
    for units in ("days since 0000-01-01", "1850-01-01-00-00-00", "(noleap)"):
        harmless(published().assign_attrs(wrong, parent_time_units=units), published())


@shows(52)
def a_frequency_of_another_name():
    harmless(published().assign_attrs(frequency="monC"), published())


@shows(54)
def units_that_are_none():
    for units in ("days since 0000-00-00", "day", "1850-1-1"):
        ds = published()
        ds["time"].attrs["units"] = units
        rejected(ds, "cannot be decoded", source_id="MIROC-ES2L")


@shows(55)
def a_second_that_no_clock_has():
    ds = published()
    ds["time"].attrs["units"] = "days since 1850-01-01 00:00:60"
    rejected(ds, "cannot be decoded")


@shows(56)
def runs_beyond_2262():
    long, short = years(2015, 2300, calendar="standard"), years(2015, 2100, calendar="standard")
    short = short.assign(tas=long["tas"].isel(time=slice(0, 1032)))
    members = [reduced(ds, experiment_id="ssp585", activity_id="ScenarioMIP") for ds in (long, short)]
    assert int(members[0]["month_number"][-1]) == 12 * 2300 + 11
    np.testing.assert_array_equal(members[0].values[:1032], members[1].values)


@shows(58)
def cells_without_rows():
    ds = published()
    flat = ds["tas"].stack(ncells=("lat", "lon")).reset_index("ncells", drop=True).transpose("time", "ncells")
    lat, lon = (a.ravel() for a in np.meshgrid(ds["lat"].values, ds["lon"].values, indexing="ij"))
    unstructured = xr.Dataset({"tas": flat, "time_bnds": ds["time_bnds"]}, attrs=ds.attrs).assign_coords(
        time=ds["time"], lat=("ncells", lat, ds["lat"].attrs), lon=("ncells", lon, ds["lon"].attrs)
    )
    rejected(unstructured, "ncells|rise or fall|dimensions", source_id="AWI-CM-1-1-MR")
    refused_period(years(1995, 2014), years(2015, 2100, slice(0, 252)), "has 0 of 20 years")


@shows(62)
def zero_over_the_ocean():
    sftlf = xr.DataArray(np.tile([0.0, 0.0, 100.0, 100.0], (6, 2)), dims=("lat", "lon"), attrs={"units": "%"})
    values = (3e-8 * (1.0 + np.random.default_rng(0).random((24, 6, 8)))).astype("f4")
    members = []
    for ocean in (0.0, np.nan):
        values[:, sftlf.values == 0.0] = ocean
        ds = published(values.copy(), "gpp", "kg m-2 s-1")
        members.append(reduced(ds, sftlf=sftlf, variable_id="gpp", table_id="Lmon"))
    np.testing.assert_allclose(members[0], members[1], rtol=1e-12)


@shows(63)
def a_copy_of_45_years():
    refused_period(years(1915, 1959), years(2015, 2100), "historical run ends 1959-12: 660 missing")


@shows(64)
def calendars_of_many_names():
    for given, calendar in (("gregorian", "standard"), ("noleap", "365_day"), ("proleptic_gregorian",) * 2,
                            ("julian",) * 2, ("360_day",) * 2, ("standard",) * 2):  # fmt: skip
        ds = years(1, 30, calendar=calendar)
        ds["time"].attrs["calendar"] = given
        member = reduced(ds, experiment_id="piControl")
        assert member.attrs["calendar"] == calendar
        assert member["month_number"].values.tolist() == list(range(12, 372))


KNOWN_BAD = {  # one dataset of each row that only the errata tell
    1: ("CIESM", "ssp585", "r1i1p1f1", "tas", "gr", "20200417"),
    5: ("GISS-E2-1-G", "ssp126", "r1i1p1f2", "tas", "gn", "20200115"),
    11: ("CESM2", "abrupt-4xCO2", "r1i1p1f1", "tas", "gn", "20190829"),
    12: ("CESM2", "amip", "r1i1p1f1", "tasmax", "gn", "20190218"),
    13: ("CESM2", "esm-ssp585", "r1i1p1f1", "tas", "gn", "20190801"),
    14: ("ACCESS-ESM1-5", "esm-ssp585", "r1i1p1f1", "tas", "gn", "20191128"),
    16: ("MRI-ESM2-0", "historical", "r6i1p1f1", "tas", "gn", "20210813"),
    17: ("GFDL-ESM4", "historical", "r1i1p1f1", "tas", "gr1", "20180701"),
    23: ("EC-Earth3-Veg", "1pctCO2", "r1i1p1f1", "tas", "gr", "20190702"),
    50: ("EC-Earth3", "historical", "r1i1p1f1", "tas", "gr", "20200203"),
    53: ("CESM2", "ssp370-lowNTCF", "r2i2p1f1", "tas", "gn", "20191001"),
    59: ("IPSL-CM6A-LR", "1pctCO2", "r1i1p1f1", "tas", "gr", "20180605"),
    60: ("NorESM2-LM", "abrupt-4xCO2", "r1i1p1f1", "tas", "gn", "20190815"),
    61: ("EC-Earth3-Veg", "1pctCO2", "r1i1p1f1", "tas", "gr", "20200226"),
}


@pytest.mark.parametrize("number", SHOWN, ids=lambda n: f"{n}-{SHOWN[n].__name__}")
def test_the_broken_dataset_ends_as_the_table_says(number):
    SHOWN[number]()


@pytest.mark.parametrize("number", KNOWN_BAD)
def test_the_errata_know_what_only_they_can_know(number):
    source, experiment, member, variable, grid, version = KNOWN_BAD[number]
    found = errata.known(
        row(source_id=source, experiment_id=experiment, member_id=member, variable_id=variable, grid_label=grid,
            version=version)
    )  # fmt: skip
    assert {erratum.uid[:8] for erratum in found} & set(BY_NUMBER[number].errata)


def test_the_table_holds_every_row_once():
    assert [fault.number for fault in FAULTS] == list(range(1, 65))
    for fault in FAULTS:
        assert fault.how in OUTCOMES
        assert min(map(len, (fault.who, fault.what, fault.by, fault.receipt))) > 4, fault
        assert "|" not in "".join((fault.who, fault.what, fault.by, fault.receipt))


def test_every_outcome_is_shown():
    def of(*outcomes):
        return {fault.number for fault in FAULTS if fault.how in outcomes}

    assert of("cured", "rejected", "harmless") == set(SHOWN)
    assert of("errata") == set(KNOWN_BAD)


def test_what_is_out_of_scope_cannot_be_asked_for():
    for variable in ("tos", "siconca", "thetao", "ta", "hus", "mrsos", "tauu", "clt"):
        assert variable not in VARIABLES


@pytest.mark.parametrize("shift", [0.5, -0.5])
def test_longitudes_half_a_cell_off_are_told_from_bounds_and_from_fixed_fields(shift):
    """Row 23, where the version is not known to the errata."""
    sound = published(rows=18, columns=36, values=field(24, 18, 36))
    lat, lon, lat_bounds, lon_bounds = regular(18, 36)
    moved = sound.assign_coords(lon=("lon", lon + shift * 10.0, sound["lon"].attrs))
    cell = xr.DataArray(areas(lat_bounds, lon_bounds), coords={"lat": lat, "lon": lon}, attrs={"units": "m2"})
    member = reduced(moved, areacella=cell)
    assert {"lon bounds rebuilt from centres (centres half a cell off their cells)",
            "areacella: left aside, its lon is not the field's"} <= set(member.attrs["fixes"])  # fmt: skip
    np.testing.assert_allclose(member, reduced(sound), rtol=1e-12)


def test_the_page_is_the_table():
    written = Path(__file__).parents[2] / "docs" / "faults.md"
    assert written.read_text(encoding="utf-8") == page()
    printed = subprocess.run(
        [sys.executable, "-m", "spread.conform.faults"], check=True, capture_output=True, text=True
    )
    assert printed.stdout == page()


def test_a_sound_run_of_the_tests_is_sound():
    assert not isinstance(reduced(years(1850, 2014)), Failure)
