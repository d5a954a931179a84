"""What if CO2 equivalent took another path, and what if a site's weather, fire or model were another."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import panel as pn
import xarray as xr

from dashboards import calls
from dashboards.calculating import working
from dashboards.calculating.emulating import LATE, PEAKS, SCALES, departure, runnable
from dashboards.drawing.curves import PAINTS, Curve, Map, on_page, on_paper, table_of
from dashboards.drawing.globe import Globe
from dashboards.drawing.screen import paint
from dashboards.drawing.site import land_curves, land_html, land_table, shown_unit
from dashboards.drawing.styles import BUTTON, FIELD, TEXT
from dashboards.state import CHANGES
from dashboards.view import View
from dashboards.views.emulated import flagged, grid_of
from spread import figures
from spread.errors import NotFound

if TYPE_CHECKING:
    from dashboards.session import Session

MAP_MEMBERS = 2
"""Emulated members of a map of mean change; twenty years of twelve months each."""

BASE = (1995, 2014)
"""Of the map, and of the warming that the site feels: the years of its weather."""

_NO_EMULATOR = (
    "Pathways need the energy balances of an emulator: serve the report by `spread dashboard REPORT --emulator FILE`. "
    "The changes of a site below need none, but for the warming of a pathway."
)
_NO_JAX = "What-ifs need jax, which is not installed on this server."


class WhatIfView(View):
    """A pathway, the warming that every model makes of it, a map, and a site that answers."""

    name = "what-if"
    title = "What if"
    uses = ("pathway", "source")
    of_reports = False

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.land = session.new_job()
        self.head, self.cards, self.flags, self.map_head, self.land_head, self.land_found = (
            pn.pane.HTML("", stylesheets=[TEXT], sizing_mode="stretch_width", margin=0) for _ in range(6)
        )
        self.plume, self.land_plume = (pn.Column(sizing_mode="stretch_width", margin=0) for _ in range(2))
        self.globe = Globe(session.theme, True, "RdBu_r")
        self.map_pane = pn.Column(
            self.map_head, session.job.panel,
            pn.pane.Bokeh(self.globe.figure, sizing_mode="scale_width", aspect_ratio=1.72, margin=0),
            margin=0, styles={"flex": "1 1 340px", "min-width": "0", "max-width": "640px"},
        )  # fmt: skip
        self._make_fields()
        both = pn.FlexBox(
            pn.Column(self.plume, margin=0, styles={"flex": "1 1 420px", "min-width": "0"}), self.map_pane,
            gap="8px 24px", align_items="start", sizing_mode="stretch_width", margin=(10, 0),
        )  # fmt: skip
        self.path_part = pn.Column(
            pn.FlexBox(self.fields["scale"], self.fields["peak"], gap="10px 24px", margin=(6, 0),
                       sizing_mode="stretch_width"),
            self.cards, self.flags, both, sizing_mode="stretch_width", margin=0,
        )  # fmt: skip
        bar = pn.FlexBox(self.fields["change"], self.fields["draws"], self.button, gap="10px 14px", align_items="end",
                         margin=(6, 0), sizing_mode="stretch_width")  # fmt: skip
        self.body.extend([self.head, self.path_part, self.land_head, bar, self.land.panel, self.land_found,
                          self.land_plume, self.taken.panel])  # fmt: skip

    def _make_fields(self) -> None:
        slider: dict[str, Any] = {"stylesheets": [FIELD], "margin": 0, "width": 300}
        self.fields: dict[str, Any] = {
            "scale": pn.widgets.FloatSlider(name="Rise of CO\u2082e after 2015, times", start=SCALES[0], end=SCALES[1],
                                            step=0.05, value=1.0, **slider),
            "peak": pn.widgets.IntSlider(name="Year of peak (2100: none)", start=PEAKS[0], end=PEAKS[1], step=5,
                                         value=PEAKS[1], **slider),
            "change": pn.widgets.Select(name="Change", options={said: name for name, said in CHANGES.items()},
                                        stylesheets=[FIELD], width=280, margin=0),
            "draws": pn.widgets.Select(name="Draws of parameters", options=["0", "4", "8", "16"], value="8",
                                       stylesheets=[FIELD], width=150, margin=0),
        }  # fmt: skip
        self.button = pn.widgets.Button(name="Simulate", stylesheets=[BUTTON], margin=0, height=36)
        self.quiet = False
        self.heard: dict[str, Any] = {}
        for name, field in self.fields.items():
            # sliders are heard when they are let go of: one change of the page, not one a pixel
            heard = "value_throttled" if name in ("scale", "peak") else "value"
            field.param.watch(lambda event, name=name: self._chosen(name, event.new), heard)
        self.button.on_click(lambda event: self.session.guarded(self.simulate))

    def _chosen(self, name: str, value: Any) -> None:
        if not self.quiet:
            self.heard[name] = value
            self.session.choose(**{name: value})

    @property
    def _emulating(self) -> Any:
        found = self.session.shelf.emulating
        if found is None:
            raise NotFound("pathways need an emulator: spread dashboard REPORT --emulator FILE")
        return found

    @property
    def warming(self) -> Any:
        """Forced warming of every model under the pathway; quick, and kept."""
        state = self.session.state
        return self._emulating.warming(state.pathway, state.scale, state.peak)

    def delta(self) -> float:
        """Warming of the chosen model under the pathway by the end of the century, since the years of the site [K]."""
        mine = self.warming.table[self.session.state.source]
        return round(float(mine.loc[LATE[0] : LATE[1]].mean() - mine.loc[BASE[0] : BASE[1]].mean()), 2)

    @property
    def change(self) -> str:
        """The chosen change by the name that :func:`spread.counterfactual.named` reads."""
        name = self.session.state.change
        return f"{self.delta():+.2f}K" if name == "warming" else name

    @property
    def key(self) -> tuple[Any, ...]:
        """By which a map is kept."""
        state = self.session.state
        return ("pathway", state.source, state.pathway, state.scale, state.peak)

    def land_key(self) -> tuple[Any, ...]:
        """By which a run of the site is kept."""
        return ("land", self.change, self.session.state.draws)

    def update(self) -> None:
        """Show the warming at once, have the map drawn, and what the site did where that is known."""
        state = self.session.state
        self.quiet = True
        try:
            for name, field in self.fields.items():
                # what was heard of a slider is not said back: it may have been moved on meanwhile, and would jump
                chosen = getattr(state, name)
                if not _same(self.heard.get(name), chosen):
                    field.value = self.heard[name] = chosen
        finally:
            self.quiet = False
        there = self.session.shelf.emulating is not None
        self.path_part.visible = there
        self.button.disabled = not runnable()
        self.head.object = "<h2>What if CO\u2082 equivalent took another path?</h2>" + (
            "" if there else f"<p class='none'>{escape(_NO_EMULATOR if runnable() else _NO_JAX)}</p>"
        )
        if there:
            self._show_pathway()
        self._show_land()
        self.taken.panel.visible = there
        if there:
            self.taken.update()

    def _show_pathway(self) -> None:
        state, found = self.session.state, self.warming
        flags = list(found.flags)
        if found.beyond:
            flags.append(f"forced warming leaves the range of training of {', '.join(found.beyond)}")
        if state.pathway not in self._emulating.facts.scenarios:
            flags.append("no run of this scenario was in training")
        self.flags.object = flagged(flags)
        self.cards.object = self._cards()
        alt = f"Forced warming of each model under the pathway and, dashed, under the scenario. {self.words()}"
        drawn = on_page(self.curves(), self.session.theme, "Forced warming since 1850-1900", "K", alt)
        head = f"<h3>Forced warming</h3><p class='soft'>{escape(self.words())}</p>"
        self.plume[:] = [
            pn.pane.HTML(head, stylesheets=[TEXT], sizing_mode="stretch_width", margin=0),
            pn.pane.Bokeh(drawn, sizing_mode="stretch_width", margin=0),
        ]
        self._show_map()

    def _cards(self) -> str:
        found, cards = self.warming, []
        for name, tint in zip(found.table, _paints(len(found.table.columns)), strict=True):
            late, own = (float(t[name].loc[LATE[0] : LATE[1]].mean()) for t in (found.table, found.own))
            beyond = ", extrapolated" if name in found.beyond else ""
            cards.append(
                f"<li style='--paint: {paint(tint, self.session.theme)}'>{escape(str(name))}<b>{late:.2f} K</b>"
                f"<span>{late - own:+.2f} K to the scenario{beyond}</span></li>"
            )
        return f"<ul class='cards'>{''.join(cards)}</ul>"

    def words(self) -> str:
        """What the pathway is, in a sentence."""
        state, found = self.session.state, self.warming
        scale, peak = departure(state.scale, state.peak)
        how = f"{scale:g} times the rise of {figures.label(state.pathway)} after 2015"
        how += f", constant after {peak}" if peak is not None else ""
        return f"{how}: {found.co2e[-1]:.0f} ppm CO\u2082e in 2100 instead of {found.own_co2e[-1]:.0f} ppm."

    def curves(self) -> list[Curve]:
        """Warming of every model, solid, and that of the scenario itself, dashed."""
        found, made = self.warming, []
        for name, tint in zip(found.table, _paints(len(found.table.columns)), strict=True):
            if found.flags:
                made.append(
                    Curve(
                        f"{name}, scenario",
                        found.years,
                        found.own[name].to_numpy(),
                        tint,
                        "dashed",
                        1.2,
                        entry="dashed: the scenario itself",
                    )
                )
            made.append(Curve(str(name), found.years, found.table[name].to_numpy(), tint))
        return made

    def _show_map(self) -> None:
        state = self.session.state
        drawn = self._emulating.drawn.get(self.key)
        title = f"{state.source}: mean change by {LATE[0]}-{LATE[1]}"
        if drawn is not None:
            self.session.job.stop()
            extrapolated = " Extrapolation: " + "; ".join(str(drawn.attrs["flags"]).split("; ")) + "." if (
                drawn.attrs["flags"]) else ""  # fmt: skip
            self.globe.show(drawn, "change", 1.0, f"change from {BASE[0]}-{BASE[1]} [K]", "K", False)
            self.globe.describe(
                f"Map of {title}, emulated. From {float(drawn['change'].min()):.1f} to "
                f"{float(drawn['change'].max()):.1f} K.{extrapolated}"
            )
            kind = "Emulated, an extrapolation" if extrapolated else "Emulated"
            self.map_head.object = f"<h3>{escape(title)}</h3><p class='soft'>{kind}.</p>"
            return
        before = "The map before, until this one is drawn" if self.globe.bar.title else "It is being drawn"
        self.map_head.object = f"<h3>{escape(title)}</h3><p class='soft'>{before}.</p>"
        if pn.state.curdoc is not None:
            key = self.key
            self.session.job.start(self.steps(), lambda made: self._keep(key, made), replace=True)

    def steps(self) -> list[Any]:
        """What the worker is asked for: the present, and the end of the century under the pathway."""
        state, file = self.session.state, self._emulating.file
        said = f"Drawing {LATE[0]}-{LATE[1]} under this pathway"
        given = (file, state.source, state.pathway, LATE, MAP_MEMBERS, state.scale, state.peak)
        return [
            ("Drawing the present", working.draw, (file, state.source, "historical", BASE, MAP_MEMBERS)),
            (said, working.draw, given),
        ]

    def _keep(self, key: tuple[Any, ...], made: list[Any]) -> None:
        self._emulating.keep(key, mean_change(made, self._emulating.facts))
        if key == self.key and self.session.state.view == self.name:
            self.session.guarded(self._show_map)

    def simulate(self) -> None:
        """Have the site simulated with and without the change; refused while one is on its way."""
        if not runnable():
            raise NotFound(_NO_JAX.rstrip("."))
        key, draws = self.land_key(), int(self.session.state.draws)
        if key in self.session.shelf.sites:
            self._show_land()
            return
        steps: list[Any] = [
            ("Bringing the site to balance", working.spin_up, (draws,)),
            ("Simulating 20 years with and without the change", working.land, (self.change, draws)),
        ]

        def then(made: list[Any]) -> None:
            self.session.shelf.sites.keep(key, made[-1])
            self.button.disabled = False
            self.session.guarded(self._show_land)

        def failed(words: str) -> None:
            self.button.disabled = False
            self.land.say(words)

        if self.land.start(steps, then, failed=failed):
            self.button.disabled = True

    def _show_land(self) -> None:
        state = self.session.state
        self.land_head.object = (
            "<h3 style='margin-top:22px'>And the land?</h3><p class='soft'>Carbon and water of a site at "
            f"{working.LATITUDE:g}\u00b0 N, simulated by spread on synthetic weather of 1995-2014. A warming is added "
            "to each day at constant relative humidity (that of a pathway: the chosen model's global mean); CO\u2082 "
            "stays. Ranges: 5-95 % of draws of parameters.</p>"
        )
        self.land_found.object, self.land_plume[:] = "", []
        if state.change == "warming" and self.session.shelf.emulating is None:
            self.land_found.object = "<p class='none'>This change needs a pathway; choose another one.</p>"
            return
        pair = self.session.shelf.sites.get(self.land_key())
        if pair is None:
            return
        label = str(pair.attrs["change_label"])
        nothing = not land_table(pair)[["low", "median", "high"]].to_numpy().any()
        said = " Nothing changes: here this makes no difference." if nothing else ""
        said = " Nothing burns in this weather, so nothing changes." if nothing and state.change == "no-fire" else said
        self.land_found.object = (
            f"<h3>{escape(label)}</h3><p class='soft'>Mean change of the last ten years.{said}</p>{land_html(pair)}"
        )
        drawn = on_page(land_curves(pair), self.session.theme, "Net uptake of carbon", shown_unit("nbp")[1],
                        f"Net uptake of carbon with and without: {label}.")  # fmt: skip
        self.land_plume[:] = [pn.pane.Bokeh(drawn, sizing_mode="stretch_width", margin=(8, 0, 0, 0))]
        self.taken.panel.visible = True
        self.taken.update()

    def call(self) -> str:
        """Python that remakes the warming, the map and the site."""
        state, lines = self.session.state, []
        if self.session.shelf.emulating is not None:
            lines += calls.pathway(self._emulating.file.name, state, bool(self.warming.flags), BASE, LATE, MAP_MEMBERS)
        if self.session.shelf.emulating is not None or state.change != "warming":
            lines += calls.site(working.LATITUDE, state.draws, working.SEED, self.change)
        return "\n".join(lines)

    def picture(self) -> Any:
        """Warming and the map for print; the site where there is no emulator."""
        if self.session.shelf.emulating is None:
            pair = self._pair()
            title = f"What if: {pair.attrs['change_label']}?"
            return on_paper(title, "Simulated by spread on synthetic weather.", True,
                            land_curves(pair), f"Net uptake of carbon [{shown_unit('nbp')[1]}]", [])  # fmt: skip
        drawn = self._emulating.drawn.get(self.key)
        title = f"{self.session.state.source}: mean change by {LATE[0]}-{LATE[1]}, emulated"
        maps = [] if drawn is None else [Map(title, drawn["change"], True, "K")]
        flags = "; ".join(self.warming.flags)
        return on_paper("What if CO\u2082 equivalent took another path?",
                        self.words() + (f" Extrapolation: {flags}." if flags else ""), self._emulating.facts.synthetic,
                        self.curves(), "Forced warming since 1850-1900 [K]", maps)  # fmt: skip

    def _pair(self) -> xr.Dataset:
        pair = self.session.shelf.sites.get(self.land_key())
        if pair is None:
            raise NotFound("this site has not been simulated yet; press Simulate in the view What if first")
        found: xr.Dataset = pair
        return found

    def table(self) -> pd.DataFrame:
        """A row a model and year; of the site where there is no emulator."""
        if self.session.shelf.emulating is None:
            return land_table(self._pair())
        return table_of(self.curves(), "warming_K")

    def dataset(self) -> xr.Dataset:
        """Warming of every model, CO2 equivalent, the map and the site, as far as they are known."""
        site = self.session.shelf.sites
        if self.session.shelf.emulating is None:
            return self._pair()
        found = self.warming
        made = xr.Dataset(
            {"forced_warming": (("model", "year"), found.table.to_numpy().T, {"units": "K"}),
             "co2e": ("year", found.co2e, {"units": "ppm"})},
            coords={"model": list(found.table), "year": found.years},
            attrs={"pathway": self.words(), "flags": "; ".join(found.flags)},
        )  # fmt: skip
        drawn, pair = self._emulating.drawn.get(self.key), site.get(self.land_key())
        if drawn is not None:
            made = made.merge(drawn, combine_attrs="override")
        if pair is not None:
            made = made.merge(pair.rename(year="site_year"), combine_attrs="override")
        return made


def mean_change(made: list[Any], facts: Any) -> xr.Dataset:
    """Mean change of temperature (lat, lon) [K] from what was drawn of the present and of the future.

    Parameters
    ----------
    made : list of Drawn
        Present, then future.
    facts : Facts
        Of the emulator.
    """
    before, after = (part.tas.astype(np.float64).mean(axis=(0, 1)) for part in made)
    return grid_of(facts).assign(change=(("lat", "lon"), after - before, {"units": "K"})).assign_attrs(
        flags="; ".join(made[1].flags), emulated="true"
    )  # fmt: skip


def _same(heard: Any, chosen: Any) -> bool:
    """Whether a choice is what was heard of its field; a slider says 1.2500000000000002 for 1.25."""
    if isinstance(chosen, float) and heard is not None:
        return math.isclose(heard, chosen, abs_tol=0.005)
    return bool(heard == chosen)


def _paints(count: int) -> list[str]:
    return [PAINTS[number % len(PAINTS)] for number in range(count)]
