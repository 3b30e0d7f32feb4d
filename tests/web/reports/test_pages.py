"""The preservation page, its lists, charts and files: who may see them; a moment is always the same bytes."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
from flask.testing import FlaskClient

from iiif_server.urls import proof_path, staff_work_path, work_path
from preservation.reporting.reader import ReportReader
from preservation.seal import SALT_SIZE
from repository.database.fixity_values import (
    CheckedFile,
    FileClass,
    FileResult,
    FindingState,
    FoundFault,
    ListedFile,
    SweepState,
    UnitCheck,
    UnitKind,
    day_of,
)
from repository.database.lost_works import LostWork
from repository.database.outbox import NewJob
from repository.database.publication import Publication
from repository.identifiers import Kind, mint
from repository.localized import LocalizedText
from repository.model.accounts import Role
from repository.model.condition import Condition, Repair
from repository.model.work import Event, Record, Work
from repository.repository import Repository
from web.app import create_app
from web.reports.files import ReportFormat
from web.reports.issue import REPORTS_AN_HOUR

pytestmark = pytest.mark.slow

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KEY = "ocfl/a/b/v1/content/masters/0001.tif"
PATHS = (
    "/preservation",
    "/preservation/findings",
    "/preservation/condition",
    "/preservation/report.pdf",
    "/preservation/chart/growth.svg",
)


@pytest.fixture
def staff(repository: Repository) -> FlaskClient:
    """A browser in which a conservator is logged in."""
    repository.log_sequence.register_salt(b"s" * SALT_SIZE)
    repository.accounts.add("conservator", Role.CONSERVATOR, "$argon2id$none")
    client = create_app(repository).test_client()
    with client.session_transaction() as session:
        session["login"] = repository.account_sessions.start("conservator")
    return client


def text_of(client: FlaskClient, path: str, language: str = "zh") -> str:
    answer = client.get(path, headers={"Accept-Language": language})
    assert answer.status_code == 200
    return answer.text


def sweep(repository: Repository, work: Work, kind: str | None, at: datetime = NOW) -> None:
    """Record a sweep of the primary store that finds a fault of this kind in a master, or none."""
    started = repository.sweeps.begin("", "all", at)
    files = (ListedFile("a", FileClass.MASTERS, 1000),)
    unit = repository.fixity.record_listed("", UnitKind.WORK, work.identifier, files, version=1, due=day_of(at))
    result = FileResult.FAILED if kind else FileResult.PASSED
    faults = (FoundFault(KEY, kind, work.identifier, "aa" * 32, "bb" * 32),) if kind else ()
    checked = CheckedFile("a", FileClass.MASTERS, 1000, result)
    check = UnitCheck(unit.id, started.id, 1, at, day_of(at) + 90, 1, (checked,), faults, 1000, "cc" * 32)
    repository.fixity.record_checks([check])
    repository.sweeps.end(started.id, SweepState.FINDINGS if kind else SweepState.CLEAN, "dd" * 32, at)


@pytest.mark.parametrize("path", PATHS)
def test_everything_about_preservation_needs_an_account(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (303, "no-store")
    assert (answer.location or "").startswith("/login?next=%2Fpreservation")


def test_page_of_an_empty_repository_says_that_nothing_is_held(staff: FlaskClient) -> None:
    assert "尚无馆藏。" in text_of(staff, "/preservation")
    assert "Nothing is held yet." in text_of(staff, "/preservation", "en")


def test_page_says_that_all_is_well_only_after_a_clean_sweep(
    staff: FlaskClient, repository: Repository, publisher: Any
) -> None:
    work = publisher.small_work("論語")
    assert "一切正常" not in text_of(staff, "/preservation")
    sweep(repository, work, None)
    page = text_of(staff, "/preservation")
    assert "一切正常。每一个保存的文件都在 2026-01-01 当天或之后校验过。没有需要决定的事项。" in page


def test_damage_shows_on_the_page_with_its_evidence_and_with_what_was_done(
    staff: FlaskClient, repository: Repository, publisher: Any
) -> None:
    work = publisher.small_work("論語")
    sweep(repository, work, "changed")
    for path in ("/preservation", "/preservation/findings"):
        page = text_of(staff, path)
        assert KEY in page
        assert f'href="{staff_work_path(work.identifier)}"' in page
        assert f'href="{proof_path(work.identifier)}"' in page
        assert "尚未处理" in page
    assert "有 1 项问题尚未解决" in text_of(staff, "/preservation")
    (finding,) = repository.findings.open_findings(limit=10)
    repository.findings.end(finding.id, FindingState.REPAIRED, "/srv/copy", NOW)
    sweep(repository, work, None)
    page = text_of(staff, "/preservation")
    assert "一切正常" in page
    assert "完好内容取自 copy" in page
    assert "完好内容取自 copy" in text_of(staff, "/preservation/findings?state=ended")
    assert KEY not in text_of(staff, "/preservation/findings")


def test_works_that_no_store_holds_are_on_the_page_until_somebody_decides(
    staff: FlaskClient, repository: Repository
) -> None:
    repository.lost_works.replace([LostWork("wlost", 2, 1)], "2026-01-01T00:00:00Z")
    page = text_of(staff, "/preservation")
    assert "日志所记的 1 种著作，各处存储均已没有" in page
    assert "wlost" in page
    repository.lost_works.replace([], "2026-01-02T00:00:00Z")
    assert "wlost" not in text_of(staff, "/preservation")


def test_findings_are_listed_by_store(staff: FlaskClient, repository: Repository, publisher: Any) -> None:
    sweep(repository, publisher.small_work("論語"), "changed")
    assert 'href="/preservation/findings?store=store"' in text_of(staff, "/preservation")
    assert KEY in text_of(staff, "/preservation/findings?store=store")
    assert staff.get("/preservation/findings?store=elsewhere").status_code == 400


@pytest.mark.parametrize("query", ["state=x", "after=x", "after=-1", "after=9999999999999999999999"])
def test_list_of_findings_refuses_what_it_does_not_understand(staff: FlaskClient, query: str) -> None:
    assert staff.get(f"/preservation/findings?{query}").status_code == 400


def test_works_are_listed_by_grade_and_by_damage(staff: FlaskClient, repository: Repository) -> None:
    condition = Condition("二级乙等", "一级破损", ("虫蛀",), "2024", "某人", repairs=(Repair("2025", "溜口"),))
    work = Work(mint(Kind.WORK, "x"), Record("論語"), condition=condition)
    repository.catalogue.publish(Publication(work, {}, [], 1, "2026-01-01T00:00:00Z", {}), [], "2026-01-01T00:00:00Z")
    links = re.findall(r'href="(/preservation/condition[^"]*)"', text_of(staff, "/preservation"))
    assert len(links) == 2
    for path in links:
        page = text_of(staff, path.replace("&amp;", "&"), "en")
        assert f'href="{work_path(work.identifier)}"' in page
        assert "insect damage" in page
        assert "某人" not in page
    for path in ("", "?damage=x", "?grade=x", "?damage=x&grade=二级乙等", "?damage=一级破损&volume=x"):
        assert staff.get(f"/preservation/condition{path}").status_code == 400


def test_names_of_library_and_works_are_escaped(staff: FlaskClient, repository: Repository) -> None:
    record = Record("<b>論語</b>", classification="<i>部")
    condition = Condition(damage="一级破损", assessed="2024", causes=("<u>虫",))
    work = Work(mint(Kind.WORK, "x"), record, condition=condition)
    repository.catalogue.publish(Publication(work, {}, [], 1, "2026-01-01T00:00:00Z", {}), [], "2026-01-01T00:00:00Z")
    for path in ("/preservation", issued(staff, "html")):
        page = text_of(staff, path)
        assert "&lt;b&gt;論語" in page
        assert not any(tag in page for tag in ("<b>", "<i>", "<u>"))


def logged(repository: Repository) -> list[Event]:
    """Return the events that wait for the log."""
    repository.log_sequence.assign_sequence_numbers(0, 100)
    return repository.log_sequence.numbered_events(0, 100)


def issued(client: FlaskClient, kind: str) -> str:
    answer = client.get(f"/preservation/report.{kind}")
    assert answer.status_code == 303
    assert answer.location
    return answer.location


@pytest.mark.parametrize("kind", ReportFormat)
def test_the_same_moment_gives_the_same_bytes_whatever_happens_later(
    staff: FlaskClient, repository: Repository, publisher: Any, kind: ReportFormat
) -> None:
    work = publisher.small_work("論語")
    sweep(repository, work, None)
    path = issued(staff, kind.value)
    assert path.endswith(f"report.{kind.value}?at=2026-01-01T00:00:00Z")
    before = staff.get(path)
    publisher.small_work("孟子")
    sweep(repository, work, "changed")
    assert "有 1 项问题" in text_of(staff, "/preservation")
    fresh = create_app(repository).test_client()
    with fresh.session_transaction() as session:
        session["login"] = repository.account_sessions.start("conservator")
    after = fresh.get(path)
    assert (before.status_code, after.status_code) == (200, 200)
    assert before.data == after.data
    assert before.headers["Content-Type"] == after.headers["Content-Type"]
    (event,) = [event for event in logged(repository) if event.detail.get("act") == "report"]
    assert event.detail["report"] == sha256(before.data).hexdigest()
    assert event.detail["at"] == "2026-01-01T00:00:00Z"
    assert "conservator" not in str(event.detail), "the account is sealed"


def test_a_moment_is_that_of_the_newest_report_until_then(staff: FlaskClient, repository: Repository) -> None:
    for path in ("/preservation/report.json?at=2026-01-31", "/preservation/report.json?at=2025-01-01"):
        assert staff.get(path).status_code == 404
    location = issued(staff, "json")
    repository.reports.add("2026-03-01T00:00:00Z", b"{}")
    for at in ("2026-01-31", "2026-01-01T00:00:00Z", "2026-01-01T08:00:00%2B08:00", "2026-01-01T08:00:00+08:00"):
        assert staff.get(f"/preservation/report.json?at={at}").data == staff.get(location).data
    assert staff.get("/preservation/report.json?at=2025-12-31").status_code == 404
    for at in ("yesterday", "2026-13-01", "2026-01-01T00:00:00"):
        assert staff.get(f"/preservation/report.json?at={at}").status_code == 400
    assert staff.get("/preservation/report.doc").status_code == 404


def test_json_has_the_numbers_that_the_page_shows(staff: FlaskClient, repository: Repository, publisher: Any) -> None:
    sweep(repository, publisher.small_work("論語"), "missing")
    document = json.loads(staff.get(issued(staff, "json")).data)
    assert (document["works"], document["images"], document["bytes"]) == (1, 1, 1000)
    assert document["open_counts"] == [{"store": "store", "kind": "missing", "count": 1}]
    held = {"works": 1, "images": 1, "bytes": 1000}
    assert document["formats"] == [{"name": "image/tiff", **held}]
    unidentified = {"puid": "", "media_type": "image/tiff", "name": "TIFF", "version": "", "risk": "low"}
    assert document["versions"] == [{**unidentified, **held}]


def test_every_staff_page_has_a_banner_while_an_alarm_lasts(staff: FlaskClient, repository: Repository) -> None:
    pages = ("/staff", "/status", "/preservation/findings")
    assert not any('class="alarms"' in text_of(staff, path) for path in pages)
    text = LocalizedText("存储 store 有 1 项问题", "store store has 1 finding")
    repository.reports.raise_alarms({"damage:store": text}, "2026-01-01T00:00:00Z")
    for path in pages:
        assert "有 1 项警报：存储 store 有 1 项问题" in text_of(staff, path).replace("</strong>", "")
        assert "store store has 1 finding" in text_of(staff, path, "en")


def test_banner_says_when_no_worker_looks_for_alarms(staff: FlaskClient, repository: Repository) -> None:
    repository.reports.raise_alarms({}, (NOW - timedelta(hours=5)).isoformat())
    assert "工作进程已有 5 小时没有检查警报" in text_of(staff, "/staff")


def test_reader_reports_replicas_that_lag_and_since_when_copies_fail(repository: Repository, publisher: Any) -> None:
    publisher.small_work("論語")
    copied = replace(repository, replicas={"/srv/copy": repository.store})
    (primary, replica) = ReportReader(copied).read().places
    assert (primary.works, primary.behind) == (1, 0)
    assert (replica.works, replica.behind, replica.failing) == (0, 1, "")
    copied.jobs.enqueue(NewJob("replicate:x", "replicate", {"store": "/srv/copy", "work": "w"}))
    copied.jobs.start("replicate:x", "somebody", 60)
    copied.jobs.postpone("replicate:x", "somebody", {"first": "2025-12-30T00:00:00Z"}, 90)
    assert ReportReader(copied).read().places[1].failing == "2025-12-30T00:00:00Z"


def reports_logged(repository: Repository) -> int:
    return sum(event.detail.get("act") == "report" for event in logged(repository))


def test_head_issues_nothing(staff: FlaskClient, repository: Repository) -> None:
    assert staff.head("/preservation/report.json").location == "/preservation"
    assert repository.reports.times(1) == []
    path = issued(staff, "json")
    assert staff.head(path).headers["Content-Type"] == "application/json"
    assert reports_logged(repository) == 0
    staff.get(path)
    assert reports_logged(repository) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Dest": "image", "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Dest": "iframe", "Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Dest": "document", "Sec-Purpose": "prefetch;prerender"},
        {"Purpose": "prefetch"},
        {"X-Moz": "prefetch"},
    ],
)
def test_report_is_not_issued_for_an_embedding_page_or_in_advance(
    staff: FlaskClient, repository: Repository, headers: dict[str, str]
) -> None:
    stored = issued(staff, "json")
    for path in ("/preservation/report.json", stored):
        refused = staff.get(path, headers={**headers, "Accept": "application/json"})
        assert (refused.status_code, refused.get_json()["code"]) == (403, "report.not-asked")
    assert repository.reports.times(2) == ["2026-01-01T00:00:00Z"]
    assert reports_logged(repository) == 0


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_link_of_another_site_leads_to_the_page_and_stores_no_report(
    staff: FlaskClient, repository: Repository, site: str
) -> None:
    headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    answer = staff.get("/preservation/report.csv", headers=headers)
    assert (answer.status_code, answer.location) == (303, "/preservation")
    assert repository.reports.times(1) == []
    for _ in range(3):  # a link in a mail, opened again
        assert staff.get(issued(staff, "csv"), headers=headers).status_code == 200
    assert reports_logged(repository) == 1


def test_web_processes_store_a_limited_number_of_reports_an_hour(staff: FlaskClient, repository: Repository) -> None:
    for number in range(REPORTS_AN_HOUR):
        repository.reports.add((NOW - timedelta(minutes=50, seconds=-number)).isoformat()[:19] + "Z", b"{}")
    refused = staff.get("/preservation/report.json", headers={"Accept-Language": "en", "Accept": "application/json"})
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "600")
    assert "60 reports were issued within an hour" in refused.get_json()["detail"]
    assert len(repository.reports.times(100)) == REPORTS_AN_HOUR


def test_reports_of_earlier_hours_do_not_count(staff: FlaskClient, repository: Repository) -> None:
    for number in range(REPORTS_AN_HOUR):
        repository.reports.add((NOW - timedelta(minutes=60, seconds=number)).isoformat()[:19] + "Z", b"{}")
    assert issued(staff, "json").endswith("at=2026-01-01T00:00:00Z")
