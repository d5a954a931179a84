"""The emulator's gates: on real maps of IPSL-CM6A-LR, on the demo archive's daily maps, and what pairing is worth.

``python -m benchmarks.emulator real --data FOLDER`` takes the four files of the MESMER example data (monthly ``tas`` of
IPSL-CM6A-LR on 20 x 20 cells), learns from historical r1, ssp126 r1 and ssp585 r1 up to 2050, and judges by historical
r2 and by ssp585 r1 in 2061-2100. ``demo`` learns from daily synthetic maps of four models and three experiments, and
judges by ssp245; ``pairs`` draws maps under two warmings with and without the same noise. All methods are given the
same forced warming, that of an energy balance fitted to the training years.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

MODEL = "IPSL-CM6A-LR"
PARTS = (("historical", "r1i1p1f1"), ("ssp126", "r1i1p1f1"), ("ssp585", "r1i1p1f1"), ("historical", "r2i1p1f1"))
LAST, BEYOND = 2050, (2061, 2100)
METHOD = "diffusion emulator"


def runs_of(folder: Path) -> tuple[list[Any], Any]:
    """The four runs on their own grid."""
    import xarray as xr

    from spread.grids import make_grid
    from spread.learning import RunMaps

    runs = []
    for scenario, member in PARTS:
        ds = xr.open_dataset(folder / f"tas_mon_{MODEL}_{scenario}_{member}_g025.nc")
        year = ds.time.dt.year.values.astype(np.int64)
        month = ds.time.dt.month.values.astype(np.int64) - 1
        runs.append(RunMaps(
            MODEL, scenario, member, "mesmer-example", ds.tas.values.astype(np.float32), year, 12 * year + month,
            (month + 0.5) / 12, "mon", synthetic=False,
        ))  # fmt: skip
    return runs, make_grid(ds.lat.values, ds.lon.values)


def real(folder: Path, steps: int, members: int, seed: int) -> dict[str, Any]:
    """Both splits of the real maps."""
    from spread.emulator import Recipe, prepare, train
    from spread.emulator.evaluation import evaluate
    from spread.emulator.splits import BEYOND as OUT
    from spread.emulator.splits import MEMBER, Split
    from spread.learning import fit_warming, samples_of, shares

    (first, low, high, second), grid = runs_of(folder)
    learned = [first, low, high.during(2015, LAST)]
    fits = fit_warming(learned, shares(grid))
    responses = {name: found.response for name, found in fits.items()}
    names = {"models": (MODEL,), "scenarios": ("historical", "ssp126", "ssp585")}
    training = samples_of(learned, grid, responses, **names)
    began = time.perf_counter()
    prepared = prepare(training, Recipe(steps=steps, seed=seed))
    emulator, course, _ = train(prepared)
    print(f"trained in {time.perf_counter() - began:.0f} s; loss of years kept back {float(course.best_loss):.4f}")
    made: dict[str, Any] = {}
    for kind, run in ((MEMBER, second), (OUT, high.during(*BEYOND))):
        truth = samples_of([run], grid, responses, **names)
        scenario = truth.scenarios[truth.scenario[0]]
        drawn = emulator.sample(MODEL, scenario, truth.warming, truth.day, truth.step, members, seed)
        flagged = float(np.mean(drawn.flags != 0))
        card = evaluate({METHOD: drawn.tas}, Split(kind, training, truth), members, seed, flagged={METHOD: flagged})
        print(card.text(), "\n")
        made[kind] = card.as_dict()
    return made


def demo(steps: int, members: int, seed: int, resolution: str) -> dict[str, Any]:
    """Training and sampling times, and the gates, of the daily demo."""
    from spread.emulations import LEARNED, METHOD, demo_study, runs_to_judge_by
    from spread.emulator import Recipe, prepare, train
    from spread.emulator.evaluation import evaluate
    from spread.emulator.splits import SCENARIO, Split
    from spread.learning import fit_warming, read_runs, samples_of, shares

    study = demo_study(daily=True, scenarios=LEARNED)
    runs, grid, _ = read_runs(study, resolution)
    began, cpu = time.perf_counter(), time.process_time()
    fits = fit_warming(runs, shares(grid))
    samples = samples_of(runs, grid, {name: found.response for name, found in fits.items()})
    estimates = {name: found.estimate.tolist() for name, found in fits.items()}
    prepared = prepare(samples, Recipe(steps=steps, seed=seed), synthetic=True, estimates=estimates)
    emulator, course, _ = train(prepared)
    made: dict[str, Any] = {
        "maps": len(samples), "training_s": time.perf_counter() - began, "training_cpu_s": time.process_time() - cpu,
        "loss_of_years_kept_back": float(course.best_loss), "cards": [],
    }  # fmt: skip
    learned, truths = runs_to_judge_by(emulator, study, demo_study(True, ("ssp245",), historical=False))
    truth = truths[0]
    given = (truth.models[truth.model[0]], "ssp245", truth.warming[:100], truth.day[:100], truth.step[:100])
    emulator.sample(*given, 1, seed)
    began = time.perf_counter()
    emulator.sample(*given, 10, seed)
    made["thousand_maps_s"] = time.perf_counter() - began
    print(
        f"{made['maps']} maps learned in {made['training_s']:.0f} s ({made['training_cpu_s']:.0f} CPU-s),"
        f" loss of years kept back {made['loss_of_years_kept_back']:.4f};"
        f" 1,000 maps in {made['thousand_maps_s']:.2f} s"
    )
    for truth in truths:
        model = truth.models[truth.model[0]]
        drawn = emulator.sample(model, "ssp245", truth.warming, truth.day, truth.step, members, seed)
        split = Split(SCENARIO, learned.where(learned.model == truth.model[0]), truth)
        card = evaluate({METHOD: drawn.tas}, split, members, seed)
        print(card.text(), "\n")
        made["cards"].append(card.as_dict())
    return made


def pairs(file: Path, model: str, members: int, seed: int) -> dict[str, Any]:
    """What pairing is worth for effects of 0.5 and 2 K."""
    from spread.emulator import load
    from spread.emulator.pairs import paired_difference

    emulator, made = load(file), {}
    scenario = emulator.facts.scenarios[-1]
    for effect in (0.5, 2.0):
        found = paired_difference(emulator, model, (scenario, 2.0), (scenario, 2.0 + effect), 0.04, members, seed)
        area = np.asarray(emulator.facts.area).reshape(found.effect.shape)
        paired, unpaired = (float(np.sum(x * area)) for x in (found.effect, found.unpaired_effect))
        made[f"{effect} K"] = {
            "local": found.reduction,
            "global": found.global_reduction,
            "paired": paired,
            "unpaired": unpaired,
        }
        print(
            f"{effect} K: variance of the difference {found.reduction:.0f} x lower locally,"
            f" {found.global_reduction:.0f} x of the global mean;"
            f" effect {paired:.3f} K paired, {unpaired:.3f} K unpaired"
        )
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("real", "demo", "pairs"))
    parser.add_argument("--data", type=Path, help="folder of the MESMER example data")
    parser.add_argument("--emulator", type=Path, help="for pairs: a trained emulator")
    parser.add_argument("--model", default=MODEL)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--members", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--grid", default="7.5")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    if args.what == "real":
        if args.data is None:
            parser.error("real: expected --data FOLDER")
        made = real(args.data, args.steps, args.members, args.seed)
    elif args.what == "demo":
        made = demo(args.steps, args.members, args.seed, args.grid)
    else:
        if args.emulator is None:
            parser.error("pairs: expected --emulator FILE")
        made = pairs(args.emulator, args.model, args.members, args.seed)
    if args.json is not None:
        args.json.write_text(json.dumps(made, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
