"""The runbook for a log whose newest entries no store and no database has: it ends, and another one begins."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from deposits import write_deposit
from repairable_library import PLACES, RepairableLibrary, build_library, contents
from silent_progress import SilentProgress

from preservation.log import evidence
from preservation.log.audit import audit
from preservation.log.key_file import KEY_FILE
from preservation.log.merkle import TreeHead
from preservation.log.notes import parse_checkpoint, parse_note
from preservation.log.sequencer import log_keys, open_log, record_events
from preservation.log.subject import evidence_of, parse_subject
from preservation.premis import parse_event
from repository.config import Settings
from repository.errors import LogInvalid
from repository.repository import Repository, open_repository
from repository.storage.folder import FolderStore
from workers.bootstrap import prepare_repository
from workers.deposit.examiner import ChildDepositExaminer
from workers.execution.context import TaskContext
from workers.maintenance.rebuild import rebuild
from workers.service.local import local_runner
from workers.tasks.jobs import ingest_job, replicate_log_job

ENDED = "log-ended"


@dataclass(frozen=True)
class LostEntries:
    """A library whose log was signed to more entries than are left: its folder, its works, and what was given out."""

    settings: Settings
    stores: dict[str, Path]
    works: list[str]
    key: str
    evidence: bytes
    head: TreeHead


@pytest.fixture
def library(tmp_path: Path, examiner: ChildDepositExaminer) -> LostEntries:
    built = build_library(tmp_path, examiner)
    repository, stores = built.repository, {"store": tmp_path / "var" / "store", "replica": tmp_path / "replica"}
    older = {place: contents_of_log(built, place) for place in PLACES}
    head = parse_checkpoint(parse_note(older["store"]["log/checkpoint"]).text).head
    kept = evidence_of(repository, parse_subject(built.works[0]))
    context = TaskContext(repository, examiner)
    with local_runner(context) as runner:
        job = runner.run(ingest_job(write_deposit(tmp_path / "third", 1, "新收", seed=90)))
    for place in PLACES:  # the newest entries are lost
        for stored in list(built.store(place).list("log")):
            built.store(place).delete(stored.key)
        for key, content in older[place].items():
            built.store(place).put(key, content)
    (tmp_path / "var" / "shanben.sqlite").rename(tmp_path / "lost.sqlite")
    for suffix in ("-wal", "-shm"):
        (tmp_path / "var" / f"shanben.sqlite{suffix}").unlink(missing_ok=True)
    works = [*built.works, str((job.result or {})["identifier"])]
    return LostEntries(repository.settings, stores, works, log_keys(repository).text(), kept, head)


def contents_of_log(library: RepairableLibrary, place: str) -> dict[str, bytes]:
    return {key: content for key, content in contents(library.store(place)).items() if key.startswith("log/")}


def opened(settings: Settings) -> Repository:
    return prepare_repository(open_repository(settings))


def test_log_without_its_newest_entries_signs_nothing(library: LostEntries, examiner: ChildDepositExaminer) -> None:
    repository = opened(library.settings)
    before = repository.store.read("log/checkpoint")
    done = rebuild(repository, examiner, SilentProgress())
    assert done.works == 3
    assert done.log_problems
    with pytest.raises(LogInvalid, match="rolled back"):
        record_events(repository)
    repair = RepairableLibrary(repository, library.works).repair()
    assert {each.key for each in repair.left} == {"log/checkpoint"}
    assert repository.store.read("log/checkpoint") == before


def test_log_ends_and_another_one_begins_with_all_events_that_the_works_carry(
    library: LostEntries, examiner: ChildDepositExaminer
) -> None:
    data = library.settings.data
    for store in library.stores.values():
        (store / "log").rename(store / ENDED)
    (data / "keys" / KEY_FILE).rename(data / "keys" / f"{KEY_FILE}.ended")
    (data / "log.signed").rename(data / "log.signed.ended")
    repository = opened(replace(library.settings, log_origin="library.example/log-2"))
    assert rebuild(repository, examiner, SilentProgress()).log_problems == ()
    record_events(repository)
    with local_runner(TaskContext(repository, examiner)) as runner:
        runner.attempt([replicate_log_job(store) for store in repository.replicas])

    log = open_log(repository)
    assert (log.key.name, log.verify().ok) == ("library.example/log-2", True)
    events = [parse_event(entry) for entry in log.entries(0, log.size)]
    assert {event.work for event in events} == set(library.works)
    restored = RepairableLibrary(repository, library.works)
    assert [restored.findings(place) for place in PLACES] == [set(), set()]
    for work in library.works:
        evidence.verify(evidence_of(repository, parse_subject(work)), log.key.text(), [])

    assert evidence.verify(library.evidence, library.key, []).entry
    alone = data / "alone"
    shutil.copytree(library.stores["store"] / ENDED, alone / "log")
    assert audit(FolderStore(alone), [library.head]).ok
