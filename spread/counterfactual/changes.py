"""What is changed in a counterfactual: weather, CO2, fire, bricks, parameters, or where a run starts.

A change is a named function from a setup to a setup. The reference climate and the spin-up belong to the setup before
any change, and stay: all runs of a comparison start from the same pools.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import xarray as xr

from spread.drivers import as_drivers, mean_saturation
from spread.errors import NotFound
from spread.simulate import UNSPUN, SpinUp, draws, parameter_values, standard_model, with_parameters


@dataclass(frozen=True)
class Drawing:
    """How parameters are drawn; the same drawing gives the same draws to both runs of a pair.

    Parameters
    ----------
    number : int
        How many draws; 0 for one run with the model's own parameters.
    seed : int
        Seed.
    width : float
        Share of each prior around the model's value, see :func:`spread.simulate.draws`.
    """

    number: int = 0
    seed: int = 0
    width: float = 0.2


@dataclass(frozen=True)
class Setup:
    """All that a run is given.

    Parameters
    ----------
    forcing : xarray.Dataset
        As :func:`spread.drivers.drivers` gives it.
    reference : xarray.Dataset
        Weather of the reference climate and of the spin-up.
    model : LandModel
        Bricks and parameters.
    state : State, xarray.Dataset or None
        Before the first step, as :func:`spread.simulate.simulate` takes it.
    spin_up : SpinUp
        How the state is brought to balance, with the reference weather.
    drawing : Drawing
        How parameters are drawn.
    """

    forcing: xr.Dataset
    reference: xr.Dataset
    model: Any
    state: Any = None
    spin_up: SpinUp = UNSPUN
    drawing: Drawing = field(default_factory=Drawing)

    @classmethod
    def of(
        cls, forcing: xr.Dataset, model: Any = None, state: Any = None, spin_up: SpinUp | None = None,
        drawing: Drawing | None = None,
    ) -> Setup:  # fmt: skip
        """A setup before any change, with its parameters drawn.

        Parameters
        ----------
        forcing : xarray.Dataset
            As :func:`spread.drivers.drivers` takes it; loaded into memory.
        model, state, spin_up, drawing
            See the class; defaults where they are not given.
        """
        weather = as_drivers(forcing).compute()
        made = cls(
            weather, weather, standard_model() if model is None else model, state, spin_up or UNSPUN,
            drawing or Drawing(),
        )  # fmt: skip
        return made.drawn()

    def drawn(self) -> Setup:
        """The same with draws for each parameter that has one number; nothing without a drawing."""
        number = self.drawing.number
        single = [path for path, value in parameter_values(self.model).items() if not np.ndim(value)]
        if not number or not single:
            return self
        return replace(self, model=draws(self.model, number, self.drawing.seed, self.drawing.width, single))


@dataclass(frozen=True)
class Change:
    """One factor: a name and what it does.

    Parameters
    ----------
    name : str
        Short, for terms of an attribution.
    label : str
        A few words, for figures.
    apply : callable
        Setup to setup; it leaves what it is given unmodified, and never touches ``reference``.
    """

    name: str
    label: str
    apply: Callable[[Setup], Setup]

    def __call__(self, setup: Setup) -> Setup:
        """The setup with this changed; parameters of new bricks are drawn like those of the others."""
        changed = self.apply(setup)
        return replace(changed, reference=setup.reference).drawn()


def _weather(setup: Setup, **fields: xr.DataArray) -> Setup:
    return replace(setup, forcing=setup.forcing.assign(fields))


def co2_fixed(year: int) -> Change:
    """CO2 stays at the mean of a year from that year on.

    Parameters
    ----------
    year : int
        A year of the forcing.

    Returns
    -------
    Change
        Raises :class:`~spread.errors.NotFound` where the forcing has no such year.
    """

    def apply(setup: Setup) -> Setup:
        years, co2 = setup.forcing["year"], setup.forcing["co2"]
        if year not in years.values:
            raise NotFound(f"CO2 fixed at {year}: the forcing has {int(years.min())}-{int(years.max())}")
        then = (years == year).values
        held = np.average(co2.values[then], axis=0, weights=setup.forcing["days"].values[then])
        return _weather(setup, co2=co2.where(years < year, held))

    return Change(f"co2-{year}", f"CO2 fixed at {year}", apply)


def warmer(kelvin: float = 2.0) -> Change:
    """Warmer at constant relative humidity: the vapour pressure deficit grows as the saturation pressure does.

    Parameters
    ----------
    kelvin : float
        Added to the lowest and the highest temperature of each day [K].

    Returns
    -------
    Change
    """

    def apply(setup: Setup) -> Setup:
        low, high = setup.forcing["tasmin"], setup.forcing["tasmax"]
        growth = mean_saturation(low + kelvin, high + kelvin) / mean_saturation(low, high)
        return _weather(setup, tasmin=low + kelvin, tasmax=high + kelvin, vpd=setup.forcing["vpd"] * growth)

    return Change(f"{kelvin:+g}K", f"{kelvin:+g} K at constant relative humidity", apply)


def precipitation(percent: float = -30.0) -> Change:
    """More or less precipitation, every event in proportion.

    Parameters
    ----------
    percent : float
        Change, not below -100 [%].

    Returns
    -------
    Change

    Raises
    ------
    NotFound
        Below -100 %.
    """
    if percent < -100.0:
        raise NotFound(f"precipitation {percent:+g} %: expected -100 % or more; it cannot rain less than nothing")
    return Change(
        f"pr{percent:+g}%", f"precipitation {percent:+g} %",
        lambda setup: _weather(setup, pr=setup.forcing["pr"] * (1.0 + percent / 100.0)),
    )  # fmt: skip


def fire_off() -> Change:
    """Nothing burns."""
    return Change("no-fire", "no fire", lambda setup: _weather(setup, burned=setup.forcing["burned"] * 0.0))


def swapped(**bricks: Any) -> Change:
    """Other bricks, by process: ``swapped(water_stress=LogisticStress())``; a model that cannot be is refused.

    Parameters
    ----------
    **bricks
        Modules by process.

    Returns
    -------
    Change
    """
    names = {process: type(brick).__name__ for process, brick in bricks.items()}
    return Change(
        "+".join(names.values()), ", ".join(f"{p.replace('_', ' ')}: {n}" for p, n in names.items()),
        lambda setup: replace(setup, model=dataclasses.replace(setup.model, **bricks)),
    )  # fmt: skip


def scaled(factors: Mapping[str, float]) -> Change:
    """Parameters times a factor, draw by draw.

    Parameters
    ----------
    factors : mapping
        Path, such as ``decomposition.soil``, to factor.

    Returns
    -------
    Change
    """

    def apply(setup: Setup) -> Setup:
        values = parameter_values(setup.model)
        known = {path: np.asarray(values[path]) * factor for path, factor in factors.items() if path in values}
        return replace(setup, model=with_parameters(setup.model, dict(factors) | known))

    said = ", ".join(f"{path} x {factor:g}" for path, factor in factors.items())
    return Change(said.replace(" ", ""), said, apply)


def started(name: str, state: Any) -> Change:
    """Another state before the first step, in place of the one that was given or spun up.

    Parameters
    ----------
    name : str
        What it is.
    state : State
        Pools.

    Returns
    -------
    Change
    """
    return Change(name, f"start: {name}", lambda setup: replace(setup, state=state))


__all__ = [
    "Change", "Drawing", "Setup", "co2_fixed", "fire_off", "precipitation", "scaled", "started",
    "swapped", "warmer",
]  # fmt: skip
