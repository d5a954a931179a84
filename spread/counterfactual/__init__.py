"""Counterfactuals: what is changed, what comes of it for the same draws of parameters, and which factor did it.

- ``changes``: a :class:`Setup` of a run, and named changes of its weather, bricks, parameters or start.
- ``whatif``: :func:`whatif` runs a pair, :func:`differences` and :func:`ranges` compare it; :func:`sensitivities`.
- ``attribution``: :func:`attribute`, effects of several changes with all interactions (Stein & Alpert 1993).

Knows datasets and modules as objects; what runs is asked of :mod:`spread.simulate`.
"""

from spread.counterfactual.attribution import attribute, factor_effects, run_setup, spun
from spread.counterfactual.changes import (
    Change,
    Drawing,
    Setup,
    co2_fixed,
    fire_off,
    precipitation,
    scaled,
    started,
    swapped,
    warmer,
)
from spread.counterfactual.named import NAMED, named
from spread.counterfactual.whatif import QUANTILES, differences, ranges, sensitivities, whatif

__all__ = [
    "NAMED", "QUANTILES", "Change", "Drawing", "Setup", "attribute", "co2_fixed", "differences", "factor_effects",
    "fire_off", "named", "precipitation", "ranges", "run_setup", "scaled", "sensitivities", "spun", "started",
    "swapped", "warmer", "whatif",
]  # fmt: skip
