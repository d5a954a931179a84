"""Calls on the workers of a dask cluster, each of them answered: by its result, or by what went wrong.

What dask leaves to its user is settled here.

- A worker that dies takes part of the blame to every call it had at that time, and after four such deaths dask gives a
  call up, guilty or not. Here such calls are suspects: once all others are done they are tried again one by one, so
  that one store that kills its worker never stops the others.
- Dask waits for ever where no worker is left, or none that has what a call asks for. Here patience ends.
- What was sent once for many calls is gone with the last worker that had it, and whatever needs it is cancelled from
  then on. Here it is sent again.
- Callbacks of all clients of a process share one thread, which waits for ever once one asks a client that is being
  closed. Here the loop of the client hands over what it has got, and a thread of the executor's own, which asks nobody,
  makes an answer of it.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import CancelledError, Executor, Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

from spread import __version__
from spread.cluster.calls import Call, Held, call_of, opened
from spread.errors import NotFound, SpreadError, one_line

if TYPE_CHECKING:
    import distributed

LOSSES = 3
"""Workers that a call may take with it, when what it needs goes with them; dask's own limit for others is four."""


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
        self._under_way: set[Call] = set()
        self._suspects: deque[Call] = deque()
        self._trials = 0
        self._closed = False
        self._ended = threading.Event()
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

    @property
    def gone(self) -> bool:
        """Whether the cluster has ended, or its connection has."""
        return str(self.client.status) in ("closing", "closed")

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
        call = call_of(fn, args, kwargs)
        with self._lock:
            if self._closed:
                raise RuntimeError("cannot schedule new futures after shutdown")
            if self._watch is None:
                self._watch = threading.Thread(target=self._watch_over, name="spread-cluster", daemon=True)
                self._watch.start()
            self._send(call)
        call.answer.add_done_callback(lambda answer: self._withdraw(call) if answer.cancelled() else None)
        return call.answer

    def hold(self, value: Any) -> Held:
        """Have something sent to all workers once, for many calls, when the first of them needs it.

        Parameters
        ----------
        value : object
            Such as the weights of a model, as bytes.

        Returns
        -------
        Held
            To be given to :meth:`submit` in its place.
        """
        return Held(value)

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
            self._closed = True
            left = [*self._under_way, *self._suspects]
        for call in left:
            if cancel_futures:
                call.answer.cancel()
            elif wait:
                with suppress(CancelledError):
                    call.answer.exception()
        if wait or cancel_futures:
            self._ended.set()
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

    def _send(self, call: Call) -> None:
        self._under_way.add(call)
        outcome: Future[Any]
        try:
            outcome = self._in_loop(self._done(call))
        except RuntimeError as error:
            outcome = Future()
            outcome.set_exception(self._lost(error))
        outcome.add_done_callback(lambda outcome: self._take(call, outcome))

    def _in_loop(self, work: Coroutine[Any, Any, Any]) -> Future[Any]:
        """Have the loop of the client do something; cancelled if it ends before."""
        try:
            return asyncio.run_coroutine_threadsafe(work, self._loop)
        except RuntimeError:  # it has ended
            work.close()
            raise

    async def _done(self, call: Call) -> Any:
        """What a worker answers, in the loop of the client."""
        try:
            held = [await self._there(one) for one in call.held]
            if call.settled:  # withdrawn meanwhile
                raise CancelledError
            call.there = self.client.submit(
                opened, call.sealed, __version__, *held, key=f"spread-{uuid4()}", resources=self.resources or None
            )
        except Exception as error:  # a client that lost its scheduler
            raise self._lost(error) from error
        return await self.client.gather(call.there, asynchronous=True)

    async def _there(self, held: Held) -> distributed.Future:
        """What the workers have, sent if none has it any more; in the loop of the client."""
        if held.lost:
            # a name of its own each time: that the last copy is forgotten may be heard of after the next was sent
            held.sending = asyncio.ensure_future(self.client.scatter(
                held.value, broadcast=True, hash=False, timeout=2 * self.patience, asynchronous=True
            ))  # fmt: skip
        assert held.sending is not None
        return await asyncio.shield(held.sending)

    def _take(self, call: Call, outcome: Future[Any]) -> None:
        with suppress(RuntimeError):  # shut down: nobody waits for it
            self._answers.submit(self._settle, call, outcome)

    def _settle(self, call: Call, outcome: Future[Any]) -> None:
        """Answer a call that dask is done with, suspect it, or send it again."""
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
                    if not call.settled:
                        self._suspects.append(call)
        except CancelledError as error:
            if call.held and self.client.status == "running":
                self._send_again(call)
            else:
                self._answer(call, error=self._lost(error))
        except BaseException as error:  # whatever the call raised on its worker
            self._answer(call, error=error)
        else:
            self._answer(call, result)
        self._try_suspects()

    def _send_again(self, call: Call) -> None:
        """Send a call again that dask cancelled because what it needs was lost with its worker."""
        with self._lock:
            call.losses += 1
            if call.losses < LOSSES and not call.settled:
                self._send(call)
                return
        self._answer(call, error=SpreadError(
            f"scheduler {self.where}: {LOSSES} workers were lost while they did this; they may have too little memory"
        ))  # fmt: skip

    def _try_suspects(self) -> None:
        """Send the next suspect once nothing else is under way; the only one there is needs no trial."""
        with self._lock:
            while self._suspects and self._suspects[0].settled:
                self._suspects.popleft()
            if self._under_way or not self._suspects:
                return
            call = self._suspects.popleft()
            if self._suspects or self._trials:
                self._trials += 1
                call.on_trial = True
                self._send(call)
                return
        self._answer(call, error=call.verdict)

    def _answer(self, call: Call, result: Any = None, error: BaseException | None = None) -> None:
        with self._lock:
            self._under_way.discard(call)
            call.there = None  # dask forgets what nobody holds
            if call.settled:
                return
            call.settled = True
            if not call.answer.set_running_or_notify_cancel():
                return
        # whoever hears of it may do what he likes: no lock is held
        if error is None:
            call.answer.set_result(result)
        else:
            call.answer.set_exception(error)

    def _withdraw(self, call: Call) -> None:
        with self._lock:
            self._under_way.discard(call)
            there, call.there = call.there, None
            if not call.settled:
                call.settled = True
                call.answer.set_running_or_notify_cancel()  # who waits for it hears of it only now
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
        while not self._ended.wait(min(5.0, self.patience / 5)):
            left = bool(self._under_way or self._suspects)
            if self._closed and not left:
                break
            if not left or self._takers():
                last = time.monotonic()
            elif time.monotonic() - last > self.patience:
                which = f"no worker with {self._asked()}" if self.resources else "no worker"
                with self._lock:
                    given_up = [*self._under_way, *self._suspects]
                    self._suspects.clear()
                for call in given_up:
                    there = call.there
                    self._answer(call, error=NotFound(
                        f"scheduler {self.where}: {which} for {self.patience:g} s; "
                        f"start one with `dask worker {self.address}`"
                    ))  # fmt: skip
                    self._forget(there)
                last = time.monotonic()
        self._answers.shutdown(wait=False)
