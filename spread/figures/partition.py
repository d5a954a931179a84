"""The partition of variance as a stack: the share of each source of uncertainty, year by year."""

from __future__ import annotations

import json
import textwrap
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from spread.errors import BadStudy, did_you_mean
from spread.figures import printing
from spread.figures.drawing import Backend, holoviews
from spread.figures.words import SEASONS, SYNTHETIC, WARNING_COLOUR, in_words
from spread.vocabulary import VARIABLES

if TYPE_CHECKING:
    import holoviews as hv

SOURCE_COLOURS = {"model": "#354aa1", "scenario": "#007f3c", "downscaling": "#8a5fbf", "internal": "#ff6e04"}
"""Colours of the sources: blue, green and orange as in Hawkins and Sutton (2009), which AR6 WGI follows."""

SOURCE_NAMES = {
    "model": "Model", "scenario": "Scenario", "downscaling": "Downscaling", "internal": "Internal variability",
}  # fmt: skip
"""Sources as figures write them, from the bottom of the stack to its top."""

_LETTER, _LINE = 0.014, 8.0  # width of a letter as a share of the years, height of a line [%]
_LETTERS = 62  # of a title in print


class _Said(NamedTuple):
    """What the figure says around its data."""

    title: str
    subtitle: str
    synthetic: bool


def partition_stack(
    result: xr.Dataset, backend: Backend = "bokeh", years: tuple[int, int] | None = None, **place: Any
) -> hv.Overlay:
    """Draw the share of each source in the total variance, stacked, by year.

    Parameters
    ----------
    result : xarray.Dataset
        As returned by :func:`spread.ensemble.hawkins_sutton` or :func:`spread.ensemble.lafferty_sriver`.
    backend : str
        ``bokeh`` for looking closely, ``matplotlib`` for print.
    years : (int, int), optional
        First and last year; by default those after the base period, within which the shares mean little.
    **place
        Which place, such as ``region="global"``, where the result has several.

    Returns
    -------
    holoviews.Overlay
        An area for each source, with its name in it where it fits, and a legend.

    Raises
    ------
    BadStudy
        If a place is not in the result, or none is named where there are several, or no year has a share.
    """
    hv = holoviews()
    chosen = _at(result, place)
    table = partition_frame(chosen, years)
    said = _said(chosen, table)
    sources = list(dict.fromkeys(table["source"]))
    areas = [_area(hv, table[table["source"] == source], source, backend) for source in sources]
    names = [_name(hv, table[table["source"] == source], source, backend) for source in sources]
    limits = (float(table["Year"].min()), float(table["Year"].max()))
    overlay = hv.Overlay([*areas, *[name for name in names if name is not None]])
    label = "Share of the total variance [%]"
    overlay = overlay.opts(backend=backend, xlim=limits, ylim=(0.0, 100.0), xlabel="Year", ylabel=label)
    if backend == "bokeh":
        return overlay.opts(
            backend=backend, frame_width=560, frame_height=360, legend_position="bottom", legend_cols=4, title="",
            hooks=[_on_screen(said)], fontsize={"labels": "13px", "ticks": "12px", "legend": "12px"},
        )  # fmt: skip
    size = _paper(said)
    return overlay.opts(
        backend=backend, show_legend=False, fig_inches=(size.width, size.height), hooks=[_in_print(said, size, sources)]
    )


def partition_frame(result: xr.Dataset, years: tuple[int, int] | None = None) -> pd.DataFrame:
    """Numbers of the stack at one place.

    Parameters
    ----------
    result : xarray.Dataset
        A partition at one place.
    years : (int, int), optional
        As in :func:`partition_stack`.

    Returns
    -------
    pandas.DataFrame
        ``source, Year, low, high, share`` [%], from the bottom of the stack to its top; years without a share are
        left out.

    Raises
    ------
    BadStudy
        If no year has a share.
    """
    base = json.loads(result.attrs.get("definition_fields", "{}")).get("base_period")
    first, last = years or (base[1] + 1 if base else -np.inf, np.inf)
    axis = result["year"].values
    share = result["share"].sel(year=axis[(axis >= first) & (axis <= last)]).dropna("year")
    if not share.sizes["year"]:
        raise BadStudy(f"figure of a partition: no year from {first:g} to {last:g} has a share; give other years")
    order = [s for s in SOURCE_NAMES if s in share["source"].values]
    stacked = share.sel(source=order).transpose("source", "year").values
    tops = np.cumsum(stacked, axis=0)
    parts = [
        pd.DataFrame({"source": s, "Year": share["year"].values, "low": top - own, "high": top, "share": own})
        for s, own, top in zip(order, stacked, tops, strict=True)
    ]
    return pd.concat(parts, ignore_index=True)


def _at(result: xr.Dataset, place: dict[str, Any]) -> xr.Dataset:
    places = [str(dim) for dim in result["share"].dims if dim not in ("source", "year")]
    for dim, name in place.items():
        known = [str(value) for value in result[dim].values] if dim in places else []
        if str(name) not in known:
            raise BadStudy(f"figure of a partition: no {dim} {name!r}, {did_you_mean(str(name), known or places)}")
    chosen = result.isel({dim: [str(v) for v in result[dim].values].index(str(name)) for dim, name in place.items()})
    several = [dim for dim in places if dim not in place and result.sizes[dim] > 1]
    if several:
        raise BadStudy(
            f"figure of a partition: several places along {', '.join(several)}: name one, such as "
            f"{several[0]}={result[several[0]].values[0].item()!r}"
        )
    return chosen.squeeze([dim for dim in places if dim not in place])


def _said(result: xr.Dataset, table: pd.DataFrame) -> _Said:
    """Title from what the result knows of its variable, place and definition."""
    attrs = result.attrs
    variable = VARIABLES.get(str(attrs.get("variable_id")))
    name = variable.long_name if variable else str(attrs.get("long_name", ""))
    where = []
    for dim in ("region", "season"):
        value = str(result[dim].item()) if dim in result.coords else str(attrs.get(dim, ""))
        where += [SEASONS.get(value, in_words(value))] if value else []
    where += [f"{dim} {result[dim].item():g}" for dim in ("lat", "lon") if dim in result.coords]
    title = "Sources of uncertainty" + (f": {', '.join([name, *where] if name else where)}" if name or where else "")
    counted = [f"{attrs['number_of_models']} models"] if "number_of_models" in attrs else []
    if attrs.get("scenarios"):
        number = len(str(attrs["scenarios"]).split(", "))
        counted.append(f"{number} scenario{'s' if number > 1 else ''}")
    definition = f"definition {attrs['definition']}" if "definition" in attrs else ""
    end = table[table["Year"] == table["Year"].max()]
    shares = ", ".join(f"{SOURCE_NAMES[s].lower()} {v:.1f} %" for s, v in zip(end["source"], end["share"], strict=True))
    first = "; ".join(part for part in (definition, ", ".join(counted)) if part)
    return _Said(title, f"{first}\n{int(table['Year'].max())}: {shares}".strip(), attrs.get("synthetic") == "true")


def _area(hv: Any, part: pd.DataFrame, source: str, backend: Backend) -> Any:
    area = hv.Area(part, "Year", ["low", "high", "share"], label=SOURCE_NAMES[source])
    paint = SOURCE_COLOURS[source]
    if backend == "matplotlib":
        # the matplotlib backend colours an area from its cycle unless all of these are given
        return area.opts(backend=backend, color=paint, facecolor=paint, edgecolor="white", linewidth=0.6, alpha=1.0)
    rows = [("source", SOURCE_NAMES[source]), ("year", "@Year{0}"), ("share [%]", "@share{0.0}")]
    return area.opts(
        backend=backend, color=paint, line_color="white", line_width=0.8, fill_alpha=1.0, tools=["hover"],
        hover_tooltips=rows,
    )  # fmt: skip


def _name(hv: Any, part: pd.DataFrame, source: str, backend: Backend) -> Any:
    """The source's name in the middle of the largest room that its area has for it; nothing where none is enough."""
    year, low, high = (part[column].to_numpy(dtype=float) for column in ("Year", "low", "high"))
    half = 0.5 * _LETTER * (len(SOURCE_NAMES[source]) + 3) * (year[-1] - year[0])
    rooms = []
    for middle in year[(year - half >= year[0]) & (year + half <= year[-1])]:
        beside = np.abs(year - middle) <= half
        rooms.append((high[beside].min() - low[beside].max(), middle, (high[beside].min() + low[beside].max()) / 2))
    room, middle, height = max(rooms, default=(0.0, 0.0, 0.0))
    if room < _LINE:
        return None
    text = hv.Text(middle, height, SOURCE_NAMES[source], fontsize=10)
    if backend == "matplotlib":
        return text.opts(backend=backend, color="white", weight="bold")
    return text.opts(backend=backend, color="white", text_font_size="14px", text_font_style="bold")


def _on_screen(said: _Said) -> Any:
    from bokeh.models.annotations import Title

    def finish(plot: Any, element: Any) -> None:
        lines = [
            Title(text=line, text_font_style="normal", text_color="#555555", text_font_size="12px")
            for line in reversed(said.subtitle.split("\n"))
        ]
        if said.synthetic:
            lines.append(Title(text=SYNTHETIC, text_color=WARNING_COLOUR, text_font_size="13px"))
        headline = "\n".join(textwrap.wrap(said.title, 66))
        for line in (*lines, Title(text=headline, text_font_size="15px")):
            plot.state.add_layout(line, "above")

    return finish


def _paper(said: _Said) -> printing.Paper:
    rows = len(textwrap.wrap(said.title, _LETTERS))
    bottom, top = 0.85, 0.55 + 0.25 * (rows + said.synthetic)
    return printing.Paper(6.4, bottom + printing.Paper._field_defaults["axes"] + top, bottom)


def _in_print(said: _Said, size: printing.Paper, sources: list[str]) -> Any:
    def finish(plot: Any, element: Any) -> None:
        from matplotlib.patches import Patch

        axes = plot.handles["axis"]
        printing.keep(axes.figure, size)
        printing.calm(axes, size.box(0.75, 6.2), axes.get_ylabel())
        axes.grid(visible=False)
        axes.set_title(said.subtitle, loc="left", fontsize=8.5, color="#444444")
        rows = textwrap.wrap(said.title, _LETTERS)
        heading = {"fontweight": "bold", "va": "top"}
        axes.figure.text(0.015, 1 - 0.12 / size.height, "\n".join(rows), fontsize=12, **heading)
        if said.synthetic:
            at = 1 - (0.16 + 0.25 * len(rows)) / size.height
            axes.figure.text(0.015, at, SYNTHETIC, fontsize=10, color=WARNING_COLOUR, **heading)
        patches = [Patch(color=SOURCE_COLOURS[source], label=SOURCE_NAMES[source]) for source in sources]
        axes.figure.legend(
            handles=patches, loc="lower left", bbox_to_anchor=(0.09, 0.0), ncols=4, fontsize=8.5, frameon=False
        )

    return finish
