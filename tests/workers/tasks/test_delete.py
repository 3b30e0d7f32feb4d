"""A work is deleted by the decision of two people, completely or not at all; the log still proves that it was held."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from asgi_client import AsgiClient
from deletable_library import ANNA, BO, REPLICA, SetClock, build_deletable_library
from deletable_library import DeletableLibrary as Library
from image_requests import PREFIX
from saved_repository import SavedRepository
from silent_progress import SilentProgress
from sqlalchemy import text

from iiif_server.image.service import ImageService
from preservation.deletion import DeletionLocked, Tombstone, erase_object, put_tombstone, read_tombstone
from preservation.log.sequencer import open_log
from preservation.log_events import is_deletion
from preservation.ocfl import objects
from preservation.premis import parse_event
from preservation.replication.transfer import NamedStore
from repository import paths
from repository.config import Settings
from repository.database.deletions import DeletionRefused, DeletionState
from repository.database.fixity_values import FindingState
from repository.database.outbox import Job, JobState
from repository.errors import Busy, NotFound, ObjectInvalid, StoreFault
from repository.identifiers import Kind, mint
from repository.model.accounts import Account, Role
from repository.model.work import EventType
from repository.repository import memory_repository
from repository.storage.content import Chunk, ObjectLock
from repository.storage.s3 import memory_store
from web.app import create_app
from web.asgi import compose
from web.telemetry.process_metrics import ProcessMetrics
from workers.bootstrap import prepare_repository
from workers.deposit.examiner import ChildDepositExaminer
from workers.execution.context import TaskContext
from workers.maintenance.copy_store import copy_store
from workers.maintenance.rebuild import rebuild
from workers.maintenance.restore_store import restore_store
from workers.service.local import local_runner
from workers.tasks import access as changes
from workers.tasks.delete import delete_copy, delete_work
from workers.tasks.delete_decision import DeletionNotAllowed, cancel_deletion, confirm_deletion
from workers.tasks.jobs import (
    access_job,
    delete_copy_job,
    delete_work_job,
    ingest_job,
    pyramid_job,
    replicate_log_job,
    replicate_work_job,
    sequence_events_job,
)

CHEN = Account("chen", Role.LIBRARIAN, "")
PROGRESS = SilentProgress()


@pytest.fixture(scope="module")
def original(
    tmp_path_factory: pytest.TempPathFactory, examiner: ChildDepositExaminer
) -> tuple[Library, SavedRepository]:
    folder = tmp_path_factory.mktemp("original")
    library = build_deletable_library(folder, examiner, memory_repository)
    return library, SavedRepository(library.repository, folder)


@pytest.fixture
def library(original: tuple[Library, SavedRepository]) -> Library:
    library, saved = original
    clock = SetClock()
    return replace(library, context=replace(library.context, repository=saved.copy(clock)), clock=clock)


def test_a_deletion_by_two_people_leaves_tombstones_and_the_log(library: Library) -> None:
    masters = {
        event.sha256 for event, _ in library.repository.log_sequence.history_of(library.work, 0, 99) if event.image
    }
    library.decide()
    assert library.files()
    library.carry_out()
    repository = library.repository
    for store in (repository.store, repository.replicas[REPLICA]):
        assert library.files(store) == []
        tombstone = read_tombstone(store, library.work)
        assert tombstone
        assert tombstone.versions == 2
    assert library.state() is DeletionState.DELETED
    assert repository.catalogue.work(library.work) is None
    assert repository.catalogue.counts().works == repository.catalogue.counts().images == 0
    assert repository.replica_status.replicas_of(library.work) == []
    log = open_log(repository)
    events = [parse_event(entry) for entry in log.entries(0, log.size)]
    assert {event.sha256 for event in events if event.type == EventType.INGESTION} == masters
    (tombstone_event,) = [event for event in events if is_deletion(event)]
    assert not {"anna", "bo", "權利人要求"} & set(tombstone_event.detail.values())
    assert [
        event.type for event, index in repository.log_sequence.history_of(library.work, 0, 99) if index is None
    ] == []


def test_nothing_is_deleted_before_the_log_holds_the_deletion(library: Library) -> None:
    library.decide()
    with local_runner(library.context) as runner:
        library.repository.jobs.forget(sequence_events_job().key)
        (job,) = runner.attempt([delete_work_job(library.work)])
    if job.state is not JobState.DONE:  # the log's job may have run first
        assert library.files()
    library.clock.now += timedelta(hours=1)
    library.carry_out()
    assert library.files() == []


REFUSALS: dict[str, tuple[Callable[[Library], None], type[Exception]]] = {}


def refusal(kind: type[Exception]) -> Callable[[Callable[[Library], None]], Callable[[Library], None]]:
    def add(steps: Callable[[Library], None]) -> Callable[[Library], None]:
        REFUSALS[steps.__name__] = (steps, kind)
        return steps

    return add


@refusal(DeletionRefused)
def a_work_in_public_view(library: Library) -> None:
    library.request()


@refusal(DeletionRefused)
def a_second_request(library: Library) -> None:
    library.withdraw()
    library.request()
    library.request(BO)


@refusal(DeletionNotAllowed)
def a_request_by_a_librarian(library: Library) -> None:
    library.withdraw()
    library.request(CHEN)


@refusal(DeletionNotAllowed)
def a_disabled_account(library: Library) -> None:
    library.withdraw()
    library.request(replace(ANNA, disabled="2026-01-01T00:00:00Z"))


@refusal(NotFound)
def a_confirmation_without_a_request(library: Library) -> None:
    library.withdraw()
    library.confirm()


@refusal(DeletionRefused)
def a_confirmation_within_the_waiting_time(library: Library) -> None:
    library.withdraw()
    library.request()
    library.clock.now += timedelta(days=6, hours=23)
    library.confirm()


@refusal(DeletionRefused)
def a_confirmation_by_the_same_account(library: Library) -> None:
    library.withdraw()
    library.request()
    library.clock.now += timedelta(days=8)
    library.confirm(ANNA)


@refusal(DeletionNotAllowed)
def a_confirmation_by_a_librarian(library: Library) -> None:
    library.withdraw()
    library.request()
    library.clock.now += timedelta(days=8)
    library.confirm(CHEN)


@refusal(NotFound)
def a_cancelled_request(library: Library) -> None:
    library.withdraw()
    library.request()
    cancel_deletion(library.repository, library.work, BO)
    library.clock.now += timedelta(days=8)
    library.confirm()


@refusal(DeletionRefused)
def a_work_that_is_public_again(library: Library) -> None:
    library.withdraw()
    library.request()
    library.clock.now += timedelta(days=8)
    changes.restore(library.repository, library.work)
    library.run(access_job(library.work))
    library.confirm()


@refusal(DeletionRefused)
def a_new_version_since_the_request(library: Library) -> None:
    library.withdraw()
    library.request()
    library.clock.now += timedelta(days=8)
    record = library.deposit / "work.toml"
    record.write_text(record.read_text("utf-8").replace("試書", "試書二編"), "utf-8")
    with local_runner(library.context) as runner:
        assert runner.run(ingest_job(library.deposit)).state is JobState.DONE
    library.confirm()


@refusal(DeletionRefused)
def a_second_confirmation(library: Library) -> None:
    library.decide()
    library.confirm()


@pytest.mark.parametrize(("steps", "kind"), REFUSALS.values(), ids=REFUSALS)
def test_what_is_not_allowed_deletes_nothing(library: Library, steps: Callable[[Library], None], kind: type) -> None:
    before = library.files()
    with pytest.raises(kind):
        steps(library)
    if steps is not a_second_confirmation:
        library.run(delete_work_job(library.work))
        assert set(before) - {paths.manifest(library.work)} <= set(library.files())
        assert library.state() is not DeletionState.CONFIRMED


def test_a_work_that_another_job_changes_is_not_confirmed(library: Library) -> None:
    library.withdraw()
    library.request()
    library.clock.now += timedelta(days=8)
    jobs = library.repository.jobs
    jobs.enqueue(access_job(library.work))
    job = jobs.start(access_job(library.work).key, "other", 60)
    assert job
    jobs.fan_out(job.key, "other", [], {}, library.work)
    with pytest.raises(Busy):
        library.confirm()


class Locked:
    """A store that has locked everything in it."""

    def __init__(self, store: Any, until: str | None) -> None:
        self._store = store
        self._until = until

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def lock_below(self, prefix: str) -> ObjectLock:
        return ObjectLock(f"{prefix}/inventory.json", self._until)


@pytest.mark.parametrize(("until", "words"), [("2030-01-01T00:00:00Z", "2030-01-01"), (None, "legal hold")])
@pytest.mark.parametrize("where", ["store", "replica"])
def test_a_locked_store_refuses_with_the_date(library: Library, until: str | None, words: str, where: str) -> None:
    library.withdraw()
    library.request()
    library.clock.now += timedelta(days=8)
    repository = library.repository
    if where == "store":
        locked = replace(repository, store=Locked(repository.store, until))
    else:
        locked = replace(repository, replicas={REPLICA: Locked(repository.replicas[REPLICA], until)})
    with pytest.raises(DeletionLocked, match=words):
        confirm_deletion(locked, library.work, BO)
    assert library.state() is DeletionState.REQUESTED


def test_a_lock_that_appears_after_the_decision_postpones_the_deletion(library: Library) -> None:
    library.decide()
    repository = library.repository
    locked = replace(repository, store=Locked(repository.store, "2030-01-01T00:00:00Z"))
    library.run(sequence_events_job())
    blocked = Library(TaskContext(locked, library.context.examiner), library.clock, library.work, library.deposit)
    (job,) = blocked.run(delete_work_job(library.work))
    assert job.state is JobState.QUEUED
    assert library.files()
    assert read_tombstone(repository.store, library.work) is None


class Killed(BaseException):
    """Stands for the end of a process."""


class Mortal:
    """A store whose process is killed at the write with this number, before or after it took effect."""

    def __init__(self, store: Any, lives: list[int], *, after: bool) -> None:
        self._store = store
        self._lives = lives
        self._after = after

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._store, name)
        if name not in {"put", "delete"}:
            return real

        def write(*arguments: Any) -> None:
            self._lives[0] -= 1
            if self._lives[0] == 0 and not self._after:
                raise Killed
            real(*arguments)
            if self._lives[0] == 0:
                raise Killed

        return write

    def erase(self, prefix: str) -> int:
        stored = list(self._store.list(prefix))
        for each in stored:
            self.delete(each.key)
        return len(stored)


def kill_points(*, loses_database: bool) -> Iterator[tuple[int, bool]]:
    """Yield numbers of writes, and whether the kill follows the write: that differs from a kill before the next write
    by changes of the database alone, and is tried at fewer. The catalogue is rebuilt after the loss of the database.
    """
    if loses_database:
        yield from ((1, False), (2, False), (4, True), (17, False))
    else:
        yield from ((number, False) for number in range(1, 40))
        yield from ((number, True) for number in (1, 2, *range(3, 40, 6)))


@pytest.mark.slow
@pytest.mark.parametrize("loses_database", [False, True], ids=["", "loses the database"])
def test_a_deletion_that_is_killed_at_any_write_is_completed_by_the_next_run(
    tmp_path: Path, examiner: ChildDepositExaminer, library: Library, loses_database: bool
) -> None:
    library.decide()
    library.run(sequence_events_job())
    primary, copy = library.repository.store, library.repository.replicas[REPLICA]
    kept = {key: store_content(store) for key, store in (("primary", primary), ("copy", copy))}
    killed = 0
    for number, after in kill_points(loses_database=loses_database):
        for key, store in (("primary", primary), ("copy", copy)):
            restore_content(store, kept[key])
        lives = [number]
        mortal = replace(
            library.repository,
            store=Mortal(primary, lives, after=after),
            replicas={REPLICA: Mortal(copy, lives, after=after)},
        )
        context = TaskContext(mortal, examiner)
        try:
            run_deletion(context, library.work)
        except Killed:
            killed += 1
        if loses_database:
            settings = Settings(data=tmp_path / f"new-{number}-{after}")
            new = memory_repository(settings, library.clock)
            new = prepare_repository(replace(new, store=primary, replicas={REPLICA: copy}))
            rebuild(new, examiner, SilentProgress())
        else:
            new = library.repository
        run_deletion(TaskContext(new, examiner), library.work)
        assert library.files(primary) == library.files(copy) == []
        assert read_tombstone(primary, library.work) == read_tombstone(copy, library.work) is not None
        assert new.catalogue.work(library.work) is None
        if not loses_database:
            reopen(library, kept)
    assert killed >= (3 if loses_database else 20)


def run_deletion(context: TaskContext, work: str) -> None:
    """Run the tasks of a deletion as a worker does."""

    def job(new: Any, plan: dict[str, object] | None) -> Job:
        context.repository.jobs.enqueue(new)
        stored = context.repository.jobs.get(new.key)
        assert stored
        return replace(stored, plan=plan)

    delete_work(context, job(delete_work_job(work), {}))
    delete_copy(context, job(delete_copy_job(REPLICA, work), None))


def store_content(store: Any) -> dict[str, bytes]:
    return {stored.key: store.read(stored.key) for stored in list(store.list())}


def restore_content(store: Any, content: dict[str, bytes]) -> None:
    for stored in list(store.list()):
        if stored.key not in content:
            store.delete(stored.key)
    for key, value in content.items():
        store.put(key, value)


def reopen(library: Library, kept: dict[str, dict[str, bytes]]) -> None:
    """Make the decided deletion undone again, for the next place of the kill."""
    with library.repository.deletions._sessions.begin() as session:
        session.execute(text("UPDATE deletions SET state = 'confirmed'"))


def test_a_rebuild_knows_that_the_absence_is_a_decision(library: Library, tmp_path: Path) -> None:
    library.decide()
    library.carry_out()
    new = memory_repository(Settings(data=tmp_path / "new"), library.clock)
    new = replace(new, store=library.repository.store, replicas=library.repository.replicas)
    rebuilt = rebuild(new, library.context.examiner, SilentProgress())
    assert (rebuilt.works, rebuilt.lost, rebuilt.skipped) == (0, (), ())
    deletion = new.deletions.get(library.work)
    assert deletion
    assert deletion.is_decided
    assert deletion.requested_by == deletion.reason == ""


def test_a_copy_and_a_restore_of_stores_leave_out_a_deleted_work_by_the_log_alone(library: Library) -> None:
    replica = library.repository.replicas[REPLICA]
    library.run(replicate_work_job(REPLICA, library.work))
    library.decide()
    library.run(sequence_events_job())
    library.run(delete_work_job(library.work))  # the replica still has its copy
    primary = library.repository.store
    assert library.work in list(objects.works(replica))
    library.run(replicate_log_job(REPLICA))
    assert read_tombstone(replica, library.work) is None
    before, restored = library.files(replica), memory_store()
    done = restore_store(library.repository, [NamedStore(REPLICA, replica)], NamedStore("new", restored), PROGRESS)
    assert (done.works, done.missing) == (0, [])
    assert [(each.work, each.stores) for each in done.deleted] == [(library.work, [REPLICA])]
    assert library.files(restored) == []
    assert read_tombstone(restored, library.work) == read_tombstone(primary, library.work)
    assert library.files(replica) == before
    target = memory_store()
    copy_store(NamedStore("store", primary), NamedStore("copy", target), PROGRESS)
    assert read_tombstone(target, library.work) == read_tombstone(primary, library.work)
    copy_store(NamedStore(REPLICA, replica), NamedStore("copy", target), PROGRESS)
    assert library.files(target) == []


def test_a_deposit_of_a_deleted_work_is_refused_and_accepted_as_another_work(library: Library) -> None:
    (image,) = library.images()

    def deposit() -> Job:
        with local_runner(library.context) as runner:
            return runner.run(ingest_job(library.deposit))

    library.decide()
    for _ in range(2):
        result = deposit().result
        assert result
        (fault,) = result["faults"]
        assert fault["code"] == "work.deleted"
        assert "已于 2026-01-09 依馆方决定删除" in fault["message"]["zh"]
        assert "another identifier in work.toml" in fault["message"]["en"]
        library.carry_out()
    assert library.files() == []
    record = library.deposit / "work.toml"
    record.write_text(f'identifier = "anew"\n{record.read_text("utf-8")}', "utf-8")
    job = deposit()
    assert job.result
    assert job.state is JobState.DONE, job.result
    catalogue, anew = library.repository.catalogue, str(job.result["identifier"])
    held = catalogue.work(anew)
    assert held
    assert anew != library.work
    assert image not in {each.identifier for each in held.images()}
    library.carry_out()
    assert all(library.repository.store.exists(pyramid.key) for pyramid in catalogue.pyramids(anew).values())
    assert library.files() == []


def test_the_public_address_of_a_deleted_work_is_gone(library: Library) -> None:
    client = create_app(library.repository).test_client()
    library.decide()
    addresses = (
        f"/works/{library.work}",
        f"/works/{library.work}/read",
        f"/iiif/presentation/3/{library.work}/manifest",
    )
    for _ in range(2):
        for address in addresses:
            assert client.get(address).status_code == 410
        library.carry_out()
    page = client.get(addresses[0], headers={"Accept": "text/html"}).get_data(as_text=True)
    assert "2026-01-09" in page
    assert "删除" in page
    assert "anna" not in page
    english = client.get(addresses[0], headers={"Accept": "text/html", "Accept-Language": "en"}).get_data(as_text=True)
    assert "was deleted on 2026-01-09 by a decision of the library" in english
    assert client.get("/works/w0000000000000000").status_code == 404


def test_the_image_addresses_of_a_deleted_work_are_gone(library: Library) -> None:
    (image,) = library.images()
    service = ImageService(library.repository)
    library.decide()
    with AsgiClient(compose(library.repository, service, ProcessMetrics())) as client:
        for _ in range(2):
            for rest in ("info.json", "full/max/0/default.jpg"):
                assert client.get(f"{PREFIX}{image}/{rest}").status == 410
            library.carry_out()
        assert "deleted on 2026-01-09" in client.get(f"{PREFIX}{image}/info.json").body.decode()
        assert client.get(f"{PREFIX}{mint(Kind.IMAGE, 'other')}/info.json").status == 404
    service.close()


def test_open_findings_about_a_deleted_work_are_resolved(library: Library) -> None:
    repository = library.repository
    for store in (repository.store, repository.replicas[REPLICA]):
        (master,) = [stored.key for stored in store.list(paths.OCFL_ROOT) if stored.key.endswith(".tif")]
        store.delete(master)
    library.sweep("")
    library.sweep(REPLICA)
    assert {finding.state for finding in repository.findings.findings_of_work(library.work)} == {FindingState.OPEN}
    library.decide()
    library.carry_out()
    findings = repository.findings.findings_of_work(library.work)
    assert {(finding.store, finding.state) for finding in findings} == {
        ("", FindingState.RESOLVED),
        (REPLICA, FindingState.RESOLVED),
    }
    assert not [unit for store in ("", REPLICA) for unit in repository.fixity.units_of_work(library.work, store)]


def test_a_sweep_during_a_deletion_does_not_report_its_files(library: Library) -> None:
    repository = library.repository
    library.decide()
    library.run(sequence_events_job())
    for name, store in (("", repository.store), (REPLICA, repository.replicas[REPLICA])):
        put_tombstone(store, Tombstone(library.work, "", "", 2))
        erase_object(store, library.work)  # the process ends here
        library.sweep(name)
    assert repository.findings.findings_of_work(library.work) == []
    library.carry_out()
    library.sweep("")
    assert repository.findings.open_findings(limit=9) == []


def test_nothing_erases_an_object_without_a_tombstone(library: Library) -> None:
    before = library.files()
    with pytest.raises(ObjectInvalid):
        erase_object(library.repository.store, library.work)
    assert library.files() == before


class DecidedMeanwhile:
    """A store whose library decides and carries out a deletion while a master is read."""

    def __init__(self, library: Library) -> None:
        self._store, self._library = library.repository.store, library

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def chunks(self, key: str, *arguments: Any) -> Iterator[Chunk]:
        received = list(self._store.chunks(key, *arguments))
        if key.endswith(".tif") and self._library.state() is not DeletionState.DELETED:
            self._library.confirm()
            self._library.carry_out()
        yield from received


@pytest.mark.parametrize("kind", ["copy", "pyramid"])
def test_what_a_job_was_writing_when_the_work_was_deleted_does_not_stay(library: Library, kind: str) -> None:
    repository, replica = library.repository, library.repository.replicas[REPLICA]
    library.withdraw()
    library.run(replicate_work_job(REPLICA, library.work))
    library.request()
    library.clock.now += timedelta(days=8)
    (image,) = library.images()
    jobs = {"copy": replicate_work_job(REPLICA, library.work), "pyramid": pyramid_job(image, library.work)}
    for stored in list(repository.store.list(paths.pyramids_of(image))):
        repository.store.delete(stored.key)
    (master,) = (stored.key for stored in replica.list(paths.OCFL_ROOT) if stored.key.endswith(".tif"))
    replica.delete(master)
    watched = replace(repository, store=cast(Any, DecidedMeanwhile(library)))
    Library(replace(library.context, repository=watched), library.clock, library.work, library.deposit).run(jobs[kind])
    assert library.state() is DeletionState.DELETED
    assert library.files() == library.files(replica) == []
    assert repository.replica_status.replicas_of(library.work) == []


def test_a_replica_that_is_away_is_deleted_later(library: Library) -> None:
    class Away:
        def __getattr__(self, name: str) -> Any:
            def fail(*_: object) -> None:
                raise StoreFault(key="", reason="away")

            return fail

    library.decide()
    repository = library.repository
    copy = repository.replicas[REPLICA]
    without = replace(repository, replicas={REPLICA: Away()})
    absent = Library(TaskContext(without, library.context.examiner), library.clock, library.work, library.deposit)
    absent.carry_out()
    assert library.state() is DeletionState.DELETED
    assert library.files(copy)
    library.clock.now += timedelta(hours=1)
    library.run(delete_copy_job(REPLICA, library.work))
    assert library.files(copy) == []
