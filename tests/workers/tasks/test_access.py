"""Withdrawals and restrictions are preserved with the work: neither a rebuild nor a deposit opens it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from deposits import write_deposit
from saved_repository import SavedRepository
from silent_progress import SilentProgress

from iiif_server.presentation.published import PresentationService
from preservation.log.log import ProvenanceLog
from preservation.log.sequencer import needs_recording, open_log
from preservation.ocfl import objects
from preservation.ocfl.validation import validate_object
from preservation.premis import parse_event
from repository import paths
from repository.config import Settings
from repository.database.log_sequence import LogSequence
from repository.database.outbox import Job, JobState
from repository.errors import Busy, DigestMismatch, KeyNotFound, LogInvalid, NotFound, ObjectInvalid
from repository.model.access import AccessVerdict, decide
from repository.model.access_json import access_of_json, access_to_json
from repository.model.work import Access, Agent, WorkAccess, WorkState
from repository.repository import Repository, memory_repository
from repository.storage.folder import FolderStore
from repository.storage.store import ObjectStore
from workers.bootstrap import prepare_repository
from workers.deposit.examiner import ChildDepositExaminer
from workers.execution.context import TaskContext
from workers.maintenance.log_keys import rotate_keys
from workers.maintenance.rebuild import rebuild
from workers.service.local import local_runner
from workers.tasks import outdated as outdated_module
from workers.tasks.access import CatalogueOutdated, end_restrictions, preserve_access, restore, set_level, withdraw
from workers.tasks.ingest import ingest
from workers.tasks.jobs import access_job, ingest_job, repair_work_job, sequence_events_job
from workers.tasks.outdated import heed_log, publish_head
from workers.tasks.preserve import ACCESS, preserved_access

RESTRICTED = WorkAccess(access=Access.RESTRICTED)
OPEN = WorkAccess()
REASON = "應權利人張三請求"


class ChangingClock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


class Original(NamedTuple):
    """A repository with one work, and the deposit of the work."""

    repository: SavedRepository
    work: str
    deposit: Path


@pytest.fixture
def clock() -> ChangingClock:
    return ChangingClock()


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, examiner: ChildDepositExaminer) -> Original:
    """An ingested work in a repository with a folder as replica."""
    folder = tmp_path_factory.mktemp("original")
    settings = Settings(data=folder / "var", replicas=(str(folder / "replica"),))
    repository = prepare_repository(memory_repository(settings, ChangingClock()))
    deposit = write_deposit(folder / "deposit")
    work = str(ingested(TaskContext(repository, examiner), deposit).result["identifier"])
    return Original(SavedRepository(repository, folder), work, deposit)


@pytest.fixture
def context(original: Original, examiner: ChildDepositExaminer, clock: ChangingClock) -> TaskContext:
    """The context of an ingest: the repository has `work`."""
    return TaskContext(original.repository.copy(clock), examiner)


@pytest.fixture
def work(original: Original) -> str:
    return original.work


@pytest.fixture
def deposit(original: Original) -> Path:
    """The deposit of `work`."""
    return original.deposit


def ingested(context: TaskContext, deposit: Path) -> Job:
    with local_runner(context) as runner:
        job = runner.run(ingest_job(deposit))
    assert job.state is JobState.DONE, job.result
    return job


def preserved(context: TaskContext, work: str) -> None:
    """Run the job that preserves the access, and its follow-up jobs."""
    with local_runner(context) as runner:
        [job] = runner.attempt([access_job(work)])
        assert runner.unfinished() == []
    assert job.state is JobState.DONE, job.result


def rebuilt(context: TaskContext) -> Repository:
    """Return the repository with an empty database, rebuilt from the store."""
    fresh = memory_repository(context.repository.settings, context.repository.clock)
    empty = prepare_repository(replace(fresh, store=context.repository.store))
    rebuild(empty, context.examiner, SilentProgress())
    return empty


def shown(repository: Repository, work: str) -> AccessVerdict:
    """Return what readers see: the work's page and each of its images agree."""
    held = repository.catalogue.work(work)
    state = repository.catalogue.state(work)
    assert held is not None
    assert state is not None
    verdicts = {decide(held.rights, state, repository.clock()).verdict}
    for image in held.images():
        found = repository.catalogue.image(image.identifier)
        assert found is not None
        verdicts.add(decide(found.rights, found.state, repository.clock()).verdict)
    assert len(verdicts) == 1
    return verdicts.pop()


def listed(store: ObjectStore) -> str:
    return PresentationService(store).collection("top", "https://example.org").body.decode()


def with_line(deposit: Path, line: str) -> None:
    """Change the record of a deposit: its range is left out, and the line is added."""
    text = (deposit / "work.toml").read_text("utf-8")
    (deposit / "work.toml").write_text(f"{line}\n{text}", "utf-8")


def masters(store: ObjectStore) -> dict[str, bytes]:
    return {item.key: store.read(item.key) for item in store.list(paths.OCFL_ROOT) if "/content/masters/" in item.key}


CHANGES: list[tuple[str, Callable[[Repository, str], object], AccessVerdict]] = [
    ("withdrawn", lambda repository, work: withdraw(repository, work, REASON), AccessVerdict.WITHDRAWN),
    ("restricted", lambda repository, work: set_level(repository, work, RESTRICTED), AccessVerdict.REFUSED),
    (
        "reduced",
        lambda repository, work: set_level(repository, work, WorkAccess(access=Access.REDUCED, max_size=90)),
        AccessVerdict.REDUCED,
    ),
    (
        "restricted until a day",
        lambda repository, work: set_level(repository, work, replace(RESTRICTED, until="2027-01-01")),
        AccessVerdict.REFUSED,
    ),
]


@pytest.mark.parametrize(("change", "verdict"), [pytest.param(*rest, id=name) for name, *rest in CHANGES])
@pytest.mark.parametrize("line", ["", 'access = "open"', 'summary = "新記錄"'])
def test_neither_a_rebuild_nor_a_deposit_opens_a_work(
    context: TaskContext,
    deposit: Path,
    work: str,
    change: Callable[[Repository, str], object],
    verdict: AccessVerdict,
    line: str,
) -> None:
    repository, before = context.repository, masters(context.repository.store)
    change(repository, work)
    assert shown(repository, work) is verdict
    preserved(context, work)
    in_force = repository.catalogue.access(work)
    assert validate_object(repository.store, paths.ocfl_object(work)).valid

    after_loss = rebuilt(context)
    assert shown(after_loss, work) is verdict
    assert after_loss.catalogue.access(work) == in_force
    assert after_loss.catalogue.counts() == repository.catalogue.counts()

    if line:
        with_line(deposit, line)
    for held in (repository, after_loss):
        job = ingested(replace(context, repository=held), deposit)
        assert job.result["access_kept"] is True
        assert job.result["changed"] is (bool(line) and held is repository)
        assert shown(held, work) is verdict
        assert held.catalogue.access(work).access == in_force.access
    assert shown(rebuilt(context), work) is verdict
    assert masters(repository.store) == before


def test_a_deposit_into_an_empty_catalogue_does_not_open_a_withdrawn_work(
    context: TaskContext, deposit: Path, work: str
) -> None:
    withdraw(context.repository, work, REASON)
    preserved(context, work)
    fresh = memory_repository(context.repository.settings, context.repository.clock)
    empty = prepare_repository(replace(fresh, store=context.repository.store))
    ingested(replace(context, repository=empty), deposit)
    assert shown(empty, work) is AccessVerdict.WITHDRAWN


@pytest.fixture
def outdated(context: TaskContext, work: str) -> TaskContext:
    """The context with a catalogue that was restored from a backup: it does not know that the work was withdrawn."""
    fresh = memory_repository(context.repository.settings, context.repository.clock)
    restored = prepare_repository(replace(fresh, store=context.repository.store))
    rebuild(restored, context.examiner, SilentProgress())
    set_level(context.repository, work, RESTRICTED)
    withdraw(context.repository, work, REASON)
    preserved(context, work)
    return replace(context, repository=restored)


def test_a_deposit_under_an_outdated_catalogue_does_not_revert_a_withdrawal(
    outdated: TaskContext, deposit: Path, work: str
) -> None:
    for line in ("", 'access = "restricted"\n'):
        record = deposit / "work.toml"
        record.write_text(line + record.read_text("utf-8"), "utf-8")
        ingested(outdated, deposit)
        assert shown(outdated.repository, work) is AccessVerdict.WITHDRAWN
        held = preserved_access(outdated.repository.store, work).access
        assert (held.state, held.access) == (WorkState.WITHDRAWN, Access.RESTRICTED)


@pytest.mark.parametrize("level", [RESTRICTED, WorkAccess(access=Access.REDUCED, max_size=100)])
def test_a_change_under_an_outdated_catalogue_does_not_revert_a_withdrawal(
    outdated: TaskContext, work: str, level: WorkAccess
) -> None:
    set_level(outdated.repository, work, level)
    with local_runner(outdated) as runner:
        [job] = runner.attempt([access_job(work)])
    assert job.state is JobState.FAILED
    assert job.result
    assert job.result["code"] == CatalogueOutdated.code
    assert shown(outdated.repository, work) is AccessVerdict.WITHDRAWN
    assert preserved_access(outdated.repository.store, work).access.state is WorkState.WITHDRAWN
    rebuild(outdated.repository, outdated.examiner, SilentProgress())
    assert shown(outdated.repository, work) is AccessVerdict.WITHDRAWN
    restore(outdated.repository, work)
    preserved(outdated, work)
    assert preserved_access(outdated.repository.store, work).access.state is WorkState.PUBLISHED
    assert preserved_access(outdated.repository.store, work).access.access is Access.RESTRICTED


def test_an_outdated_catalogue_withdraws_what_the_log_says_is_withdrawn_before_it_serves(
    outdated: TaskContext, work: str
) -> None:
    assert shown(outdated.repository, work) is not AccessVerdict.WITHDRAWN
    prepare_repository(outdated.repository)
    assert shown(outdated.repository, work) is AccessVerdict.WITHDRAWN


def test_an_outdated_catalogue_learns_from_the_log_and_takes_the_version_of_the_object(
    outdated: TaskContext, work: str
) -> None:
    repository = outdated.repository
    versions = len(objects.read_inventory(repository.store, work).versions)
    held = preserved_access(repository.store, work).access
    assert needs_recording(repository)
    for _ in range(2):
        with local_runner(outdated) as runner:
            jobs = runner.attempt([sequence_events_job(), repair_work_job(work)])
            assert runner.unfinished() == []
        assert [job.state for job in jobs] == [JobState.DONE, JobState.DONE]
    assert not needs_recording(repository)
    assert shown(repository, work) is AccessVerdict.WITHDRAWN
    assert work not in listed(repository.store)
    assert not repository.store.exists(paths.manifest(work))
    assert (repository.catalogue.version(work), repository.catalogue.access(work).access) == (versions, held)
    assert held.reason == REASON
    assert len(objects.read_inventory(repository.store, work).versions) == versions
    assert not open_log(repository).verify().problems


@pytest.fixture
def outdated_withdrawal(context: TaskContext, work: str) -> TaskContext:
    """The context with a catalogue restored from a backup: it does not know that a withdrawn work was restored."""
    withdraw(context.repository, work, REASON)
    preserved(context, work)
    fresh = memory_repository(context.repository.settings, context.repository.clock)
    restored = prepare_repository(replace(fresh, store=context.repository.store))
    rebuild(restored, context.examiner, SilentProgress())
    restore(context.repository, work)
    preserved(context, work)
    return replace(context, repository=restored)


def test_an_outdated_catalogue_takes_the_restoration_of_a_later_version(
    outdated_withdrawal: TaskContext, work: str
) -> None:
    repository = outdated_withdrawal.repository
    versions = len(objects.read_inventory(repository.store, work).versions)
    prepare_repository(repository)
    assert shown(repository, work) is AccessVerdict.WITHDRAWN
    with local_runner(outdated_withdrawal) as runner:
        runner.attempt([sequence_events_job(), repair_work_job(work)])
        assert runner.unfinished() == []
    assert shown(repository, work) is AccessVerdict.OPEN
    assert len(objects.read_inventory(repository.store, work).versions) == versions
    assert repository.store.exists(paths.manifest(work))


def test_a_withdrawal_of_the_log_stays_when_the_object_has_lost_its_version(
    outdated_withdrawal: TaskContext, context: TaskContext, work: str
) -> None:
    repository = outdated_withdrawal.repository
    held = {stored.key: repository.store.read(stored.key) for stored in repository.store.list(paths.ocfl_object(work))}
    withdraw(context.repository, work, REASON)
    preserved(context, work)
    for stored in list(repository.store.list(paths.ocfl_object(work))):
        repository.store.delete(stored.key)
    for key, content in held.items():
        repository.store.put(key, content)
    prepare_repository(repository)
    publish_head(outdated_withdrawal, work)
    assert shown(repository, work) is AccessVerdict.WITHDRAWN


def test_a_change_of_the_staff_stays_while_the_log_cannot_be_written(outdated: TaskContext, work: str) -> None:
    repository = outdated.repository
    prepare_repository(repository)
    publish_head(outdated, work)
    restore(repository, work)
    job = repository.jobs.get(access_job(work).key)
    assert job
    preserve_access(outdated, replace(job, plan={}))
    assert needs_recording(repository)
    prepare_repository(repository)
    assert repository.catalogue.state(work) is WorkState.PUBLISHED


def test_a_change_of_keys_under_an_outdated_catalogue_heeds_the_log(outdated: TaskContext, work: str) -> None:
    rotate_keys(outdated.repository)
    assert not needs_recording(outdated.repository)
    assert shown(outdated.repository, work) is AccessVerdict.WITHDRAWN


def test_a_rebuild_of_an_outdated_catalogue_takes_the_reason_of_the_object(outdated: TaskContext, work: str) -> None:
    repository = outdated.repository
    prepare_repository(repository)
    rebuild(repository, outdated.examiner, SilentProgress())
    held = repository.catalogue.access(work)
    assert (held.access.reason, held.is_pending) == (REASON, False)


def test_a_damaged_part_of_the_log_hides_no_withdrawal_in_another(
    outdated: TaskContext, work: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = ProvenanceLog.entries

    def entries(log: ProvenanceLog, start: int, end: int) -> Iterator[bytes]:
        if start == 0:
            raise LogInvalid(reason="damaged")
        return read(log, start, end)

    monkeypatch.setattr(ProvenanceLog, "entries", entries)
    monkeypatch.setattr(outdated_module, "TILE_WIDTH", 1)
    monkeypatch.setattr(LogSequence, "unknown_ranges", lambda *_: [(0, open_log(outdated.repository).size)])
    prepare_repository(outdated.repository)
    assert shown(outdated.repository, work) is AccessVerdict.WITHDRAWN
    with pytest.raises(LogInvalid):
        heed_log(outdated.repository)


def test_an_outdated_catalogue_takes_the_redactions_of_a_later_version(
    context: TaskContext, deposit: Path, work: str, tmp_path: Path
) -> None:
    fresh = memory_repository(context.repository.settings, context.repository.clock)
    older = prepare_repository(replace(fresh, store=context.repository.store))
    rebuild(older, context.examiner, SilentProgress())
    redacted = Path(shutil.copytree(deposit, tmp_path / "redacted" / deposit.name))
    with (redacted / "work.toml").open("a", encoding="utf-8") as record:
        record.write('[[page]]\nfile = "0002"\nredact = ["10,20,30,40"]\n')
    assert ingested(context, redacted).result["identifier"] == work
    with local_runner(replace(context, repository=older)) as runner:
        runner.attempt([sequence_events_job()])
        runner.attempt([repair_work_job(work)])
    assert [len(image.redactions) for image in older.catalogue.work(work).images()] == [0, 1, 0]


def test_a_withdrawn_work_leaves_manifest_and_collection_and_returns(context: TaskContext, work: str) -> None:
    repository = context.repository
    original = repository.store.read(paths.manifest(work))
    assert work in listed(repository.store)
    withdraw(repository, work, REASON)
    preserved(context, work)
    assert work not in listed(repository.store)
    assert not repository.store.exists(paths.manifest(work))
    assert repository.catalogue.counts().published == 0
    assert work not in listed(rebuilt(context).store)
    assert not repository.store.exists(paths.manifest(work))
    restore(repository, work)
    preserved(context, work)
    assert shown(repository, work) is AccessVerdict.OPEN
    assert repository.store.read(paths.manifest(work)) == original
    assert work in listed(repository.store)
    assert shown(rebuilt(context), work) is AccessVerdict.OPEN


def test_replicas_hold_the_withdrawal(context: TaskContext, work: str) -> None:
    withdraw(context.repository, work, REASON)
    preserved(context, work)
    replica = FolderStore(Path(context.repository.settings.replicas[0]))
    assert validate_object(replica, paths.ocfl_object(work)).valid
    assert preserved_access(replica, work).access.state is WorkState.WITHDRAWN


def test_changes_are_logged_without_the_reason(context: TaskContext, work: str, clock: ChangingClock) -> None:
    repository = context.repository
    for number, change in enumerate((
        lambda: withdraw(repository, work, REASON),
        lambda: restore(repository, work, REASON),
        lambda: set_level(repository, work, replace(RESTRICTED, until="2030-01-01"), REASON),
    )):  # fmt: skip
        clock.now = datetime(2026, 2, 1 + number, tzinfo=UTC)
        change()
        preserved(context, work)
    log = open_log(repository)
    assert log.verify().ok
    leaves = list(log.entries(0, log.size))
    assert not any("張三".encode() in leaf for leaf in leaves)
    events = [parse_event(leaf) for leaf in leaves][-3:]
    assert [event.detail["change"] for event in events] == ["withdrawal", "restoration", "change of access"]
    assert [event.time for event in events] == [f"2026-02-0{day}T00:00:00Z" for day in (1, 2, 3)]
    assert {event.detail["agent"] for event in events} == {"staff"}
    assert (events[-1].detail["access"], events[-1].detail["until"]) == ("restricted", "2030-01-01")
    records = [f"{paths.ocfl_object(work)}/v{version}/content/{ACCESS}" for version in (2, 3, 4)]
    assert [access_of_json(repository.store.read(key)).reason for key in records] == [REASON] * 3


def test_a_change_to_the_same_access_changes_nothing(context: TaskContext, work: str) -> None:
    withdraw(context.repository, work, REASON)
    preserved(context, work)
    before = {item.key: context.repository.store.read(item.key) for item in context.repository.store.list()}
    withdraw(context.repository, work, "another reason")
    preserved(context, work)
    assert {item.key: context.repository.store.read(item.key) for item in context.repository.store.list()} == before


def test_an_unknown_work_cannot_be_withdrawn(context: TaskContext) -> None:
    with pytest.raises(NotFound):
        withdraw(context.repository, "w0", REASON)


def test_a_withdrawal_is_in_force_while_an_ingest_of_the_work_is_active(
    context: TaskContext, deposit: Path, work: str
) -> None:
    repository = context.repository
    with_line(deposit, 'summary = "新記錄"')
    repository.jobs.enqueue(ingest_job(deposit))
    job = repository.jobs.start(ingest_job(deposit).key, "other", 60)
    survey = ingest(context, job)
    repository.jobs.fan_out(job.key, "other", survey.children, survey.plan, survey.claim)

    withdraw(repository, work, REASON)
    assert shown(repository, work) is AccessVerdict.WITHDRAWN
    access = repository.jobs.start(access_job(work).key, "another", 60)
    claim = preserve_access(context, access)
    with pytest.raises(Busy):
        repository.jobs.fan_out(access.key, "another", claim.children, claim.plan, claim.claim)
    repository.jobs.postpone(access.key, "another", Busy(what=work).to_json(), 0)

    ingested(context, deposit)
    assert shown(repository, work) is AccessVerdict.WITHDRAWN
    assert preserved_access(repository.store, work).access.state is WorkState.WITHDRAWN
    preserved(context, work)
    assert shown(rebuilt(context), work) is AccessVerdict.WITHDRAWN
    log = open_log(repository)
    changes = [parse_event(leaf).detail.get("change") for leaf in log.entries(0, log.size)]
    assert changes.count("withdrawal") == 1


def test_a_change_made_while_a_work_is_published_stays_in_force(context: TaskContext, deposit: Path, work: str) -> None:
    """The store of the ingest withdraws the work when the new version has been committed already."""
    repository = context.repository

    class WithdrawingStore:
        def __getattr__(self, name: str) -> object:
            return getattr(repository.store, name)

        def put(self, key: str, content: object) -> None:
            repository.store.put(key, content)
            if key == paths.manifest(work):
                withdraw(repository, work, REASON)

    with_line(deposit, 'summary = "新記錄"')
    ingested(replace(context, repository=replace(repository, store=WithdrawingStore())), deposit)
    assert shown(repository, work) is AccessVerdict.WITHDRAWN
    preserved(context, work)
    assert not repository.store.exists(paths.manifest(work))
    assert shown(rebuilt(context), work) is AccessVerdict.WITHDRAWN


def test_a_rebuild_keeps_a_change_that_is_not_preserved_yet(context: TaskContext, work: str) -> None:
    withdraw(context.repository, work, REASON)
    rebuild(context.repository, context.examiner, SilentProgress())
    assert shown(context.repository, work) is AccessVerdict.WITHDRAWN
    assert context.repository.catalogue.counts().published == 0
    preserved(context, work)
    assert shown(rebuilt(context), work) is AccessVerdict.WITHDRAWN


@pytest.mark.parametrize("damage", ["missing", "changed"])
def test_a_damaged_access_record_opens_nothing(context: TaskContext, work: str, damage: str) -> None:
    withdraw(context.repository, work, REASON)
    preserved(context, work)
    store = context.repository.store
    inventory = objects.read_inventory(store, work)
    assert inventory is not None
    key = objects.file_key(inventory, work, ACCESS)
    if damage == "missing":
        store.delete(key)
    else:
        store.put(key, access_to_json(OPEN))
    with pytest.raises((KeyNotFound, DigestMismatch, ObjectInvalid)):
        preserved_access(store, work)


def test_an_object_of_an_old_copy_does_not_open_a_work_that_the_log_names_withdrawn(
    context: TaskContext, work: str
) -> None:
    store, root = context.repository.store, paths.ocfl_object(work)
    before = {item.key: store.read(item.key) for item in store.list(root)}
    withdraw(context.repository, work, REASON)
    preserved(context, work)
    for item in list(store.list(root)):
        store.delete(item.key)
    for key, content in before.items():
        store.put(key, content)
    fresh = memory_repository(context.repository.settings, context.repository.clock)
    empty = prepare_repository(replace(fresh, store=store))
    done = rebuild(empty, context.examiner, SilentProgress())
    assert [(lost.work, lost.logged, lost.stored) for lost in done.lost] == [(work, 2, 1)]
    assert shown(empty, work) is AccessVerdict.WITHDRAWN
    assert not store.exists(paths.manifest(work))


def test_a_restriction_ends_by_itself_and_its_end_is_recorded(
    context: TaskContext, work: str, clock: ChangingClock
) -> None:
    repository = context.repository
    set_level(repository, work, replace(RESTRICTED, until="2026-03-01"))
    preserved(context, work)
    closed = json.loads(repository.store.read(paths.manifest(work)))
    assert "thumbnail" not in closed
    clock.now = datetime(2026, 2, 28, 23, 59, 59, tzinfo=UTC)
    assert end_restrictions(repository) == 0
    assert shown(repository, work) is AccessVerdict.REFUSED
    clock.now += timedelta(seconds=1)
    assert shown(repository, work) is AccessVerdict.OPEN
    assert end_restrictions(repository) == 1
    preserved(context, work)
    assert "thumbnail" in json.loads(repository.store.read(paths.manifest(work)))
    held = repository.catalogue.access(work)
    assert held is not None
    assert held.access == WorkAccess(changed="2026-03-01T00:00:00Z", agent=Agent.SOFTWARE)
    assert end_restrictions(repository) == 0
    assert shown(rebuilt(context), work) is AccessVerdict.OPEN


def test_a_deposit_without_an_access_line_does_not_open_a_restricted_work(context: TaskContext, deposit: Path) -> None:
    plain = (deposit / "work.toml").read_text("utf-8")
    (deposit / "work.toml").write_text(f'identifier = "LIB-1"\naccess = "restricted"\n{plain}', "utf-8")
    work = ingested(context, deposit).result["identifier"]
    (deposit / "work.toml").write_text(f'identifier = "LIB-1"\n{plain}', "utf-8")
    job = ingested(context, deposit)
    assert (job.result["identifier"], job.result["changed"], job.result["access_kept"]) == (work, True, True)
    assert shown(context.repository, work) is AccessVerdict.REFUSED
    assert shown(rebuilt(context), work) is AccessVerdict.REFUSED


def test_a_deposit_that_states_less_access_restricts_the_work(context: TaskContext, deposit: Path, work: str) -> None:
    with_line(deposit, 'access = "restricted"')
    job = ingested(context, deposit)
    assert job.result["access_kept"] is False
    assert shown(context.repository, work) is AccessVerdict.REFUSED
    assert shown(rebuilt(context), work) is AccessVerdict.REFUSED
    set_level(context.repository, work, OPEN)
    preserved(context, work)
    assert ingested(context, deposit).result["changed"] is False
    assert shown(context.repository, work) is AccessVerdict.OPEN


def test_the_access_record_is_read_back() -> None:
    access = WorkAccess(
        WorkState.WITHDRAWN, Access.REDUCED, 800, "2027-01-01", "2026-01-01T00:00:00Z", Agent.STAFF, "因"
    )
    assert access_of_json(access_to_json(access)) == access
    assert access_of_json(access_to_json(OPEN)) == OPEN
    with pytest.raises(ValueError, match="unknown field"):
        access_of_json(access_to_json(OPEN).replace(b'"format"', b'"other":1,"format"'))


def test_change_of_access_is_no_change_of_the_record_by_the_next_deposit(
    context: TaskContext, deposit: Path, work: str
) -> None:
    set_level(context.repository, work, RESTRICTED)
    write_deposit(deposit.parent / "new", 1, seed=50).joinpath("0001.tif").replace(deposit / "0003.tif")
    with local_runner(context) as runner:
        job = runner.run(ingest_job(deposit, work))
    assert job.state is JobState.DONE, job.result
    changes = job.result["changes"]
    assert (changes["replaced"], changes["record"]) == (["0003"], False)


@pytest.mark.parametrize("harm", ["lost", "damaged", "lost before the change was preserved"])
def test_lost_work_stays_withdrawn_when_it_is_deposited_again(
    context: TaskContext, deposit: Path, work: str, harm: str
) -> None:
    repository = context.repository
    withdraw(repository, work, REASON)
    if harm != "lost before the change was preserved":
        preserved(context, work)
    keys = [item.key for item in repository.store.list(paths.ocfl_object(work))]
    for key in keys if harm != "damaged" else [key for key in keys if key.endswith("/inventory.json")]:
        repository.store.delete(key)
    for _ in range(2):  # the second rebuild finds nothing of it in the catalogue
        rebuild(repository, context.examiner, SilentProgress())
    assert repository.catalogue.work(work) is None
    for key in keys:
        repository.store.delete(key)
    job = ingested(context, deposit)
    assert shown(repository, work) is AccessVerdict.WITHDRAWN
    assert (job.result["state"], job.result["access_kept"]) == ("withdrawn", True)
    assert work not in listed(repository.store)
    assert shown(rebuilt(context), work) is AccessVerdict.WITHDRAWN
    restore(repository, work)
    with local_runner(context) as runner:  # the replica, which holds the lost object, takes no other
        runner.attempt([access_job(work)])
    rebuild(repository, context.examiner, SilentProgress())
    assert shown(repository, work) is AccessVerdict.OPEN
