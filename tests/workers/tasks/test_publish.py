"""The collection of all works: a few manifests, or parts within parts; the same however it came to be."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from publications import publication
from sqlalchemy import update

from iiif_server.presentation.collections import AccessionPeriod, smallest_period
from iiif_server.presentation.published import PresentationService
from repository import paths
from repository.config import Settings
from repository.database.engine import open_database
from repository.database.tables import WorkRow
from repository.errors import Busy, NotFound
from repository.repository import Repository, memory_repository, open_repository
from workers.tasks.jobs import collection_job
from workers.tasks.publish import publish_all, publish_period

BASE = "https://example.org"
PLACE = f"{BASE}/iiif/presentation/3"


class Died(BaseException):
    """What a killed process cannot catch."""


class Watched:
    """A store that counts what is put, and dies at its n-th change when told to, before or after making it."""

    def __init__(self, store: Any) -> None:
        self._store, self.put_keys, self.left, self.after = store, [], -1, False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def put(self, key: str, content: bytes) -> None:
        self.put_keys.append(key)
        self._change(lambda: self._store.put(key, content))

    def delete(self, key: str) -> None:
        self._change(lambda: self._store.delete(key))

    def _change(self, action: Any) -> None:
        self.left -= 1
        if self.left == 0 and not self.after:
            raise Died
        action()
        if self.left == 0:
            raise Died


@pytest.fixture(autouse=True)
def few_in_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.tasks.publish.MOST", 3)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """On a file, so that its rows can be changed from outside, with a store that is watched."""
    settings = Settings(data=tmp_path / "var", database=f"sqlite:///{tmp_path}/catalogue.sqlite")
    made = open_repository(settings)
    return replace(made, store=Watched(memory_repository().store))


def publish(repository: Repository, name: str, accessioned: str) -> None:
    """A work is published, and nobody told yet."""
    repository.catalogue.publish(publication(name, accessioned, images=1), (), accessioned)


def told(repository: Repository, name: str, accessioned: str) -> int:
    publish(repository, name, accessioned)
    return publish_period(repository, smallest_period(accessioned))


def withdraw(repository: Repository, name: str) -> None:
    engine = open_database(repository.settings.database_url)
    with engine.begin() as connection:
        connection.execute(update(WorkRow).where(WorkRow.title == name).values(state="withdrawn"))
    engine.dispose()


def times(count: int, seed: int = 0) -> Iterator[str]:
    """Times of accession, some far from each other and some within a minute, in no order."""
    chance = random.Random(seed)
    for _ in range(count):
        year, month, day = chance.choice((2025, 2026, 2026)), chance.choice((1, 12)), chance.choice((3, 3, 30))
        hour, minute = chance.choice((0, 23)), chance.choice((0, 0, 59))
        yield f"{year}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:{chance.choice((0, 59)):02d}Z"


def collection(repository: Repository, name: str = "top") -> dict[str, Any]:
    return json.loads(PresentationService(repository.store).collection(name, BASE).body)


def walk(repository: Repository, name: str = "top", whole: str | None = None) -> Iterator[tuple[str, str]]:
    """Every manifest as a harvester finds it: the name of its collection, and its label."""
    document = collection(repository, name)
    assert document["id"] == f"{PLACE}/collection/{name}"
    assert [item["id"] for item in document.get("partOf", [])] == ([whole] if whole else [])
    for item in document["items"]:
        if item["type"] == "Manifest":
            yield name, item["label"]["none"][0]
        else:
            below = item["id"].removeprefix(f"{PLACE}/collection/")
            assert collection(repository, below)["label"] == item["label"]
            yield from walk(repository, below, document["id"])


def documents(repository: Repository) -> dict[str, bytes]:
    return {found.key: repository.store.read(found.key) for found in repository.store.list(paths.COLLECTIONS)}


def made_anew(repository: Repository) -> dict[str, bytes]:
    """What the collections would be if all of them were described by the catalogue."""
    other = replace(repository, store=memory_repository().store)
    publish_all(other)
    return documents(other)


def test_few_works_are_listed_at_once(repository: Repository) -> None:
    publish_all(repository)
    assert collection(repository)["items"] == []
    for day, name in enumerate("甲乙丙", 1):
        assert told(repository, name, f"2026-01-0{day}T00:00:00Z") == 1
    assert list(walk(repository)) == [("top", "甲"), ("top", "乙"), ("top", "丙")]
    assert list(documents(repository)) == [paths.collection("top")]


def test_many_works_are_listed_in_parts_as_long_as_there_must_be(repository: Repository) -> None:
    for number, name in enumerate("甲乙丙丁戊己"):
        told(repository, name, f"2026-01-0{1 + number // 4}T00:00:00Z")
    told(repository, "庚", "2025-12-31T23:59:59Z")
    assert list(walk(repository)) == [
        ("2025", "庚"),
        *(
            ("2026-01-01t00-00", name)
            for name in sorted("甲乙丙丁", key=lambda name: publication(name).work.identifier)
        ),
        *(("2026-01-02", name) for name in sorted("戊己", key=lambda name: publication(name).work.identifier)),
    ]


def test_a_publication_costs_the_same_however_many_works_there_are(repository: Repository) -> None:
    puts = []
    for month in range(1, 13):
        for day in range(1, 4):
            repository.store.put_keys.clear()
            told(repository, f"{month}-{day}", f"2026-{month:02d}-{day:02d}T00:00:00Z")
            puts.append(len(repository.store.put_keys))
    assert puts[:3] == [1, 1, 1]
    assert puts[6::3] == [2] * 10  # the new month, and the year that leads to it
    assert puts[7::3] == puts[8::3] == [1] * 10


def test_what_a_publication_leaves_is_what_describing_everything_gives(repository: Repository) -> None:
    for number, accessioned in enumerate(times(80)):
        told(repository, f"書{number}", accessioned)
        if number % 8 == 0:
            assert documents(repository) == made_anew(repository)
    assert documents(repository) == made_anew(repository)
    assert Counter(label for _, label in walk(repository)) == Counter(f"書{number}" for number in range(80))


def test_published_again_a_work_stays_in_its_part(repository: Repository) -> None:
    for number, accessioned in enumerate(times(20)):
        told(repository, f"書{number}", accessioned)
    before, first = list(walk(repository)), next(times(1))
    repository.store.put_keys.clear()
    told(repository, "書0", first)
    assert (list(walk(repository)), repository.store.put_keys) == (before, [])


def test_a_withdrawn_work_is_gone_from_its_part_which_stays(repository: Repository) -> None:
    for number in range(5):
        told(repository, f"書{number}", f"2026-0{number + 1}-01T00:00:00Z")
    withdraw(repository, "書2")
    publish_period(repository, smallest_period("2026-03-01T00:00:00Z"))
    assert [label for _, label in walk(repository)] == ["書0", "書1", "書3", "書4"]
    assert collection(repository, "2026-03")["items"] == []
    assert documents(repository) == made_anew(repository)
    told(repository, "書2", "2026-03-01T00:00:00Z")
    assert ("2026-03", "書2") in walk(repository)


@pytest.mark.parametrize("after", [False, True])
def test_killed_at_any_change_nothing_leads_nowhere_and_the_job_done_again_ends_the_same(
    repository: Repository, after: bool
) -> None:
    for number, accessioned in enumerate(times(12, seed=1)):
        publish(repository, f"書{number}", accessioned)
    store, killed, part = repository.store, 0, smallest_period(accessioned)
    while True:
        killed += 1
        for key in documents(repository):
            store.delete(key)
        store.left, store.after = killed, after
        try:
            publish_period(repository, part)
        except Died:
            store.left = -1
            with_top = paths.collection("top") in documents(repository)
            assert not with_top or len(list(walk(repository))) == 12
            publish_period(repository, part)
            assert documents(repository) == made_anew(repository)
        else:
            break
    assert killed > 8


def test_a_collection_that_was_one_document_until_now_is_divided_by_the_next_publication(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.tasks.publish.MOST", 1000)
    for number, accessioned in enumerate(times(20)):
        told(repository, f"書{number}", accessioned)
    assert {name for name, _ in walk(repository)} == {"top"}
    monkeypatch.setattr("workers.tasks.publish.MOST", 3)
    told(repository, "新", "2026-07-01T00:00:00Z")
    assert documents(repository) == made_anew(repository)


def test_a_collection_that_cannot_be_read_is_made_again(repository: Repository) -> None:
    for number, accessioned in enumerate(times(20)):
        publish(repository, f"書{number}", accessioned)
    repository.store.put(paths.collection("top"), b'{"items": [')
    told(repository, "新", "2026-07-01T00:00:00Z")
    assert documents(repository) == made_anew(repository)


def test_parts_that_are_none_any_more_are_taken_away_and_nothing_else(repository: Repository) -> None:
    for number in range(5):
        told(repository, f"書{number}", f"2026-0{number + 1}-01T00:00:00Z")
    repository.store.put(paths.collection("treasures"), b"{}")
    repository.catalogue.rebuild([publication("書0", "2026-01-01T00:00:00Z", images=1)])
    assert publish_all(repository) == 1
    assert set(documents(repository)) == {paths.collection("top"), paths.collection("treasures")}
    with pytest.raises(NotFound):
        collection(repository, "2026-01")


def test_many_at_once_leave_nothing_out(repository: Repository) -> None:
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda given: told(repository, f"書{given[0]}", given[1]), enumerate(times(60))))
    assert documents(repository) == made_anew(repository)
    assert len(list(walk(repository))) == 60


def test_whoever_finds_another_at_it_for_long_is_turned_away(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.tasks.publish._WAIT_SECONDS", 0.0)
    with repository.locks.hold("collections", 0, Busy(what="x")), pytest.raises(Busy, match="总目清单"):
        publish_period(repository, AccessionPeriod("2026"))


def test_publications_within_a_minute_ask_for_one_job() -> None:
    orders = [collection_job(f"2026-01-31T08:59:{second:02d}Z") for second in (0, 59)]
    assert orders[0] == orders[1]
    assert orders[0].key == "collection:2026-01-31t08-59"
