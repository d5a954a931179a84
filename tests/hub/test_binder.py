"""What Binder builds agrees with the project, and its scripts do what a session needs."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

REPOSITORY = Path(__file__).resolve().parents[2]
BINDER = REPOSITORY / "binder"
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
SCRIPTS = ("postBuild", "start")
CONDA_NAMES = {"matplotlib-base": "matplotlib"}


def bounds_of_the_project():
    listed = [*PROJECT["dependencies"], *(r for extra in PROJECT["optional-dependencies"].values() for r in extra)]
    found = {}
    for requirement in map(Requirement, listed):
        found.setdefault(requirement.name, []).append(requirement.specifier)
    return found


@pytest.fixture(scope="module")
def environment():
    return yaml.safe_load((BINDER / "environment.yml").read_text(encoding="utf-8"))


def from_conda(environment):
    """Name and bounds of each package that conda installs."""
    parts = [re.match(r"([\w-]+)(.*)", d).groups() for d in environment["dependencies"] if isinstance(d, str)]
    return {name: bounds for name, bounds in parts}


def from_pip(environment):
    (listed,) = (d["pip"] for d in environment["dependencies"] if isinstance(d, dict))
    return listed


def test_nothing_comes_from_a_channel_but_conda_forge(environment):
    assert environment["channels"] == ["conda-forge"]


def test_python_is_the_one_that_is_tested(environment):
    version = from_conda(environment)["python"].lstrip("=")
    assert version == (REPOSITORY / ".python-version").read_text().strip()[:4]
    assert f"{version}.0" in SpecifierSet(PROJECT["requires-python"])


def test_bounds_are_those_of_the_project(environment):
    known = bounds_of_the_project()
    ours = {name: bounds for name, bounds in from_conda(environment).items() if name not in ("python", "pip")}
    for name, bounds in ours.items():
        assert SpecifierSet(bounds) in known[CONDA_NAMES.get(name, name)], name


def test_it_has_what_notebooks_and_launcher_need(environment):
    conda = from_conda(environment)
    assert {"xesmf", "jupyterlab", "jupyter-server-proxy", "pip"} <= set(conda)
    (spread,) = from_pip(environment)
    extras = re.fullmatch(r"-e \.\.\[([\w,]+)\]", spread)[1].split(",")
    assert set(extras) <= set(PROJECT["optional-dependencies"])
    assert {"dashboard", "kernels"} <= set(extras), "the notebooks plot with Panel and simulate with JAX"


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_are_bash_and_may_be_run(name):
    script = BINDER / name
    assert os.access(script, os.X_OK)
    text = script.read_text(encoding="utf-8")
    assert text.startswith("#!/bin/bash\n")
    assert "set -euo pipefail" in text
    subprocess.run(["bash", "-n", str(script)], check=True)


def started(environment, *command):
    """What a command says in a session."""
    clean = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": "/tmp"} | environment
    ran = subprocess.run([BINDER / "start", *command], env=clean, capture_output=True, text=True, check=True)
    return ran.stdout


def test_a_session_has_its_environment():
    said = started({"JUPYTERHUB_SERVICE_PREFIX": "/user/ann/"}, "env")
    told = dict(line.split("=", 1) for line in said.splitlines() if "=" in line)
    assert told["SPREAD_DATA"] == f"{sys.prefix}/share/spread"
    assert told["GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT"] == "false"
    assert told["PANEL_NOTEBOOK_RESOURCES"] == "cdn"
    code = "from distributed.utils import format_dashboard_link; print(format_dashboard_link('10.0.0.1', 8787))"
    assert started({"JUPYTERHUB_SERVICE_PREFIX": "/user/ann/"}, sys.executable, "-c", code).split() == [
        "/user/ann/proxy/8787/status"
    ]


def test_a_session_without_a_hub_and_with_a_will_of_its_own():
    said = started({"SPREAD_DATA": "/data", "PANEL_NOTEBOOK_RESOURCES": "jupyter"}, "env")
    assert "SPREAD_DATA=/data\n" in said
    assert "PANEL_NOTEBOOK_RESOURCES=jupyter\n" in said
    assert "DASK_DISTRIBUTED__DASHBOARD__LINK" not in said


def test_arguments_reach_the_command_as_they_are():
    assert started({}, "printf", "%s|", "a b", "c") == "a b|c|"


def test_the_image_keeps_the_demo_where_sessions_look(tmp_path):
    """The command of postBuild finds a report that is there; that it makes one is the slow test."""
    import spread

    made = tmp_path / f"demo-report-{spread.__version__}"
    (made / "report.zarr").mkdir(parents=True)
    environment = os.environ | {
        "SPREAD_DATA": str(tmp_path), "PYTHONPATH": str(REPOSITORY),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }  # fmt: skip
    ran = subprocess.run([BINDER / "postBuild"], env=environment, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == [str(made)]


@pytest.mark.slow
def test_the_image_is_built_with_the_demo(tmp_path, monkeypatch):
    from dashboards.launcher import demo_report
    from spread import Report

    environment = os.environ | {
        "SPREAD_DATA": str(tmp_path), "SPREAD_CACHE": str(tmp_path / "cache"), "PYTHONPATH": str(REPOSITORY),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }  # fmt: skip
    ran = subprocess.run([BINDER / "postBuild"], env=environment, capture_output=True, text=True, check=True)
    assert "making the synthetic archive: " in ran.stdout, "the log of the build says how far it is"
    monkeypatch.setenv("SPREAD_DATA", str(tmp_path))
    said = []
    assert Report.load(demo_report(said.append)).synthetic
    assert said == [], "the launcher finds it"


def test_repo2docker_renders_it():
    command = shutil.which("jupyter-repo2docker", path=str(Path(sys.executable).parent))
    if command is None:
        pytest.skip("jupyter-repo2docker is not installed: pip install 'cmip-spread[test]'")
    ran = subprocess.run(
        [command, "--no-build", "--debug", str(REPOSITORY)], capture_output=True, text=True, cwd=REPOSITORY
    )
    assert ran.returncode == 0, ran.stderr
    assert "CondaBuildPack" in ran.stdout + ran.stderr or "env update" in ran.stdout
    assert re.search(r'env update .*--file "binder/environment.yml"', ran.stdout)
    assert re.search(r"^RUN \./binder/postBuild$", ran.stdout, flags=re.MULTILINE)
    assert 'ENV R2D_ENTRYPOINT="${REPO_DIR}/binder/start"' in ran.stdout
