"""The container file, as far as it can be looked at without a builder: files, versions, extras and commands exist."""

import json
import re
import tomllib
from fnmatch import fnmatch
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from spread.__main__ import _parser

REPOSITORY = Path(__file__).resolve().parents[2]
FILE = REPOSITORY / "container" / "Dockerfile"
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def steps():
    """Instructions with their arguments, lines put together and comments left out."""
    text = re.sub(r"^\s*#.*\n", "", FILE.read_text(encoding="utf-8"), flags=re.MULTILINE).replace("\\\n", " ")
    return [tuple(line.split(None, 1)) for line in text.splitlines() if line.strip()]


def told(steps, instruction):
    return [rest for name, rest in steps if name == instruction]


def environment(steps):
    return dict(pair.split("=", 1) for rest in told(steps, "ENV") for pair in rest.split())


def test_what_is_copied_is_there_and_reaches_the_builder(steps):
    ignored = (FILE.parent / "Dockerfile.dockerignore").read_text(encoding="utf-8").split()
    assert ignored[0] == "*"
    copied = [rest.split() for rest in told(steps, "COPY") if not rest.startswith("--from")]
    sources = {source for words in copied for source in words[:-1] if not source.startswith("--")}
    assert sources == {entry[1:] for entry in ignored if entry.startswith("!")}
    for source in sources:
        assert (REPOSITORY / source).exists(), source


def test_what_the_build_needs_is_copied_before_it(steps):
    needed = {"pyproject.toml", PROJECT["project"]["readme"], *PROJECT["project"]["license-files"], "constraints.txt"}
    needed |= set(PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])
    needed |= set(PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"])
    before = []
    for name, rest in steps:
        if name == "RUN" and "pip install" in rest:
            break
        before += rest.split() if name == "COPY" else []
    assert needed <= set(before)


def test_python_is_the_one_that_is_tested(steps):
    version = (REPOSITORY / ".python-version").read_text(encoding="utf-8").strip()
    assert {rest.split()[0] for rest in told(steps, "FROM")} == {f"python:{version}-slim"}


def test_extras_exist_and_hold_what_the_image_is_for(steps):
    (extras,) = (rest.split("=")[1].split(",") for rest in told(steps, "ARG") if rest.startswith("EXTRAS="))
    assert set(extras) <= set(PROJECT["project"]["optional-dependencies"])
    assert {"dashboard", "hub", "cluster"} <= set(extras)


def test_nobody_is_root_when_it_runs(steps):
    names = [name for name, _ in steps]
    user = max(place for place, name in enumerate(names) if name == "USER")
    assert steps[user][1] not in ("root", "0")
    assert user < names.index("CMD")
    assert any("useradd" in rest and steps[user][1] in rest for rest in told(steps, "RUN"))


def test_it_serves_by_default_and_what_it_says_is_a_command(steps):
    command = json.loads(told(steps, "CMD")[0])
    assert command[0] in PROJECT["project"]["scripts"]
    arguments = _parser().parse_args(command[1:])
    assert arguments.command == "dashboard"
    assert arguments.address == "0.0.0.0"
    assert told(steps, "EXPOSE") == [str(arguments.port)]
    assert arguments.allow_websocket_origin == [f"localhost:{arguments.port}"]
    assert arguments.reports == [], "those of the environment"


def test_health_is_asked_where_it_is_answered(steps):
    (check,) = told(steps, "HEALTHCHECK")
    command = json.loads(check[check.index("[") :])
    compile(command[2], "healthcheck", "exec")
    port = told(steps, "EXPOSE")[0]
    assert f"'http://127.0.0.1:{port}/health'" in command[2]


def test_the_demo_is_served_from_where_it_was_made(steps):
    import spread

    told_ = environment(steps)
    made = f"{told_['SPREAD_DATA']}/demo-report-{spread.__version__}"
    assert fnmatch(made, told_["SPREAD_REPORTS"])
    assert any("demo_report(print)" in rest for rest in told(steps, "RUN"))
    assert any(told_["SPREAD_DATA"] in rest and "--owner jovyan" in rest for rest in told(steps, "RUN"))


def test_a_hub_finds_its_command():
    if not entry_points(group="console_scripts", name="jupyterhub"):
        pytest.skip("JupyterHub is not installed: pip install 'cmip-spread[hub]'")
    assert entry_points(group="console_scripts", name="jupyterhub-singleuser")
    assert entry_points(group="console_scripts", name="dask")
