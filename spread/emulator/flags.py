"""What is said of a sample whose condition training did not hold."""

from __future__ import annotations

from enum import IntFlag

__all__ = ["SENTENCES", "Flag", "sentences"]


class Flag(IntFlag):
    """Ways in which a condition is outside of what was learned; several may hold."""

    WITHIN = 0
    WARMER = 1
    COLDER = 2
    UNKNOWN_SCENARIO = 4
    DECOUPLED = 8


SENTENCES = {
    Flag.WARMER: "forced warming is above the range of training: the mean goes on in proportion, variability stays"
    " as at the end of the range",
    Flag.COLDER: "forced warming is below the range of training: the mean goes on in proportion, variability stays"
    " as at the end of the range",
    Flag.UNKNOWN_SCENARIO: "no run of this scenario was in the training of this model",
    Flag.DECOUPLED: "CO2 equivalent departs from its scenario's aerosols, which in training always went together",
}
"""What each flag means."""


def sentences(flags: int) -> list[str]:
    """All that a combination of flags says."""
    return [text for flag, text in SENTENCES.items() if flags & flag]
