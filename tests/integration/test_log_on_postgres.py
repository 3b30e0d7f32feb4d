"""The provenance log on several machines, with killed writers, killed databases and writers that lost their lock."""

from __future__ import annotations

import shutil
from itertools import chain, count
from pathlib import Path

import pytest
from database_server import PostgresServer
from log_scenarios import (
    assert_everything_is_logged_once,
    die,
    publish,
    publish_and_record,
    record_with,
    retry_transient,
    run,
    stall,
)

from preservation.log import key_file
from preservation.log.sequencer import can_sign, needs_recording, open_log, record_events, verifier_key
from preservation.log.subject import evidence_of, parse_subject
from repository.config import Settings
from repository.errors import DependencyMissing, LogInvalid, SettingInvalid
from repository.paths import LOG_CHECKPOINT
from repository.repository import Repository, open_repository
from workers.bootstrap import prepare_repository

pytestmark = pytest.mark.integration


@pytest.fixture
def first(tmp_path: Path, database_url: str) -> Repository:
    """The machine that made the log's key."""
    return prepare_repository(open_repository(machine(tmp_path, database_url, "first")))


def machine(folder: Path, database: str, name: str, key: bool = False) -> Settings:
    """Return the settings of a machine: a database and a store shared with the others, a data folder of its own."""
    if key:
        shutil.copytree(folder / "first" / "keys", folder / name / "keys")
    return Settings(data=folder / name, database=database, store=str(folder / "store"))


def test_workers_that_publish_and_record_together_log_every_event_once(
    tmp_path: Path, database_url: str, first: Repository
) -> None:
    old = [f"old {number}" for number in range(5)]
    for name in old:
        publish(first, name, 7)
    names = {place: [f"work {place} {number}" for number in range(12)] for place in range(4)}
    machines = [machine(tmp_path, database_url, f"machine {place}", key=True) for place in names]
    writers = [run(publish_and_record, machines[place], names[place], 7, old) for place in names]
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0] * len(writers)
    # No further call is needed: the last holder of the lock records what the others have staged.
    assert_everything_is_logged_once(first, dict.fromkeys([*old, *chain(*names.values())], 7))


@pytest.mark.parametrize("after", [False, True])
def test_a_writer_killed_at_any_change_of_the_store_loses_no_event(
    tmp_path: Path, database_url: str, first: Repository, after: bool
) -> None:
    second = machine(tmp_path, database_url, "second", key=True)
    works: dict[str, int] = {}
    for change in count(1):
        works[f"work {change}"] = 300
        publish(first, f"work {change}", 300)
        writer = run(record_with, second, change, die, after)
        writer.join()
        assert open_log(first).verify().problems == ()
        publish(first, f"work {change}", 300)  # the sequence numbers must survive this
        if writer.exitcode == 0:
            break
        works[f"more {change}"] = 3
        publish(first, f"more {change}", 3)
        record_events(first)
    assert change > 5
    assert_everything_is_logged_once(first, works)


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True])
def test_a_writer_that_outlives_its_lock_does_not_harm_the_log(
    tmp_path: Path, postgres: PostgresServer, after: bool
) -> None:
    """PostgreSQL is killed while a writer changes the store; the writer continues after another has taken its lock."""
    url = postgres.create_database()
    first = prepare_repository(open_repository(machine(tmp_path, url, "first")))
    second = machine(tmp_path, url, "second", key=True)
    works: dict[str, int] = {}
    overwritten = 0
    for change in count(1):
        works[f"work {change}"] = 300
        publish(first, f"work {change}", 300)
        signal_folder = tmp_path / str(change)
        signal_folder.mkdir()
        stalled_writer = run(record_with, second, change, stall(signal_folder), after)
        while stalled_writer.is_alive() and not (signal_folder / "stalled").exists():
            stalled_writer.join(0.01)
        if not stalled_writer.is_alive():
            assert stalled_writer.exitcode == 0
            break
        postgres.kill()
        postgres.start()
        works[f"more {change}"] = 130
        retry_transient(lambda change=change: publish(first, f"more {change}", 130))
        retry_transient(lambda: record_events(first))
        assert open_log(first).verify().problems == ()
        size = open_log(first).size
        (signal_folder / "go").touch()
        stalled_writer.join()
        # The published log never shrinks, even when the stalled writer overwrites the checkpoint.
        assert (open_log(first).size, f"\n{size}\n" in open_log(first).checkpoint_note().decode()) == (size, True)
        assert_everything_is_logged_once(first, works)
        if needs_recording(first):
            overwritten += 1
            assert record_events(first) == 0
        assert f"\n{size}\n".encode() in first.store.read(LOG_CHECKPOINT)
    assert change > 5
    assert (overwritten > 0) != after


def test_a_machine_without_the_key_does_everything_but_sign(
    tmp_path: Path, database_url: str, first: Repository
) -> None:
    other = prepare_repository(open_repository(machine(tmp_path, database_url, "other")))
    assert not (tmp_path / "other" / "keys").exists()
    assert (can_sign(first), can_sign(other)) == (True, False)
    assert verifier_key(other) == verifier_key(first)
    publish(other, "試書")
    with pytest.raises(DependencyMissing, match="keys"):
        record_events(other)
    assert needs_recording(other)
    assert record_events(first) == 3
    log = open_log(other)
    assert (log.size, log.verify().ok) == (3, True)
    image = first.catalogue.works()[0].cover
    assert evidence_of(other, parse_subject(str(image))) == evidence_of(first, parse_subject(str(image)))
    shutil.copytree(tmp_path / "first" / "keys", tmp_path / "other" / "keys")
    publish(other, "再試")
    assert record_events(other) == 3


def test_a_machine_with_another_key_does_not_start(tmp_path: Path, database_url: str, first: Repository) -> None:
    settings = machine(tmp_path, database_url, "other")
    key_file.create(settings.keys, "another.example/log")
    with pytest.raises(SettingInvalid, match=verifier_key(first).split("+", maxsplit=1)[0]):
        prepare_repository(open_repository(settings))


def test_a_database_and_a_store_restored_together_do_not_fork_the_log(tmp_path: Path, postgres: PostgresServer) -> None:
    """The data folder of the machine that signed was not restored, and holds the newer checkpoint."""
    url = postgres.create_database()
    first = prepare_repository(open_repository(machine(tmp_path, url, "first")))
    publish(first, "one")
    record_events(first)
    shutil.copytree(tmp_path / "store", tmp_path / "backup")
    name = url.rpartition("/")[2]
    with postgres.connect(name) as connection:
        head = connection.execute("SELECT size, checkpoint FROM log_heads").fetchone()
        publish(first, "two")
        record_events(first)
        connection.execute("UPDATE log_heads SET size = %s, checkpoint = %s", head)
    # Only the database is older: the log continues from the checkpoint in the store and on this machine.
    publish(first, "three")
    assert record_events(first) == 3
    with postgres.connect(name) as connection:
        connection.execute("UPDATE log_heads SET size = %s, checkpoint = %s", head)
        connection.execute("UPDATE events SET log_index = NULL, sequence = NULL WHERE sequence > 2")
    shutil.rmtree(tmp_path / "store")
    (tmp_path / "backup").rename(tmp_path / "store")
    with pytest.raises(LogInvalid, match="rolled back"):
        record_events(first)


def test_events_that_a_restored_database_does_not_hold_are_not_logged_again(first: Repository) -> None:
    publish(first, "old")
    record_events(first)
    for name in ("lost", "also lost"):
        publish(first, name)
        record_events(first)
    forget_works(first, after=3)
    publish(first, "new")
    assert record_events(first) == 3
    for name in ("also lost", "lost", "old"):
        publish(first, name)
        assert record_events(first) == 0
    assert_everything_is_logged_once(first, dict.fromkeys(("old", "lost", "also lost", "new"), 3))


def forget_works(repository: Repository, after: int) -> None:
    """Delete the works whose events the log has from this index on, as an older backup of the database lacks them."""
    with repository.log_sequence._sessions.begin() as session:
        execute = session.connection().exec_driver_sql
        execute(f"DELETE FROM works WHERE identifier IN (SELECT work FROM events WHERE log_index >= {after})")
        for name, count in (("works", 1), ("published", 1), ("images", 3), ("events", after), ("logged", after)):
            execute(f"UPDATE tallies SET value = {count} WHERE name = '{name}'")
