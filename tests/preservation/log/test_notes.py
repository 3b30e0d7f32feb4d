from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from memory_log import temporary_signer

from preservation.log import notes
from preservation.log.merkle import EMPTY_ROOT
from preservation.log.notes import Checkpoint
from repository.errors import EvidenceInvalid, RequestInvalid

# The example of C2SP signed-note, "Example".
EXAMPLE_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
EXAMPLE_NOTE = (
    "This is an example message.\n\n— example.com/foo "
    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
).encode()

SIGNER = temporary_signer("example.org/log")
NOTE = SIGNER.sign_note("one\n\ntwo\n")
ORIGINS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)


def test_note_of_the_specification_example_verifies() -> None:
    key = notes.parse_verifier_key(EXAMPLE_KEY)
    assert key.line() == EXAMPLE_KEY
    assert notes.verify_note(EXAMPLE_NOTE, [key]).text == "This is an example message.\n"


def test_parse_note_is_the_inverse_of_content() -> None:
    note = notes.parse_note(NOTE)
    assert note.text == "one\n\ntwo\n"
    assert note.content() == NOTE


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"\n\n",
        b"text\n",
        b"text\n\n",
        NOTE[:-1],
        NOTE[:-20],
        NOTE.replace(b"one", b"o\tne"),
        NOTE.replace(b"one", b"o\xffne"),
        NOTE + b"more\n",
        NOTE.replace("— ".encode(), b"- "),
        b"text\n\n" + "— na+me AAAAAAAA\n".encode(),
        b"text\n\n" + "— name AAAA\n".encode(),
        b"text\n\n" + "— name AAAAAB==\n".encode(),
        b"text\n\n" + "— name AAAAAAAA\n".encode() * 101,
        b"x" * (notes.LONGEST_NOTE + 1),
    ],
)
def test_parse_note_refuses_malformed_notes(content: bytes) -> None:
    with pytest.raises(EvidenceInvalid):
        notes.parse_note(content)


def test_note_with_changed_text_is_refused() -> None:
    with pytest.raises(EvidenceInvalid, match="signature of .* is invalid"):
        notes.verify_note(NOTE.replace(b"two", b"too"), [SIGNER.key])


def test_note_ignores_signatures_of_unknown_keys_and_needs_a_known_one() -> None:
    other = temporary_signer("witness.example")
    both = NOTE + other.sign("one\n\ntwo\n").encode()
    assert notes.verify_note(both, [SIGNER.key]).content() == both
    with pytest.raises(EvidenceInvalid, match="not signed by the key"):
        notes.verify_note(NOTE, [other.key])


def test_note_with_a_false_signature_of_a_known_key_is_refused() -> None:
    other = temporary_signer("witness.example")
    forged = NOTE + other.sign("something else\n").encode()
    with pytest.raises(EvidenceInvalid, match="signature of .* is invalid"):
        notes.verify_note(forged, [SIGNER.key, other.key])


@pytest.mark.parametrize(
    "line",
    [
        "",
        "name",
        "name+00000000",
        EXAMPLE_KEY.replace("530d903a", "530d903b"),
        EXAMPLE_KEY.replace("530d903a", "530D903A"),
        EXAMPLE_KEY.replace("example.com/foo", "example.com/fo"),
        EXAMPLE_KEY.replace("example.com/foo", "example com"),
        EXAMPLE_KEY[:-4],
        EXAMPLE_KEY.replace("Aeky", "Beky"),
        "name+00000000+AAAA",
        "name+00000000+不是",
    ],
)
def test_parse_verifier_key_refuses_mistyped_keys(line: str) -> None:
    with pytest.raises(RequestInvalid):
        notes.parse_verifier_key(line)


@given(ORIGINS, st.integers(0, (1 << 63) - 1), st.binary(min_size=32, max_size=32))
def test_parse_checkpoint_is_the_inverse_of_text(origin: str, size: int, root: bytes) -> None:
    checkpoint = Checkpoint(origin, size, root, ("extension",))
    assert notes.parse_checkpoint(checkpoint.text()) == checkpoint


@pytest.mark.parametrize(
    ("size", "root"),
    [("-1", ""), ("01", ""), ("", ""), ("1.0", ""), (str(1 << 63), ""), ("9" * 5000, ""), ("١", ""), ("1", "AAAA")],
)
def test_parse_checkpoint_refuses_malformed_sizes_and_roots(size: str, root: str) -> None:
    with pytest.raises(EvidenceInvalid):
        notes.parse_checkpoint(f"origin\n{size}\n{root or notes.encode_base64(EMPTY_ROOT)}\n")


@pytest.mark.parametrize("text", ["", "origin\n1\n", "\n1\nAAAA\n", "origin\n1", "origin\n0\nAAAA\n\nextension\n"])
def test_parse_checkpoint_refuses_other_texts(text: str) -> None:
    with pytest.raises(EvidenceInvalid):
        notes.parse_checkpoint(text)


@given(st.binary(max_size=300))
def test_verify_note_refuses_garbage(content: bytes) -> None:
    with pytest.raises(EvidenceInvalid):
        notes.verify_note(content, [SIGNER.key])
