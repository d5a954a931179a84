"""A Study says everything that decides a number: catalog, variable, members, periods, regions, statistics.

It is frozen, parsed strictly from TOML (an unknown or misspelt key is an error, all breaches are listed at once) and
written into every report. No option outside it changes a result.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from spread.errata import ACTIONS, SEVERITIES
from spread.errors import BadStudy, did_you_mean
from spread.regions import READ_FROM, REGIONS, Region, regions_asked
from spread.requests import Constraint, Maps, Observations, Sensitivity, Simulated, Strict, Weights, Years
from spread.vocabulary import HISTORICAL, VARIABLES

Season = Literal["annual", "DJF", "MAM", "JJA", "SON"]

EARLIEST_YEAR, LATEST_YEAR = 1, 3500  # CMIP6 runs lie between year 1 (piControl) and 3100 (long controls)


ERRATA = {"critical": "reject", "high": "reject", "medium": "note", "low": "note"}
"""What a study makes of known-bad dataset versions where it does not say otherwise, by severity."""


class Study(Strict):
    """What is asked, completely: two equal studies give equal numbers.

    Parameters
    ----------
    name : str
        Short name; the report's default folder is called after it.
    catalog : str
        A shipped catalog (``demo``, ``pangeo-cmip6``, ``pangeo-cmip6-s3``) or the path or URL of an intake-esm
        collection.
    variable_id, table_id : str
        CMIP6 names.
    experiments : tuple of str
        Scenarios to compare.
    historical : str or None
        Experiment that precedes them; None (in TOML, which has no such word, ``"none"``) where they stand alone.
    models, exclude_models : tuple of str
        ``source_id`` to take (empty: all) and to leave.
    members : str or tuple of str
        Model democracy: ``first`` member of each model, ``mean`` of a model's members, ``all`` members with equal
        votes, or labels such as ``r1i1p1f1``.
    grid_labels : tuple of str
        Grids in order of preference.
    errata : mapping of str to str
        What is made of dataset versions that are known to be bad (ES-DOC errata): ``reject``, ``note`` in the report or
        ``ignore``, by severity: ``critical`` and ``high`` (reject), ``medium`` and ``low`` (note). Where a dataset has
        several errata, the strictest action decides; one without a version is never rejected.
    require_all_experiments : bool
        Keep only models that have every experiment, so that scenarios are compared over the same models.
    base_period : tuple of int
        First and last year of the reference period.
    periods : tuple of (int, int)
        Periods whose change against the base period is asked.
    seasons : tuple of str
        ``annual``, ``DJF``, ``MAM``, ``JJA``, ``SON``.
    regions : tuple of Region
        Names of known regions, ``AR6:MED`` and so on, boxes, or polygons of a file: see :class:`Region`.
    anomaly : str
        ``absolute``, ``percent`` of the base period, or ``auto``: what the variable table says.
    incomplete_periods : str
        ``refuse`` a run that lacks part of a period, or ``allow`` it and mark it.
    minimum_years : float
        Share of a period's years that must be there even where incomplete periods are allowed.
    quantiles : tuple of float
        Quantiles across models.
    ddof : int
        Delta degrees of freedom of the standard deviation (1: sample, 0: population).
    partition : str
        How variance is divided among models, scenarios and internal variability: a name of
        :data:`spread.ensemble.PARTITION_DEFINITIONS`, or ``none``.
    warming_levels : tuple of float
        Levels of global warming [K] whose crossing is dated, where ``tas`` is studied.
    constraint : Constraint or None
        An observational constraint on future warming.
    weights : Weights or None
        Weights of models, whose statistics stand beside those of equal votes.
    sensitivity : Sensitivity or None
        ECS and TCR of the models that have idealised runs, or none.
    maps : Maps or None
        Maps of the same changes, or none.
    observations : Observations or None
        Series to draw beside the models.
    simulated : Simulated or None
        Simulated runs of land to show beside the models, or none.
    assessed : bool
        Draw the ranges assessed by AR6 where they apply (global annual ``tas``, 2081-2100 against 1850-1900).
    storage_options : mapping
        fsspec options by protocol, for example ``{"gs": {"token": "anon"}}``.
    """

    name: str = Field(default="study", pattern=r"^[A-Za-z0-9][\w.-]*$")
    catalog: str = "demo"
    variable_id: str = "tas"
    table_id: str = "Amon"
    experiments: tuple[str, ...] = Field(default=("ssp126", "ssp245", "ssp370", "ssp585"), min_length=1)
    historical: str | None = HISTORICAL
    models: tuple[str, ...] = ()
    exclude_models: tuple[str, ...] = ()
    members: Literal["first", "mean", "all"] | tuple[str, ...] = "first"
    grid_labels: tuple[str, ...] = ("gn", "gr", "gr1", "gr2", "gm")
    errata: dict[str, str] = Field(default_factory=dict, validate_default=True)
    require_all_experiments: bool = True
    base_period: Years = (1850, 1900)
    periods: tuple[Years, ...] = Field(default=((2081, 2100),), min_length=1)
    seasons: tuple[Season, ...] = Field(default=("annual",), min_length=1)
    regions: tuple[Region, ...] = Field(default=(REGIONS["global"],), min_length=1)
    anomaly: Literal["auto", "absolute", "percent"] = "auto"
    incomplete_periods: Literal["refuse", "allow"] = "refuse"
    minimum_years: float = Field(default=0.75, gt=0.0, le=1.0)
    quantiles: tuple[float, ...] = (0.05, 0.5, 0.95)
    ddof: int = Field(default=1, ge=0, le=1)
    partition: Literal["HS09", "Lehner2020", "Lehner2020-annual", "none"] = "HS09"
    warming_levels: tuple[float, ...] = (1.5, 2.0, 3.0, 4.0)
    constraint: Constraint | None = None
    weights: Weights | None = None
    sensitivity: Sensitivity | None = None
    maps: Maps | None = None
    observations: Observations | None = None
    simulated: Simulated | None = None
    assessed: bool = True
    storage_options: dict[str, dict[str, Any]] = Field(default_factory=dict, repr=False)

    @field_validator("regions", mode="before")
    @classmethod
    def _named_regions(cls, value: Any) -> Any:
        return regions_asked(value)

    @field_validator("models", "exclude_models", "experiments", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("errata", mode="before")
    @classmethod
    def _policy(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            raise ValueError(f"errata: expected an action for each severity, such as {{high = 'note'}}, got {value!r}")
        breaches = [
            f"errata: unknown severity {severity!r}, {did_you_mean(str(severity), SEVERITIES)}"
            for severity in value
            if severity not in SEVERITIES
        ]
        breaches += [
            f"errata.{severity}: unknown action {action!r}, {did_you_mean(str(action), ACTIONS)}"
            for severity, action in value.items()
            if action not in ACTIONS
        ]
        if breaches:
            raise ValueError("; ".join(breaches))
        return ERRATA | dict(value)

    @field_validator("historical", mode="before")
    @classmethod
    def _none_in_toml(cls, value: Any) -> Any:
        return None if value in ("none", "") else value

    @field_validator("variable_id")
    @classmethod
    def _known_variable(cls, value: str) -> str:
        if value not in VARIABLES:
            hint = did_you_mean(value, list(VARIABLES))
            raise ValueError(f"variable {value!r} is not in the table of variables, {hint}")
        return value

    @model_validator(mode="after")
    def _meaningful(self) -> Self:
        breaches = []
        for what, (first, last) in [("base_period", self.base_period), *(("periods", p) for p in self.periods)]:
            if not EARLIEST_YEAR <= first <= last <= LATEST_YEAR:
                breaches.append(f"{what}: expected [first year, last year] in order, got [{first}, {last}]")
        breaches += [f"quantiles: {q} is not between 0 and 1" for q in self.quantiles if not 0.0 <= q <= 1.0]
        for what in ("experiments", "models", "seasons", "periods"):
            values = getattr(self, what)
            if len(set(values)) != len(values):
                breaches.append(f"{what}: something is named twice")
        names = [region.name for region in self.regions]
        if len(set(names)) != len(names):
            breaches.append("regions: two regions have the same name")
        if self.observations is not None and self.observations.kind is not None and self.variable_id != "tas":
            breaches.append(
                f"observations.kind: it tells temperatures apart, {self.variable_id} has none; leave it out"
            )
        if self.historical in self.experiments:
            breaches.append(f"experiments: {self.historical!r} is the run that precedes the others, name it only once")
        if breaches:
            raise ValueError("; ".join(breaches))
        return self

    @property
    def all_experiments(self) -> tuple[str, ...]:
        """The experiments to read: the preceding run, then the scenarios."""
        return self.experiments if self.historical is None else (self.historical, *self.experiments)

    @property
    def anomaly_kind(self) -> str:
        """``absolute`` or ``percent``, after the variable table where the study says ``auto``."""
        return VARIABLES[self.variable_id].anomaly if self.anomaly == "auto" else self.anomaly

    @property
    def required_years(self) -> float:
        """Share of a period's years that a run must have."""
        return self.minimum_years if self.incomplete_periods == "allow" else 1.0

    @property
    def votes(self) -> str:
        """``all`` where every run has a vote, else ``mean``: every model has one."""
        return "all" if self.members == "all" else "mean"

    @classmethod
    def make(cls, **values: Any) -> Study:
        """Make a study, with breaches said in one sentence.

        Parameters
        ----------
        **values
            The fields of :class:`Study`.

        Returns
        -------
        Study
            The study.

        Raises
        ------
        BadStudy
            With every breach, and what to write instead.
        """
        try:
            return cls(**values)
        except ValidationError as error:
            name = values.get("name")
            raise BadStudy(f"study{f' {name!r}' if name else ''}: " + "; ".join(_breaches(error))) from None

    @classmethod
    def from_toml(cls, path: str | Path) -> Study:
        """Read a study from a TOML file; relative paths in it start at the file.

        Parameters
        ----------
        path : str or Path
            The file.

        Returns
        -------
        Study
            The study.

        Raises
        ------
        BadStudy
            If the file is not there, is not TOML, or breaks the rules above.
        """
        path = Path(path)
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise BadStudy(f"study file {path}: not found; write one, or try `spread demo`") from None
        except (OSError, UnicodeDecodeError) as error:
            raise BadStudy(f"study file {path}: cannot be read: {error}") from None
        except tomllib.TOMLDecodeError as error:
            raise BadStudy(f"study file {path}: not valid TOML: {error}") from None
        values.setdefault("name", path.stem)
        if isinstance(values.get("catalog"), str):
            values["catalog"] = _beside(path, values["catalog"])
        observations = values.get("observations")
        if isinstance(observations, dict) and isinstance(observations.get("file"), str):
            values["observations"] = observations | {"file": _beside(path, observations["file"])}
        simulated = values.get("simulated")
        if isinstance(simulated, dict) and isinstance(simulated.get("runs"), str | list):
            runs = [simulated["runs"]] if isinstance(simulated["runs"], str) else simulated["runs"]
            values["simulated"] = simulated | {"runs": [_beside(path, run) for run in runs if isinstance(run, str)]}
        if isinstance(values.get("regions"), list):
            values["regions"] = [
                item | {"file": _beside(path, item["file"])} if isinstance(item, dict) and "file" in item else item
                for item in values["regions"]
            ]
        return cls.make(**values)


def _beside(study_file: Path, location: str) -> str:
    candidate = study_file.parent / location
    return str(candidate.resolve()) if "://" not in location and candidate.exists() else location


def _breaches(error: ValidationError) -> list[str]:
    """Every breach of a validation, each in words that name the key and the fix."""
    found = []
    for item in error.errors():
        location = [part for part in item["loc"] if not str(part).startswith(("literal[", "tuple[", "function-"))]
        key = ".".join(str(part) for part in location)
        if item["type"] == "extra_forbidden":
            models: dict[str, type[BaseModel]] = {
                "observations": Observations, "regions": Region, "maps": Maps, "constraint": Constraint,
                "weights": Weights, "simulated": Simulated, "sensitivity": Sensitivity,
            }  # fmt: skip
            fields = [
                *models.get(str(location[0]), Study).model_fields,
                *(READ_FROM if location[0] == "regions" else ()),
            ]
            found.append(f"unknown key {key!r}, {did_you_mean(str(location[-1]), fields)}")
            continue
        if item["type"] == "too_short" and item["input"]:
            continue  # what was given is at fault, and said to be, not that nothing is left
        message = item["msg"].removeprefix("Value error, ")
        if key == "members":
            message = "expected 'first', 'mean', 'all' or a list of labels such as 'r1i1p1f1'"
        got = f", got {item['input']!r}" if item["type"] != "value_error" and len(repr(item["input"])) < 80 else ""
        found.append(f"{key}: {message}{got}" if key and item["type"] != "value_error" else message + got)
    return list(dict.fromkeys(found))
