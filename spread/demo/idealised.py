"""Global means of abrupt-4xCO2, 1pctCO2 and piControl, from the same energy balance; one cell, no maps."""

import json

import numpy as np

from spread.demo.energy_balance import HERE, energy_balances, idealised_forcing, integrate
from spread.demo.models import IDEALISED
from spread.demo.weather import el_nino_index, generator

__all__ = ["FIRST_YEAR", "global_means"]

FIRST_YEAR = {"CESM2": 1}
INSOLATION = 340.2


def global_means(source_id: str, experiment_id: str, member_id: str) -> dict[str, np.ndarray]:
    """Monthly global means of an idealised run; rsdt - rsut - rlut is the imbalance of the energy balance plus noise.

    Parameters
    ----------
    source_id, experiment_id, member_id : str

    Returns
    -------
    dict of ndarray
        tas [K], rsdt, rsut, rlut [W m-2], each (month,).
    """
    model, months = energy_balances()[source_id], 12 * IDEALISED[experiment_id]
    response = integrate(model, idealised_forcing(model, experiment_id, months // 12))
    rng = generator(source_id, experiment_id, member_id, "global")
    base = json.loads((HERE / "energy_balance.json").read_text())["models"][source_id]["base_state"]
    month = np.arange(months) % 12 + 0.5
    wiggle = 0.1 * el_nino_index(rng, months)
    warm = response.temperature[:, 0]
    leak = generator(source_id, "leak").uniform(-0.1, 0.3)
    imbalance = response.imbalance + leak - 0.8 * wiggle + rng.normal(0.0, 0.5, months)
    down = INSOLATION + 11.4 * np.cos(2 * np.pi * (month - 0.6) / 12)
    # absorbed sunlight rises as ice and cloud retreat, which leaves the rest of the imbalance to longwave
    reflected = (
        0.291 * down - 0.55 * warm + rng.normal(0.0, 0.3, months) + 1.5 * np.cos(2 * np.pi * (month - 11.5) / 12)
    )
    balance = imbalance + 5.0 * np.cos(2 * np.pi * (month - 1.5) / 12)
    return {
        "tas": base + warm + wiggle + 1.9 * np.cos(2 * np.pi * (month - 6.9) / 12),
        "rsdt": down,
        "rsut": reflected,
        "rlut": down - reflected - balance,
    }
