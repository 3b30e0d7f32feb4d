"""The stand-alone verifier: it agrees with `shanben log check`, OpenSSL and pymerkle, and shares no code with them."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pymerkle
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from memory_log import temporary_signer
from timestamp_authority import TimestampAuthority, openssl

from preservation.log import evidence, merkle, notes
from preservation.log.evidence import EvidenceFile
from preservation.log.merkle import TreeHead
from preservation.log.notes import Checkpoint, Note, Signature, parse_note, parse_verifier_key
from preservation.log.policy import parse_policy, verify_by_policy
from preservation.log.signing_key import Cosigner
from preservation.log.timestamp import note_signature, read_roots, verify_timestamp
from preservation.premis import event_bytes, ingestion_event, parse_event
from preservation.verifier import verify
from repository.errors import EvidenceInvalid, RequestInvalid, ShanbenError
from repository.model.work import EventType, Master

SIGNER = temporary_signer("library.example/log")
WITNESSES = [Cosigner(f"{name}.example/witness", name.encode() * 16) for name in ("w1", "w2")]
KEYS = [witness.key for witness in WITNESSES]
MASTER = b"the bytes of a master"
EVENTS = [
    ingestion_event(
        "w000000000000",
        f"i{number:012}",
        Master("m", sha256(MASTER + b"%d" % number).hexdigest(), 1, "x/y"),
        time="2026-01-01T00:00:00Z",
        software="test",
    )
    for number in range(7)
]
ENTRIES = [event_bytes(event) for event in EVENTS]
LEAVES = [merkle.leaf_hash(entry) for entry in ENTRIES]


def proof_of(index: int, size: int = 7) -> list[bytes]:
    return merkle.inclusion_proof(index, size, lambda start, end: merkle.tree_hash(LEAVES[start:end]))


def make_evidence(index: int = 4, size: int = 7, *more: Signature, cosigned: int = 2) -> EvidenceFile:
    """Return evidence of an entry in the log of `size` entries, cosigned, with further signature lines."""
    text = Checkpoint(SIGNER.origin, size, merkle.tree_hash(LEAVES[:size])).text()
    note = parse_note(SIGNER.sign_note(text))
    cosignatures = tuple(witness.cosign(text, 1_800_000_000) for witness in WITNESSES[:cosigned])
    note = replace(note, signatures=(*note.signatures, *cosignatures, *more))
    return EvidenceFile(ENTRIES[index], index, tuple(proof_of(index, size)), note.content())


def library_verdict(content: bytes, roots: Sequence[x509.Certificate] = (), quorum: int = 0) -> bool:
    """Return whether `shanben log check` accepts: the same calls in the same order."""
    try:
        verified = evidence.verify(content, SIGNER.verifier_key, KEYS)
        verify_timestamp(parse_note(evidence.parse(content).checkpoint), roots)
        parse_event(verified.entry)
    except ShanbenError:
        return False
    return len(verified.cosigners) >= quorum


def verifier_verdict(content: bytes, roots: Sequence[x509.Certificate] = (), quorum: int = 0) -> bool:
    keys = [verify.parse_key(key.line()) for key in (parse_verifier_key(SIGNER.verifier_key), *KEYS)]
    trust = verify.Trust(keys[:1], keys[1:], lambda found: len(found) >= quorum)
    try:
        verify.verify_evidence(content, trust, roots)
    except verify.EvidenceRefused:
        return False
    return True


def assert_same_verdict(content: bytes, expected: bool | None = None, quorum: int = 0) -> None:
    verdicts = (verifier_verdict(content, quorum=quorum), library_verdict(content, quorum=quorum))
    assert verdicts[0] is verdicts[1]
    if expected is not None:
        assert verdicts[0] is expected


@pytest.mark.parametrize("size", range(1, 8))
def test_every_entry_of_every_tree_is_accepted_by_both(size: int) -> None:
    for index in range(size):
        assert_same_verdict(make_evidence(index, size).content(), expected=True)


def test_verifier_says_that_a_check_found_damage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    failed = replace(EVENTS[0], type=EventType.FIXITY_CHECK.value, image=None, outcome="failure")
    for event, stated in ((failed, "fixity check (failure) w000000000000"), (EVENTS[0], "ingestion w000000000000")):
        entry = event_bytes(event)
        note = SIGNER.sign_note(Checkpoint(SIGNER.origin, 1, merkle.tree_hash([merkle.leaf_hash(entry)])).text())
        file = tmp_path / "evidence"
        file.write_bytes(EvidenceFile(entry, 0, (), note).content())
        assert verify.main([str(file), "--key", SIGNER.verifier_key]) == 0
        assert f"Z {stated}" in capsys.readouterr().out


@pytest.mark.slow
def test_every_changed_bit_is_refused_by_both() -> None:
    content = make_evidence().content()
    for place in range(len(content)):
        for bit in (1, 4, 32):
            changed = content[:place] + bytes([content[place] ^ bit]) + content[place + 1 :]
            assert_same_verdict(changed, expected=False, quorum=2)


def test_every_truncated_evidence_file_is_refused_by_both() -> None:
    content = make_evidence().content()
    for end in range(len(content)):
        assert_same_verdict(content[:end], expected=False, quorum=2)


OTHER = temporary_signer(SIGNER.origin)
GOOD = make_evidence()
CHECKPOINT = Checkpoint(SIGNER.origin, 7, merkle.tree_hash(LEAVES))


@pytest.mark.parametrize(
    ("content", "accepted"),
    [
        (GOOD.content(), True),
        (replace(GOOD, entry=ENTRIES[3]).content(), False),
        (replace(GOOD, index=3).content(), False),
        (replace(GOOD, index=7).content(), False),
        (replace(GOOD, proof=GOOD.proof[:-1]).content(), False),
        (replace(GOOD, proof=(*GOOD.proof, GOOD.proof[0])).content(), False),
        (replace(GOOD, proof=GOOD.proof[::-1]).content(), False),
        (replace(GOOD, checkpoint=OTHER.sign_note(CHECKPOINT.text())).content(), False),
        (replace(GOOD, checkpoint=SIGNER.sign_note(replace(CHECKPOINT, origin="other").text())).content(), False),
        (replace(GOOD, checkpoint=SIGNER.sign_note(replace(CHECKPOINT, size=9).text())).content(), False),
        (replace(GOOD, checkpoint=SIGNER.sign_note(CHECKPOINT.text() + "extension\n")).content(), True),
        (replace(GOOD, checkpoint=SIGNER.sign_note(CHECKPOINT.text().replace("7", "07"))).content(), False),
        (GOOD.content() + b"\n", False),
        (GOOD.content() + "— stranger AAAAAAAAAAA=\n".encode(), True),
        (GOOD.content() + "— str+nger AAAAAAAAAAA=\n".encode(), False),
        (GOOD.content() + f"— {KEYS[0].name} AAAAAAAAAAA=\n".encode(), True),
        (GOOD.content() + Signature(KEYS[0].name, KEYS[0].key_id, bytes(72)).line().encode(), False),
        (GOOD.content().replace(b"\n", b"\r\n"), False),
        (b"", False),
        (EvidenceFile(b"", 0, (), SIGNER.sign_note(Checkpoint(SIGNER.origin, 0, bytes(32)).text())).content(), False),
    ],
)
def test_table_of_evidence_gets_the_same_verdict_from_both(content: bytes, accepted: bool) -> None:
    assert_same_verdict(content, expected=accepted)


@given(st.data())
def test_mutations_get_the_same_verdict_from_both(data: st.DataObject) -> None:
    content = make_evidence(data.draw(st.integers(0, 6))).content()
    start = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(start, min(len(content), start + 80)))
    inserted = data.draw(st.one_of(st.binary(max_size=20), st.just(content[start:end] * 2), st.just(b"\n")))
    assert_same_verdict(content[:start] + inserted + content[end:])


@given(st.integers(1, 400), st.data())
def test_proofs_of_pymerkle_and_its_verdict_are_those_of_the_verifier(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    entries = [b"entry %d" % number for number in range(size)]
    tree = pymerkle.InmemoryTree.init_from_entries(entries)
    theirs = tree.prove_inclusion(index + 1)
    leaves = [merkle.leaf_hash(entry) for entry in entries]
    ours = merkle.inclusion_proof(index, size, lambda start, end: merkle.tree_hash(leaves[start:end]))
    assert theirs.path[1:] == ours
    pymerkle.verify_inclusion(leaves[index], tree.get_root(), theirs)
    proof = verify.Proof(entries[index], index, tuple(theirs.path[1:]), b"", "", size, tree.get_root(), ())
    verify.require_inclusion(proof)
    with pytest.raises(verify.EvidenceRefused):
        verify.require_inclusion(proof._replace(root=bytes(32)))
    assert merkle.includes(TreeHead(size, tree.get_root()), index, leaves[index], ours)


def verdict_of_shanben(content: bytes, policy: bytes) -> int:
    try:
        verify_by_policy(content, parse_policy(policy))
    except RequestInvalid:
        return 2
    except EvidenceInvalid:
        return 1
    return 0


def test_policy_of_groups_and_quorum_decides(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [f"log {SIGNER.verifier_key} https://library.example/log", "# the witnesses", ""]
    lines += [f"witness {key.name} {key.line()}" for key in KEYS]
    file, policy, master = (tmp_path / name for name in ("evidence", "policy", "master"))
    file.write_bytes(make_evidence(cosigned=1).content())
    master.write_bytes(MASTER + b"4")

    def call(quorum: str, *arguments: object) -> int:
        policy.write_text("\n".join([*lines, *quorum.split("; ")]) + "\n")
        theirs = verify.main([str(file), "--policy", str(policy), *map(str, arguments)])
        if not arguments:
            assert verdict_of_shanben(file.read_bytes(), policy.read_bytes()) == theirs, quorum
        return theirs

    both = f"{KEYS[0].name} {KEYS[1].name}"
    for quorum, code in [
        ("quorum none", 0),
        (f"quorum {KEYS[0].name}", 0),
        (f"quorum {KEYS[1].name}", 1),
        (f"group all all {both}; quorum all", 1),
        (f"group one any {both}; quorum one", 0),
        (f"group both 2 {both}; group outer any both; quorum outer", 1),
        ("quorum nobody", 2),
        ("quorum none; unknown", 2),
        ("# no quorum", 2),
        (f"group few some {both}; quorum few", 2),
        (f"group few 0 {both}; quorum few", 2),
        (f"group few -1 {both}; quorum few", 2),
        (f"group none any {both}; quorum none", 2),
        (f"witness none {KEYS[0].line()}; quorum none", 2),
        (f"group early any late; group late any {both}; quorum early", 2),
    ]:
        assert call(quorum) == code, quorum
    assert call("quorum none", "--file", master) == 0
    assert "SHA256" in capsys.readouterr().out
    master.write_bytes(MASTER)
    assert call("quorum none", "--file", master) == 1
    assert call("quorum none", "--file", tmp_path / "nowhere") == 2
    assert verify.main([str(file)]) == 2
    assert verify.main([str(file), "--key", SIGNER.verifier_key, "--quorum", "1"]) == 1
    assert verify.main([str(file), "--key", SIGNER.verifier_key, "--quorum", "1", "--witness", KEYS[0].line()]) == 0
    assert verify.main([str(file), "--key", SIGNER.verifier_key[:-1]]) == 2
    output = capsys.readouterr().out
    assert "核验通过" in output
    assert f"Cosigned: {KEYS[0].name}, 2027-01-15T08:00:00Z" in output


def test_cosignature_by_ml_dsa_44_is_verified() -> None:
    private, name = MLDSA44PrivateKey.generate(), "pq.example/witness"
    public = private.public_key().public_bytes_raw()
    material = b"\x06" + public
    key_id = sha256(name.encode() + b"\n" + material).digest()[:4]
    key = verify.parse_key(f"{name}+{key_id.hex()}+{notes.encode_base64(material)}")

    def signature(size: int, seconds: int = 1_800_000_000) -> Signature:
        root, time = merkle.tree_hash(LEAVES[:size]), seconds.to_bytes(8, "big")
        # tlog-cosignature, "ML-DSA-44 signed message": label, name, time, origin, start, end, hash
        names = [bytes([len(part)]) + part.encode() for part in (name, SIGNER.origin)]
        message = b"subtree/v1\n\0" + names[0] + time + names[1] + bytes(8) + size.to_bytes(8, "big") + root
        return Signature(name, key_id, time + private.sign(message))

    def cosigned(line: Signature) -> list[tuple[verify.Key, int]]:
        proof = verify.parse_evidence(make_evidence(4, 7, line).content())
        return verify.cosigners(proof, verify.Trust([], [key], lambda found: key in found))

    assert cosigned(signature(7)) == [(key, 1_800_000_000)]
    for wrong in (signature(6), replace(signature(7), signature_bytes=bytes(8) + signature(7).signature_bytes[8:])):
        with pytest.raises(verify.EvidenceRefused):
            cosigned(wrong)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> TimestampAuthority:
    return TimestampAuthority(tmp_path_factory.mktemp("authority") / "one")


@pytest.fixture(scope="module")
def timestamped(authority: TimestampAuthority) -> EvidenceFile:
    text = authority.folder / "text"
    text.write_text(CHECKPOINT.text())
    openssl("ts", "-query", "-data", text, "-sha256", "-cert", "-out", authority.folder / "test.tsq")
    return make_evidence(
        4, 7, note_signature("tsa.example", authority.reply((authority.folder / "test.tsq").read_bytes()))
    )


def test_timestamp_is_verified_by_the_verifier_the_library_and_openssl(
    authority: TimestampAuthority, timestamped: EvidenceFile, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, folder = tmp_path / "evidence", tmp_path / "extracted"
    file.write_bytes(timestamped.content())
    call = [str(file), "--key", SIGNER.verifier_key]
    assert library_verdict(timestamped.content(), read_roots(str(authority.roots)))
    assert verify.main([*call, "--roots", str(authority.roots)]) == 0
    assert "OpenSSL" not in capsys.readouterr().out
    assert verify.main([*call, "--extract", str(folder)]) == 0
    command = next(line for line in capsys.readouterr().out.splitlines() if "openssl ts -verify" in line).split()
    names = [str(folder / word) if (folder / word).exists() else word for word in command[1:]]
    openssl(*[str(authority.roots) if word == "ROOTS.pem" else word for word in names])
    other = TimestampAuthority(tmp_path / "other", "Other")
    assert verify.main([*call, "--roots", str(other.roots)]) == 1
    assert not library_verdict(timestamped.content(), read_roots(str(other.roots)))


@pytest.mark.slow
def test_every_changed_byte_that_the_authority_signed_is_refused_by_both(
    authority: TimestampAuthority, timestamped: EvidenceFile
) -> None:
    roots = read_roots(str(authority.roots))
    note = parse_note(timestamped.checkpoint)
    response = note.signatures[-1].signature_bytes
    token = verify.parse_timestamp(response)
    # What was stamped, the signed attributes, and the signature; the rest only carries them.
    signed = [token.stamped, token.signer[3].content, token.signer[5].content]
    ranges = [(response.rindex(part), response.rindex(part) + len(part)) for part in signed]
    for place in range(len(response)):
        changed = response[:place] + bytes([response[place] ^ 1 << place % 8]) + response[place + 1 :]
        signatures = (*note.signatures[:-1], note_signature("tsa.example", changed))
        content = replace(timestamped, checkpoint=Note(note.text, signatures).content()).content()
        if any(start <= place < end for start, end in ranges):
            assert (verifier_verdict(content, roots), library_verdict(content, roots)) == (False, False), place
        elif verifier_verdict(content, roots):
            assert verify.parse_timestamp(changed).stamped == token.stamped


def test_timestamp_of_sigstores_authority_is_verified(shared: Path) -> None:
    vectors = shared / "conformance" / "rfc3161" / "sigstage"
    roots = x509.load_pem_x509_certificates((vectors / "ts_chain.pem").read_bytes())
    response = (vectors / "response-sha256.tsr").read_bytes()
    for trusted in (roots, roots[-1:], []):
        assert verify.verify_timestamp(response, b"hello", trusted).isoformat() == "2025-05-09T11:58:55+00:00"
        with pytest.raises(verify.EvidenceRefused):
            verify.verify_timestamp(response, b"other", trusted)


@given(st.binary(max_size=200))
def test_garbage_is_refused_as_a_timestamp(content: bytes) -> None:
    with pytest.raises(verify.EvidenceRefused):
        verify.verify_timestamp(content, b"", [])


def imported(tree: ast.AST) -> set[str]:
    found = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    return found | {node.module or "." for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}


def test_the_verifier_is_one_file_over_the_standard_library_and_cryptography() -> None:
    source = Path(verify.__file__).read_text("utf-8")
    packages = {name.partition(".")[0] for name in imported(ast.parse(source))}
    assert packages - sys.stdlib_module_names == {"cryptography"}


def test_the_verifier_shows_the_digests_from_scanning(capsys: pytest.CaptureFixture[str]) -> None:
    master = Master("m", sha256(MASTER).hexdigest(), 1, "x/y")
    stated = f"sha256:{master.sha256} md5:{'ab' * 16}"
    event = ingestion_event("w", "i", master, time="2026-01-01T00:00:00Z", software="test", captured=stated)
    entry = event_bytes(event)
    note = SIGNER.sign_note(Checkpoint(SIGNER.origin, 1, merkle.tree_hash([merkle.leaf_hash(entry)])).text())
    keys = [verify.parse_key(parse_verifier_key(SIGNER.verifier_key).line())]
    verify.verify_evidence(EvidenceFile(entry, 0, (), note).content(), verify.Trust(keys, [], lambda _: True), [])
    assert f"Recorded when it was scanned: {stated}" in capsys.readouterr().out


def test_the_verifier_runs_alone_in_an_empty_folder(tmp_path: Path) -> None:
    alone, file = tmp_path / "verify.py", tmp_path / "evidence"
    alone.write_bytes(Path(verify.__file__).read_bytes())
    file.write_bytes(make_evidence().content())
    command = [sys.executable, "-I", alone, file, "--key", SIGNER.verifier_key]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
    assert "核验通过" in done.stdout.decode()


def test_the_verifier_ends_quietly_when_nobody_reads_its_output(tmp_path: Path) -> None:
    file = tmp_path / "evidence"
    file.write_bytes(make_evidence().content())
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-I", verify.__file__, file, "--key", SIGNER.verifier_key]
    try:
        done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, check=False, timeout=60)
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.parametrize(
    "call", [("/dev/zero",), ("evidence", "--policy", "/dev/zero"), ("evidence", "--roots", "/dev/zero")]
)
def test_the_verifier_refuses_files_without_an_end(tmp_path: Path, call: tuple[str, ...]) -> None:
    (tmp_path / "evidence").write_bytes(make_evidence().content())
    limited = ["sh", "-c", 'ulimit -v 2000000; exec "$@"', "sh", sys.executable, "-I", verify.__file__]
    key = () if "--policy" in call else ("--key", SIGNER.verifier_key)
    done = subprocess.run([*limited, *call, *key], cwd=tmp_path, capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (1 if call == ("/dev/zero",) else 2, b"")


def test_the_verifier_believes_no_part_of_a_longer_file(tmp_path: Path) -> None:
    """A policy of which the end is not read may lack its quorum; roots, the one that counts."""
    (tmp_path / "evidence").write_bytes(make_evidence().content())
    start = f"log {SIGNER.verifier_key} https://library.example/log\nquorum none\n#"
    start += " " * ((verify.LONGEST_POLICY + 1 - len(start)) % 3)  # what is read first ends between two characters
    (tmp_path / "policy").write_text(f"{start}{'注' * verify.LONGEST_POLICY}\nquorum nobody\n")
    assert verify.main([str(tmp_path / "evidence"), "--policy", str(tmp_path / "policy")]) == 2


def test_an_archive_of_evidence_is_to_be_unpacked_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "evidence.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("evidence", make_evidence().content())
    assert verify.main([str(file), "--key", SIGNER.verifier_key]) == 1
    assert "unpack it" in capsys.readouterr().out
    with pytest.raises(EvidenceInvalid, match="unpack it"):
        evidence.verify(file.read_bytes(), SIGNER.verifier_key)


def test_an_entry_nested_too_deeply_is_refused() -> None:
    with pytest.raises(verify.EvidenceRefused):
        verify.parse_event(b"[" * 100_000)
