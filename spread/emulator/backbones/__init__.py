"""Networks of the emulator: one call, ``network(scaled, noise, cond)``, for one sample."""

from spread.emulator.backbones.patch_transformer import PatchTransformer
from spread.emulator.backbones.pattern_network import PatternNetwork

__all__ = ["PatchTransformer", "PatternNetwork"]
