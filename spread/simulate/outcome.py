"""An outcome: one number for each draw of a simulation, whose change or derivative is asked for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from spread.errors import NotFound, did_you_mean
from spread.simulate.labels import FROM_KERNEL


@dataclass(frozen=True)
class Outcome:
    """Mean of a variable over some years and all places.

    Parameters
    ----------
    variable_id : str
        Of a simulated member.
    first, last : int, optional
        Years; all of the run by default. Months weigh as long as they are, places by their area of land.
    """

    variable_id: str
    first: int | None = None
    last: int | None = None

    def __post_init__(self) -> None:
        if self.variable_id not in FROM_KERNEL:
            known = did_you_mean(self.variable_id, tuple(FROM_KERNEL))
            raise NotFound(f"outcome: no simulated variable is called {self.variable_id!r}: {known}")

    @property
    def name(self) -> str:
        """``nbp, 1995-2014``."""
        return self.variable_id if self.first is None else f"{self.variable_id}, {self.first}-{self.last}"

    def weights(self, weather: xr.Dataset) -> NDArray[np.float64]:
        """Weight of each step and cell, ``(time, cell)``; they sum to 1.

        Parameters
        ----------
        weather : xarray.Dataset
            As :func:`spread.drivers.drivers` gives it.

        Raises
        ------
        NotFound
            If the run has none of the years.
        """
        years, days = weather["year"].values, weather["days"].values
        first = years.min() if self.first is None else self.first
        last = years.max() if self.last is None else self.last
        long = np.where((years >= first) & (years <= last), days, 0.0)
        if not long.any():
            raise NotFound(f"outcome: years {first}-{last} of {years.min()}-{years.max()}: the run has none of them")
        area = weather["weight"].values
        return np.outer(long / long.sum(), area / area.sum())

    def of(self, simulated: xr.Dataset, weather: xr.Dataset) -> xr.DataArray:
        """The outcome of a simulation over these drivers, on ``draw`` where it has draws [units of the variable]."""
        weights = self.weights(weather)
        field = simulated[self.variable_id]
        lead = [d for d in ("time", "draw") if d in field.dims]
        places = [str(d) for d in field.dims if d not in lead]
        flat = field.transpose(*lead, *places).values.astype(np.float64).reshape(*(field.sizes[d] for d in lead), -1)
        flat = flat if "cell" in places else flat[..., weather["place"].values.astype(int)]
        drawn = "draw" in lead
        value = np.einsum("tdc,tc->d", flat, weights) if drawn else np.einsum("tc,tc->", flat, weights)
        dims = ("draw",) if drawn else ()
        return xr.DataArray(value, dims=dims, name=self.variable_id, attrs={"units": field.attrs["units"]})


def yearly_means(simulated: xr.Dataset, weather: xr.Dataset) -> xr.Dataset:
    """Means over all places and the steps of each year, on ``draw`` and ``year``.

    Parameters
    ----------
    simulated : xarray.Dataset
        As :func:`spread.simulate.simulate` gives it.
    weather : xarray.Dataset
        Its drivers.

    Returns
    -------
    xarray.Dataset
        Every variable of a member, ``draw`` of size 1 where parameters were not drawn; and for each budget the largest
        absolute value that is left in a step of the year [kg m-2].
    """
    years = np.unique(weather["year"].values)
    places = weather["place"].values.astype(int)
    area = weather["weight"].values / weather["weight"].values.sum()
    inside = weather["year"].values[None, :] == years[:, None]
    share = inside * weather["days"].values
    share = share / share.sum(1, keepdims=True)
    made = {}
    for name, field in simulated.data_vars.items():
        if "time" not in field.dims:
            continue
        wide = field if "draw" in field.dims else field.expand_dims("draw", 1)
        flat = wide.transpose("time", "draw", ...).values.reshape(*wide.shape[:2], -1)
        flat = (flat if "cell" in field.dims else flat[..., places]).astype(np.float64)
        if name in FROM_KERNEL:
            mean = np.einsum("yt,tdc,c->dy", share, flat, area, optimize=True)
        else:
            mean = np.stack([np.abs(flat[steps]).max((0, 2)) for steps in inside], 1)
        made[str(name)] = (("draw", "year"), mean, {k: v for k, v in field.attrs.items() if k != "cell_methods"})
    number = simulated.sizes.get("draw", 1)
    return xr.Dataset(made, coords={"year": years, "draw": np.arange(number)}, attrs=simulated.attrs)
