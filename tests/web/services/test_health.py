"""Liveness and readiness."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from preservation.store_identity import StoreNotRecognised
from repository import paths
from repository.errors import DatabaseFault, StoreFault
from repository.localized import LocalizedText
from repository.repository import Repository

REASON = LocalizedText("连接中断", "connection lost")


def test_live_responds_while_the_process_runs(client: FlaskClient) -> None:
    response = client.get("/health/live")
    assert (response.status_code, response.get_json()) == (200, {"status": "ok"})
    assert response.headers["Cache-Control"] == "no-store"


def test_ready_reports_database_and_store(client: FlaskClient) -> None:
    response = client.get("/health/ready")
    assert (response.status_code, response.get_json()) == (200, {"status": "ok", "database": "ok", "store": "ok"})


def test_ready_names_the_part_that_is_unavailable(
    client: FlaskClient, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> object:
        raise StoreFault(key="log/checkpoint", reason=REASON)

    monkeypatch.setattr(repository.store, "read", fail)
    response = client.get("/health/ready")
    assert response.status_code == 503
    assert response.get_json() == {"status": "unavailable", "database": "ok", "store": StoreFault.code}

    def fail_too(*_: object) -> object:
        raise DatabaseFault(reason=REASON)

    monkeypatch.setattr(repository.catalogue, "published_count", fail_too)
    document = client.get("/health/ready").get_json()
    assert document == {"status": "unavailable", "database": DatabaseFault.code, "store": StoreFault.code}


def test_store_without_its_identity_is_not_ready_when_works_are_published(
    client: FlaskClient, publisher: Any, repository: Repository
) -> None:
    publisher.small_work("書")
    repository.store.delete(paths.STORE_IDENTITY)
    response = client.get("/health/ready")
    assert response.status_code == 503
    assert response.get_json() == {"status": "unavailable", "database": "ok", "store": StoreNotRecognised.code}
