"""``spread emulate``: train, sample, evaluate."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from spread.commands import clusters


def add(commands: Any) -> None:
    """Add the command to the parser's."""
    emulate = commands.add_parser("emulate", help="emulate CMIP6 temperature: train, sample, evaluate")
    verbs = emulate.add_subparsers(dest="verb", required=True, metavar="VERB")
    train = verbs.add_parser("train", help="learn from the runs of a study, or of the demo archive (synthetic)")
    train.add_argument("study", type=Path, nargs="?", help="study (TOML) of tas; the demo archive if left out")
    train.add_argument("--out", type=Path, default=Path("emulator.safetensors"), help="(./emulator.safetensors)")
    train.add_argument("--grid", default="7.5", help="such as 5 or 7.5 degrees, or F32 (default: 7.5)")
    train.add_argument("--steps", type=int, default=3000, help="of the optimiser (default: 3000)")
    train.add_argument("--patterns", type=int, default=400, help="at most (default: 400)")
    train.add_argument("--backbone", choices=("patterns", "patches"), default="patterns",
                       help="patterns for CPUs, patches (a transformer) for GPUs")  # fmt: skip
    train.add_argument("--daily", action="store_true", help="daily maps of the demo archive, not monthly ones")
    train.add_argument("--resume", action="store_true", help="go on with an interrupted training of the same kind")
    sample = verbs.add_parser("sample", help="draw maps of a model under a scenario or a changed pathway of CO2e")
    sample.add_argument("emulator", type=Path, help="file of the emulator")
    sample.add_argument("model", help="source_id")
    sample.add_argument("scenario", help="experiment_id")
    sample.add_argument("--years", nargs=2, type=int, default=(2015, 2100), metavar=("FIRST", "LAST"))
    sample.add_argument("--members", type=int, default=10, metavar="N", help="(default: 10)")
    sample.add_argument("--coherent", action="store_true", help="steps that follow each other are alike")
    sample.add_argument("--scale", type=float, default=1.0, help="of the rise of CO2e after 2015 (default: 1)")
    sample.add_argument("--peak", type=int, metavar="YEAR", help="after which CO2e stays")
    sample.add_argument("--out", type=Path, default=Path("emulated"), help="folder (default: ./emulated)")
    sample.add_argument("--seed", type=int, default=0, help="of the noise (default: 0)")
    clusters.add(sample)
    judge = verbs.add_parser("evaluate", help="score an emulator on runs that were kept back, beside all baselines")
    judge.add_argument("emulator", type=Path, help="file of the emulator")
    judge.add_argument("--learned", type=Path, metavar="STUDY", help="what it was trained on; the demo if left out")
    judge.add_argument(
        "--kept-back", type=Path, metavar="STUDY", help="runs to judge by; the demo's ssp245 if left out"
    )
    judge.add_argument("--model", action="append", default=[], help="only this one; again for more")
    judge.add_argument("--members", type=int, default=10, metavar="N", help="(default: 10)")
    judge.add_argument("--out", type=Path, default=Path("emulator-evaluation"), help="(default: ./emulator-evaluation)")
    judge.add_argument("--seed", type=int, default=0, help="of the noise (default: 0)")
    for parser in (train, sample, judge):
        parser.add_argument("--json", action="store_true", help="print the summary as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked; the exit code."""
    from spread import emulations
    from spread.emulator import Recipe, load
    from spread.progress import bars
    from spread.study import Study

    with bars(sys.stderr) as show:
        if arguments.verb == "train":
            study = Study.from_toml(arguments.study) if arguments.study else emulations.demo_study(arguments.daily)
            recipe = Recipe(backbone=arguments.backbone, steps=arguments.steps, modes=arguments.patterns)
            made = emulations.train_emulator(study, arguments.out, arguments.grid, recipe, arguments.resume, show)
            text, written = emulations.trained_text(made), arguments.out
        elif arguments.verb == "sample":
            with clusters.chosen(arguments) as executor:
                made = emulations.sample_emulator(
                    arguments.emulator, arguments.model, arguments.scenario, tuple(arguments.years), arguments.out,
                    arguments.members, arguments.seed, arguments.coherent, arguments.scale, arguments.peak,
                    executor, show,
                )  # fmt: skip
            text, written = emulations.sampled_text(made), arguments.out / "figures" / "sample.png"
        else:
            daily = load(arguments.emulator).facts.frequency == "day"
            learned, kept = (
                Study.from_toml(path) if path else emulations.demo_study(daily, names, historical)
                for path, names, historical in (
                    (arguments.learned, emulations.LEARNED, True),
                    (arguments.kept_back, (emulations.KEPT_BACK,), False),
                )
            )  # fmt: skip
            made = emulations.judge_emulator(
                arguments.emulator,
                learned,
                kept,
                arguments.out,
                arguments.model,
                arguments.members,
                arguments.seed,
                show,
            )
            text, written = made.pop("text"), arguments.out / "scorecard.txt"
    print(json.dumps(made, indent=1) if arguments.json else text)
    print(f"written: {written}", file=sys.stderr)
    return 0
