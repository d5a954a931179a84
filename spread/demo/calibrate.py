"""Fit the demo's energy balance to the real warming of CMIP6 models; a maintainer's script that needs SciPy.

    python -m spread.demo.calibrate "$SPREAD_SHARED_DATA"

Reads RCMIP forcing, three-layer fits to 4xCO2 runs and regional means of CMIP6 runs; writes `forcing_knots.json` and
`energy_balance.json` beside itself. Users never need it.
"""

import argparse
import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from spread.demo import energy_balance as eb
from spread.demo.energy_balance import EnergyBalance

HERE = Path(__file__).parent
HISTORICAL_KNOTS = [*range(1850, 2011, 10), 2015]
SCENARIO_KNOTS = list(range(2020, 2131, 10))
# dates of the larger eruptions since 1850, and of nameless dips of the RCMIP series
ERUPTIONS = [1853.2, 1856.7, 1861.9, 1872.8, 1883.65, 1886.5, 1890.5, 1902.8, 1907.3, 1912.45, 1929.0, 1932.3, 1963.2]
ERUPTIONS += [1965.0, 1967.0, 1968.5, 1970.8, 1974.8, 1979.5, 1982.3, 1985.9, 1991.45, 2005.5, 2009.5, 2011.4]
# nearest relative with a 4xCO2 fit, and the realisation where the first one did not converge to a physical solution
RELATIVES = {"EC-Earth3": ("EC-Earth3", "r3i1p1f1"), "EC-Earth3-Veg": ("EC-Earth3", "r3i1p1f1")}
WINDOW, BASE = (2081, 2100), (1850, 1900)
MONTH_DAYS = np.array([31, 28.25, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
FREE_SIGMA = np.array([0.12, 0.15, 0.10, 0.4, 0.35, 0.15, 0.15, 0.15, 0.15])


def read_rcmip(data: Path, stem: str) -> dict[tuple[str, str], np.ndarray]:
    """Read RCMIP 5.1.0 annual means 1850-2130 of the world, by scenario and last words of the variable."""
    import pandas as pd

    table = pd.read_csv(data / "rcmip_ssp_forcing" / f"rcmip-{stem}-annual-means-5-1-0-ssp-only.csv.gz")
    table = table[(table["Region"] == "World") & table["Scenario"].isin(eb.SCENARIOS)]
    years = [str(year) for year in range(eb.START, eb.END + 1)]
    return {
        (row["Scenario"], row["Variable"].split("|", 1)[-1]): row[years].to_numpy(float) for _, row in table.iterrows()
    }


def piecewise(series: dict[str, np.ndarray]) -> dict[str, Any]:
    """Fit linear splines to annual series by least squares: knots to 2015 shared, later ones per scenario."""
    years = np.arange(eb.START, eb.END + 1) + 0.5
    knots = np.array(HISTORICAL_KNOTS + SCENARIO_KNOTS, float)
    hats = np.stack([np.interp(years, knots, row) for row in np.eye(len(knots))], 1)
    shared, past = len(HISTORICAL_KNOTS), years < 2015
    history = np.linalg.lstsq(hats[past][:, :shared], series["ssp245"][past], rcond=None)[0]
    out: dict[str, Any] = {
        "historical_years": HISTORICAL_KNOTS,
        "historical": np.round(history, 3).tolist(),
        "scenario_years": SCENARIO_KNOTS,
    }
    for scenario in eb.SCENARIOS:
        rest = series[scenario][~past] - hats[~past][:, :shared] @ history
        out[scenario] = np.round(np.linalg.lstsq(hats[~past][:, shared:], rest, rcond=None)[0], 3).tolist()
    return out


def fit_volcanoes(series: np.ndarray) -> dict[str, list]:
    """Fit the peak of each eruption to annual volcanic forcing, above a quiet background that ends in 2025."""
    from scipy.optimize import nnls

    month = eb.START + (np.arange(12 * 165) + 0.5) / 12.0
    background: list[list[float]] = [[1850, 2000, 2015, 2025], [0.185, 0.18, 0.135, 0.0]]
    quiet = np.interp(month, background[0], background[1]).reshape(-1, 12).mean(1)
    templates = [eb.volcanic(month, [[start, 1.0]], [[1850], [0.0]]).reshape(-1, 12).mean(1) for start in ERUPTIONS]
    peaks = nnls(np.stack(templates, 1), quiet - series[:165])[0]
    eruptions = [[start, -round(float(peak), 2)] for start, peak in zip(ERUPTIONS, peaks, strict=True) if peak > 0.02]
    return {"eruptions": eruptions, "background": background}


def write_forcing(data: Path) -> None:
    """Write `forcing_knots.json`, a fitted description of the RCMIP pathways."""
    erf, concentration = read_rcmip(data, "radiative-forcing"), read_rcmip(data, "concentrations")
    aerosol = {s: erf[s, "Anthropogenic|Aerosols"] for s in eb.SCENARIOS}
    rest = {s: erf[s, "Anthropogenic"] - aerosol[s] for s in eb.SCENARIOS}
    carbon = {
        s: next(v for (name, key), v in concentration.items() if name == s and key.endswith("CO2"))
        for s in eb.SCENARIOS
    }
    zero = {
        name: {s: v - v[0] for s, v in series.items()} for name, series in (("greenhouse", rest), ("aerosol", aerosol))
    }
    table = {
        "what": "piecewise-linear description, fitted by spread.demo.calibrate, of effective radiative forcing"
        " [W m-2, relative to 1850] and CO2 [ppm]",
        "source": "RCMIP 5.1.0, Nicholls et al. 2020, doi:10.5194/gmd-13-5175-2020; forcing series by C. Smith et al.",
        "licence": "CC BY 4.0",
        "greenhouse": piecewise(zero["greenhouse"]),
        "aerosol": piecewise(zero["aerosol"]),
        "volcanic": fit_volcanoes(erf["ssp245", "Natural|Volcanic"]),
        "co2": piecewise(carbon),
    }
    text = ",\n".join(f" {json.dumps(key)}: {json.dumps(value)}" for key, value in table.items())
    (HERE / "forcing_knots.json").write_text("{\n" + text + "\n}\n")


def read_warming(data: Path) -> dict[str, dict[str, np.ndarray]]:
    """Annual world means of CMIP6 runs, NaN where months lack, by source_id and experiment [degC]."""
    import xarray as xr

    out: dict[str, dict[str, np.ndarray]] = {}
    for experiment in ("historical", *eb.SCENARIOS):
        with xr.open_dataset(data / "atlas_cmip6_tas" / f"cmip6_ar6regions_monthly_{experiment}.nc") as ds:
            world = ds["tas"].sel(region="world").transpose("run", "time").values
            names = [str(name) for name in ds["source_id"].values]
        annual = np.average(world.reshape(len(names), -1, 12), axis=2, weights=MONTH_DAYS)
        for name, series in zip(names, annual, strict=True):
            out.setdefault(name, {})[experiment] = series
    return out


def first_guess(data: Path, source_id: str) -> EnergyBalance:
    """Three-layer parameters of the model's own 4xCO2 run."""
    wanted = RELATIVES.get(source_id)
    with open(data / "rcmip_ssp_forcing" / "4xCO2_cummins_ebm3.csv") as file:
        rows = [
            row
            for row in csv.DictReader(file)
            if (row["model"], row["run"]) == wanted or (not wanted and row["model"] == source_id)
        ]
    row = {key: float(value) for key, value in rows[0].items() if key not in ("model", "run", "conv")}
    f4x = row["F_4xCO2"]
    return EnergyBalance(
        tuple(row[f"C{i}"] for i in (1, 2, 3)),
        tuple(row[f"kappa{i}"] for i in (1, 2, 3)),
        row["epsilon"],
        f4x,
        (f4x / 7.6, 1.0, 0.8),
        (0.0,) * 4,
    )


def tuned(guess: EnergyBalance, free: np.ndarray) -> EnergyBalance:
    """Apply nine free parameters: log factors on feedback, mixing and the three forcings, and four ramps."""
    factor = np.exp(free[:5])
    k1, k2, k3 = guess.exchange
    return replace(
        guess,
        exchange=(k1 * factor[0], k2 * factor[1], k3),
        scale=tuple(np.array(guess.scale) * factor[2:]),
        ramp=tuple(free[5:]),
    )


def difference(model: EnergyBalance, real: dict[str, np.ndarray], experiment: str) -> tuple[np.ndarray, int]:
    """Annual warming of the energy balance minus the real one (NaN where the run has none), and the first year."""
    surface = eb.integrate(model, eb.forcing(model)).temperature[:, 0].reshape(-1, 12, 4).mean(1)
    base = slice(BASE[0] - eb.START, BASE[1] - eb.START + 1)
    first, column = (1850, 1) if experiment == "historical" else (2015, eb.SCENARIOS.index(experiment))
    anomaly = surface[:, column] - surface[base, column].mean()
    target = real[experiment] - np.nanmean(real["historical"][base])
    return anomaly[first - eb.START :][: len(target)] - target, first


def window_misfit(model: EnergyBalance, real: dict[str, np.ndarray]) -> dict[str, float]:
    """Mean misfit of 2081-2100 for each scenario, and of 1995-2014 for the historical run [K]."""
    out = {}
    for experiment in real:
        gap, first = difference(model, real, experiment)
        low, high = (1995, 2014) if experiment == "historical" else WINDOW
        part = gap[low - first : high - first + 1]
        if np.isfinite(part).any():
            out[experiment] = float(np.nanmean(part))
    return out


def real_warming(real: dict[str, np.ndarray]) -> dict[str, float]:
    """Mean of 2081-2100 relative to 1850-1900 in the real runs, over the years that they have [K]."""
    base = np.nanmean(real["historical"][: BASE[1] - BASE[0] + 1])
    ends = {key: series[WINDOW[0] - 2015 : WINDOW[1] - 2014] for key, series in real.items() if key != "historical"}
    return {key: round(float(np.nanmean(end) - base), 3) for key, end in ends.items() if np.isfinite(end).any()}


def fit(guess: EnergyBalance, real: dict[str, np.ndarray]) -> EnergyBalance:
    """Least squares: windows to 0.02 K, annual values loosely, parameters near the 4xCO2 fit."""
    from scipy.optimize import least_squares

    def residual(free: np.ndarray) -> np.ndarray:
        model, parts = tuned(guess, free), [free / FREE_SIGMA]
        for experiment in real:
            gap, _ = difference(model, real, experiment)
            gap = gap[np.isfinite(gap)]
            parts.append(gap / 0.15 / np.sqrt(max(len(gap), 1) / 12.0))
        windows = window_misfit(model, real)
        parts.append(np.array([value / (0.04 if key == "historical" else 0.02) for key, value in windows.items()]))
        return np.concatenate(parts)

    return tuned(guess, least_squares(residual, np.zeros(9), x_scale=FREE_SIGMA, diff_step=1e-4, max_nfev=30).x)


def main() -> None:
    """Fit every model that has a 4xCO2 fit and write both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="the calibration data folder, $SPREAD_SHARED_DATA")
    data = parser.parse_args().data
    write_forcing(data)
    rows = {}
    for source_id, real in read_warming(data).items():
        try:
            guess = first_guess(data, source_id)
        except IndexError:
            continue
        model = fit(guess, {key: value for key, value in real.items() if np.isfinite(value).any()})
        numbers: dict[str, Any] = {
            "capacity": model.capacity,
            "exchange": model.exchange,
            "efficacy": model.efficacy,
            "forcing_4xco2": model.forcing_4xco2,
        }
        numbers |= {"scale": model.scale, "ramp": model.ramp}
        row: dict[str, Any] = {key: np.round(value, 4).tolist() for key, value in numbers.items()}
        rounded = eb.energy_balance_of(row)
        row["base_state"] = round(float(np.nanmean(real["historical"][: BASE[1] - BASE[0] + 1])) + 273.15, 2)
        row["real_warming"] = real_warming(real)
        row["misfit"] = {key: round(value, 3) for key, value in window_misfit(rounded, real).items()}
        rows[source_id] = row
        print(source_id, row["misfit"], row["scale"], row["ramp"], flush=True)
    head = {
        "what": "energy-balance parameters fitted by spread.demo.calibrate, real base state and warming [K], and"
        " misfit of the noise-free warming [K]: mean of 2081-2100 (historical: 1995-2014) relative to 1850-1900,"
        " fitted minus real",
        "source": "IPCC-WG1/Atlas regional means of CMIP6, Iturbide et al. 2020, doi:10.5194/essd-12-2959-2020; first"
        " guess: three-layer fits to 4xCO2 runs, Cummins et al. 2020, doi:10.1175/JCLI-D-19-0589.1",
        "licence": "CC BY 4.0",
    }
    text = ",\n".join(f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in rows.items())
    lines = ",\n".join(f" {json.dumps(key)}: {json.dumps(value)}" for key, value in head.items())
    (HERE / "energy_balance.json").write_text("{\n" + lines + ',\n "models": {\n' + text + "\n }\n}\n")


if __name__ == "__main__":
    main()
