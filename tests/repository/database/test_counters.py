"""The counters equal the counted totals after any changes, also concurrent ones."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from publications import NOW, publication
from sqlalchemy import Engine, select

from repository.database.catalogue import Catalogue
from repository.database.counters import count_all, read_counters
from repository.database.engine import read_session, sessions_of
from repository.database.holdings import Amount, Grouping, Holdings, groups_of, sum_groups
from repository.database.log_sequence import LogSequence
from repository.database.outbox import NewJob
from repository.database.tables import WorkRow
from repository.errors import DatabaseFault
from repository.model.work_json import work_of_json

NAMES = "甲乙丙丁戊"
JOURNAL, COLLECTION = NewJob("journal", "journal", {}), NewJob("collection:top", "collection", {})


def assert_counted(engine: Engine) -> None:
    with read_session(sessions_of(engine)) as session:
        assert read_counters(session) == count_all(session)
        works = session.execute(select(WorkRow.document, WorkRow.accessioned)).all()
    counted = sum_groups(groups_of(work_of_json(document), accessioned) for document, accessioned in works)
    holdings = Holdings(sessions_of(engine))
    held = {
        (grouping.value, each.name): Amount(each.works, each.images, each.bytes)
        for grouping in Grouping
        for each in holdings.by(grouping)
    }
    assert held == counted


def act(engine: Engine, chance: random.Random) -> None:
    """Make one random change of the catalogue."""
    catalogue, log_sequence = Catalogue(sessions_of(engine)), LogSequence(sessions_of(engine), shared=False)
    match chance.randrange(8):
        case 0 | 1 | 2:
            catalogue.publish(publication(chance.choice(NAMES), images=chance.randrange(4)), (JOURNAL,), NOW)
        case 3 | 4:
            log_sequence.assign_sequence_numbers(0, chance.randrange(1, 5))
        case 5:
            log_sequence.mark_logged(chance.randrange(10))
        case 6:
            names = chance.sample(NAMES, chance.randrange(len(NAMES)))
            catalogue.rebuild([publication(name, images=chance.randrange(4)) for name in names])
        case 7:
            with pytest.raises(DatabaseFault):
                catalogue.publish(publication("己"), [NewJob("of no kind", None, {})], NOW)


@pytest.mark.parametrize("seed", range(3))
def test_counters_equal_the_counted_totals_after_random_changes(engine, seed):
    chance = random.Random(seed)
    for _ in range(40):
        act(engine, chance)
        assert_counted(engine)


def test_concurrent_publications_are_all_counted(engine):
    """Publish old and new works with the same follow-up jobs in either order, while the log numbers events."""
    catalogue, log_sequence = Catalogue(sessions_of(engine)), LogSequence(sessions_of(engine), shared=True)

    writer = threading.Lock()

    def publish(number: int) -> None:
        jobs = (JOURNAL, COLLECTION) if number % 2 else (COLLECTION, JOURNAL)
        catalogue.publish(publication(NAMES[number % 5] if number % 3 else f"第{number}", images=4), jobs, NOW)
        if number % 4 == 0:
            with writer:
                log_sequence.assign_sequence_numbers(0, 20)
                log_sequence.mark_logged(1_000_000)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(publish, range(60)))
    assert_counted(engine)
    assert catalogue.counts().works == len(catalogue.works(limit=100)) == 25
