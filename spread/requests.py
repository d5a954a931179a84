"""What a study may ask for beside its spread, a table of its file each: maps, sensitivity, a constraint, weights ..."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from spread.grids import regular

Years = tuple[int, int]


class Strict(BaseModel):
    """A part of a study: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)


class Observations(Strict):
    """An observed annual series to draw on the plume, and to constrain with.

    Parameters
    ----------
    name : str
        What the legend says.
    file : str
        CSV file with one row a year.
    year_column, value_column : str
        Its columns; values in the variable's unit.
    kind : str, optional
        Of a global temperature: ``GSAT`` (air everywhere, as ``tas``) or ``GMST`` (air over land and ice, sea surface
        over the ice-free ocean). Without it the series is drawn as it is and constrains nothing.
    conversion : str, optional
        How changes of GMST become changes of GSAT; needed with ``GMST``: ``ar6`` (no difference), ``richardson2018``
        (times 1.08) or ``richardson2018-fixed-ice`` (times 1.04); their sources are in
        :data:`spread.ensemble.blending.BLENDINGS`.
    trend_sd : float
        Standard deviation of the errors of its recent trend: measurement and coverage [K per decade].
    """

    name: str
    file: str
    year_column: str = "year"
    value_column: str = "value"
    kind: Literal["GSAT", "GMST"] | None = None
    conversion: Literal["ar6", "richardson2018", "richardson2018-fixed-ice"] | None = None
    trend_sd: float = Field(default=0.0, ge=0.0)

    @model_validator(mode="after")
    def _convertible(self) -> Self:
        if self.kind == "GMST" and self.conversion is None:
            raise ValueError(
                "observations.conversion: GMST is not tas; say how its changes are converted: 'ar6' (no difference), "
                "'richardson2018' or 'richardson2018-fixed-ice'"
            )
        if self.kind != "GMST" and self.conversion is not None:
            got = "no kind" if self.kind is None else f"kind = {self.kind!r}"
            raise ValueError(
                f"observations.conversion: only GMST is converted, got {got}; say kind = 'GMST' or leave it out"
            )
        return self


class Constraint(Strict):
    """An observational constraint on future warming, see :func:`spread.ensemble.constrain`; needs observations.

    Parameters
    ----------
    method : str
        ``regression`` or ``conditional``.
    years : tuple of int
        First and last year of the observed trend (1981-2014: Tokarska et al., 2020, doi:10.1126/sciadv.aaz9549).
    """

    method: Literal["regression", "conditional"] = "regression"
    years: Years = (1981, 2014)


class Weights(Strict):
    """Weights of models by performance and independence, see :func:`spread.ensemble.climwip`; needs observations.

    Parameters
    ----------
    sigma_d, sigma_s : float or str
        Shape parameters of performance and independence; ``calibrated`` with perfect models, ``members`` from models
        that have several.
    years : tuple of int
        First and last year of the trend that is observed.
    """

    sigma_d: Literal["calibrated"] | float = "calibrated"
    sigma_s: Literal["members"] | float = "members"
    years: Years = (1981, 2014)


class Simulated(Strict):
    """Simulated runs to draw beside the models; they are marked, and have no vote in any statistic.

    Parameters
    ----------
    runs : tuple of str
        Folders that ``spread land run --out`` wrote. Each run is shown against the base period of the study, which it
        must hold; each of its draws is a member.
    """

    runs: tuple[str, ...] = Field(min_length=1)

    @field_validator("runs", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value


class Sensitivity(Strict):
    """Climate sensitivity of the models that have idealised runs, see :func:`spread.ensemble.gregory`.

    Parameters
    ----------
    fit : str
        Years of abrupt-4xCO2 to which the regression is fitted: ``all`` (1-150), ``late`` (21-150) or ``early`` (1-20);
        their sources are with :data:`spread.ensemble.sensitivity.FITS`.
    """

    fit: Literal["all", "late", "early"] = "all"


class Maps(Strict):
    """Maps of change to make beside the area means, in the same read.

    Parameters
    ----------
    grid : str
        Their grid: ``2.5`` degrees, ``2x1`` (longitude by latitude), or ``F80``, see :func:`spread.grids.regular`.
    method : str
        How fields come onto it: ``conservative``, ``bilinear`` or ``nearest``.
    coverage : float
        Share of a cell that must have values.
    agreement : str
        How robustness is judged: ``simple`` by the sign, ``advanced`` by each model's internal variability too.
    """

    grid: str = "2.5"
    method: Literal["conservative", "bilinear", "nearest"] = "conservative"
    coverage: float = Field(default=0.5, gt=0.0, le=1.0)
    agreement: Literal["simple", "advanced"] = "advanced"

    @field_validator("grid")
    @classmethod
    def _known_grid(cls, value: str) -> str:
        regular(value)
        return value
