"""The job of the witnesses never fails for them, publishes what a quorum cosigned, and has it replicated."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from flask import Flask, Response
from log_scenarios import publish
from ports import reserve_port
from werkzeug.serving import make_server

from preservation.log import witnesses
from preservation.log.evidence import parse as parse_evidence
from preservation.log.notes import VerifierKey, cosigners, parse_note, parse_verifier_key, without_ml_dsa
from preservation.log.sequencer import open_log, record_events, verifier_key
from preservation.log.signing_key import Cosigner
from preservation.log.witness import accepted_logs
from preservation.log.witnesses import cosigned_checkpoint, read_witness_states, verify_cosigned, witness_policy
from repository.config import Settings
from repository.database.outbox import Job, JobState, NewJob
from repository.errors import SettingInvalid
from repository.network.http_client import LARGEST_ANSWER
from repository.paths import LOG_COSIGNED
from repository.repository import Repository, memory_repository
from repository.storage.folder import FolderStore
from web.witness.application import create_witness
from web.witness.state import WitnessFolder
from workers.bootstrap import prepare_repository
from workers.execution.context import TaskContext
from workers.masters.examine import ChildExaminer
from workers.service import schedule
from workers.service.local import local_runner
from workers.service.schedule import Schedule
from workers.tasks.jobs import ASK_WITNESSES, ingest_job, replicate_log_job, sequence_events_job, witness_job
from workers.tasks.replicate import replicate_log
from workers.tasks.sequence_events import sequence_events
from workers.tasks.witness import ask_witnesses


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 7, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@contextmanager
def served(application: Flask) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, application, threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def context(tmp_path: Path, clock: Clock, examiner: ChildExaminer) -> TaskContext:
    repository = prepare_repository(memory_repository(Settings(data=tmp_path / "var"), clock))
    publish(repository, "first")
    record_events(repository)
    return TaskContext(repository, examiner)


def watched(context: TaskContext, *items: str, quorum: int = 0) -> TaskContext:
    """Return the context with these witnesses in its settings."""
    settings = replace(context.repository.settings, witnesses=items, quorum=quorum)
    return TaskContext(replace(context.repository, settings=settings), context.examiner)


@contextmanager
def witness(tmp_path: Path, context: TaskContext, clock: Clock, name: str) -> Iterator[str]:
    """A witness in a thread; yields the item of the setting."""
    folder = tmp_path / name
    log = parse_verifier_key(verifier_key(context.repository))
    state = WitnessFolder(folder, Cosigner(name, name.encode().ljust(32, b".")), accepted_logs([log]), clock)
    with served(create_witness(state)) as address:
        yield f"{address}/ {state.verifier_key}"


def dead(name: str) -> str:
    key = Cosigner(name, name.encode().ljust(32, b".")).key.line()
    return f"http://127.0.0.1:{reserve_port()} {key}"


def run(context: TaskContext) -> dict[str, Any]:
    return dict(ask_witnesses(context, running(witness_job())))


def running(job: NewJob) -> Job:
    """A job as its task receives it."""
    return Job(job.key, job.kind, job.arguments, JobState.RUNNING, 1, None, None, "", "")


def key_of(repository: Repository) -> VerifierKey:
    return open_log(repository).key


def cosigned_by(context: TaskContext) -> list[str]:
    repository = context.repository
    keys = [each.key for each in witness_policy(repository.settings).witnesses]
    return list(cosigners(cosigned_checkpoint(repository.store, key_of(repository)), keys))


def test_job_publishes_a_checkpoint_once_a_quorum_has_cosigned_it(
    tmp_path: Path, context: TaskContext, clock: Clock
) -> None:
    size = open_log(context.repository).size
    with witness(tmp_path, context, clock, "w1") as first:
        alone = watched(context, first, dead("w2"), dead("w3"))
        result = run(alone)
        assert (result["size"], result["cosigned"], sorted(result["faults"])) == (size, 0, ["w2", "w3"])
        assert not context.repository.store.exists(LOG_COSIGNED)
        with witness(tmp_path, context, clock, "w2") as second:
            both = watched(context, first, second, dead("w3"))
            result = run(both)
    assert (result["cosigned"], list(result["faults"])) == (size, ["w3"])
    assert cosigned_by(both) == ["w1", "w2"]
    checked = verify_cosigned(
        context.repository.store, key_of(context.repository), witness_policy(both.repository.settings)
    )
    assert (checked.size, list(checked.cosigners), checked.problems) == (size, ["w1", "w2"], ())


def test_cosignatures_of_two_rounds_make_a_quorum(tmp_path: Path, context: TaskContext, clock: Clock) -> None:
    items = (dead("w1"), dead("w2"))
    with witness(tmp_path, context, clock, "w1") as first:
        run(watched(context, first, items[1]))
    with witness(tmp_path, context, clock, "w2") as second:
        result = run(watched(context, items[0], second))
    assert result["cosigned"] == open_log(context.repository).size
    assert cosigned_by(watched(context, *items)) == ["w1", "w2"]


def test_evidence_holds_the_cosigned_checkpoint_until_the_log_has_newer_entries(
    tmp_path: Path, context: TaskContext, clock: Clock
) -> None:
    repository = context.repository
    with witness(tmp_path, context, clock, "w1") as first:
        run(watched(context, first))
        size = open_log(repository).size
        publish(repository, "second")
        record_events(repository)
        log = open_log(repository)

        def short(note: bytes) -> bytes:
            """Return a note as evidence holds it: without the log's ML-DSA signature, which is written apart."""
            return without_ml_dsa(note, [each.key for each in log.key.keys])

        assert parse_evidence(log.evidence(0)).checkpoint == short(cosigned_checkpoint(repository.store, log.key))
        assert parse_evidence(log.evidence(size)).checkpoint == short(log.checkpoint_note())
        run(watched(context, first))
    assert parse_evidence(log.evidence(size)).checkpoint == short(cosigned_checkpoint(repository.store, log.key))
    assert log.verify().problems == ()


def test_audit_compares_the_root_of_the_cosigned_checkpoint(tmp_path: Path, context: TaskContext, clock: Clock) -> None:
    repository = context.repository
    with witness(tmp_path, context, clock, "w1") as first:
        run(watched(context, first))
        store = repository.store
        content = cosigned_checkpoint(store, key_of(repository))
        note = parse_note(content)
        false = replace(note.signatures[1], signature_bytes=bytes(72))
        store.put(LOG_COSIGNED, replace(note, signatures=(note.signatures[0], false)).content())
        policy = witness_policy(watched(context, first).repository.settings)
        assert verify_cosigned(store, key_of(repository), policy).problems != ()
        store.put(LOG_COSIGNED, content.replace(b"\n3\n", b"\n2\n"))
        assert open_log(repository).verify().problems != ()


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (200, b"", "no valid cosignature"),
        (200, b"garbage", "no valid cosignature"),
        (200, "— w1 AAAAAAAA\n".encode(), "no valid cosignature"),
        (200, b"x" * (LARGEST_ANSWER + 1), "too long"),
        (302, b"", "status 302"),
        (403, b"", "does not accept the log's signature"),
        (404, b"", "does not know this log"),
        (409, b"many\n", "status 409"),
        (409, b"1000000\n", "rolled back"),
        (409, b"0\n", "another size than it said"),
        (422, b"", "contradicts"),
        (500, b"", "status 500"),
    ],
)
def test_job_names_a_witness_that_answers_wrongly(context: TaskContext, status: int, body: bytes, reason: str) -> None:
    application = Flask(__name__)
    application.post("/add-checkpoint")(lambda: Response(body, status))
    with served(application) as address:
        result = run(watched(context, f"{address} {Cosigner('w1', b's' * 32).key.line()}"))
    assert reason in result["faults"]["w1"]["en"]
    assert not context.repository.store.exists(LOG_COSIGNED)


def test_cosignatures_are_renewed_after_an_hour_and_not_before(
    tmp_path: Path, context: TaskContext, clock: Clock
) -> None:
    with witness(tmp_path, context, clock, "w1") as first:
        watching = watched(context, first)
        run(watching)
        before = read_witness_states(watching.repository)
        clock.now += timedelta(seconds=witnesses.RENEW_SECONDS / 2)
        run(watching)
        assert read_witness_states(watching.repository) == before
        clock.now += timedelta(seconds=witnesses.RENEW_SECONDS)
        run(watching)
    assert [state.time for state in read_witness_states(watching.repository)] == ["2026-07-01T01:30:00Z"]


def test_logging_events_asks_the_witnesses_and_replicas_get_what_they_cosigned(
    tmp_path: Path, context: TaskContext, clock: Clock
) -> None:
    replica = FolderStore(tmp_path / "replica")
    with witness(tmp_path, context, clock, "w1") as first:
        repository = replace(watched(context, first).repository, replicas={"near": replica})
        watching = TaskContext(repository, context.examiner)
        sequence_events(watching, running(sequence_events_job()))
        assert repository.jobs.get(ASK_WITNESSES) is not None
        replicate_log(watching, running(replicate_log_job("near")))
        run(watching)
    replicate_log(watching, running(replicate_log_job("near")))
    assert replica.read(LOG_COSIGNED) == repository.store.read(LOG_COSIGNED)
    copied = replace(repository, store=replica)
    assert read_witness_states(copied) == read_witness_states(repository)


def test_ingest_without_a_broker_asks_the_witnesses_before_it_ends(
    tmp_path: Path, context: TaskContext, clock: Clock, deposit: Path
) -> None:
    with witness(tmp_path, context, clock, "w1") as first:
        watching = watched(context, first, dead("w2"), quorum=1)
        with local_runner(watching) as runner:
            assert runner.run(ingest_job(deposit)).state is JobState.DONE
            assert runner.unfinished() == []
    job = watching.repository.jobs.get(ASK_WITNESSES)
    assert job is not None
    assert job.result is not None
    size = open_log(watching.repository).size
    assert (job.state, job.result["cosigned"], size > 3) == (JobState.DONE, size, True)


def test_schedule_asks_witnesses_that_lag_every_minute_and_others_every_hour(
    context: TaskContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = watched(context, dead("w1")).repository
    now = [1000.0]
    monkeypatch.setattr(schedule, "monotonic", lambda: now[0])
    recurring = Schedule(repository)

    def asked_after(seconds: float, result: dict[str, Any]) -> bool:
        assert repository.jobs.start(ASK_WITNESSES, "w", 60)
        repository.jobs.finish(ASK_WITNESSES, "w", result)
        now[0] += seconds
        recurring.run()
        job = repository.jobs.get(ASK_WITNESSES)
        assert job is not None
        return job.state is JobState.QUEUED

    recurring.run()
    assert asked_after(61, {"size": 3, "cosigned": 3, "faults": {"w1": {}}})
    assert asked_after(61, {"size": 3, "cosigned": 0, "faults": {}})
    assert not asked_after(61, {"size": 3, "cosigned": 3, "faults": {}})
    now[0] += 3600
    recurring.run()
    assert asked_after(0, {"size": 3, "cosigned": 3, "faults": {}}) is False


KEY = Cosigner("w1", b"s" * 32).key.line()
LOG_KEY = VerifierKey("log.example", witnesses.Algorithm.ED25519, b"p" * 32).line()


@pytest.mark.parametrize(
    ("items", "quorum"),
    [
        ((KEY,), 0),
        (("ftp://w1.example " + KEY,), 0),
        (("https://w1.example",), 0),
        ((f"https://w1.example {KEY[:-2]}",), 0),
        ((f"https://w1.example {LOG_KEY}",), 0),
        ((f"https://w1.example {KEY}", f"https://w2.example {KEY}"), 0),
        ((f"https://w1.example {KEY}",), 2),
        ((), 1),
    ],
)
def test_witness_policy_refuses_settings_that_cannot_be_used(items: tuple[str, ...], quorum: int) -> None:
    with pytest.raises(SettingInvalid):
        witness_policy(Settings(witnesses=items, quorum=quorum))


@pytest.mark.parametrize(("count", "quorum"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3)])
def test_quorum_is_the_majority_unless_it_is_set(count: int, quorum: int) -> None:
    items = tuple(
        f"https://w.example {Cosigner(f'w{number}', bytes([number]) * 32).key.line()}" for number in range(count)
    )
    assert witness_policy(Settings(witnesses=items)).quorum == quorum
