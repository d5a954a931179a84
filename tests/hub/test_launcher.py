"""The entry in JupyterLab's launcher: what it starts, which reports it serves, and the page until they are there."""

import http.client
import io
import json
import os
import socket
import subprocess
import sys
import threading
import time
import tomllib
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from dashboards import launcher
from dashboards.launcher import ORIGIN, demo_report, listed_emulator, listed_reports, serve_under_jupyter
from dashboards.waiting import Waiting
from spread.errors import NotFound
from spread.progress import bars

REPOSITORY = Path(__file__).resolve().parents[2]


def test_the_entry_point_is_declared():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    module, _, name = project["entry-points"]["jupyter_serverproxy_servers"]["spread"].partition(":")
    assert getattr(sys.modules[module], name) is serve_under_jupyter


def test_it_is_described_without_panel_and_without_jupyter():
    code = """
import sys
for name in ("panel", "jupyter_server", "jupyter_server_proxy", "jupyterhub", "numpy"):
    sys.modules[name] = None
from dashboards.launcher import serve_under_jupyter
print(serve_under_jupyter()["launcher_entry"]["title"])
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY)
    assert ran.stdout.strip() == "spread dashboard", ran.stderr


def test_jupyter_server_proxy_takes_it():
    config = pytest.importorskip("jupyter_server_proxy.config", reason="jupyter-server-proxy is not installed")
    process = config.ServerProcess(name="spread", **serve_under_jupyter())
    assert process.launcher_entry.path_info == "spread/"
    assert process.absolute_url
    assert process.unix_socket is True, "a port would be open to every user of the machine"
    assert process.timeout >= 30
    assert process.command[-2:] == ["--prefix", "{base_url}spread"]


def test_what_lies_in_the_home_folder_takes_no_library_s_place(tmp_path):
    (tmp_path / "random.py").write_text("raise SystemExit(9)\n")
    entry = serve_under_jupyter()
    command = [part.format(unix_socket="x.sock", base_url="/") for part in entry["command"]] + ["--help"]
    for environment, code in ((entry["environment"], 0), ({}, 9)):
        ran = subprocess.run(command, cwd=tmp_path, env=os.environ | environment, capture_output=True, text=True)
        assert ran.returncode == code, ran.stderr


def test_the_icon_is_a_picture():
    path = Path(serve_under_jupyter()["launcher_entry"]["icon_path"])
    root = ElementTree.parse(path).getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert len(list(root)) >= 2


def test_without_panel_there_is_no_entry(monkeypatch):
    assert serve_under_jupyter()["launcher_entry"]["enabled"]
    monkeypatch.setattr(launcher, "find_spec", lambda name: None)
    assert not serve_under_jupyter()["launcher_entry"]["enabled"]


# reports


@pytest.fixture
def folders(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("b-report", "a-report"):
        (tmp_path / name / "report.zarr").mkdir(parents=True)
    (tmp_path / "empty-report").mkdir()
    return tmp_path


def test_reports_are_those_that_are_listed(folders, monkeypatch):
    monkeypatch.setenv("SPREAD_REPORTS", f"{folders}/b-report:~/*-report:/no/such")
    assert listed_reports() == [folders / "b-report", folders / "a-report", Path("/no/such")]


@pytest.mark.parametrize("nothing", [None, "", " : "])
def test_nothing_is_listed(nothing, monkeypatch):
    monkeypatch.delenv("SPREAD_REPORTS", raising=False)
    if nothing is not None:
        monkeypatch.setenv("SPREAD_REPORTS", nothing)
    assert listed_reports() == []


def test_a_pattern_that_no_report_fits_is_named(folders):
    with pytest.raises(NotFound, match=r"\$SPREAD_REPORTS is '~/\*-study', and no report fits it"):
        listed_reports("~/*-study")


def test_the_command_line_serves_what_is_listed(folders, monkeypatch, capsys):
    from spread.__main__ import main

    monkeypatch.setenv("SPREAD_REPORTS", f"{folders}/none")
    assert main(["dashboard"]) == 2
    assert str(folders / "none") in capsys.readouterr().err
    monkeypatch.delenv("SPREAD_REPORTS")
    assert main(["dashboard"]) == 2
    assert "no report is given" in capsys.readouterr().err


def test_the_emulator_that_is_listed_is_served_with_what_is_listed(folders, monkeypatch):
    from spread.__main__ import main

    told = []
    monkeypatch.setattr("spread.commands.serving.serve", lambda reports, arguments: told.append(arguments) or 0)
    for name in ("REPORTS", "EVALUATION"):
        monkeypatch.delenv(f"SPREAD_{name}", raising=False)
    assert listed_emulator() == {}
    monkeypatch.setenv("SPREAD_EMULATOR", "~/tas.safetensors")
    assert listed_emulator() == {"emulator": Path("~/tas.safetensors").expanduser()}
    monkeypatch.setenv("SPREAD_EVALUATION", "/judged")
    assert main(["dashboard", "--evaluation", "mine"]) == 0
    assert (told[0].emulator, told[0].evaluation) == (Path("~/tas.safetensors").expanduser(), Path("mine"))
    assert main(["dashboard", "a-report"]) == 0
    assert told[1].emulator is None, "what is asked for is all that is served"


def test_the_demo_is_made_once(tmp_path, monkeypatch):
    import spread

    monkeypatch.setenv("SPREAD_DATA", str(tmp_path))
    made = tmp_path / f"demo-report-{spread.__version__}"
    (made / "report.zarr").mkdir(parents=True)
    said = []
    assert demo_report(said.append) == made
    assert said == []


def test_a_demo_that_cannot_be_made_says_why(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("SPREAD_DATA", str(tmp_path / "file"))
    said = []
    with pytest.raises(NotFound, match=r"the demo's report could not be made: .*file"):
        demo_report(said.append)
    assert said[0].startswith("making the synthetic demo")


def test_progress_in_lines(monkeypatch):
    monkeypatch.setenv("SPREAD_PROGRESS", "lines")
    stream = io.StringIO()
    with bars(stream) as show:
        for done in range(1, 6):
            show("reading", done, 5)
    assert stream.getvalue() == "reading: 1 of 5\nreading: 5 of 5\n"
    monkeypatch.delenv("SPREAD_PROGRESS")
    silent = io.StringIO()
    with bars(silent) as show:
        show("reading", 1, 5)
    assert silent.getvalue() == ""


# the page that waits


class Connection(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.host)


@pytest.fixture
def waiting(tmp_path):
    page = Waiting(tmp_path / "socket", "/user/ann/spread")
    yield page
    if not page.closed:
        page.close()


def get(waiting, path):
    connection = Connection(waiting._server.server_address, timeout=10)
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def test_the_page_is_there_at_once_and_says_how_far_it_is(waiting):
    status, page = get(waiting, "/user/ann/spread/?view=maps")
    assert status == 200
    assert "getting ready" in page
    assert "//" not in page.replace("http://www.w3.org", "").split("<script>")[0], "nothing comes from another host"
    waiting.say("making the synthetic archive: 30 of 120")
    state = json.loads(get(waiting, "/user/ann/spread/health")[1])
    assert state == {"state": "waiting", "words": "making the synthetic archive: 30 of 120", "share": 0.25}
    assert get(waiting, "/user/ann/spread/static/x.js")[0] == 503


def test_a_failure_is_shown_until_somebody_looks_again(waiting):
    failed = threading.Thread(target=waiting.fail, args=("There is no report",), daemon=True)
    failed.start()
    deadline = time.monotonic() + 10
    while waiting.state["state"] != "failed" and time.monotonic() < deadline:
        time.sleep(0.01)
    state = json.loads(get(waiting, "/user/ann/spread/health")[1])
    assert state["words"] == "There is no report. Reload this page to try again."
    failed.join(0.2)
    assert failed.is_alive(), "asking how it is does not start anything"
    get(waiting, "/user/ann/spread/")
    failed.join(10)
    assert not failed.is_alive()
    assert waiting.state["words"] == "trying again"


def test_the_socket_is_let_go(waiting):
    where = waiting._server.server_address
    waiting.close()
    with pytest.raises(ConnectionRefusedError):
        Connection(where).connect()


def test_websockets_are_open_to_what_jupyter_let_through_only(tmp_path):
    app = pytest.importorskip("dashboards.app", reason="the dashboard needs Panel")
    told = app.options("127.0.0.1", 5006, [ORIGIN], "/user/ann/spread", unix_socket=tmp_path / "socket")
    assert told["websocket_origin"] == [ORIGIN]
    assert told["unix_socket"] == str(tmp_path / "socket")
    assert not {"address", "port"} & set(told)
    assert serve_under_jupyter()["request_headers_override"] == {"Origin": f"http://{ORIGIN}"}
