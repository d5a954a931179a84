"""The browser itself keeps a page from asking another host for anything, or from telling it something."""

import socket

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


def test_a_page_tells_another_host_nothing(chromium, server):
    with socket.create_server(("127.0.0.2", 0)) as other:
        other.setblocking(False)
        context = chromium.new_context()
        page = context.new_page()
        errors = []
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.goto(server.url)
        page.wait_for_selector("canvas", timeout=60_000)
        page.wait_for_function("() => window.Bokeh && Bokeh.documents[0].is_idle")
        assert errors == []
        said = page.evaluate(ASK, f"http://127.0.0.2:{other.getsockname()[1]}/told?what=secret")
        assert set(said) >= {"connect-src", "img-src", "script-src-elem", "form-action"}
        assert page.url.startswith(server.url)
        with pytest.raises(BlockingIOError):
            other.accept()
        context.close()
