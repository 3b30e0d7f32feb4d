"""``/metrics`` for Prometheus, and who may read it."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families
from werkzeug.test import TestResponse

from repository.database.outbox import NewJob
from repository.errors import DatabaseFault
from repository.localized import LocalizedText
from repository.repository import Repository
from web.services import metrics
from web.services.metrics import FRESH_SECONDS, HoldingsCollector
from web.telemetry.process_metrics import ProcessMetrics
from web.trusted_networks import StaffOnly

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def parse(response: TestResponse) -> Samples:
    """Every sample, read by Prometheus's own client library."""
    assert response.status_code == 200
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples[name, frozenset(labels.items())]


@pytest.fixture
def process_metrics() -> ProcessMetrics:
    return ProcessMetrics()


@pytest.fixture
def scraper(repository: Repository, process_metrics: ProcessMetrics) -> FlaskClient:
    """A client of the route alone."""
    app = Flask("web.app")
    app.register_blueprint(metrics.blueprint(repository, process_metrics))
    app.register_error_handler(StaffOnly, lambda _: ("", 403))
    return app.test_client()


def test_metrics_are_in_the_text_format(scraper: FlaskClient, process_metrics: ProcessMetrics) -> None:
    process_metrics.observe_request("stored", 200, 0.001, 10)
    response = scraper.get("/metrics")
    assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert response.headers["Cache-Control"] == "no-store"
    samples = parse(response)
    assert value(samples, "shanben_requests_total", lane="stored", status="2xx") == 1
    assert value(samples, "shanben_sent_bytes_total", lane="stored") == 10


def test_metrics_report_holdings_and_jobs(scraper: FlaskClient, repository: Repository, publisher: Any) -> None:
    publisher.book()
    repository.jobs.enqueue(NewJob("journal", "journal", {}))
    samples = parse(scraper.get("/metrics"))
    assert value(samples, "shanben_works") == 1
    assert value(samples, "shanben_images") == 3
    assert value(samples, "shanben_master_bytes") == 3000
    assert value(samples, "shanben_jobs", state="queued") == 1
    assert value(samples, "shanben_log_entries") == 0
    assert value(samples, "shanben_events_staged") == 0
    assert value(samples, "shanben_database_up") == 1


def test_database_is_asked_for_holdings_every_few_seconds_only(
    repository: Repository, publisher: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    collector = HoldingsCollector(repository, lambda: now)

    def works() -> float:
        return next(metric for metric in collector.collect() if metric.name == "shanben_works").samples[0].value

    assert works() == 0
    publisher.small_work("書")
    now = FRESH_SECONDS - 0.1
    assert works() == 0
    now = FRESH_SECONDS
    assert works() == 1

    def unavailable() -> object:
        raise DatabaseFault(reason=LocalizedText("x", "x"))

    monkeypatch.setattr(repository.catalogue, "counts", unavailable)
    now = 3 * FRESH_SECONDS
    assert [(metric.name, metric.samples[0].value) for metric in collector.collect()] == [("shanben_database_up", 0)]


PEERS = [
    ("127.0.0.1", {}, 200),
    ("10.1.2.3", {}, 200),
    ("fd00::5", {}, 200),
    ("198.51.100.7", {}, 403),
    ("127.0.0.1", {"X-Forwarded-For": "198.51.100.7"}, 403),
    ("", {}, 403),
]


@pytest.mark.parametrize(("peer", "headers", "status"), PEERS)
def test_metrics_are_for_private_networks(
    scraper: FlaskClient, peer: str, headers: dict[str, str], status: int
) -> None:
    response = scraper.get("/metrics", headers=headers, environ_overrides={"REMOTE_ADDR": peer})
    assert response.status_code == status


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/metrics", "/health/live", "/health/ready"])
@pytest.mark.parametrize(("peer", "headers", "status"), PEERS)
def test_operators_routes_are_for_private_networks(
    client: FlaskClient, path: str, peer: str, headers: dict[str, str], status: int
) -> None:
    response = client.get(path, headers=headers, environ_overrides={"REMOTE_ADDR": peer})
    assert response.status_code == status


def test_metrics_count_alarms_by_cause_once_they_were_decided(repository: Repository) -> None:
    def alarms() -> dict[str, float]:
        found = [metric for metric in HoldingsCollector(repository).collect() if metric.name.startswith(name)]
        return {sample.labels.get("kind", "time"): sample.value for metric in found for sample in metric.samples}

    name, text = "shanben_preservation_alarms", LocalizedText("损坏", "damage")
    assert alarms() == {}
    raised = {"damage:store": text, "damage:/srv/copy": text, "harvest:partner": text}
    repository.reports.raise_alarms(raised, "1970-01-01T00:01:00Z")
    found = alarms()
    assert (found["damage"], found["harvest"], found["canary"], found["time"]) == (2, 1, 0, 60)
