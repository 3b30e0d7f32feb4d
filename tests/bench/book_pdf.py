"""A PDF of 300 pages over HTTP, with text: seconds to the first byte and in all, and the memory of the server.

The pages share eight pictures of 4,000 by 5,000 pixels, each with its pyramid; every page has 300 characters of text.
The client has no rendering budget, as somebody without a limit would have it.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Final

import pyvips
from server_process import descendants
from web_server import WebServer

from iiif_server.pyramid.file import recipe, write_pyramid
from iiif_server.urls import book_pdf_path
from repository import paths
from repository.config import Settings
from repository.database.publication import Publication
from repository.identifiers import Kind, mint
from repository.model.text import PageText, TextKind, TextLine
from repository.model.work import Image, Master, Page, Pyramid, Record, Rectangle, Volume, Work
from repository.repository import open_repository
from repository.texts import put_texts
from workers.bootstrap import prepare_repository

PAGES: Final = 300
PICTURES: Final = 8
SIZE: Final = (4000, 5000)
TIME: Final = "2026-01-01T00:00:00Z"


def main() -> None:
    """Print the rows."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "var"
        work = _publish(data)
        environment = {"SHANBEN_DATA": str(data), "SHANBEN_CLIENT_PIXELS": "0"}
        with WebServer(Path(folder), environment, processes=1) as server:
            _measure(server, work)


def _measure(server: WebServer, work: str) -> None:
    pid = server.process.pid
    assert pid is not None
    resting, most, size = _memory(pid), 0, 0
    start = time.perf_counter()
    with urllib.request.urlopen(server.address + book_pdf_path(work)) as response:
        response.read(1)
        first = time.perf_counter() - start
        while part := response.read(1 << 20):
            size += len(part)
            most = max(most, _memory(pid))
    seconds = time.perf_counter() - start
    what = f"{PAGES} pages, {size / 1e6:.0f} MB, with text"
    print(f"PDF of a work, first byte | {what} | {first:.2f} s | {seconds:.0f} s in all")
    at_rest = f"{resting / 1e6:.0f} MB at rest, all processes"
    print(f"PDF of a work, memory | {what} | {(most - resting) / 1e6:.0f} MB more | {at_rest}")


def _memory(pid: int) -> int:
    """Return the resident bytes of a process and of all that it started."""
    total = 0
    for process in (pid, *descendants(pid)):
        try:
            total += int(Path(f"/proc/{process}/statm").read_text().split()[1]) * 4096
        except OSError:
            continue
    return total


def _publish(data: Path) -> str:
    settings = Settings(data=data)
    repository = prepare_repository(open_repository(settings))
    work = mint(Kind.WORK, "bench pdf")
    images, pyramids = [], {}
    for number in range(PICTURES):
        identifier = mint(Kind.IMAGE, work, str(number))
        noise = pyvips.Image.gaussnoise(*SIZE, mean=200, sigma=18, seed=number).gaussblur(1.5)
        picture = noise.cast("uchar").colourspace("srgb")
        with tempfile.NamedTemporaryFile(suffix=".zip") as file:
            summary = write_pyramid(picture, Path(file.name), settings.tile_size, settings.jpeg_quality)
            key = paths.pyramid(identifier, recipe(settings.tile_size, settings.jpeg_quality))
            repository.store.put(key, Path(file.name).read_bytes())
        pyramids[identifier] = Pyramid(key, summary.fingerprint, summary.bytes, settings.tile_size)
        digest = hashlib.sha256(identifier.encode()).hexdigest()
        images.append(Image(identifier, *SIZE, Master(f"masters/{number}.tif", digest, 1, "image/tiff")))
    keys = [f"{number:04d}" for number in range(1, PAGES + 1)]
    pages = tuple(Page(key, key, (images[number % PICTURES],)) for number, key in enumerate(keys))
    book = Work(work, Record("論語", language=("lzh",)), (Volume("", pages),))
    repository.catalogue.publish(Publication(book, pyramids, (), 1, TIME, {}), (), TIME)
    put_texts(repository.store, work, "1", map(_text, keys))
    return work


def _text(key: str) -> PageText:
    lines = (
        TextLine("".join(chr(0x4E00 + 37 * column + row) for row in range(20)), Rectangle(250 * column, 200, 200, 4000))
        for column in range(15)
    )
    return PageText(key, TextKind.TRANSCRIPTION, tuple(lines))


if __name__ == "__main__":
    sys.exit(main())
