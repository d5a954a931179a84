"""``--scheduler`` and ``--workers``: what all commands that can work on a dask cluster have in common."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spread.cluster import ClusterExecutor


def add(parser: argparse.ArgumentParser) -> None:
    """Add the two options to a command.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Of the command.
    """
    parser.add_argument(
        "--scheduler",
        metavar="WHERE",
        help="dask cluster to work on: local, tcp://HOST:PORT, FILE.json, gateway:NAME, gateway:URL, slurm, ..., "
        "or FILE.toml that describes one (default: this machine)",
    )
    parser.add_argument(
        "--workers", metavar="N", help="how many workers a new cluster has: 8, or 2-20 as there is work"
    )


def check(arguments: argparse.Namespace) -> None:
    """Refuse workers of no cluster.

    Parameters
    ----------
    arguments : argparse.Namespace
        With ``scheduler`` and ``workers``.

    Raises
    ------
    NotFound
        If there are workers and no scheduler.
    """
    from spread.errors import NotFound

    if arguments.scheduler is None and arguments.workers is not None:
        raise NotFound(f"--workers {arguments.workers}: of what cluster? Say --scheduler local, or slurm, ...")


@contextmanager
def chosen(arguments: argparse.Namespace) -> Iterator[ClusterExecutor | None]:
    """Connect to the cluster that is asked for, while the block runs.

    Parameters
    ----------
    arguments : argparse.Namespace
        With ``scheduler`` and ``workers``.

    Yields
    ------
    ClusterExecutor or None
        None where none is asked for.

    Raises
    ------
    NotFound
        If there are workers and no scheduler, or the cluster cannot be reached.
    """
    check(arguments)
    if arguments.scheduler is None:
        yield None
        return
    from spread.cluster import ON_THIS_MACHINE, connected, place

    with connected(arguments.scheduler, arguments.workers) as executor:
        # those that are started here have no dashboard unless their file says so
        if place(arguments.scheduler, arguments.workers).kind not in ON_THIS_MACHINE:
            print(f"dask dashboard: {executor.dashboard_link}", file=sys.stderr)
        yield executor
