"""What is chosen on the page: one value for each choice, each checked against what the report offers, safe in a URL.

Nothing here opens anything: a choice is a name that the report itself offers, or a base period within its years.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, NamedTuple
from urllib.parse import urlencode

from dashboards.calculating.emulating import PEAKS, SCALES

Years = tuple[int, int]

LONGEST = 80
"""Letters of a value in a URL; no name of a region, model or period is longer."""

SHORTEST_BASE = 5
"""Years of a base period; fewer would be weather."""

VOTES = {"models": "Each model once", "runs": "Each run once", "weighted": "Weighted models"}
"""Who has a vote, in words."""

ANSWERS = {
    "partition": "Sources of uncertainty", "warming_levels": "Warming levels", "sensitivity": "Sensitivity",
    "constraint": "Constraint", "weights": "Weights",
}  # fmt: skip
"""Answers to why models disagree, in words."""

RANGES = {"raw": "Raw", "constrained": "Constrained"}
"""Which range of a period is drawn."""

CHANGES = {
    "warming": "Warming of the pathway", "co2-1995": "CO₂ fixed at 1995", "+2K": "2 K warmer",
    "pr-30%": "30 % less rain", "no-fire": "No fire", "phenology=KnorrPhenology": "Another module of phenology",
}  # fmt: skip
"""What is changed on the embedded site, by the names of :func:`spread.counterfactual.named`, and in words."""

DRAWS = ("8", "0", "4", "16")
"""Draws of the land model's parameters: no more are computed for a visitor."""


class Offers(NamedTuple):
    """What can be chosen; the first of each is what is shown first.

    Parameters
    ----------
    reports, views, regions, seasons, periods, votes, ranges, scenarios, moments, models, answers : tuple of str
        Names. Moments are the periods and levels of warming of the maps; models those of the maps, first all together.
    sources, pathways, againsts : tuple of str
        Models of the emulator, scenarios that it can be asked for, and to compare with; empty without one.
    changes, draws : tuple of str
        What can be changed on the embedded site, and how many draws of parameters.
    bases : tuple of (int, int)
        Base periods that are commonly asked for, first the study's.
    years : tuple of int
        First and last year in which a base period may lie.
    """

    reports: tuple[str, ...]
    views: tuple[str, ...]
    regions: tuple[str, ...]
    seasons: tuple[str, ...]
    periods: tuple[str, ...]
    votes: tuple[str, ...]
    ranges: tuple[str, ...]
    scenarios: tuple[str, ...]
    moments: tuple[str, ...]
    models: tuple[str, ...]
    answers: tuple[str, ...]
    bases: tuple[Years, ...]
    years: Years
    sources: tuple[str, ...] = ()
    pathways: tuple[str, ...] = ()
    againsts: tuple[str, ...] = ()
    changes: tuple[str, ...] = tuple(CHANGES)
    draws: tuple[str, ...] = DRAWS


_NAMES = {
    "report": "reports", "view": "views", "region": "regions", "season": "seasons", "period": "periods",
    "votes": "votes", "range": "ranges", "scenario": "scenarios", "moment": "moments", "model": "models",
    "answer": "answers", "source": "sources", "pathway": "pathways", "against": "againsts", "change": "changes",
    "draws": "draws",
}  # fmt: skip


@dataclass(frozen=True)
class State:
    """One value for each choice.

    Parameters
    ----------
    report, view, region, season, period, votes, range, scenario, moment, model, answer : str
        Names, see :class:`Offers`; empty where there is nothing to choose from.
    base : tuple of int
        First and last year of the base period.
    assessed : bool
        Whether the ranges that AR6 assessed stand beside those of the models.
    source, pathway, against, change, draws : str
        Names, see :class:`Offers`.
    scale : float
        Of the rise of CO2 equivalent after 2015, within :data:`dashboards.calculating.emulating.SCALES`.
    peak : int
        Year after which CO2 equivalent stays, within :data:`dashboards.calculating.emulating.PEAKS`.
    """

    report: str
    view: str
    region: str
    season: str
    period: str
    votes: str
    range: str
    scenario: str
    moment: str
    model: str
    answer: str
    base: Years
    assessed: bool = True
    source: str = ""
    pathway: str = ""
    against: str = ""
    change: str = next(iter(CHANGES))
    draws: str = DRAWS[0]
    scale: float = 1.0
    peak: int = PEAKS[1]

    @classmethod
    def first(cls, offers: Offers) -> State:
        """What is shown before anything is chosen."""
        names: dict[str, Any] = {name: next(iter(getattr(offers, many)), "") for name, many in _NAMES.items()}
        return cls(base=offers.bases[0], **names)

    def choose(self, offers: Offers, **choices: Any) -> tuple[State, list[str]]:
        """Take choices that the report offers, and say of the others why not.

        Parameters
        ----------
        offers : Offers
            What can be chosen.
        **choices
            By name; a base period as years or as ``1995-2014``.

        Returns
        -------
        State, list of str
            What is chosen now, and a sentence for each choice that is not taken.
        """
        taken: dict[str, Any] = {}
        refused = []
        for name, value in choices.items():
            if name == "base":
                years = _years(value)
                reason = _unfit(years, offers.years)
                if years is None or reason:
                    refused.append(f"base period: {reason}")
                else:
                    taken["base"] = years
            elif name == "assessed":
                if str(value).lower() in ("true", "false", "1", "0"):
                    taken["assessed"] = str(value).lower() in ("true", "1")
                else:
                    refused.append("assessed: expected 1 or 0")
            elif name in ("scale", "peak"):
                number = _number(value, *(SCALES if name == "scale" else PEAKS))
                if number is None or (name == "peak" and number != int(number)):
                    refused.append(f"{name}: expected {_SPANS[name]}, got {_shown(value)}")
                else:
                    taken[name] = round(number, 2) if name == "scale" else int(number)
            elif name in _NAMES:
                if value in getattr(offers, _NAMES[name]):
                    taken[name] = value
                else:
                    refused.append(f"{name}: {_shown(value)} is not in this report")
            else:
                refused.append(f"{_shown(name)}: there is no such choice")
        return replace(self, **taken), refused

    def fitted(self, offers: Offers) -> State:
        """The same choices where another report offers them too, its first ones elsewhere."""
        kept = {name: value for name, value in asdict(self).items() if name != "base"}
        return State.first(offers).choose(offers, **kept)[0]

    def query(self, offers: Offers) -> str:
        """What of the choices differs from the first ones, as a URL's query: it brings the same page back."""
        first, found = State.first(offers), {}
        for item in fields(self):
            value = getattr(self, item.name)
            if value != getattr(first, item.name):
                found[item.name] = "-".join(map(str, value)) if item.name == "base" else _text(value)
        return f"?{urlencode(found)}" if found else ""


def read_query(arguments: Mapping[str, Sequence[bytes]]) -> tuple[dict[str, str], list[str]]:
    """Choices in the query of a URL.

    Parameters
    ----------
    arguments : mapping of str to sequence of bytes
        As the server has them.

    Returns
    -------
    dict, list of str
        The first value of each choice; a sentence for what is too long, not text or of no meaning.
    """
    known = {item.name for item in fields(State)}
    found: dict[str, str] = {}
    refused = []
    for name, values in list(arguments.items())[:50]:
        if name not in known:
            if name not in _OTHERS and not name.startswith("bokeh-"):
                refused.append(f"{_shown(name)}: there is no such choice")
            continue
        try:
            value = bytes(values[0]).decode("utf-8")
        except (UnicodeDecodeError, IndexError):
            refused.append(f"{name}: is not text")
            continue
        if len(value) > LONGEST or not value.isprintable():
            refused.append(f"{name}: expected at most {LONGEST} printable letters")
            continue
        found[name] = value
    return found, refused


_OTHERS = ("theme", "token")
"""Not choices, and no breach: the theme is a cookie, a token is what Binder's links to a server end with."""

_SPANS = {
    "scale": f"a number from {SCALES[0]:g} to {SCALES[1]:g}", "peak": f"a year from {PEAKS[0]} to {PEAKS[1]}",
}  # fmt: skip


def _number(value: Any, low: float, high: float) -> float | None:
    """A number within limits, of plain digits; None for anything else, NaN too."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str) and not re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,4})?", value):
        return None
    number = float(value) if isinstance(value, str) else value  # an integer may be too large for a float
    return float(number) if low <= number <= high else None


def _text(value: object) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)


def _years(value: Any) -> Years | None:
    if isinstance(value, str):
        match = re.fullmatch(r"\s*([0-9]{1,4})\s*[-–]\s*([0-9]{1,4})\s*", value)
        return (int(match[1]), int(match[2])) if match else None
    if isinstance(value, tuple | list) and len(value) == 2 and all(isinstance(year, int) for year in value):
        return int(value[0]), int(value[1])
    return None


def _unfit(years: Years | None, within: Years) -> str:
    if years is None:
        return "expected two years, such as 1995-2014"
    if not within[0] <= years[0] <= years[1] <= within[1]:
        return f"expected years within {within[0]}-{within[1]} in order, got {years[0]}-{years[1]}"
    if years[1] - years[0] + 1 < SHORTEST_BASE:
        return f"expected at least {SHORTEST_BASE} years, got {years[0]}-{years[1]}"
    return ""


def _shown(value: object) -> str:
    """A name as a sentence shows it: short, and of printable letters."""
    text = "".join(letter if letter.isprintable() else "?" for letter in str(value)[: LONGEST + 1])
    return repr(text if len(text) <= LONGEST else text[:LONGEST] + "...")
