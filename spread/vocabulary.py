"""The field's words: CMIP6 facets, one catalog row, and one table of variables.

The table is the only place that knows a variable's canonical unit, sign and plausible range; conform, reduce, ensemble
and figures read it. What it does not hold: anything about a particular model (that is ``conform/quirks.py``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import MappingProxyType

FACETS = (
    "activity_id",
    "institution_id",
    "source_id",
    "experiment_id",
    "member_id",
    "table_id",
    "variable_id",
    "grid_label",
)
"""CMIP6 facets of a dataset, in the order of the data reference syntax (CMIP6 Global Attributes, DRS, 2018)."""

HISTORICAL = "historical"

SCENARIO_LABELS = MappingProxyType(
    {
        "ssp119": "SSP1-1.9",
        "ssp126": "SSP1-2.6",
        "ssp245": "SSP2-4.5",
        "ssp370": "SSP3-7.0",
        "ssp434": "SSP4-3.4",
        "ssp460": "SSP4-6.0",
        "ssp534-over": "SSP5-3.4-OS",
        "ssp585": "SSP5-8.5",
        "historical": "Historical",
        "piControl": "Pre-industrial control",
        "abrupt-4xCO2": "Abrupt 4xCO2",
        "1pctCO2": "1 % per year CO2",
    }
)
"""How experiments are named in figures (AR6 WGI, Box SPM.1)."""


@dataclass(frozen=True)
class Row:
    """One dataset of a catalog: its CMIP6 facets, where it lies and which version it is.

    Parameters
    ----------
    activity_id, institution_id, source_id, experiment_id, member_id, table_id, variable_id, grid_label : str
        CMIP6 facets.
    zstore : str
        URL or path of the Zarr store.
    version : str
        Dataset version, ``YYYYMMDD``; empty where the catalog does not say.
    """

    activity_id: str
    institution_id: str
    source_id: str
    experiment_id: str
    member_id: str
    table_id: str
    variable_id: str
    grid_label: str
    zstore: str
    version: str = ""

    @property
    def name(self) -> str:
        """``source_id.experiment_id.member_id.variable_id``, how messages call this dataset."""
        return f"{self.source_id}.{self.experiment_id}.{self.member_id}.{self.variable_id}"

    def facets(self) -> dict[str, str]:
        """Facets, version and store as a dictionary of strings."""
        return {facet: getattr(self, facet) for facet in (*FACETS, "version", "zstore")}


@dataclass(frozen=True)
class Season:
    """The yearly cycle that the mean over a variable's domain must have.

    Parameters
    ----------
    highest : tuple of float
        Between which times of the year it is highest [months since 1 January].
    amplitude : float
        Half the range of the cycle from which it has a phase [units of the variable].
    shift : float
        Months by which the phase may shift between a decade and the next.
    fault : str
        What is wrong where it is highest at another time.
    """

    highest: tuple[float, float]
    amplitude: float
    shift: float = math.inf
    fault: str = "the months are named wrongly"


@dataclass(frozen=True)
class Variable:
    """What spread holds to be true of a CMIP6 variable.

    Parameters
    ----------
    variable_id : str
        CMIP6 name.
    standard_name, long_name, units, cell_methods : str
        As in the CMIP6 data request (CMIP6_Amon, Lmon, fx tables 01.00.33); ``units`` is the canonical unit.
    realm : str
        CMIP6 modeling realm.
    domain : str
        Where the field is defined: ``all`` cells, ``land`` or ``ocean``.
    plausible : tuple of float
        Lowest and highest value that a conformed monthly field may hold [units]; beyond it the data are broken.
    anomaly : str
        How changes are given by default: ``absolute`` or ``percent`` of the base period.
    plausible_mean : tuple of float
        Lowest and highest monthly mean over the whole globe [units]; beyond it a unit or a factor is wrong.
    display : tuple of (str, float)
        Unit in which changes are shown to people, and the factor from the canonical one.
    positive : str
        Direction of a flux that counts as positive; empty where it has none.
    jump : float
        Largest change of the domain's mean between two consecutive years that is believed, whatever the run [units];
        half of it for a single month.
    season : Season or None
        The yearly cycle of the domain's mean; None where that varies.
    recurs : bool
        True where a field may be bit for bit that of another month.
    """

    variable_id: str
    standard_name: str
    long_name: str
    units: str
    cell_methods: str
    realm: str
    domain: str
    plausible: tuple[float, float]
    anomaly: str = "absolute"
    plausible_mean: tuple[float, float] = (-math.inf, math.inf)
    display: tuple[str, float] | None = None
    positive: str = ""
    jump: float = math.inf
    season: Season | None = None
    recurs: bool = False

    def change_display(self, kind: str) -> tuple[str, float]:
        """Unit in which a change is shown, and the factor from the unit in which it is stored.

        Parameters
        ----------
        kind : str
            ``absolute`` or ``percent``.

        Returns
        -------
        tuple of (str, float)
            Unit and factor.
        """
        if kind == "percent":
            return "%", 1.0
        return self.display or (self.units, 1.0)


def _table(*variables: Variable) -> MappingProxyType[str, Variable]:
    return MappingProxyType({variable.variable_id: variable for variable in variables})


_LAND = "area: mean where land time: mean"

# In 165 real monthly runs (IPCC-WG1/Atlas) the yearly mean changes by 0.79 K at most and a single month by 0.61 K; in
# the first two years of abrupt-4xCO2 (chrisroadmap/ar6) by 1.3 K; the yearly cycle peaks 6.1 to 7.0 months after the
# first of January.
_TEMPERATURE_JUMP = 2.0  # K
# Half the yearly cycle is 1.3 K at least (0 on an aquaplanet), its phase shifts by 0.17 months at most between decades;
# one month named wrongly makes 1.
_WARMING = Season(highest=(5.1, 8.0), amplitude=0.5, shift=0.7)

# Of the order of 120 Pg C a-1 are fixed and 450 Pg C are held on 1.49e14 m2 of land: 2.6e-8 kg m-2 s-1 and 3 kg m-2.
# The bounds leave a factor of ten, so that a factor of 1000 is told. The net flux is a small difference of large ones.
_GPP_MEAN, _NBP_MEAN, _CVEG_MEAN = (1e-9, 3e-7), (-1e-7, 1e-7), (0.1, 30.0)

# The air's CO2 falls from May to September (Keeling et al. 1996, Nature 382, 146-149): land takes it up in the northern
# summer, and a net flux that is highest in the northern winter has its sign turned. 1.5e-9 kg m-2 s-1 over the land is
# 7 Pg C a-1, a third or less of the cycle that draws CO2 down by 6 ppm (13 Pg C) in four months.
_UPTAKE = Season(highest=(2.5, 10.5), amplitude=1.5e-9, fault="the sign is turned, or the months are named wrongly")

VARIABLES = _table(
    # Global monthly means of CMIP6 models lie in 284..300 K before 2100 (reference base states 285.5..288.4 K, plus 4 K
    # of seasons and up to 10 K of warming).
    # Lowest and highest near-surface air temperatures on record: 184 K (Vostok 1983), 330 K (Death Valley 1913), WMO
    # archive of weather extremes; monthly model means stay well inside 150-350 K.
    Variable(
        "tas", "air_temperature", "Near-surface air temperature", "K", "area: time: mean", "atmos", "all",
        (150.0, 350.0), plausible_mean=(270.0, 315.0), jump=_TEMPERATURE_JUMP, season=_WARMING,
    ),
    Variable(
        "tasmax", "air_temperature", "Daily maximum near-surface air temperature", "K", "area: mean time: maximum",
        "atmos", "all", (150.0, 360.0), plausible_mean=(270.0, 320.0), jump=_TEMPERATURE_JUMP, season=_WARMING,
    ),
    Variable(
        "tasmin", "air_temperature", "Daily minimum near-surface air temperature", "K", "area: mean time: minimum",
        "atmos", "all", (140.0, 350.0), plausible_mean=(265.0, 315.0), jump=_TEMPERATURE_JUMP, season=_WARMING,
    ),
    # 0.01 kg m-2 s-1 is 864 mm d-1; the wettest month on record is 9,300 mm (Cherrapunji 1861, WMO), 310 mm d-1. Small
    # negatives are interpolation noise of spectral models. The global mean is 2.7 mm d-1 observed (GPCP, Adler et al.
    # 2018) and 2.8-3.3 mm d-1 in CMIP6; the bounds are 1.3 and 6 mm d-1. A fifth of the mean, 7e-6, between two years
    # would take several degrees of warming at 2-3 % K-1.
    Variable(
        "pr", "precipitation_flux", "Precipitation", "kg m-2 s-1", "area: time: mean", "atmos", "all",
        (-1e-5, 0.01), anomaly="percent", plausible_mean=(1.5e-5, 7e-5), display=("mm d-1", 86400.0), jump=7e-6,
    ),
    # What rains has evaporated. 1e-3 kg m-2 s-1 takes 2,500 W m-2, more than the Sun gives; dew and frost of a month
    # that release 250 W m-2 are as impossible.
    Variable(
        "evspsbl", "water_evapotranspiration_flux", "Evaporation, with sublimation and transpiration", "kg m-2 s-1",
        "area: time: mean", "atmos", "all", (-1e-4, 1e-3), anomaly="percent", plausible_mean=(1.5e-5, 7e-5),
        display=("mm d-1", 86400.0), positive="up", jump=7e-6,
    ),
    # The solar constant is 1,361 W m-2 (Kopp and Lean 2011): a quarter of it, 340, comes in, from 329 in July to 352 in
    # January; a polar summer month receives at most about 560. CAS-ESM2-0 publishes a global mean near 235. Between two
    # whole years real runs change by 1.1 W m-2 (rsdt), 2.7 (rsut) and 4.4 (rlut) at most (chrisroadmap/ar6).
    Variable(
        "rsdt", "toa_incoming_shortwave_flux", "TOA incident shortwave radiation", "W m-2", "area: time: mean",
        "atmos", "all", (-1.0, 700.0), plausible_mean=(320.0, 360.0), positive="down", jump=5.0,
        recurs=True,
    ),
    Variable(
        "rsut", "toa_outgoing_shortwave_flux", "TOA outgoing shortwave radiation", "W m-2", "area: time: mean",
        "atmos", "all", (-1.0, 700.0), plausible_mean=(60.0, 160.0), positive="up", jump=10.0,
    ),
    Variable(
        "rlut", "toa_outgoing_longwave_flux", "TOA outgoing longwave radiation", "W m-2", "area: time: mean",
        "atmos", "all", (50.0, 450.0), plausible_mean=(200.0, 300.0), positive="up", jump=10.0,
    ),
    # 1e-6 kg m-2 s-1 is 31.6 kg C m-2 a-1, ten times the most productive ecosystems' annual gpp.
    Variable(
        "gpp", "gross_primary_productivity_of_biomass_expressed_as_carbon", "Gross primary production",
        "kg m-2 s-1", _LAND, "land", "land", (-1e-8, 1e-6), plausible_mean=_GPP_MEAN, display=("g m-2 d-1", 8.64e7),
        positive="down", jump=1e-8,
    ),
    Variable(
        "nbp",
        "surface_net_downward_mass_flux_of_carbon_dioxide_expressed_as_carbon_due_to_all_land_processes",
        "Net biome production", "kg m-2 s-1", _LAND, "land", "land", (-1e-5, 1e-6), plausible_mean=_NBP_MEAN,
        display=("g m-2 d-1", 8.64e7), positive="down", season=_UPTAKE,
    ),
    Variable(
        "cVeg", "vegetation_carbon_content", "Carbon mass in vegetation", "kg m-2", _LAND, "land", "land",
        (-1e-3, 200.0), plausible_mean=_CVEG_MEAN, jump=1.0, recurs=True,
    ),
    Variable(
        "ra", "surface_upward_mass_flux_of_carbon_dioxide_expressed_as_carbon_due_to_plant_respiration",
        "Respiration of plants", "kg m-2 s-1", _LAND, "land", "land", (-1e-8, 1e-6), plausible_mean=_GPP_MEAN,
        display=("g m-2 d-1", 8.64e7), positive="up", jump=1e-8,
    ),
    Variable(
        "rh", "surface_upward_mass_flux_of_carbon_dioxide_expressed_as_carbon_due_to_heterotrophic_respiration",
        "Heterotrophic respiration", "kg m-2 s-1", _LAND, "land", "land", (-1e-8, 1e-6), plausible_mean=_GPP_MEAN,
        display=("g m-2 d-1", 8.64e7), positive="up", jump=1e-8,
    ),
    # Leaf area of dense forest is 5 to 8, the highest on record about 20 (Asner et al. 2003, Glob. Ecol. Biogeogr. 12).
    Variable(
        "lai", "leaf_area_index", "Leaf area index", "1", _LAND, "land", "land", (-1e-3, 60.0),
        plausible_mean=(0.05, 15.0), jump=1.0, recurs=True,
    ),
    Variable(
        "mrro", "runoff_flux", "Total runoff", "kg m-2 s-1", _LAND, "land", "land", (-1e-4, 0.01), anomaly="percent",
        plausible_mean=(1e-7, 7e-5), display=("mm d-1", 86400.0), recurs=True,
    ),
    Variable(
        "mrso", "mass_content_of_water_in_soil", "Total soil moisture content", "kg m-2", _LAND, "land", "land",
        (-1e-3, 5e4), anomaly="percent", plausible_mean=(10.0, 2e4), recurs=True,
    ),
    # Litter holds a tenth of what plants do, soil some 1,500 Pg C to one metre and twice that with permafrost.
    Variable(
        "cLitter", "litter_mass_content_of_carbon", "Carbon mass in litter", "kg m-2", _LAND, "land", "land",
        (-1e-3, 100.0), plausible_mean=(1e-3, 10.0), jump=1.0, recurs=True,
    ),
    Variable(
        "cSoil", "soil_mass_content_of_carbon", "Carbon mass in soil", "kg m-2", _LAND, "land", "land",
        (-1e-3, 500.0), plausible_mean=(0.5, 100.0), jump=1.0, recurs=True,
    ),
    Variable("areacella", "cell_area", "Grid-cell area", "m2", "area: sum", "atmos", "all", (0.0, 1e12)),
    Variable("sftlf", "land_area_fraction", "Percentage of the grid cell occupied by land", "%", "area: mean", "atmos",
             "all", (0.0, 100.001)),
)  # fmt: skip
"""The variables spread knows, by ``variable_id``."""
