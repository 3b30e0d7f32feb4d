"""The status, the metrics and the log's address show what each witness cosigned, and who lags."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from log_scenarios import publish

from preservation.log.notes import Note, parse_note
from preservation.log.sequencer import log_keys, open_log, record_events
from preservation.log.signing_key import Cosigner
from repository.config import Settings
from repository.localized import Language, LocalizedText
from repository.paths import LOG_COSIGNED, log_witness
from repository.repository import Repository, memory_repository
from web.app import create_app
from web.operations.status import StatusReader, status_document
from web.services.metrics import HoldingsCollector
from web.telemetry.process_metrics import ProcessMetrics
from workers.bootstrap import prepare_repository
from workers.tasks.jobs import ASK_WITNESSES, witness_job

pytestmark = pytest.mark.slow

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
COSIGNERS = [Cosigner(f"w{number}.example", bytes([number]) * 32) for number in (1, 2, 3)]


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """A log of six entries: one witness cosigned all, one the first three, and one nothing."""
    items = tuple(f"https://{cosigner.key.name} {cosigner.key.line()}" for cosigner in COSIGNERS)
    repository = prepare_repository(memory_repository(Settings(data=tmp_path / "var", witnesses=items)))
    for name, cosigners in (("one", COSIGNERS[:2]), ("two", COSIGNERS[:1])):
        publish(repository, name)
        record_events(repository)
        note = parse_note(open_log(repository).checkpoint_note())
        for cosigner in cosigners:
            signature = cosigner.cosign(note.text, int(NOON.timestamp()))
            content = Note(note.text, (*note.signatures, signature)).content()
            place = hashlib.sha256(cosigner.key.line().encode()).hexdigest()[:16]
            repository.store.put(log_witness(place), content)
            repository.store.put(LOG_COSIGNED, content)
    reason = LocalizedText("没有应答", "no answer").to_json()
    repository.jobs.enqueue(witness_job())
    repository.jobs.start(ASK_WITNESSES, "w", 60)
    repository.jobs.finish(ASK_WITNESSES, "w", {"size": 6, "cosigned": 6, "faults": {"w3.example": reason}})
    return repository


def test_status_shows_who_lags_and_why(repository: Repository) -> None:
    status = StatusReader(repository).read(30)
    assert status_document(status, Language.ENGLISH)["witnesses"] == [
        {"name": "w1.example", "size": 6, "behind": 0, "time": "2026-07-01T12:00:00Z", "reason": None},
        {"name": "w2.example", "size": 3, "behind": 3, "time": "2026-07-01T12:00:00Z", "reason": None},
        {"name": "w3.example", "size": 0, "behind": 6, "time": None, "reason": "no answer"},
    ]


def test_status_page_shows_who_lags_and_why(repository: Repository) -> None:
    client = create_app(repository, ProcessMetrics()).test_client()
    page = client.get("/status", headers={"Accept-Language": "en"}).text
    assert "cosigned all 6 entries on 2026-07-01" in page
    assert "3 entries behind: cosigned 3 on 2026-07-01" in page
    assert "has not cosigned the log yet" in page
    assert "no answer" in page


def test_metrics_have_what_each_witness_cosigned_and_when(repository: Repository) -> None:
    samples = {
        (sample.name, sample.labels["witness"]): sample.value
        for family in HoldingsCollector(repository).collect()
        for sample in family.samples
        if "witness" in sample.labels
    }
    assert samples == {
        ("shanben_witness_entries", "w1.example"): 6,
        ("shanben_witness_entries", "w2.example"): 3,
        ("shanben_witness_entries", "w3.example"): 0,
        ("shanben_witness_time_seconds", "w1.example"): NOON.timestamp(),
        ("shanben_witness_time_seconds", "w2.example"): NOON.timestamp(),
    }


def test_metrics_have_the_end_of_the_log_key(repository: Repository) -> None:
    ends = log_keys(repository).newest.ends(repository.settings.key_days)
    values = {
        family.name: family.samples[0].value for family in HoldingsCollector(repository).collect() if family.samples
    }
    assert ends
    assert values["shanben_log_key_end_time_seconds"] == ends.timestamp()
    assert "shanben_log_timestamp_time_seconds" not in values


def test_cosigned_checkpoint_is_open_to_everybody(repository: Repository) -> None:
    client = create_app(repository, ProcessMetrics()).test_client()
    assert client.get("/log/cosigned").data == repository.store.read(LOG_COSIGNED)
    # One of three witnesses cosigned it: the policy does not ask for a quorum that nothing has.
    policy = client.get("/log/policy").text
    assert "quorum none" in policy
    assert [line.split()[2] for line in policy.splitlines() if line.startswith("witness")] == [
        cosigner.key.line() for cosigner in COSIGNERS
    ]
    repository.store.delete(LOG_COSIGNED)
    assert client.get("/log/cosigned").status_code == 404


def test_a_note_that_its_witness_did_not_cosign_counts_as_none(repository: Repository) -> None:
    place = hashlib.sha256(COSIGNERS[0].key.line().encode()).hexdigest()[:16]
    note = parse_note(repository.store.read(log_witness(place)))
    false = replace(note.signatures[1], signature_bytes=bytes(72))
    repository.store.put(log_witness(place), Note(note.text, (note.signatures[0], false)).content())
    status = StatusReader(repository).read(30)
    assert [witness.size for witness in status.witnesses] == [0, 3, 0]
