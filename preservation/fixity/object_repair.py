"""Repair the OCFL object of one work in all stores, each from any other that has the file intact.

1. Read the inventories of all stores and decide what the object must hold (`fixity/agreement.py`). The log is the
   second witness: without it nothing is repaired, and where it contradicts every inventory, only content that it names.
2. In each store with findings, read what is there. A file that is as agreed is never written.
3. Put a missing or damaged file from the first store that has it: its bytes are hashed while they are sent, and a
   wrong digest aborts the put before anything is replaced (`replication/transfer.py`). Read it back.
4. Put content first, then the inventories of versions, then the declaration, last the root inventory: it commits them.
   The job that copies a newer version to a replica does not claim the work, so it may run meanwhile: a root inventory
   that it has put is left as it is.

Nothing is deleted. A put replaces a file atomically, so a repair that is killed anywhere leaves every file as it was or
as it must be, and the next one continues. Where a store has an intact inventory that is not the agreed one, what is
replaced there is first copied into the quarantine of the store: it may be evidence. A store that holds a version which
nothing else knows is left as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, cast

from preservation.digests import sha256
from preservation.fixity.agreement import AgreedFile, AgreedObject, Agreement, agree
from preservation.fixity.findings import FindingKind, recordable
from preservation.fixity.logged_content import LoggedContent
from preservation.fixity.object_holding import (
    ObjectHolding,
    RepairStore,
    damage_of,
    digest_of,
    places_of,
    read_holding,
)
from preservation.fixity.quarantine import keep_copy
from preservation.fixity.repair_outcome import (
    BeforePut,
    LeftFinding,
    LostFile,
    Remains,
    RemainsKind,
    RepairedFile,
    RepairOutcome,
    ignore_put,
)
from preservation.ocfl.inventory import INVENTORY_NAME, SIDECAR_NAME, Inventory, parse_sidecar
from preservation.progress import OnProgress, ignore_progress
from preservation.replication.transfer import NamedStore, transfer_preserved, transfer_small
from repository import paths
from repository.errors import DigestMismatch, KeyNotFound, ObjectInvalid, StoreFault
from repository.localized import LocalizedText
from repository.storage.content import Chunk
from repository.storage.store import ObjectStore

NO_SECOND_WITNESS: Final = LocalizedText(
    "溯源日志不可读，无从核对；请先修复日志",
    "the provenance log, which must confirm it, cannot be read; repair it first",
)
NEWER: Final = LocalizedText(
    "此处存有目录所不知的更新版本，未作改动；数据库若由旧备份恢复，请运行 shanben rebuild",
    "this store holds a version that the catalogue does not know, and was left as it is; if the database was restored"
    " from a backup, run shanben rebuild",
)
STORE_AWAY: Final = LocalizedText(
    "可及的存储中没有完好的副本，另有存储无法访问；待其恢复后再修复",
    "no store in reach has it intact, and another is out of reach; repair it when that store is back",
)
READ_BACK: Final = LocalizedText(
    "写入后读回不符；请检查该存储的硬件", "the store returned other bytes than were written; check its hardware"
)

_COMMITS: Final = frozenset({INVENTORY_NAME, SIDECAR_NAME})
"""The files by which an object has a version."""


@dataclass(frozen=True, slots=True)
class RepairFacts:
    """What is known of a work outside the stores: what the log says, its newest version, and its images' pyramids.

    `newest` is None if the stores themselves tell the newest version. `pyramids` are keys in the primary store by the
    SHA-256 of the master. With `accepts_older`, an object without the newest versions that the log names is accepted
    where nothing better is left, as in a restore. `is_known` says whether a SHA-256 is that of any work's content.
    """

    logged: LoggedContent
    newest: int | None
    pyramids: Mapping[str, str]
    accepts_older: bool = False
    is_known: Callable[[str], bool] = lambda digest: False

    def judge(self, inventory: Inventory) -> int | None:
        """As `agreement.Judge`."""
        found = self.logged.contradictions(inventory)
        if found.unlogged or (found.unlisted and not self.accepts_older):
            return None
        return len(found.unlisted)


class _SourceUnreadable(Exception):
    """The source of a transfer failed, and not its target."""


class _TargetFailed(Exception):
    """The target cannot be written: full, read-only or out of reach. The repair of this store ends."""

    def __init__(self, fault: StoreFault) -> None:
        self.fault = fault


@dataclass(frozen=True, slots=True)
class _SourceStore:
    """The reading side of a store, whose faults are kept apart from those of the target."""

    store: ObjectStore

    def chunks(self, key: str) -> Iterator[Chunk]:
        try:
            yield from self.store.chunks(key)
        except StoreFault as fault:
            raise _SourceUnreadable from fault


class ObjectRepair:
    """The repair of one work's object in `stores`. `target_fault` is why a store could not be written, if so."""

    def __init__(
        self,
        work: str,
        stores: Sequence[RepairStore],
        facts: RepairFacts,
        on_progress: OnProgress = ignore_progress,
        before_put: BeforePut = ignore_put,
    ) -> None:
        self._work = work
        self._before_put = before_put
        self._root = paths.ocfl_object(work)
        self._facts = facts
        self._on_progress = on_progress
        self._is_store_away = any(place.fault for place in stores)
        self._holdings = [read_holding(place, work) for place in stores if not place.fault]
        self._same: dict[str, list[str]] = {}
        self._lost: dict[str, tuple[ObjectHolding, str]] = {}
        self._outcome = RepairOutcome()
        self.target_fault: StoreFault | None = None

    def run(self) -> RepairOutcome:
        """Repair every store that has findings. Raises `StoreFault` when a store can no longer be read."""
        logged = self._facts.logged
        targets = [holding for holding in self._holdings if holding.place.findings]
        if not logged.readable:
            for target in targets:
                self._leave_all(target, NO_SECOND_WITNESS)
            return self._outcome
        copies = [copy for holding in self._holdings for copy in holding.inventories]
        facts, identifier = self._facts, paths.ocfl_id(self._work)
        agreement = agree(copies, identifier, newest=facts.newest, judge=facts.judge)
        self._same = _paths_by_digest(agreement)
        for target in targets:
            try:
                self._repair(target, agreement)
            except _TargetFailed as failed:
                self.target_fault = failed.fault
                self._leave_all(target, failed.fault.message)
        self._conclude(agreement)
        return self._outcome

    def _repair(self, target: ObjectHolding, agreement: Agreement) -> None:
        if target.place.name in agreement.newer:
            self._leave_all(target, NEWER)
        elif agreement.agreed:
            self._repair_object(target, agreement.agreed)
        else:
            self._repair_logged_content(target, agreement.candidates)
            self._leave_all(target, agreement.reason or NO_SECOND_WITNESS)

    def _repair_object(self, target: ObjectHolding, agreed: AgreedObject) -> None:
        """Bring the object to what is agreed, up to the version that the store must hold."""
        required = agreed.as_of(max(target.place.held, target.versions, 1))
        suspects, is_foreign = target.suspects(required), target.is_foreign(agreed)
        for path, file in required.files.items():
            if path in _COMMITS and self._holds_newer(target, agreed, len(required.documents)):
                continue
            if file.content is not None:
                self._put_document(target, path, file, is_foreign=is_foreign)
            elif path in suspects:
                self._put_content(target, path, file.sha256, is_foreign=is_foreign)

    def _holds_newer(self, target: ObjectHolding, agreed: AgreedObject, version: int) -> bool:
        """Return whether a copy has committed a later version than `version` since the repair began."""
        later = {sha256([document]) for document in agreed.documents[version:] if document is not None}
        return bool(later) and digest_of(target.place.store, f"{self._root}/{INVENTORY_NAME}") in later

    def _repair_logged_content(self, target: ObjectHolding, candidates: Sequence[Inventory]) -> None:
        """Put back content that the log names, where no inventory satisfies both witnesses."""
        known = self._facts.logged.logged | self._facts.logged.pending
        findings = {finding.key for finding in target.place.findings}
        for digest, listed in sorted(item for each in candidates for item in each.manifest.items()):
            for path in listed:
                if digest in known and f"{self._root}/{path}" in findings:
                    self._put_content(target, path, digest, is_foreign=True)

    def _put_content(self, target: ObjectHolding, path: str, digest: str, *, is_foreign: bool) -> None:
        damage = damage_of(target.place.store, f"{self._root}/{path}", digest)
        if damage is None:
            return
        if is_foreign or (damage is FindingKind.CHANGED and self._is_last_copy(target, path)):
            self._keep(target, path)
        for source, source_key in self._sources(target, path, digest):
            if self._is_put(target, path, digest, source, source_key):
                self._report(target, path, source.place.name, damage, digest)
                return
        self._lost[path] = target, digest

    def _sources(self, target: ObjectHolding, path: str, digest: str) -> Iterator[tuple[ObjectHolding, str]]:
        yield from places_of(self._holdings, target, path, self._same.get(digest, ()))
        for holding in self._holdings:
            yield from ((holding, key) for key, found in holding.strays.items() if found == digest)
        for holding in self._holdings:
            yield from ((holding, key) for key in holding.quarantined(digest))

    def _is_last_copy(self, target: ObjectHolding, path: str) -> bool:
        """Return whether the file is the content of another one, and no store that is in reach holds that in place."""
        found = digest_of(target.place.store, f"{self._root}/{path}")
        if found is None:
            return False
        places = [(holding, each) for each in self._same.get(found, ()) for holding in self._holdings]
        if not places:
            return self._facts.is_known(found)
        return all(damage_of(holding.place.store, f"{self._root}/{each}", found) for holding, each in places)

    def _is_put(self, target: ObjectHolding, path: str, digest: str, source: ObjectHolding, source_key: str) -> bool:
        """Put content from one place; return False when the bytes there are not those with this digest."""
        key = f"{self._root}/{path}"
        self._before_put(target.place.name, key, source.place.name)
        reading = NamedStore(source.place.name, cast(Any, _SourceStore(source.place.store)))
        try:
            transfer_preserved(
                reading, target.named, key, digest, exists=False, on_progress=self._on_progress, source_key=source_key
            )
        except _SourceUnreadable:
            return False
        except DigestMismatch as fault:
            if fault.details["key"] != target.named.key(key):
                return False  # the source is damaged, or changed while it was read
            raise _TargetFailed(StoreFault(key=key, reason=READ_BACK)) from fault
        except StoreFault as fault:
            raise _TargetFailed(fault) from fault
        return True

    def _put_document(self, target: ObjectHolding, path: str, file: AgreedFile, *, is_foreign: bool) -> None:
        """Put an inventory, a sidecar or the declaration, unless it is as agreed."""
        key, content = f"{self._root}/{path}", file.content or b""
        damage = damage_of(target.place.store, key, file.sha256)
        if damage is None or _states_the_same(target.place.store, key, content):
            return
        if is_foreign:
            self._keep(target, path)
        source = self._holder(target, path, file)
        self._before_put(target.place.name, key, source)
        try:
            transfer_small(target.named, key, content, exists=False)
        except DigestMismatch as fault:
            raise _TargetFailed(StoreFault(key=key, reason=READ_BACK)) from fault
        except StoreFault as fault:
            raise _TargetFailed(fault) from fault
        self._report(target, path, source, damage, file.sha256)

    def _holder(self, target: ObjectHolding, path: str, file: AgreedFile) -> str:
        """Return the name of a store that has this document, else of one from whose inventory it follows."""
        others = [holding for holding in self._holdings if holding is not target]
        for holding in others:
            if path in holding.listed and damage_of(holding.place.store, f"{self._root}/{path}", file.sha256) is None:
                return holding.place.name
        return next((holding.place.name for holding in others if holding.root_inventory), target.place.name)

    def _keep(self, target: ObjectHolding, path: str) -> None:
        """Copy what is about to be replaced into the quarantine, if it can be read."""
        try:
            with suppress(KeyNotFound):
                keep_copy(target.named, f"{self._root}/{path}")
        except DigestMismatch as fault:
            raise _TargetFailed(StoreFault(key=path, reason=READ_BACK)) from fault
        except StoreFault as fault:
            raise _TargetFailed(fault) from fault

    def _report(self, target: ObjectHolding, path: str, source: str, damage: FindingKind, digest: str) -> None:
        name, key = target.place.name, f"{self._root}/{path}"
        self._outcome.repaired.append(RepairedFile(name, key, source, damage.value, digest, self._work, path))

    def _leave_all(self, target: ObjectHolding, reason: LocalizedText) -> None:
        done = {(each.store, each.key) for each in self._outcome.repaired}
        for finding in target.place.findings:
            if (target.place.name, finding.key) not in done:
                key = recordable(finding.key)
                left = LeftFinding(target.place.name, key, finding.kind.value, reason, self._work)
                self._outcome.left.append(left)

    def _conclude(self, agreement: Agreement) -> None:
        """Name the files that no store has intact: lost, or left while a store is out of reach."""
        for number, document in enumerate(agreement.agreed.documents if agreement.agreed else (), start=1):
            if document is None:
                self._lost[f"v{number}/{INVENTORY_NAME}"] = self._holdings[0], ""
        for path, (target, digest) in self._lost.items():
            key = f"{self._root}/{path}"
            if self._is_store_away:
                left = LeftFinding(target.place.name, key, FindingKind.MISSING.value, STORE_AWAY, self._work)
                self._outcome.left.append(left)
            else:
                inventory = agreement.agreed.inventory if agreement.agreed else None
                self._outcome.lost.append(LostFile(key, self._work, tuple(self._remains(path, digest, inventory))))

    def _remains(self, path: str, digest: str, inventory: Inventory | None) -> Iterator[Remains]:
        for holding in self._holdings:
            if path in holding.listed:
                yield Remains(RemainsKind.COPY, holding.place.name, f"{self._root}/{path}")
        for other, other_digest in _other_versions(inventory, digest) if inventory else ():
            for holding in self._holdings:
                key = f"{self._root}/{other}"
                if other in holding.listed and damage_of(holding.place.store, key, other_digest) is None:
                    yield Remains(RemainsKind.VERSION, holding.place.name, key)
        if pyramid := self._facts.pyramids.get(digest):
            yield Remains(RemainsKind.PYRAMID, self._holdings[0].place.name, pyramid)


def _paths_by_digest(agreement: Agreement) -> dict[str, list[str]]:
    inventories = [agreement.agreed.inventory] if agreement.agreed else agreement.candidates
    found: dict[str, list[str]] = {}
    for inventory in inventories:
        for digest, listed in inventory.manifest.items():
            found.setdefault(digest, []).extend(listed)
    return found


def _states_the_same(store: ObjectStore, key: str, content: bytes) -> bool:
    """Return whether a stored sidecar states the same digest, in other white space."""
    if not key.endswith(f"/{SIDECAR_NAME}"):
        return False
    try:
        return parse_sidecar(store.read(key), key) == parse_sidecar(content, key)
    except (StoreFault, ObjectInvalid):
        return False


def _other_versions(inventory: Inventory, digest: str) -> Iterator[tuple[str, str]]:
    """Yield path and digest of the content that other versions have under the logical paths of a lost digest."""
    names = {name for version in inventory.versions for name, found in version.state.items() if found == digest}
    others = {version.state[name] for version in inventory.versions for name in names & version.state.keys()}
    for other in sorted(others - {digest}):
        yield inventory.content_path(other), other
