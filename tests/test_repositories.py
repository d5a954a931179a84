"""A dataset in an Icechunk repository is one snapshot's; what is damaged or lost in it is an error."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr
from synthetic import nothing_computes, published, row, write_collection

from spread import flow
from spread.errors import NotFound, Unreadable
from spread.opening import open_row
from spread.repositories import parse
from spread.study import Study

icechunk = pytest.importorskip("icechunk", reason="Icechunk is not installed")


def commit(folder: Path, group: str, ds: xr.Dataset) -> str:
    """Write a dataset with checksums into a group of a repository; return the snapshot."""
    storage = icechunk.local_filesystem_storage(str(folder))
    repository = icechunk.Repository.open_or_create(storage)
    session = repository.writable_session("main")
    codecs = (zarr.codecs.BloscCodec(cname="lz4"), zarr.codecs.Crc32cCodec())
    encoding = {"tas": {"compressors": codecs, "chunks": (12, 6, 8)}}
    ds.drop_encoding().to_zarr(
        session.store, group=group, mode="w", consolidated=False, zarr_format=3, encoding=encoding
    )
    return session.commit(group)


@pytest.fixture
def repository(tmp_path):
    # chunks above 512 bytes are files of their own
    commit(tmp_path / "repo", "MODEL/tas", published())
    return tmp_path / "repo"


def at(folder, **query) -> str:
    words = {"group": "MODEL/tas", **query}
    return f"icechunk+file://{folder}?" + "&".join(f"{key}={value}" for key, value in words.items())


def largest_chunks(folder) -> list[Path]:
    files = sorted((folder / "chunks").iterdir(), key=lambda path: path.stat().st_size)
    return files[-2:]


def test_a_group_of_a_repository_opens_as_a_store_does(repository):
    with nothing_computes():
        ds = open_row(row(zstore=at(repository)))
    np.testing.assert_array_equal(ds["tas"], published()["tas"])
    assert ds["tas"].chunks[0] == (12, 12)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(ds))["tas"], published()["tas"])


def test_a_snapshot_is_what_it_was(repository):
    before = open_row(row(zstore=at(repository)))
    warmer = published()
    warmer["tas"] = (warmer["tas"] + np.float32(1.0)).assign_attrs(warmer["tas"].attrs)
    commit(repository, "MODEL/tas", warmer)
    after = open_row(row(zstore=at(repository)))
    assert after.attrs["contents"] != before.attrs["contents"]  # so a cache never mixes them up
    np.testing.assert_allclose(after["tas"] - before["tas"], 1.0, atol=1e-4)
    again = open_row(row(zstore=at(repository, snapshot=before.attrs["contents"])))
    np.testing.assert_array_equal(again["tas"], before["tas"])


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (
            lambda data: data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :],
            "checksum",
        ),
        (lambda data: data[:-40], "."),
        (None, "not found"),
    ],
    ids=["one bit flipped", "cut off", "lost"],
)
def test_damage_to_a_chunk_is_an_error(repository, damage, said):
    for path in largest_chunks(repository):
        if damage is None:
            path.unlink()
        else:
            path.write_bytes(damage(path.read_bytes()))
    ds = open_row(row(zstore=at(repository)))
    with pytest.raises(Exception, match=said):
        ds["tas"].compute()


def test_what_is_not_there_is_named(repository, tmp_path):
    for url, said in ((at(repository, group="OTHER"), "OTHER|group"), (at(tmp_path / "none"), "none"),
                      (at(repository, branch="nowhere"), "nowhere")):  # fmt: skip
        with pytest.raises(Unreadable, match=said):
            open_row(row(zstore=url))


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("icechunk+ftp://a/b", "scheme 'ftp'"),
        ("icechunk+s3://a/b?sets=x", "'sets' is none of"),
        ("icechunk+s3://a/b?tag=1&branch=2", "one of branch and tag is enough"),
    ],
)
def test_an_address_that_cannot_be_read_is_refused(url, said):
    with pytest.raises(NotFound, match=said):
        parse(url)


def test_an_address_is_taken_apart():
    address = parse("icechunk+s3://bucket/a/b?group=/x/tas/&tag=v1")
    assert (address.scheme, address.bucket, address.path, address.group) == ("s3", "bucket", "/a/b", "x/tas")
    assert address.at == {"tag": "v1"}
    assert parse("icechunk+gs://bucket/a").at == {"branch": "main"}


def test_a_study_reads_a_repository_and_leaves_out_what_is_damaged(tmp_path):
    rows = []
    for n, source_id in enumerate("AB"):
        for experiment_id, first, years in (("historical", 1995, 20), ("ssp585", 2015, 20)):
            who = {"source_id": source_id, "experiment_id": experiment_id}
            ds = published(months=12 * years, start=(first, 1), values=None).assign_attrs(**who)
            commit(tmp_path / f"repo{n}", experiment_id, ds)
            rows.append(row(**who, zstore=at(tmp_path / f"repo{n}", group=experiment_id)).facets())
    study = Study.make(
        catalog=write_collection(tmp_path, rows),
        experiments=["ssp585"],
        base_period=[1995, 2014],
        periods=[[2015, 2034]],
    )
    assert flow.run(study).summary()[0]["models"] == 2
    for path in largest_chunks(tmp_path / "repo0"):
        path.write_bytes(path.read_bytes()[:-9])
    report = flow.run(study)
    assert report.summary()[0]["models"] == 1
    assert any(f.dataset.startswith("A.") and f.unreadable for f in report.failures)
