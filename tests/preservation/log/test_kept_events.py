"""Events that the log alone keeps are logged once, and read back from the log when the database is lost or old."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from log_scenarios import NOW, publication, publish
from sqlalchemy import delete

from preservation.log.sequencer import open_log, record_events
from preservation.log_events import Occasion, deletion_event, download_event, report_event
from preservation.premis import parse_event
from preservation.seal import NameSeal
from repository.config import Settings
from repository.database.tables import WorkRow
from repository.model.work import Event
from repository.repository import Repository, memory_repository
from workers.bootstrap import prepare_repository
from workers.tasks.log_events import occasion, stage

AT = Occasion(NOW, "test", NameSeal(b"s" * 32))
ONE, TWO = publication("one"), publication("two")
WORK = ONE.work.identifier
REPORTS = [report_event(AT, sha256=f"{number:064x}", at=NOW) for number in range(3)]
DOWNLOAD = download_event(AT, WORK, what="pdf", account="a")
TOMBSTONE = deletion_event(
    AT, WORK, ["0f" * 32], versions=1, requested=NOW, requested_by="a", confirmed_by="b", reason="c"
)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return prepare_repository(memory_repository(Settings(data=tmp_path / "var")))


def log_of(repository: Repository) -> list[str]:
    log = open_log(repository)
    assert log.verify().problems == ()
    return [parse_event(entry).identifier for entry in log.entries(0, log.size)]


def stage_and_record(repository: Repository, *events: Event) -> None:
    stage(repository, events)
    record_events(repository)


def new_database(repository: Repository) -> Repository:
    """Return the repository with its stores and keys, and an empty database."""
    return prepare_repository(replace(memory_repository(repository.settings), store=repository.store))


def identifiers(events: Sequence[Event]) -> list[str]:
    return [event.identifier for event in events]


def history(repository: Repository, work: str = WORK) -> dict[str, int | None]:
    return {event.identifier: index for event, index in repository.log_sequence.history_of(work, 0, 100)}


def test_events_of_the_repository_and_of_a_work_are_logged_once(repository: Repository) -> None:
    publish(repository, "one")
    assert stage(repository, [*REPORTS, DOWNLOAD]) == 4
    assert stage(repository, [DOWNLOAD, *REPORTS]) == 0
    record_events(repository)
    assert sorted(log_of(repository)) == sorted(identifiers([*ONE.events, *REPORTS, DOWNLOAD]))
    assert (repository.catalogue.counts().events, repository.catalogue.counts().staged) == (7, 0)
    assert not repository.log_sequence.has_unlogged_events()


def test_publishing_a_work_again_keeps_its_events_that_no_version_carries(repository: Repository) -> None:
    publish(repository, "one")
    stage_and_record(repository, DOWNLOAD)
    before = history(repository)
    publish(repository, "one")
    assert history(repository) == before
    assert [event for event, _ in repository.log_sequence.positions_of(WORK)] == list(ONE.events)


def test_downloads_do_not_become_the_evidence_of_an_image(repository: Repository) -> None:
    publish(repository, "one")
    record_events(repository)
    image = str(ONE.events[0].image)
    index = repository.log_sequence.newest_log_index(image)
    stage_and_record(repository, download_event(AT, WORK, what="image", account="a", image=image))
    assert repository.log_sequence.newest_log_index(image) == index


def test_only_events_that_no_version_carries_can_be_staged_alone(repository: Repository) -> None:
    with pytest.raises(ValueError, match="version"):
        stage(repository, ONE.events)


def test_occasion_states_the_software_and_seals_with_the_salt_of_the_library(repository: Repository) -> None:
    now = occasion(repository)
    assert now.software.startswith("shanben ")
    assert now.seal.of("account", "a") == occasion(new_database(repository)).seal.of("account", "a")


def test_a_database_that_lags_behind_the_log_takes_these_events_from_the_log(repository: Repository) -> None:
    publish(repository, "one")
    stage_and_record(repository, *REPORTS, DOWNLOAD)
    older = new_database(repository)
    publish(older, "two")
    stage(older, REPORTS[:1])
    record_events(older)
    assert history(older) == {DOWNLOAD.identifier: log_of(repository).index(DOWNLOAD.identifier)}
    assert sorted(log_of(older)) == sorted(identifiers([*ONE.events, *REPORTS, DOWNLOAD, *TWO.events]))
    publish(older, "one")
    record_events(older)
    assert history(older) == history(repository)
    assert older.log_sequence.unknown_ranges(open_log(older).size) == []


@pytest.mark.parametrize("database", ["kept", "lost"])
def test_rebuild_reads_these_events_from_the_log_and_keeps_those_not_logged_yet(
    repository: Repository, database: str
) -> None:
    publish(repository, "one")
    stage_and_record(repository, *REPORTS[:2], DOWNLOAD)
    expected = history(repository)
    if database == "lost":
        repository = new_database(repository)
    stage(repository, REPORTS[2:])
    readable = open_log(repository).readable()
    repository.catalogue.rebuild([replace(ONE, log_indexes=readable.indexes)], {}, readable.kept)
    assert history(repository) == expected
    assert repository.catalogue.counts().staged == 1
    assert record_events(repository) == 1
    assert sorted(log_of(repository)) == sorted(identifiers([*ONE.events, *REPORTS, DOWNLOAD]))


def test_all_events_of_a_deleted_work_are_read_back_from_the_log(repository: Repository) -> None:
    publish(repository, "one")
    publish(repository, "two")
    record_events(repository)
    with repository.log_sequence._sessions.begin() as session:
        session.execute(delete(WorkRow).where(WorkRow.identifier == WORK))
    stage_and_record(repository, TOMBSTONE)
    assert TOMBSTONE.identifier in history(repository)
    repository = new_database(repository)
    readable = open_log(repository).readable()
    assert set(readable.versions) == {TWO.work.identifier}
    repository.catalogue.rebuild([replace(TWO, log_indexes=readable.indexes)], {}, readable.kept)
    log = log_of(repository)
    assert history(repository) == {event.identifier: log.index(event.identifier) for event in (*ONE.events, TOMBSTONE)}
    assert repository.log_sequence.positions_of(WORK) == []
    assert record_events(repository) == 0
