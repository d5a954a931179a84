"""Shapes of the land model: cells are the last axis and everything broadcasts against it."""

from typing import Any

from jaxtyping import Array, Float

Cells = Float[Array, "*#cells"]
"""One value a cell, ``(cells,)``, or one value for all of them, ``()``."""

Steps = Float[Array, "time *#cells"]
"""A sequence: time first, cells last."""

Memory = Any
"""Whatever a phenology brick keeps from step to step: a pytree of :data:`Cells`, or None."""
