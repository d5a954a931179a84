"""Accelerated work on a cluster: on workers that have a GPU, else on the CPUs of all, and which of the two it is.

A GPU is a resource that a worker was started with. Work asks for it call by call: annotations of dask collections are
lost when their graphs are fused, and what asks for a resource that no worker has would wait for ever.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from spread.cluster.executor import ClusterExecutor
from spread.errors import NotFound

GPU: Mapping[str, float] = MappingProxyType({"GPU": 1.0})
"""What a call takes that wants a GPU for itself."""


@dataclass(frozen=True)
class Placement:
    """Where accelerated work goes, and what to tell its reader.

    Parameters
    ----------
    executor : ClusterExecutor
        Sends every call to a worker with a GPU, or to any worker where none has one.
    gpus : float
        GPUs of all workers; 0 where the work is on CPUs.
    statement : str
        One sentence for the report or the log.
    """

    executor: ClusterExecutor
    gpus: float
    statement: str

    @property
    def on_gpu(self) -> bool:
        """Whether calls run on GPUs."""
        return self.gpus > 0.0


def accelerated(executor: ClusterExecutor, require_gpu: bool = False) -> Placement:
    """Place accelerated work on the GPUs of a cluster, or on its CPUs where it has none; nothing is submitted.

    Parameters
    ----------
    executor : ClusterExecutor
        From :func:`spread.cluster.connected`.
    require_gpu : bool
        Refuse where no worker has a GPU, instead of using CPUs.

    Returns
    -------
    Placement
        An executor for that work, and the sentence that says where it goes.

    Raises
    ------
    NotFound
        If a GPU is required and no worker has one.
    """
    workers = executor.workers()
    having = [worker for worker in workers if executor.able(worker, GPU)]
    if having:
        count = sum(worker["resources"]["GPU"] for worker in having)
        share = f"{len(having)} of its {len(workers)} workers offer a GPU ({count:g} in all)"
        said = f"scheduler {executor.where}: {share}: the work runs there"
        return Placement(executor.with_resources(GPU), count, said)
    how = f'start one with `dask worker {executor.address} --nthreads 1 --resources "GPU=1"`'
    lacking = f"scheduler {executor.where}: none of its {len(workers)} workers has a GPU (the resource GPU=1)"
    if require_gpu:
        raise NotFound(f"{lacking}, and one is required; {how}")
    return Placement(executor, 0.0, f"{lacking}: the work runs on their CPUs; {how} to make it faster")
