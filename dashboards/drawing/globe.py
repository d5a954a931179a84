"""A map on the page: Equal Earth, coastlines as paths, hatching as lines of the plane; drawn once, then only filled."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import xarray as xr
from bokeh.models import ColorBar, CustomJSHover, FixedTicker, HoverTool, LinearColorMapper
from bokeh.plotting import figure
from matplotlib import colormaps
from matplotlib.colors import to_hex
from numpy.typing import NDArray

from dashboards.drawing.screen import THEMES, calm, describe
from spread.figures.maps import HATCHES, colour_levels
from spread.figures.projection import equal_earth, inverse_equal_earth, outline
from spread.natural_earth import coastlines

Floats = NDArray[np.float64]

_PIXELS = (560, 272)  # of a map, about as many as it has on the page
_EDGE = (2.7066, 1.3173)  # largest x and y of Equal Earth [Earth radii]
_APART, _STEP = 0.045, 0.01  # of two lines of a hatch, and of points along them [Earth radii]

_WHERE = """
const A = [1.340264, -0.081106, 0.000893, 0.003796];
const data = special_vars; const x = data.x, y = data.y;
let t = y / A[0];
for (let i = 0; i < 12; i++) {
  const s = t * t, f = t * (A[0] + s * (A[1] + s * s * (A[2] + A[3] * s))) - y;
  t -= f / (A[0] + s * (3 * A[1] + s * s * (7 * A[2] + 9 * A[3] * s)));
}
const s = t * t, slope = A[0] + s * (3 * A[1] + s * s * (7 * A[2] + 9 * A[3] * s));
const lat = Math.asin(Math.min(1, Math.max(-1, 2 * Math.sin(t) / Math.sqrt(3)))) * 180 / Math.PI;
const lon = 3 * x * slope / (2 * Math.sqrt(3) * Math.cos(t)) * 180 / Math.PI;
if (!(Math.abs(lon) <= 180)) { return "" }
const say = (v, p, n) => Math.abs(v).toFixed(0) + "°" + (v < 0 ? n : p);
return say(lat, "N", "S") + " " + say(lon, "E", "W");
"""
"""Latitude and longitude of the pointer: Equal Earth inverted by Newton's method (Savric et al. 2019)."""


def cells_at(maps: xr.Dataset, lon: Floats, lat: Floats) -> NDArray[np.intp]:
    """Number of the cell of a regular grid in which points lie, row by row; -1 where there is none."""
    south, north = maps["lat_bnds"].values.T
    west, east = maps["lon_bnds"].values.T
    rows, columns = np.full(lat.shape, -1), np.full(lon.shape, -1)
    for row, (low, high) in enumerate(zip(south, north, strict=True)):
        rows[(lat >= min(low, high)) & (lat <= max(low, high))] = row
    for column, (start, end) in enumerate(zip(west, east, strict=True)):
        columns[(lon - start) % 360.0 < end - start] = column
    return np.where((rows >= 0) & (columns >= 0) & np.isfinite(lon), rows * west.size + columns, -1)


@lru_cache(4)
def _grid(key: bytes, maps: _Held) -> NDArray[np.intp]:
    width, height = _PIXELS
    x = (np.arange(width) + 0.5) / width * 2 * _EDGE[0] - _EDGE[0]
    y = (np.arange(height) + 0.5) / height * 2 * _EDGE[1] - _EDGE[1]
    return cells_at(maps.data, *inverse_equal_earth(*np.meshgrid(x, y)))


class _Held:
    """A dataset that a cache may keep: all are equal, for the key tells them apart."""

    def __init__(self, data: xr.Dataset) -> None:
        self.data = data

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Held)

    def __hash__(self) -> int:
        return 0


def _key(maps: xr.Dataset) -> bytes:
    return maps["lat_bnds"].values.tobytes() + maps["lon_bnds"].values.tobytes()


def hatch(maps: xr.Dataset, meanings: dict[str, str]) -> dict[str, list[float]]:
    """Segments that hatch the cells of some classes, in the plane.

    Parameters
    ----------
    maps : xarray.Dataset
        With ``robustness`` on ``lat, lon``, its classes named in the attributes, and bounds.
    meanings : dict of str to str
        For a class, the marks of :mod:`spread.figures.maps`: ``////`` one way, ``xxxx`` both ways.

    Returns
    -------
    dict of str to list
        ``x0, y0, x1, y1`` of segments.
    """
    names = str(maps["robustness"].attrs.get("flag_meanings", "")).split()
    flags = list(maps["robustness"].attrs.get("flag_values", range(len(names))))
    values = maps["robustness"].values.ravel()
    found: dict[str, list[float]] = {name: [] for name in ("x0", "y0", "x1", "y1")}
    for slope, wanted in ((1.0, ("////", "xxxx")), (-1.0, ("xxxx",))):
        chosen = [f for n, f in zip(names, flags, strict=True) if meanings.get(n) in wanted]
        if not chosen:
            continue
        x, y, cells = _hatch_lines(_key(maps), _Held(maps), slope)
        inside = np.isin(values[np.maximum(cells, 0)], chosen) & (cells >= 0)
        edges = np.diff(np.pad(inside.astype(np.int8), ((0, 0), (1, 1))), axis=1)
        rows, begins = np.nonzero(edges == 1)
        ends = np.nonzero(edges == -1)[1] - 1
        long = ends > begins
        rows, begins, ends = rows[long], begins[long], ends[long]
        found["x0"] += x[rows, begins].tolist()
        found["y0"] += y[rows, begins].tolist()
        found["x1"] += x[rows, ends].tolist()
        found["y1"] += y[rows, ends].tolist()
    return found


@lru_cache(8)
def _hatch_lines(key: bytes, maps: _Held, slope: float) -> tuple[Floats, Floats, NDArray[np.intp]]:
    """Points along slanted lines all over the map, a row a line, and the cells in which they lie."""
    up = np.arange(-_EDGE[1], _EDGE[1] + _STEP, _STEP)
    starts = np.arange(-_EDGE[0] - _EDGE[1], _EDGE[0] + _EDGE[1], _APART)
    x, y = starts[:, None] + slope * up[None], np.broadcast_to(up, (starts.size, up.size))
    return x, y, cells_at(maps.data, *inverse_equal_earth(x, y))


class Globe:
    """One map with its colour bar.

    Parameters
    ----------
    theme : str
        Of :data:`dashboards.drawing.screen.THEMES`.
    both : bool
        Whether values lie on both sides of zero.
    colours : str
        Name of a Matplotlib colour map.
    """

    def __init__(self, theme: str, both: bool, colours: str) -> None:
        self.both, self.colours = both, colours
        tints = THEMES[theme]
        edge_x, edge_y = outline()
        self.figure = figure(
            x_range=(-1.02 * _EDGE[0], 1.02 * _EDGE[0]), y_range=(-1.03 * _EDGE[1], 1.03 * _EDGE[1]),
            sizing_mode="scale_width", aspect_ratio=1.72, tools="pan,wheel_zoom,box_zoom,reset", active_drag=None,
            toolbar_location="above", match_aspect=True,
        )  # fmt: skip
        self.mapper = LinearColorMapper(palette=["#ffffff"], low=0.0, high=1.0, nan_color=tints.absent)
        empty = np.full((2, 2), np.nan, dtype=np.float32)
        self.image = self.figure.image(
            [empty], x=-_EDGE[0], y=-_EDGE[1], dw=2 * _EDGE[0], dh=2 * _EDGE[1], color_mapper=self.mapper
        )
        # outside the map nothing is painted: the paper covers the corners of the image
        corner = {"fill_color": tints.paper, "line_alpha": 0}
        for side in (-1, 1):
            here = np.sign(edge_x) == side
            xs = np.concatenate([edge_x[here], [side * 1.1 * _EDGE[0]] * 2])
            order = np.argsort(edge_y[here], kind="stable")
            ys = edge_y[here][order]
            xs = np.concatenate([edge_x[here][order], [side * 1.2 * _EDGE[0]] * 2])
            self.figure.patch(xs, np.concatenate([ys, [1.1 * _EDGE[1], -1.1 * _EDGE[1]]]), **corner)
        self.hatch = self.figure.segment("x0", "y0", "x1", "y1", source={"x0": [], "y0": [], "x1": [], "y1": []},
                                         line_color="#222222", line_width=0.8, line_alpha=0.75)  # fmt: skip
        # each figure has its own: the browser of one visitor must not reach the coasts of another
        east, north = ([line.copy() for line in lines] for lines in _coasts())
        self.figure.multi_line(east, north, line_color="#333333", line_width=0.7)
        self.figure.line(edge_x, edge_y, line_color=tints.soft, line_width=1)
        self.figure.axis.visible = False
        self.figure.grid.visible = False
        self.ticker = FixedTicker(ticks=[0.0])
        self.bar = ColorBar(color_mapper=self.mapper, ticker=self.ticker, height=12, location=(0, 0), width="auto",
                            major_label_text_color=tints.ink, title_text_color=tints.soft, title_text_font_size="13px",
                            major_label_text_font_size="12px", background_fill_alpha=0.0, bar_line_color=tints.soft,
                            title_text_font_style="normal", orientation="horizontal")  # fmt: skip
        self.figure.add_layout(self.bar, "below")
        self.hover = HoverTool(renderers=[self.image], tooltips=[("", "$x{custom}"), ("", "@image{0.00}")],
                               formatters={"$x": CustomJSHover(code=_WHERE)})  # fmt: skip
        self.figure.add_tools(self.hover)
        calm(self.figure, theme, "")

    def show(self, maps: xr.Dataset, name: str, factor: float, caption: str, unit: str, robust: bool) -> None:
        """Give the map its numbers.

        Parameters
        ----------
        maps : xarray.Dataset
            On ``lat, lon`` with bounds.
        name : str
            The variable drawn.
        factor : float
            From its unit to the one shown.
        caption, unit : str
            What the colour bar says; the unit on hover.
        robust : bool
            Whether to hatch where the change is not robust.
        """
        values = factor * maps[name].transpose("lat", "lon").values.astype(np.float64)
        levels = colour_levels(values, self.both)
        cmap = colormaps[self.colours]
        # the colour of the middle of each step, so that zero parts two colours
        count = levels.size - 1
        self.mapper.palette = [to_hex(cmap((step + 0.5) / count)) for step in range(count)]
        self.mapper.low, self.mapper.high = float(levels[0]), float(levels[-1])
        self.ticker.ticks = [float(level) for level in levels[:: 2 if self.both else 1]]
        cells = _grid(_key(maps), _Held(maps))
        flat = np.append(values.ravel(), np.nan)
        self.image.data_source.data = {"image": [flat[cells].astype(np.float32)]}
        self.hatch.data_source.data = hatch(maps, HATCHES) if robust else {k: [] for k in ("x0", "y0", "x1", "y1")}
        self.bar.title = caption
        self.hover.tooltips = [("", "$x{custom}"), (f"[{unit}]", "@image{0.00}")]

    def describe(self, alt: str) -> None:
        """Say what the map shows to those who do not see it."""
        describe(self.figure, alt)


@lru_cache(1)
def _coasts() -> tuple[list[Any], list[Any]]:
    xs, ys = [], []
    for line in coastlines():
        lon = (line[:, 0] + 180.0) % 360.0 - 180.0
        broken = np.abs(np.diff(lon, prepend=lon[0])) > 180.0
        x, y = equal_earth(np.where(broken, np.nan, lon), line[:, 1])
        xs.append(x)
        ys.append(y)
    return xs, ys
