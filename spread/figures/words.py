"""Words, units and colours of figures and pages."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

import numpy as np

from spread.report import Report
from spread.vocabulary import HISTORICAL, SCENARIO_LABELS, VARIABLES

COLOURS = {
    "ssp119": "#00adcf", "ssp126": "#173c66", "ssp245": "#f79420", "ssp370": "#e71d25", "ssp585": "#951b1e",
    "ssp434": "#63bde4", "ssp460": "#e88831", "ssp534-over": "#9a6dc9", HISTORICAL: "#5a5a5a",
}  # fmt: skip
"""Colours of the scenarios in AR6 WGI (IPCC visual style guide, 2018)."""

OTHER_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")  # Okabe and Ito 2008
SIMULATED_STYLES = (("#6a3d9a", "dashed"), ("#00796b", "dashdot"), ("#a6611a", "dotted"))
"""Colour and line of simulated runs: told apart from every scenario by the line alone."""
ASSESSED_COLOUR = "#8c8c8c"
WARNING_COLOUR = "#b00020"
SYNTHETIC = "SYNTHETIC DATA - not model output"

SEASONS = {
    "annual": "annual mean", "DJF": "December-February", "MAM": "March-May", "JJA": "June-August",
    "SON": "September-November",
}  # fmt: skip
"""Seasons in words."""

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


class Unit(NamedTuple):
    """How changes are shown: the unit's name, and the factor from the report's own unit."""

    name: str
    factor: float


def unit(report: Report) -> Unit:
    """Unit in which a report's changes are shown to people.

    Parameters
    ----------
    report : Report
        The report.

    Returns
    -------
    Unit
        ``K`` or ``%`` as they are, a flux of water in ``mm d⁻¹``, tiny numbers with a power of ten. An offset plays no
        part in a change.
    """
    shown, factor = VARIABLES[report.study.variable_id].change_display(report.study.anomaly_kind)
    name = raised(shown)
    largest = factor * np.nanmax(np.abs(report.change["change"].values), initial=0.0)
    if largest and not 0.01 <= largest < 1e5:
        power = 3 * math.floor(math.log10(largest) / 3)
        return Unit(f"10{_raised(str(power))} {name}", factor * 10.0**-power)
    return Unit(name, factor)


def raised(name: str) -> str:
    """A unit with true exponents, ``g m⁻² d⁻¹``."""
    return re.sub(r"(?<=[A-Za-z])-?\d+", _raised, name)


def _raised(digits: str | re.Match[str]) -> str:
    return str(digits if isinstance(digits, str) else digits[0]).translate(_SUPERSCRIPTS)


def label(experiment_id: str) -> str:
    """Name of an experiment as figures write it, ``SSP1-2.6``."""
    return SCENARIO_LABELS.get(experiment_id, experiment_id)


def voters(report: Report, number: int) -> str:
    """Count those who have a vote: ``1 model``, ``29 models``, ``87 runs``."""
    noun = "run" if report.study.votes == "all" else "model"
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def simulated_style(number: int) -> tuple[str, str]:
    """Colour and line style of a report's simulated run, by its number."""
    return SIMULATED_STYLES[number % len(SIMULATED_STYLES)]


def in_words(name: str) -> str:
    """Name of a region as figures write it, ``northern hemisphere``."""
    return name.replace("_", " ")


def place(report: Report, region: str) -> str:
    """Name of a report's region with what it stands for, ``Mediterranean (MED)``."""
    long_name = next((known.long_name for known in report.study.regions if known.name == region), "")
    return f"{long_name} ({in_words(region)})" if long_name else in_words(region)


def colour(report: Report, experiment_id: str) -> str:
    """Colour of an experiment, the same in every figure of a report."""
    if experiment_id in COLOURS:
        return COLOURS[experiment_id]
    others = [e for e in report.study.experiments if e not in COLOURS]
    return OTHER_COLOURS[others.index(experiment_id) % len(OTHER_COLOURS)]


def title(report: Report, region: str, season: str) -> str:
    """Title of a figure: variable, region and season in words."""
    return f"{VARIABLES[report.study.variable_id].long_name}: {place(report, region)}, {SEASONS[season]}"


def band(report: Report) -> str:
    """The outer quantiles in words, ``5-95 %``; empty where the study asks for fewer than two."""
    quantiles = sorted({float(q) for q in report.across["quantile"].values})
    return f"{100 * quantiles[0]:g}-{100 * quantiles[-1]:g} %" if len(quantiles) > 1 else ""


class Words(NamedTuple):
    """What a figure says around its data."""

    report: Report
    region: str
    season: str
    period: str
    centre: str
    assessed: bool

    @property
    def title(self) -> str:
        """Variable, region and season."""
        return title(self.report, self.region, self.season)

    @property
    def subtitle(self) -> str:
        """What lines and shading are."""
        who = "run" if self.report.study.votes == "all" else "model"
        shaded = band(self.report)
        return f"thick: {self.centre}" + (f", shaded: {shaded} of {who}s" if shaded else "") + f", thin: each {who}"

    @property
    def explained(self) -> str:
        """What the bars are."""
        makers = "demo models" if self.report.synthetic else "CMIP6 models"
        return f"colour: {makers}" + ("; grey: assessed, AR6" if self.assessed else "")

    @property
    def axis(self) -> str:
        """Quantity and unit."""
        return f"Change from {self.report.across.attrs['base_period']} [{unit(self.report).name}]"
