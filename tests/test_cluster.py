"""Clusters: what is meant, calls that are always answered, GPUs; then real schedulers, killed workers, queues."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from concurrent.futures import Executor, as_completed
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import cloudpickle
import dask
import psutil
import pytest
import xarray as xr
from distributed import Client, LocalCluster

from spread import flow
from spread.__main__ import main
from spread.cluster import GPU, accelerated, calls, connected, place
from spread.errors import NotFound, SpreadError
from spread.study import Study

# workers cannot import this module
cloudpickle.register_pickle_by_value(sys.modules[__name__])

# dask-gateway 2026.3 closes what is closed when it is let go
pytestmark = pytest.mark.filterwarnings("ignore:Exception ignored in.*Gateway:pytest.PytestUnraisableExceptionWarning")

DASK = str(Path(sys.executable).parent / "dask")


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


@contextmanager
def cluster_here(n_workers=1, **options):
    options = {"processes": False, "threads_per_worker": 1, "dashboard_address": None} | options
    with LocalCluster(n_workers=n_workers, **options) as cluster:
        yield cluster


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
    assert calls._opened(sealed, calls.__version__) == 1
    with pytest.raises(SpreadError, match=r"worker has spread .*, 0\.0 is expected"):
        calls._opened(sealed, "0.0")


def test_a_call_is_opened_in_an_environment_that_is_in_order(monkeypatch):
    class Look:
        def __init__(self):
            self.seen = None

        def __setstate__(self, state):
            self.seen = os.environ.get("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT")

        def __getstate__(self):
            return {"sealed": True}

    monkeypatch.delenv("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", raising=False)
    assert calls._opened(cloudpickle.dumps((lambda look: look.seen, (Look(),), {})), calls.__version__) == "false"


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


# real processes


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def marked(marker):
    """Processes that were started with a marker in their environment."""
    found = []
    for process in psutil.process_iter():
        try:
            # the tracker of multiprocessing lives as long as the tests
            if marker in process.environ().get("PYTHONPATH", "") and "resource_tracker" not in str(process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found


@pytest.fixture
def processes(tmp_path, monkeypatch):
    """Starts processes; kills them in the end with all they have started, and sees to it that nobody is left."""
    marker = str(tmp_path / "marker")
    monkeypatch.setenv("PYTHONPATH", marker)
    monkeypatch.delenv("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", raising=False)
    monkeypatch.chdir(tmp_path)
    started = []

    def start(*command, log="processes.log", **options):
        with open(tmp_path / log, "ab") as out:
            process = subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True, **options)
        started.append(process)
        return process

    yield start
    deadline = time.monotonic() + 15
    while marked(marker) and time.monotonic() < deadline:
        for process in started:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        for process in started:
            process.wait(10)
        time.sleep(0.2)
    left = marked(marker)
    for process in left:
        process.kill()
    assert left == []


@pytest.fixture
def scheduler(processes, tmp_path):
    """The file of a scheduler of its own, and a way to add workers."""
    file = tmp_path / "scheduler.json"
    local = ("--scheduler-file", str(file))
    process = processes(DASK, "scheduler", *local, "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-show")

    def worker(nanny=True, *more):
        options = ("--nthreads", "1", "--no-dashboard", "--nanny" if nanny else "--no-nanny")
        return processes(DASK, "worker", *local, "--host", "127.0.0.1", *options, *more)

    worker.scheduler = process
    return file, worker


@pytest.fixture(scope="module")
def study(small_archive):
    return Study.make(catalog=str(small_archive), experiments=["ssp126", "ssp585"], regions=["global", "land"])


@pytest.fixture(scope="module")
def without_a_cluster(study):
    return flow.run(study)


def assert_the_same_bits(report, expected):
    xr.testing.assert_identical(report.members, expected.members)
    xr.testing.assert_identical(report.across, expected.across)
    assert report.failures == expected.failures


class Slowed(Executor):
    """Another executor, on which each call takes longer and leaves the name of its process in a folder."""

    def __init__(self, executor, folder, seconds, victim=None):
        self.executor, self.folder, self.seconds, self.victim = executor, folder, seconds, victim
        self.submitted = 0
        folder.mkdir()

    def submit(self, fn, row):
        self.submitted += 1
        return self.executor.submit(slowly, self.folder, self.seconds, self.victim, fn, row)

    def busy(self, *among):
        """A process that is in the middle of a call just now."""
        while True:
            pids = {int(file.name.split("-")[0]) for file in self.folder.glob("*.begun")}
            for pid in pids & set(among) if among else pids:
                return pid
            time.sleep(0.02)

    def seen(self):
        return {int(file.name.split("-")[0]) for file in self.folder.iterdir()}

    def repeated(self):
        return len(list(self.folder.iterdir())) - self.submitted


def slowly(folder, seconds, victim, fn, row):
    begun = folder / f"{os.getpid()}-{uuid4()}.begun"
    begun.touch()
    time.sleep(seconds)
    begun.rename(begun.with_suffix(".slept"))
    if victim is not None and victim in row.name:
        os.kill(os.getpid(), signal.SIGKILL)
    return fn(row)


class Once:
    """A progress that does something after the first dataset, and takes the time from then on."""

    def __init__(self, action):
        self.action, self.at = action, None

    def __call__(self, stage, done, total):
        if stage == "reading" and self.at is None:
            self.at = time.monotonic()
            self.action()

    @property
    def since(self):
        return time.monotonic() - self.at


@pytest.mark.slow
def test_a_run_on_local_processes(study, without_a_cluster, processes):
    with connected("local", 2) as executor:
        report = flow.run(study, executor)
        assert len(executor.workers()) == 2
    assert_the_same_bits(report, without_a_cluster)


@pytest.mark.slow
@pytest.mark.parametrize("nanny", [True, False])
def test_a_worker_killed_while_it_reads_changes_nothing(nanny, scheduler, study, without_a_cluster, tmp_path):
    file, worker = scheduler
    workers = [worker(nanny), worker(nanny)]
    with connected(str(file), timeout=60) as executor:
        while len(executor.workers()) < 2:
            time.sleep(0.1)
        slowed = Slowed(executor, tmp_path / "seen", 0.4)
        # the process that works: behind a nanny that starts it again, or the worker itself, which is gone for good
        kill = Once(lambda: os.kill(slowed.busy() if nanny else slowed.busy(workers[0].pid), signal.SIGKILL))
        report = flow.run(study, slowed, kill)
        print(f"\nkilled with nanny={nanny}: done {kill.since:.1f} s later, {slowed.repeated()} repeated")
    assert_the_same_bits(report, without_a_cluster)
    assert slowed.repeated(), "nothing was under way on the worker that was killed"


@pytest.mark.slow
def test_a_worker_that_joins_is_used(scheduler, study, without_a_cluster, tmp_path):
    file, worker = scheduler
    first = worker(False)
    with connected(str(file), timeout=60) as executor:
        slowed = Slowed(executor, tmp_path / "seen", 0.7)
        joining = []
        join = Once(lambda: joining.append(worker(False).pid))
        report = flow.run(study, slowed, join)
        print(f"\njoined: done {join.since:.1f} s later")
    assert slowed.seen() == {first.pid, *joining}
    assert_the_same_bits(report, without_a_cluster)


@pytest.mark.slow
def test_a_store_that_kills_its_workers_is_named_and_alone(scheduler, study, without_a_cluster, tmp_path):
    file, worker = scheduler
    # two calls at a time in each process, so that every death takes an innocent one along
    for _ in range(2):
        worker(True, "--nthreads", "2")
    with connected(str(file), timeout=60) as executor:
        slowed = Slowed(executor, tmp_path / "seen", 0.3, victim="MIROC6.ssp585")
        begun = time.monotonic()
        report = flow.run(study, slowed)
        print(f"\nkiller: {time.monotonic() - begun:.1f} s, {executor._trials} trials, {len(slowed.seen())} processes")
    failures = {failure.dataset: failure for failure in report.failures}
    killed = failures["MIROC6.ssp585.r1i1p1f1.tas"]
    assert "KilledWorker" in killed.reason
    assert killed.facets["zstore"] in killed.reason
    assert killed.transient
    assert [failure.dataset for failure in report.failures if failure.stage == "reduce"] == [killed.dataset]
    others = [name for name in without_a_cluster.members["source_id"].values if name != "MIROC6"]
    xr.testing.assert_equal(report.members.sel(source_id=others), without_a_cluster.members.sel(source_id=others))


@pytest.mark.slow
def test_innocent_calls_survive_the_deaths_of_others(scheduler, tmp_path):
    file, worker = scheduler
    worker(True, "--nthreads", "4")
    with connected(str(file), timeout=60) as executor:
        futures = {executor.submit(deadly, number): number for number in range(12)}
        results = {}
        for future in as_completed(futures):
            results[futures[future]] = type(future.exception()).__name__
    assert results == {number: "KilledWorker" if number in (3, 7) else "NoneType" for number in range(12)}


def deadly(number):
    time.sleep(0.2)
    if number in (3, 7):
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(1)


@pytest.mark.slow
def test_a_scheduler_that_is_lost_ends_the_run(scheduler, tmp_path):
    file, worker = scheduler
    worker(False)
    with connected(str(file), timeout=60) as executor:
        futures = [executor.submit(time.sleep, 60) for _ in range(4)]
        time.sleep(0.5)
        begun = time.monotonic()
        worker.scheduler.kill()
        for future in futures:
            with pytest.raises(NotFound, match="was lost while it worked"):
                future.result(timeout=60)
        print(f"\nscheduler lost: said after {time.monotonic() - begun:.1f} s")


@pytest.mark.slow
def test_a_call_that_takes_its_last_worker_along_is_not_waited_for_for_ever(scheduler):
    file, worker = scheduler
    worker(False)
    with connected(str(file), timeout=60) as executor:
        executor.patience = 2.0
        with pytest.raises(NotFound, match="no worker for 2 s"):
            executor.submit(deadly, 3).result(timeout=60)


@pytest.mark.slow
def test_gpu_work_goes_to_the_process_that_has_one(scheduler):
    file, worker = scheduler
    worker(False)
    gpu = worker(False, "--resources", "GPU=1")
    with connected(str(file), timeout=60) as executor:
        while len(executor.workers()) < 2:
            time.sleep(0.1)
        found = accelerated(executor, require_gpu=True)
        assert {future.result() for future in [found.executor.submit(process_id, n) for n in range(10)]} == {gpu.pid}


def process_id(number):
    time.sleep(0.05)
    return os.getpid()


@pytest.mark.slow
def test_the_command_line_on_a_cluster(scheduler, small_archive, tmp_path, capsys):
    file, worker = scheduler
    worker(False)
    (tmp_path / "study.toml").write_text(f'catalog = "{small_archive}"\nexperiments = ["ssp585"]\n')
    command = ["run", str(tmp_path / "study.toml"), "--json"]
    assert main([*command, "--out", str(tmp_path / "here")]) == 0
    here = json.loads(capsys.readouterr().out)
    shutil.rmtree(os.environ["SPREAD_CACHE"])
    assert main([*command, "--out", str(tmp_path / "there"), "--scheduler", str(file)]) == 0
    there = json.loads(capsys.readouterr().out)
    assert there["spread"] == here["spread"]
    assert there["members"] == here["members"]


# Dask Gateway, with its local backend


@pytest.fixture
def gateway(processes, tmp_path):
    pytest.importorskip("dask_gateway", reason="dask-gateway is not installed")
    pytest.importorskip("dask_gateway_server", reason="dask-gateway-server is not installed")
    pytest.importorskip("sqlalchemy", reason="dask-gateway-server[local] is not installed")
    port, blas = free_port(), [name for name in os.environ if name.startswith("OPENBLAS")]
    (tmp_path / "config.py").write_text(
        f"""
c.DaskGateway.backend_class = "dask_gateway_server.backends.local.UnsafeLocalBackend"
c.DaskGateway.address = "127.0.0.1:{free_port()}"
c.Proxy.address = "127.0.0.1:{port}"
c.UnsafeLocalBackend.clusters_directory = {str(tmp_path)!r}
c.ClusterConfig.scheduler_cmd = [{DASK!r}, "scheduler"]
c.ClusterConfig.worker_cmd = [{DASK!r}, "worker"]
c.ClusterConfig.worker_cores = 1
# land shares from Natural Earth are matrix products: their last bits hang on the BLAS kernel, chosen by these
c.UnsafeLocalBackend.inherited_environment = {["PATH", "PYTHONPATH", "LANG", *blas]!r}
"""
    )
    server = processes(str(Path(DASK).parent / "dask-gateway-server"), "-f", str(tmp_path / "config.py"))
    deadline = time.monotonic() + 40
    while not healthy(f"http://127.0.0.1:{port}/api/health"):
        assert server.poll() is None, (tmp_path / "processes.log").read_text()
        assert time.monotonic() < deadline
        time.sleep(0.1)
    yield f"http://127.0.0.1:{port}"
    server.terminate()  # it stops its clusters
    server.wait(30)


def healthy(url):
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return response.status == 200
    except OSError:
        return False


@pytest.mark.slow
def test_a_cluster_of_a_gateway(gateway, study, without_a_cluster, tmp_path):
    from dask_gateway import Gateway

    begun = time.monotonic()
    with connected(f"gateway:{gateway}", 2) as executor:
        print(f"\ngateway: up after {time.monotonic() - begun:.1f} s")
        while len(executor.workers()) < 2:
            time.sleep(0.1)
        slowed = Slowed(executor, tmp_path / "seen", 0.4)
        kill = Once(lambda: os.kill(slowed.busy(), signal.SIGKILL))
        report = flow.run(study, slowed, kill)
        print(f"gateway: worker killed, done {kill.since:.1f} s later, {slowed.repeated()} repeated")
        assert slowed.repeated()
        assert_the_same_bits(report, without_a_cluster)
        assert executor.submit(os.environ.get, "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT").result() == "false"
        # somebody else joins the running cluster, and leaves it running
        with Gateway(gateway) as there, dask.config.set({"gateway.address": gateway}):
            (running,) = there.list_clusters()
            with connected(f"gateway:{running.name}") as second:
                assert second.submit(abs, -1).result() == 1
            with pytest.raises(NotFound, match="no such cluster runs"), connected("gateway:another"):
                pass
            assert [cluster.name for cluster in there.list_clusters()] == [running.name]
    with Gateway(gateway) as there:
        assert there.list_clusters() == []


# SLURM, one node


@pytest.fixture
def slurm(processes, tmp_path, monkeypatch):
    pytest.importorskip("dask_jobqueue", reason="dask-jobqueue is not installed")
    absent = [name for name in ("slurmctld", "slurmd", "munged", "sbatch") if shutil.which(name) is None]
    if absent:
        pytest.skip(f"{', '.join(absent)} not installed (Debian: slurmctld, slurmd, slurm-client, munge)")
    if os.geteuid() != 0:
        pytest.skip("a SLURM of one's own needs root")
    host = socket.gethostname().split(".")[0]
    for folder in ("state", "spool"):
        (tmp_path / folder).mkdir()
    (tmp_path / "munge.key").write_bytes(os.urandom(128))
    (tmp_path / "munge.key").chmod(0o600)
    (tmp_path / "slurm.conf").write_text(
        f"""
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
AuthType=auth/munge
AuthInfo=socket={tmp_path}/munge.sock
SlurmUser=root
SlurmdUser=root
SlurmctldPort={free_port()}
SlurmdPort={free_port()}
SlurmctldPidFile={tmp_path}/slurmctld.pid
SlurmdPidFile={tmp_path}/slurmd.pid
StateSaveLocation={tmp_path}/state
SlurmdSpoolDir={tmp_path}/spool
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=4000 State=UNKNOWN
PartitionName=all Nodes={host} Default=YES State=UP
"""
    )
    monkeypatch.setenv("SLURM_CONF", str(tmp_path / "slurm.conf"))
    files = [
        f"--{name}-file={tmp_path}/munge.{end}" for name, end in (("pid", "pid"), ("log", "log"), ("seed", "seed"))
    ]
    key, sock = f"--key-file={tmp_path}/munge.key", f"--socket={tmp_path}/munge.sock"
    processes("munged", "--foreground", "--force", key, sock, *files, log="munge.out")
    processes("slurmctld", "-D", "-i", log="slurmctld.out")
    processes("slurmd", "-D", log="slurmd.out")
    deadline = time.monotonic() + 40
    while "idle" not in subprocess.run(["sinfo", "-h", "-o", "%T"], capture_output=True, text=True).stdout:
        assert time.monotonic() < deadline, (tmp_path / "slurmctld.out").read_text()
        time.sleep(0.3)
    return tmp_path


def jobs():
    return subprocess.run(["squeue", "-h", "-o", "%i"], capture_output=True, text=True, check=True).stdout.split()


def kill_job(job):
    subprocess.run(["scancel", "--signal=KILL", "--full", job], check=True)


@pytest.mark.slow
def test_jobs_of_a_queue(slurm, study, without_a_cluster, tmp_path):
    file = tmp_path / "queue.toml"
    file.write_text(
        f"""
kind = "slurm"
workers = 2
patience = 120
[options]
cores = 1
memory = "1GB"
python = "{sys.executable}"
log_directory = "{tmp_path}/logs"
worker_extra_args = ["--host", "127.0.0.1"]
scheduler_options = {{host = "127.0.0.1", dashboard_address = "127.0.0.1:0"}}
"""
    )
    begun = time.monotonic()
    with connected(str(file)) as executor:
        print(f"\nSLURM: up after {time.monotonic() - begun:.1f} s")
        while len(executor.workers()) < 2:
            time.sleep(0.1)
        assert len(jobs()) == 2
        # distributed looks at jobs that are still held when it closes, and jobqueue never marks them as closed
        held = list(executor.client.cluster._created)
        slowed = Slowed(executor, tmp_path / "seen", 0.4)
        kill = Once(lambda: kill_job(psutil.Process(slowed.busy()).environ()["SLURM_JOB_ID"]))
        report = flow.run(study, slowed, kill)
        print(f"SLURM: job killed, done {kill.since:.1f} s later, {len(jobs())} job left, {slowed.repeated()} repeated")
        assert len(executor.workers()) == 1
    assert slowed.repeated()
    assert held
    assert_the_same_bits(report, without_a_cluster)
    deadline = time.monotonic() + 20
    while jobs() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert jobs() == []
