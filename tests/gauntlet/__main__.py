"""Run the gauntlet and print its score: ``python -m tests.gauntlet``, or ``python tests/gauntlet``."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.gauntlet", description="Inject every known fault and score spread.")
    parser.add_argument("cases", nargs="*", help="names of cases (default: all)")
    parser.add_argument("--peers", action="store_true", help="also score the peers, and write docs/gauntlet.md")
    parser.add_argument("--kills", type=int, metavar="N", help="only kill a run N times and resume it")
    parser.add_argument("--flips", type=int, metavar="N", help="only flip N random bits at rest and count what is seen")
    parser.add_argument("--clean", action="store_true", help="also count false rejections in clean archives")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def main() -> int:
    """Run what is asked for; 0 where nothing was silently wrong."""
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    arguments = _arguments()
    from gauntlet import clean, flips, kills, report, score

    if arguments.kills is not None:
        outcome = kills.run(arguments.kills, arguments.seed, lambda kill: print(kill, flush=True))
        print(outcome)
        return int(bool(outcome.faults))
    if arguments.flips is not None:
        print(flips.run(arguments.flips, arguments.seed))
        return 0
    results = score.run_all(arguments.cases, lambda result: print(report.line(result), flush=True))
    print(f"\n{score.table(results)}\n")
    if arguments.peers:
        print(report.write_peers(results, arguments.cases), "\n")
    rejected = clean.false_rejections() if arguments.clean else clean.of_ensemble()
    for archive, (datasets, reasons) in rejected.items():
        print(f"false rejections in {archive}: {len(reasons)} of {datasets} datasets", *reasons, sep="\n  ")
    print(score.last_line(results))
    return int(any(r.verdict.outcome in score.SILENT for r in results))


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # gcsfs closes its sessions on the wrong loop at exit, and says so at length
