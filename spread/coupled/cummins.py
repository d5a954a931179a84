"""Three-layer energy balances of 49 CMIP6 models, fitted by others to abrupt-4xCO2, and the prior that they make."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import numpy as np

from spread.coupled.energy_balance import EnergyBalance
from spread.errors import NotFound, did_you_mean

__all__ = ["cummins", "cummins_members", "log_prior"]

PARAMETERS = ("kappa1", "C1", "C2", "C3", "kappa2", "kappa3", "epsilon", "F_4xCO2")
"""Columns in the order in which :func:`log_prior` gives them: as the fields of :class:`EnergyBalance`."""


@cache
def _table() -> dict[tuple[str, str], dict[str, float]]:
    """Parameters by source_id and member_id."""
    text = (Path(__file__).parent / "cummins.csv").read_text()
    lines = [line.split(",") for line in text.splitlines() if not line.startswith("#")]
    return {(row[0], row[1]): dict(zip(lines[0][2:], [float(x) for x in row[2:]], strict=True)) for row in lines[1:]}


def cummins_members() -> dict[str, tuple[str, ...]]:
    """Models of the table and their realisations, the lowest numbers first.

    Returns
    -------
    dict
        source_id to member_ids.
    """
    found: dict[str, list[str]] = {}
    for source_id, member_id in _table():
        found.setdefault(source_id, []).append(member_id)
    return {
        source_id: tuple(sorted(members, key=lambda name: [int(n) for n in re.findall(r"\d+", name)]))
        for source_id, members in found.items()
    }


def cummins(source_id: str, member_id: str | None = None, lagged: bool = False) -> EnergyBalance:
    """Energy balance of a CMIP6 model.

    Parameters
    ----------
    source_id : str
    member_id : str, optional
        Realisation of the abrupt-4xCO2 run; the one with the lowest numbers by default.
    lagged : bool
        Forcing is felt with the rate gamma of the fit, as FaIR does; at once by default.

    Returns
    -------
    EnergyBalance
        Without trailing axes.

    Raises
    ------
    NotFound
        For a model or a realisation that the table does not have.

    Source
    ------
    Cummins, Stephenson and Stott 2020, doi:10.1175/JCLI-D-19-0589.1; fits of FaIR's calibration (C. Smith).
    """
    members = cummins_members()
    if source_id not in members:
        raise NotFound(f"an energy balance of {source_id!r} is not there; {did_you_mean(source_id, [*members])}")
    member_id = members[source_id][0] if member_id is None else member_id
    if member_id not in members[source_id]:
        raise NotFound(
            f"an energy balance of {source_id} {member_id!r} is not there; there are {', '.join(members[source_id])}"
        )
    row = _table()[source_id, member_id]
    return EnergyBalance(
        feedback=row["kappa1"],
        heat_capacity=[row["C1"], row["C2"], row["C3"]],
        heat_exchange=[row["kappa2"], row["kappa3"]],
        efficacy=row["epsilon"],
        forcing_4xco2=row["F_4xCO2"],
        forcing_rate=row["gamma"] if lagged else None,
    )


def log_prior(source_id: str | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of the logarithms of the parameters.

    Parameters
    ----------
    source_id : str, optional
        A model of the table: its own fits, as sure as fits to different realisations agree. By default all models.

    Returns
    -------
    mean, deviation : ndarray
        (8,) of `PARAMETERS`.

    Notes
    -----
    Some fits do not identify the deep ocean (an efficacy of 0.0009, a third capacity of 0.04), so that moments are
    robust: the median, and half of the 16-84 % range. For one model the deviation is the median deviation between its
    realisations, over the models that have several, and at least 0.05.
    """
    logs = {key: np.log([row[name] for name in PARAMETERS]) for key, row in _table().items()}
    members = cummins_members()
    grouped = {name: np.array([logs[name, member] for member in members[name]]) for name in members}
    if source_id is None:
        means = np.array([group.mean(0) for group in grouped.values()])
        low, middle, high = np.quantile(means, [0.16, 0.5, 0.84], axis=0)
        return middle, (high - low) / 2.0
    if source_id not in grouped:
        raise NotFound(f"an energy balance of {source_id!r} is not there; {did_you_mean(source_id, [*grouped])}")
    within = [group.std(0, ddof=1) for group in grouped.values() if len(group) > 1]
    return np.median(grouped[source_id], 0), np.maximum(np.median(within, 0), 0.05)
