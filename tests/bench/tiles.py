"""Tiles a second through `shanben serve`, against nginx serving the same tiles as files, in the same run.

Every tile of every level of one synthetic image of 108 megapixels, edges with them, in turn; folder store, two workers,
keep-alive, eight connections of wrk on the same machine; once in tiles of 256 pixels, once in tiles of 512. The two
servers are asked by turns and the medians compared. What each tile's bytes should be is checked before anything counts.
"""

from __future__ import annotations

import hashlib
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pyvips

from iiif_server.image_service import PREFIX
from iiif_server.pyramid import recipe, write_pyramid
from repository import paths
from repository.catalog import Publication
from repository.config import Settings
from repository.handle import open_repository
from repository.identifiers import Kind, mint
from repository.model import Image, Master, Page, Pyramid, Record, Volume, Work

SHANBEN = Path(sys.executable).with_name("shanben")
WIDTH, HEIGHT = 12_000, 9_000
ROUNDS, SECONDS = 3, 5
TIME = "2026-01-01T00:00:00Z"

CYCLE = """
local requests, place = {}, 0
function init(arguments)
  for path in io.lines(arguments[1]) do requests[#requests + 1] = wrk.format("GET", path) end
  place = math.random(#requests)
end
function request()
  place = place % #requests + 1
  return requests[place]
end
"""

NGINX = """
daemon off; worker_processes 2; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000; default_type image/jpeg;
  open_file_cache max=10000; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{ listen 127.0.0.1:{port}; root {folder}/files; }}
}}
"""


def main() -> None:
    """Print a row for each tile size."""
    with tempfile.TemporaryDirectory(prefix="bench-tiles-") as scratch:
        folder = Path(scratch)
        folder.chmod(0o755)
        (folder / "cycle.lua").write_text(CYCLE)
        tiles = {size: hold(folder, size) for size in (256, 512)}
        with served(folder) as ours, static(folder) as nginx:
            for size, urls in tiles.items():
                check(urls, ours, nginx)
                row(folder, size, urls, ours, nginx)


def page() -> pyvips.Image:
    """Something like paper with ink on it: about as many bytes a tile as a scan has."""
    paper = pyvips.Image.gaussnoise(WIDTH, HEIGHT, mean=205, sigma=7, seed=1)
    ink = pyvips.Image.perlin(WIDTH, HEIGHT, cell_size=96, seed=2) > 90
    grey = ink.ifthenelse(40, paper)
    return grey.bandjoin([grey * 0.94, grey * 0.8]).cast("uchar").copy(interpretation="srgb")


def hold(folder: Path, size: int) -> list[str]:
    """Publish the image in tiles of `size`, unpack them for nginx; the paths of its tiles."""
    repository = open_repository(Settings(data=folder / "var"))
    image, work = mint(Kind.IMAGE, "bench", str(size)), mint(Kind.WORK, "bench", str(size))
    file = folder / f"{size}.zip"
    summary = write_pyramid(page(), file, size, 80)
    unpacked = folder / "files" / PREFIX.strip("/") / image
    with zipfile.ZipFile(file) as archive:
        archive.extractall(unpacked)
        names = [name for name in archive.namelist() if name.endswith(".jpg")]
    pyramid = Pyramid(paths.pyramid(image, recipe(size, 80)), summary.fingerprint, summary.bytes, size)
    repository.store.put(pyramid.key, file.read_bytes())
    held = Image(image, WIDTH, HEIGHT, Master("masters/1.tif", hashlib.sha256().hexdigest(), 0, "image/tiff"))
    book = Work(work, Record("bench"), (Volume("", (Page("1", "1", (held,)),)),))
    repository.catalogue.publish(Publication(book, {image: pyramid}, (), 1, TIME, {}), (), TIME)
    urls = [f"{PREFIX}{image}/{name}" for name in names]
    (folder / f"{size}.txt").write_text("\n".join(urls) + "\n")
    return urls


@contextmanager
def served(folder: Path) -> Iterator[int]:
    """`shanben serve` on a free port."""
    port = free_port()
    environ = {"PATH": os.environ["PATH"], "SHANBEN_DATA": str(folder / "var")}
    with running([SHANBEN, "serve", "--port", str(port), "--workers", "2"], port, environ):
        yield port


@contextmanager
def static(folder: Path) -> Iterator[int]:
    """Nginx over the unpacked tiles, on a free port."""
    port = free_port()
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port))
    user = ["-g", "user root;"] if os.geteuid() == 0 else []
    with running(["nginx", "-p", folder, "-c", folder / "nginx.conf", *user], port, dict(os.environ)):
        yield port


@contextmanager
def running(command: list[str | Path], port: int, environ: dict[str, str]) -> Iterator[None]:
    """A server of ours while it runs: waited for, and stopped by its process."""
    server = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=sys.stderr)
    try:
        wait_for(port, server)
        yield
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait(20)


def wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    """Until something answers on the port; `RuntimeError` when the server ends or a minute passes."""
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if server.poll() is not None:
                break
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"{server.args!r} did not start")


def free_port() -> int:
    """A port that nothing listens on just now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def check(urls: list[str], ours: int, nginx: int) -> None:
    """Both give the same bytes for every tile; `RuntimeError` when not."""
    first, second = HTTPConnection("127.0.0.1", ours), HTTPConnection("127.0.0.1", nginx)
    for url in urls:
        answers = []
        for connection in (first, second):
            connection.request("GET", url)
            answer = connection.getresponse()
            answers.append((answer.status, answer.read()))
        if answers[0] != answers[1] or answers[0][0] != 200:
            raise RuntimeError(f"the servers disagree on {url}: {answers[0][0]}, {answers[1][0]}")
    first.close()
    second.close()


def row(folder: Path, size: int, urls: list[str], ours: int, nginx: int) -> None:
    """Measure by turns, and print."""
    rates = [(rate(folder, size, ours), rate(folder, size, nginx)) for _ in range(ROUNDS)]
    first, second = (statistics.median(column) for column in zip(*rates, strict=True))
    print(f"{size}: {rates}", file=sys.stderr)
    print(
        f"tiles, {size} px | {len(urls):,} tiles of {WIDTH * HEIGHT // 10**6} Mpx, 2 workers, 8 connections"
        f" | {first:,.0f} a second | nginx, the same tiles as files: {second:,.0f} | ratio {first / second:.2f}",
        flush=True,
    )


def rate(folder: Path, size: int, port: int) -> float:
    """Tiles a second that wrk sees; `RuntimeError` when any answer is an error."""
    command = ["wrk", "-t2", "-c8", f"-d{SECONDS}s", "-s", folder / "cycle.lua", f"http://127.0.0.1:{port}"]
    done = subprocess.run([*command, "--", folder / f"{size}.txt"], capture_output=True, text=True, check=True)
    if "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
        raise RuntimeError(done.stdout)
    found = re.search(r"Requests/sec: *([0-9.]+)", done.stdout)
    if found is None:
        raise RuntimeError(done.stdout)
    return float(found[1])


if __name__ == "__main__":
    main()
