"""The founding plot: yearly global means of temperature of every model, by the gallery's recipe and by spread.

``python -m benchmarks.gsat --models 10 --rounds 3`` writes a synthetic archive once, then lets four contestants read it
in turn: the recipe of the Pangeo gallery (written anew: xarray, dask's threads, cosine weights), spread, and two
floors: Zarr reading each chunk into one buffer, and bare Blosc decoding of each file into one buffer.
"""

from __future__ import annotations

import argparse
import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import archive, measuring

CONTESTANTS = ("peer", "spread", "zarr floor", "blosc floor")
LAST = 20
"""Years at the end whose mean is compared."""


def peer(collection: str) -> dict[str, float]:
    """The recipe: weights from cosine of latitude, ``(ds * w).mean``, years by position, all models in one compute."""
    import dask
    import fsspec
    import intake
    import xarray as xr

    found = intake.open_esm_datastore(collection).search(
        require_all_on=["source_id"], experiment_id=list(archive.RUNS), table_id="Amon", variable_id=["tas"],
        member_id="r1i1p1f1",
    )  # fmt: skip

    def opened(zstore: str) -> Any:
        ds = xr.open_zarr(fsspec.get_mapper(zstore), consolidated=True, use_cftime=True)
        return ds.drop_vars([v for v in ds.variables if "bnds" in str(v)])

    tasks = {(r.source_id, r.experiment_id): dask.delayed(opened)(r.zstore) for r in found.df.itertuples()}
    (datasets,) = dask.compute(tasks)
    yearly: dict[str, Any] = {}
    for (source_id, experiment_id), ds in datasets.items():
        weight = np.cos(np.deg2rad(ds.lat))
        weight = weight / weight.mean()
        means = (ds * weight).mean([d for d in ds.dims if d != "time"])
        means = means.assign_coords(year=means.time.dt.year).swap_dims(time="year").drop_vars("time")
        means = means.coarsen(year=12).mean()
        yearly.setdefault(source_id, []).append(means.expand_dims(experiment_id=[experiment_id]))
    joined = {name: xr.concat(runs, "experiment_id", join="outer") for name, runs in yearly.items()}
    (computed,) = dask.compute(joined)
    return {
        name: float(ds.tas.sel(experiment_id="ssp585").dropna("year")[-LAST:].mean()) for name, ds in computed.items()
    }


def ours(collection: str, regions: Any = ("global",), cache: Any = None) -> dict[str, float]:
    """The same question to spread: its members hold every month."""
    from spread import flow

    report = flow.run(study_of(collection, regions), cache=cache)
    tas = report.members["tas"].sel(experiment_id="ssp585", region="global").isel(member_id=0)
    return {str(s): float(tas.sel(source_id=s).dropna("time")[-12 * LAST :].mean()) for s in tas["source_id"].values}


def study_of(collection: str, regions: Any = ("global",)) -> Any:
    """The study that reads the archive once, whatever its size."""
    from spread.study import Study

    description = json.loads(Path(collection).read_text())
    first, last = json.loads((Path(description["catalog_file"]).parent / "span.json").read_text())
    return Study.make(
        catalog=collection, experiments=["ssp245", "ssp585"], regions=list(regions), assessed=False,
        base_period=(first, first + 1), periods=[(last - 1, last)],
    )  # fmt: skip


def zarr_floor(collection: str) -> dict[str, float]:
    """Zarr reads each chunk into one buffer."""
    import zarr

    buffers: dict[int, np.ndarray] = {}
    for store in stores(collection):
        array = zarr.open_array(store / "tas", mode="r")
        steps, *rest = array.chunks
        for start in range(0, array.shape[0], steps):
            stop = min(start + steps, array.shape[0])
            size = (stop - start) * int(np.prod(rest))
            if not buffers or max(buffers) < size:
                buffers = {size: np.empty(size, "f4")}
            out = next(iter(buffers.values()))[:size].reshape(stop - start, *rest)
            array.get_basic_selection(
                slice(start, stop), out=zarr.core.buffer.default_buffer_prototype().nd_buffer.from_numpy_array(out)
            )
    return {}


def blosc_floor(collection: str) -> dict[str, float]:
    """Each file is read and decoded into one buffer."""
    import numcodecs

    codec, buffer = numcodecs.Blosc("lz4"), np.empty(0, np.uint8)
    for store in stores(collection):
        said = json.loads((store / "tas" / ".zarray").read_text())
        size = int(np.prod(said["chunks"])) * 4
        buffer = np.empty(size, np.uint8) if buffer.size < size else buffer
        for path in sorted((store / "tas").glob("*.*.*")):
            codec.decode(path.read_bytes(), buffer[:size])
    return {}


def stores(collection: str) -> list[Path]:
    """Every store of the archive."""
    return sorted(path.parent for path in Path(collection).parent.glob("*/*/.zmetadata"))


def volume(collection: str) -> float:
    """Decoded size of all stores [bytes]."""
    return float(sum(4 * np.prod(json.loads((s / "tas" / ".zarray").read_text())["shape"]) for s in stores(collection)))


def prepared(folder: Path, models: int, share: float, chunk_mb: float) -> Path:
    """The archive, written where it is not there yet."""
    place = folder / f"gsat-{models}-{share:g}-{chunk_mb:g}"
    place.mkdir(parents=True, exist_ok=True)
    collection = archive.write(place, archive.chosen(models), share, chunk_mb * 1e6)
    years = max(2, round(share * 165)) + max(2, round(share * 86))
    (place / "span.json").write_text(json.dumps([1850, 1850 + years - 1]))
    return collection


def options() -> argparse.ArgumentParser:
    """What every benchmark on the archive is told."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, default=Path("/tmp/spread-benchmarks"), help="where archives are kept")
    parser.add_argument("--models", type=int, default=10)
    parser.add_argument("--share", type=float, default=1.0, help="share of the real run lengths")
    parser.add_argument("--chunk-mb", type=float, default=archive.CHUNK / 1e6, help="decoded size of a chunk")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--only", help="run one contestant in this process, print its figures")
    return parser


def main() -> int:
    """Let the contestants read in turn, print their figures and the ratios; 1 where their answers differ."""
    arguments = options().parse_args()
    collection = str(prepared(arguments.folder, arguments.models, arguments.share, arguments.chunk_mb))
    if arguments.only:
        work = {"peer": peer, "spread": ours, "zarr floor": zarr_floor, "blosc floor": blosc_floor}[arguments.only]
        for imported in ("dask", "intake", "xarray", "spread.flow"):
            importlib.import_module(imported)  # so that it is not measured
        print(json.dumps(measuring.measured(lambda: work(collection))))
        return 0
    told = ["--folder", str(arguments.folder), "--models", str(arguments.models), "--share", str(arguments.share),
            "--chunk-mb", str(arguments.chunk_mb)]  # fmt: skip
    found = measuring.contest("benchmarks.gsat", CONTESTANTS, told, arguments.rounds)
    decoded = volume(collection)
    answers, theirs = found["spread"][0]["answer"], found["peer"][0]["answer"]
    apart = max(abs(answers[name] - theirs[name]) for name in theirs)
    ratios = {
        "CPU, spread / Zarr floor": measuring.ratio(found, "spread", "zarr floor", "cpu"),
        "CPU, spread / Blosc floor": measuring.ratio(found, "spread", "blosc floor", "cpu"),
        "CPU, spread / peer": measuring.ratio(found, "spread", "peer", "cpu"),
        "wall, spread / peer": measuring.ratio(found, "spread", "peer", "wall"),
        "peak memory, spread / peer": measuring.ratio(found, "spread", "peer", "peak"),
    }
    print(f"{arguments.models} models, {len(stores(collection))} stores, {decoded / 1e9:.2f} GB decoded, "
          f"{arguments.rounds} rounds (synthetic archive, medians)")  # fmt: skip
    print(measuring.table(found, decoded))
    for name, value in ratios.items():
        print(f"{name:<30} {value:.3f}")
    print(f"largest difference of the answers {apart:.4f} K (the recipe weights months and cells otherwise)")
    measuring.save(arguments.json, {"decoded": decoded, "ratios": ratios, "apart": apart, "figures": found})
    return int(set(answers) != set(theirs) or apart > 0.05)


if __name__ == "__main__":
    raise SystemExit(main())
