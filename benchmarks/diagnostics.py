"""What 5 and 20 diagnostics cost more than one, and maps more than none, in one study.

``python -m benchmarks.diagnostics`` reads the synthetic archive of ``benchmarks.gsat`` in turn with 1, 5 and 20 area
means: the globe, its land and ocean, hemispheres, zones and twelve boxes; then with yearly maps at 2.5 degrees of one
and of five seasons besides. A warm repeat of each is timed in the same process.
"""

from __future__ import annotations

import importlib
import json
import tempfile
import time
from typing import Any

from benchmarks import gsat, measuring

NAMED = ("global", "land", "ocean", "arctic", "tropics", "northern_hemisphere", "southern_hemisphere")
BOXES = [
    {"name": f"box {k}", "lat": [-60.0 + 10.0 * k, -40.0 + 10.0 * k], "lon": [30.0 * k - 180.0, 30.0 * k - 140.0]}
    for k in range(12)
]
COUNTS = ("1", "5", "20")
MAPS = {"1 and maps": ["annual"], "1 and maps of five seasons": ["annual", "DJF", "MAM", "JJA", "SON"]}


def regions(count: int) -> list[Any]:
    """So many regions, the largest first."""
    from spread.study import REGIONS

    named = [name for name in NAMED if name in REGIONS]
    return [*named, *BOXES, *({"name": f"zone {k}", "lat": [10.0 * k - 80.0, 10.0 * k - 60.0]} for k in range(8))][
        :count
    ]


def study_of(collection: str, asked: str) -> Any:
    """The study of the founding plot with so many regions, and maps where they are asked for."""
    study = gsat.study_of(collection, regions(int(asked.partition(" ")[0])))
    if asked not in MAPS:
        return study
    return type(study).make(**study.model_dump() | {"seasons": MAPS[asked], "maps": {"grid": "2.5"}})


def work(collection: str, asked: str) -> dict[str, float]:
    """Run the study twice: cold, then warm."""
    from spread import flow
    from spread.cache import FolderCache

    study = study_of(collection, asked)
    with tempfile.TemporaryDirectory() as folder:
        cache = FolderCache(folder)
        cold = flow.run(study, cache=cache)
        started = time.perf_counter()
        again = flow.run(study, cache=cache)
        warm = time.perf_counter() - started
        assert again.across.identical(cold.across)
    return {"warm": warm}


def cold_only(collection: str, asked: str) -> dict[str, float]:
    """Run the study once, without a cache."""
    from spread import flow

    flow.run(study_of(collection, asked))
    return {}


def main() -> int:
    """Print processor seconds by number of diagnostics, and their ratios to one."""
    parser = gsat.options()
    parser.set_defaults(models=4)
    told = parser.parse_args()
    collection = str(gsat.prepared(told.folder, told.models, told.share, told.chunk_mb))
    if told.only:
        importlib.import_module("spread.flow")
        importlib.import_module("numba")
        what, _, asked = told.only.partition(" ")
        run = {"cold": cold_only, "warm": work}[what]
        print(json.dumps(measuring.measured(lambda: run(collection, asked))))
        return 0
    shared = ["--folder", str(told.folder), "--models", str(told.models), "--share", str(told.share),
              "--chunk-mb", str(told.chunk_mb)]  # fmt: skip
    names = [f"cold {asked}" for asked in (*COUNTS, *MAPS)]
    found = measuring.contest("benchmarks.diagnostics", names, shared, told.rounds)
    warm = measuring.contest("benchmarks.diagnostics", [f"warm {asked}" for asked in (*COUNTS, *MAPS)], shared, 1)
    print(measuring.table(found, gsat.volume(collection)))
    ratios = {f"CPU, {c} / 1": measuring.ratio(found, f"cold {c}", "cold 1", "cpu") for c in (*COUNTS[1:], *MAPS)}
    for name, value in ratios.items():
        print(f"{name:<34} {value:.3f}")
    for name, (figures,) in warm.items():
        print(f"{name}: a repeat in the same process takes {figures['answer']['warm']:.2f} s")
    measuring.save(told.json, {"ratios": ratios, "figures": found, "warm": warm})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
