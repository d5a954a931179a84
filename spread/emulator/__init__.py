"""A diffusion emulator of CMIP6 temperature: p(T | model, scenario, CO2e, day of the year).

``samples`` says what is learned from; ``pattern_scaling``, ``scale`` and ``marginals`` fit each cell, ``spaces`` the
patterns that cells share, ``training`` the network (one of ``backbones``) with the diffusion core; ``emulator`` draws,
``flags`` says what training did not hold, ``checkpoint`` keeps it all in a file.
"""

from spread.emulator.checkpoint import load, load_training, save, save_training
from spread.emulator.emulator import Emulated, Emulator, Facts
from spread.emulator.flags import Flag, sentences
from spread.emulator.samples import Samples
from spread.emulator.training import Prepared, Recipe, prepare, train

__all__ = [
    "Emulated",
    "Emulator",
    "Facts",
    "Flag",
    "Prepared",
    "Recipe",
    "Samples",
    "load",
    "load_training",
    "prepare",
    "save",
    "save_training",
    "sentences",
    "train",
]
