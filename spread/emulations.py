"""What the command ``spread emulate`` does: train an emulator from a catalog, draw from it, and judge it honestly."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from spread import learning
from spread.coupled import Pathway, pathway
from spread.demo import make_daily
from spread.emulator import Emulator, Recipe, Samples, load, load_training, prepare, save, save_training, train
from spread.emulator.evaluation import evaluate
from spread.emulator.scorecard import Scorecard
from spread.emulator.splits import SCENARIO, Split
from spread.errors import NotComparable, NotFound
from spread.figures import SYNTHETIC
from spread.figures import emulated as figures
from spread.figures.files import write_png
from spread.grids import make_grid
from spread.placing import check_writable, whole_folder
from spread.simulate.emulating import emulate
from spread.study import Study

MODELS = ("CanESM5", "IPSL-CM6A-LR", "MIROC6", "UKESM1-0-LL")
"""Of the embedded default: those of which the demo archive has daily data."""

LEARNED, KEPT_BACK = ("ssp126", "ssp585"), "ssp245"
"""Scenarios of the embedded default, after the historical runs, and the one to be judged by."""

STORE = "emulated.zarr"
"""In the folder of a sample, and what marks it."""

CARD = "scorecard.json"
"""Likewise of an evaluation."""

METHOD = "diffusion emulator"
"""As scorecards call it."""

MOST_STEPS = 1500
"""Steps of a run that are judged; more are thinned evenly, for all methods alike, to bound memory."""

Progress = Callable[[str, int, int], None]


def demo_study(daily: bool = False, scenarios: Sequence[str] = LEARNED, historical: bool = True) -> Study:
    """The embedded default: four models of the demo archive, synthetic.

    Parameters
    ----------
    daily : bool
        Daily maps of 1995-2014 and 2081-2100, or monthly ones of 1850-2100.
    scenarios : sequence of str
        Which.
    historical : bool
        Whether historical runs are among them.

    Returns
    -------
    Study
    """
    return Study.make(
        name="demo-emulator", catalog=str(make_daily()) if daily else "demo", table_id="day" if daily else "Amon",
        experiments=tuple(scenarios), historical="historical" if historical else None, models=MODELS,
        base_period=(1995, 2014), incomplete_periods="allow", require_all_experiments=False,
    )  # fmt: skip


def train_emulator(
    study: Study, out: Path, resolution: str = "7.5", recipe: Recipe | None = None, resume: bool = False,
    progress: Progress = lambda stage, done, total: None,
) -> dict[str, Any]:  # fmt: skip
    """Train an emulator on the runs of a study and write it.

    Parameters
    ----------
    study : Study
        Of ``tas``: its models, members, scenarios and historical runs are learned from.
    out : Path
        File of the emulator; beside it, while training goes on, one to resume from.
    resolution : str
        Of the grid, as :func:`spread.grids.regular` takes it.
    recipe : Recipe, optional
        How.
    resume : bool
        Whether to go on where an interrupted training with the same study and recipe was.
    progress : callable
        Told stage, done, total.

    Returns
    -------
    dict
        What was learned from and what came of it.
    """
    recipe = Recipe() if recipe is None else recipe
    if out.is_dir():
        raise NotFound(f"emulator {out}: expected a file, got a folder; give one such as {out}/tas.safetensors")
    aside = out.with_name(out.name + ".training")
    runs, grid, failures = learning.read_runs(study, resolution, progress=progress)
    progress("fitting", 0, 2)
    fits = learning.fit_warming(runs, learning.shares(grid))
    progress("fitting", 1, 2)
    samples = learning.samples_of(runs, grid, {name: fit.response for name, fit in fits.items()})
    prepared = prepare(
        samples, recipe, any(run.synthetic for run in runs),
        {name: fit.estimate.tolist() for name, fit in fits.items()},
        [run.version for run in runs],
    )  # fmt: skip
    progress("fitting", 2, 2)
    state = load_training(aside, prepared) if resume else None
    emulator, _, losses = train(
        prepared, recipe, state, lambda done, total, _: progress("training", done, total),
        lambda now: save_training(aside, now, prepared),
    )  # fmt: skip
    save(out, emulator)
    aside.unlink(missing_ok=True)
    facts = emulator.facts
    return {
        "emulator": str(out), "models": list(facts.models), "scenarios": list(facts.scenarios),
        "frequency": facts.frequency, "grid": [len(facts.lat), len(facts.lon)], "maps": len(samples),
        "runs": list(facts.runs), "synthetic": facts.synthetic, "patterns": list(emulator.space.shape),
        "warming_K": {name: list(span) for name, span in zip(facts.models, facts.warming, strict=True)},
        "loss_of_last_steps": float(losses[-100:].mean()) if losses.size else None, "recipe": asdict(recipe),
        "left_out": [failure.sentence for failure in failures],
    }  # fmt: skip


def sample_emulator(
    file: Path, model: str, scenario: str, years: tuple[int, int], out: Path, members: int = 10, seed: int = 0,
    coherent: bool = False, scale: float = 1.0, peak: int | None = None, executor: Executor | None = None,
    progress: Progress = lambda stage, done, total: None,
) -> dict[str, Any]:  # fmt: skip
    """Draw maps and write them with figures.

    Parameters
    ----------
    file : Path
        Of the emulator.
    model, scenario, years, members, seed, coherent, executor
        As :func:`spread.simulate.emulating.emulate` takes them.
    out : Path
        Folder; an older one of the same kind is replaced.
    scale, peak
        Of CO2 equivalent after 2015, as :func:`spread.coupled.pathway` takes them.
    progress : callable
        Told stage, done, total.

    Returns
    -------
    dict
        The summary that is also written.
    """
    check_writable(out, STORE)
    emulator = load(file)
    path = _pathway(scenario, years, scale, peak)
    progress("drawing maps", 0, 2)
    made = emulate(
        emulator, model, scenario, years, members=members, seed=seed, pathway=path, coherent=coherent, executor=executor
    )
    progress("drawing maps", 1, 2)
    summary = {
        "emulated": True, "synthetic": emulator.facts.synthetic, "model": model, "scenario": scenario,
        "years": list(years), "members": members, "seed": seed, "maps": int(made.sizes["member"] * made.sizes["time"]),
        "forced_warming_K": [float(made["forced_warming"][0]), float(made["forced_warming"][-1])],
        "co2e_ppm": [float(made["co2e"][0]), float(made["co2e"][-1])], "flags": made.attrs["emulator_flags"],
        "time_coherence": made.attrs["time_coherence"], "emulator": str(file), "version": made.attrs["version"],
    }  # fmt: skip
    with whole_folder(out) as folder:
        made.to_zarr(folder / STORE, consolidated=False, zarr_format=3)
        (folder / "figures").mkdir()
        title = f"Emulated temperature: {model}, {scenario}, {years[0]}-{years[1]}"
        source = SYNTHETIC if summary["synthetic"] else "emulated by spread"
        write_png(figures.sample_maps(made, title), folder / "figures" / "sample.png", title, source)
        (folder / "summary.json").write_text(json.dumps(summary, indent=1), encoding="utf-8")
    progress("drawing maps", 2, 2)
    return summary


def _pathway(scenario: str, years: tuple[int, int], scale: float, peak: int | None) -> Pathway | None:
    if scale == 1.0 and peak is None:
        return None
    try:
        return pathway(scenario, np.arange(1850, max(years[1], 1901) + 2), scale, peak)
    except ValueError as error:
        raise NotFound(str(error)) from error


def judge_emulator(
    file: Path, learned: Study, kept_back: Study, out: Path, models: Sequence[str] = (), members: int = 10,
    seed: int = 0, progress: Progress = lambda stage, done, total: None,
) -> dict[str, Any]:  # fmt: skip
    """Score an emulator on runs that it did not learn from, beside all baselines; write tables and figures.

    Parameters
    ----------
    file : Path
        Of the emulator.
    learned : Study
        What it learned from, for the baselines.
    kept_back : Study
        Runs to be judged by.
    out : Path
        Folder; an older one of the same kind is replaced.
    models : sequence of str
        Of which; all of the emulator by default.
    members : int
        Maps for each step.
    seed : int
        Of their noise.
    progress : callable
        Told stage, done, total.

    Returns
    -------
    dict
        Scorecards, gates and figures.
    """
    check_writable(out, CARD)
    emulator = load(file)
    train_on, truths = runs_to_judge_by(emulator, learned, kept_back, progress)
    wanted = [truth for truth in truths if not models or truth.models[truth.model[0]] in models]
    if not wanted:
        raise NotComparable(
            f"evaluation: no run of {', '.join(models)} is among {', '.join(t.runs[0] for t in truths)}"
        )
    cards: list[Scorecard] = []
    with whole_folder(out) as folder:
        (folder / "figures").mkdir()
        pictures = []
        for done, truth in enumerate(wanted):
            progress("judging", done, len(wanted))
            model = truth.models[truth.model[0]]
            scenario = truth.scenarios[truth.scenario[0]]
            drawn = emulator.sample(model, scenario, truth.warming, truth.day, truth.step, members, seed)
            split = Split(SCENARIO, train_on.where(train_on.model == truth.model[0]), truth)
            share = float(np.mean((drawn.flags & 3) != 0))
            card = evaluate(
                {"diffusion emulator": drawn.tas}, split, members, seed, flagged={"diffusion emulator": share}
            )
            cards.append(card)
            for name, figure in figures.of_evaluation(card, drawn.tas, truth, emulator.facts.synthetic).items():
                path = folder / "figures" / f"{model}-{name}.png"
                source = SYNTHETIC if emulator.facts.synthetic else "emulated by spread"
                write_png(figure, path, f"{model}: {name}", source)
                pictures.append(f"figures/{path.name}")
        progress("judging", len(wanted), len(wanted))
        summary = {
            "emulator": str(file), "synthetic": emulator.facts.synthetic,
            "scorecards": [card.as_dict() for card in cards],
            "figures": pictures,
        }  # fmt: skip
        (folder / CARD).write_text(json.dumps(summary, indent=1), encoding="utf-8")
        (folder / "scorecard.txt").write_text("\n\n".join(card.text() for card in cards) + "\n", encoding="utf-8")
    return summary | {"text": "\n\n".join(card.text() for card in cards)}


def runs_to_judge_by(
    emulator: Emulator, learned: Study, kept_back: Study, progress: Progress = lambda stage, done, total: None
) -> tuple[Samples, list[Samples]]:
    """The samples that an emulator learned from, and each run that was kept back, on its grid.

    Parameters
    ----------
    emulator : Emulator
        Whose grid and energy balances are taken.
    learned, kept_back : Study
        As in :func:`judge_emulator`.
    progress : callable
        Told stage, done, total.

    Returns
    -------
    Samples, list of Samples

    Raises
    ------
    NotComparable
        If the first study is not what the emulator learned from.
    """
    from spread.emulator.forced import response_from

    facts = emulator.facts
    if not facts.estimates:
        raise NotComparable("evaluation: the emulator has no energy balances; train it by `spread emulate train`")
    own = make_grid(np.asarray(facts.lat), np.asarray(facts.lon))
    runs, grid, _ = learning.read_runs(learned, own, progress=progress)
    if tuple(run.name for run in runs) != facts.runs:
        raise NotComparable(
            f"evaluation: the emulator learned from {', '.join(facts.runs)}; the study holds "
            f"{', '.join(run.name for run in runs)}: give the study that it was trained with"
        )
    responses = {name: response_from(theta) for name, theta in zip(facts.models, facts.estimates, strict=True)}
    others, _, _ = learning.read_runs(kept_back, own, progress=progress)
    unknown = sorted({run.source_id for run in others} - set(facts.models))
    if unknown:
        others = [run for run in others if run.source_id in facts.models]
    scenarios = tuple(dict.fromkeys([*facts.scenarios, *(run.experiment_id for run in others)]))
    train_on = learning.samples_of(runs, grid, responses, facts.models, scenarios)
    truths = [learning.samples_of([run], grid, responses, facts.models, scenarios) for run in others]
    return train_on, [_thinned(truth) for truth in truths]


def trained_text(made: Mapping[str, Any]) -> str:
    """The summary of a training for a terminal."""
    lines = [
        f"emulator of {made['frequency']} temperature on {made['grid'][0]} x {made['grid'][1]} cells, learned from"
        f" {made['maps']} maps of {len(made['runs'])} runs" + (" (synthetic)" if made["synthetic"] else ""),
        *(f"{name:16s} forced warming {low:5.2f} to {high:.2f} K" for name, (low, high) in made["warming_K"].items()),
        f"scenarios: {', '.join(made['scenarios'])}; loss of the last steps {made['loss_of_last_steps']:.4f}",
        *(f"left out: {sentence}" for sentence in made["left_out"]),
    ]
    return "\n".join(lines)


def sampled_text(made: Mapping[str, Any]) -> str:
    """The summary of a sample for a terminal."""
    first, last = made["forced_warming_K"]
    lines = [
        f"{made['maps']} emulated maps: {made['model']}, {made['scenario']}, {made['years'][0]}-{made['years'][1]},"
        f" {made['members']} members" + (" (synthetic)" if made["synthetic"] else ""),
        f"forced warming {first:.2f} to {last:.2f} K, CO2 equivalent {made['co2e_ppm'][0]:.0f} to"
        f" {made['co2e_ppm'][1]:.0f}"
        " ppm",
        f"time: {made['time_coherence']}", *(f"flagged: {flag}" for flag in made["flags"].split("; ") if flag),
    ]  # fmt: skip
    return "\n".join(lines)


def _thinned(truth: Samples) -> Samples:
    each = -(-len(truth) // MOST_STEPS)
    chosen = np.zeros(len(truth), bool)
    chosen[::each] = True
    return truth if each == 1 else truth.where(chosen)


def opened(folder: Path) -> xr.Dataset:
    """Maps that :func:`sample_emulator` wrote.

    Raises
    ------
    NotFound
        If there are none.
    """
    try:
        return xr.open_zarr(folder / STORE, consolidated=False, decode_times=False)
    except (OSError, ValueError) as error:
        raise NotFound(
            f"emulation {folder}: expected a folder with {STORE}, as spread emulate sample writes"
        ) from error
