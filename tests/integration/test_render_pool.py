"""Costly images through `shanben serve`: streaming, the render pool, failures, and tiles beside crawlers."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import pyvips
from image_requests import PREFIX
from noise import noise
from ports import reserve_port
from published_picture import publish_picture
from server_process import ServerProcess, answers, descendants, is_alive, wait_for_end
from slow_client import SlowClient
from web_server import NO_LOCAL_WORKER

from iiif_server.pyramid.grid import TileGrid
from iiif_server.render.pool import WAITING

pytestmark = pytest.mark.integration

SHANBEN = Path(sys.executable).with_name("shanben")
WIDTH, HEIGHT = 6000, 5000
BROKEN = (http.client.IncompleteRead, ConnectionError)

# Asks for the whole picture for ever, as fast as it is given: a process of its own, so as not to slow the reader.
CRAWLER = """
import sys, urllib.error, urllib.request
while True:
    try:
        with urllib.request.urlopen(sys.argv[1], timeout=60) as answer:
            while answer.read(1 << 20):
                pass
    except (OSError, urllib.error.HTTPError):
        pass
"""


@dataclass(frozen=True)
class Web:
    """A web application that runs, over one large picture."""

    server: ServerProcess
    port: int
    image: str

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}{PREFIX}{self.image}/"

    def path(self, rest: str = "full/max/0/default.jpg") -> str:
        return f"{PREFIX}{self.image}/{rest}"

    def slowly(self, rest: str = "full/max/0/default.jpg") -> SlowClient:
        return SlowClient(self.port, self.path(rest))

    def get(self, rest: str) -> tuple[int, Mapping[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("GET", self.path(rest))
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def tiles(self) -> list[str]:
        return [self.path(name) for name in TileGrid(WIDTH, HEIGHT, 512).names()]

    def processes(self) -> list[int]:
        assert self.server.pid
        return descendants(self.server.pid)

    def parents(self) -> list[int]:
        """The processes that serve, whose children render."""
        return [pid for pid in self.processes() if is_worker(pid)]

    def renderers(self) -> list[int]:
        return [pid for pid in self.processes() if b"repository.sandbox" in command_of(pid)]


def threads_of(pid: int) -> int:
    try:
        return len(os.listdir(f"/proc/{pid}/task"))
    except (FileNotFoundError, ProcessLookupError):
        return 0


def command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def wait_until(holds: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A data folder with one picture, noisy so that it is long in every format, and its image's identifier."""
    folder = tmp_path_factory.mktemp("lanes")
    grey = noise(WIDTH, HEIGHT, mean=128, sigma=40, seed=1)
    picture = grey.bandjoin([grey.rot180(), grey.fliphor()]).copy(interpretation="srgb")
    return folder, publish_picture(folder / "var", picture, 512)


@contextmanager
def serving(library: tuple[Path, str], workers: int = 1, **settings: str) -> Iterator[Web]:
    folder, image = library
    port = reserve_port()
    command = [str(SHANBEN), "serve", "--port", str(port), "--workers", str(workers)]
    environment = {**os.environ, **NO_LOCAL_WORKER, "SHANBEN_DATA": str(folder / "var"), **settings}
    server = ServerProcess("shanben serve", command, folder / f"web-{port}.log", environment=environment)
    try:
        server.start(lambda: answers(f"http://127.0.0.1:{port}/health/ready"))
        yield Web(server, port, image)
    finally:
        server.stop()


@pytest.fixture(scope="module")
def web(library: tuple[Path, str]) -> Iterator[Web]:
    """The web application in one process, for the tests that leave it whole."""
    with serving(library) as web:
        yield web


class TestStreamedImage:
    def test_a_large_image_is_streamed_whole(self, web: Web) -> None:
        status, headers, body = web.get("full/max/0/default.jpg")
        assert (status, headers["Transfer-Encoding"]) == (200, "chunked")
        picture = pyvips.Image.new_from_buffer(body, "", fail_on="warning")
        assert (picture.width, picture.height) == (WIDTH, HEIGHT)
        assert picture.avg() > 100

    def test_an_http_1_0_client_gets_the_content_length(self, web: Web) -> None:
        with socket.create_connection(("127.0.0.1", web.port), timeout=60) as connection:
            connection.sendall(f"GET {web.path('full/max/0/default.jpg')} HTTP/1.0\r\n\r\n".encode())
            answer = b"".join(iter(lambda: connection.recv(1 << 20), b""))
        head, _, body = answer.partition(b"\r\n\r\n")
        assert f"content-length: {len(body)}".encode() in head.lower()
        assert body.endswith(b"\xff\xd9")

    def test_a_head_request_renders_nothing(self, web: Web) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", web.port, timeout=60)
        began = time.monotonic()
        for _ in range(20):
            connection.request("HEAD", web.path("full/max/0/gray.png"))
            answer = connection.getresponse()
            assert (answer.status, answer.read()) == (200, b"")
        assert time.monotonic() - began < 2
        connection.close()

    def test_a_disconnected_client_ends_the_rendering(self, web: Web) -> None:
        with web.slowly("full/max/0/default.png") as client:
            client.take(1 << 20)
            (renderer,) = web.renderers()
        wait_for_end([renderer], 10)
        assert web.get("full/max/0/default.jpg")[0] == 200

    def test_a_client_that_stops_reading_stalls_only_its_own_response(self, web: Web) -> None:
        with web.slowly("full/max/0/default.png") as client:
            client.take(1 << 20)
            began = time.monotonic()
            for path in web.tiles()[:20]:
                with urllib.request.urlopen(f"http://127.0.0.1:{web.port}{path}", timeout=20) as answer:
                    assert answer.status == 200
            assert web.get("info.json")[0] == web.get("full/300,/0/default.jpg")[0] == 200
            assert time.monotonic() - began < 20

    def test_a_killed_renderer_aborts_its_response_only(self, web: Web) -> None:
        with web.slowly("full/max/0/default.png") as client:
            client.take(1 << 20)
            (renderer,) = web.renderers()
            kept = http.client.HTTPConnection("127.0.0.1", web.port, timeout=60)
            assert ask(kept, web.tiles()[0]) == 200
            before = kept.sock
            os.kill(renderer, signal.SIGKILL)
            with pytest.raises(BROKEN):
                client.take_rest()
            assert ask(kept, web.tiles()[1]) == 200
            assert kept.sock is before
            kept.close()
        assert web.get("full/max/0/default.jpg")[0] == 200

    def test_killed_idle_renderers_are_replaced(self, web: Web) -> None:
        assert web.get("full/max/0/default.jpg")[0] == 200
        renderers = web.renderers()
        for renderer in renderers:
            os.kill(renderer, signal.SIGKILL)
        wait_until(lambda: not any(threads_of(pid) > 1 for pid in renderers))  # the last to end tells its parent
        time.sleep(0.2)
        assert web.get("full/max/0/default.jpg")[0] == 200


class TestRenderPool:
    def test_a_full_pool_refuses_renderings_with_retry_after_and_tiles_are_served(self, web: Web) -> None:
        statuses: list[int] = []

        def wait_in_line() -> None:
            statuses.append(web.get("full/2900,/0/default.jpg")[0])

        with web.slowly("full/max/0/default.png") as holder:
            holder.take(1)
            line = [threading.Thread(target=wait_in_line) for _ in range(WAITING)]
            for thread in line:
                thread.start()
            time.sleep(1)
            began = time.monotonic()
            status, headers, _ = web.get("full/4000,/0/default.jpg")
            assert (status, headers["Retry-After"]) == (503, "5")
            assert time.monotonic() - began < 5
            assert {web.get(rest)[0] for rest in ("0,0,512,512/512,512/0/default.jpg", "full/200,/0/default.jpg")} == {
                200
            }
        for thread in line:
            thread.join(60)
        assert set(statuses) <= {200, 503}
        assert 200 in statuses

    def test_clients_that_read_nearly_nothing_do_not_hold_the_pool(self, web: Web) -> None:
        with ExitStack() as open_clients:
            for number, version in enumerate(["1.1", "1.0"] * 3):  # more than `PLACES`
                client = open_clients.enter_context(socket.create_connection(("127.0.0.1", web.port), timeout=60))
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
                request = f"GET {web.path(f'full/{2900 + number},/0/default.jpg')} HTTP/{version}\r\nHost: here\r\n\r\n"
                client.sendall(request.encode())
                assert client.recv(12) == b"HTTP/1.1 200", number
            wait_until(lambda: not any(is_working(pid) for pid in web.renderers()))
            began = time.monotonic()
            assert web.get("full/2899,/0/default.jpg")[0] == 200
            assert time.monotonic() - began < 20

    def test_the_renderer_has_a_lower_priority_than_the_server(self, web: Web) -> None:
        with web.slowly() as client:
            client.take(1)
            (renderer,) = web.renderers()
            assert os.getpriority(os.PRIO_PROCESS, renderer) > os.getpriority(os.PRIO_PROCESS, web.server.pid or 0)

    def test_the_memory_of_large_renderings_is_bounded(self, library: tuple[Path, str]) -> None:
        with serving(library) as web:
            web.get("0,0,512,512/512,512/0/default.jpg")
            idle = memory(web)
            with watched_memory(web) as most:
                for rest in ("full/max/0/default.jpg", "full/max/90/default.png", "full/max/!180/gray.jpg"):
                    assert web.get(rest)[0] == 200
            assert max(most) - idle < 300 << 20

    def test_a_rendering_that_exceeds_its_time_is_refused(self, library: tuple[Path, str]) -> None:
        with serving(library, SHANBEN_RENDER_SECONDS="1") as web:
            began = time.monotonic()
            status, headers, _ = web.get("0,0,4000,4000/max/0/default.gif")
            assert (status, headers["Retry-After"]) == (503, "5")
            assert time.monotonic() - began < 8
            assert web.get("0,0,512,512/512,512/0/default.jpg")[0] == 200
            assert web.get("full/1500,/0/default.jpg")[0] == 200


def ask(connection: http.client.HTTPConnection, path: str) -> int:
    connection.request("GET", path)
    answer = connection.getresponse()
    answer.read()
    return answer.status


def memory(web: Web) -> int:
    """Bytes of all processes together; what they share is counted once for each."""
    assert web.server.pid
    total = 0
    for pid in [web.server.pid, *web.processes()]:
        try:
            total += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        except (FileNotFoundError, ProcessLookupError):
            continue
    return total


@contextmanager
def watched_memory(web: Web) -> Iterator[list[int]]:
    found, ended = [0], threading.Event()

    def watch() -> None:
        while not ended.wait(0.02):
            found.append(memory(web))

    watcher = threading.Thread(target=watch)
    watcher.start()
    yield found
    ended.set()
    watcher.join()


@pytest.mark.alone
class TestTilesBesideCrawlers:
    ROUNDS, TILES, TRIES = 5, 400, 6

    def test_renderings_do_not_delay_tiles(self, library: tuple[Path, str]) -> None:
        """The median of several rounds' p99, by turns without and with crawlers; again if the machine was busy."""
        with serving(library, workers=2) as web:
            self.reads(web)
            for _ in range(self.TRIES):
                idle, busy = self.rounds(web)
                if busy <= 2 * idle:
                    break
        assert busy <= 2 * idle, f"p99 {busy * 1000:.1f} ms beside crawlers, {idle * 1000:.1f} ms without"

    def rounds(self, web: Web) -> tuple[float, float]:
        idle, busy = [], []
        for _ in range(self.ROUNDS):
            idle.append(self.reads(web))
            with crawlers(web, 4):
                busy.append(self.reads(web))
            wait_until(lambda: not any(is_working(pid) for pid in web.renderers()))
        return statistics.median(idle), statistics.median(busy)

    def reads(self, web: Web) -> float:
        """The p99 of the seconds that a tile takes."""
        tiles, times = web.tiles(), []
        connection = http.client.HTTPConnection("127.0.0.1", web.port, timeout=60)
        for number in range(self.TILES):
            began = time.perf_counter()
            assert ask(connection, tiles[number * 7 % len(tiles)]) == 200
            times.append(time.perf_counter() - began)
        connection.close()
        return statistics.quantiles(times, n=100)[-1]


@contextmanager
def crawlers(web: Web, count: int) -> Iterator[None]:
    command = [sys.executable, "-c", CRAWLER, f"{web.address}full/max/0/default.jpg"]
    started = [subprocess.Popen(command) for _ in range(count)]
    try:
        wait_until(lambda: any(is_working(pid) for pid in web.renderers()))
        time.sleep(1)  # until all of them have started
        yield
    finally:
        for process in started:
            process.kill()
        for process in started:
            process.wait()


def is_working(pid: int) -> bool:
    """Whether a process runs on a processor, or is about to, or was within a tenth of a second."""

    def ticks() -> int:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return 0
        return int(fields[11]) + int(fields[12])

    before = ticks()
    time.sleep(0.1)
    return ticks() > before


class TestServerEnd:
    def test_responses_in_progress_complete_when_the_server_stops(self, library: tuple[Path, str]) -> None:
        with serving(library) as web, web.slowly() as client:
            begun = client.take(1 << 20)
            family = web.processes()
            web.server.send(signal.SIGTERM)
            wait_until(lambda: not accepts_anything(web.port))
            body = begun + client.take_rest()
            assert pyvips.Image.new_from_buffer(body, "", fail_on="warning").avg() > 100
            wait_until(lambda: web.server.pid is None)
            wait_for_end(family, 5)

    def test_a_killed_server_leaves_no_renderer(self, library: tuple[Path, str]) -> None:
        with serving(library) as web:
            assert web.server.pid
            assert_no_renderer_outlives(web, [web.server.pid, *web.parents()])

    def test_a_killed_process_leaves_no_renderer(self, web: Web) -> None:
        assert_no_renderer_outlives(web, web.parents()[-1:])
        wait_until(lambda: answers(f"http://127.0.0.1:{web.port}/health/ready"), 60)

    def test_a_reload_replaces_the_processes_and_fails_no_request(self, library: tuple[Path, str]) -> None:
        with serving(library, workers=2) as web:
            tile = f"http://127.0.0.1:{web.port}{web.tiles()[0]}"
            before = [pid for pid in web.processes() if b"multiprocessing" in command_of(pid)]
            failures, ended = [], threading.Event()

            def read() -> None:
                while not ended.wait(0.03):
                    try:
                        urllib.request.urlopen(tile, timeout=20).close()
                    except OSError as fault:
                        failures.append(repr(fault))

            readers = [threading.Thread(target=read) for _ in range(2)]
            for reader in readers:
                reader.start()
            with web.slowly() as client:
                begun = client.take(1 << 20)
                web.server.send(signal.SIGHUP)
                time.sleep(1)
                body = begun + client.take_rest()
            wait_until(lambda: not any(is_worker(pid) for pid in before), 60)
            ended.set()
            for reader in readers:
                reader.join()
            assert failures == []
            assert pyvips.Image.new_from_buffer(body, "", fail_on="warning").avg() > 100


def assert_no_renderer_outlives(web: Web, victims: list[int]) -> None:
    with web.slowly("full/max/0/default.png") as client:
        client.take(1)
        renderers = web.renderers()
        assert renderers
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        wait_for_end(renderers, 10)
        with pytest.raises(BROKEN):
            client.take_rest()


def is_worker(pid: int) -> bool:
    return is_alive(pid) and b"spawn_main" in command_of(pid)


def accepts_anything(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
