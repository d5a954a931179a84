"""The emulator p(T | model, scenario, forced warming, day of the year): a scaled pattern, a residual by diffusion."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray

from spread.coupled import Forcing
from spread.diffusion import AbstractDenoiser, Settings, in_blocks, production
from spread.emulator.coherence import Coherence, independent
from spread.emulator.condition import Condition
from spread.emulator.flags import Flag
from spread.emulator.forced import response_from, warming_at
from spread.emulator.marginals import Marginals
from spread.emulator.pattern_scaling import PatternScaling, basis
from spread.emulator.scale import Scale
from spread.emulator.seasons import month_of, weights
from spread.emulator.spaces import AbstractSpace
from spread.errors import BadModel, NotFound, did_you_mean

BLOCK = 128
"""Maps that one compiled program makes at a time."""

Days = NDArray[np.float64]


class Local(eqx.Module):
    """What is known of one model cell by cell: mean response, variability, and the shape of its distribution."""

    pattern: PatternScaling
    scale: Scale
    marginals: Marginals


@dataclass(frozen=True)
class Facts:
    """What an emulator was made of, and where it holds.

    Parameters
    ----------
    models, scenarios : tuple of str
        ``source_id`` and ``experiment_id``, as they are numbered.
    runs : tuple of str
        That were learned from.
    frequency : str
        ``mon`` or ``day``.
    lat, lon : tuple of float
        Centres of the grid [degrees].
    area : tuple of float
        Shares of the Earth's area, row by row.
    warming : tuple of (float, float)
        Range of forced warming in training, for each model [K].
    held : tuple of tuple of int
        Scenarios in training, for each model.
    harmonics : int
        Of the year, in the pattern.
    mean_warming, sd_warming : float
        That standardise warming for the network [K].
    recipe : dict
        How it was trained.
    synthetic : bool
        Whether all or some of it was learned from made data.
    estimates : tuple of tuple of float
        Parameters of the forced response of each model, as :class:`spread.coupled.Fit` estimates them; empty where
        forced warming came from elsewhere.
    versions : tuple of str
        Of the stores of :attr:`runs`.
    """

    models: tuple[str, ...]
    scenarios: tuple[str, ...]
    runs: tuple[str, ...]
    frequency: str
    lat: tuple[float, ...]
    lon: tuple[float, ...]
    area: tuple[float, ...]
    warming: tuple[tuple[float, float], ...]
    held: tuple[tuple[int, ...], ...]
    harmonics: int
    mean_warming: float
    sd_warming: float
    recipe: dict[str, object]
    synthetic: bool = False
    estimates: tuple[tuple[float, ...], ...] = ()
    versions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Emulated:
    """Maps that an emulator made, with what is to be said of them.

    Parameters
    ----------
    tas : ndarray
        Near-surface air temperature [K], ``(member, time, lat, lon)``, float32.
    flags : ndarray
        :class:`spread.emulator.flags.Flag` of each step, ``(time,)``.
    """

    tas: NDArray[np.float32]
    flags: NDArray[np.int64]


class Emulator(eqx.Module):
    """Temperature of several models' runs as a distribution to draw from.

    Parameters
    ----------
    local : tuple of Local
        For each model.
    space : AbstractSpace
        In which the diffusion works.
    denoiser : AbstractDenoiser
        The trained network.
    coherence : Coherence
        Memory from step to step, for runs of maps that follow each other.
    facts : Facts
        What it was made of.

    Notes
    -----
    ``T = mu_m(G, d) + s_m(G, d) q_m(d, u)``: pattern scaling, a standard deviation, and a monotone map of normal scores
    ``u`` that are drawn by diffusion given model, scenario, day and forced warming ``G`` within the range of training.
    Outside of it ``mu`` goes on in proportion, and the sample is flagged.
    """

    local: tuple[Local, ...]
    space: AbstractSpace
    denoiser: AbstractDenoiser
    coherence: Coherence
    facts: Facts = eqx.field(static=True)

    @property
    def settings(self) -> Settings:
        """The sampler that is right to 2 % for the variances of this space."""
        return production(smallest=self.space.smallest)

    def number(self, kind: str, name: str) -> int:
        """The number of a model or scenario.

        Raises
        ------
        NotFound
            For a name that the emulator does not know.
        """
        names = getattr(self.facts, f"{kind}s")
        if name not in names:
            raise NotFound(f"emulator: it knows no {kind} {name!r}; {did_you_mean(name, names)}")
        return names.index(name)

    def warming(self, model: str, forcing: str | Forcing, year: NDArray[np.integer], day: Days) -> NDArray[np.float64]:
        """Forced warming of a model under a scenario, or any other forcing.

        Parameters
        ----------
        model : str
            ``source_id``.
        forcing : str or Forcing
            As :func:`spread.emulator.forced.warming_at` takes it.
        year, day : ndarray
            Calendar years and parts of them, ``(time,)``.

        Returns
        -------
        ndarray
            Relative to 1850-1900 [K], ``(time,)``.

        Raises
        ------
        NotFound
            For a model, scenario or year that is not there, and an emulator without energy balances.
        """
        number = self.number("model", model)
        if not self.facts.estimates:
            raise NotFound("emulator: it was trained without energy balances; give forced warming to sample()")
        return warming_at(response_from(self.facts.estimates[number]), forcing, year, day)

    def flags(self, model: str, scenario: str, warming: Days, decoupled: bool = False) -> NDArray[np.int64]:
        """What is to be said of each step's condition.

        Parameters
        ----------
        model, scenario : str
            Names; a scenario that the emulator does not know is flagged.
        warming : ndarray
            Forced warming [K], ``(time,)``.
        decoupled : bool
            Whether CO2 equivalent departs from its scenario's aerosols.

        Returns
        -------
        ndarray
            ``(time,)``.
        """
        number = self.number("model", model)
        low, high = self.facts.warming[number]
        known = scenario in self.facts.scenarios and self.facts.scenarios.index(scenario) in self.facts.held[number]
        common = (0 if known else Flag.UNKNOWN_SCENARIO) | (Flag.DECOUPLED if decoupled else 0)
        beyond = np.where(warming > high, Flag.WARMER, np.where(warming < low, Flag.COLDER, 0))
        return np.asarray(beyond | common, np.int64)

    def sample(
        self, model: str, scenario: str, warming: Days, day: Days, step: NDArray[np.integer], members: int = 10,
        seed: int = 0, first_member: int = 0, coherent: bool = False, decoupled: bool = False,
    ) -> Emulated:  # fmt: skip
        """Draw maps.

        Parameters
        ----------
        model : str
            ``source_id``.
        scenario : str
            ``experiment_id``; one that training did not hold is drawn without one, and flagged.
        warming : ndarray
            Forced global warming [K], ``(time,)``.
        day : ndarray
            Part of the year, 0 to 1, ``(time,)``.
        step : ndarray
            Number of the step, as in :class:`spread.emulator.samples.Samples`, ``(time,)``.
        members : int
            How many, numbered from ``first_member``.
        seed : int
            With model, member and step it decides the noise; the scenario and warming do not, so that maps of two
            scenarios can be paired.
        coherent : bool
            Whether steps that follow each other are alike, or independent.
        decoupled : bool
            As in :meth:`flags`.

        Returns
        -------
        Emulated
            Each map is the same, to the last bit on one kind of device, whatever else is asked for beside it.

        Raises
        ------
        NotFound
            For a model that the emulator does not know.
        BadModel
            For conditions that are not numbers.
        """
        number = self.number("model", model)
        wrong = [
            f"{name}: expected numbers, one for each step" for name, values in (("warming", warming), ("day", day))
            if np.shape(values) != np.shape(step) or not np.isfinite(values).all()
        ]  # fmt: skip
        if members < 1:
            wrong.append(f"members: expected one or more, got {members}")
        if wrong:
            raise BadModel("emulator: " + "; ".join(wrong))
        flags = self.flags(model, scenario, warming, decoupled)
        known = scenario in self.facts.scenarios and not np.any(flags & Flag.UNKNOWN_SCENARIO)
        low, high = self.facts.warming[number]
        inside = np.clip(warming, low, high)
        given = Condition(
            model=np.full(len(step), number, np.int32),
            scenario=np.full(
                len(step), self.facts.scenarios.index(scenario) if known else len(self.facts.scenarios), np.int32
            ),
            warming=((inside - self.facts.mean_warming) / self.facts.sd_warming).astype(np.float32),
            day=np.asarray(day, np.float32),
        )
        of_step = {
            "cond": given, "warming": np.asarray(warming, np.float32), "inside": np.asarray(inside, np.float32),
            "season": weights(day), "harmonics": basis(day, self.facts.harmonics).astype(np.float32),
            "step": np.asarray(step, np.int32), "month": month_of(day),
        }  # fmt: skip
        keys = [_member_key(seed, model, first_member + m) for m in range(members)]
        rows = {name: _repeated(leaf, members) for name, leaf in of_step.items()}
        rows["key"] = jnp.repeat(jnp.stack(keys), len(step), axis=0)
        shared = (self.local[number], self.space.of_model(number), self.denoiser, self.coherence, self.settings)
        made = in_blocks(_coherent_map if coherent else _independent_map, rows, BLOCK, shared=shared)
        shape = (members, len(step), len(self.facts.lat), len(self.facts.lon))
        return Emulated(np.asarray(made, np.float32).reshape(shape), flags)


def _repeated(tree: object, times: int) -> object:
    return jax.tree.map(lambda leaf: np.tile(leaf, (times,) + (1,) * (np.ndim(leaf) - 1)), tree)


def _member_key(seed: int, model: str, member: int) -> Array:
    """Folded from names and numbers, so that a map does not depend on what else the emulator knows."""
    return jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), zlib.crc32(model.encode())), member)


def _independent_map(shared: tuple, row: dict) -> Float[Array, " cell"]:
    return _map(shared, row, independent(_first(row["key"]), row["step"], shared[1].shape))


def _coherent_map(shared: tuple, row: dict) -> Float[Array, " cell"]:
    return _map(shared, row, shared[3].noise(_first(row["key"]), row["step"]))


def _first(key: Array) -> Array:
    return jax.random.fold_in(key, 0)


def _map(shared: tuple, row: dict, noise: Array) -> Float[Array, " cell"]:
    local, space, denoiser, _, settings = shared
    sample = settings.sample(denoiser, noise, row["cond"])
    cells = local.scale.level.shape[1]
    rest = independent(jax.random.fold_in(row["key"], 1), row["step"], (cells,))
    residual = local.marginals.residual(space.scores(sample, rest, row["month"]), row["season"])
    spread = local.scale.deviation(row["inside"], row["season"])
    return local.pattern.response(row["warming"], row["harmonics"]) + spread * residual
