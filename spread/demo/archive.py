"""Make the demo archive on disk: every store, a catalog and its intake-esm collection; whole or not at all."""

import contextlib
import csv
import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable
from dataclasses import astuple
from pathlib import Path

from spread.demo.models import Store, stores

__all__ = ["RECIPE", "build", "build_daily", "collection_file"]

# raise it whenever any byte of the archive changes, so that an old archive is never taken for a new one
RECIPE = "1"
MARKER = "recipe.json"
COLUMNS = (
    "activity_id",
    "institution_id",
    "source_id",
    "experiment_id",
    "member_id",
    "table_id",
    "variable_id",
    "grid_label",
    "zstore",
    "dcpp_init_year",
    "version",
)
Progress = Callable[[int, int, str], None]


def collection_file() -> Path:
    """Find the shipped intake-esm collection of the demo: inside the package in a wheel, beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    places = [package / "catalogs" / "demo.json", package.parent / "catalogs" / "demo.json"]
    for place in places:
        if place.is_file():
            return place
    raise FileNotFoundError(
        f"demo archive: the collection demo.json is in none of {[str(p) for p in places]}; reinstall spread"
    )


def _write_catalog(root: Path, final: Path, name: str, chosen: list[Store]) -> None:
    """Write `name`.csv and `name`.json into `root`, with the paths that stores have below `final`."""
    rows = [
        [*store.facets.values(), f"{(final / store.path).as_posix()}/", "", store.model.version] for store in chosen
    ]
    scratch = root / f".{name}.{os.getpid()}.tmp"
    with open(scratch, "w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([COLUMNS, *rows])
    os.replace(scratch, root / f"{name}.csv")
    collection = json.loads(collection_file().read_text()) | {"catalog_file": f"{name}.csv"}
    if name != "demo":
        collection |= {"id": f"spread-{name}", "description": collection["description"] + " Daily rows only."}
    scratch.write_text(json.dumps(collection, indent=2) + "\n")
    os.replace(scratch, root / f"{name}.json")


def _start_worker(root: Path) -> subprocess.Popen:
    """Start a worker process that can import this package and keeps to one thread."""
    package_parent = str(Path(__file__).resolve().parent.parent.parent)
    threads = dict.fromkeys(
        ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
    )
    path = os.pathsep.join(filter(None, [package_parent, os.environ.get("PYTHONPATH")]))
    return subprocess.Popen(
        [sys.executable, "-m", "spread.demo.worker", str(root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | threads | {"PYTHONPATH": path},
    )


def _order(worker: subprocess.Popen, store: Store) -> None:
    """Have a worker make one store; raise OSError if it died over it."""
    order, answer = worker.stdin, worker.stdout
    if order is None or answer is None:
        raise BrokenPipeError("demo worker without pipes")
    order.write(json.dumps(astuple(store)) + "\n")
    order.flush()
    if not answer.readline():
        raise BrokenPipeError("demo worker ended")


def _serve(root: Path, todo: "queue.Queue[Store]", made: "queue.Queue[Store | None]") -> None:
    """Feed one worker from the queue until it is empty or the worker dies; what it did not finish goes back."""
    try:
        worker = _start_worker(root)
    except OSError:
        made.put(None)
        return
    try:
        while True:
            store = todo.get_nowait()
            try:
                _order(worker, store)
            except OSError:
                todo.put(store)
                return
            made.put(store)
    except queue.Empty:
        pass
    finally:
        for pipe in (worker.stdin, worker.stdout):
            with contextlib.suppress(OSError):
                if pipe:
                    pipe.close()
        worker.wait()
        made.put(None)


def _make_all(root: Path, chosen: list[Store], workers: int | None, progress: Progress | None) -> None:
    """Make every store, in worker processes where that pays, and in this process what they left."""
    from spread.demo.worker import make

    count = min(workers if workers is not None else min(os.cpu_count() or 1, 4), max(1, len(chosen) // 8))
    todo: queue.Queue[Store] = queue.Queue()
    made: queue.Queue[Store | None] = queue.Queue()
    for store in chosen:
        todo.put(store)
    threads = [
        threading.Thread(target=_serve, args=(root, todo, made), daemon=True) for _ in range(count if count > 1 else 0)
    ]
    for thread in threads:
        thread.start()
    done, running = 0, len(threads)
    try:
        while running:
            finished = made.get()
            running -= finished is None
            done += finished is not None
            if progress and finished:
                progress(done, len(chosen), finished.words)
    except BaseException:
        # whoever removes the folder must not race with workers that still write into it
        with contextlib.suppress(queue.Empty):
            while True:
                todo.get_nowait()
        raise
    finally:
        for thread in threads:
            thread.join()
    while not todo.empty():
        left = todo.get()
        shutil.rmtree(root / left.path, ignore_errors=True)
        make(root, left)
        done += 1
        if progress:
            progress(done, len(chosen), left.words)


def _recipe(chosen: list[Store]) -> dict:
    """Say what an archive holds, to tell a complete one from another."""
    return {"recipe": RECIPE, "stores": [store.path for store in chosen]}


def _is_made(root: Path, wanted: dict | None) -> bool:
    """Whether `root` holds a complete archive; raise if it holds anything else than the one wanted."""
    if (root / MARKER).is_file():
        found = json.loads((root / MARKER).read_text())
        if wanted is None or found == wanted:
            return True
        raise FileExistsError(
            f"demo archive: {root} holds another archive (recipe {found['recipe']}, {len(found['stores'])} stores),"
            f" wanted recipe {wanted['recipe']} with {len(wanted['stores'])} stores; choose another folder or remove it"
        )
    if root.exists() and any(root.iterdir()):
        raise FileExistsError(f"demo archive: {root} is not empty and not a demo archive; choose another folder")
    return False


def build(
    root: Path,
    progress: Progress | None = None,
    workers: int | None = None,
    models: Iterable[str] | None = None,
    experiments: Iterable[str] | None = None,
    variables: Iterable[str] | None = None,
) -> Path:
    """Make the archive, or the part of it that the filters keep, unless it is there.

    Parameters
    ----------
    root : Path
        Where it shall be.
    progress : callable, optional
        Called with stores done, stores in all, and a few words.
    workers : int, optional
        Processes; 1 stays in this one. The bytes do not depend on it.
    models, experiments, variables : iterable of str, optional

    Returns
    -------
    Path
        The intake-esm collection file.

    Raises
    ------
    FileExistsError
        If `root` holds something else.
    """
    root = Path(root).expanduser().resolve()
    chosen = stores(models, experiments, variables)
    recipe = _recipe(chosen)
    if _is_made(root, recipe):
        return root / "demo.json"
    root.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{root.name}-", dir=root.parent))
    try:
        _make_all(scratch, chosen, workers, progress)
        _write_catalog(scratch, root, "demo", chosen)
        (scratch / MARKER).write_text(json.dumps(recipe, indent=1) + "\n")
        scratch.chmod(0o755)
        try:
            if root.exists():
                root.rmdir()
            os.replace(scratch, root)
        except OSError:
            # another maker was first: its archive is the same, byte for byte
            if not _is_made(root, recipe):
                raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return root / "demo.json"


def build_daily(
    root: Path,
    progress: Progress | None = None,
    workers: int | None = None,
    models: Iterable[str] | None = None,
    experiments: Iterable[str] | None = None,
) -> Path:
    """Add the daily stores and their own collection to an archive, making the archive first if there is none.

    Returns
    -------
    Path
        The intake-esm collection of the daily stores.
    """
    from spread.demo.daily import daily_stores

    root = Path(root).expanduser().resolve()
    chosen = daily_stores(models, experiments)
    if not _is_made(root, None):
        build(root, progress, workers)
    marker = root / f"daily-{MARKER}"
    if marker.is_file():
        there = set(json.loads(marker.read_text())["stores"])
        if there >= {store.path for store in chosen}:
            return root / "demo-daily.json"
        chosen = [store for store in daily_stores() if store in chosen or store.path in there]
    scratch = Path(tempfile.mkdtemp(prefix=".daily-", dir=root))
    try:
        _make_all(scratch, [store for store in chosen if not (root / store.path).exists()], workers, progress)
        for store in chosen:
            place = root / store.path
            place.parent.mkdir(parents=True, exist_ok=True)
            if not place.exists():
                try:
                    os.replace(scratch / store.path, place)
                except OSError:
                    # another maker put the same bytes there meanwhile
                    if not place.exists():
                        raise
        _write_catalog(root, root, "demo-daily", chosen)
        (scratch / MARKER).write_text(json.dumps(_recipe(chosen), indent=1) + "\n")
        os.replace(scratch / MARKER, marker)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return root / "demo-daily.json"
