"""Daily temperature of four demo models: weather whose monthly means are those of the monthly archive."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from spread.demo.climate import climate, temperature
from spread.demo.models import MODELS, PERIODS, Store, chosen
from spread.demo.store import dataset, time_axis
from spread.demo.weather import generator, noise_modes, red_noise

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["DAILY_MODELS", "SLICES", "daily_dataset", "daily_stores", "daily_temperature"]

DAILY_MODELS = ("CanESM5", "IPSL-CM6A-LR", "MIROC6", "UKESM1-0-LL")
SLICES = {"historical": (1995, 2014), "ssp126": (2081, 2100), "ssp245": (2081, 2100), "ssp585": (2081, 2100)}
PERSISTENCE = 0.7


def daily_stores(models: Iterable[str] | None = None, experiments: Iterable[str] | None = None) -> list[Store]:
    """List the daily stores, in a fixed order; None keeps all."""
    names, runs = chosen("models", models, DAILY_MODELS), chosen("experiments", experiments, SLICES)
    return [
        Store(name, run, MODELS[name].members[0], "day", "tas")
        for name in DAILY_MODELS
        for run in SLICES
        if name in names and run in runs
    ]


def with_monthly_means(daily: np.ndarray, monthly: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Shift daily series smoothly so that the mean of each month is as given.

    Parameters
    ----------
    daily : ndarray
        (day, cell).
    monthly : ndarray
        Wanted means (month, cell).
    edges : ndarray
        First day of each month, then the number of days (month + 1,).

    Returns
    -------
    ndarray
        (day, cell); shifts are linear between the middles of months, with what that misses after three rounds added
        as a step.
    """
    length = np.diff(edges)[:, None]
    middle, day = (edges[:-1] + edges[1:]) / 2, np.arange(len(daily)) + 0.5
    after = np.clip(np.searchsorted(middle, day), 1, len(middle) - 1)
    share = np.clip((day - middle[after - 1]) / (middle[after] - middle[after - 1]), 0.0, 1.0)[:, None]
    for _ in range(3):
        gap = monthly - np.add.reduceat(daily, edges[:-1], axis=0) / length
        daily = daily + gap[after - 1] * (1 - share) + gap[after] * share
    gap = monthly - np.add.reduceat(daily, edges[:-1], axis=0) / length
    return daily + np.repeat(gap, length[:, 0], axis=0)


def daily_temperature(store: Store) -> np.ndarray:
    """Daily near-surface air temperature of a slice.

    Parameters
    ----------
    store : Store
        One of `daily_stores`.

    Returns
    -------
    ndarray
        (day, cell) [K]; monthly means equal those of the monthly store of the run.
    """
    first, last = SLICES[store.experiment_id]
    start, end = PERIODS[store.experiment_id]
    if (store.source_id, store.experiment_id) == ("CanESM5", "ssp585"):
        end = 2130  # the monthly run is the extended one, whose noise depends on its length
    monthly = temperature(store.source_id, store.experiment_id, store.member_id, start, end)
    monthly = monthly[12 * (first - start) : 12 * (last - start + 1)]
    _, bounds, _ = time_axis(first, last, store.model.calendar, first)
    edges = np.concatenate([bounds[:, 0], bounds[-1:, 1]]).astype(int)
    maps, modes = climate(store.source_id), noise_modes(store.source_id)
    rng = generator(store.source_id, store.experiment_id, store.member_id, "day")
    month = np.searchsorted(edges, np.arange(edges[-1]), side="right") - 1
    weather = red_noise(rng, int(edges[-1]), len(modes), PERSISTENCE) @ modes
    return with_monthly_means(2.2 * maps.fast[month % 12] * weather, monthly, edges)


def daily_dataset(store: Store) -> "xr.Dataset":
    """Dataset of a daily store."""
    return dataset(store, values=daily_temperature(store), years=SLICES[store.experiment_id])
