"""Faults of the transport and of stores as objects: missing, cut, flipped, refused, late."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gauntlet.cases import Case
from gauntlet.server import (
    Act,
    Rule,
    at_first,
    cut,
    drip,
    flip,
    instead,
    other,
    redirect_loop,
    reset,
    slow,
    stall,
    status,
    twice,
)

CHUNK = r"scenario/tas/2\.0\.0$"
NO_LISTING = Rule(r"/scenario", status(403, "Forbidden"), "list")
LOGIN = b"<html><body>Please sign in to the network</body></html>"


def on(name: str, what: str, act: Act, key: str = CHUNK, *more: Rule, **facts: Any) -> Case:
    """A fault of the reply for objects of the victim."""
    return Case(name, "transport", what, rules=(Rule(rf"^{name}/.*{key}", act), *more), **facts)


def lost(*keys: str):
    """Remove objects of the scenario."""

    def act(folder: Path) -> None:
        for key in keys:
            (folder / "scenario" / key).unlink()

    return act


def damaged(key: str, position: float, bit: int):
    """Turn one bit over in an object at rest."""

    def act(folder: Path) -> None:
        path = folder / "scenario" / key
        data = bytearray(path.read_bytes())
        data[int(position * len(data))] ^= 1 << bit
        path.write_bytes(bytes(data))

    return act


def uncompressed(value: int, bit: int):
    """Turn over one bit of one float32 of an uncompressed chunk at rest (bit 0 is the lowest of the mantissa)."""

    def act(folder: Path) -> None:
        path = folder / "scenario" / "tas" / "2.0.0"
        data = bytearray(path.read_bytes())
        data[4 * value + bit // 8] ^= 1 << (bit % 8)
        path.write_bytes(bytes(data))

    return act


def meddled(folder: Path) -> None:
    """The consolidated metadata declare a shape that the array's own metadata do not."""
    path = folder / "scenario" / ".zmetadata"
    said = json.loads(path.read_text())
    said["metadata"]["tas/.zarray"]["dtype"] = "<i4"
    path.write_text(json.dumps(said))


MISSING = (
    on("chunk-404", "a listed chunk is not given (404)", status(404)),
    on("chunk-404-once", "a listed chunk is not given the first time", at_first(status(404))),
    Case("chunk-lost", "transport", "a chunk is not in the store", on_disk=lost("tas/2.0.0")),
    Case("chunks-lost-late", "transport", "every chunk of 2045 and later is not in the store",
         on_disk=lost("tas/1.0.0", "tas/2.0.0")),
    on("unlisted-404", "no listing allowed, and a chunk is not given (404)", status(404), CHUNK, NO_LISTING),
    Case("lat-chunk-lost", "transport", "the chunk of lat is not in the store", on_disk=lost("lat/0")),
    Case("bounds-chunk-lost", "transport", "the chunk of lat_bnds is not in the store", on_disk=lost("lat_bnds/0.0")),
    Case("time-chunk-lost", "transport", "the chunk of time is not in the store", on_disk=lost("time/0")),
    Case("store-lost", "transport", "the store is not there", catalog=lambda rows, folder: [
        row | {"zstore": row["zstore"].replace("/scenario/", "/elsewhere/")} for row in rows]),
)  # fmt: skip

REFUSED = (
    on("chunk-403", "403 on a chunk", status(403)),
    on("store-403", "403 on everything of the store", status(403), "scenario/"),
    on("burst-429", "429 twice, then fine", at_first(status(429), 2)),
    on("burst-500", "500 twice, then fine", at_first(status(500), 2)),
    on("burst-503", "503 four times, then fine", at_first(status(503), 4)),
    on("chunk-503-for-ever", "503 for ever on a chunk", status(503)),
    on("store-503-for-ever", "503 for ever on everything of the store", status(503), "scenario/"),
    on("metadata-503", "503 on the metadata, then fine", at_first(status(503), 2), r"scenario/\.z"),
    on("credential-401", "401 once, then fine", at_first(status(401, "Invalid Credentials"))),
    on("credential-401-for-ever", "401 for ever", status(401, "Invalid Credentials")),
    Case("listing-503", "transport", "503 on the listing, then fine",
         rules=(Rule(r"^listing-503/scenario", at_first(status(503), 2), "list"),)),
    Case("listing-403", "transport", "the bucket may not be listed", rules=(NO_LISTING,)),
    on("redirect-loop", "a redirect that leads to itself", redirect_loop, CHUNK, Rule(r"^loop$", redirect_loop)),
)  # fmt: skip

LATE = (
    on("slow-start", "every answer half a second late", slow(0.5), "scenario/"),
    on("drip", "a chunk in small pieces", drip(0.005)),
    on("stall-once", "nothing comes once, then fine", at_first(stall())),
    on("stall-for-ever", "nothing ever comes", stall()),
    Case("listing-stall", "transport", "nothing comes of the listing",
         rules=(Rule(r"^listing-stall/scenario", stall(3.0), "list"),)),
)  # fmt: skip

DAMAGED = (
    on("cut-once", "a chunk is cut off under its own length, once", at_first(cut(0.7))),
    on("cut-for-ever", "a chunk is always cut off under its own length", cut(0.7)),
    on("cut-short-once", "fewer bytes than Content-Length, once", at_first(cut(0.7, honest=False))),
    on("cut-short-for-ever", "always fewer bytes than Content-Length", cut(0.7, honest=False)),
    on("cut-unlisted", "no listing allowed, and a chunk is cut off", cut(0.7), CHUNK, NO_LISTING),
    on("cut-header", "a chunk is cut off within its header", cut(0.0001)),
    on("empty-once", "an empty body, once", at_first(instead(b""))),
    on("empty-for-ever", "always an empty body", instead(b"")),
    on("empty-unlisted", "no listing allowed, and an empty body", instead(b""), CHUNK, NO_LISTING),
    on("flip-once", "one bit flipped on the way, once", at_first(flip())),
    on("flip-for-ever", "one bit flipped on the way, always", flip()),
    on("reset-once", "the connection drops in the middle, once", at_first(reset())),
    on("reset-for-ever", "the connection always drops in the middle", reset()),
    on("twice", "the body comes two times over", twice),
    on("login-page", "a login page under status 200", instead(LOGIN)),
    on("login-page-metadata", "a login page in place of the metadata", instead(LOGIN), r"scenario/\.z"),
    on("cut-time", "the chunk of time is cut off", cut(0.5), "scenario/time/0$"),
    on("flip-lat-bounds", "a bit of lat_bnds flipped on the way, always", flip(), r"scenario/lat_bnds/0\.0$"),
    on("other-chunk", "another chunk in place of the one asked for", other("0.0.0"), r"scenario/tas/2\.0\.0$"),
    on("other-chunk-once", "another chunk in place of the one asked for, once", at_first(other("0.0.0")),
       r"scenario/tas/2\.0\.0$"),
)  # fmt: skip

AT_REST = (
    Case("metadata-garbage", "transport", "garbage in .zmetadata",
         on_disk=lambda folder: (folder / "scenario/.zmetadata").write_bytes(b"\x89\xff garbage")),
    Case("metadata-cut", "transport", ".zmetadata is cut off", on_disk=lambda folder: (
        folder / "scenario/.zmetadata").write_bytes((folder / "scenario/.zmetadata").read_bytes()[:700])),
    Case("metadata-empty", "transport", ".zmetadata is empty",
         on_disk=lambda folder: (folder / "scenario/.zmetadata").write_bytes(b"")),
    Case("metadata-lost", "transport", ".zmetadata is missing, every array has its own",
         on_disk=lost(".zmetadata")),
    Case("metadata-meddled", "transport", ".zmetadata declares another type than the array", on_disk=meddled),
    Case("v3-flip", "transport", "a bit flipped at rest, Zarr v3 with CRC32C", formats=3,
         on_disk=damaged("tas/c/2/0/0", 0.6, 3)),
    Case("v3-chunk-lost", "transport", "a chunk is not in a Zarr v3 store", formats=3,
         on_disk=lost("tas/c/2/0/0")),
    Case("v2-header-flip", "transport", "a bit flipped at rest in the Blosc header",
         on_disk=damaged("tas/2.0.0", 0.0, 2)),
    *(
        Case(f"v2-flip-bit-{bit}", "transport", f"bit {bit} of one value flipped at rest, no compression, no checksum",
             on_disk=uncompressed(4000, bit), stored={"compressors": None})
        for bit in (3, 12, 20, 22, 23, 25, 28, 30, 31)
    ),
    Case("chunk-cut-at-rest", "transport", "a chunk is cut off at rest", on_disk=lambda folder: (
        folder / "scenario/tas/2.0.0").write_bytes((folder / "scenario/tas/2.0.0").read_bytes()[:-500])),
    Case("chunk-zeros", "transport", "a chunk is all zero bytes", on_disk=lambda folder: (
        folder / "scenario/tas/2.0.0").write_bytes(bytes((folder / "scenario/tas/2.0.0").stat().st_size))),
    Case("chunk-of-another", "transport", "a late chunk was overwritten by an earlier one at rest",
         on_disk=lambda folder: (folder / "scenario/tas/2.0.0").write_bytes(
             (folder / "scenario/tas/1.0.0").read_bytes())),
)  # fmt: skip

FAULTS = MISSING + REFUSED + LATE + DAMAGED + AT_REST
