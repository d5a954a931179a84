"""A view of the page: its figures, what of it can be taken away, and the Python that remakes it."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from html import escape
from typing import TYPE_CHECKING, Any

import pandas as pd
import panel as pn
import xarray as xr

from dashboards.drawing.styles import TEXT
from dashboards.serving import taking
from dashboards.state import State

if TYPE_CHECKING:
    from dashboards.session import Session


class View(ABC):
    """One view; ``views`` has one file each.

    A view is built when it is first looked at, and given new numbers when a choice changes.

    Parameters
    ----------
    session : Session
        The page of one visitor: what is chosen, and the report.
    """

    name = ""
    """In the URL."""

    title = ""
    """On the page."""

    uses: tuple[str, ...] = ()
    """Choices that matter to it; their controls are shown with it."""

    of_reports = True
    """Whether reports alone decide what it shows, and not what was calculated for visitors."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.taken = Takeaway(self)
        self.body = pn.Column(sizing_mode="stretch_width", margin=0)

    @classmethod
    def needs(cls, state: State) -> tuple[str, ...]:
        """The choices that matter now; all that ever do, unless a view knows better."""
        return cls.uses

    def extra(self) -> dict[str, str]:
        """What besides the choices decides what is shown, for the URL of a file."""
        return {}

    def search_for(self, which: str = "", search: str = "") -> None:  # noqa: B027 - a view without extras takes none
        """Take what :meth:`extra` gave; nothing by default."""

    @abstractmethod
    def update(self) -> None:
        """Show what is chosen now."""

    @abstractmethod
    def call(self) -> str:
        """Python that remakes what is shown."""

    @abstractmethod
    def picture(self) -> Any:
        """What is shown as a figure for print: of Matplotlib, or of HoloViews for Matplotlib."""

    @abstractmethod
    def table(self) -> pd.DataFrame:
        """The numbers shown, as a table."""

    @abstractmethod
    def dataset(self) -> xr.Dataset:
        """The numbers shown, as a dataset."""

    def stem(self) -> str:
        """Name of a file of what is shown, without its ending."""
        state = self.session.state
        parts = [self.session.results.report.study.name, self.name]
        parts += [str(getattr(state, name)) for name in ("region", "moment", "scenario") if name in self.uses]
        return "_".join(re.sub(r"[^A-Za-z0-9.-]+", "-", part).strip("-") for part in parts if part)


class Takeaway:
    """Links to figures and data, and the Python call, below a view."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.panel = pn.pane.HTML("", stylesheets=[TEXT], sizing_mode="stretch_width", margin=(10, 0, 0, 0))

    def update(self) -> None:
        """Show what can be taken of what is shown now."""
        links = "".join(
            f"<a class='take' href='{escape(taking.link(self.view, ending))}' download>{kind}</a>"
            for kind, ending in taking.KINDS.items()
        )
        self.panel.object = (
            f"<div class='takes'><span class='soft'>Take away</span>{links}</div>"
            "<details><summary>Python that remakes this</summary>"
            f"<pre tabindex='0'><code>{escape(self.view.call())}</code></pre></details>"
        )
