"""The staff page, who may see it, the status as JSON, and the preservation line of a work's page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from preservation.store_identity import recognise_replica
from repository import paths
from repository.database.outbox import NewJob
from repository.repository import Repository
from repository.storage.store import open_replicas
from repository.store_label import store_label
from web.app import create_app
from web.operations.status import StatusReader, status_document
from web.operations.status_page import without_folders

pytestmark = pytest.mark.slow

FIRST = "2026-01-01T00:00:00Z"
HOLDER = "somebody"


def fault(zh: str, en: str, **more: object) -> dict[str, object]:
    texts = {"zh": zh, "en": en}
    return {"code": "x", "branch": "system", "message": texts, "faults": [], "tries": 2, "first": FIRST, **more}


def ingest(repository: Repository, name: str, *, done: int, total: int) -> str:
    """Enqueue an ingest of `total` pages, `done` of them finished, and return its key."""
    key, jobs = f"ingest:{name}", repository.jobs
    jobs.enqueue(NewJob(key, "ingest", {"deposit": f"/srv/scans/{name}"}))
    jobs.start(key, HOLDER, 60)
    pages = [NewJob(f"page:{key}:{number}", "page", {"deposit": f"/srv/scans/{name}"}) for number in range(total)]
    jobs.fan_out(key, HOLDER, pages, {"x": 1}, None)
    for page in pages[:done]:
        jobs.start(page.key, HOLDER, 60)
        jobs.finish(page.key, HOLDER, {})
    return key


def fail(repository: Repository, order: NewJob, result: Mapping[str, object]) -> None:
    repository.jobs.enqueue(order)
    repository.jobs.start(order.key, HOLDER, 60)
    repository.jobs.fail(order.key, HOLDER, result)


def delay(repository: Repository, order: NewJob, result: Mapping[str, object]) -> None:
    repository.jobs.enqueue(order)
    repository.jobs.start(order.key, HOLDER, 60)
    repository.jobs.postpone(order.key, HOLDER, result, 90)


def page(client: FlaskClient, language: str = "zh") -> str:
    return client.get("/status", headers={"Accept-Language": language}).text


def with_replicas(repository: Repository, folder: Path) -> Repository:
    settings = replace(
        repository.settings, replicas=(str(folder / "near"), "s3://far/prefix?endpoint=http://127.0.0.1:9")
    )
    return replace(repository, settings=settings, replicas=open_replicas(settings))


def test_status_page_of_an_idle_repository_lists_nothing(client: FlaskClient) -> None:
    shown = page(client)
    for texts in ("没有正在进行的收入", "没有推迟的任务", "没有失败的任务", "没有设置副本存储"):
        assert texts in shown


def test_ingest_in_progress_has_a_progress_bar_with_numbers(client: FlaskClient, repository: Repository) -> None:
    ingest(repository, "千字文", done=3, total=4)
    shown = page(client, "en")
    assert '<progress value="3" max="4" aria-label="千字文">' in shown
    assert "3 of 4 images · 75%" in shown


def test_failed_ingest_shows_its_reason_and_remedy(client: FlaskClient, repository: Repository) -> None:
    first = {"file": "0001.tif", "place": "", "code": "m", "message": {"zh": "无法解码", "en": "unreadable"}}
    refused = fault("送存 /srv/scans/拓片 有问题", "The deposit /srv/scans/拓片 has faults", faults=[first])
    fail(repository, NewJob("ingest:1", "ingest", {"deposit": "/srv/scans/拓片"}), refused)
    shown = page(client)
    for texts in ("送存 …/拓片 有问题", "0001.tif: 无法解码", "再次运行 shanben ingest"):
        assert texts in shown
    assert "First: 0001.tif: unreadable" in page(client, "en")


def test_delayed_job_shows_the_time_of_its_next_attempt(client: FlaskClient, repository: Repository) -> None:
    delay(repository, NewJob("journal", "journal", {}), fault("存储出错", "The store failed"))
    shown = page(client, "en")
    assert "The store failed" in shown
    assert "2 attempts · retry in 1 min" in shown


def test_status_page_discloses_no_folder_and_no_secret(repository: Repository, tmp_path: Path) -> None:
    held = with_replicas(repository, tmp_path)
    near = str(tmp_path / "near")
    order = NewJob(f"replicate:{near}:w1", "replicate", {"work": "w1", "store": near})
    delay(held, order, fault(f"存储出错（{near}/ocfl/x）", f"The store failed at {near}/ocfl/x: no room"))
    ingest(held, "千字文", done=1, total=2)
    for language in ("zh", "en"):
        shown = page(create_app(held).test_client(), language)
        assert str(tmp_path) not in shown
        assert "/srv" not in shown
        assert "endpoint" not in shown
        assert "…/x" in shown


@pytest.mark.parametrize(
    ("headers", "peer"),
    [
        ({"X-Forwarded-For": "127.0.0.1"}, "127.0.0.1"),
        ({"Forwarded": "for=198.51.100.7"}, "127.0.0.1"),
        ({"X-Real-IP": "198.51.100.7"}, "127.0.0.1"),
        ({"Via": "1.1 proxy"}, "::1"),
        ({"Host": "books.example"}, "127.0.0.1"),
        ({"Host": "127.0.0.1.books.example"}, "127.0.0.1"),
        ({}, "198.51.100.7"),
        ({}, ""),
    ],
)
def test_status_page_refuses_remote_clients_in_both_languages(
    client: FlaskClient, headers: dict[str, str], peer: str
) -> None:
    answer = client.get("/status", headers=headers, environ_overrides={"REMOTE_ADDR": peer})
    assert answer.status_code == 403
    assert "此页只供管理人员" in answer.text
    assert "This page is for staff" in answer.text
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(("host", "peer"), [("localhost", "::1"), ("127.0.0.1:8000", "127.0.0.1"), ("[::1]:80", "::1")])
def test_status_page_serves_local_clients_uncached(client: FlaskClient, host: str, peer: str) -> None:
    answer = client.get("/status", headers={"Host": host}, environ_overrides={"REMOTE_ADDR": peer})
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Robots-Tag"] == "noindex"


def test_status_page_refreshes_itself_unless_turned_off(client: FlaskClient) -> None:
    assert '<meta http-equiv="refresh"' in page(client)
    assert '<meta http-equiv="refresh"' not in client.get("/status?renew=off").text


def test_work_page_shows_how_many_stores_hold_the_work(repository: Repository, publisher: Any, tmp_path: Path) -> None:
    work = publisher.small_work("書")
    held = with_replicas(repository, tmp_path)
    address, visitor = f"/works/{work.identifier}", create_app(held).test_client()
    assert "保存于" not in create_app(repository).test_client().get(address).text
    assert "保存于 1 处；另有 2 处正在复制" in visitor.get(address).text
    for day, store in enumerate(held.replicas, start=2):
        held.replica_status.record_verified(work.identifier, store, 1, f"2026-02-0{day}T00:00:00Z")
    assert "保存于 3 处，写入时均已核验（不早于 2026-02-02）" in visitor.get(address).text
    shown = visitor.get(address, headers={"Accept-Language": "en"}).text
    assert "Held in 3 places, each verified when it was written (on or after 2026-02-02)" in shown
    assert str(tmp_path) not in shown


def test_status_document_has_the_same_facts(repository: Repository, publisher: Any, tmp_path: Path) -> None:
    work = publisher.small_work("書")
    held = with_replicas(repository, tmp_path)
    near, far = held.replicas
    recognise_replica(held, near)
    held.replica_status.record_verified(work.identifier, near, 1, FIRST)
    key = ingest(held, "千字文", done=1, total=2)
    assert key == held.jobs.active("ingest")[0][0].key
    refusal = fault("缺少 密钥", "the key is missing")
    fail(held, NewJob("journal", "journal", {}), refusal)
    delay(held, NewJob(f"replicate-log:{far}", "replicate-log", {"store": far}), fault("存储不在", "The store is away"))
    shown = status_document(StatusReader(held).read(5), None)
    assert shown["ingests"] == [
        {"deposit": "千字文", "state": "waiting", "done": 1, "total": 2, "since": "2026-01-01T00:00:00Z"}
    ]
    reason = "缺少 密钥 / the key is missing"
    assert shown["failed"] == [{"key": "journal", "kind": "journal", "deposit": None, "reason": reason, "when": FIRST}]
    away = "存储不在 / The store is away"
    assert shown["replicas"] == [
        {"store": near, "works": 1, "behind": 0, "verified_since": FIRST, "reason": None},
        {"store": far, "works": 0, "behind": 1, "verified_since": None, "reason": away},
    ]
    assert shown["store"] == {"store": str(repository.settings.store_url), "reason": None}
    (delayed,) = shown["delayed"]  # type: ignore[misc]
    assert (delayed["reason"], delayed["tries"], delayed["next"]) == (away, 2, "2026-01-01T00:01:30Z")
    assert (shown["works"], shown["preserved"], shown["verified_since"]) == (1, 0, FIRST)


def test_nothing_counts_as_preserved_in_a_store_that_is_not_recognised(
    repository: Repository, publisher: Any, tmp_path: Path
) -> None:
    work = publisher.small_work("書")
    settings = replace(repository.settings, replicas=(str(tmp_path / "near"),))
    held = replace(repository, settings=settings, replicas=open_replicas(settings))
    (near,) = held.replicas
    recognise_replica(held, near)
    held.replica_status.record_verified(work.identifier, near, 1, FIRST)
    assert StatusReader(held).read(5).preserved == 1
    held.replicas[near].delete(paths.STORE_IDENTITY)
    emptied = StatusReader(held).read(5)
    assert (emptied.preserved, emptied.replicas[0].works, emptied.store_fault) == (0, 0, None)
    assert "near 不是本馆的存储" in page(create_app(held).test_client())
    held.store.delete(paths.STORE_IDENTITY)
    assert StatusReader(repository).read(5).preserved == 0
    shown = page(create_app(repository).test_client(), "en")
    assert "is not the store of this library" in shown
    assert str(tmp_path) not in shown


@pytest.mark.parametrize(
    ("texts", "shown"),
    [
        ("failed at /srv/a b/c/x.tif: no", "failed at …/x.tif: no"),
        ("存储出错（/var/shanben/store/ocfl）：满", "存储出错（…/ocfl）：满"),
        ("see https://books.example/a/b", "see https://books.example/a/b"),
        ("3/4 of s3://bucket/prefix", "3/4 of s3://bucket/prefix"),
        ("", ""),
    ],
)
def test_absolute_paths_in_a_text_are_cut_to_their_last_part(texts: str, shown: str) -> None:
    assert without_folders(texts) == shown


def test_store_label_is_the_folder_or_the_bucket() -> None:
    assert store_label("/srv/shanben/copies") == "copies"
    assert store_label("s3://far/prefix?endpoint=http://10.0.0.1:9") == "s3://far/prefix"


def test_large_numbers_are_grouped(client: FlaskClient, repository: Repository) -> None:
    ingest(repository, "book", done=1, total=1200)
    assert re.search(r"1 of 1,200 images · 0%", page(client, "en"))
