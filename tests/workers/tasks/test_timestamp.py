"""The log is timestamped by OpenSSL's authority, and openssl verifies what is stored and what evidence holds."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import CalledProcessError
from threading import Thread

import pytest
from flask import Flask, Response
from log_scenarios import publish
from ports import reserve_port
from timestamp_authority import TimestampAuthority, openssl
from werkzeug.serving import make_server

from preservation.log.evidence import parse as parse_evidence
from preservation.log.evidence import verify as verify_evidence
from preservation.log.notes import Note, parse_note
from preservation.log.sequencer import open_log, record_events, verifier_key
from preservation.log.timestamp import read_roots, request_timestamp, timestamp_response, verify_timestamp
from preservation.log.timestamped import TIMESTAMP_EVERY, timestamp_log, verify_timestamps
from repository.config import Settings
from repository.database.outbox import Job, JobState
from repository.errors import EvidenceInvalid, NotFound, SettingInvalid
from repository.network.http_client import ServiceUnavailable
from repository.paths import LOG_TIMESTAMPED, log_timestamped
from repository.repository import Repository, memory_repository
from repository.storage.folder import FolderStore
from workers.bootstrap import prepare_repository
from workers.execution.context import TaskContext
from workers.masters.examine import ChildExaminer
from workers.tasks.jobs import replicate_log_job
from workers.tasks.replicate import replicate_log
from workers.tasks.witness import request_timestamp as run_timestamp_job

pytestmark = pytest.mark.slow

TEXT = "library.example/log\n3\nAAAA\n"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> TimestampAuthority:
    return TimestampAuthority(tmp_path_factory.mktemp("tsa") / "authority")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    repository = prepare_repository(memory_repository(Settings(data=tmp_path / "var")))
    publish(repository, "first")
    record_events(repository)
    return repository


def with_authority(repository: Repository, url: str, roots: Path | str = "") -> Repository:
    return replace(repository, settings=replace(repository.settings, tsa=url, tsa_certificates=str(roots)))


def assert_openssl_verifies(folder: Path, note: Note, roots: Path) -> None:
    response = timestamp_response(note)
    assert response is not None
    (folder / "text").write_text(note.text)
    (folder / "response").write_bytes(response)
    openssl("ts", "-verify", "-data", folder / "text", "-in", folder / "response", "-CAfile", roots)


def test_stored_timestamp_is_verified_by_openssl_and_holds_the_logs_checkpoint(
    tmp_path: Path, repository: Repository, authority: TimestampAuthority
) -> None:
    log = open_log(repository)
    with authority.served() as url:
        stamped = with_authority(repository, url, authority.roots)
        made = timestamp_log(log, stamped.store, stamped.settings)
    assert (made.size, made.timestamp.authority, made.timestamp.trusted) == (3, "127.0.0.1", True)
    assert abs(datetime.fromisoformat(made.timestamp.time) - datetime.now(UTC)) < timedelta(minutes=10)
    note = parse_note(repository.store.read(log_timestamped(3)))
    assert_openssl_verifies(tmp_path, note, authority.roots)
    assert verify_timestamps(stamped.store, log.key, stamped.settings).valid == (made,)
    assert log.verify().problems == ()


def test_evidence_holds_the_oldest_timestamp_that_covers_the_entry(
    tmp_path: Path, repository: Repository, authority: TimestampAuthority
) -> None:
    with authority.served() as url:
        stamped = with_authority(repository, url, authority.roots)
        for name in ("second", "third"):
            timestamp_log(open_log(stamped), stamped.store, stamped.settings)
            publish(stamped, name)
            record_events(stamped)
    log = open_log(stamped)
    sizes = {}
    for index in range(log.size):
        content = log.evidence(index)
        assert verify_evidence(content, verifier_key(stamped)).index == index
        note = parse_note(parse_evidence(content).checkpoint)
        sizes[index] = (verify_evidence(content, verifier_key(stamped)).size, verify_timestamp(note, []) is not None)
    assert sizes == {**dict.fromkeys(range(3), (3, True)), **dict.fromkeys(range(3, 6), (6, True))} | dict.fromkeys(
        range(6, 9), (9, False)
    )
    assert_openssl_verifies(tmp_path, parse_note(parse_evidence(log.evidence(4)).checkpoint), authority.roots)


def test_timestamp_of_another_authority_or_text_is_refused(tmp_path: Path, authority: TimestampAuthority) -> None:
    other = TimestampAuthority(tmp_path / "other", "Other")
    with authority.served() as url:
        line = request_timestamp(url, TEXT, read_roots(str(authority.roots)))
        with pytest.raises(ServiceUnavailable):
            request_timestamp(url, TEXT, read_roots(str(other.roots)))
    assert verify_timestamp(Note(TEXT, (line,)), read_roots(str(authority.roots))) is not None
    with pytest.raises(EvidenceInvalid):
        verify_timestamp(Note(TEXT, (line,)), read_roots(str(other.roots)))
    with pytest.raises(EvidenceInvalid, match="other data"):
        verify_timestamp(Note(TEXT.replace("3", "4"), (line,)), [])
    with pytest.raises(CalledProcessError):
        assert_openssl_verifies(tmp_path, Note(TEXT.replace("3", "4"), (line,)), authority.roots)


def test_timestamp_with_any_changed_byte_is_refused(authority: TimestampAuthority) -> None:
    with authority.served() as url:
        line = request_timestamp(url, TEXT, read_roots(str(authority.roots)))
    content, roots = line.signature_bytes, read_roots(str(authority.roots))
    accepted = 0
    for place in range(0, len(content), 7):
        changed = content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]
        try:
            found = verify_timestamp(Note(TEXT, (replace(line, signature_bytes=changed),)), roots)
        except EvidenceInvalid:
            continue
        # Bytes outside of what is signed may change; the time may not.
        assert found == verify_timestamp(Note(TEXT, (line,)), roots)
        accepted += 1
    assert accepted < len(content) / 7 / 2


@pytest.mark.parametrize(("status", "body"), [(500, b""), (200, b""), (200, b"garbage"), (302, b"")])
def test_authority_that_answers_wrongly_is_named(status: int, body: bytes) -> None:
    application = Flask(__name__)
    application.post("/")(lambda: Response(body, status))
    server = make_server("127.0.0.1", 0, application)
    thread = Thread(target=server.handle_request)
    thread.start()
    with pytest.raises(ServiceUnavailable, match="127.0.0.1"):
        request_timestamp(f"http://127.0.0.1:{server.server_port}/", TEXT, [])
    thread.join()
    server.server_close()


def test_authority_that_replays_an_old_response_is_refused(authority: TimestampAuthority) -> None:
    with authority.served() as url:
        old = request_timestamp(url, TEXT, [])
    application = Flask(__name__)
    application.post("/")(lambda: Response(old.signature_bytes))
    server = make_server("127.0.0.1", 0, application)
    thread = Thread(target=server.handle_request)
    thread.start()
    with pytest.raises(ServiceUnavailable, match="nonce"):
        request_timestamp(f"http://127.0.0.1:{server.server_port}/", TEXT, [])
    thread.join()
    server.server_close()


def test_authority_that_does_not_run_leaves_the_log_as_it_is(repository: Repository) -> None:
    stamped = with_authority(repository, f"http://127.0.0.1:{reserve_port()}/")
    with pytest.raises(ServiceUnavailable):
        timestamp_log(open_log(stamped), stamped.store, stamped.settings)
    assert list(stamped.store.list(LOG_TIMESTAMPED)) == []
    publish(stamped, "second")
    assert record_events(stamped) == 3


def test_job_timestamps_a_growing_log_once_a_day_and_has_it_replicated(
    tmp_path: Path, repository: Repository, authority: TimestampAuthority, examiner: ChildExaminer
) -> None:
    now = [datetime.now(UTC)]
    job = Job("timestamp", "timestamp", {}, JobState.RUNNING, 1, None, None, "", "")
    replica = FolderStore(tmp_path / "replica")
    with authority.served() as url:
        stamped = replace(with_authority(repository, url), clock=lambda: now[0], replicas={"near": replica})
        context = TaskContext(stamped, examiner)
        assert run_timestamp_job(context, job)["size"] == 3
        assert run_timestamp_job(context, job)["size"] == 0
        publish(stamped, "second")
        record_events(stamped)
        assert run_timestamp_job(context, job)["size"] == 0
        now[0] += TIMESTAMP_EVERY
        assert run_timestamp_job(context, job)["size"] == 6
    assert stamped.jobs.get(replicate_log_job("near").key) is not None
    replicate_log(context, replace(job, key="", kind="replicate-log", arguments={"store": "near"}))
    for size in (3, 6):
        assert replica.read(log_timestamped(size)) == stamped.store.read(log_timestamped(size))


def test_audit_names_a_timestamp_that_is_damaged(repository: Repository, authority: TimestampAuthority) -> None:
    with authority.served() as url:
        stamped = with_authority(repository, url)
        timestamp_log(open_log(stamped), stamped.store, stamped.settings)
    note = parse_note(stamped.store.read(log_timestamped(3)))
    signatures = (note.signatures[0], replace(note.signatures[1], signature_bytes=b"damaged"))
    stamped.store.put(log_timestamped(3), replace(note, signatures=signatures).content())
    checked = verify_timestamps(stamped.store, open_log(stamped).key, stamped.settings)
    assert checked.valid == ()
    assert log_timestamped(3) in checked.problems[0].en


def test_empty_log_has_nothing_to_timestamp(tmp_path: Path) -> None:
    empty = prepare_repository(memory_repository(Settings(data=tmp_path / "empty", tsa="http://127.0.0.1:9/")))
    with pytest.raises(NotFound):
        timestamp_log(open_log(empty), empty.store, empty.settings)


@pytest.mark.parametrize("url", ["", "tsa.example", "ftp://tsa.example/"])
def test_authority_without_a_web_address_is_a_fault_of_the_setting(url: str) -> None:
    with pytest.raises(SettingInvalid):
        request_timestamp(url, TEXT, [])


def test_roots_that_are_no_certificates_are_a_fault_of_the_setting(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.pem", tmp_path):
        with pytest.raises(SettingInvalid):
            read_roots(str(path))
    assert read_roots("") == []
