"""Where to compute: what may stand behind ``--scheduler``, and how each of these is found or started.

- ``local``: worker processes on this machine; ``cuda``: one a GPU of this machine (dask-cuda).
- ``tcp://HOST:PORT`` (or ``tls://``, ``ws://``, ``wss://``): a running scheduler; ``FILE.json``: its scheduler file.
- ``gateway``: a new cluster of the Dask Gateway that dask's configuration names; ``gateway:NAME``: one that runs there;
  ``gateway:URL``: a new cluster of the gateway at that URL.
- ``slurm``, ``pbs``, ``sge``, ``lsf``, ``oar``, ``moab``, ``htcondor`` (dask-jobqueue), ``kubernetes``
  (dask-kubernetes): a new cluster as dask's configuration describes it.
- ``FILE.toml``: a new cluster, described there::

      kind = "slurm"        # any of the words above that start a cluster, or "gateway"
      workers = [2, 20]     # or one number
      patience = 3600       # s to wait while there is no worker, such as in a queue
      [options]             # whatever that cluster takes
      cores = 8
      memory = "32GB"

A cluster that is started here is shut down in the end; a running one is left as it was.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
import tomllib
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from spread.cluster.executor import ClusterExecutor
from spread.errors import NotFound, SpreadError, did_you_mean, one_line

PROTOCOLS = ("tcp://", "tls://", "ws://", "wss://", "inproc://")

JOBQUEUES = {
    "slurm": "SLURMCluster", "pbs": "PBSCluster", "sge": "SGECluster", "lsf": "LSFCluster", "oar": "OARCluster",
    "moab": "MoabCluster", "htcondor": "HTCondorCluster",
}  # fmt: skip

KINDS: dict[str, tuple[str, str, str]] = {
    "local": ("distributed", "LocalCluster", "distributed"),
    "cuda": ("dask_cuda", "LocalCUDACluster", "dask-cuda"),
    "gateway": ("dask_gateway", "GatewayCluster", "dask-gateway"),
    "kubernetes": ("dask_kubernetes.operator", "KubeCluster", "dask-kubernetes"),
} | {kind: ("dask_jobqueue", cluster, "dask-jobqueue") for kind, cluster in JOBQUEUES.items()}
"""Clusters that can be started: module, class, and what to install for it."""

ON_THIS_MACHINE = ("local", "cuda")

PATIENCE = 300.0
"""How long calls wait by default while a cluster has no worker [s]."""

HUB = "JUPYTERHUB_SERVICE_PREFIX"
"""Environment variable that JupyterHub sets: path of the user's own server."""

_LINK = "distributed.dashboard.link"
_LINK_OF_DASK = "{scheme}://{host}:{port}/status"
_LINK_THROUGH_THE_HUB = f"{{{HUB}}}proxy/{{port}}/status"  # jupyter-server-proxy; dask fills in the environment

_THREADS = 4  # stores a local worker has under way: most wait for a server, and spread.cores shares out the cores


@dataclass(frozen=True)
class Place:
    """What is meant by the argument of ``--scheduler``.

    Parameters
    ----------
    where : str
        The argument.
    kind : str
        One of :data:`KINDS` to start a cluster; ``address``, ``file`` or ``running gateway cluster`` to find one.
    target : str
        Address, path or name of what is found.
    workers : tuple of int, optional
        Fewest and most workers of a cluster that is started; None for as many as this machine is good for.
    patience : float
        How long calls wait while there is no worker [s].
    options : dict
        Of the class of a cluster that is started.
    """

    where: str
    kind: str
    target: str = ""
    workers: tuple[int, int] | None = None
    patience: float = PATIENCE
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def starts(self) -> bool:
        """Whether a cluster is started."""
        return self.kind in KINDS


def place(where: str, workers: str | int | None = None) -> Place:
    """Understand the argument of ``--scheduler``; nothing is contacted.

    Parameters
    ----------
    where : str
        See the module's docstring.
    workers : str or int, optional
        How many workers a new cluster has: ``8``, or ``"2-20"`` for as many as there is work for.

    Returns
    -------
    Place
        What is meant.

    Raises
    ------
    NotFound
        If it means nothing, or workers are asked of a cluster that runs already, or not of one that is started.
    """
    head, _, tail = where.partition(":")
    if where.startswith(PROTOCOLS):
        found = Place(where, "address", where)
    elif where.endswith(".json"):
        found = Place(where, "file", where)
    elif where.endswith(".toml"):
        found = _described(where)
    elif head == "gateway" and "://" in tail:
        found = Place(where, "gateway", options={"address": tail})
    elif head == "gateway" and tail:
        found = Place(where, "running gateway cluster", tail)
    elif where in KINDS:
        found = Place(where, where)
    else:
        raise NotFound(
            f"scheduler {where!r} means nothing; expected tcp://HOST:PORT, FILE.json, FILE.toml, gateway:NAME, "
            f"gateway:URL or a word, {did_you_mean(where, list(KINDS))}"
        )
    if workers is not None:
        if not found.starts:
            raise NotFound(f"scheduler {where}: it runs already with workers of its own; leave out --workers {workers}")
        found = replace(found, workers=_range(where, workers))
    if found.starts and found.workers is None and found.kind not in ON_THIS_MACHINE:
        raise NotFound(
            f"scheduler {where}: say how many workers: --workers 8, or 2-20 for as many as there is work for"
        )
    return found


@contextmanager
def connected(where: str, workers: str | int | None = None, timeout: float = 10.0) -> Iterator[ClusterExecutor]:
    """Find or start a dask cluster, and get an executor on it.

    Parameters
    ----------
    where : str
        See the module's docstring.
    workers : str or int, optional
        How many workers a new cluster has: ``8``, or ``"2-20"`` for as many as there is work for.
    timeout : float
        How long a running scheduler has to answer and to get a worker [s].

    Yields
    ------
    ClusterExecutor
        Runs each call on a worker. Whatever is still under way in the end is withdrawn.

    Raises
    ------
    NotFound
        If there is no such cluster, its package is not installed, or it has no worker that can run spread.
    """
    found = place(where, workers)
    if "dask_gateway" in sys.modules:
        # a client of a gateway that failed, or is done, closes itself when it is collected; if that happens while
        # distributed starts a loop, it waits for ever for the lock of that start (dask-gateway 2026.3)
        gc.collect()
    with ExitStack() as stack:
        target = _address(found, timeout) if found.kind in ("address", "file") else _cluster(found, stack)
        client = stack.enter_context(_client(found, target, timeout))
        # a running cluster of fixed size has its workers; others get theirs once there is work
        executor = ClusterExecutor(client, where, timeout if isinstance(target, str) else found.patience)
        stack.callback(executor.shutdown, cancel_futures=True)
        try:
            executor.submit(int).result()
        except SpreadError:
            raise
        except Exception as error:
            raise NotFound(
                f"scheduler {where}: a worker cannot run spread: {one_line(error)}; install the same spread everywhere"
            ) from error
        executor.patience = found.patience
        yield executor


def link_through_hub() -> None:
    """On a JupyterHub, let links to dashboards of dask lead through the user's server, where none is configured.

    A scheduler's own address is within reach of the user's server and not of the browser.
    """
    import dask
    import distributed  # noqa: F401  its defaults

    if HUB in os.environ and dask.config.get(_LINK) == _LINK_OF_DASK:
        dask.config.set({_LINK: _LINK_THROUGH_THE_HUB})


def _range(where: str, workers: Any) -> tuple[int, int]:
    """Fewest and most workers."""
    if isinstance(workers, str):
        workers = workers.split("-")
    ends = workers if isinstance(workers, list) else [workers]
    try:
        least, most = int(ends[0]), int(ends[-1])
    except (TypeError, ValueError):
        least, most = 0, 0
    if not 1 <= least <= most or len(ends) > 2:
        raise NotFound(f"scheduler {where}: expected a number of workers, or two such as 2-20, got {workers!r}")
    return least, most


def _described(where: str) -> Place:
    """What a TOML file describes."""
    try:
        table = tomllib.loads(Path(where).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise NotFound(f"scheduler {where}: {one_line(error)}") from error
    known = ("kind", "workers", "patience", "options")
    breaches = [f"unknown key {key!r}, {did_you_mean(key, known)}" for key in table if key not in known]
    if table.get("kind") not in KINDS:
        breaches.append(f"kind is {table.get('kind')!r}, {did_you_mean(str(table.get('kind')), list(KINDS))}")
    patience, options = table.get("patience", PATIENCE), table.get("options", {})
    if not isinstance(patience, int | float) or not patience > 0:
        breaches.append(f"patience is {patience!r}, expected seconds")
    if not isinstance(options, dict):
        breaches.append(f"options is {options!r}, expected a table")
    if breaches:
        raise NotFound(f"scheduler {where}: " + "; ".join(breaches))
    workers = _range(where, table["workers"]) if "workers" in table else None
    return Place(where, table["kind"], workers=workers, patience=float(patience), options=options)


def _imported(found: Place, kind: str) -> Any:
    """The class of a cluster; its package is only needed where it is asked for."""
    module, name, package = KINDS[kind]
    try:
        return getattr(import_module(module), name)
    except ImportError as error:
        # dask-cuda comes with CUDA and is no part of an extra
        what = "'cmip-spread[cluster]'" if package in ("dask-gateway", "dask-jobqueue") else package
        raise NotFound(f"scheduler {found.where} needs {package}: {one_line(error)}; pip install {what}") from error


def _cluster(found: Place, stack: ExitStack) -> Any:
    """Start a cluster and leave its end to ``stack``, or find a running one of a gateway."""
    cluster_class = _imported(found, found.kind if found.starts else "gateway")
    try:
        cluster = cluster_class(**_options(found)) if found.starts else _running(found)
        stack.callback(_shut_down, cluster, found.where)
        if found.starts and found.workers is not None and found.kind not in ON_THIS_MACHINE:
            least, most = found.workers
            cluster.scale(most) if least == most else cluster.adapt(minimum=least, maximum=most)
    except SpreadError:
        raise
    except Exception as error:  # cluster managers raise what they like
        raise NotFound(f"scheduler {found.where}: no cluster can be had: {one_line(error)}") from error
    return cluster


def _running(found: Place) -> Any:
    """A running cluster of the gateway that dask's configuration names; it runs on when it is closed here."""
    from dask_gateway import Gateway

    gateway = Gateway()  # closes itself when it is let go, and complains if it is closed before
    names = [cluster.name for cluster in gateway.list_clusters()]
    if found.target not in names:
        raise NotFound(f"scheduler {found.where}: no such cluster runs; {did_you_mean(found.target, names)}")
    return gateway.connect(found.target, shutdown_on_close=False)


def _shut_down(cluster: Any, where: str) -> None:
    """Close a cluster; what goes wrong there must not cost the answer that was computed on it."""
    try:
        cluster.close()
    except AssertionError:
        # all is shut down by then, but distributed minds that jobqueue's jobs do not say so of themselves
        from distributed.core import Status

        cluster.status = Status.closed
    except Exception as error:  # cluster managers raise what they like
        warnings.warn(
            f"scheduler {where}: its shutdown failed: {one_line(error)}; see whether jobs are left", stacklevel=2
        )


def _options(found: Place) -> Mapping[str, Any]:
    """Options of a cluster's class: what this place needs, and what its user says instead."""
    ours: dict[str, Any] = {}
    if found.kind in ON_THIS_MACHINE:
        ours = {"dashboard_address": None}
        if found.workers is not None:
            ours["n_workers"] = found.workers[1]
    if found.kind == "local":
        ours["threads_per_worker"] = _THREADS
    if found.kind == "cuda":
        ours["resources"] = {"GPU": 1}
    return ours | found.options


def _address(found: Place, timeout: float) -> str:
    """The address of a running scheduler; its file may still be about to be written."""
    if found.kind == "address":
        return found.target
    deadline = time.monotonic() + timeout
    while True:
        try:
            return str(json.loads(Path(found.target).read_text(encoding="utf-8"))["address"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            if time.monotonic() > deadline:
                raise NotFound(
                    f"scheduler file {found.target}: not written within {timeout:g} s: {one_line(error)}; "
                    f"start one with `dask scheduler --scheduler-file {found.target}`"
                ) from error
        time.sleep(0.1)


def _client(found: Place, target: Any, timeout: float) -> Any:
    """Connect; the client never becomes the default of what else this process computes."""
    from distributed import Client

    link_through_hub()
    try:
        return Client(target, timeout=timeout, set_as_default=False)
    except Exception as error:  # OSError, ValueError, and those of TLS
        raise NotFound(f"scheduler {found.where}: no answer within {timeout:g} s: {one_line(error)}") from error
