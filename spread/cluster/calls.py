"""What travels to the workers of a cluster: calls, closed, and what is sent once for many of them.

A call is opened on its worker, after the environment there is in order and its version was compared.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import cloudpickle

from spread import __version__
from spread.errors import SpreadError

if TYPE_CHECKING:
    import distributed

ENVIRONMENT = {"GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false"}
"""What must be set in a worker before gcsfs is imported there; see ``spread.storage``."""


class Held:
    """What the workers of a cluster are to have: an argument of calls that is not sent again with each.

    Parameters
    ----------
    value : object
        Kept here too, for workers that come after those that had it.
    """

    def __init__(self, value: Any) -> None:
        self.value = value
        self.sending: asyncio.Future[distributed.Future] | None = None  # of the client's loop alone

    @property
    def lost(self) -> bool:
        """Whether it is neither there nor on its way."""
        sent = self.sending
        if sent is None:
            return True
        return sent.done() and (sent.cancelled() or bool(sent.exception()) or sent.result().status != "finished")


@dataclass(frozen=True)
class _Place:
    """Where an argument goes that the worker has."""

    number: int


@dataclass(eq=False)
class Call:
    """A call under way: what is sent, what is promised, and dask's own future of it."""

    sealed: bytes
    held: tuple[Held, ...] = ()
    answer: Future[Any] = field(default_factory=Future)
    settled: bool = False
    there: distributed.Future | None = None
    verdict: BaseException | None = None
    on_trial: bool = False
    losses: int = 0


def call_of(fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
    """Close a call."""
    held = tuple(value for value in args if isinstance(value, Held))
    places = iter(range(len(held)))
    sent = tuple(_Place(next(places)) if isinstance(value, Held) else value for value in args)
    return Call(cloudpickle.dumps((fn, sent, kwargs)), held)


def opened(sealed: bytes, version: str, *held: Any) -> Any:
    """Open a call on the worker and do it."""
    # before anything is unpickled: that imports the file systems
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    if version != __version__:
        raise SpreadError(f"worker has spread {__version__}, {version} is expected; install the same on all workers")
    fn, args, kwargs = cloudpickle.loads(sealed)
    args = tuple(held[value.number] if isinstance(value, _Place) else value for value in args)
    return fn(*args, **kwargs)
