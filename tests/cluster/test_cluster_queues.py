"""Clusters of Dask Gateway and of SLURM: workers and jobs are killed, and nothing is left behind."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import dask
import psutil
import pytest
from cluster_runs import DASK, Once, Slowed, assert_the_same_bits, free_port

from spread import flow
from spread.cluster import connected
from spread.errors import NotFound

# dask-gateway 2026.3 closes what is closed when it is let go
pytestmark = pytest.mark.filterwarnings("ignore:Exception ignored in.*Gateway:pytest.PytestUnraisableExceptionWarning")


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
