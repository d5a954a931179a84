"""The scorecard of an emulator on the page: its table, the demands, and power by wavenumber beside the baselines."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np
import pandas as pd
from bokeh.core.properties import value as said_as
from bokeh.models import HoverTool, Legend, LegendItem, Span
from bokeh.plotting import figure as bokeh_figure

from dashboards.drawing.curves import PAINTS
from dashboards.drawing.screen import calm, paint

SCORES = {
    "crps": "Fair CRPS [K]", "ssr": "Spread over skill", "q99": "Error of q99 [K]",
    "global_sd": "Global-mean sd, ratio", "copied": "Copied",
}  # fmt: skip
"""Scores that the page shows, and their heads."""

_NO_POWER = 1e-3
"""Ratio below which a method has no power at a wavenumber: a logarithm shows no zero."""


def score_frame(card: dict[str, Any]) -> pd.DataFrame:
    """A row a method: its kind, and its scores with their Monte-Carlo errors, NaN where there is none.

    Parameters
    ----------
    card : dict
        As :meth:`spread.emulator.scorecard.Scorecard.as_dict` gives it.
    """
    rows = []
    for row in card["rows"]:
        line: dict[str, Any] = {"method": row["method"], "kind": row["kind"]}
        for name in SCORES:
            given = row["scores"].get(name, {})
            for part, suffix in (("value", ""), ("member_error", "_error")):
                value = given.get(part)
                line[name + suffix] = np.nan if value is None or isinstance(value, list) else float(value)
        rows.append(line)
    return pd.DataFrame(rows)


def score_html(card: dict[str, Any]) -> str:
    """The table of a card, and the demands that were made.

    Parameters
    ----------
    card : dict
        As in :func:`score_frame`.
    """
    frame = score_frame(card)
    shown = [name for name in SCORES if frame[name].notna().any()]
    head = "".join(f"<th scope='col' class='n'>{escape(SCORES[name])}</th>" for name in shown)
    body = "".join(
        f"<tr><td class='k'>{escape(str(row['method']))}</td><td>{escape(str(row['kind']))}</td>"
        + "".join(f"<td class='n'>{_number(row[name])}</td>" for name in shown) + "</tr>"
        for row in frame.to_dict("records")
    )  # fmt: skip
    gates = "".join(
        f"<li>{'held' if gate['held'] else '<b>missed</b>'}: {escape(str(gate['sentence']))}</li>"
        for gate in card["gates"]
    )
    title = f"Scores on a run that was kept back: {card['run']}"
    return (
        f"<h3 style='margin-top:16px'>{escape(title)}</h3><div class='scroll' tabindex='0' role='region' "
        f"aria-label='{escape(title, quote=True)}'><table><thead><tr><th scope='col'>Method</th>"
        f"<th scope='col'>Kind</th>{head}</tr></thead><tbody>{body}</tbody></table></div>"
        f"<details><summary>{len(card['gates'])} demands on the emulator</summary><ul>{gates}</ul></details>"
    )


def spectrum_frame(card: dict[str, Any]) -> pd.DataFrame:
    """Power over that of the run, a row a method and zonal wavenumber; empty where the card has no spectra.

    Parameters
    ----------
    card : dict
        As in :func:`score_frame`.
    """
    parts = [pd.DataFrame({"method": [], "kind": [], "wavenumber": [], "ratio": []})]
    for row in card["rows"]:
        value = row["scores"].get("spectrum", {}).get("value")
        if isinstance(value, list):
            ratio = np.array([np.nan if one is None else one for one in value], dtype=float)
            part = pd.DataFrame({"wavenumber": np.arange(ratio.size), "ratio": ratio})
            parts.append(part.assign(method=str(row["method"]), kind=str(row["kind"])))
    table = pd.concat([part for part in parts if len(part)] or parts, ignore_index=True)
    return table[table["ratio"] > _NO_POWER]


def spectra(card: dict[str, Any], theme: str) -> Any:
    """Draw power by wavenumber, over that of the run that was kept back; None where the card has no spectra.

    Parameters
    ----------
    card : dict
        As in :func:`score_frame`.
    theme : str
        Of :data:`dashboards.drawing.screen.THEMES`.
    """
    table = spectrum_frame(card)
    if table.empty:
        return None
    drawn = bokeh_figure(
        frame_height=260, sizing_mode="stretch_width", tools="pan,box_zoom,wheel_zoom,reset", active_drag=None,
        toolbar_location="above", y_axis_type="log", x_axis_label="Zonal wavenumber",
        y_axis_label="Power over that of the run",
    )  # fmt: skip
    drawn.add_layout(Span(location=1.0, dimension="width", line_color=paint("#555555", theme), line_width=1))
    items, lines = [], []
    for number, (method, part) in enumerate(table.groupby("method", sort=False)):
        candidate = part["kind"].iloc[0] == "candidate"
        source = {"wavenumber": part["wavenumber"], "ratio": part["ratio"], "name": [method] * len(part)}
        tint = paint(PAINTS[number % len(PAINTS)], theme)
        line = drawn.line("wavenumber", "ratio", source=source, color=tint, line_width=3 if candidate else 1.6,
                          line_dash="solid" if candidate else "dashed")  # fmt: skip
        lines.append(line)
        items.append(LegendItem(label=said_as(method), renderers=[line]))
    drawn.add_layout(Legend(items=items, ncols=1, click_policy="hide", location="left"), "below")
    drawn.add_tools(HoverTool(renderers=lines, tooltips=[
        ("", "@name"), ("wavenumber", "@wavenumber{0}"), ("ratio", "@ratio{0.00}")]))  # fmt: skip
    drawn.height = 260 + 60 + 24 * len(items)
    worst = table[table["kind"] == "candidate"]["ratio"]
    said = f" The emulator's lies between {worst.min():.2f} and {worst.max():.2f}." if len(worst) else ""
    return calm(drawn, theme, f"Power by zonal wavenumber over that of the run, of every method.{said}")


def _number(value: float) -> str:
    return f"{value:.3f}" if np.isfinite(value) else "–"
