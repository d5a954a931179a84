"""What a second worker gains, beside what the machine itself gains from a second process.

``python -m benchmarks.workers`` runs the study of ``benchmarks.gsat`` on one and on two worker processes of one thread
(a local cluster, started and warmed up before the clock runs), and beside it, in the same rounds, the bare Blosc
decoding of the same chunks and arithmetic that stays in a core's cache, each in one and in two processes. Where
decoding gains little the memory of the machine is what is shared, and no program that decodes can gain more.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import gsat, measuring

KINDS = ("spread", "decode", "arithmetic")


def spread_wall(collection: str, workers: int) -> float:
    """Wall time of the study on so many workers [s]."""
    study = gsat.study_of(collection)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "workers.toml"  # a worker of one thread holds one core
        place.write_text(f'kind = "local"\nworkers = {workers}\n[options]\nthreads_per_worker = 1\n')
        return timed(study, str(place))


def timed(study: Any, place: str) -> float:
    """Wall time of a study on a cluster that is warm [s]."""
    from spread import flow
    from spread.cluster import connected

    with connected(place) as executor:
        flow.run(study, executor)
        started = time.perf_counter()
        flow.run(study, executor)
        return time.perf_counter() - started


def decode(store: str) -> None:
    """Read and decode each chunk of a store into one buffer, as ``benchmarks.gsat`` does for its floor."""
    import numcodecs

    codec, said = numcodecs.Blosc("lz4"), json.loads((Path(store) / "tas" / ".zarray").read_text())
    buffer = np.empty(int(np.prod(said["chunks"])) * 4, np.uint8)
    for path in sorted((Path(store) / "tas").glob("*.*.*")):
        codec.decode(path.read_bytes(), buffer)


def arithmetic(_: str) -> None:
    """Sums of squares of 128 kB, again and again."""
    values = np.random.default_rng(0).random(1 << 14)
    for _ in range(20_000):
        np.einsum("c,c->", values, values)


def processes_wall(work: Any, stores: list[str], processes: int) -> float:
    """Wall time of a piece of work a store, in so many processes that are there already [s]."""
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        list(pool.map(work, stores[: 2 * processes]))
        started = time.perf_counter()
        list(pool.map(work, stores))
        return time.perf_counter() - started


def main() -> int:
    """Print the gain of a second worker, and that of a second process of two other kinds."""
    parser = gsat.options()
    told = parser.parse_args()
    collection = str(gsat.prepared(told.folder, told.models, told.share, told.chunk_mb))
    stores = [str(store) for store in gsat.stores(collection)]
    if told.only:
        kind, _, count = told.only.partition(" ")
        wall = (
            spread_wall(collection, int(count))
            if kind == "spread"
            else processes_wall({"decode": decode, "arithmetic": arithmetic}[kind], stores, int(count))
        )
        print(json.dumps({"wall": wall}))
        return 0
    shared = ["--folder", str(told.folder), "--models", str(told.models), "--share", str(told.share),
              "--chunk-mb", str(told.chunk_mb)]  # fmt: skip
    names = [f"{kind} {count}" for kind in KINDS for count in (1, 2)]
    found = measuring.contest("benchmarks.workers", names, shared, told.rounds)
    gains = {kind: 1.0 / measuring.ratio(found, f"{kind} 2", f"{kind} 1", "wall") for kind in KINDS}
    print(f"{os.cpu_count()} cores, {len(stores)} stores of {gsat.volume(collection) / 1e9:.1f} GB decoded")
    for kind, gain in gains.items():
        walls = [measuring.median(found[f"{kind} {count}"], "wall") for count in (1, 2)]
        print(f"{kind:<11} one {walls[0]:6.2f} s, two {walls[1]:6.2f} s: {gain:.2f} times as fast")
    print(f"spread's gain is {gains['spread'] / gains['decode']:.2f} of that of bare decoding")
    measuring.save(told.json, {"gains": gains, "figures": found})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
