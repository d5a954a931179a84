"""How near spread comes to the bandwidth of a store that answers late.

``python -m benchmarks.latency`` serves the synthetic archive of ``benchmarks.gsat`` through a loopback object store
with a latency a request and a bandwidth cap, and compares the wall time of a whole study, from catalog to numbers, with
the bound: bytes served divided by bandwidth. ``--peer`` lets the recipe of the Pangeo gallery read in turn.
"""

from __future__ import annotations

import argparse
import csv
import importlib
import json
import os
import statistics
from pathlib import Path
from typing import Any

from benchmarks import bucket, gsat, measuring


def catalog_of(collection: Path) -> Path:
    """The same collection with stores in the bucket."""
    table = list(csv.reader((collection.parent / "catalog.csv").open()))
    at = table[0].index("zstore")
    rows = [[v if k != at else f"gs://bench/{Path(v).relative_to(collection.parent)}/" for k, v in enumerate(row)]
            for row in table[1:]]  # fmt: skip
    place = collection.parent.parent / f"{collection.parent.name}-bucket"
    place.mkdir(exist_ok=True)
    with (place / "catalog.csv").open("w", newline="") as file:
        csv.writer(file).writerows([table[0], *rows])
    description = json.loads(collection.read_text()) | {"catalog_file": str(place / "catalog.csv")}
    (place / "collection.json").write_text(json.dumps(description))
    (place / "span.json").write_text((collection.parent / "span.json").read_text())
    return place / "collection.json"


def ours(collection: str, url: str) -> dict[str, float]:
    """The study of ``benchmarks.gsat`` through the object store."""
    from spread import flow

    options = {"gs": {"token": "anon", "project": "test", "endpoint_url": url}}
    study = gsat.study_of(collection).model_copy(update={"storage_options": options})
    report = flow.run(study)
    return {record["experiment_id"]: record["mean"] for record in report.summary()}


def peer(collection: str, url: str) -> dict[str, float]:
    """The recipe through the object store."""
    import fsspec

    options = {"token": "anon", "project": "test", "endpoint_url": url}
    fsspec.config.conf["gs"] = fsspec.config.conf["gcs"] = options
    return gsat.peer(collection)


def main() -> int:
    """Print wall time over bound at each latency; the JSON holds every round."""
    parser = gsat.options()
    parser.set_defaults(models=4, share=0.5, rounds=3)
    parser.add_argument("--latencies", type=float, nargs="+", default=[10.0, 50.0, 200.0], help="[ms]")
    parser.add_argument("--bandwidth", type=float, default=60.0, help="[MB s-1]")
    parser.add_argument("--peer", action="store_true", help="also the recipe of the Pangeo gallery")
    parser.add_argument("--url", help=argparse.SUPPRESS)
    told = parser.parse_args()
    collection = gsat.prepared(told.folder, told.models, told.share, told.chunk_mb)
    there = catalog_of(collection)
    if told.only:
        # gcsfs asks for the layout of a bucket, which no emulator answers, unless this is set when it is imported
        os.environ["GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT"] = "false"
        for imported in ("dask", "intake", "xarray", "gcsfs", "spread.flow"):
            importlib.import_module(imported)
        work = {"spread": ours, "peer": peer}[told.only]
        print(json.dumps(measuring.measured(lambda: work(str(there), told.url))))
        return 0
    found: dict[str, Any] = {}
    names = ["spread", "peer"] if told.peer else ["spread"]
    shared = ["--folder", str(told.folder), "--models", str(told.models), "--share", str(told.share),
              "--chunk-mb", str(told.chunk_mb)]  # fmt: skip
    print(f"{told.models} models, {gsat.volume(str(collection)) / 1e9:.2f} GB decoded, {told.bandwidth:g} MB/s")
    print(f"{'':<8} {'latency ms':>10} {'wall s':>8} {'bound s':>8} {'wall/bound':>10} {'requests':>9} {'peak MB':>8}")
    for latency in told.latencies:
        with bucket.served(collection.parent, latency / 1e3, told.bandwidth * 1e6) as url:
            rounds: dict[str, list[measuring.Figures]] = {name: [] for name in names}
            for _ in range(told.rounds):
                for name in names:
                    before = bucket.counts(url)
                    (figures,) = measuring.contest(
                        "benchmarks.latency", [name], [*shared, "--url", url], 1
                    )[name]  # fmt: skip
                    after = bucket.counts(url)
                    moved = {key: after[key] - before[key] for key in after}
                    bound = moved["sent"] / (told.bandwidth * 1e6)
                    rounds[name].append({**figures, **moved, "bound": bound, "over": figures["wall"] / bound})
        found[f"{latency:g} ms"] = rounds
        for name, figures_of in rounds.items():
            wall, bound, over, peak = (measuring.median(figures_of, key) for key in ("wall", "bound", "over", "peak"))
            requests = statistics.median(f["requests"] for f in figures_of)
            print(f"{name:<8} {latency:10g} {wall:8.2f} {bound:8.2f} {over:10.3f} {requests:9.0f} {peak / 1e6:8.0f}")
    measuring.save(told.json, found)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
