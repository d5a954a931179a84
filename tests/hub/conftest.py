"""A hub, two of its users in a browser, and what they have in their folders."""

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from running_hub import Hub, proxy_command


@pytest.fixture(scope="session")
def demo_report_folder(tmp_path_factory):
    """The demo's report: that of ``SPREAD_DEMO_REPORT``, or one that is made."""
    report = Path(os.environ.get("SPREAD_DEMO_REPORT") or tmp_path_factory.mktemp("demo") / "demo-report")
    if not report.is_dir():
        subprocess.run([sys.executable, "-m", "spread", "demo", "--out", str(report)], check=True, capture_output=True)
    return report


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """A hub whose users serve the reports of their home."""
    pytest.importorskip("jupyterhub", reason="no JupyterHub: pip install 'cmip-spread[hub]'")
    proxy_command()
    if not entry_points(group="jupyter_serverproxy_servers", name="spread"):
        pytest.fail("the entry of the launcher is not installed: pip install -c constraints.txt -e . once more")
    folder = tmp_path_factory.mktemp("hub")
    environment = {
        "SPREAD_REPORTS": "~/*-report",
        "SPREAD_CACHE": str(folder / "cache"),
        "SPREAD_DATA": os.environ.get("SPREAD_DATA") or str(folder / "data"),
    }
    running = Hub(folder, environment)
    yield running
    running.stop()
