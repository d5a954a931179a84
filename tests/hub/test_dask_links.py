"""Links to dask's dashboard lead through the user's server on a hub, and are the user's own where one is configured."""

import dask
import distributed
import pytest

from spread.cluster import connected, link_through_hub

LINK = "distributed.dashboard.link"
PLAIN = "{scheme}://{host}:{port}/status"


@pytest.fixture(autouse=True)
def plain_link():
    with dask.config.set({LINK: PLAIN}):
        yield


@pytest.fixture
def on_a_hub(monkeypatch):
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/ann/")


@pytest.fixture(scope="module")
def scheduler():
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, protocol="tcp", dashboard_address="127.0.0.1:0"
    ) as cluster:
        yield cluster


def test_the_link_leads_through_the_hub(on_a_hub, scheduler):
    port = scheduler.scheduler_info["services"]["dashboard"]
    with connected(scheduler.scheduler_address) as executor:
        assert executor.dashboard_link == f"/user/ann/proxy/{port}/status"


def test_without_a_hub_it_is_the_address(scheduler, monkeypatch):
    monkeypatch.delenv("JUPYTERHUB_SERVICE_PREFIX", raising=False)
    port = scheduler.scheduler_info["services"]["dashboard"]
    with connected(scheduler.scheduler_address) as executor:
        assert executor.dashboard_link == f"http://127.0.0.1:{port}/status"


def test_the_users_link_stays(on_a_hub):
    with dask.config.set({LINK: "https://dask.example.org/{port}"}):
        link_through_hub()
        assert dask.config.get(LINK) == "https://dask.example.org/{port}"


def test_the_link_that_is_replaced_is_that_of_dask():
    (defaults,) = (d for d in dask.config.defaults if "distributed" in d)
    assert defaults["distributed"]["dashboard"]["link"] == PLAIN
