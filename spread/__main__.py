"""The command line: ``spread demo | run | dashboard | search | check | doctor | land run | whatif``.

Errors are one line on standard error. Exit codes: 0 done; 2 the request cannot be answered, nothing was written;
3 a report was written, but some store could not be read (trying again may help); 130 interrupted, nothing was written.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

INTERRUPTED = 130
SOME_UNREADABLE = 3


def _parser() -> argparse.ArgumentParser:
    from spread import __version__

    parser = argparse.ArgumentParser(
        prog="spread",
        description="How far do climate models disagree, why, and what would change it?",
    )
    parser.add_argument("--version", action="version", version=f"spread {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    demo = commands.add_parser("demo", help="run the main job on a miniature, synthetic archive made on first use")
    demo.add_argument("--out", type=Path, help="folder of the report (default: ./demo-report)")
    demo.add_argument("--daily", action="store_true", help="also make the daily add-on of the archive")
    demo.add_argument("--archive-only", action="store_true", help="make the archive, say where it is, and stop")
    demo.add_argument("--json", action="store_true", help="print the summary as JSON")

    demo.add_argument("--serve", action="store_true", help="then serve the report as a dashboard")
    _add_server(demo)

    dashboard = commands.add_parser("dashboard", help="serve reports as a dashboard; needs the extra 'dashboard'")
    dashboard.add_argument("reports", nargs="+", type=Path, metavar="REPORT", help="folders that spread run wrote")
    _add_server(dashboard)

    run = commands.add_parser("run", help="run a study and write its report")
    run.add_argument("study", type=Path, metavar="STUDY", help="TOML file")
    run.add_argument("--out", type=Path, help="folder of the report (default: ./NAME-report)")
    run.add_argument("--json", action="store_true", help="print the summary as JSON")
    run.add_argument(
        "--beside", type=Path, action="append", metavar="RUNFOLDER",
        help="a run of the land model to show beside the models, from spread land run; may be given again",
    )  # fmt: skip
    run.add_argument(
        "--scheduler",
        metavar="WHERE",
        help="dask cluster to work on: local, tcp://HOST:PORT, FILE.json, gateway:NAME, gateway:URL, slurm, ..., "
        "or FILE.toml that describes one (default: this process)",
    )
    run.add_argument("--workers", metavar="N", help="how many workers a new cluster has: 8, or 2-20 as there is work")

    search = commands.add_parser("search", help="search a catalog by facets, such as source_id=CESM2")
    search.add_argument("facets", nargs="*", metavar="FACET=VALUE[,VALUE]")
    search.add_argument("--catalog", default="demo", help="shipped name, path or URL (default: demo)")
    search.add_argument("--json", action="store_true", help="print the rows as JSON")

    check = commands.add_parser("check", help="what a study would read and reject, before any chunk is read")
    check.add_argument("study", type=Path, metavar="STUDY", help="TOML file")
    check.add_argument("--json", action="store_true", help="print the plan as JSON")

    _add_simulations(commands)

    doctor = commands.add_parser("doctor", help="environment, engines, credentials, reachability of the catalogs")
    doctor.add_argument("--json", action="store_true", help="print the findings as JSON")
    return parser


def _add_server(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--address", default="127.0.0.1", help="where to listen (default: this machine only)")
    parser.add_argument("--port", type=int, default=5006, help="default: 5006")
    parser.add_argument(
        "--allow-websocket-origin", action="append", default=[], metavar="HOST[:PORT]",
        help="of the URL in the browser's address bar where it is not the server's own, such as behind a proxy",
    )  # fmt: skip
    parser.add_argument("--prefix", default="", metavar="PATH", help="before every URL, for a proxy")
    parser.add_argument("--maximum-sessions", type=int, default=60, metavar="N", help="pages open at once")
    parser.add_argument("--show", action="store_true", help="open a browser")


def _add_simulations(commands: Any) -> None:
    land = commands.add_parser("land", help="the land model: carbon and water of land, simulated")
    verbs = land.add_subparsers(dest="verb", required=True, metavar="VERB")
    run = verbs.add_parser("run", help="run the land model and write its members, tables and figures")
    run.add_argument("changes", nargs="*", metavar="CHANGE", help="such as PROCESS=BRICK; see spread whatif --help")
    run.add_argument("--draws", type=int, default=0, metavar="N", help="draws of parameters (default: 0, the defaults)")
    run.add_argument("--out", type=Path, help="folder of the results (default: ./land-run)")
    run.add_argument(
        "--restart", type=Path, metavar="FOLDER",
        help="go on where the land run in this folder ended, with its pools, reference climate and draws; a scenario "
        "after its historical run: spread land run --forcing SCENARIO --restart HISTORICAL --out FOLDER",
    )  # fmt: skip
    whatif = commands.add_parser("whatif", help="what a change would do to the land, with its range over parameters")
    whatif.add_argument(
        "changes", nargs="+", metavar="CHANGE",
        help="co2-1996 (CO2 stays at a year's), +2K, pr-30%%, no-fire, PROCESS=BRICK; several are also attributed",
    )  # fmt: skip
    whatif.add_argument("--draws", type=int, default=16, metavar="N", help="draws of parameters (default: 16)")
    whatif.add_argument("--outcome", default="nbp", metavar="VARIABLE", help="what is attributed (default: nbp)")
    whatif.add_argument("--out", type=Path, help="folder of the results (default: ./whatif)")
    for parser in (run, whatif):
        place = parser.add_mutually_exclusive_group()
        place.add_argument(
            "--site",
            type=float,
            nargs="?",
            const=50.0,
            metavar="LATITUDE",
            help="synthetic daily weather (default: 50)",
        )
        place.add_argument("--grid", action="store_true", help="synthetic monthly weather on a coarse global grid")
        place.add_argument("--forcing", metavar="FILE", action="append",
            help="CF weather: a netCDF file or Zarr store; again for each further file",
        )  # fmt: skip
        parser.add_argument(
            "--no-spin-up", action="store_true",
            help="start from fixed pools, not from those that the first ten years, repeated for ever, lead to",
        )  # fmt: skip
        parser.add_argument("--seed", type=int, default=0, help="of the draws (default: 0)")
        parser.add_argument("--scheduler", metavar="WHERE", help="dask cluster, as in spread run")
        parser.add_argument("--workers", metavar="N", help="how many workers a new cluster has")
        parser.add_argument("--json", action="store_true", help="print the summary as JSON")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments; those of the process otherwise.

    Returns
    -------
    int
        Exit code, see the module's docstring.
    """
    arguments = _parser().parse_args(argv)
    from spread.errors import SpreadError, one_line

    command: Callable[[argparse.Namespace], int] = {
        "demo": _demo, "run": _run, "search": _search, "check": _check, "doctor": _doctor,
        "dashboard": _dashboard,
        "land": _land, "whatif": _whatif,
    }[arguments.command]  # fmt: skip
    try:
        return command(arguments)
    except SpreadError as error:
        print(f"spread: {one_line(error)}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except KeyboardInterrupt:
        print("spread: interrupted, no report was written", file=sys.stderr)
        return INTERRUPTED


def _progress() -> Any:
    """A context that shows stages as bars on a terminal's standard error, and is silent elsewhere."""
    from spread.progress import bars

    return bars(sys.stderr)


def _demo(arguments: argparse.Namespace) -> int:
    from spread.demo import FAULTS, location, make_archive, make_daily
    from spread.placing import check_writable
    from spread.report import STORE
    from spread.study import Study

    out = arguments.out or Path("demo-report")
    if not arguments.archive_only:
        check_writable(out, STORE)
    with _progress() as show:
        make_archive(progress=lambda done, total, what: show("making the synthetic archive", done, total))
        if arguments.daily:
            make_daily(progress=lambda done, total, what: show("making the daily add-on", done, total))
    if arguments.archive_only:
        print(location())
        return 0
    study = Study.make(
        name="demo",
        catalog="demo",
        regions=["global", "northern_hemisphere", "southern_hemisphere", "land", "ocean", "arctic"],
        incomplete_periods="allow",
        maps={"grid": "5"},
    )
    planted = {f"{f.source_id}.{f.experiment_id}.{f.member_id}.{f.variable_id}" for f in FAULTS}
    code = _report(study, out, arguments.json, None, planted)
    return _serve([out], arguments) if arguments.serve else code


def _dashboard(arguments: argparse.Namespace) -> int:
    return _serve(arguments.reports, arguments)


def _serve(reports: Sequence[Path], arguments: argparse.Namespace) -> int:
    """Serve reports until interrupted."""
    from spread.errors import NotFound

    try:
        from dashboards.app import serve
    except ModuleNotFoundError as error:
        if error.name not in ("panel", "param", "dashboards"):
            raise
        raise NotFound(
            f"dashboard: the package {error.name!r} is not installed; pip install 'cmip-spread[dashboard]'"
        ) from error
    serve(
        reports,
        address=arguments.address,
        port=arguments.port,
        origins=arguments.allow_websocket_origin,
        prefix=arguments.prefix,
        maximum_sessions=arguments.maximum_sessions,
        show=arguments.show,
        say=lambda text: print(text, file=sys.stderr),
    )
    return 0


def _run(arguments: argparse.Namespace) -> int:
    from spread.errors import NotFound
    from spread.placing import check_writable
    from spread.report import STORE
    from spread.requests import Simulated
    from spread.study import Study

    study = Study.from_toml(arguments.study)
    if arguments.beside:
        runs = (*(() if study.simulated is None else study.simulated.runs), *map(str, arguments.beside))
        study = study.model_copy(update={"simulated": Simulated(runs=runs)})
    out = arguments.out or Path(f"{study.name}-report")
    check_writable(out, STORE)
    scheduler = None if arguments.scheduler is None else (arguments.scheduler, arguments.workers)
    if scheduler is None and arguments.workers is not None:
        raise NotFound(f"--workers {arguments.workers}: of what cluster? Say --scheduler local, or slurm, ...")
    return _report(study, out, arguments.json, scheduler)


def _report(
    study: Any, out: Path, as_json: bool, scheduler: tuple[str, str | None] | None, planted: Collection[str] = ()
) -> int:
    """Run a study, write its report, print the spread; stores broken on purpose do not count as unreadable."""
    from spread import flow, page
    from spread.cache import open_cache

    cache = open_cache(options=study.storage_options)
    cache.sweep()
    with _progress() as show:
        if scheduler is None:
            report = flow.run(study, progress=show, cache=cache)
        else:
            from spread.cluster import connected

            with connected(*scheduler) as executor:
                report = flow.run(study, executor, show, cache)
        show("drawing", 0, 1)
        folder = report.save(out, extras=lambda path: page.write(report, path))
        show("drawing", 1, 1)
    print(json.dumps(report.as_dict(), indent=1) if as_json else report.table())
    print(f"report: {folder / 'index.html'}", file=sys.stderr)
    unreadable = [failure for failure in report.failures if failure.unreadable and failure.dataset not in planted]
    if unreadable:
        names = ", ".join(failure.dataset for failure in unreadable[:3]) + (", ..." if len(unreadable) > 3 else "")
        print(f"spread: {len(unreadable)} stores could not be read and are left out: {names}", file=sys.stderr)
        return SOME_UNREADABLE
    return 0


def _search(arguments: argparse.Namespace) -> int:
    from spread import catalog
    from spread.errors import NotFound

    facets: dict[str, list[str]] = {}
    for item in arguments.facets:
        key, equals, value = item.partition("=")
        if not equals or not value:
            raise NotFound(f"search: expected FACET=VALUE, got {item!r}; for example variable_id=tas")
        facets.setdefault(key, []).extend(value.split(","))
    found = catalog.search(catalog.read(arguments.catalog), **facets)
    if arguments.json:
        print(found.to_json(orient="records", indent=1))
        return 0
    columns = [c for c in found.columns if c not in ("zstore", "dcpp_init_year", "activity_id", "institution_id")]
    print(found[columns].to_string(index=False, max_rows=60))
    models, experiments = found["source_id"].nunique(), found["experiment_id"].nunique()
    print(f"{len(found)} datasets, {models} models, {experiments} experiments", file=sys.stderr)
    return 0


def _check(arguments: argparse.Namespace) -> int:
    from spread import plan
    from spread.study import Study

    study = Study.from_toml(arguments.study)
    with _progress() as show:
        found = plan.check(study, show)
    print(json.dumps(found.as_dict(), indent=1) if arguments.json else found.table())
    return 0


def _place(arguments: argparse.Namespace) -> dict[str, Any]:
    """What the commands that simulate have in common."""
    from spread.errors import NotFound

    if arguments.scheduler is None and arguments.workers is not None:
        raise NotFound(f"--workers {arguments.workers}: of what cluster? Say --scheduler local, or slurm, ...")
    where = arguments.forcing or ("grid" if arguments.grid else "site")
    lat = 50.0 if arguments.site is None else arguments.site
    spin_up = not arguments.no_spin_up
    return {"where": where, "lat": lat, "draws": arguments.draws, "seed": arguments.seed, "spin_up": spin_up}


def _cluster(arguments: argparse.Namespace) -> Any:
    from contextlib import nullcontext

    from spread.cluster import connected

    return nullcontext() if arguments.scheduler is None else connected(arguments.scheduler, arguments.workers)


def _land(arguments: argparse.Namespace) -> int:
    from spread.simulations import run_land

    out, given = arguments.out or Path("land-run"), _place(arguments)
    with _progress() as show, _cluster(arguments) as executor:
        summary = run_land(
            out=out, changes=arguments.changes, restart=arguments.restart, executor=executor, progress=show, **given
        )
    return _said(summary, summary["means"], out / "index.html", arguments.json)


def _whatif(arguments: argparse.Namespace) -> int:
    from spread.simulations import run_whatif

    out, given = arguments.out or Path("whatif"), _place(arguments)
    with _progress() as show, _cluster(arguments) as executor:
        summary = run_whatif(
            arguments.changes, out=out, outcome=arguments.outcome, executor=executor, progress=show, **given
        )
    rows = {
        f"{change}: {name}": row
        for change, found in summary["differences_in_the_last_ten_years"].items()
        for name, row in found.items()
    } | {
        f"effect of {term} on {arguments.outcome}": row
        for term, row in summary.get("attribution", {}).get("effects", {}).items()
    }
    return _said(summary, rows, out / "index.html", arguments.json)


def _said(summary: dict[str, Any], rows: dict[str, dict[str, Any]], shown: Path, as_json: bool) -> int:
    """Print a summary: its numbers with their range over draws."""
    if as_json:
        print(json.dumps(summary, indent=1))
        return 0
    if summary["synthetic"]:
        from spread.figures.words import SYNTHETIC

        print(SYNTHETIC)
    width = max(map(len, rows))
    drawn = summary["draws"] > 0
    print(f"{'':{width}}  {'5 %':>11} {'50 %':>11} {'95 %':>11}" if drawn else f"{'':{width}}  {'mean':>11}")
    for name, row in rows.items():
        numbers = [row["q5"], row["q50"], row["q95"]] if drawn else [row["q50"]]
        print(f"{name:{width}}  {' '.join(f'{number:11.4g}' for number in numbers)}  {row['units']}")
    missing = summary.get("spun_up_of", 0) - summary.get("spun_up_found", 0)
    if missing:
        print(f"spread: {missing} of {summary['spun_up_of']} cells and draws have no spun-up state", file=sys.stderr)
    print(f"written: {shown}", file=sys.stderr)
    return 0


def _doctor(arguments: argparse.Namespace) -> int:
    from spread import doctor

    findings = doctor.examine()
    print(json.dumps([f.as_dict() for f in findings], indent=1) if arguments.json else doctor.table(findings))
    return 0 if all(f.state != "broken" for f in findings) else 1


if __name__ == "__main__":
    sys.exit(main())
