"""From conformed datasets to small reduced members: every operator of a study in one read of each chunk.

:func:`reduction` plans one dataset lazily, :func:`compute_or_fail` runs it chunk by chunk. What only the values can
show is checked where they are read: a value beyond the variable's plausible range or a month with missing cells is
never averaged. What only a whole run shows, a step or a copied month, is checked once all its chunks are read, by
:func:`compute_or_fail`: the lazy arrays never wait for it.
"""

from spread.reduce.computing import MapBlocks, compute_or_fail
from spread.reduce.planning import KERNEL_VERSION, MapPlan, Reduction, area_means, reduction

__all__ = [
    "KERNEL_VERSION",
    "MapBlocks",
    "MapPlan",
    "Reduction",
    "area_means",
    "compute_or_fail",
    "reduction",
]
