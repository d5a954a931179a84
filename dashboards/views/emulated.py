"""Emulated beside modelled: plume on plume, a sample and what it lacks, scores, and a difference with shared noise."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import panel as pn
import xarray as xr

from dashboards.calculating import working
from dashboards.calculating.emulating import LATE, MEMBERS, PAIRS
from dashboards.drawing.curves import PAINTS, Curve, Map, on_page, on_paper, table_of
from dashboards.drawing.globe import Globe, cells_at
from dashboards.drawing.scores import score_html, spectra
from dashboards.drawing.styles import TEXT
from dashboards.view import View
from spread import figures
from spread.errors import NotFound

if TYPE_CHECKING:
    from dashboards.session import Session

SAMPLED = 2090
"""Year of the sample, and of the difference of two scenarios."""

_ABSENT = (
    "There is no emulator. Train one by `spread emulate train --out FILE` and serve it by "
    "`spread dashboard REPORT --emulator FILE`."
)
_CUTS = ((2015, 2036), (2037, 2058), (2059, 2080), (2081, 2100))


class EmulatedView(View):
    """What an emulator draws of a model and scenario, on what the models of the report did."""

    name = "emulated"
    title = "Emulated"
    uses = ("source", "pathway", "against")
    of_reports = False

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.head, self.scores, self.flags, self.left_head, self.right_head, self.pair_head = (
            pn.pane.HTML("", stylesheets=[TEXT], sizing_mode="stretch_width", margin=0) for _ in range(6)
        )
        self.plume, self.spectra = (pn.Column(sizing_mode="stretch_width", margin=0) for _ in range(2))
        self.maps = pn.FlexBox(gap="8px 24px", align_items="start", sizing_mode="stretch_width", margin=(10, 0))
        self.body.extend([self.head, session.job.panel, self.flags, self.plume, self.maps, self.scores,
                          self.spectra, self.taken.panel])  # fmt: skip
        self.globes = [Globe(session.theme, True, "RdBu_r") for _ in range(3)]

    @property
    def key(self) -> tuple[str, ...]:
        """By which a drawing is kept."""
        state, first = self.session.state, str(self.session.state.base[0])
        return ("emulated", state.source, state.pathway, state.against, first, str(state.base[1]))

    def why_not(self) -> str:
        """Why there is nothing to show, in a sentence; empty where there is."""
        if self.session.shelf.emulating is None:
            return _ABSENT
        report = self.session.results.report
        if report.study.variable_id != "tas":
            return f"The emulator draws temperature; this report is of {report.study.variable_id}."
        return ""

    def update(self) -> None:
        """Show what is kept of the choice, or have it drawn."""
        reason = self.why_not()
        self.taken.panel.visible = False
        if reason:
            self.head.object = f"<h2>Emulated</h2><p class='none'>{escape(reason)}</p>"
            return
        state = self.session.state
        self.head.object = (
            f"<h2>Emulated {escape(state.source)} under {escape(figures.label(state.pathway))}</h2>"
            "<p class='lead'>Drawn by a statistical model that learned from "
            f"{escape(_listed(self._emulating.facts.runs))}; no climate model was run.</p>"
        )
        self._show_scores()
        if self.key in self._emulating.drawn:
            self.session.job.stop()
            self._show()
            return
        self.flags.object, self.plume[:], self.maps[:] = "", [], []
        if pn.state.curdoc is not None:
            key = self.key
            self.session.job.start(self.steps(), lambda made: self._keep(key, made), replace=True)

    @property
    def _emulating(self) -> Any:
        found = self.session.shelf.emulating
        if found is None:
            raise NotFound(_ABSENT.rstrip("."))
        return found

    def steps(self) -> list[Any]:
        """What the worker is asked for: history, the scenario in parts, and pairs."""
        state, file = self.session.state, self._emulating.file
        said = "Drawing maps of {}-{}"
        steps: list[Any] = [
            (said.format(*cut), working.draw, (file, state.source, "historical", cut, MEMBERS))
            for cut in history(state.base)
        ]
        steps += [(said.format(*cut), working.draw, (file, state.source, state.pathway, cut, MEMBERS)) for cut in _CUTS]
        conditions = [
            (name, float(self._emulating.warming(name, 1.0, 2100).own.loc[SAMPLED, state.source]))
            for name in (state.pathway, state.against)
        ]
        steps.append(("Comparing two scenarios with the same noise", working.pair, (file, state.source, *conditions)))
        return steps

    def _keep(self, key: tuple[str, ...], made: list[Any]) -> None:
        base = (int(key[4]), int(key[5]))
        _, source, pathway, against, *_ = key
        warm = [float(self._emulating.warming(e, 1.0, 2100).own.loc[SAMPLED, source]) for e in (pathway, against)]
        found = emulation(made, self._emulating.facts, base)
        self._emulating.keep(key, found.assign_attrs(warming_first=warm[0], warming_second=warm[1]))
        if key == self.key and self.session.state.view == self.name:
            self.session.guarded(self._show)

    @property
    def found(self) -> xr.Dataset:
        """What was drawn."""
        if self.why_not():
            raise NotFound(self.why_not().rstrip("."))
        made: xr.Dataset | None = self._emulating.drawn.get(self.key)
        if made is None:
            raise NotFound("this has not been drawn yet, or is no longer kept; look at the view Emulated first")
        return made

    def curves(self) -> list[Curve]:
        """The models of the report below, the emulated members above, the model itself between."""
        state, found = self.session.state, self.found
        frames = self.session.results.plume(state.base, state.votes, "global", "annual")
        found = found.sel(year=slice(min(1995, state.base[0]) if state.base[1] >= 1995 else 1995, None))
        made, years, values = [], found["year"].values, found["anomaly"].values
        mine = (state.pathway, "historical")
        band = frames.bands[frames.bands["experiment_id"].isin(mine)].dropna(subset="low").sort_values("Year")
        band = band[band["Year"] >= years[0]].drop_duplicates("Year")
        if state.pathway in set(frames.bands["experiment_id"]) and len(band):
            said = f"models of the report: {frames.centre}, {figures.band(self.session.report)}"
            made.append(Curve(said, band["Year"].to_numpy(),
                              band["centre"].to_numpy(), PAINTS[6], low=band["low"].to_numpy(),
                              high=band["high"].to_numpy()))  # fmt: skip
            lines = frames.lines[frames.lines["experiment_id"].isin(mine) & (frames.lines["Year"] >= years[0])]
            for name, line in lines.groupby("model"):
                if str(name).split(" ")[0].split(".")[0] == state.source:
                    line = line.dropna(subset="value").sort_values("Year")
                    made.append(Curve(f"{state.source} itself", line["Year"].to_numpy(), line["value"].to_numpy(),
                                      PAINTS[7], width=1.5))  # fmt: skip
        made += [Curve(f"emulated: member {n}", years, member, PAINTS[0], width=0.8, entry="")
                 for n, member in enumerate(values, 1)]  # fmt: skip
        made.append(Curve(f"emulated: mean, lowest to highest of {len(values)}", years, values.mean(0), PAINTS[0],
                          low=values.min(0), high=values.max(0), width=2.4))  # fmt: skip
        return made

    def sample_and_rest(self) -> tuple[xr.DataArray, xr.DataArray, str]:
        """A sampled year as a change, the same less the mean change of the model, and whose mean that is."""
        state, found = self.session.state, self.found
        results, sample = self.session.results, found["sample"]
        moment = f"{LATE[0]}-{LATE[1]}"
        maps = results.report.maps
        there = maps is not None and state.base == results.report.study.base_period and all((
            moment in maps["period"].values, state.source in results.offers((), ()).models,
            state.pathway in maps["experiment_id"].values, "annual" in maps["season"].values))  # fmt: skip
        if not there:
            return sample, sample - found["change"], f"the emulator's own mean change by {moment}"
        own = results.map_at(moment, "annual", state.pathway, state.source)
        lon, lat = np.meshgrid(found["lon"].values, found["lat"].values)
        cells = cells_at(own, lon, lat)
        flat = np.append(own["mean"].transpose("lat", "lon").values.ravel(), np.nan)
        return sample, sample - flat[cells], f"the mean change of {state.source} by {moment} in the report"

    def _show(self) -> None:
        found, theme = self.found, self.session.theme
        flags = str(found.attrs["flags"])
        self.flags.object = flagged([text for text in flags.split("; ") if text])
        alt = "Global mean: emulated members on the range of the models. " + self._summary()
        base = "-".join(map(str, self.session.state.base))
        drawn = on_page(self.curves(), theme, f"Change from {base}", "K", alt)
        self.plume[:] = [
            pn.pane.HTML(f"<h3>Global mean, year by year</h3><p class='soft'>{escape(self._summary())}</p>",
                         stylesheets=[TEXT], sizing_mode="stretch_width", margin=(10, 0, 4, 0)),
            pn.pane.Bokeh(drawn, sizing_mode="stretch_width", margin=0),
        ]  # fmt: skip
        sample, rest, whose = self.sample_and_rest()
        state = self.session.state
        others = figures.label(state.against)
        words = (
            (f"One emulated year: {SAMPLED}", f"First member, change from {base}.", sample),
            ("Sample less model", f"The same less {whose}: weather of that year, and errors.", rest),
            (f"{others} less {figures.label(state.pathway)}, July {SAMPLED}",
             f"Mean of {PAIRS} pairs that share their noise: its variance is {_times(found.attrs['reduction'])} smaller"
             f" than without pairing, that of the global mean {_times(found.attrs['global_reduction'])}.",
             found["effect"]),
        )  # fmt: skip
        self.maps[:] = [
            pn.Column(
                pn.pane.HTML(f"<div style='min-height: 86px'><h3>{escape(title)}</h3>"
                             f"<p class='soft'>{escape(text)}</p></div>",
                             stylesheets=[TEXT], sizing_mode="stretch_width", margin=0),
                pn.pane.Bokeh(globe.figure, sizing_mode="scale_width", aspect_ratio=1.72, margin=0),
                margin=0, styles={"flex": "1 1 340px", "min-width": "0", "max-width": "580px"})
            for globe, (title, text, _) in zip(self.globes, words, strict=True)
        ]  # fmt: skip
        for globe, (title, text, data) in zip(self.globes, words, strict=True):
            globe.show(found.assign(shown=data), "shown", 1.0, "K", "K", False)
            globe.describe(f"Map: {title}. {text} From {float(data.min()):.1f} to {float(data.max()):.1f} K.")
        self.taken.panel.visible = True
        self.taken.update()

    def _summary(self) -> str:
        late = self.found["anomaly"].sel(year=slice(*LATE)).mean("year").values
        return (
            f"{self.session.state.source}, emulated: {late.mean():.2f} K in {LATE[0]}-{LATE[1]} "
            f"({late.min():.2f} to {late.max():.2f} over {late.size} members). Months remember the one before and no "
            "more, so that years vary less than those of a model with a longer memory."
        )

    def _show_scores(self) -> None:
        found, source = self._emulating, self.session.state.source
        self.spectra[:] = []
        if not found.cards:
            self.scores.object = (
                "<p class='soft'>No scores: give --evaluation FOLDER, as spread emulate evaluate writes it.</p>"
            )
            return
        card = found.card(source)
        if card is None:
            self.scores.object = f"<p class='soft'>The evaluation has no run of {escape(source)}.</p>"
            return
        self.scores.object = score_html(card)
        drawn = spectra(card, self.session.theme)
        if drawn is not None:
            words = (
                "<h3>Variability by scale</h3><p class='soft'>Power of the anomalies by zonal wavenumber over that of "
                f"{escape(str(card['run']))}: 1 is as it should be. What has no power is not drawn.</p>"
            )
            self.spectra[:] = [
                pn.pane.HTML(words, stylesheets=[TEXT], sizing_mode="stretch_width", margin=(12, 0, 4, 0)),
                pn.pane.Bokeh(drawn, sizing_mode="stretch_width", margin=0),
            ]

    def call(self) -> str:
        """Python that remakes the members and the difference."""
        state, file = self.session.state, self._emulating.file.name
        warm = self.found.attrs
        return (
            "from spread.emulator import load\nfrom spread.emulator.pairs import paired_difference\n"
            f"from spread.simulate.emulating import emulate\n\nemulator = load({file!r})\n"
            f"past = [emulate(emulator, {state.source!r}, 'historical', years, members={MEMBERS}, coherent=True)\n"
            f"        for years in {history(state.base)}]\n"
            f"future = emulate(emulator, {state.source!r}, {state.pathway!r}, (2015, 2100),\n"
            f"                 members={MEMBERS}, coherent=True)\n"
            f"pair = paired_difference(emulator, {state.source!r}, ({state.pathway!r}, {warm['warming_first']!r}),\n"
            f"                         ({state.against!r}, {warm['warming_second']!r}), {working.JULY}, {PAIRS})"
        )

    def picture(self) -> Any:
        """The plume and the maps for print."""
        state, (sample, rest, whose) = self.session.state, self.sample_and_rest()
        maps = [
            Map(f"first member, {SAMPLED}", sample, True, "K"),
            Map("less the model's mean change", rest, True, "K"),
            Map(f"{state.against} less {state.pathway}, July", self.found["effect"], True, "K"),
        ]
        title = f"Emulated {state.source} under {figures.label(state.pathway)}"
        below = f"Drawn by a statistical model, no climate model was run. {self._summary()} Second map: less {whose}."
        flags = str(self.found.attrs["flags"])
        below += f" Extrapolation: {flags}." if flags else ""
        axis = f"Change from {state.base[0]}-{state.base[1]} [K]"
        return on_paper(title, below, self._emulating.facts.synthetic, self.curves(), axis, maps)

    def table(self) -> pd.DataFrame:
        """A row a curve and year."""
        return table_of(self.curves(), "change_K")

    def dataset(self) -> xr.Dataset:
        """Emulated anomalies and maps."""
        return self.found


def emulation(made: list[Any], facts: Any, base: tuple[int, int]) -> xr.Dataset:
    """What the worker drew as one dataset.

    Parameters
    ----------
    made : list
        :class:`dashboards.calculating.working.Drawn` of years that follow each other, and last a paired difference.
    facts : Facts
        Of the emulator.
    base : tuple of int
        First and last year of the base period; what of it was drawn counts.

    Returns
    -------
    xarray.Dataset
        ``anomaly`` (member, year), ``sample``, ``change`` and ``effect`` (lat, lon) [K].
    """
    *parts, pair = made
    years = np.concatenate([part.years for part in parts])
    tas = np.concatenate([part.tas for part in parts], axis=1).astype(np.float64)
    area = np.asarray(facts.area).reshape(tas.shape[2:])
    inside = (years >= base[0]) & (years <= base[1])
    late = (years >= LATE[0]) & (years <= LATE[1])
    normal = tas[:, inside].mean(axis=(0, 1))
    means = np.tensordot(tas, area / area.sum(), axes=2)
    flags = dict.fromkeys(text for part in parts for text in part.flags)
    return grid_of(facts).assign(
        anomaly=(("member", "year"), means - means[:, inside].mean(), {"units": "K"}),
        sample=(("lat", "lon"), tas[0, years == SAMPLED][0] - normal, {"units": "K"}),
        change=(("lat", "lon"), tas[:, late].mean(axis=(0, 1)) - normal, {"units": "K"}),
        effect=(("lat", "lon"), pair.effect, {"units": "K"}), effect_error=(("lat", "lon"), pair.error, {"units": "K"}),
    ).assign_coords(year=years, member=np.arange(len(tas))).assign_attrs(
        flags="; ".join(flags), reduction=float(pair.reduction), global_reduction=float(pair.global_reduction),
        emulated="true", base_period=f"{base[0]}-{base[1]}",
    )  # fmt: skip


def history(base: tuple[int, int]) -> list[tuple[int, int]]:
    """Historical years that are drawn: 1995-2014, and the base period where it is before."""
    if base[1] < 1995:
        return [base, (1995, 2014)]
    return [(min(base[0], 1995), 2014)]


def grid_of(facts: Any) -> xr.Dataset:
    """Cells of an emulator, with their bounds."""
    lat, lon = np.asarray(facts.lat), np.asarray(facts.lon)
    middles = (lat[1:] + lat[:-1]) / 2
    edges = np.concatenate([[-90.0 if lat[0] < lat[-1] else 90.0], middles, [90.0 if lat[0] < lat[-1] else -90.0]])
    half = (lon[1] - lon[0]) / 2
    return xr.Dataset(coords={
        "lat": ("lat", lat, {"units": "degrees_north"}), "lon": ("lon", lon, {"units": "degrees_east"}),
        "lat_bnds": (("lat", "bnds"), np.stack([edges[:-1], edges[1:]], 1)),
        "lon_bnds": (("lon", "bnds"), np.stack([lon - half, lon + half], 1)),
    })  # fmt: skip


def flagged(sentences: list[str]) -> str:
    """What is to be beware of, as HTML; nothing where there is nothing."""
    said = "".join(f"<li>{escape(text[:1].upper() + text[1:])}.</li>" for text in dict.fromkeys(sentences))
    return (
        f"<div class='flags' role='note'><b>Extrapolation</b><ul style='margin:2px 0'>{said}</ul></div>" if said else ""
    )


def _times(value: float) -> str:
    return f"{float(value):,.0f} times" if value >= 10 else f"{float(value):.1f} times"


def _listed(names: tuple[str, ...]) -> str:
    return f"{len(names)} runs of {len({name.split('.')[0] for name in names})} models"
