"""From samples to an emulator: pattern, variability and shape of each cell, patterns of maps, then the network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float
from numpy.typing import NDArray

from spread.diffusion import AbstractDenoiser, Noise, Preconditioned, Training, denoising_loss, fit
from spread.emulator.backbones import PatchTransformer, PatternNetwork
from spread.emulator.coherence import Coherence
from spread.emulator.condition import Condition, withheld
from spread.emulator.emulator import Emulator, Facts, Local
from spread.emulator.marginals import Marginals
from spread.emulator.pattern_scaling import DAILY_HARMONICS, MONTHLY_HARMONICS, PatternScaling, basis
from spread.emulator.samples import Samples
from spread.emulator.scale import Scale
from spread.emulator.seasons import weights
from spread.emulator.spaces import MODES, AbstractSpace, Grid, Patterns
from spread.errors import BadModel

BLOCK_OF_YEARS, KEPT_BACK = 5, 0.1
"""Years that are kept back together, for neighbours are alike, and the share of them."""

JUDGED = 4096
"""Most maps that the loss of years kept back is taken over, evenly chosen."""

Progress = Callable[[int, int, float], None]
"""Called with steps made, steps asked for, and the mean loss since the last call."""


@dataclass(frozen=True)
class Recipe:
    """How an emulator is trained.

    Parameters
    ----------
    backbone : str
        ``patterns``: amplitudes of patterns and a small network, for CPUs; ``patches``: a transformer on the grid, for
        accelerators.
    steps, batch : int
        Steps of the optimiser, and maps in each.
    learning_rate : float
        Its largest, after 5 % of the steps; it falls to a hundredth by a cosine.
    modes : int
        Most patterns.
    width, depth : int
        Of the network.
    patch : int
        Side of a patch.
    seed : int
        Of first weights and batches.
    """

    backbone: Literal["patterns", "patches"] = "patterns"
    steps: int = 3000
    batch: int = 256
    learning_rate: float = 1e-3
    modes: int = MODES
    width: int = 256
    depth: int = 3
    patch: int = 4
    seed: int = 0

    def __post_init__(self) -> None:
        numbers = ("steps", "batch", "learning_rate", "modes", "width", "depth", "patch")
        wrong = [f"{name}: expected a number above 0, got {getattr(self, name)!r}" for name in numbers
                 if not getattr(self, name) > 0]  # fmt: skip
        if self.backbone not in ("patterns", "patches"):
            wrong.append(f"backbone: expected patterns or patches, got {self.backbone!r}")
        if wrong:
            raise BadModel("recipe: " + "; ".join(wrong))


class Course(eqx.Module):
    """A training that is under way, and the best network so far.

    Parameters
    ----------
    training : Training
        Where it is.
    best : AbstractDenoiser
        The running mean whose loss on years that were kept back is the lowest; at first the one that has learned
        nothing, which is the Gaussian emulator.
    best_loss : array
        That loss.
    """

    training: Training
    best: AbstractDenoiser
    best_loss: Float[Array, ""]

    @property
    def step(self) -> int:
        """How many steps were made."""
        return int(self.training.step)


class Prepared(eqx.Module):
    """What training needs of the samples, and all of the emulator that is not the network.

    Parameters
    ----------
    data : tuple
        Samples in the space of the diffusion, with their conditions.
    kept_back : ndarray
        Samples by which the best network is chosen and from which none learns: some blocks of years of every run,
        ``(sample,)``.
    local : tuple of Local
        For each model.
    space : AbstractSpace
    coherence : Coherence
    facts : Facts
    """

    data: tuple[NDArray[np.float32], Condition]
    kept_back: NDArray[np.bool_]
    local: tuple[Local, ...]
    space: AbstractSpace
    coherence: Coherence
    facts: Facts = eqx.field(static=True)

    def emulator(self, denoiser: AbstractDenoiser) -> Emulator:
        """The emulator with a trained network."""
        return Emulator(self.local, self.space, denoiser, self.coherence, self.facts)


def prepare(
    samples: Samples, recipe: Recipe | None = None, synthetic: bool = False,
    estimates: Mapping[str, Sequence[float]] | None = None, versions: Sequence[str] = (),
) -> Prepared:  # fmt: skip
    """Fit pattern, variability, shape and patterns; whiten.

    Parameters
    ----------
    samples : Samples
        To learn from, in the order of time within each run. They are not modified.
    recipe : Recipe, optional
        How.
    synthetic : bool
        Whether some of them are made.
    estimates : mapping, optional
        Parameters of each model's forced response, by which :attr:`Samples.warming` was found.
    versions : sequence of str
        Of the stores that the runs came from.

    Returns
    -------
    Prepared

    Raises
    ------
    BadModel
        For samples that do not tell what is to be fitted.
    """
    recipe = Recipe() if recipe is None else recipe
    harmonics = MONTHLY_HARMONICS if samples.frequency == "mon" else DAILY_HARMONICS
    present = np.unique(samples.model)
    if len(present) != len(samples.models):
        absent = sorted(set(samples.models) - {samples.models[m] for m in present})
        raise BadModel(f"emulator: no training samples of {', '.join(absent)}; leave the name out or add runs")
    scores = np.empty((len(samples), samples.area.size), np.float32)
    local = []
    for model in range(len(samples.models)):
        mine = np.flatnonzero(samples.model == model)
        fitted, scores[mine] = _local(samples, mine, harmonics)
        local.append(fitted)
    space: AbstractSpace
    if recipe.backbone == "patterns":
        space, white = Patterns.fit(scores, samples.model, samples.day, samples.area.ravel(), recipe.modes)
    else:
        space, white = Grid(samples.area.shape), scores.reshape(-1, *samples.area.shape)
    coherence = Coherence.fit(white, samples.follows())
    facts = replace(
        _facts(samples, harmonics, recipe, synthetic), versions=tuple(versions),
        estimates=tuple(tuple(map(float, estimates[name])) for name in samples.models) if estimates else (),
    )  # fmt: skip
    standard = (samples.warming - facts.mean_warming) / facts.sd_warming
    cond = Condition(
        np.asarray(samples.model, np.int32), np.asarray(samples.scenario, np.int32), standard.astype(np.float32),
        samples.day.astype(np.float32),
    )  # fmt: skip
    return Prepared((white, cond), _kept_back(samples, recipe.seed), tuple(local), space, coherence, facts)


def _kept_back(samples: Samples, seed: int) -> NDArray[np.bool_]:
    """One block of years in ten of each run, by chance; none where there are too few blocks."""
    blocks = samples.year // BLOCK_OF_YEARS
    pairs = np.stack([samples.run, blocks], 1)
    known, which = np.unique(pairs, axis=0, return_inverse=True)
    count = max(1, round(KEPT_BACK * len(known))) if len(known) >= 5 else 0
    chosen = np.random.default_rng(seed).permutation(len(known))[:count]
    return np.isin(which.ravel(), chosen)


def _local(samples: Samples, mine: NDArray[np.integer], harmonics: int) -> tuple[Local, NDArray[np.float32]]:
    """What is fitted for one model, and the normal scores of its maps."""
    tas, warming, day = samples.cells[mine].astype(np.float32), samples.warming[mine], samples.day[mine]
    pattern = PatternScaling.fit(tas, warming, day, harmonics)
    season, of_year = weights(day), basis(day, harmonics)
    given = np.concatenate([of_year, of_year * warming[:, None]], axis=1)
    coefficients = np.concatenate([np.asarray(pattern.mean), np.asarray(pattern.pattern)])
    # single precision at 300 K is 3e-5 K: far below what a month or day varies by
    residual = tas - given.astype(np.float32) @ coefficients
    scale = Scale.fit(residual, warming, day)
    deviation = np.exp(
        0.5
        * (season @ np.asarray(scale.level) + warming[:, None].astype(np.float32) * (season @ np.asarray(scale.slope)))
    )
    standard = residual / deviation
    marginals = Marginals.fit(standard, day)
    return Local(pattern, scale, marginals), marginals.scores(standard, season)


def _facts(samples: Samples, harmonics: int, recipe: Recipe, synthetic: bool) -> Facts:
    of_model = [samples.model == m for m in range(len(samples.models))]
    return Facts(
        models=samples.models, scenarios=samples.scenarios, runs=tuple(samples.runs[r] for r in np.unique(samples.run)),
        frequency=samples.frequency, lat=tuple(map(float, samples.lat)), lon=tuple(map(float, samples.lon)),
        area=tuple(map(float, samples.area.ravel())),
        warming=tuple((float(samples.warming[m].min()), float(samples.warming[m].max())) for m in of_model),
        held=tuple(tuple(int(s) for s in np.unique(samples.scenario[m])) for m in of_model), harmonics=harmonics,
        mean_warming=float(samples.warming.mean()), sd_warming=float(max(samples.warming.std(), 1e-3)),
        recipe=asdict(recipe), synthetic=synthetic,
    )  # fmt: skip


def started(space: AbstractSpace, facts: Facts, recipe: Recipe) -> tuple[Course, optax.GradientTransformation]:
    """Training before its first step, and its optimiser."""
    key = jax.random.key(recipe.seed)
    models, scenarios = len(facts.models), len(facts.scenarios)
    if isinstance(space, Grid):
        network: PatchTransformer | PatternNetwork = PatchTransformer(
            space.size, models, scenarios, key, recipe.patch, recipe.width, recipe.depth
        )
    else:
        network = PatternNetwork(space.shape[0], models, scenarios, key, recipe.width, recipe.depth)
    rate = optax.warmup_cosine_decay_schedule(
        0.0, recipe.learning_rate, max(1, recipe.steps // 20), max(2, recipe.steps), recipe.learning_rate / 100
    )
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(rate))
    state = Training.start(Preconditioned(network), optimizer)
    return Course(state, state.average, jnp.asarray(jnp.inf, jnp.float32)), optimizer


def train(
    prepared: Prepared, recipe: Recipe | None = None, state: Course | None = None, progress: Progress | None = None,
    keep: Callable[[Course], None] | None = None, every: int = 250,
) -> tuple[Emulator, Course, NDArray[np.float64]]:  # fmt: skip
    """Train the network, or go on with it.

    Parameters
    ----------
    prepared : Prepared
        From :func:`prepare`.
    recipe : Recipe, optional
        The one of the preparation.
    state : Course, optional
        To go on from, as ``keep`` was given it; the end is the same, to the last bit, as without the interruption.
    progress : callable, optional
        Told how far it is.
    keep : callable, optional
        Given the state every so many steps, to be written down.
    every : int
        Steps between two such calls, and two looks at the loss of the years kept back.

    Returns
    -------
    Emulator
        With the network that was best on the years kept back.
    Course
        Its last state.
    ndarray
        Loss of each step made here.

    Raises
    ------
    Diverged
        If the loss is not finite.
    """
    recipe = Recipe(**prepared.facts.recipe) if recipe is None else recipe  # type: ignore[arg-type]
    begun, optimizer = started(prepared.space, prepared.facts, recipe)
    course = begun if state is None else state
    taught, judged = _parted(prepared)
    batch = _batches(recipe.batch, len(prepared.facts.models), len(prepared.facts.scenarios))
    if state is None:
        course = _judged(course, judged)
    losses = []
    while course.step < recipe.steps:
        count = min(every - course.step % every, recipe.steps - course.step)
        key = jax.random.key(recipe.seed + 1)
        now, made = fit(course.training, optimizer, batch, taught, key, count, noise=Noise(), chunk=every)
        course = _judged(Course(now, course.best, course.best_loss), judged)
        losses.append(made)
        if keep is not None:
            keep(course)
        if progress is not None:
            progress(course.step, recipe.steps, float(made.mean()))
    return prepared.emulator(course.best), course, np.concatenate(losses) if losses else np.zeros(0)


def _parted(prepared: Prepared) -> tuple[Any, Any]:
    """Samples to learn from, and those to judge by; all of them where none was kept back."""
    back = np.flatnonzero(prepared.kept_back)
    chosen = back[:: max(1, len(back) // JUDGED)] if back.size else None
    learned = np.flatnonzero(~prepared.kept_back)

    def part(rows: NDArray[np.intp]) -> Any:
        return jax.tree.map(lambda leaf: jnp.asarray(leaf[rows]), prepared.data)

    return part(learned), None if chosen is None else part(chosen)


def _judged(course: Course, judged: Any) -> Course:
    """The course with its network as the best if it is: without years kept back the last one is."""
    if judged is None:
        return Course(course.training, course.training.average, course.best_loss)
    loss = _loss(course.training.average, *judged)
    if loss < course.best_loss:
        return Course(course.training, course.training.average, loss)
    return course


@eqx.filter_jit
def _loss(denoiser: AbstractDenoiser, x: jax.Array, cond: Condition) -> jax.Array:
    return denoising_loss(denoiser, x, cond, jax.random.key(0), Noise())


def _batches(size: int, models: int, scenarios: int) -> Callable[..., tuple[jax.Array, Condition]]:
    return partial(_batch, size, models, scenarios)


def _batch(
    size: int, models: int, scenarios: int, data: tuple[jax.Array, Condition], key: jax.Array
) -> tuple[jax.Array, Condition]:
    first, second = jax.random.split(key)
    chosen = jax.random.randint(first, (size,), 0, data[0].shape[0])
    x, cond = jax.tree.map(lambda leaf: leaf[chosen], data)
    return x, withheld(cond, models, scenarios, second)
