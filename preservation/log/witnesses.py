"""Ask witnesses to cosign the log's newest checkpoint, keep their cosignatures, and publish what a quorum cosigned.

In the store, below ``log/``:

- ``witnesses/<key>``: the newest checkpoint that this witness cosigned, with the log's signature and its cosignature;
- ``cosigned``: the newest checkpoint that a quorum cosigned, with the log's signature and all their cosignatures.

Both are signed notes and are verified whenever they are read. The log never waits for a witness: a job asks them after
the checkpoint is published (`workers/tasks/witness.py`), all at once, each for a limited time. The policy is the
simplest of C2SP tlog-policy: any `quorum` of the witnesses.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from preservation.log.log import ProvenanceLog
from preservation.log.log_keys import CheckpointKey
from preservation.log.notes import (
    Algorithm,
    Note,
    Signature,
    VerifierKey,
    cosignature_time,
    cosigners,
    parse_checkpoint,
    parse_note,
    parse_number,
    parse_verifier_key,
    read_checkpoint,
)
from preservation.log.sequencer import log_keys
from preservation.log.witness import Submission
from repository.clock import utc_time
from repository.config import Settings
from repository.errors import LogInvalid, NotFound, RequestInvalid, SettingInvalid, ShanbenError
from repository.localized import LocalizedText
from repository.network.http_client import ServiceAnswer, ServiceUnavailable, is_service_url, post
from repository.paths import LOG_COSIGNED, log_witness
from repository.repository import Repository
from repository.storage.store import ObjectStore, read_if_present

ASK_SECONDS: Final = 10.0
"""The seconds that connecting to a witness, and each read from it, may take."""

RENEW_SECONDS: Final = 3600.0
"""The age at which a cosignature of an unchanged log is renewed, which shows that the witness still watches."""

_DONE: Final = 200
_CONFLICT: Final = 409
_TYPE: Final = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Witness:
    """A witness that another institution runs: its submission prefix and its verifier key."""

    url: str
    key: VerifierKey


@dataclass(frozen=True, slots=True)
class WitnessPolicy:
    """The witnesses, and how many of them must have cosigned a checkpoint."""

    witnesses: tuple[Witness, ...]
    quorum: int


@dataclass(frozen=True, slots=True)
class WitnessState:
    """What a witness cosigned last: the size of the log, 0 for nothing, and the time (RFC 3339), '' for none."""

    name: str
    size: int
    time: str


@dataclass(frozen=True, slots=True)
class WitnessRound:
    """The result of asking: the size asked for, the size that a quorum cosigned, and why each other witness did not."""

    size: int
    cosigned: int
    faults: Mapping[str, LocalizedText]


@dataclass(frozen=True, slots=True)
class CosignedCheck:
    """The size of the published cosigned checkpoint, who of the witnesses cosigned it and when, and what is wrong."""

    size: int
    cosigners: Mapping[str, int]
    problems: tuple[LocalizedText, ...]


def witness_policy(settings: Settings) -> WitnessPolicy:
    """Return the policy that the settings give. Raises `SettingInvalid`."""
    witnesses = tuple(map(_witness, settings.witnesses))
    if len({witness.key.public for witness in witnesses}) < len(witnesses):
        raise _invalid(LocalizedText("同一见证方的公钥出现两次", "it names one witness's key twice"))
    count = len(witnesses)
    if settings.quorum > count:
        reason = LocalizedText(f"仅设置了 {count} 个见证方", f"only {count} witnesses are set")
        raise SettingInvalid(name="quorum", reason=reason)
    return WitnessPolicy(witnesses, settings.quorum or count // 2 + 1)


def cosigned_checkpoint(store: ObjectStore, key: CheckpointKey) -> bytes:
    """Return the newest note that a quorum cosigned; empty before the first. Raises `LogInvalid`, `StoreFault`."""
    return _read_note(store, LOG_COSIGNED, key)


def verify_cosigned(store: ObjectStore, key: CheckpointKey, policy: WitnessPolicy) -> CosignedCheck:
    """Verify the published cosigned checkpoint by the policy; its tree is the audit's matter. Raises `StoreFault`."""
    try:
        content = cosigned_checkpoint(store, key)
        cosigned_by = cosigners(content, [witness.key for witness in policy.witnesses]) if content else {}
    except LogInvalid as fault:
        return CosignedCheck(0, {}, (fault.message,))
    return CosignedCheck(parse_checkpoint(parse_note(content).text).size if content else 0, cosigned_by, ())


def read_witness_states(repository: Repository) -> list[WitnessState]:
    """Return what each witness cosigned last, by the notes in the store; an empty list while they cannot be read."""
    try:
        witnesses = witness_policy(repository.settings).witnesses
        key = log_keys(repository) if witnesses else None
        return [_state(_kept(repository.store, key, witness), witness) for witness in witnesses if key]
    except ShanbenError:
        return []


def ask_witnesses(log: ProvenanceLog, store: ObjectStore, policy: WitnessPolicy, now: datetime) -> WitnessRound:
    """Ask every witness that has not cosigned the newest checkpoint lately; publish it once a quorum has cosigned it.

    Faults of witnesses are part of the result. Raises `LogInvalid`, `StoreFault`.
    """
    try:
        content = log.checkpoint_note()
    except NotFound:
        return WitnessRound(0, 0, {})
    note = Note(parse_note(content).text, tuple(filter(log.key.is_claimed_by, parse_note(content).signatures)))
    checkpoint = parse_checkpoint(note.text)
    if not checkpoint.size:
        return WitnessRound(0, 0, {})
    kept = {witness: _kept(store, log.key, witness) for witness in policy.witnesses}
    asked = [witness for witness in policy.witnesses if not _is_fresh(kept[witness], note, witness, now)]
    faults: dict[str, LocalizedText] = {}
    with ThreadPoolExecutor(max(1, len(asked))) as executor:
        answers = [(witness, executor.submit(_ask, log, note, witness, kept[witness])) for witness in asked]
    for witness, answer in answers:
        try:
            cosigned = Note(note.text, (*note.signatures, answer.result())).content()
        except ServiceUnavailable as fault:
            faults[witness.key.name] = fault.message
            continue
        store.put(log_witness(_place(witness.key)), cosigned)
        kept[witness] = cosigned
    return WitnessRound(checkpoint.size, _publish(store, log.key, policy, kept), faults)


def _publish(store: ObjectStore, key: CheckpointKey, policy: WitnessPolicy, kept: Mapping[Witness, bytes]) -> int:
    """Publish the newest checkpoint that a quorum cosigned; return the size of the published one."""
    published = cosigned_checkpoint(store, key)
    by_text: dict[str, list[tuple[Witness, Note]]] = {}
    for witness, content in kept.items():
        if content:
            note = parse_note(content)
            by_text.setdefault(note.text, []).append((witness, note))
    best = max(
        (parse_checkpoint(text).size for text, notes in by_text.items() if len(notes) >= policy.quorum), default=0
    )
    old = parse_checkpoint(parse_note(published).text).size if published else 0
    if best < max(old, 1):
        return old
    notes = next(notes for text, notes in by_text.items() if parse_checkpoint(text).size == best)
    own = tuple(filter(key.is_claimed_by, notes[0][1].signatures))
    cosignatures = [_signature_of(note, witness.key) for witness, note in notes]
    content = Note(notes[0][1].text, (*own, *cosignatures)).content()
    if content != published:
        store.put(LOG_COSIGNED, content)
    return best


def _ask(log: ProvenanceLog, note: Note, witness: Witness, kept: bytes) -> Signature:
    """Return the witness's cosignature of the note. Raises `ServiceUnavailable`."""
    checkpoint = parse_checkpoint(note.text)
    old = parse_checkpoint(parse_note(kept).text).size if kept else 0
    answer = _submit(log, note, witness, old)
    if answer.status == _CONFLICT:
        size = parse_number(answer.body.decode("ascii", "replace").removesuffix("\n"))
        if size is None:
            raise _refused(witness, answer)
        if size > checkpoint.size:
            reason = LocalizedText(
                f"它已见证 {size} 条，而日志只有 {checkpoint.size} 条：日志可能被回退，请查明",
                f"it has cosigned {size} entries, and the log has only {checkpoint.size}: the log may have been rolled"
                " back; find out why",
            )
            raise ServiceUnavailable(service=witness.url, reason=reason)
        answer = _submit(log, note, witness, size)
    if answer.status != _DONE:
        raise _refused(witness, answer)
    return _cosignature(note, witness, answer)


def _submit(log: ProvenanceLog, note: Note, witness: Witness, old: int) -> ServiceAnswer:
    size = parse_checkpoint(note.text).size
    old = min(old, size)
    proof = log.consistency(old, size) if 0 < old < size else []
    body = Submission(old, tuple(proof), note.content()).content()
    return post(f"{witness.url}/add-checkpoint", body, _TYPE, ASK_SECONDS)


def _cosignature(note: Note, witness: Witness, answer: ServiceAnswer) -> Signature:
    """Return the witness's own signature among the lines that it answered; others are ignored."""
    reason = LocalizedText("应答中没有其有效签名", "its answer holds no valid cosignature of its key")
    try:
        signatures = parse_note(note.text.encode() + b"\n" + answer.body).signatures
        own = next(filter(witness.key.is_claimed_by, signatures))
        read_checkpoint(Note(note.text, (own,)).content(), [witness.key])
    except (LogInvalid, StopIteration) as fault:
        raise ServiceUnavailable(service=witness.url, reason=reason) from fault
    if not cosignature_time(own.signature_bytes):
        raise ServiceUnavailable(service=witness.url, reason=reason)
    return own


def _refused(witness: Witness, answer: ServiceAnswer) -> ServiceUnavailable:
    meaning = _REFUSALS.get(answer.status, LocalizedText("应答异常", "an unexpected answer"))
    reason = LocalizedText(f"{meaning.zh}（{answer.status}）", f"{meaning.en} (status {answer.status})")
    return ServiceUnavailable(service=witness.url, reason=reason)


_REFUSALS: Final[Mapping[int, LocalizedText]] = {
    403: LocalizedText("它不认可日志的签名", "it does not accept the log's signature"),
    404: LocalizedText("它尚未登记本日志；请把日志公钥交给见证方", "it does not know this log; give it the log's key"),
    409: LocalizedText("它已见证的条数与所称不符", "it has cosigned another size than it said"),
    422: LocalizedText("日志与它见证过的不一致；请立即查明", "the log contradicts what it cosigned; find out why now"),
}


def _kept(store: ObjectStore, key: CheckpointKey, witness: Witness) -> bytes:
    """Return the witness's newest note; empty if there is none, or none that is valid."""
    try:
        content = _read_note(store, log_witness(_place(witness.key)), key)
        return content if content and cosigners(content, [witness.key]) else b""
    except LogInvalid:
        return b""  # it is asked again and the note written again


def _read_note(store: ObjectStore, place: str, key: CheckpointKey) -> bytes:
    """Return a note of this log; empty if there is none. Raises `LogInvalid`."""
    content = read_if_present(store, place)
    if content is None:
        return b""
    if key.read(content).origin != key.name:
        raise LogInvalid(reason=LocalizedText(f"{place} 属于另一日志", f"{place} belongs to another log"))
    return content


def _is_fresh(kept: bytes, note: Note, witness: Witness, now: datetime) -> bool:
    if not kept or parse_note(kept).text != note.text:
        return False
    made = cosignature_time(_signature_of(parse_note(kept), witness.key).signature_bytes)
    return 0 <= now.timestamp() - made < RENEW_SECONDS


def _signature_of(note: Note, key: VerifierKey) -> Signature:
    return next(filter(key.is_claimed_by, note.signatures))


def _state(kept: bytes, witness: Witness) -> WitnessState:
    if not kept:
        return WitnessState(witness.key.name, 0, "")
    note = parse_note(kept)
    made = cosignature_time(_signature_of(note, witness.key).signature_bytes)
    return WitnessState(witness.key.name, parse_checkpoint(note.text).size, utc_time(made))


def _witness(setting: str) -> Witness:
    url, _, line = setting.partition(" ")
    if not is_service_url(url):
        raise _invalid(LocalizedText("每项应为“地址 公钥”", "each item must be an address and a verifier key"))
    try:
        key = parse_verifier_key(line)
    except RequestInvalid as fault:
        raise _invalid(fault.message) from fault
    if key.algorithm is not Algorithm.COSIGNATURE:
        raise _invalid(LocalizedText("不是见证方的公钥", f"{key.name} is no witness's key"))
    return Witness(url.rstrip("/"), key)


def _invalid(reason: LocalizedText) -> SettingInvalid:
    return SettingInvalid(name="witnesses", reason=reason)


def _place(key: VerifierKey) -> str:
    """Return the name of a witness's note: key names are too free for a key of the store."""
    return hashlib.sha256(key.line().encode()).hexdigest()[:16]
