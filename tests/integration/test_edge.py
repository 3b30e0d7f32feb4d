"""The edge as it is deployed: nginx with deploy/nginx.conf, over TLS, before `shanben serve` with a book in it.

`deployed_edge.install` changes in the files what an operator changes: names, folders, ports. Only the minute for which
an image is fresh is shortened besides, so that a test can wait for its end.
"""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import re
import socket
import sqlite3
import ssl
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

import pytest
import pyvips
from command_line import SHANBEN, ShanbenHere
from deployed_edge import PROJECT, install, make_certificate
from ports import reserve_port
from server_process import ServerProcess, answers
from servers import NginxServer
from web_server import NO_LOCAL_WORKER

from iiif_server.auth.credentials import PARTNER_PREFIX
from iiif_server.image.resolved import TRUSTED_SECONDS
from repository.config import Settings
from repository.model.accounts import Role
from repository.model.partners import Scope
from repository.model.work import Access, WorkAccess
from repository.repository import open_repository
from web.accounts.passwords import Passwords
from workers.tasks.access import set_level

pytestmark = pytest.mark.integration

NAME = "library.example"
INSIDE, OUTSIDE = "127.0.0.1", "127.0.0.2"
FRESH_SECONDS = 2
FRESH = {r"proxy_cache_valid 200 5s": f"proxy_cache_valid 200 {FRESH_SECONDS}s"}


class Answer(NamedTuple):
    """What came back; names of headers in lower case, and how often each came."""

    status: int
    headers: dict[str, str]
    body: bytes
    counts: dict[str, int]
    cookies: tuple[str, ...] = ()


@dataclass
class Edge:
    """nginx, the web processes behind it, and the book in them."""

    nginx: NginxServer
    web: ServerProcess
    web_port: int
    plain_port: int
    trust: ssl.SSLContext
    work: str
    image: str
    data: Path

    @property
    def tile(self) -> str:
        return self.picture("0,0,512,512/512,512/0/default.jpg")

    def picture(self, request: str) -> str:
        return f"/iiif/image/3/{self.image}/{request}"

    def get(self, path: str, method: str = "GET", source: str = OUTSIDE, body: bytes | None = None, **headers: str):
        """One request over TLS, from an address of this machine that counts as outside."""
        plain = socket.create_connection((INSIDE, self.nginx.port), 30, (source, 0))
        with self.trust.wrap_socket(plain, server_hostname=NAME) as secured:
            return ask(secured, path, method, body, headers)

    def get_plain(self, path: str, source: str = OUTSIDE, host: str = NAME) -> Answer:
        """One request without TLS."""
        with socket.create_connection((INSIDE, self.plain_port), 10, (source, 0)) as plain:
            return ask(plain, path, "GET", None, {"Host": host})

    def start_web(self) -> None:
        self.web.start(lambda: answers(f"http://127.0.0.1:{self.web_port}/health/live"))


def ask(connected: socket.socket, path: str, method: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
    connection = http.client.HTTPConnection(NAME)
    connection.sock = connected
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body, sent)
    answer = connection.getresponse()
    names = [name.lower() for name, _ in answer.getheaders()]
    told = {name.lower(): value for name, value in answer.getheaders()}
    cookies = tuple(value.partition(";")[0] for value in answer.headers.get_all("Set-Cookie", ()))
    return Answer(answer.status, told, answer.read(), {name: names.count(name) for name in names}, cookies)


def write_book(folder: Path) -> Path:
    """A deposit of one page of noise, 700 by 900 pixels."""
    folder.mkdir()
    pyvips.Image.gaussnoise(700, 900, mean=200, sigma=30, seed=1).cast("uchar").tiffsave(str(folder / "0001.tif"))
    (folder / "work.toml").write_text('title = "試書"\n', "utf-8")
    return folder


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    folder = tmp_path_factory.mktemp("edge")
    shanben = ShanbenHere(folder, base_url=f"https://{NAME}", client_pixels=1_000_000)
    done = shanben.run_json("ingest", write_book(folder / "deposit"))
    assert done.code == 0, done.errors
    work = done.document["works"][0]["identifier"]
    web_port, plain_port = reserve_port(), reserve_port()
    serve = [SHANBEN, "serve", "--port", str(web_port), "--workers", "1"]
    web = ServerProcess("shanben serve", serve, folder / "web.log", environment=shanben.environment | NO_LOCAL_WORKER)
    trust = make_certificate(folder, NAME)
    nginx = NginxServer(folder, lambda prefix, port: install(prefix, port, plain_port, web_port, FRESH))
    edge = Edge(nginx, web, web_port, plain_port, trust, work, "", folder / "var")
    with contextlib.ExitStack() as ending:
        ending.callback(web.stop)
        edge.start_web()
        ending.enter_context(nginx)
        manifest = json.loads(edge.get(f"/iiif/presentation/3/{work}/manifest").body)
        service = manifest["items"][0]["items"][0]["items"][0]["body"]["service"][0]["id"]
        edge.image = service.rpartition("/")[2]
        yield edge


def test_files_that_are_written_while_they_are_sent_pass_unchanged(edge: Edge) -> None:
    got = edge.get(f"/works/{edge.work}/book.pdf", Accept_Encoding="gzip")
    assert (got.status, got.headers["content-type"]) == (200, "application/pdf")
    assert "content-encoding" not in got.headers
    assert got.body.rstrip().endswith(b"%%EOF")
    assert edge.get(f"/works/{edge.work}/bag.zip").status == 401


def test_a_page_has_each_security_header_once_over_tls(edge: Edge) -> None:
    page = edge.get("/")
    assert page.status == 200
    assert "善本" in page.body.decode()
    for header in ("strict-transport-security", "content-security-policy", "x-content-type-options", "x-request-id"):
        assert page.counts[header] == 1, header
    assert "x-cache-status" not in page.headers


def test_plain_http_redirects_to_the_public_name(edge: Edge) -> None:
    answer = edge.get_plain("/works?page=1", host="evil.example")
    assert (answer.status, answer.headers["location"]) == (301, f"https://{NAME}/works?page=1")


def test_another_server_name_is_refused(edge: Edge) -> None:
    plain = socket.create_connection((INSIDE, edge.nginx.port), 10)
    with plain, pytest.raises(ssl.SSLError):
        ssl.create_default_context().wrap_socket(plain, server_hostname="evil.example")
    assert edge.get("/", Host="evil.example").status == 421


def test_a_repeated_tile_comes_from_the_cache_with_the_same_bytes(edge: Edge) -> None:
    tile = edge.picture("512,512,188,388/188,388/0/default.jpg")  # no other test requests it
    first, second, head = edge.get(tile), edge.get(f"{tile}?another=query"), edge.get(tile, "HEAD")
    assert [answer.headers["x-cache-status"] for answer in (first, second, head)] == ["MISS", "HIT", "HIT"]
    assert first.body == second.body
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(len(first.body)))
    assert first.headers["etag"] == second.headers["etag"]
    assert second.headers["cache-control"] == "public, max-age=3600, s-maxage=5"
    assert second.headers["link"].startswith(f"<https://{NAME}/iiif/image/3/{edge.image}/")


def test_cors_headers_are_sent_once(edge: Edge) -> None:
    manifest = f"/iiif/presentation/3/{edge.work}/manifest"
    for path in (edge.tile, edge.tile, edge.picture("info.json"), manifest, "/log/checkpoint", "/iiif/image/3/none"):
        assert edge.get(path, Origin="https://elsewhere.example").counts["access-control-allow-origin"] == 1, path
    asked = edge.get(edge.tile, "OPTIONS", Origin="https://elsewhere.example", Access_Control_Request_Method="GET")
    assert (asked.status, asked.headers["access-control-allow-origin"]) == (204, "*")


def test_a_tile_in_the_browser_cache_gets_304(edge: Edge) -> None:
    for path in (edge.tile, edge.picture("info.json"), f"/iiif/presentation/3/{edge.work}/manifest"):
        whole = edge.get(path, Accept_Encoding="gzip")
        again = edge.get(path, If_None_Match=whole.headers["etag"], Accept_Encoding="gzip")
        assert (again.status, again.body) == (304, b""), path


def test_a_stale_tile_is_revalidated_by_its_etag(edge: Edge) -> None:
    first = edge.get(edge.tile)
    time.sleep(FRESH_SECONDS + 1.1)
    again = edge.get(edge.tile)
    assert (again.headers["x-cache-status"], again.body) == ("REVALIDATED", first.body)
    assert edge.get(edge.tile).headers["x-cache-status"] == "HIT"


def test_media_types_of_info_json_are_cached_apart(edge: Edge) -> None:
    info = edge.picture("info.json")
    kinds = [edge.get(info, Accept=kind).headers["content-type"] for kind in ("application/json", "*/*") * 2]
    assert [kind.partition(";")[0] for kind in kinds] == ["application/json", "application/ld+json"] * 2
    assert json.loads(edge.get(info).body)["id"] == f"https://{NAME}{edge.picture('')}".rstrip("/")


def test_text_is_compressed_and_images_are_not(edge: Edge) -> None:
    manifest = edge.get(f"/iiif/presentation/3/{edge.work}/manifest", Accept_Encoding="gzip")
    assert manifest.headers["content-encoding"] == "gzip"
    assert json.loads(gzip.decompress(manifest.body))["id"].startswith(f"https://{NAME}/iiif/presentation/3/")
    assert "content-encoding" not in edge.get(edge.tile, Accept_Encoding="gzip").headers


def test_an_error_is_cached_for_seconds_only(edge: Edge) -> None:
    absent = "/iiif/image/3/absent/info.json"
    assert [edge.get(absent).status for _ in range(2)] == [404, 404]
    time.sleep(6.1)
    assert edge.get(absent).headers["x-cache-status"] == "EXPIRED"


def test_pages_and_cookies_are_never_cached(edge: Edge) -> None:
    assert 'lang="en"' in edge.get("/", Accept_Language="en").body.decode()
    assert 'lang="zh-Hans"' in edge.get("/", Accept_Language="zh").body.decode()
    chosen = edge.get("/?lang=en")
    assert chosen.status == 303
    assert "secure" in chosen.headers["set-cookie"].lower()
    assert "set-cookie" not in edge.get("/").headers


def test_a_long_url_and_a_large_body_are_refused(edge: Edge) -> None:
    long = edge.get("/works/" + "x" * 5000)
    assert (long.status, "请核对地址" in long.body.decode()) == (414, True)
    body = edge.get("/works", "POST", body=b"x" * 20_000)
    assert (body.status, "上传" in body.body.decode()) == (413, True)
    program = edge.get(edge.tile, "POST", body=b"x" * 20_000)
    assert (program.status, json.loads(program.body)["code"]) == (413, "edge.413")
    heavy = edge.get("/works", X_Long="x" * 9000)
    assert (heavy.status, "请核对地址" in heavy.body.decode()) == (400, True)


def test_the_search_of_pictures_alone_accepts_a_large_body(edge: Edge) -> None:
    refused = edge.get("/verify/similar", "POST", body=b"x" * 2_000_000, Accept="application/json")
    assert (refused.status, json.loads(refused.body)["code"]) == (422, "picture.unreadable")
    assert edge.get("/verify/similar", "POST", body=b"x" * 12_000_000).status == 413


def test_the_application_limits_the_rendering_of_one_client_and_never_tiles(edge: Edge) -> None:
    requests = ("0,0,512,512/512,512/0/default.jpg", "0,512,512,388/512,388/0/default.jpg", "info.json")
    cheap = [edge.picture(request) for request in requests]
    plain = socket.create_connection((INSIDE, edge.nginx.port), 30, ("127.0.0.3", 0))
    with edge.trust.wrap_socket(plain, server_hostname=NAME) as secured:
        rotated = [edge.picture(f"0,0,500,500/max/{degrees}.5/default.jpg") for degrees in range(40)]
        costly = [ask(secured, path, "GET", None, {}) for path in rotated]
        limited = [answer for answer in costly if answer.status == 429]
        assert limited
        assert {answer.status for answer in costly} == {200, 429}
        assert int(limited[0].headers["retry-after"]) > 0
        assert json.loads(limited[0].body)["code"] == "request.limit"
        assert {ask(secured, cheap[number % 3], "GET", None, {}).status for number in range(100)} == {200}
    assert edge.get(edge.picture("0,0,500,500/max/77.7/default.jpg"), source="127.0.0.4").status == 200


def logged(edge: Edge, answer: Answer) -> dict[str, object]:
    """The line of the access log for an answer, found by its number: nginx writes it after the answer has been sent."""
    found: list[dict[str, object]] = []

    def written() -> bool:
        text = (edge.nginx.folder / "access.log").read_text("utf-8")
        lines = (json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n"))
        found[:] = [line for line in lines if line["request"] == answer.headers["x-request-id"]]
        return bool(found)

    wait_until(written)
    (line,) = found
    return line


def test_the_access_log_has_a_line_for_every_request_id(edge: Edge) -> None:
    answer = edge.get("/works", User_Agent='a "quoted" reader')
    line = logged(edge, answer)
    assert (line["uri"], line["client"], line["status"], line["agent"]) == (
        "/works",
        OUTSIDE,
        200,
        'a "quoted" reader',
    )


def test_health_is_served_to_this_machine_only(edge: Edge) -> None:
    for path in ("/health/ready", "/health/live", "/%68ealth/ready", "//health/live", "/log/../health/live"):
        assert edge.get(path).status == 404, path
    assert edge.get("/health/ready", source=INSIDE).status == 200
    assert edge.get("/metrics").status == 404
    assert edge.get("/metrics", source=INSIDE).status == 200


def test_the_status_page_is_served_to_permitted_addresses_and_accounts_only(edge: Edge) -> None:
    for path in ("/status", "//status", "/%73tatus", "/status?renew=off", "/log/../status"):
        refused = {404} if ".." in path else {403}
        assert edge.get(path).status in refused, path
        assert edge.get(path, X_Forwarded_For=INSIDE).status in refused, path
        assert edge.get(path, Cookie="shanben_session=x").status in refused, path
    assert edge.get("/status/").status in {403, 404}
    shown = edge.get("/status", source=INSIDE, Accept_Language="en")
    assert shown.status == 200
    assert b"System status" in shown.body
    assert shown.headers["cache-control"] == "no-store"


def test_nginx_status_is_served_to_this_machine_only(edge: Edge) -> None:
    assert edge.get_plain("/edge-status").status == 404
    assert b"Active connections" in edge.get_plain("/edge-status", INSIDE).body


def test_nginx_serves_static_files_with_ranges_and_long_caching_by_digest(edge: Edge) -> None:
    sheet = (PROJECT / "web/static/site.css").read_bytes()
    part = edge.get("/static/site.css?v=0123456789ab", Range="bytes=10-19")
    assert (part.status, part.body) == (206, sheet[10:20])
    assert part.headers["cache-control"] == "public, max-age=31536000, immutable"
    plain = edge.get("/static/site.css")
    assert (plain.body, plain.headers["cache-control"]) == (sheet, "no-cache")
    assert plain.headers["content-type"] == "text/css; charset=utf-8"
    assert edge.get("/static/reader/.vite/manifest.json").status == 404
    assert edge.get("/static/../web/cli.py").status == 404
    address = re.search(r'href="(/static/site\.css\?v=[0-9a-f]+)"', edge.get("/").body.decode())
    assert address
    assert "immutable" in edge.get(address[1]).headers["cache-control"]


def test_spellings_of_an_address_are_never_confused(edge: Edge) -> None:
    good = edge.get(edge.tile).body
    edge.get(f"/iiif/image/3/absent/../{edge.image}/0,0,512,512/512,512/0/default.jpg")
    edge.get(f"/log/../iiif/image/3/{edge.image}/0,0,512,512/512,512/0/default.jpg")
    assert edge.get(edge.tile).body == good
    with_space = edge.get(edge.picture("full/%5E800,1029/0/default.jpg"))
    assert (with_space.status, edge.get(edge.picture("full/^800,1029/0/default.jpg")).body) == (200, with_space.body)


def test_without_the_web_cached_tiles_are_served_and_other_requests_get_retry_after(edge: Edge) -> None:
    tile = edge.get(edge.tile)
    edge.web.kill()
    try:
        time.sleep(FRESH_SECONDS + 1.1)
        stale = edge.get(edge.tile)
        assert (stale.status, stale.headers["x-cache-status"], stale.body) == (200, "STALE", tile.body)
        unseen = edge.get(edge.picture("0,0,64,64/64,64/0/default.jpg"))
        manifest = edge.get(f"/iiif/presentation/3/{edge.work}/manifest")
        for answer in (unseen, manifest):
            assert (answer.status, answer.headers["retry-after"]) == (503, "10")
            assert answer.headers["content-type"].startswith("application/problem+json")
            assert answer.counts["access-control-allow-origin"] == 1
            assert (json.loads(answer.body)["status"], "稍后" in json.loads(answer.body)["detail"]) == (503, True)
        page = edge.get("/works")
        assert (page.status, page.headers["retry-after"], page.headers["cache-control"]) == (503, "10", "no-store")
        assert "暂时不能服务" in page.body.decode()
        assert "Out of service" in page.body.decode()
        assert edge.get("/static/site.css").status == 200
    finally:
        edge.start_web()
    wait_until(lambda: edge.get("/works").status == 200)
    assert edge.get(edge.tile).body == tile.body


def wait_until(holds, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.2)


@pytest.mark.slow
def test_a_withdrawn_image_leaves_the_cache_and_returns_when_restored(edge: Edge) -> None:
    assert edge.get(edge.tile).status == 200
    set_state(edge, "withdrawn")
    try:
        wait_until(lambda: edge.get(edge.tile).status == 410)
        edge.web.kill()
        time.sleep(6.1)
        assert edge.get(edge.tile).status in {410, 503}, "what took its place is what is kept"
    finally:
        set_state(edge, "published")
        edge.start_web()
    wait_until(lambda: edge.get(edge.tile).status == 200)


def set_state(edge: Edge, state: str) -> None:
    with contextlib.closing(sqlite3.connect(edge.data / "shanben.sqlite")) as database, database:
        assert database.execute("UPDATE works SET state = ?", (state,)).rowcount == 1


def test_concurrent_requests_for_a_new_tile_share_one_upstream_request(edge: Edge) -> None:
    path = edge.picture("0,0,512,512/500,500/0/default.jpg")
    with ThreadPoolExecutor(16) as readers:
        bodies = set(readers.map(lambda _: edge.get(path).body, range(16)))
    lines = [json.loads(line) for line in (edge.nginx.folder / "access.log").read_text("utf-8").splitlines()]
    behind = [line for line in lines if line["uri"] == path and line["web"]]
    assert (len(bodies), len(behind)) == (1, 1)


READER, PASSWORD = "reader", "七月流火，九月授衣，一之日觱发"


@contextlib.contextmanager
def access_to(edge: Edge, access: WorkAccess) -> Iterator[None]:
    """Access to the book for a while, which the web processes know of in the end."""
    repository = open_repository(Settings(data=edge.data))
    try:
        set_level(repository, edge.work, access)
        time.sleep(TRUSTED_SECONDS + FRESH_SECONDS)
        yield
    finally:
        set_level(repository, edge.work, WorkAccess(access=Access.OPEN))
        wait_until(lambda: edge.get(edge.tile).status == 200)  # refused without access to the whole, which is 900 high


@pytest.fixture(scope="module")
def credentials(edge: Edge) -> dict[str, dict[str, str]]:
    """The header fields of a reader who has logged in through the edge, and of a partner's program."""
    repository = open_repository(Settings(data=edge.data))
    repository.accounts.add(READER, Role.READER, Passwords().hash(PASSWORD))
    scopes = [Scope.RESTRICTED_IMAGES, Scope.FULL_SIZE]
    _, token = repository.partner_tokens.create("partner", scopes, PARTNER_PREFIX)
    shown = edge.get("/login")
    session = shown.headers["set-cookie"].partition(";")[0]
    protection = re.search(r'name="csrf_token" value="([^"]+)"', shown.body.decode())
    assert protection
    form = urlencode({"csrf_token": protection[1], "name": READER, "password": PASSWORD}).encode()
    sent = {"Cookie": session, "Referer": f"https://{NAME}/login", "Content_Type": "application/x-www-form-urlencoded"}
    answer = edge.get("/login", "POST", body=form, **sent)
    assert answer.status == 303, answer.body
    cookie = next(each for each in answer.cookies if each.startswith("shanben_access="))
    hidden = f"Shanben_Access=; {cookie}"  # nginx reads the first value, in any case; the application its own cookie
    return {
        "reader": {"Cookie": cookie},
        "hidden": {"Cookie": hidden},
        "partner": {"Authorization": f"Bearer {token}"},
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("access", "public"),
    [
        pytest.param(WorkAccess(access=Access.RESTRICTED), 401, id="restricted"),
        pytest.param(WorkAccess(access=Access.REDUCED, max_size=300), 300, id="reduced"),
    ],
)
def test_what_an_authorised_reader_sees_never_enters_the_shared_cache(
    edge: Edge, credentials: dict[str, dict[str, str]], access: WorkAccess, public: int
) -> None:
    sources = (f"127.0.1.{number}" for number in range(1, 255))  # each has a rendering budget of its own

    def seen(path: str, **headers: str) -> int:
        """The longest side of the picture, or the status without one."""
        answer = edge.get(path, source=next(sources), **headers)
        if answer.status != 200:
            return answer.status
        assert ("private, no-store" in answer.headers["cache-control"]) == bool(headers), path
        picture = pyvips.Image.new_from_buffer(answer.body, "")
        return int(max(picture.width, picture.height))

    asked: list[str] = []
    with access_to(edge, access):
        for quality, (name, headers) in zip(("default", "color", "gray"), credentials.items(), strict=True):
            first, second = (edge.picture(f"full/max/0/{quality}.{form}") for form in ("jpg", "png"))
            assert seen(first, **headers) == 900, f"{name} first"
            assert [seen(first), seen(f"{first}?another=query"), seen(first)] == [public] * 3, f"{name} first"
            assert [seen(second), seen(second)] == [public] * 2, f"{name} second"
            if name != "hidden":  # to nginx, that one is nobody
                assert [seen(second, **headers), seen(first, **headers)] == [900] * 2, f"{name} second"
            asked += [first, second]
        time.sleep(FRESH_SECONDS + 1.1)  # until the cache asks again
        assert [seen(path) for path in asked] == [public] * len(asked)
    kept = [each.read_bytes() for each in (edge.nginx.folder / "cache").rglob("*") if each.is_file()]
    assert any(b"\nHTTP/1.1 200" in each for each in kept)
    assert not [each for each in kept if b"\nHTTP/1.1 200" in each and b"private, no-store" in each]
