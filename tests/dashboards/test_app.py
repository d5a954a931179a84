"""The server's settings, the command line, and what every view gives away, without a browser."""

import json
import re
import subprocess
import sys
from io import BytesIO

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from dashboard_server import REPOSITORY

from dashboards.app import MAXIMUM_MESSAGE, options
from dashboards.results import Shelf
from dashboards.serving import taking
from dashboards.session import Session
from dashboards.state import ANSWERS
from spread import Report


@pytest.fixture(scope="module")
def session(small_report):
    return Session(Shelf([small_report]), "light", {}, [])


def test_only_the_servers_own_origin_is_allowed():
    settings = options("127.0.0.1", 5006, (), "")
    assert settings["websocket_origin"] == ["127.0.0.1:5006", "localhost:5006"]
    assert options("10.0.0.1", 80, (), "")["websocket_origin"] == ["10.0.0.1:80"]
    assert options("0.0.0.0", 80, ["spread.example.org"], "/p")["websocket_origin"] == ["spread.example.org"]
    assert settings["websocket_max_message_size"] == MAXIMUM_MESSAGE <= 1 << 20


def test_without_panel_the_command_says_what_to_install(small_report):
    code = f"""
import sys
sys.modules["panel"] = None
from spread.__main__ import main
sys.exit(main(["dashboard", {str(small_report)!r}]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY)
    assert done.returncode == 2
    assert "pip install 'cmip-spread[dashboard]'" in done.stderr
    assert "Traceback" not in done.stderr


def shown(session, **choices):
    session.choose(**choices)
    assert session.status.object == "", session.status.object
    return session.view()


CHOICES = [
    {"view": "spread", "region": "arctic", "base": "1995-2014", "votes": "runs"},
    {"view": "spread", "region": "global", "base": "1850-1900", "range": "constrained"},
    {"view": "spread", "range": "raw", "votes": "weighted", "assessed": "0"},
    {"view": "maps", "moment": "+1.5 K", "scenario": "ssp126"},
    {"view": "maps", "moment": "2081-2100", "scenario": "ssp585", "model": "CanESM5"},
    *({"view": "why", "answer": a, "votes": "models", "assessed": "1"} for a in ANSWERS if a != "sensitivity"),
    {"view": "trace"},
]


@pytest.mark.parametrize("choices", CHOICES, ids=[" ".join(map(str, c.values())) for c in CHOICES])
def test_every_view_gives_its_figure_and_its_numbers(session, choices):
    view = shown(session, **choices)
    png, svg = taking.content(view, "png"), taking.content(view, "svg")
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    assert b"<svg" in svg[:600]
    assert b"http://www.w3.org" in svg
    table = pd.read_csv(BytesIO(taking.content(view, "csv")))
    assert len(table)
    assert (table["note"].str.contains("SYNTHETIC")).all()
    with xr.open_dataset(BytesIO(taking.content(view, "nc")), engine="scipy", decode_times=False) as data:
        assert data.attrs["synthetic"] == "true"
        assert any(np.isfinite(data[name].values).any() for name in data.data_vars if data[name].dtype.kind == "f")


@pytest.mark.parametrize("choices", CHOICES, ids=[" ".join(map(str, c.values())) for c in CHOICES])
def test_the_python_that_is_shown_remakes_the_figure(session, choices, small_report, monkeypatch):
    view = shown(session, **choices)
    monkeypatch.chdir(small_report.parent)
    *lines, last = view.call().split("\n")
    names = {}
    exec("\n".join(lines), names)
    made = eval(last, names)
    assert made is not None
    if choices["view"] == "spread" and choices.get("range") != "constrained":
        again, on_page = names["report"], session.report
        xr.testing.assert_allclose(again.across.drop_attrs(), on_page.across.drop_attrs())
        assert again.study.assessed == on_page.study.assessed


def test_the_csv_of_the_spread_is_what_the_report_says(session, small_report):
    view = shown(session, view="spread", region="arctic", season="annual", base="1850-1900", votes="runs", range="raw")
    table = view.table().set_index(["experiment_id", "Year"])
    plume = Report.load(small_report).plume.sel(region="arctic", season="annual")
    for year in (2030, 2099):
        expected = plume["quantiles"].sel(experiment_id="ssp585", year=year, quantile=0.5)
        assert table.loc[("ssp585", year), "centre"] == pytest.approx(float(expected))


def test_the_figure_draws_what_the_report_says(session, small_report):
    view = shown(session, view="spread", region="land", season="annual", base="1850-1900", votes="runs", range="raw")
    report = Report.load(small_report)
    at = {"region": "land", "season": "annual", "experiment_id": "ssp585"}
    middle = view.plume.middles["ssp585"].data
    line = dict(zip(middle["Year"], middle["centre"], strict=True))
    expected = report.plume["quantiles"].sel(at | {"quantile": 0.5})
    assert line[2050] == pytest.approx(float(expected.sel(year=2050)))
    boxes = view.plume.boxes.data
    here = boxes["scenario"].index("SSP5-8.5")
    across = report.across.sel(at | {"period": session.state.period})
    assert boxes["low"][here] == pytest.approx(float(across["quantiles"].isel(quantile=0)))
    dots = [
        v
        for v, s in zip(view.plume.dots.data["value"], view.plume.dots.data["scenario"], strict=True)
        if s == "SSP5-8.5"
    ]
    change = report.change["change"].sel(at | {"period": session.state.period}).values
    np.testing.assert_allclose(sorted(dots), sorted(change[np.isfinite(change)]))


def test_constrained_bars_are_those_of_the_constraint(session, small_report):
    view = shown(session, view="spread", region="global", base="1850-1900", votes="runs", range="constrained")
    found = (
        Report.load(small_report)
        .answers["constraint"]
        .sel(period=session.state.period, experiment_id="ssp585", estimate="constrained")
    )
    here = view.plume.boxes.data["scenario"].index("SSP5-8.5")
    assert view.plume.boxes.data["high"][here] == pytest.approx(float(found["quantiles"].isel(quantile=-1)))
    session.choose(region="arctic")
    assert "what is shown is raw" in view.head.object
    session.choose(region="global", range="raw")


def test_an_answer_that_is_not_there_says_why(session):
    view = shown(session, view="why", answer="sensitivity")
    assert "No answer: the study asks for no sensitivity; add [sensitivity] to it" in view.tables.object
    assert not view.taken.panel.visible
    session.choose(answer="constraint", base="1995-2014")
    assert "made against 1850-1900" in view.tables.object
    session.choose(base="1850-1900")


def test_every_reason_for_leaving_out_is_in_the_trace(session, small_report):
    view = shown(session, view="trace")
    view.search_for("out", "")
    table = view.table()
    assert list(table["reason"]) == [failure.reason for failure in session.results.why(session.state).failures]
    view.search_for("runs", "canesm5 ssp585")
    assert set(view.table()["source_id"]) == {"CanESM5"}
    assert set(view.table()["experiment_id"]) == {"ssp585"}
    assert "<mark>CanESM5</mark>" in view.found.object
    view.search_for("runs", "nothing has these words")
    assert len(view.table()) == 0
    view.search_for("runs", "")


def test_a_failing_view_is_a_sentence(session, monkeypatch, caplog):
    from dashboards.views.spread import SpreadView

    def fail(self):
        raise ZeroDivisionError("secret of the server")

    session.choose(view="trace")
    monkeypatch.setattr(SpreadView, "update", fail)
    session.choose(view="spread", region="arctic")
    assert "could not be shown" in session.status.object
    assert "secret" not in session.status.object
    assert "ZeroDivisionError" in caplog.text
    monkeypatch.undo()
    session.choose(view="spread", region="global")
    assert session.status.object == ""


def test_a_map_projects_cells_where_they_lie():
    from dashboards.drawing.globe import cells_at
    from spread.figures.projection import equal_earth, inverse_equal_earth
    from spread.grids import regular

    grid = regular("5")
    maps = xr.Dataset(
        {"lat_bnds": (("lat", "bnds"), grid.lat_bounds), "lon_bnds": (("lon", "bnds"), grid.lon_bounds)},
        {"lat": grid.lat, "lon": grid.lon},
    )
    lon, lat = np.meshgrid((grid.lon + 180) % 360 - 180, grid.lat)
    back = inverse_equal_earth(*equal_earth(lon, lat))
    np.testing.assert_allclose(back, (lon, lat), atol=1e-9)
    np.testing.assert_array_equal(cells_at(maps, *back), np.arange(lon.size).reshape(lon.shape))
    assert np.isnan(inverse_equal_earth(2.7, 1.3)).all()
    x, y = np.meshgrid(np.linspace(-2.70, 2.70, 900), np.linspace(-1.317, 1.317, 440))
    cells = cells_at(maps, *inverse_equal_earth(x, y))
    # areas keep their size: each cell has pixels in proportion to its area on the sphere
    counts = np.bincount(cells[cells >= 0], minlength=lon.size).reshape(lon.shape).sum(axis=1)
    band = np.diff(np.sin(np.radians(grid.lat_bounds)), axis=1)[:, 0]
    np.testing.assert_allclose(counts / counts.sum(), band / band.sum(), atol=0.002)


def test_hatching_stays_in_its_cells():
    from dashboards.drawing.globe import cells_at, hatch
    from spread.figures.projection import inverse_equal_earth
    from spread.grids import regular

    grid = regular("10")
    classes = np.zeros(grid.shape, dtype=np.int8)
    classes[4, 7] = 1
    maps = xr.Dataset(
        {
            "robustness": (("lat", "lon"), classes, {"flag_meanings": "fine poor", "flag_values": [0, 1]}),
            "lat_bnds": (("lat", "bnds"), grid.lat_bounds), "lon_bnds": (("lon", "bnds"), grid.lon_bounds),
        },
        {"lat": grid.lat, "lon": grid.lon},
    )  # fmt: skip
    for marks, ways in (("////", {1}), ("xxxx", {1, -1})):
        found = {name: np.array(values) for name, values in hatch(maps, {"poor": marks}).items()}
        assert len(found["x0"]) > 3
        middle = inverse_equal_earth((found["x0"] + found["x1"]) / 2, (found["y0"] + found["y1"]) / 2)
        assert set(cells_at(maps, *middle)) == {4 * grid.lon.size + 7}
        assert set(np.sign((found["y1"] - found["y0"]) / (found["x1"] - found["x0"]))) == ways
    assert hatch(maps, {}) == {"x0": [], "y0": [], "x1": [], "y1": []}


def test_the_page_asks_nothing_of_another_host(server):
    text = server.get("")[1]
    assert (
        re.findall(
            r"https?://(?!127\.0\.0\.1|www\.w3\.org)[\w.]+", re.sub(r"<script[^>]*>.*?</script>", "", text, flags=re.S)
        )
        == []
    )
    assert re.findall(r'(?:src|href)="(?:https?:)?//[^"]+"', text) == []


def test_whether_it_is_well_costs_no_page(server):
    before = json.loads(server.get("health")[1])
    assert before["state"] == "ready"
    assert before["reports"] == 2
    assert json.loads(server.get("health")[1])["pages"] == before["pages"]
    assert "small" not in json.dumps(before), "names of reports are not told"


def test_one_page_too_many_is_told_to_come_back(small_report):
    import panel as pn

    from dashboards.app import Page

    full = Page(Shelf([small_report]), maximum_sessions=0).make()
    (said,) = [root for roots in full._render_items.values() for root in roots[0].select(pn.pane.HTML)]
    assert "Too many pages" in said.object


def test_a_hostile_cookie_is_no_theme(small_report, monkeypatch):
    import panel as pn

    from dashboards.app import Page

    monkeypatch.setattr(type(pn.state), "cookies", {"spread-theme": '"><script>'})
    assert Page(Shelf([small_report])).make()._render_variables["theme"] == "light"


def test_the_demo_is_served_when_it_is_asked_to(monkeypatch, tmp_path):
    import spread.__main__ as command

    done = []
    monkeypatch.setattr("spread.demo.make_archive", lambda progress: None)
    monkeypatch.setattr(command, "_report", lambda study, out, *_: done.append(("report", out)) or 0)
    monkeypatch.setattr(
        "spread.commands.serving.serve", lambda reports, arguments: done.append(("serve", *reports)) or 0
    )
    out = tmp_path / "demo-report"
    assert command.main(["demo", "--out", str(out), "--serve"]) == 0
    assert done == [("report", out), ("serve", out)]
    assert command.main(["demo", "--out", str(out)]) == 0
    assert done[2:] == [("report", out)]


def test_a_port_that_is_taken_is_a_sentence(small_report, capsys):
    import socket

    from spread.__main__ import main

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["dashboard", str(small_report), "--port", str(port)]) == 2
    said = capsys.readouterr().err
    assert f"cannot listen on 127.0.0.1:{port}" in said
