"""What the page on deployment says is what the code does: variables, commands, files and numbers."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest

from spread.__main__ import _parser
from spread.cluster import place
from spread.study import Study

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = (REPOSITORY / "docs" / "deployment.md").read_text(encoding="utf-8")
FILES = [path for folder in ("spread", "dashboards") for path in (REPOSITORY / folder).rglob("*.py")]
SOURCES = "\n".join(path.read_text(encoding="utf-8") for path in FILES)
OF_TESTS = {"SPREAD_CHROMIUM", "SPREAD_SHARED_DATA", "SPREAD_SKILL"}  # screenshots, calibration; the last is a constant


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


def test_every_variable_is_explained_and_every_one_explained_is_read():
    read = set(re.findall(r"\bSPREAD_[A-Z0-9_]+\b", SOURCES)) - OF_TESTS
    table = PAGE[PAGE.index("## Environment") : PAGE.index("## Binder")]
    assert set(re.findall(r"^\| `(SPREAD_[A-Z0-9_]+)`", table, flags=re.MULTILINE)) == read
    for name in ("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "JUPYTERHUB_SERVICE_PREFIX"):
        assert name in table
        assert name in SOURCES


@pytest.mark.parametrize("line", [
    line for block in blocks("bash") for line in block.splitlines() if line.startswith("spread ")
])  # fmt: skip
def test_commands_are_understood(line):
    arguments = _parser().parse_args(shlex.split(line)[1:])
    assert arguments.command == "dashboard"


def test_places_and_studies_are_understood(tmp_path):
    gateway, storage = blocks("toml")
    (tmp_path / "cluster.toml").write_text(gateway)
    found = place(str(tmp_path / "cluster.toml"))
    assert (found.kind, found.workers) == ("gateway", (2, 20))
    study = Study.make(name="private", **tomllib.loads(storage))
    assert study.storage_options == {"gs": {"token": "google_default"}}
    assert "google_default" not in repr(study), "credentials are not shown"


def test_python_runs():
    for block in blocks("python"):
        compile(block, "deployment.md", "exec")
    from spread import cluster

    assert {"accelerated", "connected"} <= set(cluster.__all__)


def test_limits_are_those_of_the_server():
    app = pytest.importorskip("dashboards.app", reason="the dashboard needs Panel")
    assert f"{app.MAXIMUM_SESSIONS} pages at once" in PAGE
    assert app.MAXIMUM_MESSAGE == 1 << 20
    assert "Messages above 1 MiB" in PAGE
    assert app.MAXIMUM_REQUEST == 64 << 10
    assert "bodies above 64 KiB" in PAGE


def test_files_that_are_named_are_there():
    for name in ("container/Dockerfile", "constraints.txt", "binder", "notebooks", "tests/hub"):
        assert name in PAGE
        assert (REPOSITORY / name).exists()
    for link in re.findall(r"\]\((\.\./[\w/.-]+)\)", PAGE):
        assert (REPOSITORY / "docs" / link).resolve().exists()
    for notebook in re.findall(r"notebooks/([\w-]+\.ipynb)", PAGE):
        assert (REPOSITORY / "notebooks" / notebook).is_file()
