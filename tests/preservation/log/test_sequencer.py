"""The sequencer logs every event exactly once, under concurrency and crashes: with SQLite, on one machine."""

from __future__ import annotations

import threading
from dataclasses import replace
from itertools import chain, count
from pathlib import Path

import pytest
from log_scenarios import (
    InterruptedStore,
    assert_everything_is_logged_once,
    die,
    publication,
    publish,
    publish_and_record,
    record_with,
    run,
)

from preservation.log.sequencer import exclusive_writer, needs_recording, open_log, record_events
from repository.config import Settings
from repository.errors import DependencyMissing, LogInvalid, SettingInvalid
from repository.paths import LOG_CHECKPOINT
from repository.repository import Repository, memory_repository, open_repository
from workers.bootstrap import prepare_repository

pytestmark = pytest.mark.slow


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return prepare_repository(open_repository(Settings(data=tmp_path / "var")))


def test_sequencer_records_events_once_and_in_order(repository: Repository) -> None:
    assert (record_events(repository), needs_recording(repository)) == (0, False)
    publish(repository, "one")
    assert needs_recording(repository)
    assert (record_events(repository), record_events(repository)) == (3, 0)
    publish(repository, "one", 5)
    publish(repository, "two")
    assert record_events(repository) == 5
    assert not needs_recording(repository)
    assert_everything_is_logged_once(repository, {"one": 5, "two": 3})


def test_log_is_read_without_the_private_key(repository: Repository) -> None:
    publish(repository, "one")
    record_events(repository)
    (repository.settings.keys / "log.key").chmod(0o644)
    assert open_log(repository).size == 3
    assert not needs_recording(repository)
    with pytest.raises(SettingInvalid):
        record_events(repository)


@pytest.mark.slow
def test_sequencer_records_events_of_concurrent_processes_once(repository: Repository) -> None:
    names = {place: [f"work {place} {number}" for number in range(10)] for place in range(3)}
    publish(repository, "old", 7)
    writers = [run(publish_and_record, repository.settings, names[place], 7, ["old"]) for place in names]
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0] * len(writers)
    assert_everything_is_logged_once(repository, dict.fromkeys(["old", *chain(*names.values())], 7))


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True])
def test_sequencer_loses_no_event_of_a_writer_killed_at_any_store_change(repository: Repository, after: bool) -> None:
    works: dict[str, int] = {}
    for change in count(1):
        works[f"work {change}"] = 300
        publish(repository, f"work {change}", 300)
        writer = run(record_with, repository.settings, change, die, after)
        writer.join()
        assert open_log(repository).verify().problems == ()
        publish(repository, f"work {change}", 300)
        works[f"more {change}"] = 3
        publish(repository, f"more {change}", 3)
        record_events(repository)
        if writer.exitcode == 0:
            break
    assert change > 5
    assert_everything_is_logged_once(repository, works)


@pytest.mark.slow
def test_sequencer_records_an_event_staged_after_the_last_batch(repository: Repository) -> None:
    publish(repository, "one")
    staged = []

    def stage() -> None:
        """Stage events while the log is locked, and try to record them in another thread, which gives up."""
        publish(repository, "two")
        late = threading.Thread(target=lambda: staged.append(record_events(repository)))
        late.start()
        late.join()

    # The last store change of the first batch is the checkpoint; events staged then need another look.
    store = InterruptedStore(repository.store, 4, stage, after=True)
    assert record_events(replace(repository, store=store)) == 6
    assert staged == [0]
    assert_everything_is_logged_once(repository, {"one": 3, "two": 3})


@pytest.mark.slow
def test_sequencer_gives_up_while_another_writer_holds_the_log(repository: Repository) -> None:
    publish(repository, "one")
    with exclusive_writer(repository):
        assert record_events(repository) == 0
    assert record_events(repository) == 3


def test_older_published_checkpoint_is_replaced_and_never_returned(repository: Repository) -> None:
    publish(repository, "one")
    record_events(repository)
    older = repository.store.read(LOG_CHECKPOINT)
    publish(repository, "two")
    record_events(repository)
    newer = repository.store.read(LOG_CHECKPOINT)
    repository.store.put(LOG_CHECKPOINT, older)
    assert open_log(repository).checkpoint_note() == newer
    assert needs_recording(repository)
    assert record_events(repository) == 0
    assert repository.store.read(LOG_CHECKPOINT) == newer


def test_checkpoint_overwritten_during_publication_is_put_again(repository: Repository) -> None:
    publish(repository, "one")
    record_events(repository)
    older = repository.store.read(LOG_CHECKPOINT)
    publish(repository, "two")
    store = InterruptedStore(repository.store, 3, lambda: repository.store.put(LOG_CHECKPOINT, older), after=True)
    assert record_events(replace(repository, store=store)) == 3
    assert not needs_recording(repository)


def test_database_restored_from_a_backup_adopts_the_signed_log(repository: Repository) -> None:
    """The restored database has lost the numbers of events that the log has signed since."""
    publish(repository, "one")
    record_events(repository)
    publish(repository, "two")
    record_events(repository)
    with repository.log_sequence._sessions.begin() as session:
        session.connection().exec_driver_sql("UPDATE events SET log_index = NULL, sequence = NULL WHERE sequence > 2")
        session.connection().exec_driver_sql("UPDATE tallies SET value = 3 WHERE name = 'logged'")
    publish(repository, "three")
    assert record_events(repository) == 3
    assert_everything_is_logged_once(repository, {"one": 3, "two": 3, "three": 3})


def test_missing_numbered_event_stops_the_log_until_a_rebuild(repository: Repository) -> None:
    publish(repository, "one")
    publish(repository, "two")
    repository.log_sequence.assign_sequence_numbers(0, 100)
    with repository.log_sequence._sessions.begin() as session:
        session.connection().exec_driver_sql("DELETE FROM events WHERE sequence = 0")
    with pytest.raises(LogInvalid, match="shanben rebuild"):
        record_events(repository)
    repository.catalogue.rebuild([publication("one"), publication("two")])
    assert record_events(repository) == 6
    assert_everything_is_logged_once(repository, {"one": 3, "two": 3})


def test_rebuild_keeps_assigned_numbers(repository: Repository) -> None:
    publish(repository, "two")
    repository.log_sequence.assign_sequence_numbers(0, 100)
    before = repository.log_sequence.numbered_events(0, 100)
    publish(repository, "one")
    repository.catalogue.rebuild([publication("one"), publication("two")])
    assert repository.log_sequence.numbered_events(0, 100) == before
    assert record_events(repository) == 6
    assert_everything_is_logged_once(repository, {"one": 3, "two": 3})


def test_second_signing_key_is_never_created(tmp_path: Path, repository: Repository) -> None:
    publish(repository, "one")
    record_events(repository)
    (repository.settings.keys).rename(tmp_path / "keys")
    prepare_repository(repository)
    assert open_log(repository).verify().ok
    with pytest.raises(DependencyMissing, match="keys"):
        record_events(repository)
    # Not even where the database is new and only the store contains the log.
    moved = replace(memory_repository(Settings(data=tmp_path / "elsewhere")), store=repository.store)
    prepare_repository(moved)
    with pytest.raises(DependencyMissing):
        record_events(moved)
    assert not moved.settings.keys.exists()


def test_log_origin_cannot_change_on_a_machine_without_the_key(tmp_path: Path, repository: Repository) -> None:
    (repository.settings.keys).rename(tmp_path / "keys")
    settings = replace(repository.settings, log_origin="another.example/log")
    with pytest.raises(SettingInvalid, match="origin cannot change"):
        prepare_repository(replace(repository, settings=settings))
