"""The 64 real faults of CMIP6 datasets that spread is held against, and what becomes of each.

A table to read and to test: every row that is cured, rejected or harmless has a test that builds the broken dataset and
shows the outcome. ``python -m spread.conform.faults`` writes it as the page `docs/faults.md`. Nothing here mends
anything: the cures are the other files' of this folder.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

OUTCOMES = {
    "cured": "mended on reading; the report lists the fix with its receipt",
    "rejected": "refused with the reason in the report: at once, or by every study that needs the months that lack",
    "errata": "nothing in the data tells: known by dataset and version from the ES-DOC errata, and rejected or noted "
    "as the study's `errata` say",
    "harmless": "used as it is; a test shows that no number changes",
    "out of scope": "not a dataset that a study can ask for, or not a fault that can be decided",
}
"""What can become of a fault."""

_ESMVAL = "ESMValCore cmor/_fixes/cmip6/"
_CH11 = "IPCC-WG1/Chapter-11 code/fixes/_fixes_cmip6.py"
_EXCEPTIONS = "naomi-henderson/cmip6collect notebooks/csv/exceptions.csv"
_XMIP = "xMIP preprocessing.py"
_CH7 = "IPCC-WG1/Chapter-7 data_input/cmip6, computed from it"
_OCEAN = "the variable table holds no ocean or sea-ice variable: asking for one is refused"
_INCOMPLETE = "missing_periods; ensemble refuses a period without all its years unless the study allows it"


@dataclass(frozen=True)
class Fault:
    """One real fault.

    Parameters
    ----------
    number : int
        1 to 64.
    who, what : str
        The model and variable, and what is wrong with them.
    how : str
        One of :data:`OUTCOMES`.
    by : str
        The quirk, step or check that does it; or the reason why nothing does.
    receipt : str
        Where the fault is documented.
    """

    number: int
    who: str
    what: str
    how: str
    by: str
    receipt: str

    @property
    def errata(self) -> tuple[str, ...]:
        """First eight digits of the ES-DOC errata among the receipts."""
        return tuple(re.findall(r"\b[0-9a-f]{8}\b", self.receipt)) if "ES-DOC" in self.receipt else ()


FAULTS = (
    Fault(1, "CIESM tas ssp585 v20200417", "massive drop, wrong restart", "errata",
          "the check of steps (plausibility) finds it too, within a run and where scenario and historical run meet",
          "ES-DOC errata 9a62078c"),
    Fault(2, "CIESM pr v20200417", "1000 times too small", "cured",
          "quirk CIESM pr; of other models rejected by the plausible mean over the globe",
          f"{_ESMVAL}ciesm.py (Pr); {_CH11}"),
    Fault(3, "MPI-ESM1-2-LR tas (LUMIP, LS3MIP)", "units say K, values are degrees Celsius", "rejected",
          "plausible values, with the guess that they are degrees Celsius", "ES-DOC errata b04c6fc3"),
    Fault(4, "GISS-E2-1-G tos", "units say degC, values are K", "out of scope", _OCEAN, f"{_ESMVAL}giss_e2_1_g.py"),
    Fault(5, "GISS-E2-1-G ScenarioMIP", "gap between historical and scenario, retracted: -0.60 K at the end", "errata",
          "no month lacks", f"ES-DOC errata 522ff4de; {_CH7}"),
    Fault(6, "FGOALS-g3 tas ssp585 r1i1p1f1", "two vintages under one dataset id: 1.09 K apart", "rejected",
          "selection: stores of one dataset without a version are refused together; of versions the latest is taken",
          _CH7),
    Fault(7, "FGOALS-g3 tas historical", "2004 steps instead of 1980, overlapping files", "cured",
          "quirk FGOALS-g3: the first of repeated steps is kept", f"{_ESMVAL}fgoals_g3.py (Tas); intake-esm issue 150"),
    Fault(8, "CESM2, CESM2-WACCM, CESM2-FV2 tas, pr, tasmin, tasmax", "copied steps, time goes back", "cured",
          "quirk CESM2*: the first of repeated steps is kept", f"{_ESMVAL}cesm2.py"),
    Fault(9, "CESM2 tas", "no scalar height, bounds of other precision", "harmless",
          "neither is read: every dataset is reduced on its own grid", f"{_ESMVAL}cesm2.py"),
    Fault(10, "CESM2 tas ssp370 r4i1p1f1", "a second file of 2015-2100 overlaps", "cured",
          "quirk CESM2*: the first of repeated steps is kept", _CH11),
    Fault(11, "CESM2 abrupt-4xCO2", "an extension removed years 0-150, gaps", "errata",
          "gaps inside a run are listed in missing_periods", "ES-DOC errata 12bb1a8c"),
    Fault(12, "CESM2, CESM2-WACCM tasmin, tasmax", "equal to each other: means, not extremes", "errata",
          "no check compares two variables", "ES-DOC errata 3626030c"),
    Fault(13, "CESM2 scenarios", "organic aerosol emissions are zero from 2015", "errata",
          "a fault of the forcing", "ES-DOC errata eb69632c"),
    Fault(14, "ACCESS-ESM1-5 scenarios", "biomass and DMS forcing exchanged", "errata",
          "a fault of the forcing", "ES-DOC errata 38917fc3"),
    Fault(15, "E3SM-1-1-ECA tas", "zeros in 2000-01 and 2007-01", "rejected",
          "plausible values, months named", f"ES-DOC errata f457edcd; {_CH11}"),
    Fault(16, "MRI-ESM2-0 historical r6i1p1f1", "1923-10 and 1923-11 are wrong", "errata",
          "months more than 1 K off are found by the check of stray months (plausibility)", "ES-DOC errata ff0c9e38"),
    Fault(17, "GFDL-ESM4 historical", "emissions of 2014-12 are wrong", "errata",
          "a fault of the forcing", "ES-DOC errata ad5ca671"),
    Fault(18, "GFDL-CM4, one dataset", "years 1991, 1992, 1960, 1961, 1962, 1996 in this order", "rejected",
          "contract: months must rise", "ES-DOC errata bda00988"),
    Fault(19, "GFDL-ESM4", "1116 of 1200 records", "rejected", _INCOMPLETE, "ES-DOC errata 2c679fba"),
    Fault(20, "UKESM1-0-LL monthly", "the time axis is not continuous", "rejected", _INCOMPLETE,
          "ES-DOC errata 15420942"),
    Fault(21, "UKESM1-0-LL, HadGEM3-GC31-LL ssp245 r2-r4", "published are 2015-2020 only, or 2019-2051 only",
          "rejected", _INCOMPLETE, "ES-DOC errata 54c5acfd, 3bf9b559"),
    Fault(22, "UKESM1-0-LL piControl", "rsut has 1100 years, tas, rlut and rsdt have 750", "harmless",
          "every variable is reduced by itself, months are placed by their number",
          f"{_CH7}; ES-DOC errata d6b18dd7"),
    Fault(23, "EC-Earth3, EC-Earth3-Veg atmosphere", "longitudes shifted by half a cell", "errata",
          "off its own bounds or the model's areacella and sftlf it is told and mended by the step bounds",
          f"ES-DOC errata 0165ae5a, 320a5915, 3ab884f0, 5989ecb4, e0655bc8, f344e136; {_EXCEPTIONS}"),
    Fault(24, "EC-Earth3, EC-Earth3-Veg", "latitudes differ by 1e-8 between historical and scenario", "harmless",
          "runs are joined after reduction, never on coordinates", f"{_ESMVAL}ec_earth3.py (Tas)"),
    Fault(25, "EC-Earth3-Veg; EC-Earth3 r3i1p1f1", "gregorian and proleptic_gregorian mixed", "harmless",
          "months are numbers, each as long as in its own calendar",
          f"{_ESMVAL}ec_earth3_veg.py; {_CH11}; {_EXCEPTIONS}"),
    Fault(26, "EC-Earth3 r3i1p1f1", "the first file is bad, time goes back", "rejected",
          "contract: months must rise", f"{_EXCEPTIONS}; {_CH11}"),
    Fault(27, "EC-Earth3 siconca", "a fraction declared as %", "out of scope", _OCEAN,
          f"ES-DOC errata c6fa7e9f; {_ESMVAL}ec_earth3.py"),
    Fault(28, "MCM-UA-1-0", "dimensions latitude and longitude, spaces in names, the last longitude bound is 360",
          "cured", "steps names and bounds; parent units are not read", f"{_ESMVAL}mcm_ua_1_0.py; {_CH11}"),
    Fault(29, "NorESM2-LM, NorESM2-MM", "first and last longitude bounds cut at 0 and 360", "cured",
          "step bounds: rebuilt from centres", f"{_ESMVAL}noresm2_lm.py"),
    Fault(30, "NorESM2-LM Emon v20190815", "every second month lacks", "rejected", _INCOMPLETE,
          "ES-DOC errata 297205eb, 5ebabff0"),
    Fault(31, "NorCPM1", "coordinates differ between files; historical runs go on after 2014", "harmless",
          "a store has one set of coordinates; what a historical run has beyond a scenario's first month is left out",
          f"{_CH11}; ES-DOC errata ad9e4213"),
    Fault(32, "MPI-ESM1-2-HR, MPI-ESM1-2-XR", "latitude bounds in falling order", "cured",
          "step bounds: put in rising order", "ES-DOC errata 2eb6af52"),
    Fault(33, "FGOALS-f3-L", "time bounds span 20 days, latitude bounds leave gaps, sftlf is 0..1 and not %", "cured",
          "steps times (stamps decide), bounds (rebuilt) and units (sftlf as a fraction)",
          f"{_ESMVAL}fgoals_f3_l.py; {_CH11}"),
    Fault(34, "IITM-ESM, KACE-1-0-G, CAMS-CSM1-0", "time bounds are wrong; scenarios end in 2099-12", "cured",
          f"step times (stamps decide); the end: {_INCOMPLETE}", f"{_ESMVAL}iitm_esm.py, kace_1_0_g.py; {_CH7}"),
    Fault(35, "FIO-ESM-2-0", "latitude and longitude bounds overlap or have no width", "cured",
          "step bounds: rebuilt from centres", f"{_ESMVAL}fio_esm_2_0.py"),
    Fault(36, "FGOALS-g3 ocean, sea ice", "latitudes and longitudes above 1e30 on land", "out of scope",
          f"{_OCEAN}; latitudes beyond the poles reject any dataset", f"{_ESMVAL}fgoals_g3.py; ES-DOC errata 53b4ab55"),
    Fault(37, "KACE-1-0-G ocean", "invalid latitudes", "out of scope",
          f"{_OCEAN}; latitudes beyond the poles reject any dataset", "ES-DOC errata 972fd3b4"),
    Fault(38, "UKESM1-0-LL Omon", "latitudes and longitudes are wrong", "out of scope", _OCEAN,
          "ES-DOC errata 306c5df5"),
    Fault(39, "MRI-ESM2-0 ocean", "land is NaN though the fill value is 1e20", "out of scope",
          f"{_OCEAN}; both are missing cells", "ES-DOC errata 90563b0c"),
    Fault(40, "E3SM-1-0, E3SM-1-1 ocean", "land is zero, not masked", "out of scope", _OCEAN, "ES-DOC errata ff67272d"),
    Fault(41, "E3SM-1-1 ta, hus, ua, va", "unmasked values above 1000", "out of scope",
          "the variable table holds no variable on levels: asking for one is refused", f"{_ESMVAL}e3sm_1_1.py"),
    Fault(42, "CAS-ESM2-0 rsdt", "235 W m-2 on the globe, a quarter of the solar constant is 340", "rejected",
          "plausible mean over the globe", _CH7),
    Fault(43, "CAS-ESM2-0 mrsos", "-9999 where a value lacks", "out of scope",
          "the variable is not in the table; in those that are, plausible values reject it", _CH11),
    Fault(44, "SAM0-UNICON nbp; CAMS-CSM1-0, EC-Earth evspsbl; CAMS-CSM1-0 tauu", "wrong sign", "cured",
          "quirk SAM0-UNICON nbp; nbp of other models that peaks in the northern winter is rejected by the check of "
          "seasons, evspsbl by the plausible mean over the globe; tauu is not in the table",
          f"{_ESMVAL}sam0_unicon.py (Nbp); ES-DOC errata 84695016, 99ffcdca, eafbed67"),
    Fault(45, "CMCC-CM2-VHR4 control-1950", "July 1982 is zero", "rejected", "plausible values, months named",
          "ES-DOC errata 567f5e12"),
    Fault(46, "IPSL-CM6A-LR abrupt-4xCO2 r2-r12, CNRM-CM6-1 r2-r6", "runs of 6 to 10 years that begin in mid-year",
          "harmless", "a year that lacks a month has no mean", _CH7),
    Fault(47, "IPSL-CM6A-LR ocean", "depth axis differs between members, nav_lat, time-dependent bounds",
          "out of scope", f"{_OCEAN}; nav_lat, nav_lon and time-dependent bounds are mended wherever they are",
          f"{_XMIP}; intake-esm issue 148; {_EXCEPTIONS}"),
    Fault(48, "SAM0-UNICON piControl", "year 290 lacks, files overlap, bounds have a time dimension", "rejected",
          "contract: months appear twice; alone, the gap is listed in missing_periods and the bounds are mended",
          f"ES-DOC errata 8fbd8df5; {_CH11}; {_XMIP}"),
    Fault(49, "GFDL-CM4", "branch times are wrong", "harmless",
          "branch times are not read: a scenario continues the historical run of the same member at its first month",
          f"ES-DOC errata 2f6b5963, 61fb170e; {_XMIP}"),
    Fault(50, "EC-Earth3, EC-Earth3-Veg r2i1p1f1, IPSL-CM6A-LR ssp245 r2i1p1f1", "wrong branch time or parent member",
          "errata", "branch times are not read, a wrong parent cannot be told",
          "ES-DOC errata 0c6a7ff7, 5bbfa916, 15123829, 3fc6e480"),
    Fault(51, "AWI-ESM-1-1-LR, UKESM1-0-LL", "parent_time_units that cannot be read", "harmless",
          "parent units are not read", f"{_ESMVAL}awi_esm_1_1_lr.py, ukesm1_0_ll.py"),
    Fault(52, "GFDL-CM4, GFDL-AM4", "frequency is monC", "cured", "step times: taken for monthly means",
          "ES-DOC errata b6302400"),
    Fault(53, "CESM2 AerChemMIP; MPI-ESM1-2-HR", "wrong source_id", "errata", "the data are another model's",
          "ES-DOC errata 6356eb3c, c36c71da"),
    Fault(54, "MIROC-ES2L", "invalid time units", "rejected", "step times: cannot be decoded",
          "ES-DOC errata 1b335689"),
    Fault(55, "GISS-E2-1-G hist-nat r4", "a second that no clock has", "rejected", "step times: cannot be decoded",
          _EXCEPTIONS),
    Fault(56, "CanESM5, IPSL-CM6A-LR, MRI-ESM2-0, CESM2-WACCM ssp585, ssp126", "runs to 2180 or 2300", "harmless",
          "dates are cftime's and months are numbers: neither ends in 2262",
          f"{_CH7}; xarray issue 10975; ClimateImpactLab/downscaleCMIP6 issue 345"),
    Fault(57, "CESM2 Omon", "levels in cm, not m", "out of scope", _OCEAN, f"{_ESMVAL}cesm2.py (Omon)"),
    Fault(58, "AWI-CM-1-1-MR, AWI-ESM-1-1-LR", "unstructured grid; a copy holds 21 of 86 years", "rejected",
          f"step bounds refuses cells without rows; the copy: {_INCOMPLETE}", f"{_XMIP}; {_CH7}"),
    Fault(59, "IPSL-CM6A-LR 1pctCO2, abrupt-4xCO2", "links to wrong versions", "errata", "the data are another run's",
          "ES-DOC errata 6838a44b"),
    Fault(60, "NorESM2-LM piControl and others", "one dataset split over several versions", "errata",
          "what lacks in a version is listed in missing_periods or ends it early", "ES-DOC errata cab4d20c, 6d63f8c4"),
    Fault(61, "EC-Earth3-Veg 1pctCO2", "CO2 is constant after year 141", "errata", "a fault of the forcing",
          "ES-DOC errata 92a64dcc"),
    Fault(62, "CanESM5 gpp", "0 over the ocean, not masked", "harmless",
          "weighted by the land share; negative mrso is implausible; daily fields of CESM2-WACCM-FV2 are not read",
          f"{_ESMVAL}canesm5.py; {_CH11}; {_EXCEPTIONS}"),
    Fault(63, "MPI-ESM1-2-HR historical tas, cloud copy", "only 1915-1959", "rejected", _INCOMPLETE,
          "leap-stc/cmip6-leap-feedstock issue 116"),
    Fault(64, "piControl of all models", "six calendars under more names", "harmless",
          "calendars get their one name; months are numbers", "IPCC-WG1/Chapter-7 meta.txt, computed from it"),
)  # fmt: skip
"""Every fault, by number."""


def page() -> str:
    """Write the table as a page of documentation.

    Returns
    -------
    str
        Markdown.
    """
    count = Counter(fault.how for fault in FAULTS)
    lines = [
        "# Real faults, and what becomes of them",
        "",
        "Sixty-four faults of CMIP6 datasets as published, each with where it is documented. Made by",
        "`python -m spread.conform.faults`; every row that is cured, rejected or harmless has a test that builds the",
        "broken dataset and shows the outcome (`tests/conform/test_faults.py`).",
        "",
        "| outcome | faults | what it means |",
        "|---|---|---|",
        *(f"| {how} | {count[how]} | {meaning} |" for how, meaning in OUTCOMES.items()),
        "",
        "| # | dataset | fault | outcome | by, or why | receipt |",
        "|---|---|---|---|---|---|",
        *(f"| {f.number} | {f.who} | {f.what} | {f.how} | {f.by} | {f.receipt} |" for f in FAULTS),
    ]
    return "\n".join(line.replace("CESM2*", "CESM2\\*") for line in lines) + "\n"


if __name__ == "__main__":
    print(page(), end="")
