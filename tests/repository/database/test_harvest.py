"""Sources and records of partners, the same in both databases."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import Engine

from repository.database.engine import sessions_of
from repository.database.harvest import Harvests, KnownCollection, SourceCounts, SourceTaken
from repository.errors import NotFound
from repository.model.harvest import (
    HarvestedRecord,
    HarvestRun,
    HarvestSource,
    RecordState,
    RunTotals,
    SourceKind,
    SourceSettings,
    SourceState,
    is_source_name,
    record_key,
)

SOURCE = HarvestSource("a", "https://partner.example/oai", SourceSettings(SourceKind.OAI_PMH, "某館", rate=0.5))


def record(identifier: str, title: str = "書", **values: object) -> HarvestedRecord:
    made = HarvestedRecord(
        source="a",
        key=record_key(identifier),
        identifier=identifier,
        datestamp="2026-01-01",
        state=RecordState.LIVE,
        digest="0" * 64,
        title=title,
        creator="（清）某人撰",
        date="前漢",
        earliest=-205,
        latest=8,
        manifest="",
        thumbnail="",
        work_key=f"{title}|某人",
        ours=None,
        document=b"{}",
        etag="",
        modified="",
        first_seen="2026-01-01T00:00:00Z",
        updated="2026-01-01T00:00:00Z",
    )
    return replace(made, **values)


def test_sources_and_records_are_kept_found_and_removed(engine: Engine) -> None:
    harvests = Harvests(sessions_of(engine))
    harvests.add(SOURCE)
    with pytest.raises(SourceTaken):
        harvests.add(SOURCE)
    run = HarvestRun(1, "2026-01-01T00:00:00Z", is_full=True, token="t", totals=RunTotals(added=2))
    state = SourceState(since="2026-01-01", fault={"zh": "甲", "en": "a"}, run=run)
    first, second = record("x:1", "甲"), record("x:2", "乙", manifest="https://partner.example/m")
    harvests.apply("a", [first, second], state)
    assert harvests.source("a") == replace(SOURCE, state=state)
    assert harvests.record("a", first.key) == first
    assert sorted(each.title for each in harvests.records("a", RecordState.LIVE, 0, 9)) == ["乙", "甲"]
    assert harvests.counts("a") == SourceCounts(2, 0, 1)
    assert harvests.manifests("a", 0, 9) == [second]
    assert harvests.known("a", [first.key, "none"])[first.key].seen == 1
    again = replace(state, run=replace(run, number=2))
    harvests.apply("a", [replace(second, state=RecordState.DELETED)], again, [first.key])
    assert (harvests.count_unseen("a", 2), harvests.count_unseen("a", 3)) == (0, 1)
    assert harvests.unseen("a", 3, 9) == [first]
    assert harvests.same_work("甲|某人", 9) == [first]
    assert harvests.set_ours({"甲|某人": "w1", "丙|": "w2"}) == 1
    assert harvests.set_ours({"甲|某人": "w1"}) == 0
    assert harvests.record("a", first.key).ours == "w1"
    collection = KnownCollection('"e"', "", {"manifests": ["https://partner.example/m"], "collections": []})
    harvests.keep_collection("a", "c", collection)
    harvests.keep_collection("a", "c", collection)
    assert (harvests.collection("a", "c"), harvests.collection("a", "d")) == (collection, None)
    harvests.remove("a")
    assert harvests.sources() == []
    with pytest.raises(NotFound):
        harvests.source("a")


@pytest.mark.parametrize("name", ["", "A", "a_b", "-a", "a-", "a--b", "a" * 33, "書", "a.b", "a/b"])
def test_names_that_addresses_could_not_have_are_refused(name: str) -> None:
    assert not is_source_name(name)


def test_source_with_an_impossible_name_is_not_found(engine: Engine) -> None:
    for name in ("", "a\0", "a" * 5000):
        with pytest.raises(NotFound):
            Harvests(sessions_of(engine)).source(name)
