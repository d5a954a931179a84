"""``spread dashboard``, and ``spread demo --serve``: reports as a dashboard, until interrupted."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spread.commands import clusters


def add(commands: Any) -> None:
    """Add the command.

    Parameters
    ----------
    commands : argparse subparsers
        Of the program.
    """
    dashboard = commands.add_parser("dashboard", help="serve reports as a dashboard; needs the extra 'dashboard'")
    dashboard.add_argument(
        "reports", nargs="*", type=Path, metavar="REPORT",
        help="folders that spread run wrote (default: those that $SPREAD_REPORTS lists)",
    )  # fmt: skip
    add_server(dashboard)


def add_server(parser: argparse.ArgumentParser) -> None:
    """Add what every server is told.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Of a command that serves.
    """
    parser.add_argument("--emulator", type=Path, metavar="FILE", help="that spread emulate train wrote")
    parser.add_argument("--evaluation", type=Path, metavar="FOLDER", help="of it, by spread emulate evaluate")
    parser.add_argument("--address", default="127.0.0.1", help="where to listen (default: this machine only)")
    parser.add_argument("--port", type=int, default=5006, help="default: 5006")
    parser.add_argument(
        "--allow-websocket-origin", action="append", default=[], metavar="HOST[:PORT]",
        help="of the URL in the browser's address bar where it is not the server's own, such as behind a proxy",
    )  # fmt: skip
    parser.add_argument("--prefix", default="", metavar="PATH", help="before every URL, for a proxy")
    parser.add_argument("--maximum-sessions", type=int, default=60, metavar="N", help="pages open at once")
    parser.add_argument("--show", action="store_true", help="open a browser")
    clusters.add(parser)


def dashboard(arguments: argparse.Namespace) -> int:
    """Do ``spread dashboard``; the exit code."""
    from dashboards.launcher import listed_emulator, listed_reports

    if not arguments.reports:
        arguments.reports = listed_reports()
        for name, path in listed_emulator().items():
            setattr(arguments, name, getattr(arguments, name) or path)
    return serve(arguments.reports, arguments)


def serve(reports: Sequence[Path], arguments: argparse.Namespace) -> int:
    """Serve reports until interrupted.

    Parameters
    ----------
    reports : sequence of Path
        Folders of reports.
    arguments : argparse.Namespace
        With what :func:`add_server` adds.

    Returns
    -------
    int
        The exit code.

    Raises
    ------
    NotFound
        If Panel is not installed, a report is not there, or a cluster cannot be reached.
    """
    from spread.errors import NotFound

    try:
        from dashboards.app import serve as serve_until_interrupted
    except ModuleNotFoundError as error:
        if error.name not in ("panel", "param", "dashboards"):
            raise
        raise NotFound(
            f"dashboard: the package {error.name!r} is not installed; pip install 'cmip-spread[dashboard]'"
        ) from error
    with clusters.chosen(arguments) as executor:
        if executor is not None:
            from spread.cluster import accelerated

            placed = accelerated(executor)
            print(placed.statement, file=sys.stderr)
            executor = placed.executor
        serve_until_interrupted(
            reports,
            address=arguments.address,
            port=arguments.port,
            origins=arguments.allow_websocket_origin,
            prefix=arguments.prefix,
            maximum_sessions=arguments.maximum_sessions,
            show=arguments.show,
            say=lambda text: print(text, file=sys.stderr),
            emulator=arguments.emulator,
            evaluation=arguments.evaluation,
            executor=executor,
        )
    return 0
