"""A dask cluster as a place to compute: find or start one, send it calls, place accelerated work.

- ``places``: what may stand behind ``--scheduler``, and :func:`connected`, which yields an executor.
- ``executor``: :class:`ClusterExecutor`, whose every call is answered, whatever becomes of the workers.
- ``calls``: what travels to the workers, and how it is opened there.
- ``accelerators``: :func:`accelerated`, whether work that wants a GPU gets one, said in a sentence.

``distributed``, Dask Gateway, jobqueue, Kubernetes and dask-cuda are imported when they are asked for.
"""

from spread.cluster.accelerators import GPU, Placement, accelerated
from spread.cluster.calls import Held
from spread.cluster.executor import ClusterExecutor
from spread.cluster.places import KINDS, ON_THIS_MACHINE, Place, connected, link_through_hub, place

__all__ = [
    "GPU", "KINDS", "ON_THIS_MACHINE", "ClusterExecutor", "Held", "Place", "Placement", "accelerated", "connected",
    "link_through_hub", "place",
]  # fmt: skip
