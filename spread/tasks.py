"""Many pieces of work at once, in threads of this process or on a cluster; who dies takes nobody along."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor, as_completed

THREADS = 16
"""Pieces of work at a time in one process where most wait for a server; ``spread.cores`` shares out the cores."""


def outcomes[K, R](
    work: Callable[[K], R],
    keys: Iterable[K],
    executor: Executor | None,
    failed: Callable[[K, Exception], R],
    threads: int = THREADS,
) -> Iterator[tuple[K, R]]:
    """Do one piece of work for each key and yield the results as they are there.

    Parameters
    ----------
    work : callable
        What is done; it travels to wherever the executor is.
    keys : iterable
        For what; hashable.
    executor : concurrent.futures.Executor or None
        Where: threads of this process if None, or ``Client.get_executor()`` of a dask cluster.
    failed : callable
        Makes a result of a key and the error that its worker died of.
    threads : int
        How many pieces of work at a time, without an executor.

    Yields
    ------
    key, result
        In the order in which they are done.
    """
    own = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="spread") if executor is None else None
    pool = executor or own
    assert pool is not None
    futures = {_submitted(pool, work, key): key for key in keys}
    try:
        for future in as_completed(futures):
            key = futures[future]
            try:
                result = future.result()
            except Exception as error:  # executors raise what they like: BrokenProcessPool, distributed.KilledWorker
                result = failed(key, error)
            yield key, result
    finally:
        for future in futures:
            future.cancel()
        if own is not None:
            own.shutdown(wait=True, cancel_futures=True)


def _submitted[K, R](pool: Executor, work: Callable[[K], R], key: K) -> Future[R]:
    """A future, that of the error where a pool takes no more work because one of its workers was killed."""
    try:
        return pool.submit(work, key)
    except BrokenExecutor as error:
        broken: Future[R] = Future()
        broken.set_exception(error)
        return broken
