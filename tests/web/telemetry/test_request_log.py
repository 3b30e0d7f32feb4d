"""The request log middleware, called as an ASGI application."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from asgi_client import AsgiClient, exchange, http_scope

from repository.errors import SettingInvalid, StoreFault
from repository.logs import PrintableFormatter
from web.max_url_length import MAX_URL_BYTES, MaxUrlLength
from web.telemetry.request_log import MAX_LINES_PER_SECOND, RequestLog

PROBLEM = b"application/problem+json"
DOCUMENT = {"type": "about:blank", "title": "未找到", "status": 404}


class Observed:
    """Metrics that keep every observation."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, int, float, int]] = []

    def observe_request(self, request_class: str, status: int, seconds: float, bytes_sent: int) -> None:
        self.requests.append((request_class, status, seconds, bytes_sent))


def respond(status: int, *parts: bytes, content_type: bytes = b"text/plain", request_class: str | None = None) -> Any:
    """An application that sends one response in parts."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-type", content_type), (b"content-length", b"%d" % sum(map(len, parts)))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        if request_class:
            scope["shanben.class"] = request_class
        for number, part in enumerate(parts, 1):
            await send({"type": "http.response.body", "body": part, "more_body": number < len(parts)})

    return application


class Logged:
    """A client of an application whose every request is logged to a file."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "requests.log"
        self.observed = Observed()

    def client(self, application: Any, peer: str | None = "127.0.0.1", destination: str | None = None) -> AsgiClient:
        destination = str(self.path) if destination is None else destination
        return AsgiClient(RequestLog(application, self.observed, destination), peer)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.path.read_text("utf-8").splitlines()]


@pytest.fixture
def logged(tmp_path: Path) -> Iterator[Logged]:
    return Logged(tmp_path)


def test_log_line_describes_the_request_without_query_and_client_address(logged: Logged) -> None:
    with logged.client(respond(200, b"ab", b"c"), peer="198.51.100.7") as client:
        response = client.get("/works/千?q=name")
    assert response.parts == [b"ab", b"c"]
    (line,) = logged.lines()
    assert list(line) == ["time", "request", "method", "path", "status", "seconds", "lane", "bytes"]
    assert (line["method"], line["path"], line["status"], line["bytes"]) == ("GET", "/works/千", 200, 3)
    assert line["request"] == response.headers["x-request-id"]
    text = logged.path.read_text("utf-8")
    assert "name" not in text
    assert "198.51" not in text


def test_log_file_is_reopened_after_it_has_been_moved(logged: Logged, tmp_path: Path) -> None:
    with logged.client(respond(200, b"x")) as client:
        client.get("/")
        logged.path.rename(tmp_path / "requests.log.1")
        client.get("/")
    assert len(logged.lines()) == 1


def test_request_class_is_read_from_the_scope(logged: Logged) -> None:
    with logged.client(respond(200, b"tile", request_class="stored")) as client:
        client.get("/")
    with logged.client(respond(304)) as client:
        client.get("/")
    assert [line["lane"] for line in logged.lines()] == ["stored", "page"]
    assert [request[:2] for request in logged.observed.requests] == [("stored", 200), ("page", 304)]
    assert logged.observed.requests[0][3] == 4


def test_duration_ends_when_the_last_part_is_accepted(logged: Logged) -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        await respond(200, b"a", b"b")(scope, receive, send)
        await asyncio.sleep(0.2)

    async def accept_slowly(_: bytes) -> None:
        await asyncio.sleep(0.05)

    with logged.client(application) as client:
        client.get("/", on_part=accept_slowly)
    assert 0.1 <= logged.observed.requests[0][2] < 0.2


def test_streamed_parts_pass_one_by_one(logged: Logged) -> None:
    accepted: list[bytes] = []
    produced: list[int] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for number in range(3):
            produced.append(len(accepted))
            await send({"type": "http.response.body", "body": b"x", "more_body": number < 2})

    async def accept(part: bytes) -> None:
        accepted.append(part)

    with logged.client(application) as client:
        client.get("/", on_part=accept)
    assert produced == [0, 1, 2]


def test_cancelled_request_is_observed(logged: Logged) -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        await asyncio.sleep(60)

    async def cancel() -> None:
        log = RequestLog(application, logged.observed, "")
        task = asyncio.ensure_future(exchange(log, http_scope("GET", "/", {})))
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    asyncio.run(cancel())
    assert [(status, sent) for _, status, _, sent in logged.observed.requests] == [(200, 4)]


@pytest.mark.parametrize(
    ("given", "peer", "is_adopted"),
    [
        ("0123456789abcdef", "127.0.0.1", True),
        ("0123456789abcdef", "10.0.0.9", True),
        ("0123456789abcdef", "fd00::9", True),
        ("0123456789abcdef", "198.51.100.7", False),
        ("0123456789abcdef", None, False),
        ("short", "127.0.0.1", False),
        ('0123456789"}{', "127.0.0.1", False),
        ("0123456789abcdef\n", "127.0.0.1", False),
        ("x" * 65, "127.0.0.1", False),
    ],
)
def test_request_id_is_adopted_from_private_networks_only(
    logged: Logged, given: str, peer: str | None, is_adopted: bool
) -> None:
    with logged.client(respond(200, b"x"), peer) as client:
        response = client.get("/", {"X-Request-Id": given})
    assert (response.headers["x-request-id"] == given) is is_adopted
    assert sum(name == b"x-request-id" for name, _ in response.raw_headers) == 1


def test_request_ids_differ(logged: Logged) -> None:
    with logged.client(respond(200, b"x")) as client:
        assert len({client.get("/").headers["x-request-id"] for _ in range(100)}) == 100


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_problem_document_names_its_request(logged: Logged, size: int) -> None:
    document = json.dumps(DOCUMENT).encode()
    parts = [document[start : start + size] for start in range(0, len(document), size)]
    with logged.client(respond(404, *parts, b"", content_type=PROBLEM)) as client:
        response = client.get("/")
    assert response.json() == DOCUMENT | {"request": response.headers["x-request-id"]}
    assert int(response.headers["content-length"]) == len(response.body)
    assert response.is_complete
    assert logged.lines()[0]["bytes"] == len(response.body)


def test_problem_response_to_head_has_no_wrong_length(logged: Logged) -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-type", PROBLEM), (b"content-length", b"151")]
        await send({"type": "http.response.start", "status": 404, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    with logged.client(application) as client:
        response = client.request("HEAD", "/")
    assert (response.status, response.body, response.is_complete) == (404, b"", True)
    assert "content-length" not in response.headers


def test_exception_before_the_start_becomes_a_problem_document(
    logged: Logged, caplog: pytest.LogCaptureFixture
) -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        raise ZeroDivisionError("secret \x1b[31m\x9b\x08")

    with logged.client(application) as client:
        response = client.get("/", {"Accept-Language": "en"})
    assert (response.status, response.headers["content-type"]) == (500, "application/problem+json")
    assert response.json()["request"] == response.headers["x-request-id"]
    assert response.json()["code"] == "http.500"
    assert "ZeroDivisionError" not in response.text
    assert "secret" not in response.text
    assert logged.lines()[0]["status"] == 500
    written = PrintableFormatter().format(caplog.records[-1])
    assert response.headers["x-request-id"] in written.splitlines()[0]
    assert "ZeroDivisionError: secret \\u001b[31m\\u009b\\u0008" in written


def test_exception_within_a_problem_document_becomes_a_500(logged: Logged) -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 404, "headers": [(b"content-type", PROBLEM)]})
        await send({"type": "http.response.body", "body": b'{"half', "more_body": True})
        raise ZeroDivisionError

    with logged.client(application) as client:
        response = client.get("/")
    assert (response.status, response.json()["status"]) == (500, 500)


@pytest.mark.parametrize(
    ("error", "has_traceback"), [(ZeroDivisionError("bug"), True), (StoreFault(key="k", reason="away"), False)]
)
def test_exception_after_the_start_leaves_the_response_incomplete(
    logged: Logged, caplog: pytest.LogCaptureFixture, error: Exception, has_traceback: bool
) -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise error

    with logged.client(application) as client:
        response = client.get("/")
    assert (response.status, response.parts, response.is_complete) == (200, [b"half"], False)
    assert logged.lines()[0]["bytes"] == 4
    assert response.headers["x-request-id"] in caplog.text
    assert ("Traceback" in caplog.text) is has_traceback
    assert ("bug" if has_traceback else "away") in caplog.text


def test_errors_are_always_logged_up_to_a_rate(logged: Logged, capfd: pytest.CaptureFixture[str]) -> None:
    with logged.client(respond(503, b"x"), destination="") as client:
        for _ in range(MAX_LINES_PER_SECOND * 2 + 10):
            client.get("/iiif/image/3/x")
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert MAX_LINES_PER_SECOND <= len(lines) <= MAX_LINES_PER_SECOND * 2
    assert lines[0]["status"] == 503


def test_number_of_lines_left_out_is_reported(
    logged: Logged, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr("web.telemetry.request_log.monotonic", lambda: now)
    with logged.client(respond(503, b"x"), destination="") as client:
        for _ in range(MAX_LINES_PER_SECOND + 7):
            client.get("/")
        now = 101.0
        client.get("/")
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert len(lines) == MAX_LINES_PER_SECOND + 1
    assert lines[-1]["left_out"] == 7


def test_quick_successful_request_is_not_logged_without_a_destination(
    logged: Logged, capfd: pytest.CaptureFixture[str]
) -> None:
    with logged.client(respond(200, b"x"), destination="") as client:
        client.get("/")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("request_class", "seconds", "is_logged"),
    [
        ("stored", 1.9, False),
        ("stored", 2.1, True),
        ("rendered", 9.0, False),
        ("slow", 59.0, False),
        ("slow", 61, True),
    ],
)
def test_slow_request_is_always_logged(
    logged: Logged,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    request_class: str,
    seconds: float,
    is_logged: bool,
) -> None:
    times = iter([10.0, 10.0 + seconds])
    monkeypatch.setattr("web.telemetry.request_log.perf_counter", lambda: next(times))
    with logged.client(respond(200, b"x", request_class=request_class), destination="") as client:
        client.get("/")
    assert bool(capfd.readouterr().err) is is_logged


@pytest.mark.parametrize(
    ("path", "escaped"),
    [
        ("/a%0ab", "/a\\nb"),
        ("/a%0d%0ab", "/a\\r\\nb"),
        ("/a%1b[31mb", "/a\\u001b[31mb"),
        ("/a%7fb", "/a\\u007fb"),
        ("/a%c2%9b31mb", "/a\\u009b31mb"),
        ("/a%c2%85b", "/a\\u0085b"),
        ("/a%e2%80%a8b", "/a\\u2028b"),
        ("/a%e2%80%aeb", "/a\\u202eb"),
        ("/a%22b", '/a\\"b'),
    ],
)
def test_control_characters_are_escaped_in_the_log(logged: Logged, path: str, escaped: str) -> None:
    with logged.client(respond(200, b"x")) as client:
        response = client.get(path)
    written = logged.path.read_bytes().decode()
    assert f'"path": "{escaped}"' in written
    assert written.count("\n") == 1
    assert logged.lines()[0]["path"] == response.scope["path"]


def test_path_that_is_not_unicode_is_logged(logged: Logged) -> None:
    scope = http_scope("GET", "/", {}) | {"path": "/a\udcff"}
    log = RequestLog(respond(200, b"x"), logged.observed, str(logged.path))
    asyncio.run(exchange(log, scope))
    assert "/a\\udcff" in logged.path.read_text()


def test_other_scopes_pass_untouched(logged: Logged) -> None:
    seen: list[Any] = []

    async def application(*arguments: Any) -> None:
        seen.append(arguments)

    log = RequestLog(application, logged.observed, "")
    scope: dict[str, Any] = {"type": "lifespan"}
    asyncio.run(log(scope, None, None))  # type: ignore[arg-type]
    assert seen == [(scope, None, None)]
    assert logged.observed.requests == []


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/" + "x" * (MAX_URL_BYTES - 1), 200),
        ("/" + "x" * MAX_URL_BYTES, 414),
        ("/?" + "x" * MAX_URL_BYTES, 414),
        ("/" + "x" * 2000 + "?" + "x" * 2095, 200),
        ("/" + "%E5%8D%83" * 500, 414),
    ],
)
def test_url_beyond_the_limit_is_refused(target: str, status: int) -> None:
    with AsgiClient(MaxUrlLength(respond(200, b"x"))) as client:
        assert client.get(target).status == status


def test_refused_url_gets_a_problem_document_that_names_its_request(logged: Logged) -> None:
    with logged.client(MaxUrlLength(respond(200, b"x"))) as client:
        response = client.get("/" + "x" * 5000, {"Accept-Language": "en"})
    assert response.headers["content-language"] == "en"
    assert response.json()["code"] == "address.long"
    assert response.json()["request"] == response.headers["x-request-id"]


def test_log_that_cannot_be_written_is_a_fault_of_the_setting(tmp_path: Path) -> None:
    with pytest.raises(SettingInvalid, match="request_log.*No such file or directory"):
        RequestLog(respond(200, b""), Observed(), str(tmp_path / "absent" / "requests.log"))
