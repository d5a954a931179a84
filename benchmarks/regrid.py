"""Regridding 50 years of monthly maps: weights applied by spread, scipy, xESMF, xarray-regrid and cdo, and a bare copy.

``python -m benchmarks.regrid`` makes a synthetic field, 600 x 192 x 288 float32, and brings it to 2.5 and to 1 degree,
complete and with a third of the globe missing. Contestants run in turn, each in a process of its own; imports, weights
and one call before are not measured, but for cdo, which reads and writes files. With ``--weights`` the making of
weights is timed too. Those that are not installed are left out, with the reason.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import measuring

ROWS, COLUMNS = 192, 288  # CESM2's atmosphere, f09
TARGETS = ("2.5", "1")
NA_THRES = 0.5
REPEATS = 5  # calls in a process, of which the median counts
OURS = ("spread", "spread 1 thread", "spread csr", "spread dask")
PEERS = ("scipy", "xesmf", "xarray-regrid", "cdo")
CONTESTANTS = ("memcpy", *OURS, *PEERS)
MAKERS = ("exact", "spherical", "xesmf", "cdo")
"""Engines of weights; the tripolar ocean is for all but the first."""


def field(steps: int, masked: bool) -> Any:
    """A synthetic field: a zonal profile and noise; where masked, continents and crumbs of them are missing."""
    import xarray as xr

    rng = np.random.default_rng(0)
    lat, lon = np.linspace(-90.0, 90.0, ROWS), np.arange(COLUMNS) * (360.0 / COLUMNS)
    values = rng.standard_normal((steps, ROWS, COLUMNS), dtype=np.float32)
    values += (240.0 + 60.0 * np.cos(np.deg2rad(lat)))[:, None].astype(np.float32)
    if masked:
        y, x = np.mgrid[:ROWS, :COLUMNS]
        land = np.sin(x / 20.0) * np.cos(y / 15.0) + 0.3 * rng.standard_normal((ROWS, COLUMNS)) > 0.35
        values[:, land] = np.nan
    attrs = (
        {"units": "degrees_north", "standard_name": "latitude"},
        {"units": "degrees_east", "standard_name": "longitude"},
    )
    coords = {"time": np.arange(float(steps)), "lat": ("lat", lat, attrs[0]), "lon": ("lon", lon, attrs[1])}
    return xr.DataArray(values, coords, ("time", "lat", "lon"), "tas", {"units": "K"})


def missing(name: str) -> str:
    """Why a contestant cannot run here; empty where it can."""
    if name == "xesmf":
        if importlib.util.find_spec("xesmf") is None:
            return "xesmf is not installed"
        return "" if importlib.util.find_spec("esmpy") else "xesmf needs esmpy (ESMF), which is not installed"
    if name == "xarray-regrid":
        return "" if importlib.util.find_spec("xarray_regrid") else "xarray-regrid is not installed"
    if name == "cdo":
        if shutil.which("cdo") is None:
            return "cdo is not installed"
        return (
            "" if importlib.util.find_spec("netCDF4") else "netCDF4, which writes the files for cdo, is not installed"
        )
    return ""


def weights_to(target: str) -> Any:
    """Weights from the field's grid."""
    from spread.grids import make_grid, regular
    from spread.regrid import make_weights

    one = field(1, False)
    return make_weights(make_grid(one["lat"], one["lon"]), regular(target))


def ours(name: str, data: Any, target: str) -> Callable[[], Any]:
    """The call of one of our contestants."""
    from spread.operators import remap
    from spread.regrid import apply

    weights = weights_to(target)
    if name == "spread":
        return lambda: apply.regrid(data, weights, na_thres=NA_THRES).values
    if name == "spread dask":
        chunked = data.chunk(time=100)
        return lambda: apply.regrid(chunked, weights, na_thres=NA_THRES).values
    parted = apply._operator(weights.matrix, weights.source, weights.target)
    matrix = weights.matrix if name == "spread csr" else parted
    return lambda: remap(data.values, matrix, space=2, na_thres=NA_THRES).reshape(-1, *weights.target.shape)


def scipy_(data: Any, target: str) -> Callable[[], Any]:
    """A sparse product in float32; where cells are missing one of filled values and one of the mask."""
    from scipy.sparse import csr_array

    weights = weights_to(target)
    matrix = weights.matrix
    by_target = csr_array((matrix.data.astype(np.float32), matrix.indices, matrix.indptr), shape=matrix.shape)
    cells, shape = data.values.reshape(len(data), -1), weights.target.shape
    if not np.isnan(cells).any():
        return lambda: (by_target @ cells.T).T.reshape(-1, *shape)

    def work() -> Any:
        there = ~np.isnan(cells)
        sums = (by_target @ np.where(there, cells, np.float32(0.0)).T).T
        share = (by_target @ there.T.astype(np.float32)).T
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(share >= np.float32(1.0 - NA_THRES - 1e-6), sums / share, np.nan).reshape(-1, *shape)

    return work


def xarray_regrid_(data: Any, target: str) -> Callable[[], Any]:
    """xarray-regrid's conservative method, in memory."""
    import xarray as xr
    from xarray_regrid.methods import conservative

    conservative.sparse = None  # with that package its weights make dense fields sparse: ten times slower
    grid = weights_to(target).target
    to = xr.Dataset(coords={"lat": grid.lat, "lon": grid.lon})
    masked = bool(data.isnull().any())
    how = {"skipna": masked, "nan_threshold": NA_THRES}
    return lambda: data.regrid.conservative(to, latitude_coord="lat", **how).values


def xesmf_(data: Any, target: str) -> Callable[[], Any]:
    """The conservative method of xESMF, in memory."""
    import netCDF4  # noqa: F401  # before ESMF, whose libraries it does not go with
    import xarray as xr
    import xesmf

    grid = weights_to(target).target
    to = xr.Dataset(coords={"lat": grid.lat, "lon": grid.lon})
    regridder = xesmf.Regridder(data.to_dataset(), to, "conservative", periodic=True)
    masked = bool(data.isnull().any())
    return lambda: regridder(data, skipna=masked, na_thres=NA_THRES).values


def cdo_(data: Any, target: str, folder: Path) -> Callable[[], Any]:
    """``cdo remap`` with weights made before: a process that reads one file and writes another."""
    import xarray as xr

    size = float(target)
    grid = f"r{round(360 / size)}x{round(180 / size)}"
    source, weights, out = (folder / name for name in ("source.nc", "weights.nc", "out.nc"))
    data.assign_coords(time=("time", data["time"].values, {"units": "days since 2000-01-01"})).to_netcdf(source)
    cdo = ["cdo", "-s", "-P", "2"]
    subprocess.run([*cdo, f"gencon,{grid}", "-seltimestep,1", source, weights], check=True, capture_output=True)
    run = [*cdo, f"remap,{grid},{weights}", source, out]

    def work() -> Any:
        subprocess.run(run, check=True, capture_output=True)
        return out

    def opened() -> Any:
        with xr.open_dataset(work()) as ds:
            return ds["tas"].values

    work.answer = opened  # type: ignore[attr-defined]
    return work


def call(name: str, data: Any, target: str, folder: Path) -> Callable[[], Any]:
    """What a contestant does."""
    if name == "memcpy":
        source, to = data.values, np.empty_like(data.values)
        return lambda: np.copyto(to, source)
    if name in OURS:
        return ours(name, data, target)
    if name == "cdo":
        return cdo_(data, target, folder)
    return {"scipy": scipy_, "xesmf": xesmf_, "xarray-regrid": xarray_regrid_}[name](data, target)


def applied(name: str, case: str, steps: int, folder: Path) -> measuring.Figures:
    """Time one contestant in this process: median of some calls, memory above what was there before, the answer."""
    target, masked = case.split()[0], case.endswith("masked")
    data = field(steps, masked)
    place = folder / f"regrid-{name.replace(' ', '-')}"
    place.mkdir(parents=True, exist_ok=True)
    work = call(name, data, target, place)
    work()  # compiles, reads files into the system's cache
    before, peak = measuring.measured(lambda: 0)["peak"], 0
    walls, cpus = [], []
    for _ in range(REPEATS):
        found = measuring.measured(lambda: (work(), 0)[1])
        walls.append(found["wall"])
        cpus.append(found["cpu"])
        peak = max(peak, found["peak"])
    result = getattr(work, "answer", work)()
    answer = [] if result is None else [float(np.nanmean(result)), float(np.isnan(result).mean())]
    shutil.rmtree(place)
    return {
        "wall": statistics.median(walls), "cpu": statistics.median(cpus), "peak": max(0, peak - before),
        "input": data.nbytes, "output": 0 if result is None else 4 * result.size, "answer": answer,
    }  # fmt: skip


def made(name: str, case: str, folder: Path) -> measuring.Figures:
    """Time the making of weights in this process, the second time of two: nothing is compiled any more."""
    from spread.grids import make_grid, regular
    from spread.regrid import forget, make_weights

    if case == "tripolar 1":
        from tests.tripolar import tripolar

        source, target = make_grid(*tripolar(300, 360, 60, south=-80.0)), regular("1")
    else:
        one = field(1, False)
        source, target = make_grid(one["lat"], one["lon"]), regular(case.split()[-1])
    make_weights(source, target, engine=name)
    forget()
    started = time.perf_counter()
    found = make_weights(source, target, engine=name)
    return {"wall": time.perf_counter() - started, "weights": int(found.matrix.indices.size)}


def told() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, default=Path("/tmp/spread-benchmarks"), help="where cdo's files are")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--without", nargs="*", default=[], choices=PEERS[1:], help="peers to leave out")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--targets", nargs="+", default=list(TARGETS), help="degrees")
    parser.add_argument("--weights", action="store_true", help="time the making of weights too")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--case", help="of --only")
    parser.add_argument("--only", help="run one contestant in this process, print its figures")
    return parser.parse_args()


def report(case: str, found: dict[str, list[measuring.Figures]]) -> dict[str, float]:
    """Print a case, and return its ratios: above 1 where we take less."""
    copied = measuring.median(found["memcpy"], "wall") / (2 * found["memcpy"][0]["input"])  # s a byte moved
    print(f"\n{case:<18} {'wall ms':>8} {'CPU ms':>8} {'of memcpy':>9} {'memory/input':>12} {'scipy/this':>10}")
    ratios = {}
    for name, figures in found.items():
        moved = figures[0]["input"] + (figures[0]["output"] or figures[0]["input"])
        wall, peak = measuring.median(figures, "wall"), measuring.median(figures, "peak")
        ratios[name] = measuring.ratio(found, "scipy", name, "wall")
        print(f"{name:<18} {1e3 * wall:8.1f} {1e3 * measuring.median(figures, 'cpu'):8.1f} "
              f"{copied * moved / wall:9.1%} {peak / figures[0]['input']:12.2f} {ratios[name]:10.2f}")  # fmt: skip
    return ratios


def main() -> int:
    """Let the contestants regrid in turn, print figures and ratios; 1 where our answers differ from scipy's."""
    arguments = told()
    if arguments.only:
        work = made if arguments.case in making_cases(arguments.targets) else applied
        more = () if work is made else (arguments.steps,)
        print(json.dumps(work(arguments.only, arguments.case, *more, arguments.folder)))
        return 0
    reasons = {name: why for name in (*CONTESTANTS, *MAKERS) if (why := missing(name))}
    reasons |= {name: "not asked for" for name in arguments.without}
    for name, why in reasons.items():
        print(f"{name} is left out: {why}")
    print(f"{arguments.steps} x {ROWS} x {COLUMNS} float32, synthetic, {arguments.rounds} rounds of {REPEATS} calls, "
          f"medians; memory is what a call takes beside its input, with the result")  # fmt: skip
    shared = ["--folder", str(arguments.folder), "--steps", str(arguments.steps), "--targets", *arguments.targets]
    content: dict[str, Any] = {"reasons": reasons, "python": sys.version, "cases": {}, "ratios": {}, "weights": {}}
    apart = False
    for case in [f"{target} {kind}" for target in arguments.targets for kind in ("complete", "masked")]:
        names = [name for name in CONTESTANTS if name not in reasons]
        found = measuring.contest("benchmarks.regrid", names, [*shared, "--case", case], arguments.rounds)
        content["cases"][case], content["ratios"][case] = found, report(case, found)
        expected = found["scipy"][0]["answer"]
        apart |= any(not np.allclose(found[n][0]["answer"], expected, rtol=1e-5, atol=1e-9) for n in OURS)
    for case in making_cases(arguments.targets) if arguments.weights else ():
        names = [n for n in MAKERS if n not in reasons and not (n == "exact" and case.startswith("tripolar"))]
        found = measuring.contest("benchmarks.regrid", names, [*shared, "--case", case], arguments.rounds)
        content["weights"][case] = found
        print(
            f"\nweights, {case}: "
            + ", ".join(f"{n} {1e3 * measuring.median(f, 'wall'):.1f} ms" for n, f in found.items())
        )
    measuring.save(arguments.json, content)
    return int(apart)


def making_cases(targets: list[str]) -> list[str]:
    """Cases of weights: from the field's grid, and from a tripolar ocean to 1 degree."""
    return [f"weights {target}" for target in targets] + ["tripolar 1"]


if __name__ == "__main__":
    raise SystemExit(main())
