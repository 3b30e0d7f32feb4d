"""What enemies, broken programs and failing disks make of requests and files: no crash, no hang, no riddle.

Everything follows from FUZZ_SEED (1). FUZZ_MINUTES (0: a fixed small number of tries) is for `make fuzz`: then the seed
is counted up until the time has passed, and printed, so that what was found can be found again.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import socket
import subprocess
import sys
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
from ports import reserve_port
from raw_http import NoResponse, RawConnection, Response, connect
from server_process import ServerProcess, answers

from iiif_server.image.service import PREFIX
from iiif_server.pyramid.zip_directory import LONGEST_END, end_record, read_end
from workers.deposit.check import check
from workers.masters.examine import ChildExaminer
from workers.progress import SilentProgress

pytestmark = pytest.mark.integration

SHANBEN = Path(sys.executable).with_name("shanben")
SEED = int(os.environ.get("FUZZ_SEED", "1"))
MINUTES = float(os.environ.get("FUZZ_MINUTES", "0"))
SECONDS_AN_ANSWER = 20.0
SECONDS_A_TILE = 5.0
HEADER_SECONDS = 30.0
"""How long the server waits for a request to be whole."""

DAMAGE = {500, 503}
OTHERS = (
    "/", "/works", "/works/*", "/works/*/read", "/works/*/read?page=*", "/works?page=*",
    "/iiif/presentation/3/*/manifest",
    "/iiif/presentation/3/collection/top", "/iiif/presentation/3/collection/*", "/log/checkpoint", "/log/key",
    "/log/tile/0/000", "/log/tile/entries/000.p/5", "/log/proof/*", "/static/*", "/health/ready", "/health/live",
    "/operations", "/metrics", "/favicon.ico", "*", "/*",
)  # fmt: skip


@dataclass
class House:
    """A started server, the works in it, and the pyramids in its store."""

    server: ServerProcess
    port: int
    data: Path
    works: list[str]
    images: list[str]
    pyramids: dict[str, Path]

    def wire(self) -> RawConnection:
        return RawConnection(self.port)

    def tiles(self, image: str) -> dict[str, bytes]:
        """Path and bytes of every stored tile, as another program than ours finds them."""
        with zipfile.ZipFile(self.pyramids[image]) as archive:
            names = [name for name in archive.namelist() if name.endswith(".jpg")]
            return {f"{PREFIX}{image}/{name}": archive.read(name) for name in names}

    def processes(self) -> set[int]:
        """The server's own; children of theirs, in which pictures are made, come and go."""
        assert self.server.pid is not None, self.server.end_of_log()
        tasks = Path(f"/proc/{self.server.pid}/task").glob("*/children")
        return {int(pid) for children in tasks for pid in children.read_text().split()}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A book of a small page and of a large one, served."""
    folder = tmp_path_factory.mktemp("fuzz")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SHANBEN_")}
    environment |= {"SHANBEN_DATA": str(folder / "var"), "SHANBEN_TILE_SIZE": "256"}
    done = subprocess.run(
        [SHANBEN, "ingest", write_book(folder / "book"), "--json"], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    work = json.loads(done.stdout)["works"][0]["identifier"]
    port = reserve_port()
    command = [SHANBEN, "serve", "--port", str(port), "--workers", "2"]
    server = ServerProcess("shanben", command, folder / "server.log", environment=environment)
    pyramids = {path.parent.name: path for path in (folder / "var/store/pyramids").rglob("*") if path.is_file()}
    try:
        server.start(lambda: answers(f"http://127.0.0.1:{port}/health/ready"))
        with RawConnection(port) as wire:
            manifest = json.loads(wire.get(f"/iiif/presentation/3/{work}/manifest").body)
        images = [page["items"][0]["items"][0]["body"]["service"][0]["id"] for page in manifest["items"]]
        names = [address.rpartition("/")[2] for address in images]
        found = {name: next(path for path in pyramids.values() if name in str(path)) for name in names}
        yield House(server, port, folder / "var", [work], names, found)
    finally:
        server.stop()


@pytest.fixture
def house(running: House) -> Iterator[House]:
    """The same; afterwards the same processes run, tiles come at once, and the log tells of no defect."""
    written = running.server.log.stat().st_size
    before = running.processes()
    yield running
    with running.wire() as wire:
        for path, tile in list(running.tiles(running.images[0]).items())[:3]:
            answer = wire.get(path)
            assert (answer.status, answer.body) == (200, tile)
            assert answer.seconds < SECONDS_A_TILE
    assert running.processes() >= before, f"a process ended\n{running.server.end_of_log()}"
    log = running.server.log.read_bytes()[written:].decode("utf-8", "replace")
    assert "Traceback" not in log, log[-4000:]
    assert "panicked" not in log, log[-4000:]


def write_book(folder: Path) -> Path:
    folder.mkdir()
    for number, (width, height) in enumerate([(700, 900), (6000, 5000)], start=1):
        noise = pyvips.Image.gaussnoise(width, height, mean=200, sigma=12, seed=number)
        noise.cast("uchar").tiffsave(str(folder / f"{number:04d}.tif"))
    (folder / "work.toml").write_text('title = "試書"\n', "utf-8")
    return folder


def chances(tries: int) -> Iterator[random.Random]:
    """A chance for each try: a fixed number of them, or as many as fit in a share of FUZZ_MINUTES."""
    deadline = time.monotonic() + 60 * MINUTES / 6
    number = 0
    while number < tries or time.monotonic() < deadline:
        yield random.Random(f"{SEED} {number}")
        number += 1
    if MINUTES:
        print(f"{number} tries from FUZZ_SEED={SEED}")


def assert_clean(answer: Response, what: object, house: House, damage: bool = False) -> None:
    """Not a server's fault, in time, and without a word about its inside."""
    story = f"{what!r}: {answer.status} after {answer.seconds:.1f} s: {answer.body[:500]!r}"
    assert answer.seconds < SECONDS_AN_ANSWER, story
    if answer.status == 503:
        assert answer.headers.get("retry-after"), story
        assert damage or b"rendering.busy" in answer.body, story
    elif not (damage and answer.status in DAMAGE):
        assert answer.status < 500, story
    if not answer.headers.get("content-type", "").startswith("image/"):
        for inside in (b"Traceback", str(house.data).encode(), b"site-packages", b"sqlite", b"SELECT "):
            assert inside not in answer.body, story


class TestRequests:
    def test_any_address_is_answered(self, house: House) -> None:
        known, statuses = [*house.images, *house.works], Counter[int]()
        with house.wire() as wire:
            for chance in chances(1500):
                target = mutations.target(chance, known, OTHERS)
                method = chance.choice(["GET", "GET", "GET", "GET", "HEAD", "OPTIONS"])
                answer = wire.get(target, method)
                statuses[answer.status] += 1
                assert_clean(answer, (method, target), house)
                if answer.status == 200 and method == "GET":
                    assert b"root:" not in answer.body[:200], target
        assert statuses[200] > 20, statuses  # else nothing but the first check of the grammar was tried
        assert statuses[400] > 200, statuses

    def test_any_header_is_answered(self, house: House) -> None:
        image = f"{PREFIX}{house.images[0]}/"
        targets = [
            image + "info.json",
            image + "0,0,256,256/256,256/0/default.jpg",
            image + "full/100,/0/default.png",
            "/works",
        ]
        with house.wire() as wire:
            for chance in chances(600):
                target = chance.choice(targets)
                headers = b"".join(header(chance) for _ in range(chance.choice([1, 1, 2, 5])))
                method = chance.choice(["GET", "GET", "HEAD", "OPTIONS"])
                assert_clean(wire.get(target, method, headers), (target, headers[:300]), house)

    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND", "A" * 5000, "GE\0T"])
    def test_other_methods_are_refused(self, method: str, house: House) -> None:
        for target in (f"{PREFIX}{house.images[0]}/full/max/0/default.jpg", "/works", "/"):
            with house.wire() as wire, contextlib.suppress(NoResponse):
                answer = wire.get(target, method)
                assert_clean(answer, (method, target), house)
                assert answer.status in {400, 403, 404, 405, 414, 431}

    def test_what_is_no_request_ends_the_connection_or_is_refused(self, house: House) -> None:
        tile = f"{PREFIX}{house.images[0]}/0,0,256,256/256,256/0/default.jpg".encode()
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
            with house.wire() as wire, contextlib.suppress(NoResponse):
                assert_clean(wire.send(data, ended=True), data[:300], house)

    def test_a_giant_header_is_refused_before_it_is_all_in_memory(self, house: House) -> None:
        with house.wire() as wire, contextlib.suppress(NoResponse):
            answer = wire.get("/", headers=b"X: " + b"a" * (64 << 20) + b"\r\n")
            assert answer.status in {400, 431}
        for pid in house.processes():
            with contextlib.suppress(FileNotFoundError):
                status = Path(f"/proc/{pid}/status").read_text()
                peak = next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")), 0)
                assert peak < 600 * 1024, status

    def test_many_requests_at_once_on_one_connection_are_answered_in_order(self, house: House) -> None:
        tiles = list(house.tiles(house.images[0]).items())[:5]
        piped = b"".join(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path.encode() for path, _ in tiles * 10)
        expected = b"".join(tile for _, tile in tiles * 10)
        with connect(house.port) as connected:
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
    """One header line of those that servers heed, with a value that nobody should send."""
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
    def test_requests_that_never_become_whole_keep_nobody_waiting_and_are_given_up(self, house: House) -> None:
        connections = [connect(house.port) for _ in range(200)]
        tile = next(iter(house.tiles(house.images[0])))
        began = time.monotonic()
        try:
            with house.wire() as wire:
                while time.monotonic() < began + HEADER_SECONDS + 3:
                    for connected in connections:
                        with contextlib.suppress(OSError):
                            connected.send(b"G" if time.monotonic() < began + 1 else b"a")
                    answer = wire.get(tile)
                    assert (answer.status, answer.seconds < SECONDS_A_TILE) == (200, True)
                    time.sleep(0.5)
            assert all(map(has_ended, connections))
        finally:
            for connected in connections:
                connected.close()

    def test_readers_that_do_not_read_keep_nobody_waiting(self, house: House) -> None:
        request = f"GET {PREFIX}{house.images[1]}/full/max/0/default.jpg HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        tile = next(iter(house.tiles(house.images[0])))
        with contextlib.ExitStack() as opened, house.wire() as wire:
            for _ in range(16):
                opened.enter_context(connect(house.port, 4096)).sendall(request)
            for _ in range(30):
                answer = wire.get(tile)
                assert (answer.status, answer.seconds < SECONDS_A_TILE) == (200, True)
                time.sleep(0.1)

    def test_clients_that_leave_in_the_middle_leave_nothing_behind(self, house: House) -> None:
        request = f"GET {PREFIX}{house.images[1]}/full/2000,/0/default.jpg HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        for chance in chances(12):
            with connect(house.port) as connected:
                connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # reset, not closed
                connected.sendall(request)
                time.sleep(chance.random() / 10)


def has_ended(connected: socket.socket) -> bool:
    """Whether the server has closed the connection, having said what it had to say."""
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
    def test_a_damaged_pyramid_gives_right_bytes_or_a_clean_error_and_is_as_before_when_mended(
        self, house: House
    ) -> None:
        image = house.images[0]
        path = house.pyramids[image]
        whole, tiles = path.read_bytes(), house.tiles(image)
        wanted = dict(chosen(tiles))
        part = f"{PREFIX}{image}/10,20,300,300/150,/0/default.png"
        statuses: Counter[int] = Counter()
        with house.wire() as wire:
            wanted[part] = wire.get(part).body
            for chance in chances(60):
                path.write_bytes(mutations.damaged(chance, whole))
                for address in chance.sample(sorted(wanted), 4):
                    answer = wire.get(address)
                    statuses[answer.status] += 1
                    assert_clean(answer, address, house, damage=True)
                    assert answer.status in DAMAGE or answer.body == wanted[address], address
                path.write_bytes(whole)
                address = chance.choice(sorted(wanted))
                answer = wire.get(address)
                assert (answer.status, answer.body) == (200, wanted[address])
        assert statuses[200] > 20, statuses
        assert statuses[500] + statuses[503] > 20, statuses

    def test_a_directory_that_lies_is_a_clean_error(self, house: House) -> None:
        path, other = (house.pyramids[image] for image in house.images)
        whole = path.read_bytes()
        end = read_end(whole[-LONGEST_END:])
        # A directory is read again when a tile that it tells of is not there.
        body = bytes(end.offset // 2) + whole[end.offset // 2 : end.offset + end.size]
        lies = [
            other.read_bytes(),
            body[: end.offset] + other.read_bytes()[-60_000:],
            *(body + end_record(*numbers) for numbers in [
                (0, end.offset, end.size), (end.count, 0, end.size), (end.count, end.offset, 0),
                (0xFFFF, end.offset, end.size), (end.count, 1 << 40, end.size), (end.count, end.offset, 1 << 62),
                ((1 << 63) - 1, (1 << 63) - 1, 1 << 62), (end.count, end.offset, (1 << 32) - 2),
                (end.count + 1, end.offset, end.size),
            ]),
        ]  # fmt: skip
        tiles = dict(chosen(house.tiles(house.images[0])))
        try:
            with house.wire() as wire:
                for lie in lies:
                    path.write_bytes(lie)
                    for address, tile in tiles.items():
                        answer = wire.get(address)
                        assert_clean(answer, address, house, damage=True)
                        assert answer.status in DAMAGE or answer.body == tile, address
        finally:
            path.write_bytes(whole)

    def test_a_pyramid_that_is_gone_or_a_folder_is_a_clean_error(self, house: House) -> None:
        path = house.pyramids[house.images[0]]
        address = list(house.tiles(house.images[0]))[-1]
        aside = path.with_name("aside")
        path.rename(aside)
        try:
            with house.wire() as wire:
                for prepare in (lambda: None, path.mkdir):
                    prepare()
                    for request in (address, f"{PREFIX}{house.images[0]}/0,0,300,300/max/0/default.jpg"):
                        assert_clean(wire.get(request), request, house, damage=True)
        finally:
            with contextlib.suppress(FileNotFoundError):
                path.rmdir()
            aside.rename(path)


def chosen(tiles: dict[str, bytes]) -> list[tuple[str, bytes]]:
    """A few tiles, the first and the last among them."""
    every = list(tiles.items())
    return every[:: max(1, len(every) // 6)] + every[-1:]


class TestMasters:
    def test_mutated_masters_are_taken_or_refused_with_a_message(self, tmp_path: Path, examiner: ChildExaminer) -> None:
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

    def test_broken_files_are_refused_by_the_commands_with_messages_alone(self, shared: Path, tmp_path: Path) -> None:
        deposit = tmp_path / "deposit"
        deposit.mkdir()
        (deposit / "work.toml").write_text('title = "試"', "utf-8")
        for number, path in enumerate(sorted((shared / "data/broken").glob("*/*"))):
            shutil.copyfile(path, deposit / f"{number:04d}{path.suffix or '.tif'}")
        environment = {**os.environ, "SHANBEN_DATA": str(tmp_path / "var")}
        for command in ("check", "ingest"):
            done = subprocess.run(
                [SHANBEN, command, deposit, "--json"], env=environment, capture_output=True, text=True, timeout=120
            )
            assert done.returncode == 1, done.stderr[-3000:]
            assert "Traceback" not in done.stderr, done.stderr[-3000:]
            told = json.loads(done.stdout)
            assert told, command
        kept = [path for path in (tmp_path / "var/store").rglob("*") if path.is_file() and "ocfl/sb" in str(path)]
        assert kept == []


def masters(chance: random.Random) -> list[tuple[str, bytes]]:
    """Sound little masters in several formats, by suffix."""
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
