"""Weights of models as sorted bars, with what each would have by performance and by independence alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from spread.ensemble import effective_number
from spread.errors import BadStudy
from spread.figures.drawing import Backend, holoviews
from spread.figures.headings import Heading, dressed

if TYPE_CHECKING:
    import holoviews as hv

_BAR, _PERFORMANCE, _INDEPENDENCE = "#8fb3d1", "#d55e00", "#009e73"  # the last two: Okabe and Ito (2008)
_ROW = 0.19  # height of a model [inch]
_SCHEMES = {
    "climwip": "by performance and independence",
    "democracy": "one vote a model",
    "by_member": "one vote a run",
}


def weight_frame(weights: xr.DataArray) -> pd.DataFrame:
    """Numbers of the figure: a row a model, the largest weight last.

    Parameters
    ----------
    weights : xarray.DataArray
        As returned by :func:`spread.ensemble.climwip` and the like.

    Returns
    -------
    pandas.DataFrame
        ``model``, ``weight`` and, where they are there, ``performance`` and ``independence``, all in equal votes (the
        weight of a model if all that could be judged had the same), ``distance``, and the place ``y``.

    Raises
    ------
    BadStudy
        If there is no ``source_id``, or a dimension besides ``member_id``.
    """
    more = [str(dim) for dim in weights.dims if dim not in ("source_id", "member_id")]
    if "source_id" not in weights.dims or more:
        got = ", ".join(map(str, weights.dims)) or "none"
        raise BadStudy(f"figure of weights: expected source_id[, member_id], got {got}")
    models = weights.sum("member_id") if "member_id" in weights.dims else weights
    names = models["source_id"].values.astype(str)
    judged = ~np.isin(names, _without_diagnostics(weights))
    number = int(judged.sum())
    frame = pd.DataFrame({"model": names, "weight": models.values * number})
    for part in ("performance", "independence"):
        frame[part] = np.where(judged, weights[part].values * number, np.nan) if part in weights.coords else np.nan
    frame["distance"] = weights["distance"].values if "distance" in weights.coords else np.nan
    frame = frame.sort_values(["weight", "model"], ascending=[True, False], kind="stable").reset_index(drop=True)
    return frame.assign(y=np.arange(len(frame), dtype=float))


def model_weights(weights: xr.DataArray, backend: Backend = "bokeh") -> hv.Overlay:
    """Draw the weight of each model, and the parts it is made of.

    Parameters
    ----------
    weights : xarray.DataArray
        As returned by :func:`spread.ensemble.climwip` and the like.
    backend : str
        ``bokeh`` for looking closely, ``matplotlib`` for print.

    Returns
    -------
    holoviews.Overlay
        A bar a model, the largest on top; a line where all votes are equal.

    Raises
    ------
    BadStudy
        If the weights are not on ``source_id[, member_id]``.
    """
    hv = holoviews()
    frame = weight_frame(weights)
    bars = frame.assign(left=0.0, bottom=frame["y"] - 0.36, right=frame["weight"], top=frame["y"] + 0.36)
    told = ["model", "weight", "performance", "independence", "distance"]
    width = "line_width" if backend == "bokeh" else "linewidth"
    box = hv.Rectangles(bars, ["left", "bottom", "right", "top"], told)
    hover: dict[str, Any] = {}
    if backend == "bokeh":
        rows = [("model", "@model"), ("weight [equal votes]", "@weight{0.00}")]
        if frame["performance"].notna().any():
            rows += [("performance alone", "@performance{0.00}"), ("independence alone", "@independence{0.00}"),
                     ("distance to observations", "@distance{0.00}")]  # fmt: skip
        hover = {"tools": ["hover"], "hover_tooltips": rows}
    parts = [
        hv.VLine(1.0).opts(backend=backend, color="#333333", **{width: 0.8}),
        box.opts(backend=backend, color=_BAR, **{width: 0}, **hover),
    ]
    marked = [("performance", "o", "circle", _PERFORMANCE), ("independence", "D", "diamond", _INDEPENDENCE)]
    for name, printed, shown, paint in marked:
        there = frame.dropna(subset=name)
        if len(there):
            points = hv.Points(there.assign(x=there[name])[["x", "y"]], ["x", "y"], label=f"{name} alone")
            look = {"size": 7, "marker": shown} if backend == "bokeh" else {"s": 16, "marker": printed}
            parts.append(points.opts(backend=backend, color=paint, **look))
    lacking = _without_diagnostics(weights)
    names = [f"{m} (no diagnostic)" if m in lacking else m for m in frame["model"]]
    largest = np.nanmax(frame[["weight", "performance", "independence"]].to_numpy())
    overlay = hv.Overlay(parts).opts(
        backend=backend, yticks=list(zip(frame["y"], names, strict=True)), xlim=(0.0, 1.06 * max(float(largest), 1.0)),
        ylim=(-0.7, len(frame) - 0.3),
    )  # fmt: skip
    room = 0.3 + 0.085 * max(map(len, names))
    size = (4.6, max(1.2, _ROW * len(frame)))
    return dressed(
        overlay, _heading(weights, len(frame) - len(lacking)), backend, size, grid="x", left=room, legend=len(parts) > 2
    )


def _without_diagnostics(weights: xr.DataArray) -> list[str]:
    return [name for name in str(weights.attrs.get("without_diagnostics", "")).split(", ") if name]


def _heading(weights: xr.DataArray, number: int) -> Heading:
    scheme = str(weights.attrs.get("scheme", "given"))
    sigmas = [
        f"{symbol} = {float(weights.attrs[name]):.2g}"
        for name, symbol in (("sigma_d", "σ_D"), ("sigma_s", "σ_S"))
        if name in weights.attrs
    ]
    said = [f"Line: equal votes. Effective number of models: {effective_number(weights):.1f}"]
    said += [", ".join(sigmas)] if sigmas else []
    said += [f"σ_D from {weights.attrs['sigma_d_from']}"] if "sigma_d_from" in weights.attrs else []
    title = f"Weights of {number} models: {_SCHEMES.get(scheme, scheme)}"
    synthetic = str(weights.attrs.get("synthetic", "false")) == "true"
    return Heading(title, ". ".join(said) + ".", "Weight [equal votes]", "", synthetic)
