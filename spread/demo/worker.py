"""A worker process of the demo archive: reads one store a line from standard input, writes it, answers one line.

Run as `python -m spread.demo.worker ROOT`. A plain subprocess, not multiprocessing, so that a caller's `__main__` is
never imported again: the archive can be made from a script without a guard, a notebook or a console entry point.
"""

import json
import sys
from pathlib import Path

from spread.demo.models import Store

__all__ = ["make_store"]


def make_store(root: Path, store: Store) -> None:
    """Compute one store and write it below `root`, with its faults."""
    from spread.demo.faults import faults_of, lose_chunk, planted, years_of_fault
    from spread.demo.store import dataset, write_store

    kinds = [fault.kind for fault in faults_of(store)]
    ds = planted(dataset(store, years=years_of_fault(kinds)), kinds, store.variable_id)
    path = root / store.path
    write_store(ds, path, store.variable_id, store.model.zarr_format)
    if "lost_chunk" in kinds:
        lose_chunk(path, store.variable_id)


def make_daily_store(root: Path, store: Store) -> None:
    """Compute one store of daily temperature and write it below `root`."""
    from spread.demo.daily import daily_dataset
    from spread.demo.store import write_store

    write_store(daily_dataset(store), root / store.path, store.variable_id, store.model.zarr_format, steps=1825)


def make(root: Path, store: Store) -> None:
    """Make a store of any table."""
    (make_daily_store if store.table_id == "day" else make_store)(root, store)


def main() -> None:
    """Serve until standard input ends."""
    root = Path(sys.argv[1])
    for line in sys.stdin:
        make(root, Store(*json.loads(line)))
        print("done", flush=True)


if __name__ == "__main__":
    main()
