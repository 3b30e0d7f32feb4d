"""Figures for Prometheus, whichever process is asked, and what is written of requests."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families
from werkzeug.test import Client, TestResponse

from iiif_server.metrics import Observations
from repository.database.outbox import NewJob
from repository.repository import Repository
from web.gate import LONGEST_ADDRESS
from web.telemetry.scoreboard import Scoreboard
from web.telemetry.wsgi_request_log import WsgiRequestLog
from web.wsgi import Watch, compose

HERE = {"REMOTE_ADDR": "127.0.0.1"}

Figures = dict[tuple[str, frozenset[tuple[str, str]]], float]


def figures(answer: TestResponse) -> Figures:
    """Every sample, read by Prometheus's own client library."""
    assert answer.status_code == 200
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def of(told: Figures, name: str, **labels: str) -> float:
    return told[name, frozenset(labels.items())]


def scrape(watch: Watch, repository: Repository) -> Figures:
    return figures(Client(compose(repository, watch).application).get("/metrics", environ_overrides=HERE))


def ended(scoreboard: Scoreboard) -> None:
    """Its process dies: the kernel lets go of its mark."""
    assert scoreboard._mark is not None
    scoreboard._mark.close()


def write(scoreboard: Scoreboard, observations: Observations) -> None:
    scoreboard._write(observations.snapshot())


def test_requests_are_told_by_lane_and_status(repository: Repository) -> None:
    watch = Watch.over(repository)
    client = Client(compose(repository, watch).application)
    watch.observations.observed("stored", 200, 0.0004, 20_000)
    watch.observations.observed("stored", 200, 0.003, 10)
    watch.observations.observed("refused", 404, 40.0, 5)
    watch.observations.counted("decode-seconds", 0.25)
    watch.observations.counted("store-bytes", 20_001)
    watch.observations.watched("store-fuse", lambda: 1.0)
    client.get("/").close()
    told = scrape(watch, repository)
    assert of(told, "shanben_requests_total", lane="stored", status="2xx") == 2
    assert of(told, "shanben_requests_total", lane="refused", status="4xx") == 1
    assert of(told, "shanben_requests_total", lane="page", status="2xx") == 1
    assert of(told, "shanben_sent_bytes_total", lane="stored") == 20_010
    assert of(told, "shanben_store_read_bytes_total") == 20_001
    within = [
        of(told, "shanben_request_seconds_bucket", lane="stored", le=end) for end in ("0.0005", "0.0025", "0.005")
    ]
    assert within == [1, 1, 2]
    assert of(told, "shanben_request_seconds_count", lane="stored") == 2
    assert of(told, "shanben_request_seconds_sum", lane="stored") == pytest.approx(0.0034)
    assert of(told, "shanben_request_seconds_bucket", lane="refused", le="30.0") == 0
    assert of(told, "shanben_request_seconds_bucket", lane="refused", le="+Inf") == 1
    assert of(told, "shanben_decode_seconds_total") == 0.25
    assert of(told, "shanben_fuses_blown", part="store") == 1


def test_what_is_held_and_under_way_is_told(repository: Repository, publisher: Any) -> None:
    publisher.book()
    repository.jobs.enqueue(NewJob("journal", "journal", {}))
    told = scrape(Watch.over(repository), repository)
    assert of(told, "shanben_works") == 1
    assert of(told, "shanben_images") == 3
    assert of(told, "shanben_jobs", state="queued") == 1
    assert of(told, "shanben_database_up") == 1


def test_whichever_process_is_asked_it_tells_of_all(repository: Repository) -> None:
    first, second = Watch.over(repository), Watch.over(repository)
    first.observations.observed("info", 200, 0.1, 1)
    second.observations.observed("info", 200, 0.1, 1)
    second.observations.watched("slow-waiting", lambda: 2.0)
    for watch in (first, second):
        write(watch.scoreboard, watch.observations)
    for watch in (first, second):
        told = scrape(watch, repository)
        assert of(told, "shanben_requests_total", lane="info", status="2xx") == 2
        assert of(told, "shanben_slow_requests", state="waiting") == 2
    assert sum(name == "shanben_process_start_time_seconds" for name, _ in told) == 1  # both are of this process id


def test_what_a_dead_process_counted_is_counted_once_and_its_gauges_end(tmp_path: Path) -> None:
    observers = [Observations() for _ in range(3)]
    boards = [Scoreboard(tmp_path / "metrics", each) for each in observers]
    for observations, board in zip(observers, boards, strict=True):
        observations.observed("slow", 200, 1.0, 7)
        observations.watched("slow-running", lambda: 1.0)
        write(board, observations)
    ended(boards[0])
    for board in (boards[1], boards[2], boards[1]):
        total, living = board.total()
        assert total.requests("slow", 2) == 3
        assert total.bytes_sent("slow") == 21
        assert total.gauges == {"slow-running": 2}
        assert len(living) == 2
    assert len(list((tmp_path / "metrics").glob("*.live"))) == 2


def test_a_death_while_the_dead_are_counted_counts_nobody_twice(tmp_path: Path) -> None:
    dead, alive = Observations(), Observations()
    boards = Scoreboard(tmp_path, dead), Scoreboard(tmp_path, alive)
    dead.observed("slow", 200, 1.0, 7)
    write(boards[0], dead)
    left = {path: path.read_bytes() for path in tmp_path.iterdir() if path.suffix in {".live", ".json"}}
    ended(boards[0])
    assert boards[1].total()[0].requests("slow", 2) == 1
    for path, content in left.items():  # as if we had been killed before they were taken away
        path.write_bytes(content)
    assert boards[1].total()[0].requests("slow", 2) == 1
    assert boards[1].total()[0].requests("slow", 2) == 1


def test_a_folder_that_was_deleted_is_begun_anew(tmp_path: Path) -> None:
    observations = Observations()
    board = Scoreboard(tmp_path / "metrics", observations)
    write(board, observations)
    for path in (tmp_path / "metrics").iterdir():
        path.unlink()
    assert board._is_gone()
    write(board, observations)
    assert len(list((tmp_path / "metrics").glob("*.live"))) == 1


def test_a_folder_that_cannot_be_written_costs_the_numbers_of_the_others_alone(tmp_path: Path) -> None:
    (tmp_path / "metrics").write_text("no folder")
    observations = Observations()
    observations.observed("info", 200, 0.1, 1)
    assert Scoreboard(tmp_path / "metrics", observations).total()[0].requests("info", 2) == 1


@pytest.mark.parametrize("address", ["/metrics", "/health/live", "/health/ready"])
@pytest.mark.parametrize(
    ("peer", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("10.1.2.3", {}, 200),
        ("fd00::5", {}, 200),
        ("198.51.100.7", {}, 403),
        ("127.0.0.1", {"X-Forwarded-For": "198.51.100.7"}, 403),
        ("", {}, 403),
    ],
)
def test_only_our_own_network_is_told(
    client: FlaskClient, address: str, peer: str, headers: dict[str, str], status: int
) -> None:
    answer = client.get(address, headers=headers, environ_overrides={"REMOTE_ADDR": peer})
    assert answer.status_code == status


class Written:
    """An application with a log in a file."""

    def __init__(self, application: Any, folder: Path, everything: bool = True) -> None:
        self.path = folder / "requests.log"
        self.observations = Observations()
        self.log = WsgiRequestLog(application, self.observations, str(self.path) if everything else "")
        self.client = Client(self.log)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.path.read_text("utf-8").splitlines()]


def answering(status: str, body: Iterable[bytes] | None = None, kind: str = "text/plain") -> Any:
    def application(_: Any, start_response: Any) -> Iterable[bytes]:
        start_response(status, [("Content-Type", kind)])
        return [b"x"] if body is None else body

    return application


def test_every_request_is_written_where_one_wants_it(tmp_path: Path) -> None:
    written = Written(answering("200 OK", iter([b"ab", b"c"])), tmp_path)
    answer = written.client.get("/works/千?q=name", environ_overrides={"REMOTE_ADDR": "198.51.100.7"})
    assert answer.data == b"abc"
    answer.close()
    (line,) = written.lines()
    assert (line["method"], line["status"], line["lane"], line["bytes"]) == ("GET", 200, "page", 3)
    assert line["request"] == answer.headers["X-Request-Id"]
    assert "name" not in json.dumps(line)
    assert "198.51" not in json.dumps(line)
    written.path.rename(tmp_path / "requests.log.1")
    written.client.get("/").close()
    assert len(written.lines()) == 1


def test_the_lane_of_a_picture_is_that_which_was_observed(tmp_path: Path) -> None:
    observations: list[Observations] = []

    def application(_: Any, start_response: Any) -> list[bytes]:
        observations[0].took("rendered")
        start_response("200 OK", [])
        return [b"x"]

    written = Written(application, tmp_path)
    observations.append(written.observations)
    written.client.get("/").close()
    written.log = WsgiRequestLog(answering("200 OK"), written.observations, "")
    assert written.lines()[0]["lane"] == "rendered"
    assert written.observations.snapshot().requests("page", 2) == 0


@pytest.mark.parametrize(
    ("given", "peer", "taken"),
    [
        ("0123456789abcdef", "127.0.0.1", True),
        ("0123456789abcdef", "10.0.0.9", True),
        ("0123456789abcdef", "198.51.100.7", False),
        ("short", "127.0.0.1", False),
        ('0123456789"}{', "127.0.0.1", False),
        ("x" * 65, "127.0.0.1", False),
    ],
)
def test_an_id_that_comes_along_is_taken_from_our_own_network(
    tmp_path: Path, given: str, peer: str, taken: bool
) -> None:
    client = Written(answering("200 OK"), tmp_path).client
    answer = client.get("/", headers={"X-Request-Id": given}, environ_overrides={"REMOTE_ADDR": peer})
    assert (answer.headers["X-Request-Id"] == given) is taken
    assert len(answer.headers.getlist("X-Request-Id")) == 1


def test_a_problem_document_names_its_request(repository: Repository) -> None:
    client = Client(compose(repository).application)
    for address in ("/iiif/image/3/nothing/info.json", "/iiif/presentation/3/nothing/manifest", "/" + "x" * 5000):
        answer = client.get(address)
        assert answer.status_code in {404, 414}
        assert answer.get_json()["request"] == answer.headers["X-Request-Id"]
        assert int(answer.headers["Content-Length"]) == len(answer.data)


def test_an_address_that_is_too_long_is_refused(repository: Repository) -> None:
    client = Client(compose(repository).application)
    assert client.get("/" + "x" * (LONGEST_ADDRESS - 1)).status_code == 404
    assert client.get("/" + "x" * LONGEST_ADDRESS).status_code == 414
    assert client.get("/?" + "x" * LONGEST_ADDRESS).status_code == 414


def test_errors_are_always_written_but_not_without_end(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    written = Written(answering("503 Service Unavailable"), tmp_path, everything=False)
    for _ in range(50):
        written.client.get("/iiif/image/3/x")
    told = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert 20 <= len(told) <= 40
    assert told[0]["status"] == 503
    written.log = WsgiRequestLog(answering("200 OK"), written.observations, "")
    Client(written.log).get("/")
    assert capfd.readouterr().err == ""


def test_a_defect_is_written_too(tmp_path: Path) -> None:
    def application(_: Any, __: Any) -> Iterable[bytes]:
        raise ZeroDivisionError

    written = Written(application, tmp_path)
    with pytest.raises(ZeroDivisionError):
        written.client.get("/")
    assert written.lines()[0]["status"] == 500
