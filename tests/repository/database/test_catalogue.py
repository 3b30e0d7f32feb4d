"""The catalogue: publication, queries and rebuild."""

from dataclasses import replace

import pytest
from publications import NOW, publication
from sqlalchemy import update

from repository.clock import system_clock
from repository.database.catalogue import Catalogue, Counts
from repository.database.engine import migrate, open_database, sessions_of
from repository.database.log_sequence import LogSequence
from repository.database.outbox import Jobs, NewJob
from repository.database.tables import WorkRow
from repository.errors import DatabaseFault
from repository.model.work import Access, Rights


@pytest.fixture
def catalogue(engine):
    return Catalogue(sessions_of(engine))


@pytest.fixture
def log_sequence(engine):
    return LogSequence(sessions_of(engine), shared=False)


def test_readers_do_not_wait_for_a_writer(engine, catalogue):
    catalogue.publish(publication("甲"), (), NOW)
    with engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM works")
        assert [work.title for work in catalogue.works()] == ["甲"]


def test_a_published_work_is_read_back_completely(catalogue):
    given = publication("史記")
    catalogue.publish(given, (), NOW)
    assert catalogue.work(given.work.identifier) == given.work
    assert catalogue.pyramids(given.work.identifier) == given.pyramids
    assert [work.title for work in catalogue.works()] == ["史記"]
    assert catalogue.counts().images == 2
    assert catalogue.counts().bytes == 2000


def test_an_image_is_found_with_the_rights_of_its_work(catalogue):
    given = publication("史記")
    given = replace(given, work=replace(given.work, rights=Rights("https://example.org/", Access.REDUCED, 800, True)))
    catalogue.publish(given, (), NOW)
    image = next(given.work.images())
    held = catalogue.image(image.identifier)
    assert held is not None
    assert (held.width, held.height, held.work) == (300, 400, given.work.identifier)
    assert held.rights == given.work.rights
    assert held.pyramid == given.pyramids[image.identifier]


def test_the_summary_of_a_restricted_work_has_no_cover(catalogue):
    given = publication("秘")
    given = replace(given, work=replace(given.work, rights=Rights(access=Access.RESTRICTED)))
    catalogue.publish(given, (), NOW)
    assert catalogue.works()[0].cover is None


def test_unknown_identifiers_give_none(catalogue):
    assert catalogue.image("i0") is None
    assert catalogue.work("w0") is None
    assert catalogue.state("w0") is None


def test_works_are_listed_by_accession_in_pages(catalogue):
    for number, name in enumerate("丙乙甲"):
        catalogue.publish(publication(name, accessioned=f"2026-01-0{number + 1}T00:00:00Z"), (), NOW)
    assert [work.title for work in catalogue.works()] == ["丙", "乙", "甲"]
    assert [work.title for work in catalogue.works(offset=1, limit=1)] == ["乙"]


def test_works_are_listed_from_the_newest_to_the_last_page(catalogue):
    for number, name in enumerate("丙乙甲"):
        catalogue.publish(publication(name, accessioned=f"2026-01-0{number % 2 + 1}T00:00:00Z"), (), NOW)
    everything = catalogue.works()
    assert catalogue.works(newest_first=True) == everything[::-1]
    assert catalogue.works(offset=2, newest_first=True) == everything[:1]
    assert catalogue.works(offset=3) == []


def test_works_are_found_by_the_time_of_their_accession(catalogue, engine):
    for number, name in enumerate("丙乙甲"):
        catalogue.publish(publication(name, accessioned=f"2026-01-0{number + 1}T00:00:00Z"), (), NOW)
    with engine.begin() as connection:
        connection.execute(update(WorkRow).where(WorkRow.title == "乙").values(state="withdrawn"))
    first, second, third, end = (f"2026-01-0{day}T00:00:00Z" for day in range(1, 5))
    assert [work.title for work in catalogue.works_accessioned(first, end)] == ["丙", "甲"]
    assert [work.title for work in catalogue.works_accessioned(first, third)] == ["丙"]
    assert [catalogue.count_accessions(first, end, limit) for limit in (1, 2, 3, 4)] == [1, 2, 3, 3]
    assert catalogue.count_accessions(second, third, 9) == 1
    assert [catalogue.first_accession(*span) for span in ((first, end), (second, end), (end, end))] == [
        first,
        second,
        None,
    ]


def test_masters_are_found_by_length_and_by_digest(catalogue):
    given = publication("史記", images=3)
    catalogue.publish(given, (), NOW)
    assert catalogue.has_master_of_length(1000)
    assert not catalogue.has_master_of_length(1001)
    assert [image.master.ignored for image, _ in catalogue.images_of_master("ab")] == [(), ("extra-samples",), ()]
    assert catalogue.images_of_master("cd") == []


def test_publishing_again_replaces_images_and_keeps_log_positions(catalogue, log_sequence):
    first = publication("史記", images=3)
    catalogue.publish(first, (), NOW)
    assert log_sequence.assign_sequence_numbers(0, 10) == log_sequence.mark_logged(3) == 3
    catalogue.publish(publication("史記", images=2), (), NOW)
    assert catalogue.counts() == Counts(1, 1, 2, 2000, 2, 0)
    assert log_sequence.newest_log_index(first.events[1].image) == 1


def test_a_rebuild_leaves_exactly_the_given_works(catalogue):
    catalogue.publish(publication("甲"), (), NOW)
    given = [publication("乙"), publication("丙")]
    assert catalogue.rebuild(given) == 2
    assert {work.title for work in catalogue.works()} == {"乙", "丙"}


def test_a_failed_rebuild_changes_nothing(catalogue):
    catalogue.publish(publication("甲"), (), NOW)
    with pytest.raises(DatabaseFault):
        catalogue.rebuild([publication("乙"), publication("乙")])
    assert [work.title for work in catalogue.works()] == ["甲"]


def test_follow_up_jobs_are_enqueued_with_the_publication(catalogue, engine):
    jobs = Jobs(sessions_of(engine), system_clock)
    catalogue.publish(publication("甲"), [NewJob("journal", "journal", {})], NOW)
    assert jobs.counts()["queued"] == 1
    with pytest.raises(DatabaseFault):
        catalogue.publish(publication("乙"), [NewJob("of no kind", None, {})], NOW)
    assert [work.title for work in catalogue.works()] == ["甲"]
    assert jobs.counts()["queued"] == 1


def test_an_unreachable_database_is_reported_in_both_languages(tmp_path):
    with pytest.raises(DatabaseFault, match="数据库.*database"):
        migrate(open_database(f"sqlite:///{tmp_path}/no/such/folder/x.sqlite"))
    with pytest.raises(DatabaseFault):
        open_database("nonsense")
