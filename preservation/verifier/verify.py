#!/usr/bin/env python3
"""核验证据文件，不依赖藏馆的任何程序或网站。 Verify evidence files, without any program or site of the library.

    python verify.py EVIDENCE... --policy POLICY [--file MASTER] [--roots PEM]
    python verify.py EVIDENCE... --key KEY [--witness KEY ...] [--quorum N] [--file MASTER] [--roots PEM]

Needs Python 3.11 or newer and the package `cryptography`. It reads the files named and nothing else, and sends nothing.
Exit status: 0 everything asked for is verified, 1 something is not, 2 the call is wrong.

An evidence file says: the provenance log of a library holds this entry. It is refused unless every step holds:

1. *Form.* The file is a tlog-proof: the entry, its index in the log, hashes, and a checkpoint of the log.
2. *Signature.* The log's key signed the checkpoint, which states the log's name, its size and the root of its tree.
3. *Inclusion.* The entry and the hashes lead to this root (RFC 9162 section 2.1.3.2). Any other entry would not.
4. *Witnesses.* Each cosignature by a key given is true, and as many witnesses cosigned as the policy requires. They
   attest that the library shows everybody the same log, and only ever adds to it.
5. *Time.* If the checkpoint has a timestamp (RFC 3161), it is one of this checkpoint. With the root certificates of the
   authority its signature and certificates are verified, too; without them the call of ``openssl ts`` is printed.
6. *File.* The file given has the digests that the entry states.

Formats: https://c2sp.org/tlog-proof, /signed-note, /tlog-checkpoint, /tlog-cosignature, /tlog-policy.
The log's key and the roots decide what is believed: compare them with what the library publishes elsewhere.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import hashlib
import io
import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.x509.oid import ExtendedKeyUsageOID

LONGEST_FILE, LONGEST_NOTE, MOST_SIGNATURES, LONGEST_PROOF, MAX_SIZE = 2 << 20, 1 << 20, 100, 63, 1 << 63
LONGEST_POLICY, LONGEST_ROOTS = 1 << 20, 1 << 24
ED25519, COSIGNATURE, ML_DSA_COSIGNATURE = 0x01, 0x04, 0x06
PUBLIC_KEY_SIZE = {ED25519: 32, COSIGNATURE: 32, ML_DSA_COSIGNATURE: 1312}


class EvidenceRefused(Exception):
    """A step that does not hold, in Chinese and English."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(zh, en)
        self.zh, self.en = zh, en


class CallWrong(EvidenceRefused):
    """A key, policy or file on the command line that cannot be used."""


class Key(NamedTuple):
    """A public key of the log or of a witness (signed-note, "Verifier keys")."""

    name: str
    key_id: bytes
    algorithm: int
    public: bytes


class SignatureLine(NamedTuple):
    """A line of a note: ``— name base64(key ID || signature)``."""

    name: str
    key_id: bytes
    signature: bytes


class Proof(NamedTuple):
    """A parsed evidence file. Nothing of it is verified. `text` is what the checkpoint's signatures sign."""

    entry: bytes
    number: int
    path: tuple[bytes, ...]
    text: bytes
    origin: str
    size: int
    root: bytes
    signatures: tuple[SignatureLine, ...]


Sufficient = Callable[[frozenset[Key]], bool]


class Trust(NamedTuple):
    """Whom the caller trusts: the log's keys, the witnesses' keys, and whether a set of cosigners suffices."""

    logs: Sequence[Key]
    witnesses: Sequence[Key]
    suffices: Sufficient


# 1. Form


def parse_evidence(content: bytes) -> Proof:
    """Parse an evidence file (tlog-proof). The extra data is the entry itself."""
    malformed = EvidenceRefused(
        "不是证据文件，或已被改动、截断", "this is not an evidence file, or it is altered or truncated"
    )
    if content.startswith(b"PK\x03\x04"):
        raise EvidenceRefused(
            "这是压缩包；请先解压，再核验其中的证据文件",
            "this is an archive; unpack it, then verify the evidence files in it",
        )
    top, empty_line, note = content.partition(b"\n\n")
    text, end_of_text, signatures = note.rpartition(b"\n\n")
    try:
        header, extra, index, *steps = top.decode("ascii").split("\n")
        origin, size, root, *extensions = text.decode().split("\n")
        lines = signatures.decode().removesuffix("\n").split("\n")
    except ValueError as fault:
        raise malformed from fault
    entry, number, tree_size = from_base64(extra[6:]), from_digits(index[6:]), from_digits(size)
    path, tree_root = [from_base64(step) for step in steps], from_base64(root)
    hashes_fit = all(digest and len(digest) == 32 for digest in (*path, tree_root)) and len(path) <= LONGEST_PROOF
    control = any(character < " " and character != "\n" for character in note.decode())
    form = (empty_line, end_of_text, header, extra[:6], index[:6], signatures[-1:])
    if (
        form != (b"\n\n", b"\n\n", "c2sp.org/tlog-proof@v1", "extra ", "index ", b"\n")
        or (entry is None or number is None or tree_size is None or tree_root is None or not hashes_fit or control)
        or (not origin or not all(extensions) or len(lines) > MOST_SIGNATURES)
        or (len(content) > LONGEST_FILE or len(note) > LONGEST_NOTE)
    ):
        raise malformed
    proven = tuple(digest for digest in path if digest)
    return Proof(
        entry,
        number,
        proven,
        text + b"\n",
        origin,
        tree_size,
        tree_root,
        tuple(parse_signature(line) for line in lines),
    )


def parse_signature(line: str) -> SignatureLine:
    """Parse a signature line of a note."""
    name, _, encoded = line[2:].partition(" ")
    material = from_base64(encoded) or b""
    if line[:2] != "— " or not is_name(name) or len(material) < 5:
        raise EvidenceRefused("签名行格式有误", "a signature line is malformed")
    return SignatureLine(name, material[:4], material[4:])


def from_base64(text: str) -> bytes | None:
    """Decode base64 in its only canonical form; None for anything else."""
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return content if base64.b64encode(content).decode() == text else None


def from_digits(text: str) -> int | None:
    """Parse a number without leading zeros, below 2^63; None for anything else."""
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else MAX_SIZE
    return number if number < MAX_SIZE and str(number) == text else None


def is_name(name: str) -> bool:
    """Return whether `name` may name a key."""
    return bool(name) and "+" not in name and not any(letter.isspace() or letter < " " for letter in name)


# 2. Signature


def log_signers(proof: Proof, keys: Sequence[Key]) -> frozenset[Key]:
    """Return which of the log's keys signed the checkpoint. Refuse none, a false one, and another log's."""
    signers = frozenset(key for key, _ in true_signatures(proof, keys))
    if not signers:
        raise EvidenceRefused("没有所给日志公钥的签名", "the checkpoint is not signed by the log's key given")
    if any(key.name != proof.origin for key in signers):
        raise EvidenceRefused("检查点属于另一日志", "the checkpoint belongs to another log")
    return signers


def true_signatures(proof: Proof, keys: Iterable[Key]) -> list[tuple[Key, int]]:
    """Return the keys that signed, with the times of cosignatures (POSIX seconds, 0 for other signatures).

    Refuse a signature in the name of one of the keys that is false. Signatures by other keys are passed over.
    """
    found = []
    for key in keys:
        for line in proof.signatures:
            if (line.name, line.key_id) != (key.name, key.key_id):
                continue
            if not is_true(proof, key, line.signature):
                raise EvidenceRefused(f"{key.name} 的签名无效", f"the signature of {key.name} is not valid")
            found.append((key, 0 if key.algorithm == ED25519 else int.from_bytes(line.signature[:8], "big")))
    return found


def is_true(proof: Proof, key: Key, signature: bytes) -> bool:
    """Return whether a signature is this key's of this checkpoint. A cosignature begins with its time, 8 bytes."""
    if key.algorithm == ED25519:
        return is_signed(key, signature, proof.text)
    time, signature = signature[:8], signature[8:]
    seconds = int.from_bytes(time, "big")
    if seconds >= MAX_SIZE:
        return False
    if key.algorithm == COSIGNATURE:
        return is_signed(key, signature, b"cosignature/v1\ntime %d\n" % seconds + proof.text)
    names = [bytes([len(name.encode())]) + name.encode() for name in (key.name, proof.origin)]
    tree = bytes(8) + proof.size.to_bytes(8, "big") + proof.root
    return is_signed(key, signature, b"subtree/v1\n\0" + names[0] + time + names[1] + tree)


def is_signed(key: Key, signature: bytes, message: bytes) -> bool:
    """Return whether a signature by Ed25519 (RFC 8032) or ML-DSA-44 (FIPS 204) is true."""
    try:
        if key.algorithm == ML_DSA_COSIGNATURE:
            from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey  # noqa: PLC0415 - new there

            MLDSA44PublicKey.from_public_bytes(key.public).verify(signature, message)
        else:
            Ed25519PublicKey.from_public_bytes(key.public).verify(signature, message)
    except ImportError as fault:
        raise CallWrong("ML-DSA-44 需要较新的 cryptography", "ML-DSA-44 needs a newer cryptography") from fault
    except (InvalidSignature, ValueError):
        return False
    return True


# 3. Inclusion


def require_inclusion(proof: Proof) -> None:
    """Refuse an entry that does not lead to the signed root (RFC 9162 section 2.1.3.2)."""
    position, last = proof.number, proof.size - 1
    digest = hashlib.sha256(b"\0" + proof.entry).digest()
    holds = position <= last
    for step in proof.path:
        holds = holds and last > 0
        if position & 1 or position == last:
            digest = hashlib.sha256(b"\1" + step + digest).digest()
            while position and not position & 1:
                position, last = position >> 1, last >> 1
        else:
            digest = hashlib.sha256(b"\1" + digest + step).digest()
        position, last = position >> 1, last >> 1
    if not (holds and last == 0 and digest == proof.root):
        raise EvidenceRefused("条目与签发的树根不符，可能被改动", "the entry does not lead to the signed root")


# 4. Witnesses


def cosigners(proof: Proof, trust: Trust) -> list[tuple[Key, int]]:
    """Return the witnesses that cosigned, with the times. Refuse fewer than are required."""
    found = true_signatures(proof, trust.witnesses)
    if not trust.suffices(frozenset(key for key, _ in found)):
        raise EvidenceRefused("联署的见证方不足", "fewer witnesses cosigned the checkpoint than are required")
    return found


# 5. Time: the authority's response is a signature line of its own, a DER TimeStampResp


class Der(NamedTuple):
    """A DER value: its tag, its content, and both with the length."""

    tag: int
    content: bytes
    whole: bytes


class Token(NamedTuple):
    """A timestamp: what was stamped (algorithm, digest), when, and what proves it."""

    imprint: tuple[bytes, bytes]
    time: datetime
    stamped: bytes
    signer: Sequence[Der]
    certificates: Sequence[x509.Certificate]


SIGNED_DATA, TST_INFO = bytes.fromhex("2a864886f70d010702"), bytes.fromhex("2a864886f70d0109100104")
CONTENT_TYPE, MESSAGE_DIGEST = bytes.fromhex("2a864886f70d010903"), bytes.fromhex("2a864886f70d010904")
SIGNING_CERTIFICATE = bytes.fromhex("2a864886f70d010910020c"), bytes.fromhex("2a864886f70d010910022f")
HASHES: Mapping[bytes, hashes.HashAlgorithm] = {
    bytes.fromhex("608648016503040201"): hashes.SHA256(),
    bytes.fromhex("608648016503040202"): hashes.SHA384(),
    bytes.fromhex("608648016503040203"): hashes.SHA512(),
}
SHA256 = next(iter(HASHES))


def timestamp_line(proof: Proof) -> SignatureLine | None:
    """Return the signature line that is a timestamp: its key ID is that of the name and the type 0xff ``rfc3161``."""
    return next(
        (
            line
            for line in proof.signatures
            if line.key_id == hashlib.sha256(line.name.encode() + b"\n\xffrfc3161").digest()[:4]
        ),
        None,
    )


def verify_timestamp(response: bytes, text: bytes, roots: Sequence[x509.Certificate]) -> datetime:
    """Return the time of a timestamp of `text`; with roots, of one that an authority below them signed."""
    try:
        token = parse_timestamp(response)
        if token.imprint != (SHA256, hashlib.sha256(text).digest()):
            raise EvidenceRefused("时间戳属于另一数据", "the timestamp is of other data")
        if roots:
            require_signed_timestamp(token, roots)
    except (ValueError, IndexError, KeyError, TypeError, UnsupportedAlgorithm, InvalidSignature) as fault:
        raise EvidenceRefused("时间戳无效", f"the timestamp is not valid ({type(fault).__name__})") from fault
    except (x509.ExtensionNotFound, x509.DuplicateExtension, x509.InvalidVersion) as fault:
        raise EvidenceRefused("时间戳的证书无效", "a certificate of the timestamp is not valid") from fault
    return token.time


def parse_timestamp(response: bytes) -> Token:
    """Parse a TimeStampResp (RFC 3161 section 2.4.2) with a CMS SignedData (RFC 5652) of one signer."""
    (whole,) = der(response)
    status, content_info = der(whole.content)
    if der(status.content)[0].content not in (b"\0", b"\1"):
        raise EvidenceRefused("时间戳机构未予签发", "the authority did not grant the timestamp")
    kind, wrapped = der(content_info.content)
    _, _, encapsulated, *optional, signers = der(der(wrapped.content)[0].content)
    content_type, octets = der(encapsulated.content)
    stamped = der(octets.content)[0].content
    if (kind.content, content_type.content) != (SIGNED_DATA, TST_INFO):
        raise ValueError(kind)
    (signer,) = der(signers.content)
    _, _, imprint, _, moment, *_ = der(der(stamped)[0].content)
    algorithm, digest = der(imprint.content)
    held = [value for part in optional if part.tag == 0xA0 for value in der(part.content)]
    return Token(
        (der(algorithm.content)[0].content, digest.content),
        datetime.strptime(moment.content.decode()[:14], "%Y%m%d%H%M%S").replace(tzinfo=UTC),
        stamped,
        der(signer.content),
        [x509.load_der_x509_certificate(value.whole) for value in held],
    )


def require_signed_timestamp(token: Token, roots: Sequence[x509.Certificate]) -> None:
    """Refuse a timestamp whose signature is false or whose certificates do not lead to one of the roots."""
    _, identifier, digest_algorithm, attributes, signature_algorithm, signature, *_ = token.signer
    signer = next((held for held in (*token.certificates, *roots) if is_named(held, identifier)), None)
    if signer is None:
        raise EvidenceRefused("缺少签发者的证书", "the signer's certificate is missing")
    algorithm = HASHES[der(digest_algorithm.content)[0].content]
    signed = {kind.content: values for kind, values in (der(each.content) for each in der(attributes.content))}
    if attributes.tag != 0xA0 or der(signed[CONTENT_TYPE].content)[0].content != TST_INFO:
        raise ValueError(attributes.tag)
    if der(signed[MESSAGE_DIGEST].content)[0].content != digest_of(algorithm, token.stamped):
        raise EvidenceRefused("时间戳内容被改动", "the content of the timestamp is altered")
    require_certificate_named(signed, signer)
    # The attributes are signed as a SET, not under the tag that they have in the structure (RFC 5652 section 5.4).
    verify_signature(signer, signature.content, signature_algorithm, b"\x31" + attributes.whole[1:], algorithm)
    usage = signer.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    if not usage.critical or list(usage.value) != [ExtendedKeyUsageOID.TIME_STAMPING]:
        raise EvidenceRefused(
            "签发者不是时间戳机构", "the signer's certificate is not that of a timestamping authority"
        )
    require_chain(signer, token, roots)


def is_named(certificate: x509.Certificate, identifier: Der) -> bool:
    """Return whether a SignerIdentifier names a certificate: by issuer and serial number, or by its key."""
    if identifier.tag == 0x80:
        key = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        return key.digest == identifier.content
    issuer, serial = der(identifier.content)
    number = int.from_bytes(serial.content, "big")
    return (certificate.issuer.public_bytes(), certificate.serial_number) == (issuer.whole, number)


def require_certificate_named(signed: Mapping[bytes, Der], signer: x509.Certificate) -> None:
    """Refuse a signer whose certificate is not the one that the signed attributes name (RFC 5816)."""
    old, new = SIGNING_CERTIFICATE
    attribute = signed.get(new) or signed[old]
    (names, *_) = der(der(attribute.content)[0].content)
    parts = der(der(names.content)[0].content)
    algorithm: hashes.HashAlgorithm = hashes.SHA256() if new in signed else hashes.SHA1()  # noqa: S303 - RFC 2634
    if parts[0].tag == 0x30:
        algorithm = HASHES[der(parts.pop(0).content)[0].content]
    if parts[0].content != signer.fingerprint(algorithm):
        raise EvidenceRefused("时间戳所指的证书是另一份", "the timestamp names another certificate")


def require_chain(signer: x509.Certificate, token: Token, roots: Sequence[x509.Certificate]) -> None:
    """Refuse a certificate that does not lead to a root through certificates of authorities valid at the time."""
    current, others = signer, list(token.certificates)
    while True:
        if not current.not_valid_before_utc <= token.time <= current.not_valid_after_utc:
            raise EvidenceRefused("证书在签发时间戳时无效", "a certificate was not valid at the time of the timestamp")
        if current in roots:
            return
        issuer = next((held for held in (*roots, *others) if is_issuer(held, current)), None)
        if issuer is None:
            raise EvidenceRefused("证书不出自所给的根证书", "the certificates do not lead to a root given")
        others = [held for held in others if held != issuer]
        current = issuer


def is_issuer(issuer: x509.Certificate, issued: x509.Certificate) -> bool:
    """Return whether `issuer` is an authority that signed the certificate `issued`."""
    try:
        issued.verify_directly_issued_by(issuer)
        return issuer.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (InvalidSignature, ValueError, TypeError, UnsupportedAlgorithm, x509.ExtensionNotFound):
        return False


def verify_signature(
    signer: x509.Certificate, signature: bytes, algorithm: Der, message: bytes, digest: hashes.HashAlgorithm
) -> None:
    """Verify a signature by RSA (PKCS #1 v1.5), ECDSA or Ed25519. Raises `InvalidSignature`, `ValueError`."""
    key, named = signer.public_key(), der(algorithm.content)[0].content
    if isinstance(key, ec.EllipticCurvePublicKey):
        # ecdsa-with-SHA256, -SHA384, -SHA512: 1.2.840.10045.4.3.{2,3,4}
        index = named[-1] - 2 if named[:-1] == bytes.fromhex("2a8648ce3d0403") else -1
        key.verify(signature, message, ec.ECDSA(list(HASHES.values())[index] if index >= 0 else digest))
    elif isinstance(key, rsa.RSAPublicKey):
        # rsaEncryption and sha256-, sha384-, sha512WithRSAEncryption: 1.2.840.113549.1.1.{1,11,12,13}
        index = named[-1] - 11 if named[:-1] == bytes.fromhex("2a864886f70d0101") else -11
        if index not in (-10, 0, 1, 2):
            raise UnsupportedAlgorithm(named.hex())
        key.verify(signature, message, padding.PKCS1v15(), list(HASHES.values())[index] if index >= 0 else digest)
    elif isinstance(key, Ed25519PublicKey):
        key.verify(signature, message)
    else:
        raise UnsupportedAlgorithm(named.hex())


def digest_of(algorithm: hashes.HashAlgorithm, content: bytes) -> bytes:
    """Return a digest."""
    context = hashes.Hash(algorithm)
    context.update(content)
    return context.finalize()


def der(content: bytes) -> list[Der]:
    """Return the DER values in a row. Raises `ValueError`, `IndexError`."""
    values, at = [], 0
    while at < len(content):
        first = content[at + 1]
        start = at + 2 + (first & 0x7F if first & 0x80 else 0)
        end = start + (int.from_bytes(content[at + 2 : start], "big") if first & 0x80 else first)
        if first == 0x80 or content[at] & 0x1F == 0x1F or end > len(content):
            raise ValueError(at)
        values.append(Der(content[at], content[start:end], content[at:end]))
        at = end
    return values


# 6. File, and what the entry says


def parse_event(entry: bytes) -> dict[str, str]:
    """Return what an entry states: a PREMIS event as JSON."""
    try:
        event = json.loads(entry)
        linked, detail = event["linkingObjectIdentifier"], event["eventDetailInformation"]
        stated = {"type": event["eventType"], "time": event["eventDateTime"], **linked}
        stated |= {name: detail.get(name) for name in ("sm3", "captured")}
        outcome = event["eventOutcomeInformation"]["eventOutcome"]
        stated["outcome"] = "" if outcome == "success" else f"({outcome})"
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as fault:
        raise EvidenceRefused("条目不是事件", "the entry is not an event") from fault
    return {name: str(value) for name, value in stated.items() if value}


def require_file(path: Path, events: Sequence[Mapping[str, str]]) -> None:
    """Refuse a file whose digests are not those that an entry states."""
    wanted = ["sha256", *(name for name in ("sm3",) if name in hashlib.algorithms_available)]
    contexts = {name: hashlib.new(name) for name in wanted}
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            for context in contexts.values():
                context.update(block)
    found = {name: context.hexdigest() for name, context in contexts.items()}
    for event in events:
        stated = {name: event[name] for name in found if name in event}
        if "sha256" in stated and all(found[name] == digest for name, digest in stated.items()):
            names = ", ".join(name.upper() for name in stated)
            say(f"文件与条目所载摘要一致（{names}） The file has the digest stated ({names}): {path}")
            return
    sha256 = found["sha256"]
    raise EvidenceRefused(f"文件与各条目所载摘要均不符：{sha256}", f"no entry states the file's digest: {sha256}")


# Whom to trust


def parse_key(line: str) -> Key:
    """Parse a verifier key: ``name+key ID+base64(type || public key)``."""
    name, _, rest = line.strip().partition("+")
    identifier, _, encoded = rest.partition("+")
    material = from_base64(encoded) or b"\0"
    key_id = hashlib.sha256(name.encode() + b"\n" + material).digest()[:4]
    fits = PUBLIC_KEY_SIZE.get(material[0]) == len(material) - 1 and is_name(name)
    if not fits or key_id.hex() != identifier:
        raise CallWrong(f"不能用作验证公钥：{line}", f"this is no verifier key that can be used: {line}")
    return Key(name, key_id, material[0], material[1:])


def parse_policy(text: str) -> Trust:
    """Parse a tlog-policy: lines ``log KEY``, ``witness NAME KEY``, ``group NAME K MEMBER...``, ``quorum NAME``."""
    logs: list[Key] = []
    groups: dict[str, Sufficient] = {"none": lambda found: True}
    witnesses: list[Key] = []
    quorum = ""
    for words in (line.split() for line in text.splitlines()):
        match words:
            case ["log", key, *_]:
                logs.append(parse_key(key))
            case ["witness", name, key, *_] if name not in groups:
                witnesses.append(parse_key(key))
                groups[name] = at_least(1, [frozenset(witnesses[-1:]).issubset])
            case ["group", name, count, *members] if name not in groups:
                needed = {"any": 1, "all": len(members)}.get(count) or int(count)
                if needed < 1:
                    raise ValueError(f"group {count}")
                groups[name] = at_least(needed, [groups[member] for member in members])
            case ["quorum", name]:
                quorum = name
            case [word, *_] if not word.startswith("#"):
                raise ValueError(word)
    return Trust(logs, witnesses, groups[quorum])


def at_least(needed: int, members: Sequence[Sufficient]) -> Sufficient:
    """Return the rule that at least so many of the members' rules hold."""
    return lambda found: sum(member(found) for member in members) >= needed


def read_trust(arguments: argparse.Namespace) -> Trust:
    """Return whom the call says to trust."""
    try:
        if arguments.policy:
            return parse_policy(read_whole(arguments.policy, LONGEST_POLICY).decode())
    except (OSError, ValueError, KeyError) as fault:
        raise CallWrong(f"策略文件不能用：{fault}", f"the policy cannot be used: {fault}") from fault
    logs, witnesses = ([parse_key(line) for line in lines] for lines in (arguments.key, arguments.witness))
    if not logs:
        raise CallWrong("请给出 --policy 或 --key", "give --policy or --key")
    return Trust(logs, witnesses, lambda found: len(found) >= arguments.quorum)


# The call


def verify_evidence(content: bytes, trust: Trust, roots: Sequence[x509.Certificate]) -> dict[str, str]:
    """Verify an evidence file by steps 1 to 5, say what was found, and return what its entry states."""
    proof = parse_evidence(content)
    log_signers(proof, trust.logs)
    require_inclusion(proof)
    attested = cosigners(proof, trust)
    stamp = timestamp_line(proof)
    time = verify_timestamp(stamp.signature, proof.text, roots) if stamp else None
    event = parse_event(proof.entry)
    what = " ".join(event[name] for name in ("time", "type", "outcome", "work", "image") if name in event)
    say(f"日志 {proof.origin} 第 {proof.number} 条（共 {proof.size} 条）：{what}")
    say(f"Entry {proof.number} of {proof.size} of the log {proof.origin}: {what}")
    for name in ("sha256", "sm3"):
        if name in event:
            say(f"  {name.upper()} {event[name]}")
    if "captured" in event:
        say(f"  扫描时所记 Recorded when it was scanned: {event['captured']}")
    for key, seconds in attested:
        say(f"  见证 Cosigned: {key.name}, {utc_time(seconds)}")
    if stamp and time:
        say(f"  时间戳 Timestamped: {stamp.name}, {time:%Y-%m-%dT%H:%M:%SZ}")
        if not roots:
            say("    未给根证书，其签名与证书未核验。以 OpenSSL 核验（--extract 取出文件）：")
            say("    Without --roots its signature was not verified. OpenSSL does it (--extract writes the files):")
            text, response = timestamp_files(proof)
            say(f"    openssl ts -verify -data {text} -in {response} -CAfile ROOTS.pem")
    return event


def utc_time(seconds: int) -> str:
    """Return a POSIX time as RFC 3339, or as a number of seconds if no calendar has it."""
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
    except (ValueError, OverflowError, OSError):
        return f"{seconds} s"


def timestamp_files(proof: Proof) -> tuple[str, str]:
    """Return the names of the checkpoint's text and of the authority's response, as archives of evidence have them."""
    return f"checkpoint-{proof.size}.txt", f"timestamp-{proof.size}.tsr"


def extract_timestamp(content: bytes, folder: Path) -> None:
    """Write the files that ``openssl ts -verify`` reads."""
    proof = parse_evidence(content)
    if stamp := timestamp_line(proof):
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in zip(timestamp_files(proof), (proof.text, stamp.signature), strict=True):
            (folder / name).write_bytes(data)


def say(text: str) -> None:
    """Write a line without control characters."""
    sys.stdout.write("".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text) + "\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Verify what the command line names; return the exit status."""
    parser = argparse.ArgumentParser(description="核验证据文件。 Verify evidence files of a provenance log.")
    parser.add_argument("evidence", nargs="+", type=Path, help="证据文件。 Evidence files.")
    parser.add_argument("--policy", type=Path, help="信任策略（tlog-policy）。 The keys to trust, and the quorum.")
    parser.add_argument("--key", action="append", default=[], help="日志的验证公钥。 A verifier key of the log.")
    parser.add_argument("--witness", action="append", default=[], help="见证方的公钥。 The key of a witness.")
    parser.add_argument("--quorum", type=int, default=0, help="至少须有的见证数。 The number of witnesses required.")
    parser.add_argument("--roots", type=Path, help="时间戳机构的根证书（PEM）。 Root certificates of the authority.")
    parser.add_argument("--file", type=Path, help="原图文件。 The preserved file that an entry is about.")
    parser.add_argument("--extract", type=Path, help="取出时间戳。 Write the timestamp for openssl to this folder.")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        return verify_all(parser.parse_args(arguments))
    except CallWrong as fault:
        say(f"用法有误：{fault.zh}")
        say(f"The call is wrong: {fault.en}")
        return 2
    except OSError as fault:
        say(f"无法读取：{fault}")
        say(f"This cannot be read: {fault}")
        return 2
    except EvidenceRefused as fault:
        say(f"✗ 核验不通过：{fault.zh}")
        say(f"✗ Not verified: {fault.en}")
        return 1


def verify_all(call: argparse.Namespace) -> int:
    """Verify every evidence file and the file given."""
    trust, roots = read_trust(call), read_roots(call.roots)
    events = []
    for path in call.evidence:
        content = read_start(path, LONGEST_FILE)
        events.append(verify_evidence(content, trust, roots))
        if call.extract:
            extract_timestamp(content, call.extract)
    if call.file:
        require_file(call.file, events)
    files = "1 evidence file" if len(events) == 1 else f"{len(events)} evidence files"
    say(f"✓ 核验通过：证据 {len(events)} 份 · Verified: {files}")
    return 0


def read_start(path: Path, most: int) -> bytes:
    """Return the content of a file, or of a longer one so much of it that it is refused: it may have no end."""
    with path.open("rb") as file:
        return file.read(most + 1)


def read_whole(path: Path, most: int) -> bytes:
    """Return the content of a file of at most so many bytes. Raises `ValueError` for a longer one."""
    content = read_start(path, most)
    if len(content) > most:
        raise ValueError(f"> {most} bytes")
    return content


def read_roots(path: Path | None) -> list[x509.Certificate]:
    """Return the certificates of a PEM file."""
    try:
        return x509.load_pem_x509_certificates(read_whole(path, LONGEST_ROOTS)) if path else []
    except ValueError as fault:
        raise CallWrong(f"根证书不能用：{fault}", f"the roots cannot be used: {fault}") from fault


if __name__ == "__main__":
    try:
        status = main()
        sys.stdout.flush()
    except BrokenPipeError:  # the program that reads the output has ended, as head does: the rest goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    sys.exit(status)
