"""One tree of errors, and failures as values.

Every message says who is speaking, what was expected, what came instead and how to mend it, and lists all breaches
at once. Errors end a command with exit code 2. A :class:`Failure` is not an error: it is the reason why one dataset
stays out of an ensemble, and it travels to the report while the other datasets go on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches


class SpreadError(Exception):
    """Base of everything that spread raises on purpose; ends a command with exit code 2."""

    exit_code = 2


class BadStudy(SpreadError):
    """A study that cannot mean what it says: misspelt keys, wrong types, impossible periods."""


class NotFound(SpreadError):
    """A catalog, model, experiment or variable that is asked for and not there."""


class NotConforming(SpreadError):
    """A dataset that breaks the contract of a conformed dataset; carries every breach."""

    def __init__(self, who: str, breaches: Sequence[str]) -> None:
        self.who = who
        self.breaches = tuple(breaches)
        super().__init__(f"{who}: " + "; ".join(self.breaches))

    def __reduce__(self) -> tuple[type[NotConforming], tuple[str, tuple[str, ...]]]:
        return type(self), (self.who, self.breaches)


class NotComparable(SpreadError):
    """An ensemble that cannot be compared: no model has what the study needs."""


class Unreadable(SpreadError):
    """A store that cannot be read: missing, forbidden, damaged."""


class BadModel(SpreadError):
    """A model that cannot be: bricks that do not go together, rates on edges that are not there, noise that grows."""


class Diverged(SpreadError):
    """A training whose numbers are no longer finite."""


class NotWritable(SpreadError):
    """A report that cannot be written: no permission, disk full, something else in its place."""


@dataclass(frozen=True)
class Failure:
    """Why one dataset is out of the ensemble; a value that reaches the report.

    Parameters
    ----------
    dataset : str
        ``source_id.experiment_id.member_id.variable_id`` of what failed.
    stage : str
        The stage that refused it: catalog, opening, conform, reduce or ensemble.
    reason : str
        Why, for the reader of the report; does not repeat the dataset's name.
    unreadable : bool
        True where the store could not be read, False where it could and its data are at fault.
    transient : bool
        True where the transport failed and trying again may help.
    facets : dict
        CMIP6 facets of the dataset, with ``version`` and ``zstore`` where known.
    """

    dataset: str
    stage: str
    reason: str
    unreadable: bool = False
    transient: bool = False
    facets: dict[str, str] = field(default_factory=dict)

    @property
    def sentence(self) -> str:
        """Who and why in one line."""
        return f"{self.dataset}: {self.reason}"


def one_line(error: BaseException) -> str:
    """Say an exception in one line, with its cause where that is what explains it.

    Parameters
    ----------
    error : BaseException
        Any exception.

    Returns
    -------
    str
        The message without line breaks; the type's name where there is no message.
    """
    text = " ".join(str(error).split())
    if not isinstance(error, SpreadError):
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
        if error.__cause__ is not None and not isinstance(error, OSError):
            text += f" (because of {one_line(error.__cause__)})"
    return text


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """Suggest the nearest known words, as the end of an error message.

    Parameters
    ----------
    word : str
        What was given.
    known : sequence of str
        What would have been right.

    Returns
    -------
    str
        ``"did you mean 'x'?"`` or a short list of what is known.
    """
    near = get_close_matches(word, known, n=3, cutoff=0.6)
    if near:
        return "did you mean " + " or ".join(repr(name) for name in near) + "?"
    shown = ", ".join(sorted(known)[:12])
    return f"known: {shown}" + (", ..." if len(known) > 12 else "")
