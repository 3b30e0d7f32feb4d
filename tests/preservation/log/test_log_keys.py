"""Two kinds of signatures, and keys that are replaced: what verifies before, during and after."""

from __future__ import annotations

import base64
import hashlib
import struct
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey
from log_scenarios import publication, publish
from memory_log import MemoryWriterLock

from preservation.log import evidence, key_file, merkle, notes
from preservation.log.key_file import KEY_FILE
from preservation.log.log import MlDsaSignatureAbsent, ProvenanceLog
from preservation.log.log_keys import LogKey, LogKeys, parse_log_keys
from preservation.log.notes import Algorithm, Checkpoint, parse_note, parse_verifier_key
from preservation.log.sequencer import log_key, log_keys, open_log, record_events, verifier_key
from preservation.log_events import Act
from preservation.premis import parse_event
from repository.config import Settings, read_settings
from repository.errors import DependencyMissing, EvidenceInvalid, NotFound, RequestInvalid, SettingInvalid
from repository.model.work import ACT
from repository.repository import Repository, memory_repository
from workers.bootstrap import prepare_repository
from workers.maintenance.log_keys import retire_keys, rotate_keys

ORIGIN = "library.example/log"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
CHECKPOINT = Checkpoint(ORIGIN, 7, merkle.leaf_hash(b""))


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = memory_repository(Settings(data=tmp_path / "var", log_origin=ORIGIN), lambda: NOW)
    return prepare_repository(made)


def logged(repository: Repository, name: str) -> str:
    """Publish a work and log it; return an image of it."""
    publish(repository, name)
    record_events(repository)
    return str(publication(name).events[0].image)


class TestMlDsa:
    """Signatures of type 0x06, computed and verified here by the bytes of the specification."""

    def test_checkpoint_has_a_signature_that_verifies_by_the_specification(self, tmp_path: Path) -> None:
        signer = key_file.create(tmp_path, ORIGIN)
        public = next(each.key.public for each in signer.keys.keys if each.key.algorithm is Algorithm.ML_DSA_44)
        _, ed25519, ml_dsa = signer.sign_note(CHECKPOINT.text()).decode().removesuffix("\n").rsplit("\n", 2)
        assert len(base64.b64decode(ed25519.split(" ")[2])) == 4 + 64
        material = base64.b64decode(ml_dsa.split(" ")[2])
        assert material[:4] == hashlib.sha256(ORIGIN.encode() + b"\n\x06" + public).digest()[:4]
        name = bytes([len(ORIGIN)]) + ORIGIN.encode()
        message = b"subtree/v1\n\0" + name + struct.pack(">Q", 0) + name + struct.pack(">QQ", 0, 7) + CHECKPOINT.root
        assert material[4:12] == bytes(8)
        MLDSA44PublicKey.from_public_bytes(public).verify(material[12:], message)
        with pytest.raises(InvalidSignature):
            MLDSA44PublicKey.from_public_bytes(public).verify(material[12:], message[:-1] + b"x")

    def test_readers_that_know_one_kind_of_key_verify_by_it(self, tmp_path: Path) -> None:
        signer = key_file.create(tmp_path, ORIGIN)
        note = signer.sign_note(CHECKPOINT.text())
        for each in signer.keys.keys:
            key = parse_verifier_key(each.key.line())
            assert key.read(note) == CHECKPOINT
            with pytest.raises(EvidenceInvalid):
                key.read(note.replace(b"\n7\n", b"\n8\n"))

    def test_every_changed_part_of_the_signature_is_refused(self, tmp_path: Path) -> None:
        signer = key_file.create(tmp_path, ORIGIN)
        key = next(each.key for each in signer.keys.keys if each.key.algorithm is Algorithm.ML_DSA_44)
        note = parse_note(signer.sign_note(CHECKPOINT.text()))
        made = next(filter(key.is_claimed_by, note.signatures)).signature_bytes
        assert key.verifies(note.text.encode(), made)
        for place in (0, 7, 8, 1000, len(made) - 1):
            changed = made[:place] + bytes([made[place] ^ 1]) + made[place + 1 :]
            assert not key.verifies(note.text.encode(), changed)
        for cut in (b"", made[:8], made[:-1], made + b"x"):
            assert not key.verifies(note.text.encode(), cut)

    def test_evidence_leaves_it_out_and_it_is_given_apart(self, repository: Repository) -> None:
        logged(repository, "one")
        log, keys = open_log(repository), log_keys(repository)
        content, apart = log.evidence(0), log.ml_dsa_note(0)
        assert len(content) < 2000 < len(apart) < 4096
        assert evidence.verify(content, verifier_key(repository)).index == 0
        ml_dsa = next(each.key for each in keys.keys if each.key.algorithm is Algorithm.ML_DSA_44)
        assert ml_dsa.read(apart).text() == parse_note(evidence.parse(content).checkpoint).text
        assert keys.read(log.checkpoint_note()).size == log.size

    def test_checkpoint_of_an_earlier_release_has_none_and_the_error_says_so(self, repository: Repository) -> None:
        logged(repository, "one")
        log = ProvenanceLog(repository.store, log_keys(repository).current, MemoryWriterLock(1))
        with pytest.raises(MlDsaSignatureAbsent, match="shanben keys rotate"):
            log.ml_dsa_note(0)


class TestLists:
    def test_parse_is_the_inverse_of_text(self, tmp_path: Path) -> None:
        keys = key_file.create(tmp_path, ORIGIN, "2026-01-01T00:00:00Z").keys
        keys = LogKeys((*keys.keys, LogKey(key_file.create(tmp_path / "old", ORIGIN).key, retired=5)))
        assert parse_log_keys(keys.text()) == keys
        assert parse_log_keys(keys.line()) == LogKeys.of(keys.current)

    @pytest.mark.parametrize("end", [" since", " since today", " until 5 until 6", " until x", " until 5", " for 5"])
    def test_malformed_lists_and_lists_without_a_key_in_use_are_refused(self, tmp_path: Path, end: str) -> None:
        line = key_file.create(tmp_path, ORIGIN).verifier_key
        with pytest.raises(RequestInvalid):
            parse_log_keys(line + end)

    def test_a_retired_key_verifies_the_checkpoints_of_its_time_and_no_later_ones(self, tmp_path: Path) -> None:
        old, new = (key_file.create(tmp_path / name, ORIGIN) for name in ("old", "new"))
        keys = LogKeys((LogKey(new.key), LogKey(old.key, retired=7)))
        assert keys.read(old.sign_note(CHECKPOINT.text())) == CHECKPOINT
        later = replace(CHECKPOINT, size=8)
        with pytest.raises(EvidenceInvalid):
            keys.read(old.sign_note(later.text()))
        both = old.sign_note(later.text()) + new.sign(later.text()).encode()
        assert keys.read(both) == later


@pytest.mark.slow
class TestRotation:
    def test_old_evidence_verifies_before_during_and_after_with_every_key_that_was_published(
        self, repository: Repository
    ) -> None:
        logged(repository, "one")
        old_line, old = verifier_key(repository), open_log(repository).evidence(0)
        rotate_keys(repository)
        new_line = verifier_key(repository)
        assert new_line != old_line
        during = open_log(repository).evidence(0)
        assert all(evidence.verify(during, line) for line in (old_line, new_line))
        retire_keys(repository)
        logged(repository, "two")
        after = open_log(repository).evidence(0)
        assert evidence.verify(after, new_line)
        with pytest.raises(EvidenceInvalid):
            evidence.verify(after, old_line)
        assert all(evidence.verify(old, keys) for keys in (old_line, log_keys(repository).text()))
        assert open_log(repository).verify().ok

    def test_changes_of_keys_are_events_of_the_log(self, repository: Repository) -> None:
        rotate_keys(repository)
        retire_keys(repository)
        log = open_log(repository)
        details = [parse_event(entry).detail for entry in log.entries(0, log.size)]
        assert [detail["change"] for detail in details if detail[ACT] == Act.KEY] == ["added"] * 2 + ["retired"] * 2
        assert verifier_key(repository) in {detail["key"] for detail in details}

    def test_the_last_key_and_unknown_keys_cannot_be_retired(self, repository: Repository) -> None:
        logged(repository, "one")
        (current, _) = log_keys(repository).signing
        with pytest.raises(RequestInvalid, match="rotate"):
            retire_keys(repository, [current.key.key_id.hex()])
        with pytest.raises(NotFound):
            retire_keys(repository, ["00000000"])
        assert log_keys(repository).signing[0] == current

    def test_a_lost_database_takes_all_keys_from_the_key_file(self, repository: Repository) -> None:
        logged(repository, "one")
        rotate_keys(repository)
        retire_keys(repository)
        again = prepare_repository(replace(memory_repository(repository.settings), store=repository.store))
        assert log_keys(again) == log_keys(repository)
        assert open_log(again).verify().ok

    @pytest.mark.parametrize("change", ["rotate", "retire"])
    def test_a_change_that_was_killed_between_file_and_database_is_finished(
        self, repository: Repository, change: str
    ) -> None:
        logged(repository, "one")
        rotate_keys(repository)
        registered = log_keys(repository)
        if change == "rotate":
            held = key_file.add_keys(repository.settings.keys, "2026-01-02T00:00:00Z")
        else:
            held = key_file.retire_keys(repository.settings.keys, [registered.signing[-1].key], 3)
        with pytest.raises(SettingInvalid):
            log_key(repository)
        prepare_repository(repository)
        assert log_keys(repository) == held != registered
        logged(repository, "two")
        log = open_log(repository)
        assert log.verify().ok
        details = [parse_event(entry).detail for entry in log.entries(0, log.size)]
        changes = [detail["change"] for detail in details if detail.get(ACT) == Act.KEY]
        assert changes == (["added"] * 4 if change == "rotate" else ["added", "added", "retired"])

    def test_a_change_that_was_killed_is_finished_by_the_next_change(self, repository: Repository) -> None:
        logged(repository, "one")
        killed = key_file.add_keys(repository.settings.keys, "2026-01-02T00:00:00Z")
        assert [each for each in rotate_keys(repository).keys if each in killed.keys] == list(killed.keys)
        log = open_log(repository)
        details = [parse_event(entry).detail for entry in log.entries(0, log.size)]
        assert [detail["change"] for detail in details if detail.get(ACT) == Act.KEY] == ["added"] * 4

    def test_a_machine_with_an_old_key_file_refuses_to_sign(self, repository: Repository) -> None:
        path = repository.settings.keys / KEY_FILE
        old = path.read_bytes()
        rotate_keys(repository)
        during = path.read_bytes()
        retire_keys(repository)
        for stale in (old, during):
            path.write_bytes(stale)
            with pytest.raises(SettingInvalid, match="sign the log now"):
                prepare_repository(repository)

    def test_a_key_ends_when_it_has_its_age_and_a_new_one_ends_later(self, repository: Repository) -> None:
        assert log_keys(repository).newest.ends(730) == NOW + timedelta(days=730)
        later = replace(repository, clock=lambda: NOW + timedelta(days=700))
        assert rotate_keys(later).newest.ends(730) == NOW + timedelta(days=1430)

    def test_the_file_of_an_earlier_release_is_read_and_gets_new_keys_beside_it(self, repository: Repository) -> None:
        path = repository.settings.keys / KEY_FILE
        line = path.read_text().splitlines()[0].split(" ")[0]
        path.write_text(f"{line}\n")
        again = prepare_repository(memory_repository(repository.settings, repository.clock))
        assert [each.key.algorithm for each in log_keys(again).keys] == [Algorithm.ED25519]
        logged(again, "one")
        assert {each.key.algorithm for each in rotate_keys(again).signing} == {Algorithm.ED25519, Algorithm.ML_DSA_44}
        assert len(parse_note(open_log(again).checkpoint_note()).signatures) == 3


class TestEncryption:
    def test_a_passphrase_encrypts_the_file_and_opens_it(self, repository: Repository) -> None:
        logged(repository, "one")
        path = repository.settings.keys / KEY_FILE
        locked = replace(repository, settings=replace(repository.settings, key_passphrase="春眠不覺曉"))
        prepare_repository(locked)
        assert notes.decode_base64(path.read_text().split("\n")[1])
        assert b"PRIVATE" not in path.read_bytes()
        logged(locked, "two")
        rotate_keys(locked)
        assert b"PRIVATE" not in path.read_bytes()
        assert open_log(locked).verify().ok
        with pytest.raises(DependencyMissing, match="passphrase"):
            log_key(repository)
        with pytest.raises(SettingInvalid, match="passphrase"):
            key_file.load(repository.settings.keys, "another")
        assert key_file.load(repository.settings.keys, "春眠不覺曉").keys == log_keys(locked)

    def test_the_passphrase_is_read_from_a_file_and_from_a_credential_of_systemd(self, tmp_path: Path) -> None:
        file = tmp_path / "shanben-key-passphrase"
        file.write_text("春眠\n", "utf-8")
        file.chmod(0o400)
        assert read_settings({"CREDENTIALS_DIRECTORY": str(tmp_path)}).signing_passphrase() == "春眠"
        assert read_settings({"SHANBEN_KEY_PASSPHRASE_FILE": str(file)}).signing_passphrase() == "春眠"
        both = {"SHANBEN_KEY_PASSPHRASE": "x", "CREDENTIALS_DIRECTORY": str(tmp_path)}
        assert read_settings(both).signing_passphrase() == "x"
        assert read_settings({"CREDENTIALS_DIRECTORY": str(tmp_path / "none")}).signing_passphrase() == ""

    def test_a_passphrase_file_that_others_can_read_is_refused(self, tmp_path: Path) -> None:
        file = tmp_path / "passphrase"
        file.write_text("x")
        file.chmod(0o644)
        with pytest.raises(SettingInvalid, match="chmod 600"):
            Settings(key_passphrase_file=str(file)).signing_passphrase()
        file.write_text("")
        file.chmod(0o600)
        with pytest.raises(SettingInvalid, match="empty"):
            Settings(key_passphrase_file=str(file)).signing_passphrase()
