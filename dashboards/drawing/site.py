"""What the embedded site did with and without a change: a table, and curves of its net uptake of carbon."""

from __future__ import annotations

from html import escape

import numpy as np
import pandas as pd
import xarray as xr

from dashboards.drawing.curves import PAINTS, Curve
from spread import counterfactual
from spread.figures.words import raised
from spread.vocabulary import VARIABLES

SHOWN = ("nbp", "gpp", "cVeg", "cSoil", "evspsbl")
"""Variables of the table."""


def land_table(pair: xr.Dataset) -> pd.DataFrame:
    """Change of the last ten years with its range over draws, a row a variable, in the unit shown.

    Parameters
    ----------
    pair : xarray.Dataset
        As :func:`spread.counterfactual.whatif` gives it.
    """
    last = counterfactual.differences(pair)[list(SHOWN)].isel(year=slice(-10, None)).mean("year", keep_attrs=True)
    found, rows = counterfactual.ranges(last), []
    for name in SHOWN:
        factor, unit = shown_unit(name)
        low, median, high = factor * found[name].values
        rows.append({"variable": name, "name": VARIABLES[name].long_name, "unit": unit, "low": low, "median": median,
                     "high": high})  # fmt: skip
    return pd.DataFrame(rows)


def land_curves(pair: xr.Dataset) -> list[Curve]:
    """Net uptake of carbon with and without a change, and the range over draws."""
    factor, _ = shown_unit("nbp")
    made = []
    for run, tint, said in (("baseline", PAINTS[6], "as it was"), ("changed", PAINTS[1], "with the change")):
        values = factor * pair["nbp"].sel(run=run).transpose("draw", "year").values
        low, middle, high = np.quantile(values, (0.05, 0.5, 0.95), axis=0)
        several = len(values) > 1
        made.append(Curve(str(said), pair["year"].values, middle, tint, low=low if several else None,
                          high=high if several else None))  # fmt: skip
    return made


def shown_unit(name: str) -> tuple[float, str]:
    """Factor to the unit shown, and that unit."""
    unit, factor = VARIABLES[name].change_display("absolute")
    return factor, raised(unit)


def land_html(pair: xr.Dataset) -> str:
    """The table of :func:`land_table` for the page."""
    several = pair.sizes["draw"] > 1
    head = "".join(f"<th scope='col' class='{kind}'>{name}</th>" for name, kind in (
        ("Variable", ""), ("Change", "n"), *([("5-95 %", "n")] if several else []), ("Unit", "")))  # fmt: skip
    rows = "".join(
        f"<tr><td>{escape(row['name'])}</td><td class='n'>{_signed(row['median'])}</td>"
        + (f"<td class='n'>{_signed(row['low'])} to {_signed(row['high'])}</td>" if several else "")
        + f"<td class='k'>{escape(row['unit'])}</td></tr>"
        for row in land_table(pair).to_dict("records")
    )  # fmt: skip
    return (
        "<div class='scroll' tabindex='0' role='region' aria-label='change of the land'><table><thead>"
        f"<tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _signed(value: float) -> str:
    return "0" if abs(value) < 5e-4 else f"{value:+.3f}"
