"""A JupyterHub of this machine with its proxy, as small as a real one can be: each user's server is a process."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]

CONFIG = """
import os, secrets, sys
c = get_config()
c.JupyterHub.bind_url = "http://127.0.0.1:{port}"
c.JupyterHub.hub_bind_url = "http://127.0.0.1:{hub_port}"
c.JupyterHub.db_url = "sqlite://"
c.JupyterHub.cookie_secret = secrets.token_bytes(32)
c.JupyterHub.authenticator_class = "dummy"
c.JupyterHub.spawner_class = "simple"
c.ConfigurableHTTPProxy.command = ["{proxy}"]
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{proxy_port}"
c.ConfigurableHTTPProxy.auth_token = secrets.token_hex(32)
c.Authenticator.allow_all = True
c.SimpleLocalProcessSpawner.home_dir_template = "{homes}/{{username}}"
c.Spawner.cmd = [sys.executable, "-m", "jupyterhub.singleuser"]
c.Spawner.args = ["--allow-root"] if os.getuid() == 0 else []
c.Spawner.default_url = "/lab"
c.Spawner.start_timeout = c.Spawner.http_timeout = 120
c.Spawner.environment = {environment!r}
"""


def proxy_command() -> str:
    """Where configurable-http-proxy is; without it a test is skipped."""
    found = shutil.which(os.environ.get("SPREAD_HUB_PROXY", "configurable-http-proxy"))
    if found is None:
        pytest.skip(
            "configurable-http-proxy is not here: npm install --prefix FOLDER configurable-http-proxy, and set "
            "SPREAD_HUB_PROXY=FOLDER/node_modules/.bin/configurable-http-proxy"
        )
    return found


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Hub:
    """``jupyterhub`` in a process of its own; whoever names himself is let in."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.homes = folder / "homes"
        self.homes.mkdir(parents=True)
        self.log = folder / "hub.log"
        port, hub_port, proxy_port = free_ports(3)
        self.url = f"http://127.0.0.1:{port}"
        self.port = port
        for_users = {"PYTHONPATH": os.environ.get("PYTHONPATH") or str(REPOSITORY), **environment}
        config = folder / "jupyterhub_config.py"
        config.write_text(
            CONFIG.format(
                port=port, hub_port=hub_port, proxy_port=proxy_port, proxy=proxy_command(), homes=self.homes,
                environment=for_users,
            ),
            encoding="utf-8",
        )  # fmt: skip
        self.process = subprocess.Popen(
            [sys.executable, "-m", "jupyterhub", "--config", str(config)],
            stdout=self.log.open("w"), stderr=subprocess.STDOUT, cwd=folder, start_new_session=True,
        )  # fmt: skip
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(self.said())
            try:
                with urllib.request.urlopen(f"{self.url}/hub/health", timeout=5):
                    return
            except OSError:
                time.sleep(0.3)
        self.stop()
        raise RuntimeError(f"the hub did not start: {self.said()}")

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8")

    def stop(self) -> None:
        """The hub stops the servers of its users and its proxy."""
        self.process.terminate()
        try:
            self.process.wait(40)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)
