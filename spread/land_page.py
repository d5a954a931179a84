"""The page of a simulated run or counterfactual: its numbers, figures, bricks, and the command that remakes it.

One file that opens from a disk without a network; everything it shows lies in its folder.
"""

from __future__ import annotations

import math
import struct
from importlib.resources import files
from pathlib import Path
from typing import Any

from spread.figures.words import SYNTHETIC, raised
from spread.vocabulary import VARIABLES

DOWNLOADS = {
    "simulated.zarr": "the run, every variable on its own steps and places; spread run STUDY --beside takes the folder",
    "whatif.zarr": "yearly means of both runs of each change, by draw",
    "yearly.csv": "yearly means by draw",
    "attribution.csv": "the effect of each factor and of their interactions, by draw",
    "summary.json": "all of this page for machines",
}


def write(folder: str | Path, summary: dict[str, Any]) -> Path:
    """Write the page of a run.

    Parameters
    ----------
    folder : str or Path
        Where its files lie.
    summary : dict
        As :mod:`spread.simulations` writes it, with ``title``, ``command`` and ``pictures`` (file and title).

    Returns
    -------
    Path
        ``index.html``.
    """
    folder = Path(folder)
    page = folder / "index.html"
    page.write_text(render(folder, summary), encoding="utf-8")
    return page


def render(folder: Path, summary: dict[str, Any]) -> str:
    """Render the page; every text is escaped.

    Parameters
    ----------
    folder, summary
        As in :func:`write`.

    Returns
    -------
    str
        HTML.
    """
    import jinja2
    from markupsafe import Markup

    template_of = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    ).from_string
    report = (files("spread") / "page_template.html").read_text(encoding="utf-8")
    style = report.split("<style>")[1].split("</style>")[0]  # one look for all pages
    store = next((name for name in ("simulated.zarr", "whatif.zarr") if (folder / name).is_dir()), "")
    return template_of((files("spread") / "land_template.html").read_text(encoding="utf-8")).render(
        style=Markup(style),
        title=summary["title"],
        made=summary.get("created", "")[:16].replace("T", " ") + " UTC" if summary.get("created") else "",
        label="Parameters are defaults or draws, calibrated against no observation.",
        synthetic=SYNTHETIC if summary["synthetic"] else "",
        headline=headline(summary),
        pictures=[_picture(folder, one, summary) for one in summary["pictures"]],
        tables=tables(summary),
        facts=facts(summary),
        fixes=[fix for fix in str(summary.get("forcing_fixes", "")).split("; ") if fix],
        downloads={name: what for name, what in DOWNLOADS.items() if (folder / name).exists()},
        command=summary["command"],
        code=f'import xarray as xr\n\nds = xr.open_zarr("{store}", consolidated=False)' if store else "",
    )


def number(value: float) -> str:
    """Three digits that mean something, with a true minus sign."""
    return f"{value:.3g}".replace("-", "−") if math.isfinite(value) else "–"


def shown(name: str, row: dict[str, Any]) -> tuple[str, list[str]]:
    """Unit for people, and the 5, 50 and 95 % of a variable in it."""
    unit, factor = VARIABLES[name].change_display("absolute") if name in VARIABLES else (row["units"], 1.0)
    return raised(unit), [number(factor * row[q]) for q in ("q5", "q50", "q95")]


def headline(summary: dict[str, Any]) -> str:
    """The answer in a sentence or two."""
    drawn = summary["draws"] > 0
    if "means" in summary:
        parts = []
        for name in ("gpp", "nbp", "evspsbl"):
            unit, (low, middle, high) = shown(name, summary["means"][name])
            parts.append(
                f"{VARIABLES[name].long_name.lower()} {middle} {unit}" + (f" ({low} to {high})" if drawn else "")
            )
        said = f"Mean over all land and years: {', '.join(parts)}."
        return said + (f" In brackets: 5-95 % of {summary['draws']} draws of parameters." if drawn else "")
    outcome, parts = summary["outcome"], []
    for change, rows in summary["differences_in_the_last_ten_years"].items():
        unit, (low, middle, high) = shown(outcome, rows[outcome])
        parts.append(
            f"{summary['changes'][change]}: {middle} {unit}" + (f" (5-95 % of draws: {low} to {high})" if drawn else "")
        )
    return f"Change of {VARIABLES[outcome].long_name.lower()} in the last ten years. {'; '.join(parts)}."


def tables(summary: dict[str, Any]) -> list[dict[str, Any]]:
    """Key numbers: means of a run, or differences and the shares of factors of a counterfactual."""
    drawn = summary["draws"] > 0
    head = ["5 %", "50 %", "95 %", "Unit"] if drawn else ["Mean", "Unit"]
    words = f"Quantiles over {summary['draws']} draws of parameters." if drawn else "One run with the defaults."
    made: list[dict[str, Any]] = []

    def rows_of(found: dict[str, dict[str, Any]], variable: str = "") -> list[list[str]]:
        rows = []
        for name, row in found.items():
            unit, numbers = shown(variable or name, row)
            called = name if variable else f"{VARIABLES[name].long_name} ({name})" if name in VARIABLES else name
            rows.append([called, *(numbers if drawn else numbers[1:2]), unit])
        return rows

    if "means" in summary:
        heading = "Means over all land and years"
        made.append({"name": "means", "heading": heading, "head": ["Variable", *head], "words": words,
                     "rows": rows_of(summary["means"])})  # fmt: skip
    for number_, (change, found) in enumerate(summary.get("differences_in_the_last_ten_years", {}).items()):
        heading = f"What if: {summary['changes'][change]}?"
        said = f"Changed less baseline in the last ten years, the same parameters in both. {words}"
        made.append({"name": f"change-{number_ + 1}", "heading": heading, "head": ["Variable", *head], "words": said,
                     "rows": rows_of(found)})  # fmt: skip
    if "attribution" in summary:
        found = summary["attribution"]["effects"] | {"total": summary["attribution"]["total"]}
        said = f"Effects on {summary['attribution']['outcome']}; they add up to the total. {words}"
        made.append({"name": "attribution", "heading": "Which factor does what", "head": ["Factor", *head],
                     "words": said, "rows": rows_of(found, summary["outcome"])})  # fmt: skip
    return made


def facts(summary: dict[str, Any]) -> dict[str, str]:
    """Bricks, parameters, weather and versions, in words; a fact that is not there is left out."""
    first, last = summary["years"]
    rest = {
        f"Largest rest of {what}": f"{summary[key]:.2g} kg m⁻² in one step of one place (rounding)"
        for what, key in (("carbon", "largest_rest_of_carbon_kg_m-2"), ("water", "largest_rest_of_water_kg_m-2"))
        if key in summary
    }
    draws = f"{summary['draws']} draws, seed {summary['seed']}" if summary["draws"] else "defaults, no draws"
    found = {
        "Weather": summary.get("forcing", ""),
        "Years": f"{first}-{last}",
        "Places": f"{summary['cells']}",
        "Bricks": str(summary.get("bricks", "")),
        "Parameters": f"{draws}; digest {summary.get('parameters_digest', '')}",
        "spread": str(summary.get("spread_version", "")),
        "JAX": str(summary.get("jax_version", "")),
    }
    return {name: fact for name, fact in (found | rest).items() if fact}


def _picture(folder: Path, one: dict[str, str], summary: dict[str, Any]) -> dict[str, Any]:
    with (folder / one["png"]).open("rb") as file:
        width, height = struct.unpack(">II", file.read(24)[16:])  # of the header of a PNG
    said = f" {SYNTHETIC}." if summary["synthetic"] else ""
    return one | {"width": width, "height": height, "alt": f"{one['title']}: {one['shows']}.{said}"}
