"""A dask cluster as a place to compute: connect to a scheduler and get an executor."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager

from spread.errors import NotFound, one_line


@contextmanager
def connected(address: str, timeout: float = 10.0) -> Iterator[Executor]:
    """Connect to a running dask scheduler.

    Parameters
    ----------
    address : str
        Such as ``tcp://127.0.0.1:8786``, or ``local`` for a cluster on this machine.
    timeout : float
        How long to wait for it [s].

    Yields
    ------
    concurrent.futures.Executor
        Runs each store's reduction on a worker.

    Raises
    ------
    NotFound
        If no scheduler answers, or it has no worker.
    """
    from distributed import Client

    try:
        client = Client(processes=True) if address == "local" else Client(address, timeout=timeout)
    except (OSError, ValueError) as error:
        raise NotFound(f"scheduler {address}: no answer within {timeout:g} s: {one_line(error)}") from error
    with client:
        if not client.scheduler_info(n_workers=1)["workers"]:
            raise NotFound(f"scheduler {address}: it has no worker; start one with `dask worker {address}`")
        yield client.get_executor(pure=False, retries=2)
