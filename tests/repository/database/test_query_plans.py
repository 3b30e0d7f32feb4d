"""Frequent queries use an index, so that they do not scan a million rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from publications import NOW, publication
from sqlalchemy import Engine, event

from repository.database.catalogue import Catalogue
from repository.database.changes import ChangeFeed
from repository.database.engine import is_postgresql, migrate, open_database, sessions_of
from repository.database.log_sequence import LogSequence
from repository.identifiers import Kind, mint
from repository.model.changes import RecordRange

WORK = mint(Kind.WORK, "第7")
IMAGE = mint(Kind.IMAGE, WORK, "1")

QUESTIONS: dict[str, tuple[Callable[[Catalogue], object], set[str]]] = {
    "a tile's image": (lambda catalogue: catalogue.image(IMAGE), {"pk_images", "pk_works"}),
    "a work": (lambda catalogue: catalogue.work(WORK), {"pk_works"}),
    "a work's state": (lambda catalogue: catalogue.state(WORK), {"pk_works"}),
    "a work's pyramids": (lambda catalogue: catalogue.pyramids(WORK), {"ix_images_work"}),
    "a list": (lambda catalogue: catalogue.works(100, 24), {"ix_works_state_accessioned_identifier", "pk_works"}),
    "the newest": (
        lambda catalogue: catalogue.works(0, 24, newest_first=True),
        {"ix_works_state_accessioned_identifier", "pk_works"},
    ),
    "a part of all works": (
        lambda catalogue: catalogue.works_accessioned(NOW, "2027-01-01T00:00:00Z"),
        {"ix_works_state_accessioned_identifier"},
    ),
    "how large a part is": (
        lambda catalogue: catalogue.count_accessions(NOW, "2027-01-01T00:00:00Z", 10),
        {"ix_works_state_accessioned_identifier"},
    ),
    "where a part begins": (
        lambda catalogue: catalogue.first_accession(NOW, "2027-01-01T00:00:00Z"),
        {"ix_works_state_accessioned_identifier"},
    ),
    "a length": (lambda catalogue: catalogue.has_master_of_length(1000), {"ix_images_master_bytes"}),
    "a digest": (lambda catalogue: catalogue.images_of_master("ab"), {"ix_images_master_sha256"}),
}


LOG_QUESTIONS: dict[str, tuple[Callable[[LogSequence], object], str]] = {
    "events of a digest": (lambda log: log.logged_events_of_digest("ab", 20), "ix_events_sha256"),
    "events that name a digest": (lambda log: log.logged_events_naming("ab", 20), "ix_events_named_digest"),
    "events of a work": (lambda log: log.logged_events(WORK, -1, 1000), "ix_events_work"),
    "events of an image": (lambda log: log.logged_events_of_image(IMAGE, -1, 1000), "ix_events_image"),
    "events of a work and recoveries": (
        lambda log: log.logged_events_of_work_and_recoveries(WORK, -1, 1000),
        "ix_events_work",
    ),
    "events of a work alone": (lambda log: log.logged_events_of_work_alone(WORK, -1, 1000), "ix_events_work"),
}


FEED_QUESTIONS: dict[str, tuple[Callable[[ChangeFeed], object], str]] = {
    "the records of a set": (lambda feed: feed.records(RecordRange(within="class:jing"), 9), "class_set_number"),
    "where a time begins": (lambda feed: feed.records(RecordRange(first=NOW), 9), "time_number"),
    "holders": (lambda feed: feed.holder_sets(), "holder_set_number"),
    "all records": (lambda feed: feed.records(RecordRange(7), 9), "feed_records"),
}


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.integration)])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A database of each kind, which the tests of this file only read."""
    is_file = request.param == "sqlite"
    engine = open_database(
        f"sqlite:///{tmp_path_factory.mktemp('plans')}/catalogue.sqlite"
        if is_file
        else request.getfixturevalue("postgres").create_database()
    )
    migrate(engine)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def catalogue(engine: Engine) -> Catalogue:
    catalogue = Catalogue(sessions_of(engine))
    catalogue.rebuild([publication(f"第{number}", NOW, images=3) for number in range(200)])
    return catalogue


def plan(engine: Engine, question: Callable[[], object]) -> str:
    """Return the query plans of the statements that a call executes."""
    asked: list[tuple[str, object]] = []

    def note(_connection, _cursor, statement, parameters, _context, _many):
        asked.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    question()
    event.remove(engine, "before_cursor_execute", note)
    return "\n".join(line for statement in asked for line in explained(engine, *statement))


def explained(engine: Engine, statement: str, parameters: object) -> Iterator[str]:
    with engine.connect() as connection:
        if is_postgresql(engine):
            # So few rows would be looked through by choice.
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
            connection.exec_driver_sql("SET LOCAL enable_bitmapscan = off")
        words = "EXPLAIN" if is_postgresql(engine) else "EXPLAIN QUERY PLAN"
        for row in connection.exec_driver_sql(f"{words} {statement}", parameters):
            yield str(row[-1])


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_query_uses_its_index(name, engine, catalogue):
    question, indexes = QUESTIONS[name]
    found = plan(engine, lambda: question(catalogue))
    assert "Seq Scan" not in found
    if is_postgresql(engine):
        assert indexes <= set(found.replace(",", " ").split()), found
    else:
        assert "SCAN images" not in found
        assert not any(line.startswith("SCAN works") and "INDEX" not in line for line in found.splitlines()), found
        named = {name for name in indexes if name.startswith("ix_")}
        assert all(name in found for name in named), found


@pytest.mark.parametrize("name", LOG_QUESTIONS)
def test_a_query_of_the_log_uses_its_index(name, engine, catalogue):
    question, index = LOG_QUESTIONS[name]
    log = LogSequence(sessions_of(engine), shared=False)
    assert index in plan(engine, lambda: question(log))


@pytest.mark.parametrize("name", FEED_QUESTIONS)
def test_a_query_of_the_feed_uses_its_index_and_sorts_nothing(name, engine, catalogue):
    question, index = FEED_QUESTIONS[name]
    found = plan(engine, lambda: question(ChangeFeed(sessions_of(engine))))
    assert index in found, found
    assert "TEMP B-TREE" not in found, found
    assert "Sort" not in found, found
