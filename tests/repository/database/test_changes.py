"""The feed of changes: it has every change of what the public sees once, in order, and pages stay as they were."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from publications import NOW, publication
from sqlalchemy import Engine, delete, update

from repository.database.access_changes import PreservedAccess
from repository.database.catalogue import Catalogue
from repository.database.change_tables import FEED, ChangeRow, FeedHeadRow, FeedRecordRow
from repository.database.changes import ChangeFeed
from repository.database.deletions import Deletions
from repository.database.engine import sessions_of
from repository.database.publication import Publication
from repository.model.changes import RecordRange, set_of_class
from repository.model.work import Access, Event, EventType, WorkAccess, WorkState

START = datetime(2026, 1, 1, tzinfo=UTC)
ALL = RecordRange()


class Library:
    """A catalogue whose clock advances by a second with every use."""

    def __init__(self, engine: Engine) -> None:
        self.sessions, self.now = sessions_of(engine), START
        self.catalogue = Catalogue(self.sessions, self.clock)
        self.changes = ChangeFeed(self.sessions, self.clock)

    def clock(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now

    def publish(self, name: str, version: int = 1, **record: Any) -> Publication:
        made = publication(name, images=1)
        made = replace(made, version=version, work=replace(made.work, record=replace(made.work.record, **record)))
        self.catalogue.publish(made, (), NOW)
        return made

    def change(self, made: Publication, **values: Any) -> None:
        """Change the access to a work, and preserve the change as the job does."""
        work = made.work.identifier
        before = self.catalogue.access(work)
        changed = self.catalogue.change_access(work, lambda held: replace(held, **values), lambda _: (), NOW)
        assert before
        assert changed
        if changed == before.access:
            return
        preserved = PreservedAccess(changed, self.catalogue.version(work) + 1, made.events)
        self.catalogue.record_access(work, preserved, (), NOW)

    def withdraw(self, made: Publication) -> None:
        self.change(made, state=WorkState.WITHDRAWN)

    def restore(self, made: Publication) -> None:
        self.change(made, state=WorkState.PUBLISHED)

    def feed(self) -> list[tuple[str, str | None]]:
        activities = self.changes.activities(0, self.changes.size())
        assert [activity.number for activity in activities] == list(range(len(activities)))
        times = [activity.time for activity in activities]
        assert times == sorted(times)
        names = {publication(name).work.identifier: name for name in "甲乙丙"}
        return [(activity.kind.value, names.get(activity.work or "")) for activity in activities]


@pytest.fixture
def library(engine: Engine) -> Library:
    return Library(engine)


def test_each_change_of_what_the_public_sees_is_one_activity(library: Library) -> None:
    first = library.publish("甲")
    library.publish("乙")
    library.publish("甲", version=2)
    library.change(first, access=Access.RESTRICTED)
    library.withdraw(first)
    library.restore(first)
    expected = [
        ("Create", "甲"),
        ("Create", "乙"),
        ("Update", "甲"),
        ("Update", "甲"),
        ("Delete", "甲"),
        ("Create", "甲"),
    ]
    assert library.feed() == expected


def test_what_changes_nothing_is_no_activity(library: Library) -> None:
    made = library.publish("甲")
    library.publish("甲")
    library.change(made, access=Access.OPEN)
    library.withdraw(made)
    library.withdraw(made)
    assert library.feed() == [("Create", "甲"), ("Delete", "甲")]


def test_nobody_learns_of_what_happens_to_a_withdrawn_work(library: Library) -> None:
    made = library.publish("甲", holder="某館")
    library.withdraw(made)
    library.change(made, access=Access.REDUCED, max_size=400)
    library.publish("甲", version=4, holder="他館")
    assert library.feed() == [("Create", "甲"), ("Delete", "甲")]
    assert library.changes.holder_sets() == {}


def test_a_return_is_in_the_feed_only_when_the_manifest_is_published(library: Library) -> None:
    made = library.publish("甲")
    library.withdraw(made)
    library.catalogue.change_access(
        made.work.identifier, lambda held: replace(held, state=WorkState.PUBLISHED), lambda _: (), NOW
    )
    assert library.feed()[-1] == ("Delete", "甲")
    assert [record.is_deleted for record in library.changes.records(ALL, 9)] == [True]


def test_records_are_ordered_by_their_newest_activity_and_deleted_ones_stay(library: Library) -> None:
    first, second = library.publish("甲"), library.publish("乙")
    library.publish("甲", version=2)
    library.withdraw(second)
    records = library.changes.records(ALL, 9)
    works = [first.work.identifier, second.work.identifier]
    assert [(record.identifier, record.is_deleted) for record in records] == list(
        zip(works, (False, True), strict=True)
    )
    assert [record.number for record in records] == [2, 3]
    assert records[0].work
    assert records[1].work is None
    assert library.changes.count_records(ALL) == 2


def test_a_range_of_times_includes_both_ends(library: Library) -> None:
    for name in "甲乙丙":
        library.publish(name)
    times = [record.time for record in library.changes.records(ALL, 9)]
    for first in range(3):
        for last in range(first, 3):
            found = library.changes.records(RecordRange(first=times[first], last=times[last]), 9)
            assert [record.time for record in found] == times[first : last + 1]
    assert library.changes.records(RecordRange(first="2027-01-01T00:00:00Z"), 9) == []
    assert library.changes.records(RecordRange(last="2025-01-01T00:00:00Z"), 9) == []
    assert library.changes.first_time() == times[0]


def test_sets_are_those_of_the_class_and_the_holder_and_include_deleted_records(library: Library) -> None:
    first = library.publish("甲", classification="經部·易類", holder="某館")
    second = library.publish("乙", classification="史部", holder="某館")
    library.publish("丙")
    library.withdraw(second)
    (holder,) = library.changes.holder_sets()
    members = {
        name: {record.identifier for record in library.changes.records(RecordRange(within=name), 9)}
        for name in ("class:jing", "class:shi", "class:other", "class", holder, "holder", "class:none", "holder:x")
    }
    one, two, three = (publication(name).work.identifier for name in "甲乙丙")
    assert first.work.identifier == one
    assert members == {
        "class:jing": {one},
        "class:shi": {two},
        "class:other": {three},
        "class": {one, two, three},
        holder: {one, two},
        "holder": {one, two},
        "class:none": set(),
        "holder:x": set(),
    }


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("经部", "jing"),
        ("经", "jing"),
        ("史部", "shi"),
        ("子部", "zi"),
        ("集部", "ji"),
        ("类丛部", "cong"),
        ("", "other"),
        ("子史精华", "other"),
        ("地方志", "other"),
    ],
)
def test_a_class_has_a_set(name: str, expected: str) -> None:
    assert set_of_class(name) == f"class:{expected}"


def test_a_refresh_tells_of_every_published_work_again(library: Library) -> None:
    library.publish("甲")
    library.withdraw(library.publish("乙"))
    assert library.changes.refresh() == 1
    assert library.changes.refresh("https://old.example") == 1
    assert library.feed()[3:] == [("Refresh", None), ("Update", "甲"), ("Refresh", None), ("Move", "甲")]
    assert library.changes.activities(6, 7)[0].origin == "https://old.example"
    assert max(record.number for record in library.changes.records(ALL, 9)) == 6


def preserved(name: str, *happened: tuple[str, str, str]) -> Publication:
    """Return a work as its object holds it: (time, type, state) of each event, '' for no state."""
    made = publication(name, images=1)
    events = [
        Event(
            f"{name} {number}",
            kind,
            f"2026-01-01T00:00:{time}Z",
            made.work.identifier,
            detail={"change": "", "state": state} if state else {},
        )
        for number, (time, kind, state) in enumerate(happened)
    ]
    state = next((state for _, _, state in reversed(happened) if state), "published")
    return replace(made, events=events, access=WorkAccess(WorkState(state)))


ACCESSION, CHANGE = EventType.ACCESSION.value, EventType.METADATA_MODIFICATION.value


def test_a_lost_feed_is_derived_from_the_events_of_all_works(library: Library) -> None:
    first = preserved("甲", ("01", ACCESSION, ""), ("05", CHANGE, "withdrawn"), ("09", CHANGE, "published"))
    second = preserved("乙", ("03", ACCESSION, ""), ("04", ACCESSION, ""), ("06", CHANGE, "published"))
    third = preserved("丙", ("07", ACCESSION, ""), ("08", CHANGE, "withdrawn"), ("08", ACCESSION, ""))
    library.catalogue.rebuild([third, second, first])
    expected = [("Create", "甲"), ("Create", "乙"), ("Update", "乙"), ("Delete", "甲"), ("Update", "乙")]
    assert library.feed() == [*expected, ("Create", "丙"), ("Delete", "丙"), ("Create", "甲")]
    deleted = {record.identifier: record.is_deleted for record in library.changes.records(ALL, 9)}
    assert [deleted[each.work.identifier] for each in (first, second, third)] == [False, False, True]


def test_works_of_one_second_have_the_order_of_the_log(library: Library) -> None:
    first, second = (preserved(name, ("01", ACCESSION, "")) for name in "甲乙")
    first = replace(first, log_indexes={first.events[0].identifier: 1})
    second = replace(second, log_indexes={second.events[0].identifier: 0})
    library.catalogue.rebuild([first, second])
    assert library.feed() == [("Create", "乙"), ("Create", "甲")]


def test_a_rebuild_leaves_a_feed_that_knows_everything_as_it_is(library: Library) -> None:
    made = [preserved(name, ("01", ACCESSION, "")) for name in "甲乙"]
    for each in made:
        library.catalogue.publish(each, (), NOW)
    before = library.changes.activities(0, 9)
    library.catalogue.rebuild(reversed(made))
    assert library.changes.activities(0, 9) == before


def test_a_rebuild_appends_what_a_feed_from_a_backup_has_missed(library: Library) -> None:
    made = {name: preserved(name, ("01", ACCESSION, "")) for name in "甲乙丙"}
    for name in "甲乙":
        library.catalogue.publish(made[name], (), NOW)
    updated = preserved("甲", ("01", ACCESSION, ""), ("59", ACCESSION, ""))
    library.catalogue.rebuild([updated, made["丙"]])
    assert sorted(library.feed()[2:]) == [("Create", "丙"), ("Delete", "乙"), ("Update", "甲")]
    assert library.feed()[:2] == [("Create", "甲"), ("Create", "乙")]


def test_a_work_withdrawn_unknown_to_the_feed_is_deleted_by_a_rebuild(library: Library) -> None:
    library.publish("甲")
    library.catalogue.rebuild([preserved("甲", ("01", ACCESSION, ""), ("02", CHANGE, "withdrawn"))])
    assert library.feed() == [("Create", "甲"), ("Delete", "甲")]


def test_a_clock_that_is_set_back_does_not_reorder_the_feed(library: Library) -> None:
    library.publish("甲")
    library.now -= timedelta(days=1)
    library.publish("乙")
    first, second = library.changes.activities(0, 2)
    assert first.time == second.time


def test_a_rebuilt_feed_continues_its_numbers(library: Library) -> None:
    library.publish("甲")
    with library.sessions.begin() as session:
        for table in (ChangeRow, FeedRecordRow):
            session.execute(delete(table))
        session.execute(update(FeedHeadRow).where(FeedHeadRow.name == FEED).values(size=0, time=""))
    library.catalogue.rebuild([preserved("甲", ("01", ACCESSION, ""))])
    library.publish("乙")
    assert library.feed() == [("Create", "甲"), ("Create", "乙")]


def test_publications_at_the_same_time_leave_no_gap_and_no_disorder(library: Library) -> None:
    with ThreadPoolExecutor(4) as executor:
        list(executor.map(lambda number: library.publish(f"第{number}"), range(12)))
    assert [kind for kind, _ in library.feed()] == ["Create"] * 12
    assert library.changes.size() == len(library.changes.records(ALL, 99)) == 12


def test_a_deletion_by_two_people_adds_nothing_to_the_withdrawal(library: Library) -> None:
    made, deletions = library.publish("甲", holder="某館"), Deletions(library.sessions)
    library.withdraw(made)
    work = made.work.identifier
    requested = deletions.request(work, "anna", "因故", NOW)
    event = Event("deletion", EventType.DELETION.value, NOW, work, detail={"act": "deletion"})
    deletions.confirm(requested, "bo", event, [], NOW)
    deletions.finish(work, [], NOW)
    assert library.feed() == [("Create", "甲"), ("Delete", "甲")]
    record = library.changes.record(work)
    assert record
    assert (record.is_deleted, record.work, len(record.sets)) == (True, None, 2)
    library.catalogue.rebuild([], {}, [(0, event)])
    assert library.feed() == [("Create", "甲"), ("Delete", "甲")]
