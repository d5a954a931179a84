"""The browser itself keeps a page from asking another host for anything, or from telling it something."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

pytestmark = pytest.mark.browser

ASK = """async url => {
  const said = [];
  addEventListener("securitypolicyviolation", event => said.push(event.effectiveDirective));
  await fetch(url).catch(() => null);
  await new Promise(done => { const image = new Image(); image.onload = image.onerror = done; image.src = url });
  const script = document.createElement("script");
  await new Promise(done => { script.onload = script.onerror = done; script.src = url; document.head.append(script) });
  const form = document.createElement("form");
  form.action = url; document.body.append(form); form.submit();
  await new Promise(done => setTimeout(done, 300));
  return said;
}"""


@pytest.fixture
def other():
    """Another host: its address, and what was asked of it."""
    asked = []

    class Listener(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *words):
            pass

    listener = ThreadingHTTPServer(("127.0.0.2", 0), Listener)
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    yield f"http://127.0.0.2:{listener.server_port}", asked
    listener.shutdown()


def test_a_page_tells_another_host_nothing(chromium, server, other):
    address, asked = other
    context = chromium.new_context()
    page = context.new_page()
    errors = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.goto(server.url)
    page.wait_for_selector("canvas", timeout=60_000)
    page.wait_for_function("() => window.Bokeh && Bokeh.documents[0].is_idle")
    assert errors == []
    said = page.evaluate(ASK, f"{address}/told?what=secret")
    assert set(said) >= {"connect-src", "img-src", "script-src-elem", "form-action"}
    assert page.url.startswith(server.url)
    assert asked == []
    context.close()
