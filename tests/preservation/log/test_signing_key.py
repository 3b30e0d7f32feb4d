from __future__ import annotations

import stat
from pathlib import Path

import pytest

from preservation.log import notes, signing_key
from repository.errors import DependencyMissing, SettingInvalid

ORIGIN = "library.example/log"


def test_a_key_made_once_is_the_same_ever_after(tmp_path: Path) -> None:
    made = signing_key.load_or_create(tmp_path / "keys", ORIGIN)
    again = signing_key.load_or_create(tmp_path / "keys", ORIGIN)
    assert made.verifier_key == again.verifier_key == signing_key.load(tmp_path / "keys").verifier_key
    assert made.sign("text\n") == again.sign("text\n")
    assert again.origin == ORIGIN


def test_only_the_owner_may_read_the_key(tmp_path: Path) -> None:
    signing_key.create(tmp_path / "keys", ORIGIN)
    path = tmp_path / "keys" / signing_key.KEY_FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == [signing_key.KEY_FILE]
    path.chmod(0o640)
    with pytest.raises(SettingInvalid, match="chmod 600"):
        signing_key.load(tmp_path / "keys")


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    first = signing_key.create(tmp_path, ORIGIN)
    with pytest.raises(SettingInvalid, match="not overwritten"):
        signing_key.create(tmp_path, ORIGIN)
    assert signing_key.load(tmp_path).verifier_key == first.verifier_key


def test_an_absent_key_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DependencyMissing, match="shanben init"):
        signing_key.load(tmp_path / "nowhere")


def test_a_log_keeps_the_name_its_key_was_made_for(tmp_path: Path) -> None:
    signing_key.create(tmp_path, ORIGIN)
    with pytest.raises(SettingInvalid, match="origin cannot change"):
        signing_key.load_or_create(tmp_path, "another.example/log")


@pytest.mark.parametrize("origin", ["", "two words", "a+b", "tab\there", "wide\u3000space"])
def test_an_origin_that_cannot_name_a_key_is_refused(tmp_path: Path, origin: str) -> None:
    with pytest.raises(SettingInvalid):
        signing_key.create(tmp_path / "keys", origin)
    assert not (tmp_path / "keys").exists()


def test_a_damaged_key_is_refused_whichever_byte_is_damaged(tmp_path: Path) -> None:
    signing_key.create(tmp_path, ORIGIN)
    path = tmp_path / signing_key.KEY_FILE
    whole = path.read_bytes()
    for place in range(len(whole) - 1):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(SettingInvalid):
            signing_key.load(tmp_path)
    for cut in (b"", whole[:20], whole[:-10], b"\xff" * 30):
        path.write_bytes(cut)
        with pytest.raises(SettingInvalid):
            signing_key.load(tmp_path)


def test_the_private_key_does_not_show(tmp_path: Path) -> None:
    signer = signing_key.create(tmp_path, ORIGIN)
    secret = (tmp_path / signing_key.KEY_FILE).read_text("utf-8").strip().split("+", 4)[4]
    assert secret not in repr(signer) + str(vars(type(signer))) + signer.verifier_key


def test_what_it_signs_verifies_with_its_verifier_key_line() -> None:
    signer = signing_key.generate(ORIGIN)
    key = notes.parse_verifier_key(signer.verifier_key)
    assert notes.verify_note(signer.sign_note("溯源\n"), [key]).text == "溯源\n"
