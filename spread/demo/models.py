"""The table of demo models and of the stores that each publishes; facets and grids only, no fields.

Names, institutions, members and calendars are those of real CMIP6 models; grids are far coarser than the real ones,
and dates of publication are invented so that no store can be mistaken for a real dataset of the same name.
"""

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["CARBON_MODELS", "EXPERIMENTS", "IDEALISED", "MODELS", "PERIODS", "VARIABLES", "Model", "Store", "stores"]

SCENARIOS = ("ssp126", "ssp245", "ssp370", "ssp585")
PERIODS = {"historical": (1850, 2014)} | dict.fromkeys(SCENARIOS, (2015, 2100))
IDEALISED = {"abrupt-4xCO2": 150, "1pctCO2": 150, "piControl": 200}
EXPERIMENTS = (*PERIODS, *IDEALISED)
VARIABLES = ("tas", "pr", "areacella", "sftlf", "nbp", "gpp", "cVeg", "rsdt", "rsut", "rlut")


@dataclass(frozen=True)
class Model:
    """A demo model.

    Parameters
    ----------
    source_id, institution_id : str
    shape : tuple of int
        Rows and columns of its grid.
    grid : str
        `gaussian`, `regular` (half cells off the poles), `poles` (rows on the poles) or `rotated` (curvilinear).
    calendar : str
        As the files spell it.
    members : tuple of str
        Variant labels; `pr`, land carbon and fixed fields exist for the first one only.
    first_lon : float
        Centre of the first column in cell widths, added to `west` [1].
    west : float
        Where longitudes start [degrees east].
    descending : bool
        Whether latitudes run from north to south.
    grid_label, version : str
    zarr_format : int
    scenarios : tuple of str
        Scenarios that the model ran.
    time_origin : int
        Year of the time units of scenario runs.
    scenario_institution : str
        Institution of the scenario runs where it is another one.
    """

    source_id: str
    institution_id: str
    shape: tuple[int, int]
    grid: str
    calendar: str
    members: tuple[str, ...] = ("r1i1p1f1",)
    first_lon: float = 0.0
    west: float = 0.0
    descending: bool = False
    grid_label: str = "gn"
    version: str = "20260105"
    zarr_format: int = 2
    scenarios: tuple[str, ...] = SCENARIOS
    time_origin: int = 1850
    scenario_institution: str = ""

    def institution(self, experiment_id: str) -> str:
        """Institution that published an experiment."""
        return (experiment_id in SCENARIOS and self.scenario_institution) or self.institution_id


_TABLE = (
    Model("ACCESS-ESM1-5", "CSIRO", (19, 24), "poles", "proleptic_gregorian", ("r1i1p1f1", "r2i1p1f1")),
    Model("AWI-CM-1-1-MR", "AWI", (18, 28), "rotated", "proleptic_gregorian", version="20260112"),
    Model("BCC-CSM2-MR", "BCC", (18, 36), "gaussian", "365_day", descending=True, time_origin=2015, version="20260113"),
    Model("CAMS-CSM1-0", "CAMS", (16, 32), "gaussian", "365_day", ("r2i1p1f1",), version="20260114"),
    Model("CESM2", "NCAR", (19, 32), "poles", "noleap", ("r4i1p1f1", "r10i1p1f1"), version="20260119"),
    Model("CMCC-CM2-SR5", "CMCC", (19, 32), "poles", "365_day", version="20260120"),
    Model(
        "CNRM-CM6-1", "CNRM-CERFACS", (18, 36), "gaussian", "gregorian", ("r1i1p1f2",), grid_label="gr", zarr_format=3
    ),
    Model(
        "CanESM5", "CCCma", (16, 32), "gaussian", "365_day", ("r1i1p1f1", "r2i1p1f1", "r3i1p1f1"), version="20260121"
    ),
    Model("EC-Earth3", "EC-Earth-Consortium", (20, 40), "gaussian", "gregorian", grid_label="gr", version="20260122"),
    Model("FGOALS-g3", "CAS", (18, 36), "regular", "365_day", version="20260126"),
    Model(
        "GFDL-ESM4", "NOAA-GFDL", (18, 30), "regular", "365_day", first_lon=0.5, grid_label="gr1", version="20260127"
    ),
    Model(
        "HadGEM3-GC31-LL",
        "MOHC",
        (18, 24),
        "regular",
        "360_day",
        ("r1i1p1f3",),
        0.5,
        scenarios=("ssp126", "ssp245", "ssp585"),
    ),
    Model("INM-CM4-8", "INM", (18, 24), "regular", "365_day", grid_label="gr1", version="20260128"),
    Model(
        "IPSL-CM6A-LR", "IPSL", (19, 24), "poles", "gregorian", ("r1i1p1f1", "r2i1p1f1"), west=-180.0, grid_label="gr"
    ),
    Model(
        "KACE-1-0-G",
        "NIMS-KMA",
        (18, 24),
        "regular",
        "360_day",
        ("r2i1p1f1",),
        0.5,
        grid_label="gr",
        version="20260129",
    ),
    Model("MIROC-ES2L", "MIROC", (16, 32), "gaussian", "gregorian", ("r1i1p1f2",), zarr_format=3, version="20260202"),
    Model(
        "MIROC6", "MIROC", (18, 36), "gaussian", "standard", ("r1i1p1f1", "r2i1p1f1", "r3i1p1f1"), version="20260203"
    ),
    Model(
        "MPI-ESM1-2-HR",
        "MPI-M",
        (30, 60),
        "gaussian",
        "proleptic_gregorian",
        version="20260204",
        scenario_institution="DKRZ",
    ),
    Model("MPI-ESM1-2-LR", "MPI-M", (16, 32), "gaussian", "proleptic_gregorian", version="20260204"),
    Model("MRI-ESM2-0", "MRI", (20, 40), "gaussian", "proleptic_gregorian", zarr_format=3, version="20260209"),
    Model("NESM3", "NUIST", (16, 32), "gaussian", "standard", time_origin=2015, version="20260210"),
    Model("NorESM2-LM", "NCC", (19, 24), "poles", "noleap", version="20260211"),
    Model("TaiESM1", "AS-RCEC", (19, 32), "poles", "noleap", version="20260216"),
    Model("UKESM1-0-LL", "MOHC", (18, 24), "regular", "360_day", ("r1i1p1f2", "r2i1p1f2"), 0.5, version="20260217"),
)
MODELS = {model.source_id: model for model in _TABLE}

CARBON_MODELS = ("CESM2", "CanESM5", "MIROC-ES2L", "UKESM1-0-LL")
CARBON_EXPERIMENTS = ("historical", "ssp126", "ssp585")
IDEALISED_MEMBERS = dict.fromkeys(
    ("ACCESS-ESM1-5", "CESM2", "CanESM5", "GFDL-ESM4", "IPSL-CM6A-LR", "MIROC6", "MRI-ESM2-0", "NorESM2-LM"), "r1i1p1f1"
) | {"CNRM-CM6-1": "r1i1p1f2", "HadGEM3-GC31-LL": "r1i1p1f3", "UKESM1-0-LL": "r1i1p1f2"}
WITHOUT_AREA = ("NorESM2-LM", "CAMS-CSM1-0")


@dataclass(frozen=True, order=True)
class Store:
    """Facets of one store: one variable of one run."""

    source_id: str
    experiment_id: str
    member_id: str
    table_id: str
    variable_id: str

    @property
    def model(self) -> Model:
        """The model that published it."""
        return MODELS[self.source_id]

    @property
    def facets(self) -> dict[str, str]:
        """The row of the catalog, less path and version."""
        activity = "ScenarioMIP" if self.experiment_id in SCENARIOS else "CMIP"
        return {
            "activity_id": activity,
            "institution_id": self.model.institution(self.experiment_id),
            "source_id": self.source_id,
            "experiment_id": self.experiment_id,
            "member_id": self.member_id,
            "table_id": self.table_id,
            "variable_id": self.variable_id,
            "grid_label": "gm" if self.experiment_id in IDEALISED else self.model.grid_label,
        }

    @property
    def words(self) -> str:
        """What a progress bar says of it."""
        return f"{self.source_id} {self.experiment_id} {self.member_id} {self.variable_id}"

    @property
    def path(self) -> str:
        """Folder of the store below the archive root."""
        return "/".join(["CMIP6", *self.facets.values(), f"v{self.model.version}"])


def _stores_of(model: Model) -> Iterable[Store]:
    """Everything that one model publishes."""
    name, first = model.source_id, model.members[0]
    for experiment in ("historical", *model.scenarios):
        for member in model.members:
            yield Store(name, experiment, member, "Amon", "tas")
        yield Store(name, experiment, first, "Amon", "pr")
        if name in CARBON_MODELS and experiment in CARBON_EXPERIMENTS:
            yield from (Store(name, experiment, first, "Eyr", variable) for variable in ("nbp", "gpp", "cVeg"))
    if name not in WITHOUT_AREA:
        yield from (Store(name, "historical", first, "fx", variable) for variable in ("areacella", "sftlf"))
    if name in IDEALISED_MEMBERS:
        for experiment in IDEALISED:
            for variable in ("tas", "rsdt", "rsut", "rlut"):
                yield Store(name, experiment, IDEALISED_MEMBERS[name], "Amon", variable)


def chosen(what: str, wanted: Iterable[str] | None, known: Iterable[str]) -> set[str]:
    """Check a filter against what exists; None means everything."""
    known = set(known)
    if wanted is None:
        return known
    if isinstance(wanted, str):
        raise TypeError(f"demo archive: {what} must be a list of names, got the string {wanted!r}; write [{wanted!r}]")
    if unknown := sorted(set(wanted) - known):
        raise ValueError(f"demo archive: {what} {unknown} not in the demo; choose among {sorted(known)}")
    return set(wanted)


def stores(
    models: Iterable[str] | None = None,
    experiments: Iterable[str] | None = None,
    variables: Iterable[str] | None = None,
) -> list[Store]:
    """List the stores of the demo archive, in a fixed order.

    Parameters
    ----------
    models, experiments, variables : iterable of str, optional
        Keep only these; None keeps all.

    Returns
    -------
    list of Store

    Raises
    ------
    ValueError
        If a name is not in the demo.
    """
    names, runs = chosen("models", models, MODELS), chosen("experiments", experiments, EXPERIMENTS)
    fields = chosen("variables", variables, VARIABLES)
    every = [store for model in _TABLE if model.source_id in names for store in _stores_of(model)]
    return [store for store in every if store.experiment_id in runs and store.variable_id in fields]
