"""Whatever backup of the database is put back, and whenever, no event is logged twice and none is left out."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import hypothesis
import hypothesis.strategies as st
import pytest
from log_scenarios import assert_everything_is_logged_once, publish

from preservation.log.sequencer import open_log, record_events
from repository.config import Settings
from repository.repository import Repository, open_repository
from workers.bootstrap import prepare_repository

pytestmark = pytest.mark.slow

NAMES = ("one", "two", "three", "four")
EVENTS = 3

Step = tuple[str, str]

STEPS: st.SearchStrategy[Step] = st.one_of(
    st.tuples(st.just("publish"), st.sampled_from(NAMES)),
    st.tuples(st.sampled_from(("record", "number", "back up", "restore")), st.just("")),
)


@contextmanager
def library() -> Iterator[Repository]:
    with tempfile.TemporaryDirectory() as folder:
        yield prepare_repository(open_repository(Settings(data=Path(folder) / "var")))


def copy_database(source: Path, target: Path) -> None:
    """Copy a SQLite database as `sqlite3 .backup` and `.restore` do."""
    with closing(sqlite3.connect(source)) as original, closing(sqlite3.connect(target)) as copy:
        original.backup(copy)


def perform(repository: Repository, steps: Sequence[Step]) -> dict[str, int]:
    """Perform the steps; return the events of each work that was ever published."""
    data, published = repository.settings.data, {}
    database, backup = data / "shanben.sqlite", data / "backup.sqlite"
    copy_database(database, backup)
    for action, name in steps:
        if action == "publish":
            publish(repository, name, EVENTS)
            published[name] = EVENTS
        elif action == "record":
            record_events(repository)
        elif action == "number":
            repository.log_sequence.assign_sequence_numbers(open_log(repository).size, 2)
        else:
            copy_database(*((database, backup) if action == "back up" else (backup, database)))
    return published


def ingest_again(repository: Repository, published: dict[str, int]) -> None:
    for name in published:
        publish(repository, name, EVENTS)
    record_events(repository)


@pytest.mark.slow
@hypothesis.settings(max_examples=25)
@hypothesis.given(st.lists(STEPS, max_size=12))
@hypothesis.example(
    [("back up", ""), ("publish", "one"), ("record", ""), ("restore", ""), ("publish", "two"), ("record", "")]
)
def test_no_event_is_logged_twice_after_a_backup_of_the_database_is_put_back(steps: list[Step]) -> None:
    with library() as repository:
        published = perform(repository, steps)
        ingest_again(repository, published)
        assert_everything_is_logged_once(repository, published)
        assert repository.log_sequence.unknown_ranges(open_log(repository).size) == []


@pytest.mark.parametrize("last", [["record"], ["number", "record"], []])
def test_events_that_only_the_log_knows_are_not_logged_again_when_their_work_is_published(last: list[str]) -> None:
    with library() as repository:
        steps = [("back up", ""), ("publish", "one"), ("record", ""), ("restore", ""), ("publish", "two")]
        published = perform(repository, [*steps, *((action, "") for action in last)])
        ingest_again(repository, published)
        assert open_log(repository).size == 2 * EVENTS
        assert_everything_is_logged_once(repository, published)
