"""Repair the provenance log in all stores, each file from any store that has it, and from the catalogue.

1. Verify the checkpoint of every store, and those that are remembered outside the stores. The newest is the log's head.
2. Read the log from all stores together (`fixity/merged_log.py`) and recompute the signed roots from it. The log is
   read once, and the bundles that differ in a store are noted meanwhile. Nothing is written from a log that does not
   give the signed root.
3. In each store, put the bundles and tiles that are missing or wrong; read each back.
4. Put the checkpoint last. It commits entries that the store did not have. A store never gets an older checkpoint.
5. Put back the checkpoints that witnesses cosigned and authorities timestamped, where they are missing or damaged.

The caller holds the lock of the log's writer, so that the head does not move. Nothing is deleted, and nothing signed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from preservation.digests import sha256
from preservation.fixity.findings import FindingKind
from preservation.fixity.merged_log import KnownEntries, LogFile, MergedLog, read_if_possible
from preservation.fixity.quarantine import keep_copy
from preservation.fixity.repair_outcome import LeftFinding, LostFile, RepairedFile, RepairOutcome
from preservation.log.log_keys import CheckpointKey
from preservation.log.merkle import TreeHead
from preservation.log.notes import parse_checkpoint, parse_note
from preservation.progress import OnProgress, ignore_progress
from preservation.replication.transfer import NamedStore, transfer_small
from repository.errors import DigestMismatch, LogInvalid, StoreFault
from repository.localized import LocalizedText
from repository.paths import LOG_CHECKPOINT, LOG_COSIGNED, LOG_TIMESTAMPED, LOG_WITNESSES, log_timestamped

_UNCONFIRMED: Final = LocalizedText(
    "各处存储合在一起也算不出签发的树根；未作改动",
    "the entries in all stores together do not give the signed root; nothing was changed",
)
_FORKED: Final = LocalizedText(
    "此处的检查点与日志的历史不一致；未作改动，请查明何者为真",
    "the checkpoint in this store contradicts the history of the log; nothing was changed: find out which is genuine",
)
IsValid = Callable[[str, bytes], bool]
"""Returns whether a note is what its key says; it may verify timestamps."""


@dataclass(frozen=True, slots=True)
class _Signed:
    """A verified checkpoint: its note, its head, and the store that has it, '' for one remembered elsewhere."""

    note: bytes
    head: TreeHead
    store: str


@dataclass(frozen=True, slots=True)
class LogRepairFacts:
    """What is known of the log outside the stores: its key, None if that is lost, and checkpoints that were remembered.

    `known` returns the entries that the catalogue has. `is_valid` judges cosigned and timestamped checkpoints besides
    their signature by the log. Without the key, checkpoints are believed if the entries give their roots.
    """

    key: CheckpointKey | None
    remembered: Sequence[bytes]
    known: KnownEntries
    is_valid: IsValid


class LogRepair:
    """The repair of the log in `stores`, of which the first is the primary one.

    With `only`, that store alone is written, and gets the newest log that can be had, as in a restore.
    """

    def __init__(self, stores: Sequence[NamedStore], facts: LogRepairFacts, only: str | None = None) -> None:
        self._stores = stores
        self._targets = [named for named in stores if only in {None, named.name}]
        self._is_restore = only is not None
        self._key = facts.key
        self._known = facts.known
        self._is_valid = facts.is_valid
        remembered = facts.remembered
        self._outcome = RepairOutcome()
        self._signed = [_Signed(note, head, "") for note in remembered if (head := self._head(note))]
        for named in stores:
            note = read_if_possible(named.store, LOG_CHECKPOINT)
            if note is not None and (head := self._head(note)):
                self._signed.append(_Signed(note, head, named.name))

    @property
    def heads(self) -> set[TreeHead]:
        """The verified heads of the log that the stores have, and those remembered outside them."""
        return {signed.head for signed in self._signed}

    def run(self, on_progress: OnProgress = ignore_progress) -> RepairOutcome:
        """Repair the log everywhere. Raises `StoreFault` when a store can no longer be read."""
        if not self._signed:
            return self._outcome
        heads = sorted(self.heads, key=lambda head: head.size, reverse=True)
        done: set[str] = set()
        for number, head in enumerate(heads):
            targets = [named for named in self._targets if named.name not in done and self._may_have(named, head)]
            if number and not self._is_restore:  # the primary store never goes back to an older head
                targets = [named for named in targets if named is not self._stores[0]]
            merged, confirmed = self._merged(head, heads) if targets else (None, set())
            if merged:
                for named in targets:
                    self._repair(named, merged, head, confirmed, on_progress)
                done |= {named.name for named in targets}
        for named in self._targets:
            if named.name not in done:
                self._leave(named, LOG_CHECKPOINT, _UNCONFIRMED)
        self._repair_attested()
        return self._outcome

    def _merged(self, head: TreeHead, heads: Sequence[TreeHead]) -> tuple[MergedLog | None, set[TreeHead]]:
        """Return the log that gives the root of `head`, with all heads that it confirms; None without one."""
        smaller = [each for each in heads if each.size <= head.size]
        for careful in (False, True):
            merged = MergedLog(self._stores, head.size, self._known, careful=careful)
            try:
                confirmed = merged.confirmed(smaller)
            except LogInvalid:
                return None, set()
            if head in confirmed:
                return merged, confirmed
        return None, set()

    def _may_have(self, named: NamedStore, head: TreeHead) -> bool:
        own = self._own(named)
        return own is None or own.head.size <= head.size

    def _own(self, named: NamedStore) -> _Signed | None:
        return next((signed for signed in self._signed if signed.store == named.name), None)

    def _repair(
        self, named: NamedStore, merged: MergedLog, head: TreeHead, confirmed: set[TreeHead], on_progress: OnProgress
    ) -> None:
        own = self._own(named)
        if own and own.head not in confirmed:
            self._leave(named, LOG_CHECKPOINT, _FORKED)
            return
        try:
            lacking = sum(not self._repair_file(named, file, on_progress) for file in merged.files_for(named))
            if not lacking or own is None:
                self._repair_checkpoint(named, own, head)
        except (StoreFault, LogInvalid) as fault:
            self._leave(named, LOG_CHECKPOINT, fault.message)

    def _repair_file(self, named: NamedStore, file: LogFile, on_progress: OnProgress) -> bool:
        """Put a bundle or tile if it is missing or wrong. Return whether the store has it now."""
        stored = read_if_possible(named.store, file.key)
        if file.content is None:
            if all(each.key != file.key for each in self._outcome.lost):
                self._outcome.lost.append(LostFile(file.key, ""))
            return False
        on_progress(len(file.content))
        if stored == file.content or (stored is None and self._is_replaced(named, file, file.content)):
            return True
        damage = FindingKind.CHANGED if stored is not None else FindingKind.MISSING
        self._put(named, file.key, file.content, damage, self._source(named, file))
        return True

    @staticmethod
    def _is_replaced(named: NamedStore, file: LogFile, content: bytes) -> bool:
        """Return whether a full tile has replaced the partial one and begins with it."""
        full = read_if_possible(named.store, file.full_key) if file.full_key != file.key else None
        return full is not None and full[: len(content)] == content

    def _source(self, target: NamedStore, file: LogFile) -> str:
        """Return the name of a store that has the same file, else the one that its entries are from, or the target."""
        for named in self._stores:
            if named is not target and read_if_possible(named.store, file.key) == file.content:
                return named.name
        return file.source or target.name

    def _repair_checkpoint(self, named: NamedStore, own: _Signed | None, head: TreeHead) -> None:
        newest = next(signed for signed in self._signed if signed.head == head)
        stored = read_if_possible(named.store, LOG_CHECKPOINT)
        if own and own.head == head:
            return
        if stored is not None and own is None:
            keep_copy(named, LOG_CHECKPOINT)
        damage = FindingKind.MISSING if stored is None else FindingKind.CHANGED
        holders = [signed.store for signed in self._signed if signed.note == newest.note and signed.store]
        self._put(named, LOG_CHECKPOINT, newest.note, damage, next(iter(holders), named.name))

    def _repair_attested(self) -> None:
        """Put cosigned and timestamped checkpoints back where they are missing or damaged."""
        keys = {LOG_COSIGNED: None}
        for named in self._stores:
            for folder in (LOG_WITNESSES, LOG_TIMESTAMPED):
                keys |= dict.fromkeys(stored.key for stored in named.store.list(folder))
        for key in keys:
            notes = dict(self._attested(key))
            best = max(notes.values(), key=lambda found: found[0], default=None)
            if best is None:
                continue
            source = next(name for name, found in notes.items() if found == best)
            for named in self._targets:
                stored = read_if_possible(named.store, key)
                if named.name in notes or stored == best[1]:
                    continue
                damage = FindingKind.MISSING if stored is None else FindingKind.CHANGED
                try:
                    self._put(named, key, best[1], damage, source)
                except StoreFault as fault:
                    self._leave(named, key, fault.message)

    def _attested(self, key: str) -> Iterator[tuple[str, tuple[int, bytes]]]:
        """Yield the stores that have a valid note under a key, each with the note's size and the note."""
        for named in self._stores:
            note = read_if_possible(named.store, key)
            head = self._head(note) if note is not None else None
            if note is None or head is None or not self._is_valid(key, note):
                continue
            if not key.startswith(f"{LOG_TIMESTAMPED}/") or key == log_timestamped(head.size):
                yield named.name, (head.size, note)

    def _put(self, named: NamedStore, key: str, content: bytes, damage: FindingKind, source: str) -> None:
        try:
            transfer_small(named, key, content, exists=False)
        except (StoreFault, DigestMismatch) as fault:
            raise StoreFault(key=key, reason=fault.message) from fault
        digest = sha256([content])
        self._outcome.repaired.append(RepairedFile(named.name, key, source, damage.value, digest))

    def _leave(self, named: NamedStore, key: str, reason: LocalizedText) -> None:
        self._outcome.left.append(LeftFinding(named.name, key, FindingKind.CHANGED.value, reason))

    def _head(self, note: bytes) -> TreeHead | None:
        """Return the head that a note of this log states; None for any other note."""
        try:
            if self._key is None:
                return parse_checkpoint(parse_note(note).text).head
            checkpoint = self._key.read(note)
        except LogInvalid:
            return None
        return checkpoint.head if checkpoint.origin == self._key.name else None
