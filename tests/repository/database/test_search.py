"""What search reads of the catalogue, on both kinds of database; the same index gives the same results on both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from partner_records import named, partner_record, partner_source
from publications import NOW, publication
from search_library import WITHDRAWN, add_work, dated, index
from sqlalchemy import Engine, event

from iiif_server.search.query import SearchQuery
from iiif_server.search.service import Search
from repository.clock import system_clock
from repository.config import Settings
from repository.database.access_changes import PreservedAccess
from repository.database.catalogue import Catalogue
from repository.database.deletions import Deletion, Deletions, DeletionState
from repository.database.engine import sessions_of
from repository.database.harvest import Harvests
from repository.database.outbox import NewJob
from repository.database.search import SearchRecords
from repository.model.access import AccessVerdict
from repository.model.harvest import RecordState, SourceState
from repository.model.work import Access, WorkAccess
from repository.repository import memory_repository, open_repository


@pytest.fixture
def catalogue(engine: Engine) -> Catalogue:
    return Catalogue(sessions_of(engine))


@pytest.fixture
def records(engine: Engine) -> SearchRecords:
    return SearchRecords(sessions_of(engine), system_clock)


def test_works_that_are_not_simply_open_are_limited(catalogue: Catalogue, records: SearchRecords) -> None:
    works = {}
    for name, access in (
        ("甲", WorkAccess()),
        ("乙", WorkAccess(access=Access.RESTRICTED)),
        ("丙", WorkAccess(access=Access.REDUCED, max_size=500)),
        ("丁", WITHDRAWN),
    ):
        held = replace(publication(name), access=access)
        catalogue.publish(held, [], NOW)
        works[name] = held.work.identifier
    shown = records.shown_works()
    assert shown.published == {works["甲"], works["乙"], works["丙"]}
    assert {work: decision.verdict for work, decision in shown.limited.items()} == {
        works["乙"]: AccessVerdict.REFUSED,
        works["丙"]: AccessVerdict.REDUCED,
    }
    assert set(records.summaries(list(works.values()))) == shown.published


def test_a_change_that_comes_while_another_is_indexed_stays(catalogue: Catalogue, records: SearchRecords) -> None:
    catalogue.publish(publication("甲"), [], NOW)
    taken = records.unindexed(10)
    catalogue.publish(replace(publication("甲"), version=2), [], NOW)
    records.forget(taken)
    assert records.unindexed_count() == 1
    records.forget_all(records.unindexed(10))
    assert records.unindexed(10) == []
    records.mark([taken[0].identifier], [NewJob("search", "search", {})], NOW)
    assert [each.identifier for each in records.unindexed(10)] == [taken[0].identifier]
    assert records.version(taken[0].identifier) == (2, NOW)
    assert records.versions_after("", 10) == [(taken[0].identifier, 2, NOW)]


def test_the_same_queries_give_the_same_results_on_any_database(database_url: str, tmp_path: Path) -> None:
    found = []
    shared = Settings(data=tmp_path / "shared", database=database_url)
    shared.data.mkdir()
    for repository in (open_repository(shared), memory_repository(Settings(data=tmp_path / "own"))):
        add_work(repository, "a", [["子曰學而"], ["時習之"]], dated("論語", "萬曆三十五年"))
        add_work(repository, "b", [["论语曰"]], access=WorkAccess(access=Access.RESTRICTED))
        add_work(repository, "c", [["說文曰論語"]])
        index(repository)
        search = Search(repository)
        queries = [SearchQuery(text) for text in ("论语", "曰", "學而時", "无")] + [
            SearchQuery(facets={"text": ("yes",)})
        ]
        found.append([search.search(query) for query in queries])
    assert found[0] == found[1]
    assert [result.total for result in found[0]] == [2, 2, 1, 0, 2]


def test_what_is_shown_follows_every_change_and_an_unchanged_catalogue_is_not_read_again(
    engine: Engine, catalogue: Catalogue, records: SearchRecords
) -> None:
    harvests, deletions = Harvests(sessions_of(engine)), Deletions(sessions_of(engine))
    harvests.add(partner_source())
    first, second, one, other = publication("甲"), publication("乙"), named("丙"), named("丁")
    work = first.work.identifier
    deletion = Deletion(work, DeletionState.CONFIRMED, 1, NOW, "a", "", NOW, "b", "e")
    shown = records.shown_works()
    statements: list[Any] = []
    event.listen(engine, "before_cursor_execute", lambda *call: statements.append(call[2]))

    def access(changed: WorkAccess) -> None:
        catalogue.change_access(work, lambda _: changed, lambda _: [], NOW)

    changes: list[tuple[Callable[[], object], int]] = [
        (lambda: catalogue.publish(first, [], NOW), 1),
        (lambda: catalogue.publish(second, [], NOW), 2),
        (lambda: access(WorkAccess(access=Access.RESTRICTED)), 2),
        (lambda: access(WorkAccess(access=Access.REDUCED, max_size=9)), 2),
        (lambda: catalogue.record_access(work, PreservedAccess(WorkAccess(), 2, []), [], NOW), 2),
        (lambda: harvests.apply("pku", [partner_record(each) for each in (one, other)], SourceState()), 4),
        (lambda: harvests.apply("pku", [partner_record(one, state=RecordState.DELETED)], SourceState()), 3),
        (lambda: access(WITHDRAWN), 2),
        (lambda: harvests.remove("pku"), 1),
        (lambda: access(WorkAccess()), 2),
        (lambda: (deletions.restore(deletion, [], NOW), deletions.finish(work, [], NOW)), 1),
        (lambda: catalogue.rebuild([second]), 1),
        (lambda: catalogue.rebuild([]), 0),
    ]
    for change, count in changes:
        change()
        before, shown = shown, records.shown_works(shown)
        assert shown is not before
        assert shown == records.shown_works()
        assert len(shown.published) == count
        statements.clear()
        assert records.shown_works(shown) is shown
        assert len(statements) == 2


def test_a_restriction_that_ends_is_decided_again_on_its_day(engine: Engine, catalogue: Catalogue) -> None:
    catalogue.publish(
        replace(publication("甲"), access=WorkAccess(access=Access.RESTRICTED, until="2030-01-02")), [], NOW
    )
    now = [datetime(2030, 1, 1, 23, tzinfo=UTC)]
    records = SearchRecords(sessions_of(engine), lambda: now[0])
    before = records.shown_works()
    now[0] = datetime(2030, 1, 2, tzinfo=UTC)
    after = records.shown_works(before)
    verdicts = [[decision.verdict for decision in shown.limited.values()] for shown in (before, after)]
    assert verdicts == [[AccessVerdict.REFUSED], [AccessVerdict.OPEN]]
