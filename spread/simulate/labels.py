"""Results of the kernel as CF data: names, units, cell methods, places, and where they come from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from spread import __version__
from spread.drivers import horizontal
from spread.land import LandModel, State
from spread.simulate.parameters import bricks_of, digest_of
from spread.simulate.states import about, is_still, values_of
from spread.vocabulary import VARIABLES

Arrays = dict[str, NDArray[np.floating]]

SECONDS = 86400.0

FROM_KERNEL = {
    "gpp": 1e-3 / SECONDS, "nbp": 1e-3 / SECONDS, "ra": 1e-3 / SECONDS, "rh": 1e-3 / SECONDS, "lai": 1.0,
    "evspsbl": 1 / SECONDS, "mrro": 1 / SECONDS, "mrso": 1.0, "cVeg": 1e-3, "cLitter": 1e-3, "cSoil": 1e-3,
}  # fmt: skip
"""What a simulated member has, and the factor from the unit of the kernel to that of CMIP6."""

CARBON_WATER = {
    "mrso": lambda state: state.water + state.deep,
    "snw": lambda state: state.snow,
    "cVeg": lambda state: state.labile + state.foliar + state.root + state.wood,
    "cLitter": lambda state: state.litter,
    "cSoil": lambda state: state.soil,
}
"""What a state holds, by CMIP6 name, in the units of the kernel."""

POOLS = ("mrso", "cVeg", "cLitter", "cSoil")
"""Given as means of each step: those of its two ends."""

CLOSURE = {
    "carbon_closure": (("cVeg", "cLitter", "cSoil"), "kg m-2"),
    "water_closure": (("mrso", "snw"), "kg m-2"),
}
"""What the pools gained in each step less what the fluxes brought; zero but for rounding."""


def labelled(whole: Arrays, forcing: xr.Dataset, weather: xr.Dataset, drawn: int) -> xr.Dataset:
    """Results at their places in the field, as CF wants them."""
    data = {}
    inside = "place" in forcing.coords
    dims = ("cell",) if inside else horizontal(forcing)
    shape = (weather.sizes["cell"],) if inside else tuple(forcing.sizes[d] for d in dims)
    cells = int(np.prod(shape, dtype=int))
    place = np.arange(weather.sizes["cell"]) if inside else weather["place"].values.astype(int)
    for name, values in whole.items():
        field = np.full((values.shape[0], values.shape[2], cells), np.nan, values.dtype)
        field[:, :, place] = np.moveaxis(values, 2, 1)
        field = field.reshape(*field.shape[:2], *shape)
        on = ("time", "draw", *dims) if drawn else ("time", *dims)
        field, attrs = field if drawn else field[:, 0], _described(name)
        data[name] = (on[1:], field[0], attrs) if is_still(name) else (on, field, attrs)
    kept = {n: c for n, c in forcing.variables.items() if n in _PLACES}
    coords: dict[str, Any] = {n: weather[n] for n in ("time", "time_bnds")} | kept
    if drawn:
        coords["draw"] = np.arange(drawn)
    return xr.Dataset(data, coords=coords)


def on_field(simulated: xr.Dataset, forcing: xr.Dataset) -> xr.Dataset:
    """Bring a run over drivers, whose places are cells in a row, back onto the field of its forcing.

    Parameters
    ----------
    simulated : xarray.Dataset
        As :func:`spread.simulate.simulate` gives it for what :func:`spread.drivers.drivers` returns.
    forcing : xarray.Dataset
        What the drivers were made of.

    Returns
    -------
    xarray.Dataset
        On the places of the forcing, such as ``lat, lon``, NaN where it has no data.
    """
    dims = horizontal(forcing)
    shape = tuple(forcing.sizes[d] for d in dims)
    place = simulated["place"].values.astype(int)
    data = {}
    for name, field in simulated.data_vars.items():
        if "cell" not in field.dims:
            data[name] = field.variable
            continue
        lead = [str(d) for d in field.dims if d != "cell"]
        values = field.transpose(*lead, "cell").values
        whole = np.full((*values.shape[:-1], int(np.prod(shape, dtype=int))), np.nan, values.dtype)
        whole[..., place] = values
        data[name] = xr.Variable((*lead, *dims), whole.reshape((*values.shape[:-1], *shape)), field.attrs)
    kept = {n: c for n, c in forcing.variables.items() if n in (*_PLACES, "orog")}
    coords = {n: c.variable for n, c in simulated.coords.items() if "cell" not in c.dims and n not in kept}
    return xr.Dataset(data, coords=coords | kept, attrs=simulated.attrs)


_PLACES = ("lat", "lon", "lat_bnds", "lon_bnds", "areacella", "sftlf", "place", "weight", "elevation")


def _described(name: str) -> dict[str, str]:
    if is_still(name):
        return about(name)
    if name in CLOSURE:
        return {"long_name": name.replace("_", " ") + ": gain of the pools less the fluxes", "units": CLOSURE[name][1]}
    known = VARIABLES[name]
    attrs = {"standard_name": known.standard_name, "long_name": known.long_name, "units": known.units}
    return (
        attrs
        | {"cell_methods": "area: mean where land time: mean"}
        | ({"positive": known.positive} if known.positive else {})
    )


def attributes(
    model: LandModel, state: State | xr.Dataset, weather: xr.Dataset, drawn: int, facets: Mapping[str, str] | None
) -> dict[str, Any]:
    """Facets and provenance: bricks, the digest of parameters, versions, what was done to the forcing."""
    digest = digest_of(model, values_of(state) if isinstance(state, xr.Dataset) else state)
    return {
        "Conventions": "CF-1.11", "activity_id": "LS3MIP", "institution_id": "spread", "source_id": "spread-land",
        "experiment_id": "land-hist", "member_id": "r1i1p1f1", "grid_label": "gn", "simulated": "true",
        "table_id": "Lmon" if weather.attrs["frequency"] == "mon" else "Lday",
        "frequency": weather.attrs["frequency"], "calendar": weather.attrs["calendar"],
        "synthetic": weather.attrs["synthetic"], "version": digest[:12], "parameters_digest": digest,
        "spread_version": __version__, "jax_version": jax.__version__, "bricks": bricks_of(model),
        "parameter_draws": drawn, "forcing_fixes": "; ".join(weather.attrs["fixes"]),
    } | dict(facets or {})  # fmt: skip
