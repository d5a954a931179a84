"""The command line: ``spread demo | run | dashboard | search | check | doctor | land run | whatif | emulate``.

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

from spread.commands import clusters, emulating, serving, simulating

KERNELS = ("jax", "jaxlib", "equinox", "optax", "jaxtyping", "safetensors")
"""Packages that simulating and emulating need, and comparing models does not."""

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
    serving.add_server(demo)

    serving.add(commands)

    run = commands.add_parser("run", help="run a study and write its report")
    run.add_argument("study", type=Path, metavar="STUDY", help="TOML file")
    run.add_argument("--out", type=Path, help="folder of the report (default: ./NAME-report)")
    run.add_argument("--json", action="store_true", help="print the summary as JSON")
    run.add_argument(
        "--beside", type=Path, action="append", metavar="RUNFOLDER",
        help="a run of the land model to show beside the models, from spread land run; may be given again",
    )  # fmt: skip
    clusters.add(run)

    search = commands.add_parser("search", help="search a catalog by facets, such as source_id=CESM2")
    search.add_argument("facets", nargs="*", metavar="FACET=VALUE[,VALUE]")
    search.add_argument("--catalog", default="demo", help="shipped name, path or URL (default: demo)")
    search.add_argument("--json", action="store_true", help="print the rows as JSON")

    check = commands.add_parser("check", help="what a study would read and reject, before any chunk is read")
    check.add_argument("study", type=Path, metavar="STUDY", help="TOML file")
    check.add_argument("--json", action="store_true", help="print the plan as JSON")

    simulating.add(commands)

    emulating.add(commands)

    doctor = commands.add_parser("doctor", help="environment, engines, credentials, reachability of the catalogs")
    doctor.add_argument("--json", action="store_true", help="print the findings as JSON")
    return parser


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
        "dashboard": serving.dashboard, "land": simulating.land, "whatif": simulating.whatif, "emulate": emulating.run,
    }[arguments.command]  # fmt: skip
    try:
        return command(arguments)
    except SpreadError as error:
        print(f"spread: {one_line(error)}", file=sys.stderr)
        return error.exit_code
    except ModuleNotFoundError as error:
        if error.name not in KERNELS:
            raise
        wanted = f"the package {error.name!r} is not installed; pip install 'cmip-spread[kernels]'"
        print(f"spread: {arguments.command}: {wanted}", file=sys.stderr)
        return 2
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
        sensitivity={},
    )
    planted = {f"{f.source_id}.{f.experiment_id}.{f.member_id}.{f.variable_id}" for f in FAULTS}
    code = _report(study, out, arguments, planted)
    return serving.serve([out], arguments) if arguments.serve else code


def _run(arguments: argparse.Namespace) -> int:
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
    clusters.check(arguments)
    return _report(study, out, arguments)


def _report(study: Any, out: Path, arguments: argparse.Namespace, planted: Collection[str] = ()) -> int:
    """Run a study, write its report, print the spread; stores broken on purpose do not count as unreadable."""
    from spread import flow, page
    from spread.cache import open_cache

    cache = open_cache(options=study.storage_options)
    cache.sweep()
    with _progress() as show:
        with clusters.chosen(arguments) as executor:
            report = flow.run(study, executor, show, cache)
        show("drawing", 0, 1)
        folder = report.save(out, extras=lambda path: page.write(report, path))
        show("drawing", 1, 1)
    print(json.dumps(report.as_dict(), indent=1) if arguments.json else report.table())
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


def _doctor(arguments: argparse.Namespace) -> int:
    from spread import doctor

    findings = doctor.examine()
    print(json.dumps([f.as_dict() for f in findings], indent=1) if arguments.json else doctor.table(findings))
    return 0 if all(f.state != "broken" for f in findings) else 1


if __name__ == "__main__":
    sys.exit(main())
