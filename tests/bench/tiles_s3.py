"""Tiles a second from S3 with nothing cached, and from the disk cache, each against what it is to be near to.

The store is a Ceph gateway of our own on the same machine. Cold: every tile asked for once, in a random order, by
eight connections of wrk, of a started `shanben serve` with two workers and an empty disk cache; against bare ranged
reads of the same bytes by obstore in two processes of four threads, by turns. Warm: all tiles in the disk cache,
against the same tiles in a folder store, by turns. Both are compared turn by turn (`tiles.py`). What each tile's bytes
should be is checked before anything counts.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyvips
from obstore.store import S3Store
from ports import reserve_port
from tiles import CYCLE, PREFIX, SHANBEN, Figure, be_ready, check, page, rate, ratio, running

from iiif_server.pyramid.file import read_directory, recipe, write_pyramid
from repository import paths
from repository.config import Settings
from repository.database.publication import Publication
from repository.identifiers import Kind, mint
from repository.model.work import Image, Master, Page, Pyramid, Record, Volume, Work
from repository.repository import Repository, open_repository
from workers.bootstrap import prepare_repository

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
from ceph_server import CephServer

SIZE = 256
COPIES = 8
ROUNDS, SECONDS = 7, 3
PROCESSES, THREADS = 2, 4
CACHE_BYTES = 2 << 30
TIME = "2026-01-01T00:00:00Z"

ONCE = """
local threads, requests, place = 0, {}, 0
function setup(thread)
  thread:set("part", threads)
  threads = threads + 1
end
function init(arguments)
  local number = 0
  for path in io.lines(arguments[1]) do
    if number % 2 == part then requests[#requests + 1] = wrk.format("GET", path) end
    number = number + 1
  end
end
function request()
  place = place + 1
  return requests[place] or wrk.format("GET", "/all-were-asked-for")
end
"""


@dataclass(frozen=True)
class Tile:
    """A tile: the path a reader asks for, and where its bytes lie."""

    url: str
    key: str
    offset: int
    length: int


def main() -> None:
    """Print a row for each."""
    with tempfile.TemporaryDirectory(prefix="bench-tiles-s3-") as scratch, ExitStack() as stack:
        folder = Path(scratch)
        (folder / "once.lua").write_text(ONCE)
        (folder / "cycle.lua").write_text(CYCLE)
        ceph = stack.enter_context(CephServer(folder / "ceph"))
        near = Settings(data=folder / "near")
        far = replace(Settings(data=folder / "far"), **ceph.settings(ceph.create_bucket()))
        tiles = hold(folder, near, far)
        cold(folder, tiles, far)
        warm(folder, near, far)


def hold(folder: Path, near: Settings, far: Settings) -> list[Tile]:
    """Publish the same images in a folder store and in S3; every tile, in an order unlike that of storage."""
    file = folder / "pyramid.zip"
    picture = page()
    summary = write_pyramid(picture, file, SIZE, 80)
    content = file.read_bytes()
    directory = read_directory(lambda start, length: content[start:][:length], "bench")
    places = [(name, *directory.locate(number)[:2]) for number, name in enumerate(directory.grid.names())]
    repositories = [prepare_repository(open_repository(settings)) for settings in (near, far)]
    tiles = []
    for number in range(COPIES):
        image = mint(Kind.IMAGE, "bench", str(number))
        pyramid = Pyramid(paths.pyramid(image, recipe(SIZE, 80)), summary.fingerprint, summary.bytes, SIZE)
        for repository in repositories:
            repository.store.put(pyramid.key, content)
            publish(repository, image, picture, pyramid)
        tiles += [Tile(f"{PREFIX}{image}/{name}", pyramid.key, *place) for name, *place in places]
    random.Random(1).shuffle(tiles)
    return tiles


def publish(repository: Repository, image: str, picture: pyvips.Image, pyramid: Pyramid) -> None:
    """A work of one image."""
    held = Image(image, picture.width, picture.height, Master("masters/1.tif", "0" * 64, 0, "image/tiff"))
    book = Work(mint(Kind.WORK, "bench", image), Record("bench"), (Volume("", (Page("1", "1", (held,)),)),))
    repository.catalogue.publish(Publication(book, {image: pyramid}, (), 1, TIME, {}), (), TIME)


@contextmanager
def served(settings: Settings) -> Iterator[int]:
    """`shanben serve` with these settings, two workers, on a free port."""
    port = reserve_port()
    named = {
        f"SHANBEN_{name}": getattr(settings, name.lower())
        for name in (
            "DATA",
            "STORE",
            "S3_ENDPOINT",
            "S3_ACCESS_KEY",
            "S3_SECRET_KEY",
            "CACHE_BYTES",
        )
    }
    environ = {"PATH": os.environ["PATH"], **{name: str(value) for name, value in named.items() if value}}
    with running([SHANBEN, "serve", "--port", str(port), "--workers", str(PROCESSES)], port, environ):
        be_ready(port)  # the local worker has started too: a start costs as much as some 800 of a round's tiles
        yield port


def cold(folder: Path, tiles: list[Tile], far: Settings) -> None:
    """Ours and the bare reads by turns; each round begins with an empty cache, in new processes."""
    (folder / "all.txt").write_text("\n".join(tile.url for tile in tiles) + "\n")
    rates = []
    for number in range(ROUNDS):
        cache = replace(far, cache_bytes=CACHE_BYTES)
        (far.cache / "tiles").unlink(missing_ok=True)
        with served(cache) as port:
            asked = asked_once(folder, port, len(tiles))
        rates.append((asked, bare(tiles, far)))
        print(f"cold, round {number + 1}: {rates[-1]}", file=sys.stderr)
    ours, theirs = zip(*rates, strict=True)
    print(
        f"S3, cold cache | tiles of {SIZE} px, each once at random, 2 workers, 8 connections, Ceph on this machine"
        f" | {Figure(ours)} a second"
        f" | obstore alone, the same bytes, 2 processes of {THREADS} threads: {Figure(theirs)}"
        f" | ratio {ratio(ours, theirs):.2f}",
        flush=True,
    )


def asked_once(folder: Path, port: int, count: int) -> float:
    """Tiles a second that wrk sees; `RuntimeError` for any error, as when it ran out of tiles."""
    command = ["wrk", "-t2", "-c8", f"-d{SECONDS}s", "-s", folder / "once.lua", f"http://127.0.0.1:{port}"]
    done = subprocess.run([*command, "--", folder / "all.txt"], capture_output=True, text=True, check=True)
    found = re.search(r"Requests/sec: *([0-9.]+)", done.stdout)
    if found is None or "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
        raise RuntimeError(f"{count} tiles: {done.stdout}")
    return float(found[1])


def bare(tiles: list[Tile], far: Settings) -> float:
    """Ranged reads a second of the same bytes in the same order, by obstore and nothing else."""
    context = multiprocessing.get_context("spawn")
    go, counts = context.Event(), context.Queue()
    readers = [
        context.Process(target=read_barely, args=(tiles[number::PROCESSES], far, go, counts))
        for number in range(PROCESSES)
    ]
    for reader in readers:
        reader.start()
    for _ in readers:
        counts.get(timeout=60)
    go.set()
    total = sum(counts.get(timeout=60) for _ in readers)
    for reader in readers:
        reader.join()
    return total / SECONDS


def read_barely(tiles: list[Tile], far: Settings, go: Any, counts: Any) -> None:
    """One process: reads its tiles until the time is up, and tells how many."""
    store = S3Store(
        far.store.removeprefix("s3://").partition("/")[0],
        prefix=far.store.removeprefix("s3://").partition("/")[2] or None,
        endpoint=far.s3_endpoint,
        region=far.s3_region,
        access_key_id=far.s3_access_key,
        secret_access_key=far.s3_secret_key,
        virtual_hosted_style_request=False,
        client_options={"allow_http": True},
    )
    store.get_range(tiles[0].key, start=0, length=1)
    done = [0] * THREADS
    counts.put(0)
    go.wait()
    end = time.monotonic() + SECONDS

    def work(number: int) -> None:
        for tile in tiles[number::THREADS]:
            if time.monotonic() > end:
                return
            store.get_range(tile.key, start=tile.offset, length=tile.length).to_bytes()
            done[number] += 1
        raise RuntimeError("all were read before the time was up")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counts.put(sum(done))


def warm(folder: Path, near: Settings, far: Settings) -> None:
    """The disk cache and the folder store by turns, over the tiles of one image."""
    urls = sorted((folder / "all.txt").read_text().split())[:2276]
    (folder / f"{SIZE}.txt").write_text("\n".join(urls) + "\n")
    with served(near) as folder_port, served(replace(far, cache_bytes=CACHE_BYTES)) as cache_port:
        check(urls, cache_port, folder_port)
        rates = [(rate(folder, SIZE, cache_port), rate(folder, SIZE, folder_port)) for _ in range(ROUNDS)]
    print(f"warm: {rates}", file=sys.stderr)
    ours, theirs = zip(*rates, strict=True)
    print(
        f"S3, disk cache | {len(urls):,} tiles of {SIZE} px, 2 workers, 8 connections | {Figure(ours)} a second"
        f" | the same in a folder store: {Figure(theirs)} | ratio {ratio(ours, theirs):.2f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
