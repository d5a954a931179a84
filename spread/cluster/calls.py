"""Calls on the workers of a dask cluster, each of them answered: by its result, or by what went wrong.

Three things that dask leaves to its user are settled here.

- A worker that dies takes part of the blame to every call it had at that time, and after four such deaths dask gives a
  call up, guilty or not. Here such calls are suspects: once all others are done they are tried again one by one, so
  that one store that kills its worker never stops the others.
- Dask waits for ever where no worker is left, or none that has what a call asks for. Here patience ends.
- A call travels closed and is opened on the worker, after its environment is in order and its version was compared.

And one that it has: callbacks of all its clients share one thread, which waits for ever if it asks a client that is
being closed; no call in the process is answered from then on. Here the loop of the client hands over what it has got,
and a thread of the executor's own, which asks nobody, makes an answer of it.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, Executor, Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

import cloudpickle

from spread import __version__
from spread.errors import NotFound, SpreadError, one_line

if TYPE_CHECKING:
    import distributed

ENVIRONMENT = {"GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false"}
"""What must be set in a worker before gcsfs is imported there; see ``spread.storage``."""


class Held:
    """What the workers of a cluster have already: an argument of calls that is not sent again with each.

    Parameters
    ----------
    there : distributed.Future
        Dask's own name of it.
    """

    def __init__(self, there: distributed.Future) -> None:
        self.there = there


@dataclass(frozen=True)
class _Place:
    """Where an argument goes that the worker has."""

    number: int


@dataclass(eq=False)
class _Call:
    """A call under way: what is sent, what is promised, and dask's own future of it."""

    sealed: bytes
    held: tuple[distributed.Future, ...] = ()
    answer: Future[Any] = field(default_factory=Future)
    there: distributed.Future | None = None
    verdict: BaseException | None = None
    on_trial: bool = False


class ClusterExecutor(Executor):
    """Sends each call to a worker of a dask cluster and always answers.

    Parameters
    ----------
    client : distributed.Client
        Connected.
    where : str
        What people call the cluster, for messages.
    patience : float
        How long calls wait while no worker could take them [s].
    resources : mapping, optional
        What each call takes of a worker's resources, such as ``{"GPU": 1}``.

    Raises
    ------
    NotFound
        If resources are asked for that no worker has.
    """

    def __init__(
        self,
        client: distributed.Client,
        where: str,
        patience: float = 300.0,
        resources: Mapping[str, float] | None = None,
    ) -> None:
        self.client, self.where, self.patience = client, where, patience
        self.resources = dict(resources or {})
        self._lock = threading.RLock()
        self._under_way: set[_Call] = set()
        self._suspects: deque[_Call] = deque()
        self._trials = 0
        self._closed = threading.Event()
        self._loop: asyncio.AbstractEventLoop = cast(Any, client.loop).asyncio_loop
        self._answers = ThreadPoolExecutor(1, thread_name_prefix="spread-answers")
        self._watch: threading.Thread | None = None
        self._branches: list[ClusterExecutor] = []
        if self.resources and not self._takers():
            offered = sorted({f"{name}={n:g}" for w in self.workers() for name, n in w["resources"].items()})
            raise NotFound(
                f"scheduler {where}: no worker has {self._asked()}; its workers offer {', '.join(offered) or 'none'}; "
                f'start one with `dask worker {self.address} --resources "{self._asked()}"`'
            )

    @property
    def address(self) -> str:
        """Address of the scheduler."""
        return str(self.client.scheduler.address) if self.client.scheduler is not None else self.where

    @property
    def dashboard_link(self) -> str:
        """Where the dashboard of the scheduler is, unless it was told to have none; through the hub on a JupyterHub."""
        return str(self.client.dashboard_link)

    def workers(self) -> list[dict[str, Any]]:
        """What the scheduler knows of each worker now."""
        return list(self.client.scheduler_info(n_workers=-1)["workers"].values())

    @staticmethod
    def able(worker: Mapping[str, Any], resources: Mapping[str, float]) -> bool:
        """Whether a worker has what one call takes."""
        return all(worker["resources"].get(name, 0.0) >= amount for name, amount in resources.items())

    def with_resources(self, resources: Mapping[str, float]) -> ClusterExecutor:
        """Another executor on the same cluster, whose calls take resources; it ends with this one.

        Parameters
        ----------
        resources : mapping
            Such as ``{"GPU": 1}``.

        Returns
        -------
        ClusterExecutor
            For the calls that need them.

        Raises
        ------
        NotFound
            If no worker has them.
        """
        branch = ClusterExecutor(self.client, self.where, self.patience, resources)
        self._branches.append(branch)
        return branch

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Send a call to a worker.

        Parameters
        ----------
        fn : callable
            Called there with the other arguments; all of them are pickled.
        *args, **kwargs
            Its arguments; of the positional ones, what :meth:`hold` returned stands for what it holds.

        Returns
        -------
        concurrent.futures.Future
            Its result, or what it raised; ``KilledWorker`` if its worker dies of it again and again.

        Raises
        ------
        RuntimeError
            After :meth:`shutdown`.
        """
        held = tuple(value.there for value in args if isinstance(value, Held))
        places = iter(range(len(held)))
        sent = tuple(_Place(next(places)) if isinstance(value, Held) else value for value in args)
        call = _Call(cloudpickle.dumps((fn, sent, kwargs)), held)
        with self._lock:
            if self._closed.is_set():
                raise RuntimeError("cannot schedule new futures after shutdown")
            if self._watch is None:
                self._watch = threading.Thread(target=self._watch_over, name="spread-cluster", daemon=True)
                self._watch.start()
            self._send(call)
        call.answer.add_done_callback(lambda answer: self._withdraw(call) if answer.cancelled() else None)
        return call.answer

    def hold(self, value: Any) -> Held:
        """Send something to all workers once, for many calls.

        Parameters
        ----------
        value : object
            Such as the weights of a model, as bytes.

        Returns
        -------
        Held
            To be given to :meth:`submit` in its place.
        """
        return Held(self.client.scatter(value, broadcast=True))

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls.

        Parameters
        ----------
        wait : bool
            Until those under way are answered.
        cancel_futures : bool
            Withdraw those under way instead.
        """
        for branch in self._branches:
            branch.shutdown(wait, cancel_futures=cancel_futures)
        with self._lock:
            left = [*self._under_way, *self._suspects]
        for call in left:
            if cancel_futures:
                call.answer.cancel()
            elif wait:
                with suppress(CancelledError):
                    call.answer.exception()
        self._closed.set()
        watch = self._watch
        if watch is not None and watch is not threading.current_thread():
            watch.join(5.0)  # it asks the client, which may be closed next

    def _asked(self) -> str:
        return ",".join(f"{name}={amount:g}" for name, amount in self.resources.items())

    def _takers(self) -> int:
        """Number of workers that could take a call; 0 where the scheduler does not say."""
        try:
            return sum(self.able(worker, self.resources) for worker in self.workers())
        except Exception:  # a connection that is closed, lost or slow
            return 0

    def _send(self, call: _Call) -> None:
        self._under_way.add(call)
        try:
            call.there = self.client.submit(
                _opened, call.sealed, __version__, *call.held, key=f"spread-{uuid4()}",
                resources=self.resources or None,
            )  # fmt: skip
            outcome = self._in_loop(self.client.gather(call.there, asynchronous=True))
            outcome.add_done_callback(lambda outcome: self._answers.submit(self._settle, call, outcome))
        except Exception as error:  # a client that lost its scheduler
            self._answer(call, error=self._lost(error))

    def _in_loop(self, work: Any) -> Future[Any]:
        """Have the loop of the client do what it can do by itself; cancelled if it ends before."""
        try:
            return asyncio.run_coroutine_threadsafe(work, self._loop)
        except RuntimeError:  # it has ended
            work.close()
            raise

    def _settle(self, call: _Call, outcome: Future[Any]) -> None:
        """Answer a call that dask is done with, or suspect it."""
        from distributed import KilledWorker

        try:
            result = outcome.result()
        except KilledWorker as error:
            if call.on_trial:
                self._answer(call, error=error)
            else:
                with self._lock:
                    call.verdict = error
                    self._under_way.discard(call)
                    if not call.answer.done():
                        self._suspects.append(call)
        except CancelledError as error:
            self._answer(call, error=self._lost(error))
        except BaseException as error:  # whatever the call raised on its worker
            self._answer(call, error=error)
        else:
            self._answer(call, result)
        self._try_suspects()

    def _try_suspects(self) -> None:
        """Send the next suspect once nothing else is under way; the only one there is needs no trial."""
        with self._lock:
            if self._under_way or not self._suspects:
                return
            call = self._suspects.popleft()
            if self._suspects or self._trials:
                self._trials += 1
                call.on_trial = True
                self._send(call)
            else:
                self._answer(call, error=call.verdict)

    def _answer(self, call: _Call, result: Any = None, error: BaseException | None = None) -> None:
        with self._lock:
            self._under_way.discard(call)
            call.there = None  # dask forgets what nobody holds
            if call.answer.done() or not call.answer.set_running_or_notify_cancel():
                return
            if error is None:
                call.answer.set_result(result)
            else:
                call.answer.set_exception(error)

    def _withdraw(self, call: _Call) -> None:
        with self._lock:
            self._under_way.discard(call)
            if call in self._suspects:
                self._suspects.remove(call)
            there, call.there = call.there, None
        self._forget(there)

    def _forget(self, there: distributed.Future | None) -> None:
        """Let the scheduler know that nobody waits for a call, without waiting for it to know."""
        if there is not None and self.client.status == "running":
            with suppress(RuntimeError):
                self._in_loop(self.client.cancel([there], asynchronous=True))

    def _lost(self, error: BaseException | None) -> NotFound:
        why = f": {one_line(error)}" if error is not None else ""
        return NotFound(f"scheduler {self.where} was lost while it worked{why}; start it again and repeat the run")

    def _watch_over(self) -> None:
        """Give calls up once no worker could take them for as long as patience lasts."""
        last = time.monotonic()
        while not self._closed.wait(min(5.0, self.patience / 5)):
            if not self._under_way or self._takers():
                last = time.monotonic()
            elif time.monotonic() - last > self.patience:
                which = f"no worker with {self._asked()}" if self.resources else "no worker"
                with self._lock:
                    given_up = [*self._under_way, *self._suspects]
                for call in given_up:
                    there = call.there
                    self._answer(call, error=NotFound(
                        f"scheduler {self.where}: {which} for {self.patience:g} s; "
                        f"start one with `dask worker {self.address}`"
                    ))  # fmt: skip
                    self._forget(there)
                last = time.monotonic()


def _opened(sealed: bytes, version: str, *held: Any) -> Any:
    """Open a call on the worker and do it."""
    # before anything is unpickled: that imports the file systems
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    if version != __version__:
        raise SpreadError(f"worker has spread {__version__}, {version} is expected; install the same on all workers")
    fn, args, kwargs = cloudpickle.loads(sealed)
    args = tuple(held[value.number] if isinstance(value, _Place) else value for value in args)
    return fn(*args, **kwargs)
