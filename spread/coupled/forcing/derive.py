"""Write `erf.csv.gz` from the forcing series of RCMIP, and `cummins.csv` from three-layer fits; a maintainer's script.

    python -m spread.coupled.forcing.derive FOLDER

FOLDER holds `rcmip-radiative-forcing-annual-means-5-1-0-ssp-only.csv.gz` and `4xCO2_cummins_ebm3.csv`. Users never need
it: both results are part of the package.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
SCENARIOS = ("ssp119", "ssp126", "ssp245", "ssp370", "ssp434", "ssp460", "ssp534-over", "ssp585")
FIRST, SPLIT, LAST = 1750, 2015, 2500
RECEIPT = """# Effective radiative forcing [W m-2] relative to 1750: annual means; all scenarios share 1750-2014.
# total = co2 + other + aerosol + volcanic + solar; other = every anthropogenic agent but CO2 and aerosol.
# Derived by spread.coupled.forcing.derive from RCMIP 5.1.0 annual means, rounded to 0.1 mW m-2.
# Source: Nicholls et al. 2020, doi:10.5194/gmd-13-5175-2020; data doi:10.5281/zenodo.4589756; series by C. Smith et al.
# Licence: CC BY 4.0, https://creativecommons.org/licenses/by/4.0/
"""
FITS = """# Three-layer energy-balance fits to abrupt-4xCO2 of CMIP6 models: units of yr, W m-2 and K.
# Derived by spread.coupled.forcing.derive, rounded to 6 digits; converged fits only.
# Source: method of Cummins, Stephenson & Stott 2020, doi:10.1175/JCLI-D-19-0589.1; table of FaIR's tests, C. Smith.
# Licence: Apache-2.0
"""
COLUMNS = ("gamma", "C1", "C2", "C3", "kappa1", "kappa2", "kappa3", "epsilon", "sigma_eta", "sigma_xi", "F_4xCO2")


def read_rcmip(path: Path) -> dict[tuple[str, str], np.ndarray]:
    """Read annual forcing of the world, `FIRST` to `LAST` [W m-2], by scenario and variable after the first bar."""
    import pandas as pd

    table = pd.read_csv(path)
    table = table[(table["Region"] == "World") & table["Scenario"].isin(SCENARIOS)]
    if set(table["Unit"]) != {"W/m^2"}:
        raise SystemExit(f"{path}: forcing is in {sorted(set(table['Unit']))}, not W/m^2")
    years = [str(year) for year in range(FIRST, LAST + 1)]
    return {
        (row["Scenario"], row["Variable"].partition("|")[2]): row[years].to_numpy(float) for _, row in table.iterrows()
    }


def components(series: dict[tuple[str, str], np.ndarray], scenario: str) -> np.ndarray:
    """CO2, other anthropogenic, aerosol, volcanic and solar forcing of a scenario, (year, 5) [W m-2]."""
    carbon, aerosol = (series[scenario, f"Anthropogenic|{name}"] for name in ("CO2", "Aerosols"))
    other = series[scenario, "Anthropogenic"] - carbon - aerosol
    volcanic, solar = (series[scenario, f"Natural|{name}"] for name in ("Volcanic", "Solar"))
    parts = np.stack([carbon, other, aerosol, volcanic, solar], 1)
    if np.abs(parts.sum(1) - series[scenario, ""]).max() > 1e-6:
        raise SystemExit(f"{scenario}: the components do not add up to the total")
    return parts


def write_forcing(source: Path, target: Path) -> None:
    """Write the compact table of forcing; the same bytes from the same source."""
    series = read_rcmip(source)
    split = SPLIT - FIRST
    past = components(series, "ssp245")[:split]
    rows = [("historical", FIRST + n, line) for n, line in enumerate(past)]
    for scenario in SCENARIOS:
        parts = components(series, scenario)
        if np.abs(parts[:split] - past).max() > 1e-6:
            raise SystemExit(f"{scenario}: its past is not that of ssp245")
        rows += [(scenario, SPLIT + n, line) for n, line in enumerate(parts[split:])]
    text = RECEIPT + "experiment_id,year,co2,other,aerosol,volcanic,solar\n"
    text += "".join(f"{name},{year},{','.join(_short(x) for x in line)}\n" for name, year, line in rows)
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0, filename="") as file:
        file.write(text.encode())
    target.write_bytes(packed.getvalue())


def _short(value: float) -> str:
    return f"{round(float(value), 4) + 0.0:.4f}".rstrip("0").rstrip(".")


def write_fits(source: Path, target: Path) -> None:
    """Write the parameters of the converged fits."""
    with source.open() as file:
        rows = [row for row in csv.DictReader(file) if row["conv"] == "TRUE"]
    rows.sort(key=lambda row: (row["model"].lower(), row["run"]))
    lines = [",".join(("source_id", "member_id", *COLUMNS))]
    lines += [",".join((row["model"], row["run"], *(f"{float(row[key]):.6g}" for key in COLUMNS))) for row in rows]
    target.write_text(FITS + "\n".join(lines) + "\n")


def main() -> None:
    """Write both tables beside the code that reads them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    write_forcing(folder / "rcmip-radiative-forcing-annual-means-5-1-0-ssp-only.csv.gz", HERE / "erf.csv.gz")
    write_fits(folder / "4xCO2_cummins_ebm3.csv", HERE.parent / "cummins.csv")


if __name__ == "__main__":
    main()
