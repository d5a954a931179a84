"""Fixtures of all tests: real data where it is, archives made once, a browser, a scheduler that must not run."""

import os
import subprocess
import sys
from pathlib import Path

import dask
import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
CHROMIUM = os.environ.get("SPREAD_CHROMIUM", "/usr/bin/chromium")


@pytest.fixture(scope="module", autouse=True)
def _programs_are_let_go():
    """Programs that a module compiled are not needed by the next; thousands in one process exhaust its memory maps."""
    yield
    if "jax" in sys.modules:
        sys.modules["jax"].clear_caches()


@pytest.fixture(scope="session")
def shared_data():
    """Folder of real data that is not part of the repository."""
    folder = Path(os.environ.get("SPREAD_SHARED_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real data are not here ({folder}); set SPREAD_SHARED_DATA")
    return folder


@pytest.fixture(scope="session")
def atlas_archive(shared_data, tmp_path_factory):
    """Collection of the archive with the real monthly temperatures of 35 CMIP6 models."""
    tool = shared_data.parent / "tools" / "make_atlas_archive.py"
    if not tool.is_file():
        pytest.skip(f"the tool that makes the Atlas archive is not here ({tool})")
    out = tmp_path_factory.mktemp("atlas")
    subprocess.run([sys.executable, str(tool), str(out), "--coarsen", "6"], check=True, capture_output=True)
    return out / "pangeo-cmip6.json"


@pytest.fixture(scope="session")
def demo_home(tmp_path_factory):
    """A folder of this session for what spread makes on first use, so that tests never touch the user's cache."""
    home = tmp_path_factory.mktemp("spread-data")
    before = os.environ.get("SPREAD_DATA")
    os.environ["SPREAD_DATA"] = str(home)
    yield home
    if before is None:
        os.environ.pop("SPREAD_DATA", None)
    else:
        os.environ["SPREAD_DATA"] = before


@pytest.fixture(scope="session")
def small_archive(tmp_path_factory):
    """Collection of five synthetic models, monthly tas of historical and two scenarios."""
    from spread.demo import make_archive

    return make_archive(
        tmp_path_factory.mktemp("small") / "archive",
        models=["CanESM5", "CNRM-CM6-1", "UKESM1-0-LL", "MIROC6", "CAMS-CSM1-0"],
        experiments=["historical", "ssp126", "ssp585"],
        variables=["tas", "areacella", "sftlf"],
    )


@pytest.fixture(scope="session")
def chromium():
    """Headless Chromium."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not Path(CHROMIUM).exists():
        pytest.skip(f"no Chromium at {CHROMIUM}; set SPREAD_CHROMIUM")
    with api.sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )  # fmt: skip
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def artefacts(tmp_path_factory):
    """Where screenshots stay."""
    folder = Path(os.environ.get("SPREAD_ARTEFACTS") or tmp_path_factory.mktemp("screenshots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def nothing_computes():
    """A dask scheduler that fails when anything is computed."""

    def refuse(graph, keys, **kwargs):
        raise AssertionError("something was computed where nothing should be")

    with dask.config.set(scheduler=refuse):
        yield


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """Every test begins with an empty cache of reductions."""
    monkeypatch.setenv("SPREAD_CACHE", str(tmp_path_factory.mktemp("reductions") / "cache"))
