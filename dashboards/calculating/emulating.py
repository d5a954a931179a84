"""The emulator that the operator listed: what it knows, forced warming of its models at once, and what it drew.

Its kernels are imported when one is opened, so that a dashboard without an emulator starts as fast as before. Maps are
drawn by a worker (:mod:`dashboards.calculating.working`); what it drew is kept here for all visitors.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from dashboards.drawing.scores import score_frame, spectrum_frame
from spread.errors import NotFound, SpreadError, one_line

SCALES = (0.0, 3.0)
"""Of the rise of CO2 equivalent after 2015: from none to three times that of the scenario."""

PEAKS = (2020, 2100)
"""Years after which CO2 equivalent may stay; in the last one it follows the scenario to the end."""

YEARS = (1850, 2100)
LATE = (2081, 2100)
"""Over which maps are averaged."""

MEMBERS = 5
"""Emulated members of a plume."""

PAIRS = 50
"""Pairs of maps of a difference of two scenarios."""

ROUNDING = 0.005
"""Of warming as the page shows it [K]: the end of what was learned from is not beyond it."""

KEPT = 12
"""Drawings that are kept; each takes about 3 MiB."""

CARD = "scorecard.json"


class Kept(OrderedDict[tuple[Any, ...], Any]):
    """Results of the worker for all visitors; the oldest go first."""

    def keep(self, key: tuple[Any, ...], made: Any) -> None:
        """Keep a result."""
        self[key] = made
        while len(self) > KEPT:
            self.popitem(last=False)


class Warming(NamedTuple):
    """Forced warming of every model under a pathway.

    Parameters
    ----------
    years : ndarray
        (time,).
    co2e, own_co2e : ndarray
        CO2 equivalent of the pathway and of its scenario (time,) [ppm].
    table : DataFrame
        A column a model: warming under the pathway since 1850-1900 [K].
    own : DataFrame
        Likewise under the scenario itself.
    flags : tuple of str
        In which respects the pathway is an extrapolation.
    beyond : tuple of str
        Models whose warming leaves the range of training.
    """

    years: np.ndarray
    co2e: np.ndarray
    own_co2e: np.ndarray
    table: pd.DataFrame
    own: pd.DataFrame
    flags: tuple[str, ...]
    beyond: tuple[str, ...]


class Emulating:
    """An emulator, and an evaluation of it where there is one.

    Parameters
    ----------
    file : str or Path
        Of the emulator, as ``spread emulate train`` writes it.
    evaluation : str or Path, optional
        Folder that ``spread emulate evaluate`` wrote.

    Raises
    ------
    NotFound
        If one is not there or cannot be read, or the emulator has no energy balances.
    """

    def __init__(self, file: str | Path, evaluation: str | Path | None = None) -> None:
        if not runnable():
            raise NotFound("dashboard: an emulator needs jax, which is not installed")
        from spread.coupled import scenarios
        from spread.emulator import load

        self.file = Path(file).absolute()
        self.emulator = load(self.file)
        if not self.emulator.facts.estimates:
            raise NotFound(f"emulator {file}: it has no energy balances; train it by `spread emulate train`")
        self.models: tuple[str, ...] = self.emulator.facts.models
        learned = [e for e in self.emulator.facts.scenarios if e.startswith("ssp")]
        known = [e for e in scenarios() if e.startswith("ssp") and e not in learned]
        self.scenarios = tuple(sorted(learned, reverse=True) + sorted(known))
        self.cards = [] if evaluation is None else _cards(Path(evaluation))
        self.drawn = Kept()
        self.warming = lru_cache(256)(self._warming)

    @property
    def facts(self) -> Any:
        """What it was made of."""
        return self.emulator.facts

    def _warming(self, scenario: str, scale: float, peak: int) -> Warming:
        """Forced warming of every model.

        Parameters
        ----------
        scenario : str
            From which the pathway departs.
        scale : float
            Within :data:`SCALES`.
        peak : int
            Within :data:`PEAKS`.
        """
        from spread.coupled import pathway

        years = np.arange(YEARS[0], YEARS[1] + 1)
        middle = np.full(years.shape, 0.5)
        own, path = pathway(scenario), pathway(scenario, None, *departure(scale, peak))
        tables = [
            pd.DataFrame({m: self.emulator.warming(m, p.forcing, years, middle) for m in self.models}, index=years)
            for p in (path, own)
        ]
        ahead = tables[0].loc[2015:]
        beyond = tuple(
            name for name, (low, high) in zip(self.models, self.facts.warming, strict=True)
            if ahead[name].max() > high + ROUNDING or ahead[name].min() < low - ROUNDING
        )  # fmt: skip
        return Warming(years, path.co2e, own.co2e, tables[0], tables[1], path.flags, beyond)

    def card(self, model: str) -> dict[str, Any] | None:
        """The scorecard of a model; None where there is none."""
        return next((card for card in self.cards if str(card["run"]).split(".")[0] == model), None)

    def keep(self, key: tuple[Any, ...], made: Any) -> None:
        """Keep what was drawn for the next one who asks."""
        self.drawn.keep(key, made)


def departure(scale: float, peak: int) -> tuple[float, int | None]:
    """Factor and peak as :func:`spread.coupled.pathway` takes them: no peak in the last year."""
    return scale, None if peak >= PEAKS[1] else peak


def runnable() -> bool:
    """Whether what kernels need is installed; it is not imported."""
    return all(find_spec(name) is not None for name in ("jax", "equinox"))


def _cards(folder: Path) -> list[dict[str, Any]]:
    """Scorecards of an evaluation, checked for what the page shows."""
    try:
        cards = json.loads((folder / CARD).read_text(encoding="utf-8"))["scorecards"]
        for card in cards:
            score_frame(card)
            spectrum_frame(card)
            _ = [str(card[name]) for name in ("run", "kind", "years", "notes")]
            _ = [(str(gate["sentence"]), bool(gate["held"])) for gate in card["gates"]]
    except SpreadError:
        raise
    except Exception as error:  # whatever a damaged file makes of it
        raise NotFound(
            f"evaluation {folder}: expected a folder with {CARD}, as spread emulate evaluate writes: {one_line(error)}"
        ) from error
    return list(cards)
