"""Gross primary production: one interface, one scheme a file."""

from spread.land.photosynthesis.acm import ACM1
from spread.land.photosynthesis.assimilation import AbstractPhotosynthesis, Assimilation
from spread.land.photosynthesis.farquhar import FarquharMedlyn
from spread.land.photosynthesis.light_use import MOD17
from spread.land.photosynthesis.neural import NeuralLightUse
from spread.land.photosynthesis.p_model import PModel

__all__ = ["ACM1", "MOD17", "AbstractPhotosynthesis", "Assimilation", "FarquharMedlyn", "NeuralLightUse", "PModel"]
