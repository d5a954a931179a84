"""The controls above a view: one for each choice, with the names that the report offers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import panel as pn

from dashboards.drawing.styles import CHECK, FIELD, GROUP
from dashboards.state import ANSWERS, RANGES, VOTES, Offers, State
from spread.figures import SEASONS, in_words, label, place
from spread.report import Report

if TYPE_CHECKING:
    from dashboards.session import Session

_OTHER = "other"
_WIDTHS = {
    "report": 210,
    "region": 210,
    "base": 190,
    "votes": 165,
    "season": 190,
    "scenario": 140,
    "moment": 190,
    "model": 190,
    "source": 190,
    "pathway": 140,
    "against": 140,
}


class Controls:
    """Controls of one visitor.

    Parameters
    ----------
    session : Session
        Whose choices they make.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.quiet = False
        self.fields: dict[str, Any] = {}
        for name, title in (
            ("report", "Report"), ("region", "Region"), ("moment", "When"), ("scenario", "Scenario"),
            ("model", "Model"), ("season", "Season"), ("period", "Period"), ("base", "Base period"), ("votes", "Votes"),
            ("source", "Emulated model"), ("pathway", "Pathway"), ("against", "Compared with"),
        ):  # fmt: skip
            self.fields[name] = pn.widgets.Select(
                name=title, options=[], width=_WIDTHS.get(name, 150), stylesheets=[FIELD], margin=0
            )
        self.fields["years"] = pn.widgets.TextInput(
            name="First-last year", placeholder="1995-2014", width=130, stylesheets=[FIELD], margin=0, visible=False,
            max_length=20,
        )  # fmt: skip
        for name, title, words in (("range", "Range", RANGES), ("answer", "Answer", ANSWERS)):
            self.fields[name] = pn.widgets.RadioButtonGroup(
                name=title, options={said: key for key, said in words.items()}, stylesheets=[GROUP], margin=0
            )
        self.fields["assessed"] = pn.widgets.Checkbox(
            name="Assessed by AR6", value=True, stylesheets=[CHECK], margin=(26, 0, 0, 0)
        )
        for name, field in self.fields.items():
            field.param.watch(lambda event, name=name: self._chosen(name, event.new), "value")
        self.panel = pn.FlexBox(
            *self.fields.values(), gap="10px 14px", align_items="end", margin=(0, 0, 12, 0), sizing_mode="stretch_width"
        )

    def _chosen(self, name: str, value: Any) -> None:
        if self.quiet:
            return
        if name == "base" and value == _OTHER:
            self.fields["years"].visible = True
            return
        if name == "years":
            if not value:
                return
            name = "base"
        self.session.choose(**{name: value})

    def fill(self, report: Report, offers: Offers, state: State, uses: tuple[str, ...]) -> None:
        """Offer what the report has, show what is chosen, and hide what does not matter to a view.

        Parameters
        ----------
        report : Report
            The report.
        offers : Offers
            What it offers.
        state : State
            What is chosen.
        uses : tuple of str
            The choices that matter.
        """
        words = {
            "report": {name: name for name in sorted(offers.reports)},
            "region": {_begun(place(report, name)): name for name in offers.regions},
            "season": {_begun(SEASONS[name]): name for name in offers.seasons},
            "period": {name: name for name in offers.periods},
            "scenario": {label(name): name for name in offers.scenarios},
            "moment": {_when(name): name for name in offers.moments},
            "model": {name or "All models": name for name in offers.models},
            "votes": {VOTES[name]: name for name in offers.votes},
            "base": self._bases(offers, state),
            "source": {name: name for name in offers.sources},
            "pathway": {label(name): name for name in offers.pathways},
            "against": {label(name): name for name in offers.againsts},
        }
        self.quiet = True
        try:
            for name, options in words.items():
                self._offer(self.fields[name], options)
                value = "-".join(map(str, state.base)) if name == "base" else getattr(state, name)
                if value in options.values():
                    self.fields[name].value = value
                self.fields[name].visible = (name in uses or name == "report") and len(options) > 1
            self.fields["years"].visible = "base" in uses and state.base not in offers.bases
            if state.base not in offers.bases:
                self.fields["years"].value = "-".join(map(str, state.base))
            for name in ("range", "answer", "assessed"):
                self.fields[name].value = getattr(state, name)
                self.fields[name].visible = name in uses
        finally:
            self.quiet = False

    def _offer(self, field: Any, options: dict[str, str]) -> None:
        if field.options != options:
            field.param.update(options=options, value=next(iter(options.values()), None))

    def _bases(self, offers: Offers, state: State) -> dict[str, str]:
        bases = {f"{a}-{b}": f"{a}-{b}" for a, b in offers.bases}
        first, last = state.base
        return bases | {f"{first}-{last}": f"{first}-{last}", "Other years ...": _OTHER}


def _when(moment: str) -> str:
    return f"At {moment} of warming" if moment.startswith("+") else in_words(moment)


def _begun(words: str) -> str:
    """Words with a capital first; the others stay as they are."""
    return words[:1].upper() + words[1:]
