"""``spread land run`` and ``spread whatif``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from spread.commands import clusters


def add(commands: Any) -> None:
    """Add the commands to the parser's."""
    land_parser = commands.add_parser("land", help="the land model: carbon and water of land, simulated")
    verbs = land_parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    run = verbs.add_parser("run", help="run the land model and write its members, tables and figures")
    run.add_argument("changes", nargs="*", metavar="CHANGE", help="such as PROCESS=BRICK; see spread whatif --help")
    run.add_argument("--draws", type=int, default=0, metavar="N", help="draws of parameters (default: 0, the defaults)")
    run.add_argument("--out", type=Path, help="folder of the results (default: ./land-run)")
    run.add_argument(
        "--restart", type=Path, metavar="FOLDER",
        help="go on where the land run in this folder ended, with its pools, reference climate and draws; a scenario "
        "after its historical run: spread land run --forcing SCENARIO --restart HISTORICAL --out FOLDER",
    )  # fmt: skip
    whatif_parser = commands.add_parser(
        "whatif", help="what a change would do to the land, with its range over parameters"
    )
    whatif_parser.add_argument(
        "changes", nargs="+", metavar="CHANGE",
        help="co2-1996 (CO2 stays at a year's), +2K, pr-30%%, no-fire, PROCESS=BRICK; several are also attributed",
    )  # fmt: skip
    whatif_parser.add_argument("--draws", type=int, default=16, metavar="N", help="draws of parameters (default: 16)")
    whatif_parser.add_argument("--outcome", default="nbp", metavar="VARIABLE", help="what is attributed (default: nbp)")
    whatif_parser.add_argument("--out", type=Path, help="folder of the results (default: ./whatif)")
    for parser in (run, whatif_parser):
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
        clusters.add(parser)
        parser.add_argument("--json", action="store_true", help="print the summary as JSON")


def land(arguments: argparse.Namespace) -> int:
    """Do ``spread land run``; the exit code."""
    from spread.progress import bars
    from spread.simulations import run_land

    out, given = arguments.out or Path("land-run"), _place(arguments)
    with bars(sys.stderr) as show, clusters.chosen(arguments) as executor:
        summary = run_land(
            out=out, changes=arguments.changes, restart=arguments.restart, executor=executor, progress=show, **given
        )
    return _said(summary, summary["means"], out / "index.html", arguments.json)


def whatif(arguments: argparse.Namespace) -> int:
    """Do ``spread whatif``; the exit code."""
    from spread.progress import bars
    from spread.simulations import run_whatif

    out, given = arguments.out or Path("whatif"), _place(arguments)
    with bars(sys.stderr) as show, clusters.chosen(arguments) as executor:
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


def _place(arguments: argparse.Namespace) -> dict[str, Any]:
    """What the commands that simulate have in common."""
    clusters.check(arguments)
    where = arguments.forcing or ("grid" if arguments.grid else "site")
    lat = 50.0 if arguments.site is None else arguments.site
    spin_up = not arguments.no_spin_up
    return {"where": where, "lat": lat, "draws": arguments.draws, "seed": arguments.seed, "spin_up": spin_up}


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
