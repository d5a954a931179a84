"""Ensembles whose variances are known, and a partition in plain loops, for tests of the partition."""

from __future__ import annotations

import numpy as np
import xarray as xr

YEARS = np.arange(1950, 2100)
SCENARIOS = ("ssp126", "ssp245", "ssp370", "ssp585")


def ensemble(values, models=None, scenarios=SCENARIOS, years=YEARS, dims=("source_id", "experiment_id", "year")):
    """Put ``values`` on named dimensions; further ones get numbers."""
    values = np.asarray(values, dtype=float)
    names = {"source_id": models or [f"M{k}" for k in range(values.shape[0])], "year": years}
    names["experiment_id"] = list(scenarios)
    for dim, size in zip(dims, values.shape, strict=True):
        names.setdefault(dim, [f"{dim}{k}" for k in range(size)])
    return xr.DataArray(values, dims=dims, coords={d: names[d] for d in dims}, attrs={"units": "K"})


def random_ensemble(seed, models=5, years=YEARS, extra=()):
    """Runs that warm by model and scenario, with noise; ``extra`` dimensions stand before the year."""
    rng = np.random.default_rng(seed)
    shape = (models, len(SCENARIOS), *extra, years.size)
    time = np.linspace(0.0, 1.0, years.size)
    slope = rng.normal(3.0, 1.0, (models, 1, *[1] * len(extra), 1)) + np.arange(4).reshape(1, 4, *[1] * len(extra), 1)
    return 280.0 + rng.normal(0, 2, (*shape[:-1], 1)) + slope * time**2 + rng.normal(0, 0.2, shape)


def hawkins_sutton_in_loops(data, how):
    """Model, scenario and internal variance of ``data (source_id, experiment_id, member_id, year)``, NaN for no run."""
    years = data["year"].values
    values = data.transpose("source_id", "experiment_id", "member_id", "year").values
    models, scenarios, members, _ = values.shape
    base = (years >= how.base_period[0]) & (years <= how.base_period[1])
    names = list(data["experiment_id"].values)
    response = np.full((models, scenarios, years.size), np.nan)
    within = []
    for m in range(models):
        pool = []
        for s in range(scenarios):
            fits = []
            for k in range(members):
                run = values[m, s, k]
                if np.isnan(run).any():
                    continue
                fit = np.polynomial.Polynomial.fit(years, run, how.order)(years)
                fits.append(fit - fit[base].mean())
                rest, window = run - fit, how.internal_window
                if how.internal_scenario in (None, names[s]):
                    for place in range(years.size):
                        first = place - window // 2
                        inside = first >= 0 and first + window <= years.size
                        if inside and years[place] >= (how.internal_from or 0):
                            pool.append(rest[first : first + window].mean())
            response[m, s] = np.mean(fits, axis=0)
        within.append(np.var(pool, ddof=how.internal_ddof))
    chosen = slice(None) if how.model_scenario is None else [names.index(how.model_scenario)]
    model = np.var(response, axis=0, ddof=how.model_ddof)[chosen].mean(axis=0)
    scenario = np.var(response.mean(axis=0), axis=0, ddof=how.scenario_ddof)
    if how.scenario_from_minimum:
        scenario[: scenario.argmin() + 1] = 0.0
    return model, scenario, np.full(years.size, np.mean(within))
