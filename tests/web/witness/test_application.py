"""A witness over HTTP, by C2SP tlog-witness: statuses, bodies, and what it keeps."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from witness_requests import GrowingLog

from preservation.log.checkpoint_file import CheckpointFile
from preservation.log.notes import cosignature_time, cosigners, parse_note
from preservation.log.signing_key import load_or_create_cosigner
from repository.errors import Busy, SettingInvalid, StoreFault
from web.witness.application import create_witness
from web.witness.state import LOGS_FILE, WitnessFolder, exclusive, origin_hash, read_logs

LOG = GrowingLog()
NOW = datetime(2026, 7, 1, tzinfo=UTC)


def open_witness(folder: Path) -> tuple[FlaskClient, WitnessFolder]:
    cosigner = load_or_create_cosigner(folder, "witness.example/w1")
    state = WitnessFolder(folder, cosigner, read_logs(folder, [LOG.signer.verifier_key]), lambda: NOW)
    return create_witness(state).test_client(), state


def submit(client: FlaskClient, body: bytes) -> tuple[int, bytes]:
    response = client.post("/add-checkpoint", data=body)
    return response.status_code, response.data


def test_witness_answers_with_its_cosignature_of_the_checkpoint(tmp_path: Path) -> None:
    client, _ = open_witness(tmp_path)
    status, body = submit(client, LOG.submission(0, 5))
    key = load_or_create_cosigner(tmp_path, "").key
    assert status == 200
    assert cosigners(LOG.note(5) + body, [key]) == {"witness.example/w1": int(NOW.timestamp())}
    signatures = parse_note(LOG.note(5) + body).signatures[1:]
    assert [cosignature_time(each.signature_bytes) for each in signatures] == [int(NOW.timestamp())]


def test_witness_answers_with_the_statuses_of_the_specification(tmp_path: Path) -> None:
    client, _ = open_witness(tmp_path)
    assert submit(client, b"old 0\n")[0] == 400
    assert submit(client, GrowingLog(LOG.signer.origin).submission(0, 5))[0] == 403
    assert submit(client, GrowingLog("other.example/log").submission(0, 5))[0] == 404
    assert submit(client, LOG.submission(3, 5)) == (409, b"0\n")
    assert submit(client, LOG.submission(0, 5))[0] == 200
    assert submit(client, LOG.submission(0, 5)) == (409, b"5\n")
    assert submit(client, LOG.submission(0, 3)) == (409, b"5\n")
    assert submit(client, LOG.fork().submission(5, 9))[0] == 422
    assert submit(client, LOG.fork().submission(5, 5))[0] == 422
    assert submit(client, LOG.submission(5, 5))[0] == 200
    assert submit(client, LOG.submission(5, 9))[0] == 200


def test_witness_states_its_size_with_the_content_type_of_the_specification(tmp_path: Path) -> None:
    client, _ = open_witness(tmp_path)
    response = client.post("/add-checkpoint", data=LOG.submission(3, 5))
    assert response.content_type == "text/x.tlog.size"


def test_witness_remembers_what_it_cosigned_after_a_restart(tmp_path: Path) -> None:
    submit(open_witness(tmp_path)[0], LOG.submission(0, 5))
    client, _ = open_witness(tmp_path)
    assert submit(client, LOG.fork().submission(0, 5)) == (409, b"5\n")
    assert submit(client, LOG.fork().submission(5, 6))[0] == 422
    assert submit(client, LOG.submission(5, 6))[0] == 200


def test_witness_answers_nothing_that_it_could_not_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise StoreFault(key="x", reason="no space")

    client, _ = open_witness(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(CheckpointFile, "write", fail)
        status, body = submit(client, LOG.submission(0, 5))
        assert status == 500
        assert "—".encode() not in body
    assert submit(client, LOG.submission(0, 5))[0] == 200


def test_witness_cosigns_nothing_by_a_record_that_is_damaged(tmp_path: Path) -> None:
    client, _ = open_witness(tmp_path)
    submit(client, LOG.submission(0, 5))
    record = tmp_path / "checkpoints" / origin_hash(LOG.signer.origin)
    record.write_bytes(record.read_bytes().replace(b"\n5\n", b"\n4\n"))
    assert submit(client, LOG.submission(4, 6))[0] == 500


def test_witness_serves_the_checkpoint_with_its_cosignature_to_monitors(tmp_path: Path) -> None:
    client, _ = open_witness(tmp_path)
    address = f"/{origin_hash(LOG.signer.origin)}/checkpoint"
    assert client.get(address).status_code == 404
    _, cosignature = submit(client, LOG.submission(0, 5))
    assert client.get(address).data == LOG.note(5) + cosignature
    assert client.get(f"/{'0' * 64}/checkpoint").status_code == 404
    assert client.get("/../witness.key/checkpoint").status_code == 404


def test_witness_refuses_a_body_that_is_too_long(tmp_path: Path) -> None:
    client, _ = open_witness(tmp_path)
    assert submit(client, b"x" * (2 << 20))[0] == 413


def test_witness_shows_its_verifier_key(tmp_path: Path) -> None:
    client, state = open_witness(tmp_path)
    assert client.get("/key").text == f"{state.verifier_key}\n"


def test_witness_key_keeps_its_name(tmp_path: Path) -> None:
    open_witness(tmp_path)
    with pytest.raises(SettingInvalid, match=r"witness\.example/w1"):
        load_or_create_cosigner(tmp_path, "another.example")


def test_witness_reads_its_logs_from_a_file(tmp_path: Path) -> None:
    (tmp_path / LOGS_FILE).write_text(f"# the library\n{LOG.signer.verifier_key}\n\n")
    assert list(read_logs(tmp_path, [])) == [LOG.signer.origin]
    (tmp_path / LOGS_FILE).write_text(LOG.signer.verifier_key[:-4])
    with pytest.raises(SettingInvalid, match="logs"):
        read_logs(tmp_path, [])


def test_witness_folder_is_used_by_one_process(tmp_path: Path) -> None:
    with exclusive(tmp_path), pytest.raises(Busy), exclusive(tmp_path):
        pass
