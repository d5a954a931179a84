"""What an evaluation found: rows of methods, columns of scores with their errors, and gates held or missed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from spread.emulator.estimates import Estimate

__all__ = ["COLUMNS", "Gate", "Row", "Scorecard"]

COLUMNS = {
    "crps": "fCRPS", "energy": "energy", "variogram": "variogram", "ssr": "SSR", "rank": "rank chi2",
    "spectrum": "max |R-1|", "global_sd": "gm sd", "memory": "lag-1", "sd_map": "sd map", "q99": "q99",
    "q99_season": "q99 season", "level": "20-y level", "amplitude": "cycle", "phase": "phase", "copied": "copied",
}  # fmt: skip
"""Scores and their heads in the table."""


@dataclass(frozen=True)
class Row:
    """Scores of one method.

    Parameters
    ----------
    name : str
        Of the method.
    scores : mapping of str to Estimate
        By the names of :data:`COLUMNS`.
    kind : str
        ``candidate``, ``baseline``, ``floor`` or ``oracle``.
    """

    name: str
    scores: Mapping[str, Estimate]
    kind: str


@dataclass(frozen=True)
class Gate:
    """A demand on a candidate, and whether it was met.

    Parameters
    ----------
    name : str
        Of the demand.
    method : str
        Of whom.
    value : float
        What was found.
    limit : tuple of (float, float)
        Between which it had to be.
    held : bool
        Whether it was.
    sentence : str
        With all numbers.
    """

    name: str
    method: str
    value: float
    limit: tuple[float, float]
    held: bool
    sentence: str


@dataclass(frozen=True)
class Scorecard:
    """All of an evaluation.

    Parameters
    ----------
    kind : str
        Of the split.
    run : str
        The truth.
    years : tuple of (int, int)
        First and last of the truth.
    rows : tuple of Row
        Candidates, baselines, then floor and oracle.
    gates : tuple of Gate
        Of every candidate.
    notes : tuple of str
        What a reader has to know.
    """

    kind: str
    run: str
    years: tuple[int, int]
    rows: tuple[Row, ...]
    gates: tuple[Gate, ...]
    notes: tuple[str, ...] = ()

    def row(self, name: str) -> Row:
        """Of a method.

        Raises
        ------
        KeyError
            For one that was not scored.
        """
        found = [row for row in self.rows if row.name == name]
        if not found:
            raise KeyError(name)
        return found[0]

    @property
    def held(self) -> bool:
        """Whether all gates are."""
        return all(gate.held for gate in self.gates)

    def text(self) -> str:
        """A table for a terminal: value and, after ``~``, the Monte-Carlo error; below it the error of the years."""
        head = ["", *COLUMNS.values()]
        lines = [head]
        for row in self.rows:
            lines.append([row.name, *(_number(row.scores.get(name), "member") for name in COLUMNS)])
            lines.append(["", *(_number(row.scores.get(name), "time") for name in COLUMNS)])
        widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
        table = [
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
        ]
        title = f"{self.kind}: {self.run}, {self.years[0]}-{self.years[1]}"
        gates = [f"{'held  ' if gate.held else 'MISSED'} {gate.method}: {gate.sentence}" for gate in self.gates]
        return "\n".join([title, "", *table, "", *gates, *(["", *self.notes] if self.notes else [])])

    def as_dict(self) -> dict[str, object]:
        """All of it as plain values for JSON; what is not a number is null."""
        return {
            "kind": self.kind, "run": self.run, "years": list(self.years), "notes": list(self.notes),
            "rows": [
                {
                    "method": row.name, "kind": row.kind,
                    "scores": {name: _plain(each) for name, each in row.scores.items()},
                }
                for row in self.rows
            ],
            "gates": [
                {
                    "name": gate.name, "method": gate.method, "value": _finite(gate.value),
                    "limit": [_finite(each) for each in gate.limit], "held": gate.held, "sentence": gate.sentence,
                }
                for gate in self.gates
            ],
        }  # fmt: skip


def worst(ratio: Estimate) -> int:
    """The wavenumber whose ratio is farthest from one."""
    return int(np.argmax(np.nan_to_num(np.abs(ratio.value - 1))))


def _number(given: Estimate | None, error: str) -> str:
    if given is None:
        return "-" if error == "member" else ""
    at = worst(given) if given.value.ndim else ()
    value = abs(float(given.value[at]) - 1) if given.value.ndim else float(given.value)
    if error == "time":
        return "" if np.isnan(given.time_error[at]) else f"  years ~{float(given.time_error[at]):.3g}"
    return f"{value:.4f}" + ("" if np.isnan(given.member_error[at]) else f" ~{float(given.member_error[at]):.2g}")


def _plain(given: Estimate) -> dict[str, object]:
    parts = {"value": given.value, "member_error": given.member_error, "time_error": given.time_error}
    made: dict[str, object] = {
        name: [_finite(float(each)) for each in part] if part.ndim else _finite(float(part))
        for name, part in parts.items()
    }
    return made | {"unit": given.unit}


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
