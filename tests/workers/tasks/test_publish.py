"""The collection of all works lists manifests or periods, and is the same after any sequence of publications."""

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

pytestmark = pytest.mark.slow

BASE = "https://example.org"
PLACE = f"{BASE}/iiif/presentation/3"


class Killed(BaseException):
    """Stands for the end of the process: no handler catches it."""


class WatchedStore:
    """A store that records puts, and kills its process at the n-th change on request, before or after making it."""

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
            raise Killed
        action()
        if self.left == 0:
            raise Killed


@pytest.fixture(autouse=True)
def small_periods(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.tasks.publish.MOST", 3)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """A repository with a database file, whose rows a test can change, and a watched store."""
    settings = Settings(data=tmp_path / "var", database=f"sqlite:///{tmp_path}/catalogue.sqlite")
    repository = open_repository(settings)
    return replace(repository, store=WatchedStore(memory_repository().store))


def publish(repository: Repository, name: str, accessioned: str) -> None:
    """Publish a work in the catalogue, without its collections."""
    repository.catalogue.publish(publication(name, accessioned, images=1), (), accessioned)


def publish_with_collections(repository: Repository, name: str, accessioned: str) -> int:
    publish(repository, name, accessioned)
    return publish_period(repository, smallest_period(accessioned))


def set_state(repository: Repository, name: str, state: str) -> None:
    engine = open_database(repository.settings.database_url)
    with engine.begin() as connection:
        connection.execute(update(WorkRow).where(WorkRow.title == name).values(state=state))
    engine.dispose()


def times(count: int, seed: int = 0) -> Iterator[str]:
    """Yield times of accession in random order, some of them in the same minute."""
    chance = random.Random(seed)
    for _ in range(count):
        year, month, day = chance.choice((2025, 2026, 2026)), chance.choice((1, 12)), chance.choice((3, 3, 30))
        hour, minute = chance.choice((0, 23)), chance.choice((0, 0, 59))
        yield f"{year}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:{chance.choice((0, 59)):02d}Z"


def collection(repository: Repository, name: str = "top") -> dict[str, Any]:
    return json.loads(PresentationService(repository.store).collection(name, BASE).body)


def walk(repository: Repository, name: str = "top", whole: str | None = None) -> Iterator[tuple[str, str]]:
    """Yield every manifest as a harvester finds it: the name of its collection, and its label."""
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
    return {item.key: repository.store.read(item.key) for item in repository.store.list(paths.COLLECTIONS)}


def rebuilt_documents(repository: Repository) -> dict[str, bytes]:
    """Return the collections as `publish_all` builds them from the catalogue."""
    other = replace(repository, store=memory_repository().store)
    publish_all(other)
    return documents(other)


def test_few_works_are_listed_in_one_collection(repository: Repository) -> None:
    publish_all(repository)
    assert collection(repository)["items"] == []
    for day, name in enumerate("甲乙丙", 1):
        assert publish_with_collections(repository, name, f"2026-01-0{day}T00:00:00Z") == 1
    assert list(walk(repository)) == [("top", "甲"), ("top", "乙"), ("top", "丙")]
    assert list(documents(repository)) == [paths.collection("top")]


def test_many_works_are_listed_by_periods_as_long_as_possible(repository: Repository) -> None:
    for number, name in enumerate("甲乙丙丁戊己"):
        publish_with_collections(repository, name, f"2026-01-0{1 + number // 4}T00:00:00Z")
    publish_with_collections(repository, "庚", "2025-12-31T23:59:59Z")
    assert list(walk(repository)) == [
        ("2025", "庚"),
        *(
            ("2026-01-01t00-00", name)
            for name in sorted("甲乙丙丁", key=lambda name: publication(name).work.identifier)
        ),
        *(("2026-01-02", name) for name in sorted("戊己", key=lambda name: publication(name).work.identifier)),
    ]


def test_publication_writes_the_same_number_of_documents_for_any_number_of_works(repository: Repository) -> None:
    puts = []
    for month in range(1, 13):
        for day in range(1, 4):
            repository.store.put_keys.clear()
            publish_with_collections(repository, f"{month}-{day}", f"2026-{month:02d}-{day:02d}T00:00:00Z")
            puts.append(len(repository.store.put_keys))
    assert puts[:3] == [1, 1, 1]
    assert puts[6::3] == [2] * 10  # the new month, and the year that leads to it
    assert puts[7::3] == puts[8::3] == [1] * 10


@pytest.mark.slow
def test_publications_give_the_same_documents_as_publishing_everything(repository: Repository) -> None:
    for number, accessioned in enumerate(times(80)):
        publish_with_collections(repository, f"書{number}", accessioned)
        if number % 8 == 0:
            assert documents(repository) == rebuilt_documents(repository)
    assert documents(repository) == rebuilt_documents(repository)
    assert Counter(label for _, label in walk(repository)) == Counter(f"書{number}" for number in range(80))


def test_work_published_again_stays_in_its_period(repository: Repository) -> None:
    for number, accessioned in enumerate(times(20)):
        publish_with_collections(repository, f"書{number}", accessioned)
    before, first = list(walk(repository)), next(times(1))
    repository.store.put_keys.clear()
    publish_with_collections(repository, "書0", first)
    assert (list(walk(repository)), repository.store.put_keys) == (before, [])


def test_withdrawn_work_leaves_its_period_which_stays(repository: Repository) -> None:
    for number in range(5):
        publish_with_collections(repository, f"書{number}", f"2026-0{number + 1}-01T00:00:00Z")
    set_state(repository, "書2", "withdrawn")
    publish_period(repository, smallest_period("2026-03-01T00:00:00Z"))
    assert [label for _, label in walk(repository)] == ["書0", "書1", "書3", "書4"]
    assert collection(repository, "2026-03")["items"] == []
    assert documents(repository) == rebuilt_documents(repository)
    publish_with_collections(repository, "書2", "2026-03-01T00:00:00Z")
    assert ("2026-03", "書2") not in walk(repository), "no publication restores a work"
    set_state(repository, "書2", "published")
    publish_period(repository, smallest_period("2026-03-01T00:00:00Z"))
    assert ("2026-03", "書2") in walk(repository)


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True])
def test_publication_killed_at_any_change_leaves_no_dead_link_and_can_be_repeated(
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
        except Killed:
            store.left = -1
            with_top = paths.collection("top") in documents(repository)
            assert not with_top or len(list(walk(repository))) == 12
            publish_period(repository, part)
            assert documents(repository) == rebuilt_documents(repository)
        else:
            break
    assert killed > 8


def test_collection_that_grew_too_large_is_divided_by_the_next_publication(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.tasks.publish.MOST", 1000)
    for number, accessioned in enumerate(times(20)):
        publish_with_collections(repository, f"書{number}", accessioned)
    assert {name for name, _ in walk(repository)} == {"top"}
    monkeypatch.setattr("workers.tasks.publish.MOST", 3)
    publish_with_collections(repository, "新", "2026-07-01T00:00:00Z")
    assert documents(repository) == rebuilt_documents(repository)


def test_unreadable_collection_is_rewritten(repository: Repository) -> None:
    for number, accessioned in enumerate(times(20)):
        publish(repository, f"書{number}", accessioned)
    repository.store.put(paths.collection("top"), b'{"items": [')
    publish_with_collections(repository, "新", "2026-07-01T00:00:00Z")
    assert documents(repository) == rebuilt_documents(repository)


def test_unused_periods_are_removed_and_other_collections_stay(repository: Repository) -> None:
    for number in range(5):
        publish_with_collections(repository, f"書{number}", f"2026-0{number + 1}-01T00:00:00Z")
    repository.store.put(paths.collection("treasures"), b"{}")
    repository.catalogue.rebuild([publication("書0", "2026-01-01T00:00:00Z", images=1)])
    assert publish_all(repository) == 1
    assert set(documents(repository)) == {paths.collection("top"), paths.collection("treasures")}
    with pytest.raises(NotFound):
        collection(repository, "2026-01")


def test_concurrent_publications_lose_no_work(repository: Repository) -> None:
    with ThreadPoolExecutor(4) as threads:
        list(
            threads.map(
                lambda given: publish_with_collections(repository, f"書{given[0]}", given[1]), enumerate(times(60))
            )
        )
    assert documents(repository) == rebuilt_documents(repository)
    assert len(list(walk(repository))) == 60


def test_publication_that_waits_too_long_for_another_is_busy(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.tasks.publish._WAIT_SECONDS", 0.0)
    with repository.locks.hold("collections", 0, Busy(what="x")), pytest.raises(Busy, match="总目清单"):
        publish_period(repository, AccessionPeriod("2026"))


def test_publications_within_a_minute_need_one_job() -> None:
    jobs = [collection_job(f"2026-01-31T08:59:{second:02d}Z") for second in (0, 59)]
    assert jobs[0] == jobs[1]
    assert jobs[0].key == "collection:2026-01-31t08-59"
