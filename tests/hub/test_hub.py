"""A real JupyterHub in headless Chromium: launcher, dashboard, notebook, dask, and the user who stays outside."""

import json
import re
import shutil
import socket
import time
from pathlib import Path

import psutil
import pytest

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
NOTEBOOK = "01-five-minute-plot.ipynb"

CLUSTER = """
from dask.distributed import LocalCluster
from spread.cluster import connected
cluster = LocalCluster(n_workers=1, threads_per_worker=1, processes=False, protocol="tcp", dashboard_address=":0")
with connected(cluster.scheduler_address) as executor:
    print("LINK", executor.dashboard_link)
"""

COLOURS = """() => { const seen = new Set(); let canvases = 0;
  const walk = node => { for (const e of node.children) { if (e.shadowRoot) walk(e.shadowRoot); walk(e);
    if (e.tagName === 'CANVAS' && e.width > 50 && e.height > 50) { canvases += 1;
      const data = e.getContext('2d').getImageData(0, 0, e.width, e.height).data;
      for (let i = 0; i < data.length; i += 4)
        if (data[i + 3] > 200) seen.add(data[i] << 16 | data[i + 1] << 8 | data[i + 2]);
    } } };
  walk(document.body); return [canvases, seen.size] }"""
"""Canvases of the page, in shadow roots too, and how many colours are painted on them."""


# Panel's style sheets are on another host, which may be out of reach: plots do without; the last is JupyterLab's own
ELSEWHERE = re.compile(r"net::ERR_\w+|^Window name candidate")


class User:
    """Somebody who logged in, and everything that the browser complains of."""

    def __init__(self, chromium, hub, name):
        self.hub, self.name = hub, name
        self.home = hub.homes / name
        self.server = f"{hub.url}/user/{name}/"
        self.context = chromium.new_context(viewport={"width": 1280, "height": 900})
        self.context.set_default_timeout(60_000)
        self.page = self.context.new_page()
        self.page.goto(f"{hub.url}/hub/login")
        self.page.get_by_label("Username").fill(name)
        self.page.get_by_label("Password").fill("any")
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url(f"{self.server}lab**", timeout=120_000)

    def cookies(self):
        return "; ".join(f"{c['name']}={c['value']}" for c in self.context.cookies(f"{self.server}spread/ws"))


def watched(page):
    """What a page complains of, and the websockets that it opens with the messages that came."""
    complaints, sockets = [], {}
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))

    def opened(one):
        sockets[one.url] = 0
        one.on("framereceived", lambda frame: sockets.update({one.url: sockets[one.url] + 1}))

    page.on("websocket", opened)
    return complaints, sockets


def settle(page, milliseconds=700):
    page.wait_for_function("() => window.Bokeh && Bokeh.documents.length && Bokeh.documents[0].is_idle")
    page.wait_for_timeout(milliseconds)


@pytest.fixture(scope="module")
def ann(chromium, hub):
    user = User(chromium, hub, "ann")
    yield user
    user.context.close()


@pytest.fixture(scope="module")
def bob(chromium, hub):
    user = User(chromium, hub, "bob")
    yield user
    user.context.close()


@pytest.fixture(scope="module")
def dashboard(ann, demo_report_folder, artefacts):
    """The dashboard, opened from the launcher: first there is no report, then there is one."""
    card = ann.page.locator(".jp-LauncherCard", has_text="spread dashboard")
    card.wait_for()
    assert card.locator("img").evaluate("picture => picture.decode().then(() => picture.naturalWidth)") > 0
    ann.page.screenshot(path=artefacts / "hub-launcher.png")
    with ann.context.expect_page() as opened:
        card.click()
    page = opened.value
    page.wait_for_url(f"{ann.server}spread/")
    page.get_by_text("no report fits it").wait_for()
    page.screenshot(path=artefacts / "hub-no-report.png")
    shutil.copytree(demo_report_folder, ann.home / "demo-report")
    complaints, sockets = watched(page)
    page.reload()
    page.get_by_text("opening the reports").wait_for()
    page.screenshot(path=artefacts / "hub-getting-ready.png")
    page.wait_for_selector("canvas", timeout=180_000)
    settle(page)
    return page, complaints, sockets


def test_the_launcher_opens_the_dashboard_and_a_choice_redraws_it(ann, dashboard, artefacts):
    page, complaints, sockets = dashboard
    assert page.url.startswith(f"{ann.server}spread/")
    mine = [url for url in sockets if url == f"ws://127.0.0.1:{ann.hub.port}/user/ann/spread/ws"]
    assert mine, sockets
    answer = page.locator("#answer")
    before, heard = answer.screenshot(), sockets[mine[0]]
    page.screenshot(path=artefacts / "hub-dashboard.png")
    page.get_by_label("Region", exact=True).select_option(label="Arctic")
    settle(page)
    assert "region=arctic" in page.url
    assert sockets[mine[0]] > heard
    assert answer.screenshot() != before
    assert page.evaluate(COLOURS)[1] > 10
    page.screenshot(path=artefacts / "hub-dashboard-arctic.png")
    with page.expect_download() as taken:
        page.get_by_role("link", name="CSV").first.click()
    assert taken.value.suggested_filename == "demo_spread_arctic.csv"
    assert "CanESM5" in Path(taken.value.path()).read_text(encoding="utf-8").splitlines()[0]
    assert complaints == [], "\n".join(complaints)


def is_the_dashboard_of(user, process):
    try:
        return "dashboards.launcher" in process.cmdline() and process.environ().get("HOME") == str(user.home)
    except psutil.Error:
        return False


def test_nobody_gets_past_the_login_by_a_port(ann, dashboard):
    (process,) = (one for one in psutil.process_iter() if is_the_dashboard_of(ann, one))
    listening = [c for c in process.net_connections("inet") if c.status == psutil.CONN_LISTEN]
    assert listening == []
    folder = Path(process.cmdline()[3]).parent
    assert folder.stat().st_mode & 0o077 == 0


def handshake(hub, path, cookies, origin):
    """Status of the answer to somebody who asks for a websocket."""
    lines = [
        f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{hub.port}", "Upgrade: websocket", "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Protocol: bokeh, none", f"Origin: {origin}", f"Cookie: {cookies}", "", "",
    ]  # fmt: skip
    with socket.create_connection(("127.0.0.1", hub.port), timeout=30) as plain:
        plain.sendall("\r\n".join(lines).encode())
        return int(plain.recv(4096).split()[1])


def test_a_websocket_is_opened_from_the_hubs_own_pages_only(ann, bob, dashboard):
    path = "/user/ann/spread/ws"
    assert handshake(ann.hub, path, ann.cookies(), ann.hub.url) == 101
    assert handshake(ann.hub, path, ann.cookies(), "http://elsewhere.example.org") == 403
    assert handshake(ann.hub, path, ann.cookies(), "http://jupyter") == 403
    assert handshake(ann.hub, path, bob.cookies(), ann.hub.url) == 403
    assert handshake(ann.hub, path, "", ann.hub.url) == 403


def test_another_user_stays_outside(ann, bob, dashboard, chromium, artefacts):
    assert dashboard[0].request.get(f"{ann.server}spread/health").json()["state"] == "ready"
    page = bob.context.new_page()
    answer = page.goto(f"{ann.server}spread/")
    page.screenshot(path=artefacts / "hub-other-user.png")
    assert answer.status in (403, 404)
    assert "model" not in page.locator("body").inner_text().lower()
    for path in ("spread/health", "spread/take?kind=csv", "spread/static/js/bokeh.min.js"):
        got = page.request.get(f"{ann.server}{path}")
        assert got.status == 403 or "/hub/" in got.url, path
        assert "ready" not in got.text()
        assert "Bokeh" not in got.text()
    with chromium.new_context() as nobody:
        page = nobody.new_page()
        page.goto(f"{ann.server}spread/")
        assert page.url.startswith(f"{ann.hub.url}/hub/login")


def kernel_is_there(user, name):
    """Wait until a notebook has a kernel that listens."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        sessions = user.page.request.get(f"{user.server}api/sessions").json()
        if any(one["kernel"]["execution_state"] == "idle" for one in sessions if one["path"] == name):
            return
        user.page.wait_for_timeout(500)
    raise AssertionError(f"{name} has no kernel")


def run_all(user, name):
    """Run a notebook in JupyterLab: its page, what that complained of, and the cells as they were saved."""
    page = user.context.new_page()
    complaints, _ = watched(page)
    page.goto(f"{user.server}lab/tree/{name}")
    kernel_is_there(user, name)
    page.get_by_text("Kernel status: Idle").first.wait_for(state="attached")
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    deadline = time.monotonic() + 400
    while time.monotonic() < deadline:
        page.wait_for_timeout(3000)
        page.keyboard.press("Control+s")
        page.wait_for_timeout(1000)
        cells = [c for c in json.loads((user.home / name).read_text("utf-8"))["cells"] if c["cell_type"] == "code"]
        outputs = [output for cell in cells for output in cell["outputs"]]
        assert [output for output in outputs if output["output_type"] == "error"] == []
        if all(cell["execution_count"] for cell in cells):
            break
    else:
        raise AssertionError(f"{name} was not done in time")
    return page, complaints, outputs


def test_a_notebook_draws_its_plots(ann, artefacts):
    shutil.copy(NOTEBOOKS / NOTEBOOK, ann.home)
    page, complaints, _ = run_all(ann, NOTEBOOK)
    page.get_by_role("heading", name="The numbers").scroll_into_view_if_needed()
    page.locator(".jp-OutputArea canvas").first.wait_for()
    page.get_by_text("could not load resources").wait_for(state="hidden")
    page.wait_for_timeout(1000)
    page.screenshot(path=artefacts / "hub-notebook.png")
    canvases, colours = page.evaluate(COLOURS)
    assert canvases > 0
    assert colours > 10
    assert [text for text in complaints if not ELSEWHERE.search(text)] == []


def test_the_dashboard_of_dask_is_reached_through_the_hub(ann, artefacts):
    import nbformat

    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CLUSTER)])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, ann.home / "cluster.ipynb")
    _, _, outputs = run_all(ann, "cluster.ipynb")
    said = "".join(text for output in outputs for text in output.get("text", ())).split("LINK ")[1].split()[0]
    assert said.startswith("/user/ann/proxy/")
    there = ann.context.new_page()
    complaints, sockets = watched(there)
    assert there.goto(f"{ann.hub.url}{said}").status == 200
    settle(there, 2000)
    there.screenshot(path=artefacts / "hub-dask.png")
    assert there.evaluate(COLOURS)[0] > 0
    assert any(url.startswith(f"ws://127.0.0.1:{ann.hub.port}/user/ann/proxy/") and n for url, n in sockets.items())
    assert complaints == [], "\n".join(complaints)
