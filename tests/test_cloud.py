"""The same study from disk, from Google Cloud Storage's API and from S3's: the same numbers, bit for bit."""

import json
import os
import pickle
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from spread import flow
from spread.cache import key_of, open_cache
from spread.errors import NotComparable, NotFound
from spread.study import Study

STUDY = {"experiments": ["ssp585"], "models": ["CanESM5", "UKESM1-0-LL"], "regions": ["global", "land"]}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(port, process, seconds=40):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert process.poll() is None, f"the server ended with code {process.returncode}"
        with socket.socket() as s:
            s.settimeout(1)
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    raise AssertionError(f"no server on port {port} within {seconds} s")


def server(command):
    port = int(command[-1].rsplit("=", 1)[-1])
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def google():
    tool = str(Path(sys.executable).parent / "gcp-storage-emulator")
    options = ["--host=127.0.0.1", "--in-memory", "--default-bucket=cmip6", f"--port={free_port()}"]
    yield from server([tool, "start", *options])


@pytest.fixture(scope="module")
def amazon():
    yield from server([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", f"-p={free_port()}"])


def upload(collection, fs, root, models):
    """Copy some models' stores and a catalog of them to a bucket; return the catalog's URL."""
    table = pd.read_csv(collection.with_suffix(".csv"))
    table = table[table["source_id"].isin(models) & table["experiment_id"].isin(["historical", "ssp585"])]
    protocol = fs.protocol[0] if isinstance(fs.protocol, tuple) else fs.protocol
    stores = []
    for store in table["zstore"]:
        local = Path(store.removeprefix("file://"))
        target = f"{root}/{local.relative_to(collection.parent)}"
        for file in sorted(local.rglob("*")):
            if file.is_file():
                fs.pipe_file(f"{target}/{file.relative_to(local)}", file.read_bytes())
        stores.append(f"{protocol}://{target}/")
    description = json.loads(collection.read_text()) | {"catalog_file": f"{protocol}://{root}/c.csv"}
    fs.pipe_file(f"{root}/c.csv", table.assign(zstore=stores).to_csv(index=False).encode())
    fs.pipe_file(f"{root}/c.json", json.dumps(description).encode())
    return f"{protocol}://{root}/c.json"


@pytest.fixture(scope="module")
def from_disk(small_archive):
    return flow.run(Study.make(catalog=str(small_archive), **STUDY))


@pytest.fixture(scope="module")
def on_google(google, small_archive):
    os.environ["GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT"] = "false"
    import gcsfs

    options = {"token": "anon", "project": "test", "endpoint_url": google}
    return upload(small_archive, gcsfs.GCSFileSystem(**options), "cmip6", STUDY["models"]), {
        "gs": options,
        "gcs": options,
    }


@pytest.fixture(scope="module")
def on_amazon(amazon, small_archive):
    import s3fs

    options = {"key": "test", "secret": "test", "client_kwargs": {"endpoint_url": amazon}}
    fs = s3fs.S3FileSystem(**options)
    fs.mkdir("cmip6-pds")
    return upload(small_archive, fs, "cmip6-pds", STUDY["models"]), {"s3": options}


@pytest.mark.parametrize("cloud", ["on_google", "on_amazon"])
def test_numbers_from_a_cloud_are_those_from_disk(cloud, from_disk, request):
    catalog, options = request.getfixturevalue(cloud)
    report = flow.run(Study.make(catalog=catalog, storage_options=options, **STUDY))
    assert report.summary()[0]["models"] == 2
    xr.testing.assert_identical(report.members["tas"].drop_vars("zstore"), from_disk.members["tas"].drop_vars("zstore"))
    xr.testing.assert_identical(report.across, from_disk.across)


def test_a_missing_chunk_in_a_cloud_rejects_the_dataset(on_google):
    import gcsfs

    catalog, options = on_google
    fs = gcsfs.GCSFileSystem(**options["gs"])
    victim = next(p for p in fs.find("cmip6/CMIP6") if "CanESM5/ssp585" in p and p.endswith("tas/1.0.0"))
    body = fs.cat_file(victim)
    fs.rm_file(victim)
    try:
        report = flow.run(Study.make(catalog=catalog, storage_options=options, **STUDY))
    finally:
        fs.pipe_file(victim, body)
    assert report.summary()[0]["models"] == 1
    assert any("CanESM5.ssp585" in f.dataset and "1.0.0" in f.reason for f in report.failures)


@pytest.mark.parametrize("cloud", ["on_google", "on_amazon"])
def test_a_cache_in_a_cloud_keeps_what_was_read(cloud, from_disk, request, monkeypatch):
    catalog, options = request.getfixturevalue(cloud)
    where = {"on_google": "gs://cmip6", "on_amazon": "s3://cmip6-pds"}[cloud]
    study = Study.make(catalog=catalog, storage_options=options, **STUDY)
    cache = open_cache(f"{where}/reductions", options)
    first = flow.run(study, cache=cache)
    xr.testing.assert_identical(first.across, from_disk.across)
    kept = cache.fs.find(cache.root)
    assert len(kept) >= 4
    monkeypatch.setattr("spread.reduce.chunk.apply_weights", None)  # a second run reads no chunk
    again = flow.run(study, cache=pickle.loads(pickle.dumps(cache)))
    xr.testing.assert_identical(again.members, first.members)
    assert cache.fs.find(cache.root) == kept


@pytest.mark.parametrize("cloud", ["on_google", "on_amazon"])
def test_an_object_of_the_cache_is_written_once_and_mended_where_it_is_damaged(cloud, request):
    _, options = request.getfixturevalue(cloud)
    where = {"on_google": "gs://cmip6", "on_amazon": "s3://cmip6-pds"}[cloud]
    cache, key, array = open_cache(f"{where}/one", options), key_of({"n": 1}), np.arange(6.0).reshape(2, 3)
    assert cache.get(key) is None
    cache.put(key, array)
    cache.put(key, array)  # a second writer is no error
    np.testing.assert_array_equal(cache.get(key), array)
    cache.fs.pipe_file(cache.path(key), cache.fs.cat_file(cache.path(key))[:-1])
    assert cache.get(key) is None
    cache.put(key, array)
    np.testing.assert_array_equal(cache.get(key), array)


def test_a_cache_that_cannot_be_reached_costs_time_and_not_the_answer(on_amazon, from_disk):
    catalog, options = on_amazon
    nobody = {"s3": options["s3"] | {"key": None, "secret": None, "anon": True}}
    cache = open_cache("s3://no-such-bucket/reductions", nobody)
    report = flow.run(Study.make(catalog=catalog, storage_options=options, **STUDY), cache=cache)
    xr.testing.assert_identical(report.across, from_disk.across)


def test_a_bucket_without_permission_is_said_in_one_line(on_amazon):
    catalog, options = on_amazon
    nobody = options["s3"] | {"key": None, "secret": None, "anon": True}
    with pytest.raises((NotFound, NotComparable), match=r"(?i)permission|forbidden|denied|credential"):
        flow.run(Study.make(catalog=catalog, storage_options={"s3": nobody}, **STUDY))
