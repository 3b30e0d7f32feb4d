"""Tiles a second through `shanben serve`, against nginx serving the same tiles as files and Debian's iipsrv.

Every tile of every level of one synthetic image of 108 megapixels, edges with them, in turn; folder store, two workers,
keep-alive, eight connections of wrk on the same machine; once in tiles of 256 pixels, once in tiles of 512. All are
asked by turns, and compared turn by turn, since a machine's speed drifts: a ratio is the median of those of all turns.
What each tile's bytes should be is checked before anything counts; iipsrv
makes its own from a pyramidal TIFF of the same picture, so of those the sizes are.
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
import urllib.request
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import pyvips
from image_requests import PREFIX
from PIL import Image as Picture
from ports import reserve_port

from iiif_server.pyramid.file import recipe, write_pyramid
from repository import paths
from repository.config import Settings
from repository.database.publication import Publication
from repository.identifiers import Kind, mint
from repository.model.work import Image, Master, Page, Pyramid, Record, Volume, Work
from repository.repository import open_repository
from workers.bootstrap import prepare_repository

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
from iip_server import PREFIX as IIP_PREFIX
from iip_server import IipServer, write_tiff
from server_process import descendants

SHANBEN = Path(sys.executable).with_name("shanben")
WIDTH, HEIGHT = 12_000, 9_000
ROUNDS, SECONDS = 9, 2
TIME = "2026-01-01T00:00:00Z"
TICK = os.sysconf("SC_CLK_TCK")

CYCLE = """
local requests, place = {}, 0
function init(arguments)
  for line in io.lines(arguments[1]) do
    local path, etag = line:match("^(%S+) ?(.*)$")
    local headers = {}
    if etag ~= "" then headers["If-None-Match"] = etag end
    requests[#requests + 1] = wrk.format("GET", path, headers)
  end
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


class Served(NamedTuple):
    """A started server: its port, and its first process."""

    port: int
    pid: int


class Run(NamedTuple):
    """What one run of wrk saw: answers a second, the 99th percentile in ms; and the server's CPU ms an answer."""

    rate: float
    p99: float
    cpu: float


@dataclass(frozen=True)
class Asked:
    """A server, and what it is asked for: a file of paths, each with an ETag or without."""

    port: int
    pids: Sequence[int]
    paths: Path


def main() -> None:
    """Print the rows of each tile size."""
    with tempfile.TemporaryDirectory(prefix="bench-tiles-") as scratch:
        folder = Path(scratch)
        folder.chmod(0o755)
        (folder / "cycle.lua").write_text(CYCLE)
        tiles = {size: hold(folder, size) for size in (256, 512)}
        with served(folder) as ours, static(folder) as nginx, IipServer(folder / "iip", folder / "tiffs") as iip:
            for size, urls in tiles.items():
                check(urls, ours.port, nginx.port)
                etags = validators(urls, ours.port)
                (folder / f"{size}.etags").write_text("".join(f"{url} {etag}\n" for url, etag in etags.items()))
                foreign = check_sizes(urls, size, iip.port)
                (folder / f"{size}.iip").write_text("\n".join(foreign) + "\n")
                rows(folder, size, len(urls), {
                    "ours": Asked(ours.port, [ours.pid], folder / f"{size}.txt"),
                    "nginx": Asked(nginx.port, [nginx.pid], folder / f"{size}.txt"),
                    "iipsrv": Asked(iip.port, iip.pids, folder / f"{size}.iip"),
                    "304": Asked(ours.port, [ours.pid], folder / f"{size}.etags"),
                })  # fmt: skip


def page() -> pyvips.Image:
    """Something like paper with ink on it: about as many bytes a tile as a scan has."""
    paper = pyvips.Image.gaussnoise(WIDTH, HEIGHT, mean=205, sigma=7, seed=1)
    ink = pyvips.Image.perlin(WIDTH, HEIGHT, cell_size=96, seed=2) > 90
    grey = ink.ifthenelse(40, paper)
    return grey.bandjoin([grey * 0.94, grey * 0.8]).cast("uchar").copy(interpretation="srgb")


def hold(folder: Path, size: int) -> list[str]:
    """Publish the image in tiles of `size`, unpack them for nginx, write a TIFF of it; the paths of its tiles."""
    repository = prepare_repository(open_repository(Settings(data=folder / "var")))
    image, work = mint(Kind.IMAGE, "bench", str(size)), mint(Kind.WORK, "bench", str(size))
    file = folder / f"{size}.zip"
    picture = page()
    summary = write_pyramid(picture, file, size, 80)
    (folder / "tiffs").mkdir(exist_ok=True)
    write_tiff(picture, folder / "tiffs" / f"{size}.tif", size)
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
def served(folder: Path) -> Iterator[Served]:
    """`shanben serve` on a free port."""
    port = reserve_port()
    environ = {"PATH": os.environ["PATH"], "SHANBEN_DATA": str(folder / "var")}
    with running([SHANBEN, "serve", "--port", str(port), "--workers", "2"], port, environ) as pid:
        be_ready(port)
        yield Served(port, pid)


def be_ready(port: int) -> None:
    """Until all processes of `shanben serve` answer: the first that is ready does, while the others begin."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=30) as answer:
        answer.read()
    time.sleep(3)


@contextmanager
def static(folder: Path) -> Iterator[Served]:
    """Nginx over the unpacked tiles, on a free port."""
    port = reserve_port()
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port))
    user = ["-g", "user root;"] if os.geteuid() == 0 else []
    with running(["nginx", "-p", folder, "-c", folder / "nginx.conf", *user], port, dict(os.environ)) as pid:
        yield Served(port, pid)


@contextmanager
def running(command: list[str | Path], port: int, environ: dict[str, str]) -> Iterator[int]:
    """The process id of a server of ours while it runs: waited for, and stopped by its process."""
    server = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=sys.stderr)
    try:
        wait_for(port, server)
        yield server.pid
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


def validators(urls: list[str], port: int) -> dict[str, str]:
    """Return the ETag of every tile; `RuntimeError` when a request with it does not return 304."""
    connection, etags = HTTPConnection("127.0.0.1", port), {}
    for url in urls:
        connection.request("HEAD", url)
        answer = connection.getresponse()
        answer.read()
        etags[url] = answer.headers["ETag"]
        connection.request("GET", url, headers={"If-None-Match": etags[url]})
        answer = connection.getresponse()
        if (answer.status, answer.read()) != (304, b""):
            raise RuntimeError(f"{url}: {answer.status}, not 304")
    connection.close()
    return etags


def check_sizes(urls: list[str], size: int, port: int) -> list[str]:
    """The paths of the same tiles at iipsrv, whose answers are pictures of the right size; `RuntimeError` when not."""
    connection, paths = HTTPConnection("127.0.0.1", port), []
    for url in urls:
        request = "/".join(url.split("/")[-4:])
        paths.append(f"{IIP_PREFIX}{size}.tif/{request}")
        connection.request("GET", paths[-1])
        answer = connection.getresponse()
        found = Picture.open(BytesIO(answer.read())).size if answer.status == 200 else answer.status
        if found != tuple(map(int, request.split("/")[1].split(","))):
            raise RuntimeError(f"{paths[-1]}: {found}")
    connection.close()
    return paths


def rows(folder: Path, size: int, count: int, asked: dict[str, Asked]) -> None:
    """Measure by turns, and print."""
    runs: dict[str, list[Run]] = {name: [] for name in asked}
    for _ in range(ROUNDS):
        for name, one in asked.items():
            runs[name].append(measure(folder, one))
    print(f"{size}: {runs}", file=sys.stderr)
    rates, waits, spent = (
        {name: [getattr(run, field) for run in every] for name, every in runs.items()} for field in Run._fields
    )
    rate, p99, cpu = ({name: Figure(every) for name, every in table.items()} for table in (rates, waits, spent))
    on = f"{count:,} tiles of {WIDTH * HEIGHT // 10**6} Mpx, 2 workers, 8 connections"
    nginx, iip = "nginx, the same tiles as files", "iipsrv 1.1, 2 processes behind nginx"
    for cells in (
        (f"tiles, {size} px", on, f"{rate['ours']} a second", f"{nginx}: {rate['nginx']}",
         f"ratio {ratio(rates['ours'], rates['nginx']):.2f}"),
        (f"tile rate against iipsrv, {size} px", on, f"{rate['ours']} a second", f"{iip}: {rate['iipsrv']}",
         f"{ratio(rates['ours'], rates['iipsrv']):.1f} times"),
        (f"tile p99, {size} px", on, f"{p99['ours']:.1f} ms",
         f"{iip}: {p99['iipsrv']:.1f} ms; nginx: {p99['nginx']:.1f} ms",
         f"ratio {ratio(waits['ours'], waits['iipsrv']):.2f}"),
        (f"304 answers, {size} px", on, f"{rate['304']} a second", f"tiles: {rate['ours']}",
         f"{ratio(rates['304'], rates['ours']):.2f} times"),
        (f"CPU ms a tile, {size} px", on, f"{cpu['ours']:.3f} (304: {cpu['304']:.3f})",
         f"nginx: {cpu['nginx']:.3f}; iipsrv: {cpu['iipsrv']:.3f}",
         f"ratio to nginx {ratio(spent['ours'], spent['nginx']):.1f}"),
    ):  # fmt: skip
        print(" | ".join(cells), flush=True)


class Figure(float):
    """The median of several runs, which tells its spread."""

    def __new__(cls, values: Sequence[float]) -> Figure:
        made = super().__new__(cls, statistics.median(values))
        made.spread = min(values), max(values)
        return made

    spread: tuple[float, float]

    def __format__(self, form: str) -> str:
        form = form or ",.0f"
        low, high = (format(end, form) for end in self.spread)
        return f"{float(self).__format__(form)} ({low} to {high})"


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Figure:
    """What was measured by turns, compared turn by turn."""
    return Figure([one / other for one, other in zip(ours, theirs, strict=True)])


def measure(folder: Path, asked: Asked, seconds: int = SECONDS) -> Run:
    """One run of wrk; `RuntimeError` when any answer is an error."""
    before = processor_seconds(asked.pids)
    told = wrk(folder, asked.port, asked.paths, seconds)
    spent = processor_seconds(asked.pids) - before
    answers = int(found(r"(\d+) requests in", told))
    number, unit = re.fullmatch(r"([0-9.]+)(us|ms|s)", found(r"99% +(\S+)", told)).groups()
    p99 = float(number) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[unit]
    return Run(float(found(r"Requests/sec: *([0-9.]+)", told)), p99, 1000 * spent / answers)


def rate(folder: Path, size: int, port: int) -> float:
    """Tiles a second that wrk sees; `RuntimeError` when any answer is an error."""
    return float(found(r"Requests/sec: *([0-9.]+)", wrk(folder, port, folder / f"{size}.txt")))


def wrk(folder: Path, port: int, paths: Path, seconds: int = SECONDS, host: str = "http://127.0.0.1") -> str:
    """What wrk says after asking for all of `paths` over and over."""
    command = ["wrk", "-t2", "-c8", "--latency", f"-d{seconds}s", "-s", folder / "cycle.lua"]
    command += [f"{host}:{port}", "--", paths]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    if "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
        raise RuntimeError(done.stdout)
    return done.stdout


def found(form: str, text: str) -> str:
    """The first group of a pattern that must be there."""
    match = re.search(form, text)
    if match is None:
        raise RuntimeError(text)
    return match[1]


def processor_seconds(pids: Sequence[int]) -> float:
    """What these processes and all that they started have used of the processor so far."""
    every = [pid for first in pids for pid in (first, *descendants(first))]
    fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in every]
    return sum(int(field[11]) + int(field[12]) for field in fields) / TICK


if __name__ == "__main__":
    main()
