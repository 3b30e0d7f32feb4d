"""A deletion by two people on PostgreSQL, where several machines may decide at the same moment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from threading import Barrier

import pytest
from deletable_library import ANNA, BO, REPLICA, DeletableLibrary, build_deletable_library

from preservation.deletion import read_tombstone
from preservation.log.sequencer import open_log
from preservation.log_events import is_deletion
from preservation.premis import parse_event
from repository.config import Settings
from repository.database.deletions import DeletionRefused, DeletionState
from repository.errors import NotFound
from repository.model.accounts import Account, Role
from repository.repository import open_repository
from workers.deposit.examiner import ChildDepositExaminer
from workers.tasks.delete_decision import cancel_deletion, confirm_deletion

DONG = Account("dong", Role.CONSERVATOR, "")


@pytest.fixture
def library(tmp_path: Path, database_url: str, examiner: ChildDepositExaminer) -> DeletableLibrary:
    def open_here(settings: Settings, clock: Callable[[], object]) -> object:
        return open_repository(replace(settings, database=database_url), clock)  # type: ignore[arg-type]

    return build_deletable_library(tmp_path, examiner, open_here)  # type: ignore[arg-type]


def at_once(actions: Sequence[Callable[[], object]]) -> list[bool]:
    """Start all actions at the same moment; return which were not refused."""
    barrier = Barrier(len(actions))

    def attempt(action: Callable[[], object]) -> bool:
        barrier.wait()
        try:
            action()
        except (DeletionRefused, NotFound):
            return False
        return True

    with ThreadPoolExecutor(len(actions)) as threads:
        return list(threads.map(attempt, actions))


def deletions_in_log(library: DeletableLibrary) -> int:
    log = open_log(library.repository)
    return sum(is_deletion(parse_event(entry)) for entry in log.entries(0, log.size))


def test_a_deletion_is_carried_out_in_both_stores_and_logged(library: DeletableLibrary) -> None:
    library.decide()
    library.carry_out()
    repository = library.repository
    assert library.state() is DeletionState.DELETED
    for store in (repository.store, repository.replicas[REPLICA]):
        assert library.files(store) == []
        assert read_tombstone(store, library.work)
    assert repository.catalogue.work(library.work) is None
    assert deletions_in_log(library) == 1


def test_of_confirmations_at_the_same_moment_one_decides(library: DeletableLibrary) -> None:
    library.withdraw()
    library.request(ANNA)
    library.clock.now += timedelta(days=8)
    accounts = [BO, DONG, ANNA, BO]
    confirmed = at_once([partial(confirm_deletion, library.repository, library.work, each) for each in accounts])
    assert sum(confirmed) == 1
    assert not confirmed[2], "the account that requested it never confirms it"
    library.carry_out()
    assert deletions_in_log(library) == 1


def test_a_cancellation_and_a_confirmation_at_the_same_moment_do_not_both_succeed(library: DeletableLibrary) -> None:
    library.withdraw()
    library.request(ANNA)
    library.clock.now += timedelta(days=8)
    confirmed, cancelled = at_once(
        [partial(act, library.repository, library.work, BO) for act in (confirm_deletion, cancel_deletion)]
    )
    assert confirmed != cancelled
    assert library.files()
    if confirmed:
        library.carry_out()
    assert bool(library.files()) is cancelled
