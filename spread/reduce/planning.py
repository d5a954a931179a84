"""The plan of one dataset's reduction: a small graph in which each chunk is read once, whatever is asked of it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from dask.delayed import Delayed
from dask.highlevelgraph import HighLevelGraph
from numpy.typing import NDArray

from spread import operators
from spread.cache import key_of
from spread.errors import NotConforming
from spread.grids import Grid
from spread.operators import Operator, Sparse, YearlyMaps, joined, season_years
from spread.reduce.chunk import COMPLETE, ChunkSums, MapWork, chunk_sums, whole_months
from spread.regions import Region
from spread.vocabulary import FACETS, VARIABLES, Variable

type Sums = NDArray[np.float64] | da.Array

KERNEL_VERSION = "4"
"""Changes when a reduction gives other numbers."""

_WHOLE = Region(name="whole domain")


@dataclass(frozen=True)
class MapPlan:
    """Which maps to make of a field, besides its area means.

    Parameters
    ----------
    seasons : tuple of str
        A map for each year of each of them.
    matrix : Sparse
        From the cells of the field to those of the maps.
    grid : Grid
        That of the maps, rectilinear.
    coverage : float
        Share of a cell that must have values, else the map has none there.
    """

    seasons: tuple[str, ...]
    matrix: Sparse
    grid: Grid
    coverage: float = 0.5


@dataclass(frozen=True)
class Reduction:
    """The lazy reduction of one dataset, and what identifies it.

    Parameters
    ----------
    template : xarray.DataArray
        ``(time, region)``, a member without values: its coordinates and attributes.
    graph : HighLevelGraph
        Whose layer ``name`` holds a :class:`~spread.reduce.chunk.ChunkSums` for each of the store's time chunks.
    name : str
        Of that layer.
    steps : tuple of int
        Months of each time chunk.
    outputs : int
        Area means, the whole domain among them.
    domain : str
        Where the variable is defined.
    identity : dict
        What decides its numbers besides the operators: store, version, contents, fixes, chunks, kernel.
    digest : str
        Of the weights of the area means.
    cells : int
        Cells of the grid.
    maps : MapPlan or None
        Which maps are made in the same read.
    """

    template: xr.DataArray
    graph: HighLevelGraph
    name: str
    steps: tuple[int, ...]
    outputs: int
    domain: str
    identity: dict[str, Any]
    digest: str
    cells: int = 1
    maps: MapPlan | None = None

    @property
    def sums(self) -> da.Array:
        """``(time, 2, outputs + 1)``, lazy, one block a time chunk: see :class:`~spread.reduce.chunk.ChunkSums`."""
        name = f"area-{self.name}"
        layer: dict[Any, Any] = {(name, i, 0, 0): (_area_of, (self.name, i)) for i in range(len(self.steps))}
        graph = HighLevelGraph({**self.graph.layers, name: layer}, {**self.graph.dependencies, name: {self.name}})
        chunks = (self.steps, (2,), (self.outputs + 1,))
        return da.Array(graph, name, chunks=chunks, dtype=np.float64, meta=np.empty((0, 0, 0)))

    @property
    def means(self) -> xr.DataArray:
        """``(time, region)``, lazy: what people get."""
        return self.template.copy(data=means_of(self.sums[..., :-1], self.domain)[:, :-1])

    @property
    def yearly(self) -> xr.DataArray:
        """``(season, year, lat, lon)``, lazy: means of the years, from the same read of each chunk as :attr:`means`."""
        plan = self.maps
        if plan is None:
            raise ValueError("this reduction makes no maps")
        whole = [season_years(self.months, self.calendar, season, self.frequency) for season in plan.seasons]
        years = np.unique(np.concatenate([when.years for when in whole]))
        seasons, rows, columns = len(plan.seasons), *plan.grid.shape
        name = f"maps-{self.name}"
        parts = [(self.name, i) for i in range(len(self.steps))]
        layer: dict[Any, Any] = {(name, 0, 0, 0, 0): (partial(_all_years, self.without_graph(), years), parts)}
        graph = HighLevelGraph({**self.graph.layers, name: layer}, {**self.graph.dependencies, name: {self.name}})
        data = da.Array(graph, name, chunks=((seasons,), (years.size,), (rows,), (columns,)), dtype=np.float64)
        return xr.DataArray(
            data,
            dims=("season", "year", "lat", "lon"),
            coords={"season": list(plan.seasons), "year": years, "lat": plan.grid.lat, "lon": plan.grid.lon},
            name=str(self.template.name),
            attrs={k: v for k, v in self.template.attrs.items() if k not in ("area_source", "land_source")},
        )

    def joined(self, season: str, sums: Sequence[NDArray[np.float64]]) -> YearlyMaps:
        """Years of a season from what each time chunk gave; NaN where a month is missing."""
        pieces = np.split(self.months, np.cumsum(self.steps)[:-1])
        when = [season_years(piece, self.calendar, season, self.frequency) for piece in pieces]
        return joined(list(zip(when, sums, strict=True))).complete(season, self.calendar, self.frequency)

    @property
    def kept(self) -> int:
        """Volume of the yearly maps that are kept [bytes]; twice as much where cells come and go."""
        if self.maps is None:
            return 0
        pieces = np.split(self.months, np.cumsum(self.steps)[:-1])
        years = sum(
            season_years(piece, self.calendar, season, self.frequency).years.size
            for season in self.maps.seasons
            for piece in pieces
        )
        return 8 * years * self.maps.matrix.shape[0]

    def without_graph(self) -> Reduction:
        """The plan alone, for a task of its own graph."""
        return replace(self, graph=HighLevelGraph({}, {}))

    @property
    def months(self) -> NDArray[np.int64]:
        """``(time,)`` month numbers."""
        return np.asarray(self.template["month_number"].values)

    @property
    def calendar(self) -> str:
        """CF calendar of the run."""
        return str(self.template.attrs["calendar"])

    @property
    def frequency(self) -> str:
        """``mon`` or ``yr``."""
        return str(self.template.attrs["frequency"])

    def block(self, index: int) -> Delayed:
        """What a time chunk gives, lazy."""
        return Delayed((self.name, index), self.graph, layer=self.name)

    def block_key(self, index: int, season: str | None = None) -> str:
        """Content address of a time chunk's area sums, or of its maps of a season."""
        if season is None:
            return key_of(self.identity | {"weights": self.digest, "block": index})
        assert self.maps is not None
        return key_of(self.identity | {"matrix": self.maps.matrix.digest, "season": season, "block": index})


def _area_of(chunk: ChunkSums) -> NDArray[np.float64]:
    return chunk.area


def _all_years(planned: Reduction, years: NDArray[np.int64], chunks: Sequence[ChunkSums]) -> NDArray[np.float64]:
    assert planned.maps is not None
    out = np.full((len(planned.maps.seasons), years.size, *planned.maps.grid.shape), np.nan)
    for position, season in enumerate(planned.maps.seasons):
        found = planned.joined(season, [chunk.maps[season] for chunk in chunks])
        means = found.means(planned.maps.coverage)
        out[position, np.searchsorted(years, found.years)] = means.reshape(-1, *planned.maps.grid.shape)
    return out


def area_means(ds: xr.Dataset, grid: Grid, regions: Sequence[Region]) -> xr.DataArray:
    """Area-weighted means of a conformed dataset over regions, lazily.

    Parameters
    ----------
    ds, grid, regions
        As in :func:`reduction`.

    Returns
    -------
    xarray.DataArray
        ``(time, region)`` float64 in the variable's unit, lazy, one block for each of the store's time chunks; NaN
        where a month has missing cells. Coordinate ``month_number`` along time.

    Raises
    ------
    NotConforming
        As in :func:`reduction`.
    """
    return reduction(ds, grid, regions).means


def reduction(
    ds: xr.Dataset,
    grid: Grid,
    regions: Sequence[Region],
    maps: MapPlan | None = None,
    variable: Variable | None = None,
) -> Reduction:
    """Plan the area-weighted means of a conformed dataset over regions, and its maps; nothing is read.

    Parameters
    ----------
    ds : xarray.Dataset
        Conformed.
    grid : Grid
        Its grid.
    regions : sequence of Region
        Where to average.
    maps : MapPlan, optional
        Maps to make in the same read.
    variable : Variable, optional
        What is true of the field where the table of variables says otherwise: a model of land alone has no evaporation
        of the sea.

    Returns
    -------
    Reduction
        Lazy means, maps and sums, and their content address.

    Raises
    ------
    NotConforming
        If a region has no cell on this grid. On compute: if values lie beyond the plausible range.
    """
    variable = variable or VARIABLES[ds.attrs["variable_id"]]
    field = ds[variable.variable_id]
    who = ".".join(ds.attrs[facet] for facet in ("source_id", "experiment_id", "member_id", "variable_id"))
    try:
        # the whole domain is always the last row: it shows whether a month is complete, whatever the regions
        operator = operators.operator(
            grid, [*regions, _WHOLE], ds["cell_area"].values, ds["land_fraction"].values, variable.domain
        )
    except ValueError as error:
        raise NotConforming(who, [str(error)]) from error
    data = field.data if isinstance(field.data, da.Array) else da.from_array(field.data, chunks=-1)
    months = np.asarray(ds["month_number"].values)
    identity = {name: ds.attrs.get(name) for name in (*FACETS, "version", "zstore", "fingerprint", "contents", "fixes")}
    identity |= {
        "kernel": KERNEL_VERSION,
        "months": hashlib.sha256(months.tobytes()).hexdigest(),
        "chunks": data.chunks,
        "checks": [variable.plausible, variable.plausible_mean, variable.units],
    }
    work = None
    if maps is not None:
        work = MapWork(maps.seasons, ds.attrs["calendar"], ds.attrs["frequency"], data.numblocks[1:] == (1, 1))
    asked = None if maps is None else [maps.matrix.digest, maps.seasons]
    called = key_of(identity | {"data": data.name, "weights": operator.digest, "maps": asked})
    name = f"chunk-sums-{called[:32]}"
    layers = _layers(name, data, months, operator, (who, variable), None if maps is None else maps.matrix, work)
    graph = HighLevelGraph(
        {**data.dask.layers, **layers},
        {**data.dask.dependencies, f"part-{name}": set(data.__dask_layers__()), name: {f"part-{name}"}},
    )
    return Reduction(
        _template(ds, regions, variable), graph, name, data.chunks[0], len(regions) + 1, variable.domain,
        identity, operator.digest, int(np.prod(grid.shape)), maps,
    )  # fmt: skip


def _template(ds: xr.Dataset, regions: Sequence[Region], variable: Variable) -> xr.DataArray:
    kept = (*FACETS, "version", "zstore", "calendar", "frequency", "area_source", "land_source", "fixes",
            "missing_periods")  # fmt: skip
    return xr.DataArray(
        np.full((ds.sizes["time"], len(regions)), np.nan),
        dims=("time", "region"),
        coords={
            "time": ds["time"],
            "month_number": ds["month_number"],
            "region": [region.name for region in regions],
        },
        name=variable.variable_id,
        attrs={key: ds.attrs[key] for key in kept if key in ds.attrs}
        | {"units": variable.units, "synthetic": str(ds.attrs.get("synthetic", "false"))},
    )


def _layers(
    name: str,
    data: da.Array,
    months: NDArray[np.int64],
    operator: Operator,
    of: tuple[str, Variable],
    matrix: Sparse | None,
    work: MapWork | None,
) -> dict[str, dict[Any, Any]]:
    """Two layers: each chunk's own sums, and those of whole months; the operators are in the graph once."""
    steps = np.split(months, np.cumsum(data.chunks[0])[:-1])
    edges = [np.cumsum((0, *sizes)) for sizes in data.chunks[1:]]
    cells = np.arange(np.prod(data.shape[1:])).reshape(data.shape[1:])
    parts: dict[Any, Any] = {}
    pieces = list(np.ndindex(*data.numblocks[1:]))
    for y, x in pieces:
        piece = (slice(*edges[0][y : y + 2]), slice(*edges[1][x : x + 2]))
        weights, of_piece = (f"weights-{name}", y, x), (f"matrix-{name}", y, x)
        parts[weights] = operator.weights[:, *piece]
        parts[of_piece] = matrix if matrix is None or len(pieces) == 1 else matrix.of_cells(cells[piece].ravel())
        for t, here in enumerate(steps):
            block = (data.name, t, y, x)
            parts[f"part-{name}", t, y, x] = (chunk_sums, block, here, weights, *of, of_piece, work)
    whole: dict[Any, Any] = {
        (name, t): (whole_months, [(f"part-{name}", t, y, x) for y, x in pieces], here, *of)
        for t, here in enumerate(steps)
    }
    return {f"part-{name}": parts, name: whole}


def means_of(sums: Sums, domain: str) -> Sums:
    """Means from sums and weights ``(time, 2, outputs)``, lazy if they are; NaN where a cell is missing."""
    values, present = sums[:, 0], sums[:, 1]
    # a land field is empty over the sea, always in the same cells: what the best month had, every month must have
    whole = 1.0 if domain == "all" else present.max(axis=0)
    some = present > 0.0
    return np.where((present >= COMPLETE * whole) & some, values / np.where(some, present, 1.0), np.nan)
