"""Spaces in which residuals are learned: patterns whose amplitudes are white in each model, or the grid itself."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from numpy.typing import NDArray

from spread.emulator.seasons import KNOTS, distance, middles, month_of
from spread.errors import BadModel

MODES = 400
"""Most patterns that are kept."""

KEPT = 0.999
"""Share of the variance that the patterns hold, where :data:`MODES` allow it."""

REMAINING = 256
"""Most patterns of what is left, for each model."""

SEASON_NEEDS = 1.0
"""Maps for each pattern at which a season's covariance counts as much as the year's."""

_FLOOR = 1e-9
"""Smallest variance of a pattern in a model, over the largest: what is less is rounding."""


class AbstractSpace(eqx.Module):
    """Where the diffusion works: samples of about unit variance, and the way back to normal scores of a model."""

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Of a sample."""

    @property
    @abstractmethod
    def smallest(self) -> float:
        """Smallest variance of a mode that counts, over the largest; the sampler's settings follow from it."""

    @abstractmethod
    def of_model(self, model: int) -> AbstractSpace:
        """The part that maps of one model need."""

    @abstractmethod
    def scores(self, sample: Array, noise: Float[Array, " cell"], month: Int[Array, ""]) -> Float[Array, " cell"]:
        """Normal scores of a sample.

        Parameters
        ----------
        sample : array
            Of :attr:`shape`.
        noise : array
            Standard normal numbers, for what the space leaves of a map, ``(cell,)``.
        month : array
            Which twelfth of the year, from 0 on.

        Returns
        -------
        array
            ``(cell,)``.
        """


class Grid(AbstractSpace):
    """The grid itself: a sample is the map of normal scores.

    Parameters
    ----------
    size : tuple of int
        ``(lat, lon)``.
    """

    size: tuple[int, int] = eqx.field(static=True)

    @property
    def shape(self) -> tuple[int, ...]:
        """``(lat, lon)``."""
        return self.size

    @property
    def smallest(self) -> float:
        """The smallest scales of temperature hold about a thousandth of a cell's variance."""
        return 1e-3

    def of_model(self, model: int) -> Grid:
        """Itself."""
        return self

    def scores(self, sample: Array, noise: Float[Array, " cell"], month: Int[Array, ""]) -> Float[Array, " cell"]:
        """The sample as it is; nothing is left."""
        return sample.reshape(-1)


class Patterns(AbstractSpace):
    """Whitening of maps: ``scores = patterns @ colour[m, month] @ z / root_weight``, with ``z`` of unit covariance.

    Parameters
    ----------
    patterns : array
        Orthonormal in the area-weighted space, common to all models, ``(cell, mode)``.
    colour : array
        Symmetric square root of the covariance of the patterns' amplitudes in each model and month,
        ``(model, knot, mode, mode)``.
    root_weight : array
        Square root of the area of a cell over the mean, ``(cell,)``.
    rest : array
        What the patterns leave of a map in each model, as a factor of its covariance: normal data, for the network does
        not see it, ``(model, cell, remaining)``.
    """

    patterns: Float[Array, "cell mode"]
    colour: Float[Array, "model knot mode mode"]
    root_weight: Float[Array, " cell"]
    rest: Float[Array, "model cell remaining"]

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of patterns."""
        return (int(self.patterns.shape[1]),)

    @property
    def smallest(self) -> float:
        """All amplitudes have unit variance."""
        return 1.0

    def of_model(self, model: int) -> Patterns:
        """The colour and rest of one model, still with an axis of models."""
        chosen = slice(model, model + 1)
        return Patterns(self.patterns, self.colour[chosen], self.root_weight, self.rest[chosen])

    @classmethod
    def fit(
        cls,
        scores: NDArray[np.floating],
        model: NDArray[np.integer],
        day: NDArray[np.float64],
        area: NDArray[np.float64],
        modes: int = MODES,
    ) -> tuple[Patterns, NDArray[np.float32]]:
        """Find the patterns and each model's covariance.

        Parameters
        ----------
        scores : ndarray
            Normal scores, ``(sample, cell)``.
        model : ndarray
            Number of the model of each sample, from 0 on, ``(sample,)``.
        day : ndarray
            Part of the year, ``(sample,)``.
        area : ndarray
            Area of cells, ``(cell,)``.
        modes : int
            Most patterns.

        Returns
        -------
        Patterns
        ndarray
            The samples whitened, ``(sample, mode)``.

        Raises
        ------
        BadModel
            For fewer samples of a model than patterns and half as many again: a covariance would fit chance.
        """
        count = np.bincount(model)
        root = np.sqrt(area / area.mean())
        weighted = scores * root.astype(scores.dtype)
        # one product of all maps a model; the rest is algebra on it
        covariances = [
            (weighted[model == m].T @ weighted[model == m]).astype(np.float64) / count[m] for m in range(len(count))
        ]
        variance, vectors = np.linalg.eigh(np.mean(covariances, axis=0))
        variance, vectors = np.maximum(variance[::-1], 0.0), vectors[:, ::-1]
        enough = int(np.searchsorted(np.cumsum(variance) / variance.sum(), KEPT)) + 1
        kept = min(modes, enough, len(area))
        if count.min() < 1.5 * kept:
            raise BadModel(
                f"emulator: model number {count.argmin()} has {count.min()} training maps for {kept} patterns; give at"
                f" least {int(np.ceil(1.5 * kept))} maps or ask for at most {int(count.min() / 1.5)} patterns"
            )
        patterns = vectors[:, :kept]
        white = np.empty((len(scores), kept), np.float32)
        colours, rest = [], []
        for m, covariance in enumerate(covariances):
            mine = np.flatnonzero(model == m)
            amplitudes = weighted[mine] @ patterns.astype(scores.dtype)
            for of_month, season in _of_months(amplitudes, day[mine]):
                values, axes = np.linalg.eigh(season)
                roots = np.sqrt(np.maximum(values, _FLOOR * values[-1]))
                colours.append((axes * roots) @ axes.T)
                white[mine[of_month]] = amplitudes[of_month] @ ((axes / roots) @ axes.T).astype(scores.dtype)
            rest.append(_remaining(covariance, patterns) / root[:, None])
        made = cls(
            *(
                jnp.asarray(part, jnp.float32)
                for part in (patterns, np.reshape(colours, (len(count), KNOTS, kept, kept)), root, np.stack(rest))
            )
        )
        return made, white

    def scores(
        self, sample: Float[Array, " mode"], noise: Float[Array, " cell"], month: Int[Array, ""]
    ) -> Float[Array, " cell"]:
        """Normal scores of a sample, of a space of one model."""
        made = self.patterns @ (self.colour[0, month] @ sample) / self.root_weight
        return made + self.rest[0] @ noise[: self.rest.shape[2]]


def _of_months(
    amplitudes: NDArray[np.floating], day: NDArray[np.float64]
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float64]]]:
    """Samples of each month, and the covariance of its season drawn toward that of the year."""
    of_year = (amplitudes.T @ amplitudes).astype(np.float64) / len(amplitudes)
    months = month_of(day)
    for number, knot in enumerate(middles()):
        season = amplitudes[distance(day, knot) <= 1.5 / KNOTS + 1e-9]
        share = len(season) / (len(season) + SEASON_NEEDS * amplitudes.shape[1])
        own = (season.T @ season).astype(np.float64) / max(len(season), 1)
        yield np.flatnonzero(months == number), share * own + (1 - share) * of_year


def _remaining(covariance: NDArray[np.float64], patterns: NDArray[np.float64]) -> NDArray[np.float64]:
    """A factor of the covariance of what is orthogonal to the patterns, ``(cell, remaining)``."""
    count = min(REMAINING, len(covariance) - patterns.shape[1])
    if count == 0:
        return np.zeros((len(covariance), 0))
    left = covariance - patterns @ (patterns.T @ covariance)
    left = left - (left @ patterns) @ patterns.T
    values, axes = np.linalg.eigh((left + left.T) / 2)
    return axes[:, -count:] * np.sqrt(np.maximum(values[-count:], 0.0))
