"""The field's words: CMIP6 facets, one catalog row, and one table of variables.

The table is the only place that knows a variable's canonical unit, sign and plausible range; conform, reduce, ensemble
and figures read it. What it does not hold: anything about a particular model (that is ``conform/quirks.py``).
"""

from __future__ import annotations

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
    display : tuple of (str, float, float)
        Unit shown to people, and the factor and offset from the canonical one.
    positive : str
        Direction of a flux that counts as positive; empty where it has none.
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
    display: tuple[str, float, float] = ("", 1.0, 0.0)
    positive: str = ""


def _table(*variables: Variable) -> MappingProxyType[str, Variable]:
    return MappingProxyType({variable.variable_id: variable for variable in variables})


_LAND = "area: mean where land time: mean"

VARIABLES = _table(
    # Lowest and highest near-surface air temperatures on record: 184 K (Vostok 1983), 330 K (Death Valley 1913), WMO
    # archive of weather extremes; monthly model means stay well inside 150-350 K.
    Variable(
        "tas", "air_temperature", "Near-surface air temperature", "K", "area: time: mean", "atmos", "all",
        (150.0, 350.0), display=("°C", 1.0, -273.15),
    ),
    Variable(
        "tasmax", "air_temperature", "Daily maximum near-surface air temperature", "K", "area: mean time: maximum",
        "atmos", "all", (150.0, 360.0), display=("°C", 1.0, -273.15),
    ),
    Variable(
        "tasmin", "air_temperature", "Daily minimum near-surface air temperature", "K", "area: mean time: minimum",
        "atmos", "all", (140.0, 350.0), display=("°C", 1.0, -273.15),
    ),
    # 0.01 kg m-2 s-1 is 864 mm d-1; the wettest month on record is 9,300 mm (Cherrapunji 1861, WMO), 310 mm d-1. Small
    # negatives are interpolation noise of spectral models.
    Variable(
        "pr", "precipitation_flux", "Precipitation", "kg m-2 s-1", "area: time: mean", "atmos", "all",
        (-1e-5, 0.01), anomaly="percent", display=("mm d-1", 86400.0, 0.0),
    ),
    # The solar constant is 1,361 W m-2 (Kopp and Lean 2011); a polar summer month receives at most about 560.
    Variable(
        "rsdt", "toa_incoming_shortwave_flux", "TOA incident shortwave radiation", "W m-2", "area: time: mean",
        "atmos", "all", (-1.0, 700.0), positive="down",
    ),
    Variable(
        "rsut", "toa_outgoing_shortwave_flux", "TOA outgoing shortwave radiation", "W m-2", "area: time: mean",
        "atmos", "all", (-1.0, 700.0), positive="up",
    ),
    Variable(
        "rlut", "toa_outgoing_longwave_flux", "TOA outgoing longwave radiation", "W m-2", "area: time: mean",
        "atmos", "all", (50.0, 450.0), positive="up",
    ),
    # 1e-6 kg m-2 s-1 is 31.6 kg C m-2 a-1, ten times the most productive ecosystems' annual gpp.
    Variable(
        "gpp", "gross_primary_productivity_of_biomass_expressed_as_carbon", "Gross primary production",
        "kg m-2 s-1", _LAND, "land", "land", (-1e-8, 1e-6), positive="down",
    ),
    Variable(
        "nbp",
        "surface_net_downward_mass_flux_of_carbon_dioxide_expressed_as_carbon_due_to_all_land_processes",
        "Net biome production", "kg m-2 s-1", _LAND, "land", "land", (-1e-5, 1e-6), positive="down",
    ),
    Variable(
        "cVeg", "vegetation_carbon_content", "Carbon mass in vegetation", "kg m-2", _LAND, "land", "land",
        (-1e-3, 200.0),
    ),
    Variable("areacella", "cell_area", "Grid-cell area", "m2", "area: sum", "atmos", "all", (0.0, 1e12)),
    Variable("sftlf", "land_area_fraction", "Percentage of the grid cell occupied by land", "%", "area: mean", "atmos",
             "all", (0.0, 100.001)),
)  # fmt: skip
"""The variables spread knows, by ``variable_id``."""
