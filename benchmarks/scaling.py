"""How cost grows with the number of models and shrinks with cores, and what a large catalog costs.

``python -m benchmarks.scaling`` runs the study of ``benchmarks.gsat`` on 4 to 64 models and on one and two cores, and
searches a catalog of 500,000 rows; with ``--maps`` the study makes maps too. It prints peak memory by number of models,
wall time by cores, and draws the curves.
"""

from __future__ import annotations

import csv
import importlib
import json
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import archive, gsat, measuring

MODELS = (4, 8, 16, 32, 64)
ROWS = 500_000


def run(collection: str, maps: bool) -> dict[str, float]:
    """The study of the founding plot, with maps if they are asked for."""
    from spread import flow

    study = gsat.study_of(collection)
    if maps:
        study = type(study).make(**study.model_dump() | {"maps": {"grid": "2.5"}})
    return {r["experiment_id"]: r["mean"] for r in flow.run(study).summary()}


def search(folder: Path) -> dict[str, float]:
    """Read a catalog of 500,000 rows and search it."""
    from spread import catalog

    started = time.perf_counter()
    collection = catalog.read(str(large_catalog(folder)))
    read = time.perf_counter() - started
    started = time.perf_counter()
    found = catalog.search(collection, variable_id="tas", table_id="Amon", experiment_id="ssp585")
    return {"read": read, "search": time.perf_counter() - started, "found": len(found)}


def large_catalog(folder: Path) -> Path:
    """A catalog of invented rows, written where it is not there yet."""
    place = folder / "catalog-500000"
    description = place / "collection.json"
    if not description.exists():
        place.mkdir(parents=True, exist_ok=True)
        models, variables = (
            list(archive.GRIDS),
            ["tas", "pr", "gpp", "nbp", "rsut", "rlut", "huss", "psl", "uas", "hfls"],
        )
        runs = ["historical", "ssp126", "ssp245", "ssp370", "ssp585", "piControl", "1pctCO2", "abrupt-4xCO2"]
        with (place / "catalog.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(archive.COLUMNS)
            for k in range(ROWS):
                model, run_id, variable = models[k % 29], runs[k // 29 % 8], variables[k // 232 % 10]
                writer.writerow(["CMIP", "SYNTHETIC", model, run_id, f"r{k // 2320 + 1}i1p1f1", "Amon", variable, "gn",
                                 f"gs://bench/{k}/", "", "20200101"])  # fmt: skip
        description.write_text(json.dumps({
            "esmcat_version": "0.1.0", "id": "large", "description": "invented",
            "catalog_file": str(place / "catalog.csv"),
            "attributes": [{"column_name": name} for name in archive.COLUMNS if name not in ("zstore", "version")],
            "assets": {"column_name": "zstore", "format": "zarr"},
        }))  # fmt: skip
    return description


def draw(path: Path, found: Mapping[str, Sequence[measuring.Figures]], models: Sequence[int]) -> None:
    """Cost by number of models: processor seconds and peak memory."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for axes, what, scale, label in (
        (left, "cpu", 1.0, "processor time [s]"),
        (right, "peak", 1e6, "peak memory [MB]"),
    ):
        costs = [measuring.median(found[f"models {n}"], what) / scale for n in models]
        axes.plot(models, costs, "o-", color="#0b5fa5")
        axes.set(xlabel="models", ylabel=label, ylim=(0, 1.1 * max(costs)), xlim=(0, 1.05 * max(models)))
        axes.grid(alpha=0.3)
    figure.suptitle("One study on more and more models (synthetic archive)")
    figure.savefig(path, dpi=120)


def main() -> int:
    """Print the curves as a table; write figure and JSON where they are asked for."""
    parser = gsat.options()
    parser.set_defaults(share=0.1, chunk_mb=16.0, rounds=1)
    parser.add_argument("--counts", type=int, nargs="+", default=list(MODELS), help="numbers of models")
    parser.add_argument("--maps", action="store_true", help="make maps at 2.5 degrees too")
    parser.add_argument("--figure", type=Path, help="where to draw the curves")
    told = parser.parse_args()
    shared = ["--folder", str(told.folder), "--share", str(told.share), "--chunk-mb", str(told.chunk_mb)]
    shared += ["--maps"] * told.maps
    if told.only:
        what, _, count = told.only.partition(" ")
        if what == "cores":  # before spread looks how many there are
            os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[: int(count)]))
        importlib.import_module("spread.flow")
        importlib.import_module("numba")
        models = int(count) if what == "models" else max(told.counts[:2])
        collection = str(gsat.prepared(told.folder, models, told.share, told.chunk_mb))

        def work() -> Any:
            return search(told.folder) if what == "rows" else run(collection, told.maps)

        print(json.dumps(measuring.measured(work)))
        return 0
    for count in told.counts:
        gsat.prepared(told.folder, count, told.share, told.chunk_mb)
    large_catalog(told.folder)
    names = [f"models {n}" for n in told.counts]
    counts = ["--counts", *map(str, told.counts)]
    found = measuring.contest("benchmarks.scaling", names, [*shared, *counts], told.rounds)
    print(f"{'models':>7} {'CPU s':>8} {'CPU s/model':>12} {'wall s':>8} {'peak MB':>8}")
    for n, name in zip(told.counts, names, strict=True):
        cpu, wall, peak = (measuring.median(found[name], what) for what in ("cpu", "wall", "peak"))
        print(f"{n:7d} {cpu:8.2f} {cpu / n:12.3f} {wall:8.2f} {peak / 1e6:8.0f}")
    cores = [f"cores {n}" for n in range(1, len(os.sched_getaffinity(0)) + 1)]
    by_cores = measuring.contest("benchmarks.scaling", cores, [*shared, *counts], max(told.rounds, 3))
    for name in cores[1:]:
        gain = 1.0 / measuring.ratio(by_cores, name, cores[0], "wall")
        print(f"{name}: {gain:.2f} times as fast as one ({max(told.counts[:2])} models, median of rounds)")
    (rows,) = measuring.contest("benchmarks.scaling", ["rows"], shared, 1)["rows"]
    print("catalog of {:,} rows: read {read:.2f} s, search {search:.2f} s".format(ROWS, **rows["answer"]))
    if told.figure:
        draw(told.figure, found, told.counts)
    measuring.save(told.json, {"figures": found | by_cores, "rows": rows})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
