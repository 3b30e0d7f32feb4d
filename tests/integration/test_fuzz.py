"""Malformed requests and damaged files against a running server: it never crashes, hangs or reveals its inside.

FUZZ_SEED (1) determines every choice. FUZZ_MINUTES (0: a fixed small number of tries) is set by `make fuzz`, which
continues until the time has passed and prints the seed, so that a failure can be repeated.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import socket
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import imagecodecs
import mutations
import pytest
import pyvips
from command_line import ShanbenHere
from image_requests import PREFIX
from noise import noise
from raw_http import NoResponse, RawConnection, Response, connect
from server_process import ServerProcess
from silent_progress import SilentProgress
from web_server import NO_LOCAL_WORKER, WebServer

from iiif_server.pyramid.zip_directory import LONGEST_END, end_record, read_end
from workers.deposit.check import check
from workers.masters.examine import ChildExaminer

pytestmark = pytest.mark.integration

SEED = int(os.environ.get("FUZZ_SEED", "1"))
MINUTES = float(os.environ.get("FUZZ_MINUTES", "0"))
SECONDS_AN_ANSWER = 20.0
SECONDS_A_TILE = 5.0
HEADER_SECONDS = 30.0
"""How long the server waits for a complete request."""

DAMAGE = {500, 503}
OTHERS = (
    "/", "/works", "/works/*", "/works/*/read", "/works/*/read?page=*", "/works?page=*",
    "/iiif/presentation/3/*/manifest",
    "/iiif/presentation/3/collection/top", "/iiif/presentation/3/collection/*", "/log/checkpoint", "/log/key",
    "/log/tile/0/000", "/log/tile/entries/000.p/5", "/log/proof/*", "/static/*", "/health/ready", "/health/live",
    "/operations", "/metrics", "/favicon.ico", "*", "/*",
)  # fmt: skip


@dataclass
class Installation:
    """A running server, its works, and the pyramids in its store."""

    server: ServerProcess
    port: int
    data: Path
    works: list[str]
    images: list[str]
    pyramids: dict[str, Path]

    def connection(self) -> RawConnection:
        return RawConnection(self.port)

    def tiles(self, image: str) -> dict[str, bytes]:
        """Return path and bytes of every stored tile, read by Python's zipfile."""
        with zipfile.ZipFile(self.pyramids[image]) as archive:
            names = [name for name in archive.namelist() if name.endswith(".jpg")]
            return {f"{PREFIX}{image}/{name}": archive.read(name) for name in names}

    def processes(self) -> set[int]:
        """Return the ids of the server's child processes; their own children, which render, come and go."""
        assert self.server.pid is not None, self.server.end_of_log()
        tasks = Path(f"/proc/{self.server.pid}/task").glob("*/children")
        return {int(pid) for children in tasks for pid in children.read_text().split()}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A server with a book of a small page and a large one."""
    folder = tmp_path_factory.mktemp("fuzz")
    shanben = ShanbenHere(folder, tile_size=256)
    done = shanben.run_json("ingest", write_book(folder / "book"))
    assert done.code == 0, done.errors
    work = done.document["works"][0]["identifier"]
    pyramids = {path.parent.name: path for path in (folder / "var/store/pyramids").rglob("*") if path.is_file()}
    # A local worker would repair the pyramids that these tests damage.
    environment = shanben.environment | NO_LOCAL_WORKER
    with WebServer(folder, environment) as server:
        with RawConnection(server.port) as connection:
            manifest = json.loads(connection.get(f"/iiif/presentation/3/{work}/manifest").body)
        images = [page["items"][0]["items"][0]["body"]["service"][0]["id"] for page in manifest["items"]]
        names = [address.rpartition("/")[2] for address in images]
        paths = {name: next(path for path in pyramids.values() if name in str(path)) for name in names}
        yield Installation(server.process, server.port, folder / "var", [work], names, paths)


@pytest.fixture
def installation(running: Installation) -> Iterator[Installation]:
    """The running server. Afterwards the same processes run, tiles are served quickly, and the log has no traceback."""
    written = running.server.log.stat().st_size
    before = running.processes()
    yield running
    with running.connection() as connection:
        for path, tile in list(running.tiles(running.images[0]).items())[:3]:
            answer = connection.get(path)
            assert (answer.status, answer.body) == (200, tile)
            assert answer.seconds < SECONDS_A_TILE
    assert running.processes() >= before, f"a process ended\n{running.server.end_of_log()}"
    log = running.server.log.read_bytes()[written:].decode("utf-8", "replace")
    assert "Traceback" not in log, log[-4000:]
    assert "panicked" not in log, log[-4000:]


def write_book(folder: Path) -> Path:
    folder.mkdir()
    for number, (width, height) in enumerate([(700, 900), (6000, 5000)], start=1):
        noise(width, height, mean=200, sigma=12, seed=number).tiffsave(str(folder / f"{number:04d}.tif"))
    (folder / "work.toml").write_text('title = "試書"\n', "utf-8")
    return folder


def chances(tries: int) -> Iterator[random.Random]:
    """Yield a random generator for each try: a fixed number, or as many as fit in a share of FUZZ_MINUTES."""
    deadline = time.monotonic() + 60 * MINUTES / 6
    number = 0
    while number < tries or time.monotonic() < deadline:
        yield random.Random(f"{SEED} {number}")
        number += 1
    if MINUTES:
        print(f"{number} tries from FUZZ_SEED={SEED}")


def assert_clean(answer: Response, what: object, installation: Installation, damage: bool = False) -> None:
    """Assert that a response is no server error, came in time, and reveals nothing of the server's inside."""
    story = f"{what!r}: {answer.status} after {answer.seconds:.1f} s: {answer.body[:500]!r}"
    assert answer.seconds < SECONDS_AN_ANSWER, story
    if answer.status == 503:
        assert answer.headers.get("retry-after"), story
        assert damage or b"rendering.busy" in answer.body, story
    elif not (damage and answer.status in DAMAGE):
        assert answer.status < 500, story
    if not answer.headers.get("content-type", "").startswith("image/"):
        for inside in (b"Traceback", str(installation.data).encode(), b"site-packages", b"sqlite", b"SELECT "):
            assert inside not in answer.body, story


class TestRequests:
    def test_a_mutated_address_gets_a_clean_response(self, installation: Installation) -> None:
        known, statuses = [*installation.images, *installation.works], Counter[int]()
        with installation.connection() as connection:
            for chance in chances(1500):
                target = mutations.target(chance, known, OTHERS)
                method = chance.choice(["GET", "GET", "GET", "GET", "HEAD", "OPTIONS"])
                answer = connection.get(target, method)
                statuses[answer.status] += 1
                assert_clean(answer, (method, target), installation)
                if answer.status == 200 and method == "GET":
                    assert b"root:" not in answer.body[:200], target
        assert statuses[200] > 20, statuses  # else only the first check of the grammar was reached
        assert statuses[400] > 200, statuses

    def test_a_mutated_header_gets_a_clean_response(self, installation: Installation) -> None:
        image = f"{PREFIX}{installation.images[0]}/"
        targets = [
            image + "info.json",
            image + "0,0,256,256/256,256/0/default.jpg",
            image + "full/100,/0/default.png",
            "/works",
        ]
        with installation.connection() as connection:
            for chance in chances(600):
                target = chance.choice(targets)
                headers = b"".join(header(chance) for _ in range(chance.choice([1, 1, 2, 5])))
                method = chance.choice(["GET", "GET", "HEAD", "OPTIONS"])
                assert_clean(connection.get(target, method, headers), (target, headers[:300]), installation)

    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND", "A" * 5000, "GE\0T"])
    def test_other_methods_are_refused(self, method: str, installation: Installation) -> None:
        for target in (f"{PREFIX}{installation.images[0]}/full/max/0/default.jpg", "/works", "/"):
            with installation.connection() as connection, contextlib.suppress(NoResponse):
                answer = connection.get(target, method)
                assert_clean(answer, (method, target), installation)
                assert answer.status in {400, 403, 404, 405, 414, 431}

    def test_malformed_requests_are_refused_or_end_the_connection(self, installation: Installation) -> None:
        tile = f"{PREFIX}{installation.images[0]}/0,0,256,256/256,256/0/default.jpg".encode()
        whole = b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % tile
        given = [
            b"\r\n\r\n", b"\0" * 1000, b"GET\r\n\r\n", b"GET  HTTP/1.1\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n",
            b"GET /\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0" * 50,
            b"GET http://elsewhere.example%s HTTP/1.1\r\nHost: y\r\n\r\n" % tile,
            b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
            b"CONNECT 10.0.0.1:22 HTTP/1.1\r\nHost: x\r\n\r\n", b"GET %s HTTP/1.1\r\n\r\n" % tile,
            b"GET %s HTTP/1.0\r\nHost: x\r\n\r\n" % tile, b"GET %s HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" % tile,
            b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999\r\n\r\nabc" % tile,
            b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n" % tile,
            b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nabcde" % tile,
            b"GET %s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n" % tile,
            b"GET %s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\na" % tile,
            b"GET %s HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n" % tile,
            b"GET %s HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n" % tile,
            b"GET %s HTTP/1.1\r\nHost: x\r\n" % tile + b"X: y\r\n" * 5000 + b"\r\n", whole[:40], whole[:-2],
        ]  # fmt: skip
        given += [mutations.mangled(chance, whole) for chance in chances(150)]
        for data in given:
            with installation.connection() as connection, contextlib.suppress(NoResponse):
                assert_clean(connection.send(data, ended=True), data[:300], installation)

    def test_a_giant_header_is_refused_before_it_is_all_in_memory(self, installation: Installation) -> None:
        with installation.connection() as connection, contextlib.suppress(NoResponse):
            answer = connection.get("/", headers=b"X: " + b"a" * (64 << 20) + b"\r\n")
            assert answer.status in {400, 431}
        for pid in installation.processes():
            with contextlib.suppress(FileNotFoundError):
                status = Path(f"/proc/{pid}/status").read_text()
                peak = next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")), 0)
                assert peak < 600 * 1024, status

    def test_pipelined_requests_are_answered_in_order(self, installation: Installation) -> None:
        tiles = list(installation.tiles(installation.images[0]).items())[:5]
        piped = b"".join(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path.encode() for path, _ in tiles * 10)
        expected = b"".join(tile for _, tile in tiles * 10)
        with connect(installation.port) as connected:
            connected.sendall(piped)
            received = bytearray()
            while len(received) < len(expected):
                part = connected.recv(1 << 16)
                assert part, "it ended too early"
                received += part
        places = [bytes(received).find(tile) for _, tile in tiles]
        assert places == sorted(places)
        assert -1 not in places


def header(chance: random.Random) -> bytes:
    """Return a header that servers interpret, with a malformed value."""
    name = chance.choice([
        b"Accept", b"Accept-Language", b"Accept-Encoding", b"If-None-Match", b"If-Modified-Since", b"If-Match",
        b"Range", b"If-Range", b"Host", b"X-Forwarded-Host", b"X-Forwarded-Proto", b"Forwarded", b"Origin",
        b"Cookie", b"Referer",
        b"Authorization", b"Connection", b"Content-Type", b"Access-Control-Request-Method", b"X-Request-Id", b"TE",
    ])  # fmt: skip
    value = chance.choice([
        b"", b"*", b'"', b'"a', b'W/"', b",,,,", b";q=", b"image/*;q=NaN", b"*/*;q=1e309", b"a/b;q=0.0000000000001",
        b"application/ld+json;profile=" + b'"' * 99, b"zh;q=x, en;q=-1", b"i-" * 200, b"bytes=0-", b"bytes=-0",
        b"bytes=99999999999999999999-", b"bytes=1-0", b"bytes=" + b"0-1," * 500, b"Thu, 99 Foo 9999 99:99:99 GMT",
        b"\xff\xfe\xfd", "善本".encode(), b"a" * 10_000, b'"' + b"a" * 50_000 + b'"', b'"x", ' * 3000,
        b"http://evil.example", b"evil.example:99999", b"[::1", b"a b c", b"<script>", b"../../etc/passwd",
        b"keep-alive, close, x", b"\x0b\x0c",
    ])  # fmt: skip
    return name + b": " + value + b"\r\n"


class TestSlowClients:
    @pytest.mark.slow
    def test_incomplete_requests_delay_no_other_client_and_time_out(self, installation: Installation) -> None:
        connections = [connect(installation.port) for _ in range(200)]
        tile = next(iter(installation.tiles(installation.images[0])))
        began = time.monotonic()
        try:
            with installation.connection() as connection:
                while time.monotonic() < began + HEADER_SECONDS + 3:
                    for connected in connections:
                        with contextlib.suppress(OSError):
                            connected.send(b"G" if time.monotonic() < began + 1 else b"a")
                    answer = connection.get(tile)
                    assert (answer.status, answer.seconds < SECONDS_A_TILE) == (200, True)
                    time.sleep(0.5)
            assert all(map(has_ended, connections))
        finally:
            for connected in connections:
                connected.close()

    def test_clients_that_do_not_read_delay_no_other_client(self, installation: Installation) -> None:
        request = f"GET {PREFIX}{installation.images[1]}/full/max/0/default.jpg HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        tile = next(iter(installation.tiles(installation.images[0])))
        with contextlib.ExitStack() as opened, installation.connection() as connection:
            for _ in range(16):
                opened.enter_context(connect(installation.port, 4096)).sendall(request)
            for _ in range(30):
                answer = connection.get(tile)
                assert (answer.status, answer.seconds < SECONDS_A_TILE) == (200, True)
                time.sleep(0.1)

    def test_clients_that_disconnect_during_a_response_leave_no_trace(self, installation: Installation) -> None:
        request = f"GET {PREFIX}{installation.images[1]}/full/2000,/0/default.jpg HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        for chance in chances(12):
            with connect(installation.port) as connected:
                connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # reset, not closed
                connected.sendall(request)
                time.sleep(chance.random() / 10)


def has_ended(connected: socket.socket) -> bool:
    """Return whether the server has closed the connection, after an optional response."""
    connected.settimeout(0.2)
    try:
        while connected.recv(1 << 16):
            pass
    except TimeoutError:
        return False
    except ConnectionError:
        pass
    return True


class TestDamagedStorage:
    def test_a_damaged_pyramid_gives_right_bytes_or_a_clean_error_until_it_is_restored(
        self, installation: Installation
    ) -> None:
        image = installation.images[0]
        path = installation.pyramids[image]
        whole, tiles = path.read_bytes(), installation.tiles(image)
        wanted = dict(sample_of(tiles))
        part = f"{PREFIX}{image}/10,20,300,300/150,/0/default.png"
        statuses: Counter[int] = Counter()
        with installation.connection() as connection:
            wanted[part] = connection.get(part).body
            for chance in chances(60):
                path.write_bytes(mutations.damaged(chance, whole))
                for address in chance.sample(sorted(wanted), 4):
                    answer = connection.get(address)
                    statuses[answer.status] += 1
                    assert_clean(answer, address, installation, damage=True)
                    assert answer.status in DAMAGE or answer.body == wanted[address], address
                path.write_bytes(whole)
                address = chance.choice(sorted(wanted))
                answer = connection.get(address)
                assert (answer.status, answer.body) == (200, wanted[address])
        assert statuses[200] > 20, statuses
        assert statuses[500] + statuses[503] > 20, statuses

    def test_a_wrong_pyramid_directory_gives_a_clean_error(self, installation: Installation) -> None:
        path, other = (installation.pyramids[image] for image in installation.images)
        whole = path.read_bytes()
        end = read_end(whole[-LONGEST_END:])
        # The server reads the directory again when a tile that it names is absent.
        body = bytes(end.offset // 2) + whole[end.offset // 2 : end.offset + end.size]
        directories = [
            other.read_bytes(),
            body[: end.offset] + other.read_bytes()[-60_000:],
            *(body + end_record(*numbers) for numbers in [
                (0, end.offset, end.size), (end.count, 0, end.size), (end.count, end.offset, 0),
                (0xFFFF, end.offset, end.size), (end.count, 1 << 40, end.size), (end.count, end.offset, 1 << 62),
                ((1 << 63) - 1, (1 << 63) - 1, 1 << 62), (end.count, end.offset, (1 << 32) - 2),
                (end.count + 1, end.offset, end.size),
            ]),
        ]  # fmt: skip
        tiles = dict(sample_of(installation.tiles(installation.images[0])))
        try:
            with installation.connection() as connection:
                for directory in directories:
                    path.write_bytes(directory)
                    for address, tile in tiles.items():
                        answer = connection.get(address)
                        assert_clean(answer, address, installation, damage=True)
                        assert answer.status in DAMAGE or answer.body == tile, address
        finally:
            path.write_bytes(whole)

    def test_a_pyramid_that_is_absent_or_a_folder_gives_a_clean_error(self, installation: Installation) -> None:
        path = installation.pyramids[installation.images[0]]
        address = list(installation.tiles(installation.images[0]))[-1]
        aside = path.with_name("aside")
        path.rename(aside)
        try:
            with installation.connection() as connection:
                for prepare in (lambda: None, path.mkdir):
                    prepare()
                    for request in (address, f"{PREFIX}{installation.images[0]}/0,0,300,300/max/0/default.jpg"):
                        assert_clean(connection.get(request), request, installation, damage=True)
        finally:
            with contextlib.suppress(FileNotFoundError):
                path.rmdir()
            aside.rename(path)


def sample_of(tiles: dict[str, bytes]) -> list[tuple[str, bytes]]:
    """Return a few tiles, among them the first and the last."""
    every = list(tiles.items())
    return every[:: max(1, len(every) // 6)] + every[-1:]


class TestMasters:
    def test_mutated_masters_are_accepted_or_refused_with_a_message(
        self, tmp_path: Path, examiner: ChildExaminer
    ) -> None:
        for round_number, chance in enumerate(chances(6)):
            folder = tmp_path / str(round_number)
            folder.mkdir()
            (folder / "work.toml").write_text('title = "試"', "utf-8")
            originals = masters(chance)
            for number in range(20):
                suffix, content = chance.choice(originals)
                (folder / f"{number:04d}{suffix}").write_bytes(mutations.damaged(chance, content))
            began = time.monotonic()
            result = check(folder, examiner, SilentProgress())
            assert time.monotonic() - began < 60
            assert (result.work is None) == bool(result.faults)
            assert all(fault.message.zh and fault.message.en for fault in result.faults)
            shutil.rmtree(folder)

    def test_the_commands_refuse_broken_files_without_a_traceback(self, shared: Path, tmp_path: Path) -> None:
        deposit = tmp_path / "deposit"
        deposit.mkdir()
        (deposit / "work.toml").write_text('title = "試"', "utf-8")
        for number, path in enumerate(sorted((shared / "data/broken").glob("*/*"))):
            shutil.copyfile(path, deposit / f"{number:04d}{path.suffix or '.tif'}")
        shanben = ShanbenHere(tmp_path)
        for command in ("check", "ingest"):
            done = shanben.run_json(command, deposit)
            assert done.code == 1, done.errors[-3000:]
            assert "Traceback" not in done.errors, done.errors[-3000:]
            assert done.document, command
        stored = [path for path in (tmp_path / "var/store").rglob("*") if path.is_file() and "ocfl/sb" in str(path)]
        assert stored == []


def masters(chance: random.Random) -> list[tuple[str, bytes]]:
    """Return small valid masters in several formats, with their suffixes."""
    noise = pyvips.Image.gaussnoise(90, 70, mean=128, sigma=40, seed=chance.randrange(1000)).cast("uchar")
    colour = noise.bandjoin([noise.invert(), noise]).copy(interpretation="srgb")
    made = [
        (".jpg", colour.jpegsave_buffer()),
        (".png", colour.pngsave_buffer()),
        (".webp", colour.webpsave_buffer()),
        (".jp2", imagecodecs.jpeg2k_encode(colour.numpy(), level=0, reversible=True, codecformat="jp2")),
        (".tif", colour.tiffsave_buffer(tile=True, tile_width=32, tile_height=32, compression="jpeg")),
    ]
    return made + [(".tif", colour.tiffsave_buffer(compression=kind)) for kind in ("none", "lzw", "deflate")]
