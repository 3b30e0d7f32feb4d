from __future__ import annotations

import stat
from pathlib import Path

import pytest
from memory_log import temporary_signer

from preservation.log import key_file, merkle, notes
from preservation.log.notes import Checkpoint
from repository.errors import DependencyMissing, SettingInvalid

ORIGIN = "library.example/log"


def test_signing_key_is_created_once_and_then_loaded(tmp_path: Path) -> None:
    made = key_file.load_or_create(tmp_path / "keys", ORIGIN)
    again = key_file.load_or_create(tmp_path / "keys", ORIGIN)
    assert made.verifier_key == again.verifier_key == key_file.load(tmp_path / "keys").verifier_key
    text = Checkpoint(ORIGIN, 0, merkle.EMPTY_ROOT).text()
    assert again.keys.read(made.sign_note(text)).size == 0
    assert again.origin == ORIGIN


def test_signing_key_readable_by_others_is_refused(tmp_path: Path) -> None:
    key_file.create(tmp_path / "keys", ORIGIN)
    path = tmp_path / "keys" / key_file.KEY_FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == [key_file.KEY_FILE]
    path.chmod(0o640)
    with pytest.raises(SettingInvalid, match="chmod 600"):
        key_file.load(tmp_path / "keys")


def test_signing_key_is_never_overwritten(tmp_path: Path) -> None:
    first = key_file.create(tmp_path, ORIGIN)
    with pytest.raises(SettingInvalid, match="not overwritten"):
        key_file.create(tmp_path, ORIGIN)
    assert key_file.load(tmp_path).verifier_key == first.verifier_key


def test_missing_signing_key_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(DependencyMissing, match="shanben init"):
        key_file.load(tmp_path / "nowhere")


def test_signing_key_refuses_another_origin(tmp_path: Path) -> None:
    key_file.create(tmp_path, ORIGIN)
    with pytest.raises(SettingInvalid, match="origin cannot change"):
        key_file.load_or_create(tmp_path, "another.example/log")


@pytest.mark.parametrize("origin", ["x" * 256, "善" * 86, "", "two words", "a+b", "tab\there", "wide\u3000space"])
def test_signing_key_refuses_an_origin_that_cannot_name_a_key(tmp_path: Path, origin: str) -> None:
    with pytest.raises(SettingInvalid):
        key_file.create(tmp_path / "keys", origin)
    assert not (tmp_path / "keys").exists()


def test_signing_key_with_any_damaged_byte_is_refused(tmp_path: Path) -> None:
    key_file.create(tmp_path, ORIGIN)
    path = tmp_path / key_file.KEY_FILE
    whole = path.read_bytes()
    for place in range(len(whole) - 1):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(SettingInvalid):
            key_file.load(tmp_path)
    for cut in (b"", whole[:20], whole[:-10], b"\xff" * 30):
        path.write_bytes(cut)
        with pytest.raises(SettingInvalid):
            key_file.load(tmp_path)


def test_signing_key_does_not_reveal_the_private_key(tmp_path: Path) -> None:
    signer = key_file.create(tmp_path, ORIGIN)
    secret = (tmp_path / key_file.KEY_FILE).read_text("utf-8").strip().split("+", 4)[4]
    assert secret not in repr(signer) + str(vars(type(signer))) + signer.verifier_key


def test_signed_note_verifies_with_the_verifier_key_line() -> None:
    signer = temporary_signer(ORIGIN)
    key = notes.parse_verifier_key(signer.verifier_key)
    assert notes.verify_note(signer.sign_note("溯源\n"), [key]).text == "溯源\n"
