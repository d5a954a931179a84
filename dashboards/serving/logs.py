"""The log of the server: a record is what the server says, whatever a visitor sent."""

from __future__ import annotations

import logging

LONGEST = 4000
"""Characters of a record; a visitor may send a mebibyte."""

_LOGGERS = ("", "bokeh", "panel", "tornado")


class PlainFormatter(logging.Formatter):
    """Shortens records, escapes what is no printable letter, and sets further lines apart.

    A line that a visitor made up begins like no record, and is no second one.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Write a record."""
        lines = super().format(record).split("\n")
        text = "\n    | ".join("".join(c if c.isprintable() else repr(c)[1:-1] for c in line) for line in lines)
        return text if len(text) <= LONGEST else f"{text[:LONGEST]} ... ({len(text)} characters)"


def plain_logs() -> None:
    """Have every handler write plain records, each once."""
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        for handler in logger.handlers:
            handler.setFormatter(PlainFormatter("%(asctime)s - %(name)s - %(levelname)s - %(message)s"))
        if name and logger.handlers and logging.getLogger().handlers:
            logger.propagate = False
