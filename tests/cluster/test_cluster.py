"""Clusters: what is meant, calls that are always answered, GPUs."""

import os
import sys
import time

import cloudpickle
import dask
import pytest
from cluster_runs import cluster_here, free_port
from distributed import Client, LocalCluster

from spread.__main__ import main
from spread.cluster import GPU, accelerated, calls, connected, place
from spread.errors import NotFound, SpreadError

# workers cannot import this module
cloudpickle.register_pickle_by_value(sys.modules[__name__])

# dask-gateway 2026.3 closes what is closed when it is let go
pytestmark = pytest.mark.filterwarnings("ignore:Exception ignored in.*Gateway:pytest.PytestUnraisableExceptionWarning")


# what is meant


@pytest.mark.parametrize(
    ("where", "kind", "target"),
    [
        ("local", "local", ""),
        ("cuda", "cuda", ""),
        ("tcp://127.0.0.1:8786", "address", "tcp://127.0.0.1:8786"),
        ("tls://scheduler:8786", "address", "tls://scheduler:8786"),
        ("/shared/scheduler.json", "file", "/shared/scheduler.json"),
        ("gateway:06906a35623b4bcf", "running gateway cluster", "06906a35623b4bcf"),
    ],
)
def test_what_is_meant(where, kind, target):
    found = place(where)
    assert (found.kind, found.target, found.workers) == (kind, target, None)


def test_a_cluster_that_is_started_has_as_many_workers_as_are_said():
    assert place("slurm", "8").workers == (8, 8)
    assert place("kubernetes", "2-20").workers == (2, 20)
    assert place("local", 3).workers == (3, 3)
    gateway = place("gateway:https://hub.example.org/services/dask-gateway", 4)
    assert gateway.kind == "gateway"
    assert gateway.options == {"address": "https://hub.example.org/services/dask-gateway"}


@pytest.mark.parametrize(
    ("where", "workers", "said"),
    [
        ("slrum", None, "did you mean 'slurm'"),
        ("gateway:", None, "means nothing"),
        ("127.0.0.1:8786", None, "tcp://HOST:PORT"),
        ("slurm", None, "say how many workers"),
        ("slurm", "0", "expected a number of workers"),
        ("slurm", "many", "expected a number of workers"),
        ("slurm", "20-2", "expected a number of workers"),
        ("slurm", "1-2-3", "expected a number of workers"),
        ("tcp://127.0.0.1:8786", "4", "runs already"),
        ("gateway:06906a35623b4bcf", 4, "runs already"),
    ],
)
def test_what_means_nothing_is_refused(where, workers, said):
    with pytest.raises(NotFound, match=said):
        place(where, workers)


def test_a_cluster_described_in_a_file(tmp_path):
    file = tmp_path / "queue.toml"
    file.write_text('kind = "slurm"\nworkers = [2, 20]\npatience = 3600\n[options]\ncores = 8\nmemory = "32GB"\n')
    found = place(str(file))
    assert (found.kind, found.workers, found.patience) == ("slurm", (2, 20), 3600.0)
    assert found.options == {"cores": 8, "memory": "32GB"}
    assert place(str(file), 3).workers == (3, 3)


def test_a_file_is_refused_with_all_its_breaches(tmp_path):
    file = tmp_path / "queue.toml"
    file.write_text('kind = "slrum"\nworker = 2\npatience = -1\noptions = 3\n')
    with pytest.raises(NotFound) as refused:
        place(str(file))
    for said in ("did you mean 'slurm'", "did you mean 'workers'", "patience is -1", "options is 3"):
        assert said in str(refused.value)
    file.write_text("kind = ")
    with pytest.raises(NotFound, match=r"queue.toml: "):
        place(str(file))
    with pytest.raises(NotFound, match="No such file"):
        place(str(tmp_path / "absent.toml"))


def test_a_package_that_is_absent_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "dask_kubernetes", None)
    monkeypatch.setitem(sys.modules, "dask_kubernetes.operator", None)
    with (
        pytest.raises(NotFound, match=r"scheduler kubernetes needs dask-kubernetes: .*pip install"),
        connected("kubernetes", 2),
    ):
        pass


def test_nobody_at_an_address(tmp_path):
    with (
        pytest.raises(NotFound, match=r"no answer within 0.5 s"),
        connected(f"tcp://127.0.0.1:{free_port()}", None, 0.5),
    ):
        pass
    file = tmp_path / "scheduler.json"
    with pytest.raises(NotFound, match="dask scheduler --scheduler-file"), connected(str(file), None, 0.2):
        pass
    file.write_text("{")
    with pytest.raises(NotFound, match="not written within"), connected(str(file), None, 0.2):
        pass


def test_no_gateway(monkeypatch):
    pytest.importorskip("dask_gateway", reason="dask-gateway is not installed")
    address = f"http://127.0.0.1:{free_port()}"
    with dask.config.set({"gateway.address": address}):
        for where, workers in (("gateway:some-cluster", None), ("gateway", 2)):
            with pytest.raises(NotFound, match="no cluster can be had"), connected(where, workers):
                pass


def test_workers_of_what(tmp_path, capsys):
    (tmp_path / "study.toml").write_text('catalog = "demo"\n')
    assert main(["run", str(tmp_path / "study.toml"), "--out", str(tmp_path / "out"), "--workers", "3"]) == 2
    assert "of what cluster" in capsys.readouterr().err
    assert main(["run", str(tmp_path / "study.toml"), "--out", str(tmp_path / "out"), "--scheduler", "slrum"]) == 2
    assert "did you mean 'slurm'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


# calls in a small cluster of this process


def test_calls_are_answered_and_withdrawn():
    with cluster_here() as cluster, connected(cluster.scheduler_address) as executor:
        assert executor.submit(pow, 2, 5).result() == 32
        with pytest.raises(ZeroDivisionError):
            executor.submit(divmod, 1, 0).result()
        assert list(executor.map(abs, [-1, -2, -3])) == [1, 2, 3]
        slow, waiting = executor.submit(time.sleep, 0.3), executor.submit(time.sleep, 60)
        assert waiting.cancel()
        assert slow.result() is None
        kept = executor
    with pytest.raises(RuntimeError, match="after shutdown"):
        kept.submit(abs, -1)


def test_what_is_under_way_in_the_end_is_withdrawn():
    with cluster_here() as cluster:
        begun = time.monotonic()
        with connected(cluster.scheduler_address) as executor:
            left = [executor.submit(time.sleep, 1) for _ in range(30)]
        assert all(future.cancelled() for future in left)
        assert time.monotonic() - begun < 10


def test_the_client_is_nobodys_default():
    with (
        cluster_here() as cluster,
        connected(cluster.scheduler_address),
        pytest.raises(ValueError, match="No clients found"),
    ):
        Client.current()


def test_a_scheduler_without_workers_is_refused():
    with (
        cluster_here(n_workers=0) as cluster,
        pytest.raises(NotFound, match=r"no worker for 0.5 s; start one with `dask worker inproc"),
        connected(cluster.scheduler_address, timeout=0.5),
    ):
        pass


def test_patience_ends_where_the_last_worker_went():
    with cluster_here() as cluster, connected(cluster.scheduler_address) as executor:
        executor.patience = 0.5
        cluster.scale(0)
        while executor.workers():
            time.sleep(0.05)
        with pytest.raises(NotFound, match=r"no worker for 0.5 s"):
            executor.submit(abs, -1).result(timeout=10)
        cluster.scale(1)
        assert executor.submit(abs, -1).result(timeout=10) == 1


def test_another_version_on_a_worker_is_refused():
    sealed = cloudpickle.dumps((abs, (-1,), {}))
    assert calls.opened(sealed, calls.__version__) == 1
    with pytest.raises(SpreadError, match=r"worker has spread .*, 0\.0 is expected"):
        calls.opened(sealed, "0.0")


def test_a_call_is_opened_in_an_environment_that_is_in_order(monkeypatch):
    class Look:
        def __init__(self):
            self.seen = None

        def __setstate__(self, state):
            self.seen = os.environ.get("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT")

        def __getstate__(self):
            return {"sealed": True}

    monkeypatch.delenv("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", raising=False)
    assert calls.opened(cloudpickle.dumps((lambda look: look.seen, (Look(),), {})), calls.__version__) == "false"


def test_without_a_gpu_work_is_on_cpus_and_says_so():
    with cluster_here(n_workers=2) as cluster, connected(cluster.scheduler_address) as executor:
        found = accelerated(executor)
        assert not found.on_gpu
        assert "none of its 2 workers has a GPU" in found.statement
        assert "on their CPUs" in found.statement
        assert found.executor.submit(abs, -1).result() == 1


def test_a_resource_that_no_worker_has_is_refused_before_anything_is_sent(monkeypatch):
    with cluster_here(resources={"disk": 2.0}) as cluster, connected(cluster.scheduler_address) as executor:
        monkeypatch.setattr(Client, "submit", None)
        with pytest.raises(NotFound, match=r"none of its 1 workers has a GPU .*and one is required.*--resources"):
            accelerated(executor, require_gpu=True)
        with pytest.raises(NotFound, match=r"no worker has GPU=1; its workers offer disk=2; start one with"):
            executor.with_resources(GPU)
        with pytest.raises(NotFound, match=r"no worker has disk=3"):
            executor.with_resources({"disk": 3})


def where_it_ran(number):
    from distributed import get_worker

    time.sleep(0.02)
    return get_worker().name


def test_accelerated_calls_run_where_the_gpu_is():
    with cluster_here(n_workers=1) as cluster:
        cluster.worker_spec["gpu"] = {
            "cls": cluster.worker_spec[0]["cls"],
            "options": cluster.worker_spec[0]["options"] | {"resources": {"GPU": 1}},
        }
        cluster.sync(cluster._correct_state)
        with connected(cluster.scheduler_address) as executor:
            while len(executor.workers()) < 2:
                time.sleep(0.05)
            found = accelerated(executor, require_gpu=True)
            assert found.on_gpu
            assert found.gpus == 1
            assert "1 of its 2 workers offer a GPU (1 in all): the work runs there" in found.statement
            assert set(found.executor.map(where_it_ran, range(20))) == {"gpu"}
            assert set(executor.map(where_it_ran, range(20))) == {"gpu", 0}


def test_a_gpu_that_goes_is_not_waited_for_for_ever():
    with cluster_here(resources={"GPU": 1}) as cluster, connected(cluster.scheduler_address) as executor:
        there = accelerated(executor).executor
        there.patience = 0.5
        cluster.scale(0)
        while executor.workers():
            time.sleep(0.05)
        with pytest.raises(NotFound, match=r"no worker with GPU=1 for 0.5 s"):
            there.submit(abs, -1).result(timeout=10)


def test_a_cluster_that_cannot_be_closed_does_not_cost_the_answer(monkeypatch, tmp_path):
    def close(self, timeout=None):
        real(self, timeout)
        raise RuntimeError("the queue does not answer")

    (tmp_path / "small.toml").write_text('kind = "local"\nworkers = 1\noptions = {processes = false}\n')
    real = LocalCluster.close
    monkeypatch.setattr(LocalCluster, "close", close)
    with (
        pytest.warns(UserWarning, match="scheduler .*small.toml: its shutdown failed: .*the queue does not answer"),
        connected(str(tmp_path / "small.toml")) as executor,
    ):
        assert executor.submit(abs, -1).result() == 1
