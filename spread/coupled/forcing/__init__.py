"""Effective radiative forcing of the historical period and of the SSPs, by agent, as the package carries it."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

import numpy as np

from spread.errors import NotFound, did_you_mean

__all__ = ["AGENTS", "Forcing", "scenario_forcing", "scenarios"]

AGENTS = ("co2", "other", "aerosol", "volcanic", "solar")
"""Components of the total: CO2, every other anthropogenic agent but aerosol, aerosol, volcanoes, the sun."""


@dataclass(frozen=True)
class Forcing:
    """Annual effective radiative forcing by agent.

    Parameters
    ----------
    years : ndarray
        Calendar years, one after the other (time,).
    co2, other, aerosol, volcanic, solar : ndarray
        Annual means (time,) [W m-2]; ``other`` is every anthropogenic agent but CO2 and aerosol.
    """

    years: np.ndarray
    co2: np.ndarray
    other: np.ndarray
    aerosol: np.ndarray
    volcanic: np.ndarray
    solar: np.ndarray

    def __post_init__(self) -> None:
        """Refuse series of other lengths, with gaps, and years that do not follow each other."""
        years = np.asarray(self.years)
        if years.ndim != 1 or not years.size or (np.diff(years) != 1).any():
            raise ValueError("forcing needs calendar years that follow each other without a gap, for warming remembers")
        bad = [name for name in AGENTS if np.shape(getattr(self, name)) != years.shape]
        if bad:
            raise ValueError(f"forcing of {', '.join(bad)} does not have one value a year ({years.size})")
        bad = [name for name in AGENTS if not np.isfinite(getattr(self, name)).all()]
        if bad:
            raise ValueError(f"forcing of {', '.join(bad)} has years that are not finite numbers; fill them first")

    @property
    def anthropogenic(self) -> np.ndarray:
        """CO2, other agents and aerosol together (time,) [W m-2]."""
        return self.co2 + self.other + self.aerosol

    @property
    def total(self) -> np.ndarray:
        """All agents together (time,) [W m-2]."""
        return self.anthropogenic + self.volcanic + self.solar

    def relative_to(self, year: int) -> Forcing:
        """Count anthropogenic forcing from that of a year: a CMIP6 run starts from a control of 1850, not of 1750.

        Parameters
        ----------
        year : int
            One of ``years``.

        Returns
        -------
        Forcing
            Volcanic and solar forcing stay: they vary about the mean that the control run has (Eyring et al. 2016).
        """
        at = int(year) - int(self.years[0])
        if not 0 <= at < self.years.size:
            raise ValueError(f"forcing is of {self.years[0]}-{self.years[-1]}; {year} is not among them")
        shifted = {name: getattr(self, name) - getattr(self, name)[at] for name in ("co2", "other", "aerosol")}
        return Forcing(self.years, volcanic=self.volcanic, solar=self.solar, **shifted)

    def during(self, first: int, last: int) -> Forcing:
        """Years from the first to the last, both included."""
        inside = (self.years >= first) & (self.years <= last)
        return Forcing(*(np.asarray(getattr(self, field.name))[inside] for field in fields(self)))


@cache
def _table() -> dict[str, tuple[int, np.ndarray]]:
    """First year and (year, agent) forcing of the historical period and of each scenario from 2015."""
    text = gzip.decompress((Path(__file__).parent / "erf.csv.gz").read_bytes()).decode()
    rows = [line.split(",") for line in text.splitlines() if not line.startswith("#")][1:]
    table: dict[str, tuple[int, np.ndarray]] = {}
    for name in dict.fromkeys(row[0] for row in rows):
        own = [row for row in rows if row[0] == name]
        table[name] = int(own[0][1]), np.array([row[2:] for row in own], float)
    return table


def scenarios() -> tuple[str, ...]:
    """CMIP6 experiments whose forcing the package carries."""
    return tuple(_table())


def scenario_forcing(experiment_id: str, years: Sequence[int] | np.ndarray | None = None) -> Forcing:
    """Effective radiative forcing of a CMIP6 experiment, the historical period before it included.

    Parameters
    ----------
    experiment_id : str
        ``historical`` or an SSP, such as ``ssp245``.
    years : sequence of int, optional
        Calendar years that follow each other; by default from 1750 to 2014 (``historical``) or 2500.

    Returns
    -------
    Forcing
        Relative to 1750 [W m-2].

    Raises
    ------
    NotFound
        For an experiment or years that the table does not have.

    Source
    ------
    RCMIP 5.1.0, Nicholls et al. 2020, doi:10.5194/gmd-13-5175-2020, CC BY 4.0. The SSPs are those of the concentration
    -driven runs; every model feels its own forcing, so a fit scales it.
    """
    table = _table()
    if experiment_id not in table:
        raise NotFound(f"forcing of experiment {experiment_id!r} is not there; {did_you_mean(experiment_id, [*table])}")
    first, values = table["historical"]
    if experiment_id != "historical":
        values = np.concatenate([values, table[experiment_id][1]])
    last = first + len(values) - 1
    asked = np.arange(first, last + 1) if years is None else np.asarray(years, int)
    if asked.size == 0 or asked.min() < first or asked.max() > last:
        raise NotFound(
            f"forcing of {experiment_id} is there for {first}-{last}, not for"
            f" {f'{asked.min()}-{asked.max()}' if asked.size else 'no years at all'}"
        )
    return Forcing(asked, *values[asked - first].T)
