"""A picture of 108 megapixels asked for whole: seconds, the first byte, memory; and the start beside 100,000 images.

Through `shanben serve` in two processes, folder store, one client on the same machine. Memory is that of all processes
together (PSS: what several share is counted once), the most during an answer less what it was when idle. The start is
the time from the command to the first tile, while the catalogue knows 100,000 images more.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pyvips
from image_requests import PREFIX
from ports import reserve_port
from publications import publication
from published_picture import publish_picture
from server_process import ServerProcess, answers, descendants

from repository.config import Settings
from repository.repository import open_repository

SHANBEN = Path(sys.executable).with_name("shanben")
WIDTH, HEIGHT = 12_000, 9_000
RUNS = 5
WORKS, IMAGES = 1000, 100
FORMATS = ("jpg", "png")
TILE = "0,0,512,512/512,512/0/default.jpg"


def main() -> None:
    """Print a row for each figure."""
    with tempfile.TemporaryDirectory(prefix="bench-large-") as scratch:
        folder = Path(scratch)
        image = publish_picture(folder / "var", page(), 512)
        with served(folder) as (server, port):
            fetch(port, image, TILE)
            idle = memory(server)
            for suffix in FORMATS:
                whole(server, port, image, suffix, idle)
        know_more(folder)
        times = [seconds_to_first_tile(folder, image) for _ in range(RUNS)]
    print(
        f"start to first tile | {WORKS * IMAGES:,} images known, 2 workers | {middle(times)} s | – | {middle(times)} s",
        flush=True,
    )


def page() -> pyvips.Image:
    """Something like paper with ink on it: about as many bytes a pixel as a scan has."""
    paper = pyvips.Image.gaussnoise(WIDTH, HEIGHT, mean=205, sigma=7, seed=1)
    ink = pyvips.Image.perlin(WIDTH, HEIGHT, cell_size=96, seed=2) > 90
    grey = ink.ifthenelse(40, paper)
    return grey.bandjoin([grey * 0.94, grey * 0.8]).cast("uchar").copy(interpretation="srgb")


def whole(server: ServerProcess, port: int, image: str, suffix: str, idle: int) -> None:
    """Ask for the whole picture several times, and print what that took."""
    firsts, totals, peaks = [], [], []
    for _ in range(RUNS):
        with watched(server) as most:
            first, total, length = fetch(port, image, f"full/max/0/default.{suffix}")
        firsts.append(first)
        totals.append(total)
        peaks.append((max(most) - idle) / 1e6)
    print(f"{suffix}: first byte {firsts}, whole {totals}, megabytes {peaks}", file=sys.stderr)
    print(
        f"full/max, {suffix} | {WIDTH * HEIGHT / 1e6:.0f} Mpx, {length / 1e6:.0f} MB sent"
        f" | {middle(totals)} s, first byte {middle(firsts)} s (the very first {firsts[0]:.2f} s)"
        f" | – | {max(peaks):.0f} MB more than idle at most",
        flush=True,
    )


def middle(values: list[float]) -> str:
    """The median, and the least and most."""
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def fetch(port: int, image: str, rest: str) -> tuple[float, float, int]:
    """Seconds to the first byte of the body and to the last, and its length; `RuntimeError` for a refusal."""
    connection = HTTPConnection("127.0.0.1", port, timeout=300)
    began = time.perf_counter()
    connection.request("GET", f"{PREFIX}{image}/{rest}")
    answer = connection.getresponse()
    length = len(answer.read(1))
    first = time.perf_counter() - began
    while data := answer.read(1 << 20):
        length += len(data)
    if answer.status != 200:
        raise RuntimeError(f"{rest}: {answer.status}")
    connection.close()
    return first, time.perf_counter() - began, length


@contextmanager
def served(folder: Path) -> Iterator[tuple[ServerProcess, int]]:
    """`shanben serve` on a free port, that lets the whole picture be asked for."""
    port = reserve_port()
    server = serve(folder, port)
    try:
        server.start(lambda: answers(f"http://127.0.0.1:{port}/health/ready"))
        yield server, port
    finally:
        server.stop()


def serve(folder: Path, port: int) -> ServerProcess:
    """The server, not yet started."""
    command = [SHANBEN, "serve", "--port", str(port), "--workers", "2"]
    environment = {"PATH": os.environ["PATH"], "SHANBEN_DATA": str(folder / "var"), "SHANBEN_MAX_AREA": "120000000"}
    return ServerProcess("shanben serve", command, folder / "web.log", environment=environment)


def memory(server: ServerProcess) -> int:
    """Bytes of the server's processes together."""
    total = 0
    for pid in [server.pid, *descendants(server.pid or 0)]:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024
    return total


@contextmanager
def watched(server: ServerProcess) -> Iterator[list[int]]:
    """What memory was found to be meanwhile, some thirty times a second."""
    found, ended = [memory(server)], threading.Event()

    def watch() -> None:
        while not ended.wait(0.03):
            found.append(memory(server))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield found
    finally:
        ended.set()
        watcher.join()


def know_more(folder: Path) -> None:
    """Have the catalogue know many images more."""
    catalogue = open_repository(Settings(data=folder / "var")).catalogue
    for number in range(WORKS):
        value = publication(f"book {number}", images=IMAGES)
        catalogue.publish(value, (), value.accessioned)


def seconds_to_first_tile(folder: Path, image: str) -> float:
    """From the command to the first tile."""
    port = reserve_port()
    server = serve(folder, port)
    began = time.perf_counter()
    try:
        server.start(lambda: answers(f"http://127.0.0.1:{port}{PREFIX}{image}/{TILE}"))
        fetch(port, image, TILE)
        return time.perf_counter() - began
    finally:
        server.stop()


if __name__ == "__main__":
    main()
