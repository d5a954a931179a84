"""Changes by name, for the command line."""

from __future__ import annotations

import re

from spread.counterfactual.changes import Change, co2_fixed, fire_off, precipitation, swapped, warmer
from spread.errors import NotFound, did_you_mean
from spread.simulate import brick

NAMED = {
    "co2-YEAR": "CO2 stays at that of a year from then on",
    "+2K": "warmer (or colder) by so many kelvin at constant relative humidity",
    "pr-30%": "less (or more) precipitation by so many percent",
    "no-fire": "nothing burns",
    "PROCESS=BRICK": "another brick, such as soil_water=TwoLayers",
}
"""Forms of names, and what they mean."""


def named(name: str) -> Change:
    """A change by its name.

    Parameters
    ----------
    name : str
        One of the forms of :data:`NAMED`, with any number.

    Returns
    -------
    Change

    Raises
    ------
    NotFound
        For a name of no such form.
    """
    number = r"([+-]\d+(?:\.\d+)?)"
    if found := re.fullmatch(r"co2-(\d{1,4})", name):
        return co2_fixed(int(found[1]))
    if found := re.fullmatch(number + "K", name):
        return warmer(float(found[1]))
    if found := re.fullmatch(f"pr{number}%?", name):
        return precipitation(float(found[1]))
    if name == "no-fire":
        return fire_off()
    if found := re.fullmatch(r"(\w+)=(\w+)", name):
        return swapped(**{found[1]: brick(found[1], found[2])})
    raise NotFound(f"what if {name!r}: expected {', '.join(NAMED)}; {did_you_mean(name, tuple(NAMED))}")
