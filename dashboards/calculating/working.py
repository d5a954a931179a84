"""What a worker does for the page: draw maps of the emulator, run the land model with and without a change.

A process beside the server works for all visitors, one step after another, or the workers of a dask cluster do, on
their GPUs where they have some: the page answers meanwhile, and what a step may cost is bounded by the choices that
there are. Only numbers and names that were checked go to it.
"""

from __future__ import annotations

import logging
import tempfile
import threading
from concurrent.futures import CancelledError, Future
from concurrent.futures.process import BrokenProcessPool
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dashboards.calculating.emulating import PAIRS, departure
from dashboards.calculating.processes import Process

if TYPE_CHECKING:
    from spread.cluster import ClusterExecutor, Held

_log = logging.getLogger("spread.dashboard")

LATITUDE = 50.0
"""Of the embedded site [degrees_north]."""

SEED = 0
JULY = 0.54
"""Part of the year for which two scenarios are compared."""


class Drawn(NamedTuple):
    """Annual means of emulated members over some years.

    Parameters
    ----------
    years : ndarray
        (year,).
    tas : ndarray
        (member, year, lat, lon) [K], float32.
    flags : str
        What is to be said of them.
    """

    years: np.ndarray
    tas: np.ndarray
    flags: tuple[str, ...]


@lru_cache(1)
def _emulator(file: str, stamp: int) -> Any:
    from spread.emulator import load

    return load(file)


@lru_cache(1)
def _sent(data: bytes) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "sent.safetensors"
        file.write_bytes(data)
        return _emulator.__wrapped__(str(file), 0)


def _opened(source: Path | bytes) -> Any:
    """The emulator of a file, or of its bytes where the worker does not see the file."""
    return _sent(source) if isinstance(source, bytes) else _emulator(str(source), source.stat().st_mtime_ns)


def draw(
    emulator: Path | bytes,
    model: str,
    scenario: str,
    years: tuple[int, int],
    members: int,
    scale: float = 1.0,
    peak: int = 2100,
) -> Drawn:
    """Emulated annual means of members whose months follow each other; steps of other years do not change them.

    Parameters
    ----------
    emulator : Path or bytes
        Its file, or what is in it.
    model, scenario, years, members
        As :func:`spread.simulate.emulating.emulate` takes them.
    scale, peak
        Of the pathway.
    """
    from spread.coupled import pathway
    from spread.simulate.emulating import emulate

    factor, top = departure(scale, peak)
    departs = factor != 1.0 or top is not None
    path = pathway(scenario, np.arange(1850, years[1] + 2), factor, top) if departs else None
    made = emulate(_opened(emulator), model, scenario, years, members=members, seed=SEED, pathway=path, coherent=True)
    return annual(made, years)


def annual(emulated: Any, years: tuple[int, int]) -> Drawn:
    """Annual means, days weighted, of maps of an emulator.

    Parameters
    ----------
    emulated : xarray.Dataset
        As :func:`spread.simulate.emulating.emulate` gives it, of whole years.
    years : tuple of int
        First and last.
    """
    whole = np.arange(years[0], years[1] + 1)
    length = np.diff(emulated["time_bnds"].values, axis=1)[:, 0].reshape(whole.size, -1)
    tas = emulated["tas"].values
    cut = tas.reshape(len(tas), whole.size, -1, *tas.shape[2:]).astype(np.float64)
    means = np.einsum("myslc,ys->mylc", cut, length / length.sum(axis=1, keepdims=True))
    flags = tuple(text for text in str(emulated.attrs["emulator_flags"]).split("; ") if text)
    return Drawn(whole, means.astype(np.float32), flags)


def pair(emulator: Path | bytes, model: str, first: tuple[str, float], second: tuple[str, float]) -> Any:
    """Difference of two scenarios in July with the same noise: :func:`spread.emulator.pairs.paired_difference`."""
    from spread.emulator.pairs import paired_difference

    return paired_difference(_opened(emulator), model, first, second, JULY, PAIRS, SEED)


@lru_cache(4)
def _site(draws: int) -> Any:
    """The embedded site, spun up, with its draws."""
    from spread import counterfactual
    from spread.drivers import drivers
    from spread.simulate import SpinUp
    from spread.simulations import forcing_of

    setup = counterfactual.Setup.of(
        drivers(forcing_of("site", LATITUDE)), spin_up=SpinUp(), drawing=counterfactual.Drawing(draws, SEED)
    )
    return counterfactual.spun(setup)


def spin_up(draws: int) -> None:
    """Bring the embedded site to balance, and keep it."""
    _site(draws)


def land(name: str, draws: int) -> Any:
    """Yearly means of the embedded site with and without a change: :func:`spread.counterfactual.whatif`."""
    from spread import counterfactual

    return counterfactual.whatif(_site(draws), counterfactual.named(name)).compute()


class Workers:
    """Who calculates: a process beside the server, or the workers of a dask cluster once :meth:`use` was called.

    Where that cluster ends, such as one of Dask Gateway that was idle for too long, the process takes its place.
    """

    def __init__(self) -> None:
        self.process = Process()
        self.cluster: ClusterExecutor | None = None
        self.held: dict[tuple[Path, int], Held] = {}
        self._lock = threading.Lock()

    def use(self, cluster: ClusterExecutor | None) -> None:
        """Have a cluster calculate.

        Parameters
        ----------
        cluster : ClusterExecutor or None
            None for the process beside the server.
        """
        self.cluster, self.held = cluster, {}

    def submit(self, step: Any, *given: Any) -> Future[Any]:
        """Have a step done, without waiting for anybody.

        Parameters
        ----------
        step : callable
            Of this module.
        *given
            Its arguments; a path stands for a file, which a cluster is sent once.

        Returns
        -------
        concurrent.futures.Future
            Its result.
        """
        cluster = self.cluster
        if cluster is not None and cluster.gone:
            _log.error("the cluster %s is gone: what visitors ask for is calculated beside the server", cluster.where)
            cluster = self.cluster = None
        if cluster is None:
            return self.process.submit(step, *given)
        return cluster.submit(step, *(self._hold(cluster, one) if isinstance(one, Path) else one for one in given))

    def _hold(self, cluster: ClusterExecutor, file: Path) -> Held:
        key = (file, file.stat().st_mtime_ns)
        with self._lock:
            if key not in self.held:
                self.held = {key: cluster.hold(file.read_bytes())}
            return self.held[key]

    @staticmethod
    def lost(error: BaseException) -> bool:
        """Whether an error says that who calculated is gone, and not that the step failed."""
        return isinstance(error, BrokenProcessPool | CancelledError) or type(error).__name__ == "KilledWorker"

    def close(self) -> None:
        """Stop working; a cluster is left to who connected it."""
        self.process.close()


WORKERS = Workers()
"""Of this server."""
