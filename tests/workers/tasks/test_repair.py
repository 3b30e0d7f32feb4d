"""Repairs as jobs: a sweep's findings are repaired by themselves, logged, closed, and the work is checked again."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from deposits import write_deposit
from planted_faults import flip

from preservation.fixity.repair_outcome import RepairOutcome
from preservation.log.sequencer import open_log
from preservation.premis import parse_event
from repository.config import Settings
from repository.database.fixity_values import FindingState
from repository.database.outbox import JobState
from repository.paths import ocfl_object
from repository.repository import open_repository
from workers.bootstrap import prepare_repository
from workers.deposit.examiner import ChildDepositExaminer
from workers.execution.context import TaskContext
from workers.service.local import local_runner
from workers.tasks.fixity_plan import totals_of
from workers.tasks.fixity_settings import stores_of
from workers.tasks.jobs import ALL, NO_WORK, ingest_job, pyramid_job, repair_work_job, sweep_job
from workers.tasks.repair import repair_jobs, verification_jobs

MASTER = "v1/content/masters/0001.tif"


@pytest.fixture
def context(tmp_path: Path, examiner: ChildDepositExaminer) -> TaskContext:
    settings = Settings(data=tmp_path / "var", replicas=(str(tmp_path / "replica"),))
    return TaskContext(prepare_repository(open_repository(settings)), examiner)


@pytest.fixture
def work(context: TaskContext, tmp_path: Path) -> str:
    with local_runner(context) as runner:
        job = runner.run(ingest_job(write_deposit(tmp_path / "deposit", 1)))
    assert job.state is JobState.DONE, job.result
    return str((job.result or {})["identifier"])


def test_findings_of_a_sweep_are_repaired_logged_and_closed(context: TaskContext, work: str) -> None:
    repository = context.repository
    (replica,) = repository.replicas
    key = f"{ocfl_object(work)}/{MASTER}"
    whole = repository.store.read(key)
    (pyramid,) = repository.catalogue.pyramids(work).values()
    flip(repository.store, key)
    repository.store.delete(pyramid.key)
    with local_runner(context) as runner:
        runner.run(sweep_job("", ALL))
        found = {finding.key: finding.state for finding in repository.findings.findings_of_work(work)}
        assert found == {key: FindingState.OPEN, pyramid.key: FindingState.OPEN}
        (job,) = repair_jobs(repository)
        queued = repository.jobs.get(job.key)
        assert queued
        assert queued.state is JobState.QUEUED
        runner.attempt([job])
        runner.run(sweep_job("", work))
    assert repository.store.read(key) == whole
    assert repository.store.exists(pyramid.key)
    ended = {finding.key: (finding.state, finding.done) for finding in repository.findings.findings_of_work(work)}
    assert ended == {key: (FindingState.REPAIRED, replica), pyramid.key: (FindingState.REPAIRED, "store")}
    assert all(each.is_verified for each in repository.fixity.verifications(work) if each.store == "")
    events = [parse_event(entry) for entry in open_log(repository).entries(0, 1000)]
    repairs = [event for event in events if event.detail.get("act") == "repair"]
    assert [(event.work, event.image) for event in repairs] == [
        (work, next(iter(repository.catalogue.pyramids(work)))),
    ]


def test_what_a_killed_repair_put_back_is_logged_by_the_next_one(context: TaskContext, work: str) -> None:
    repository = context.repository
    (replica,) = repository.replicas
    key = f"{ocfl_object(work)}/{MASTER}"
    whole = repository.store.read(key)
    flip(repository.store, key)
    with local_runner(context) as runner:
        runner.run(sweep_job("", ALL))
        (finding,) = repository.findings.findings_of_work(work)
        repository.findings.note_source(finding.id, replica)
        repository.store.put(key, whole)  # and the process was killed
        runner.attempt(repair_jobs(repository))
        runner.run(sweep_job("", work))
    (ended,) = repository.findings.findings_of_work(work)
    assert (ended.state, ended.done) == (FindingState.REPAIRED, replica)
    events = [parse_event(entry) for entry in open_log(repository).entries(0, 1000)]
    (repair,) = [event for event in events if event.detail.get("act") == "repair"]
    assert (repair.work, repair.sha256) == (work, hashlib.sha256(whole).hexdigest())


@pytest.mark.parametrize("source", ["", "store"])
def test_a_finding_of_which_nothing_is_known_is_neither_closed_nor_said_to_be_repaired(
    context: TaskContext, work: str, source: str
) -> None:
    repository = context.repository
    (replica,) = repository.replicas
    key = f"{ocfl_object(work)}/{MASTER}"
    flip(repository.replicas[replica], key)
    with local_runner(context) as runner:
        runner.run(sweep_job(replica, ALL))
        (finding,) = repository.findings.findings_of_work(work)
        repository.findings.note_source(finding.id, source)  # and the process was killed before the file was put
        repository.deletions.forget_copy(work, replica)  # as after a rebuild: nothing is checked before the next copy
        runner.attempt([repair_work_job(work)])
    (finding,) = repository.findings.findings_of_work(work)
    assert (finding.state, finding.ended) == (FindingState.OPEN, None)
    events = [parse_event(entry) for entry in open_log(repository).entries(0, 1000)]
    assert not [event for event in events if event.detail.get("act") == "repair"]


def test_numbers_of_files_agree_with_the_findings_after_repairs(context: TaskContext, work: str) -> None:
    repository = context.repository
    (replica,) = repository.replicas
    flip(repository.replicas[replica], f"{ocfl_object(work)}/{MASTER}")
    repository.store.delete("ocfl/ocfl_layout.json")
    repository.store.put(f"{ocfl_object(work)}/v1/content/masters/Thumbs.db", b"x")
    repository.store.put("ocfl/backup.tar", b"x")

    def failed() -> dict[str, int]:
        totals = totals_of(repository, stores_of(repository))
        return {store: sum(each.failed for each in totals if each.store == store) for store in stores_of(repository)}

    with local_runner(context) as runner:
        for store in stores_of(repository):
            runner.run(sweep_job(store, ALL))
        assert failed() == {"": 3, replica: 1}
        ended = runner.attempt(repair_jobs(repository, quarantine=True))
        outcome = RepairOutcome()
        for job in ended:
            assert job.state is JobState.DONE, job.result
            outcome.add(RepairOutcome.of_json(job.result or {}))
        checks = verification_jobs(repository, outcome)
        places = {(job.arguments["store"], job.arguments["scope"]) for job in checks}
        assert places == {("", work), ("", NO_WORK), (replica, work)}
        for check in checks:
            assert runner.run(check).state is JobState.DONE
    assert repository.findings.open_findings(limit=10) == []
    assert failed() == {"": 0, replica: 0}


def test_lost_file_keeps_its_finding_open_as_lost(context: TaskContext, work: str) -> None:
    repository = context.repository
    key = f"{ocfl_object(work)}/{MASTER}"
    for store in (repository.store, *repository.replicas.values()):
        flip(store, key)
    with local_runner(context) as runner:
        runner.run(sweep_job("", ALL))
        (job,) = runner.attempt(repair_jobs(repository))
    assert job.result
    assert [lost["key"] for lost in job.result["lost"]] == [key]  # type: ignore[attr-defined]
    assert [finding.state for finding in repository.findings.findings_of_work(work)] == [FindingState.LOST]


def test_work_is_not_repaired_while_it_is_ingested(context: TaskContext, work: str) -> None:
    repository = context.repository
    repository.jobs.enqueue(pyramid_job("i", work))
    assert repository.jobs.start(f"pyramid:{'i'}", "ingest", 60)
    repository.jobs.fan_out("pyramid:i", "ingest", (), {}, work)
    job = repair_work_job(work)
    with local_runner(context) as runner:
        runner.run(job)
    ended = repository.jobs.get(job.key)
    assert ended
    assert (ended.result or {})["code"] == "system.busy"


def test_damaged_masters_are_healed_by_the_deposit_and_their_findings_close(
    context: TaskContext, work: str, tmp_path: Path
) -> None:
    repository = context.repository
    key = f"{ocfl_object(work)}/{MASTER}"
    for store in (repository.store, *repository.replicas.values()):
        flip(store, key)
    with local_runner(context) as runner:
        runner.run(sweep_job("", ALL))
        healed = runner.run(ingest_job(tmp_path / "deposit"))
        assert (healed.result or {})["restored"] == 1
        runner.run(sweep_job("", ALL))
    assert {finding.state for finding in repository.findings.findings_of_work(work)} == {FindingState.CLOSED}
