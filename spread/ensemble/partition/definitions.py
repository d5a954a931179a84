"""Definitions of a partition of variance: what is called forced, internal, model and scenario variance."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, replace
from types import MappingProxyType
from typing import Literal

from spread.errors import BadStudy, did_you_mean

Years = tuple[int, int]

_CHOICES = {
    "kind": ("absolute", "percent"),
    "fit": ("polynomial", "loess", "running_mean"),
    "internal": ("residual", "rolling"),
    "lone": ("left out", "zero"),
}


@dataclass(frozen=True)
class PartitionDefinition:
    """How the variance of an ensemble is divided among its sources.

    Parameters
    ----------
    name : str
        Name of the definition.
    years : (int, int), optional
        First and last year that is used, also by the fits; all of the data by default.
    minimum_years : float
        Share of the years that a run must have.
    base_period : (int, int), optional
        Years whose mean forced response is taken off each run; None leaves values as they are.
    kind : str
        ``absolute`` anomalies or ``percent`` of the run's own base period.
    fit : str
        Forced response of a run: ``polynomial`` in the year, ``loess`` (locally weighted polynomials) or
        ``running_mean``.
    order : int
        Degree of the polynomial; of the local ones for ``loess``.
    window : int
        Years of ``loess`` and of ``running_mean``.
    model_scenario : str, optional
        Experiment across whose runs the variance of models is taken; by default it is the mean of those of all
        scenarios.
    scenario_within_models : bool
        Scenario variance is taken within each model, then averaged over models; by default across the scenarios'
        multi-model means.
    scenario_from_minimum : bool
        Scenario variance counts as zero up to and including the year of its minimum: before that, differences are
        those of fits through the same historical run.
    internal : str
        ``residual``: one variance for all years, of running means of a run's residuals, pooled over a model's runs,
        then averaged over models; ``rolling``: variance of residuals within a moving window, averaged over runs.
    internal_window : int
        Years of those running means, or of the moving window.
    internal_from : int, optional
        First year whose residuals count for ``residual``; all by default.
    internal_scenario : str, optional
        The only experiment whose residuals count for ``residual``; all by default.
    model_ddof, scenario_ddof, downscaling_ddof, internal_ddof : int
        Delta degrees of freedom of each variance: 0 population, 1 sample.
    lone : str
        A variance across a single model or downscaling method is ``left out`` of the mean, or counts as ``zero`` in it.

    Raises
    ------
    BadStudy
        If fields contradict each other or are no choice; all of them are named.
    """

    name: str
    years: Years | None = None
    minimum_years: float = 1.0
    base_period: Years | None = None
    kind: Literal["absolute", "percent"] = "absolute"
    fit: Literal["polynomial", "loess", "running_mean"] = "polynomial"
    order: int = 4
    window: int = 41
    model_scenario: str | None = None
    scenario_within_models: bool = False
    scenario_from_minimum: bool = False
    internal: Literal["residual", "rolling"] = "residual"
    internal_window: int = 10
    internal_from: int | None = None
    internal_scenario: str | None = None
    model_ddof: int = 0
    scenario_ddof: int = 0
    downscaling_ddof: int = 0
    internal_ddof: int = 0
    lone: Literal["left out", "zero"] = "left out"

    def __post_init__(self) -> None:
        breaches = [
            f"{name}: expected one of {', '.join(map(repr, known))}, got {getattr(self, name)!r}"
            for name, known in _CHOICES.items()
            if getattr(self, name) not in known
        ]
        for name in ("years", "base_period"):
            span = getattr(self, name)
            if span is not None and not (len(span) == 2 and span[0] <= span[1]):
                breaches.append(f"{name}: expected (first year, last year) in order, got {span}")
        for name in (field.name for field in fields(self) if field.name.endswith("ddof")):
            if getattr(self, name) not in (0, 1):
                breaches.append(f"{name}: expected 0 (population) or 1 (sample), got {getattr(self, name)!r}")
        if not 0 < self.minimum_years <= 1:
            breaches.append(f"minimum_years: expected a share above 0, at most 1, got {self.minimum_years}")
        for name, least in (("order", 0), ("window", 1), ("internal_window", 1)):
            if getattr(self, name) < least:
                breaches.append(f"{name}: expected at least {least}, got {getattr(self, name)}")
        if self.kind == "percent" and self.base_period is None:
            breaches.append("kind 'percent': a base_period is needed to count from")
        if self.fit == "loess" and self.window < self.order + 3:
            # of a window's years the farthest weighs nothing
            breaches.append(f"window: loess of order {self.order} needs at least {self.order + 3} years")
        if breaches:
            raise BadStudy(f"definition {self.name!r} of a partition: " + "; ".join(breaches))

    @property
    def attrs(self) -> dict[str, str]:
        """The definition as attributes of a result: its name, and all of its fields as JSON."""
        return {"definition": self.name, "definition_fields": json.dumps(asdict(self))}


_LEHNER = PartitionDefinition(
    "Lehner2020", years=(1950, 2099), base_period=(1995, 2014), model_scenario="ssp585", scenario_ddof=1,
    scenario_from_minimum=True, internal_window=10, internal_scenario="ssp585", internal_ddof=1,
)  # fmt: skip
# CIL, GARD-SV and DeepSD-BC data of the paper end in 2099, of 2015-2100
_LAFFERTY = PartitionDefinition("LS23", minimum_years=0.95, internal="rolling", internal_window=11)

PARTITION_DEFINITIONS = MappingProxyType(
    {
        definition.name: definition
        for definition in (
            PartitionDefinition(
                "HS09", years=(1950, 2099), base_period=(1971, 2000), internal_window=10, internal_from=2000
            ),
            _LEHNER,
            replace(_LEHNER, name="Lehner2020-annual", internal_window=1),
            _LAFFERTY,
            replace(_LAFFERTY, name="LS23-xclim", lone="zero"),
        )
    }
)
"""Definitions by name.

``HS09``: Hawkins and Sutton (2009), doi:10.1175/2009BAMS2607.1, as xclim reads it (variances divide by n).
``Lehner2020``: Lehner et al. (2020), doi:10.5194/esd-11-491-2020, decadal means, after the code published with it.
``Lehner2020-annual``: the same for yearly means, of which the data file published with that code gives the shares.
``LS23``: Lafferty and Sriver (2023), doi:10.1038/s41612-023-00486-0, after the code published with it.
``LS23-xclim``: the same as xclim reads it: a variance across one value counts as zero.
"""


def definition_of(definition: str | PartitionDefinition) -> PartitionDefinition:
    """Look a definition up by its name; one that is given passes through.

    Parameters
    ----------
    definition : str or PartitionDefinition
        A name of :data:`PARTITION_DEFINITIONS`, or a definition.

    Returns
    -------
    PartitionDefinition
        The definition.

    Raises
    ------
    BadStudy
        If there is no definition of that name.
    """
    if isinstance(definition, PartitionDefinition):
        return definition
    if definition not in PARTITION_DEFINITIONS:
        raise BadStudy(
            f"definition of a partition: no {definition!r}, {did_you_mean(definition, list(PARTITION_DEFINITIONS))}"
        )
    return PARTITION_DEFINITIONS[definition]
