"""Repair what is damaged in the stores of a repository: works, the log, and the files of the OCFL storage root.

Everything is checked before it is repaired and, where anything was put, checked again afterwards: what a finding of the
second check concerns was not repaired, and is named with the reason. A store that is out of reach or not recognised as
the library's own is neither read nor written, and nothing is called lost while one is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from preservation.digests import sha256
from preservation.fixity.findings import FindingKind, FixityFinding, recordable
from preservation.fixity.log_repair import LogRepair, LogRepairFacts
from preservation.fixity.logged_content import LogWitness
from preservation.fixity.object_holding import RepairStore, damage_of
from preservation.fixity.object_repair import ObjectRepair, RepairFacts
from preservation.fixity.quarantine import move_into_quarantine
from preservation.fixity.repair_outcome import BeforePut, LeftFinding, RepairedFile, RepairOutcome, ignore_put
from preservation.fixity.store_check import StoreCheck
from preservation.log.log_keys import LogKeys
from preservation.log.sequencer import exclusive_writer, log_keys, open_log, remembered_notes
from preservation.log.timestamped import judge_of_notes
from preservation.ocfl.layout import STORAGE_ROOT_FILES
from preservation.premis import event_bytes
from preservation.progress import OnProgress, ignore_progress
from preservation.replication.transfer import NamedStore, transfer_small
from preservation.store_identity import verify_primary, verify_replica
from repository import paths
from repository.database.store_registry import PRIMARY
from repository.errors import DependencyMissing, DigestMismatch, StoreFault
from repository.localized import LocalizedText
from repository.repository import Repository
from repository.store_label import PRIMARY_LABEL

_UNEXPECTED: Final = LocalizedText(
    "来历不明的文件不会删除；查明来历后可用 shanben repair --quarantine 移入隔离区",
    "unexpected files are never deleted; find out where it comes from, or move it away by shanben repair --quarantine",
)
_UNKNOWN_OBJECT: Final = LocalizedText(
    "目录与日志都不知此对象，未作改动；目录若非最新，请先运行 shanben rebuild",
    "neither the catalogue nor the log knows this object, which was left as it is; if the catalogue is not up to date,"
    " run shanben rebuild first",
)
_STILL_FOUND: Final = LocalizedText(
    "修复后再次检查，问题仍在；请运行 shanben store validate 查明",
    "the check after the repair found it again; run shanben store validate for details",
)


@dataclass(frozen=True, slots=True)
class _Place:
    """A store of the repository by the name of findings; `fault` is set when it is out of reach or not recognised."""

    name: str
    key: str
    fault: StoreFault | None


class StoreRepair:
    """Repairs of one repository. `quarantine` moves unexpected files away instead of leaving them.

    `before_put` is called before a file of a work is put back.
    """

    def __init__(self, repository: Repository, *, quarantine: bool = False, before_put: BeforePut = ignore_put) -> None:
        self._repository = repository
        self._before_put = before_put
        self._quarantine = quarantine
        self._places = [_place(repository, name) for name in (PRIMARY, *repository.replicas)]

    def work(self, work: str, on_progress: OnProgress = ignore_progress) -> RepairOutcome:
        """Check a work in every store and repair it. The caller has claimed the work. Raises `DatabaseFault`."""
        stores = [self._checked(place, work, on_progress) for place in self._places]
        outcome = RepairOutcome(left=[_out_of_reach(store, work) for store in stores if store.fault])
        outcome.unchecked = {(store.name, key) for store in stores for key in store.unchecked}
        if not any(store.findings for store in stores):
            return outcome
        outcome.add(ObjectRepair(work, stores, self._facts(work), on_progress, self._before_put).run())
        for store in stores:
            if store.findings:
                self._conclude(store, work, outcome, on_progress)
        return outcome

    def log(self, on_progress: OnProgress = ignore_progress) -> RepairOutcome:
        """Repair the log in every store while nobody writes it. Raises `LogBusy`, `StoreFault`, `DatabaseFault`."""
        repository = self._repository
        outcome = RepairOutcome(
            left=[_out_of_reach(_store(repository, place)) for place in self._places if place.fault]
        )
        try:
            key = log_keys(repository)
        except DependencyMissing:  # there is no log yet
            return outcome
        stores = [NamedStore(place.name, _store(repository, place).store) for place in self._places if not place.fault]
        if not stores or stores[0].name != PRIMARY_LABEL:
            return outcome
        with exclusive_writer(repository):
            outcome.add(LogRepair(stores, log_repair_facts(repository, key)).run(on_progress))
        return outcome

    def storage_root(self) -> RepairOutcome:
        """Put the declaration and layout of the OCFL storage root back in every store. Raises `StoreFault`."""
        outcome = RepairOutcome()
        for place in self._places:
            store = _store(self._repository, place)
            if place.fault:
                outcome.left.append(_out_of_reach(store))
                continue
            for key, content in STORAGE_ROOT_FILES.items():
                digest = sha256([content])
                if damage := damage_of(store.store, key, digest):
                    try:
                        transfer_small(NamedStore(place.name, store.store), key, content, exists=False)
                    except (StoreFault, DigestMismatch) as fault:
                        outcome.left.append(LeftFinding(place.name, key, damage.value, fault.message))
                    else:
                        outcome.repaired.append(RepairedFile(place.name, key, place.name, damage.value, digest))
        return outcome

    def strays(self) -> RepairOutcome:
        """Move away, or leave, what is below ``ocfl/`` and ``log/`` and belongs to no object and not to the log.

        Lists the whole storage root of every store. Raises `StoreFault`, `DatabaseFault`.
        """
        outcome = RepairOutcome()
        for place in self._places:
            if place.fault:
                continue
            check = StoreCheck(self._repository, place.key)
            checks = [*check.check_outside_objects(lambda _: None).checks, *check.unexpected_in_log()]
            store = _store(self._repository, place)
            for finding in dict.fromkeys(each.finding for each in checks if each.finding):
                if finding.kind is FindingKind.UNEXPECTED:
                    self._treat_unexpected(store, finding, outcome)
        return outcome

    def _checked(self, place: _Place, work: str, on_progress: OnProgress) -> RepairStore:
        store = _store(self._repository, place)
        if store.fault:
            return store
        try:
            check = StoreCheck(self._repository, place.key)
            held = check.held_version(work)
            if not held and next(iter(store.store.list(paths.ocfl_object(work))), None) is None:
                return store
            checks = list(check.check_work(work, on_progress))
        except StoreFault as fault:
            return replace(store, fault=fault)
        found = dict.fromkeys(each.finding for each in checks if each.finding)
        unchecked = [each.key for each in checks if each.reason]
        return replace(store, held=held, findings=list(found), unchecked=unchecked)

    def _facts(self, work: str) -> RepairFacts:
        repository = self._repository
        try:
            log = open_log(repository)
        except DependencyMissing:
            log = None
        logged = LogWitness(log, repository.log_sequence).content_of(work)
        held = repository.catalogue.work(work)
        keys = {image: pyramid.key for image, pyramid in repository.catalogue.pyramids(work).items()}
        masters = {image.master.sha256: image.identifier for image in held.images()} if held else {}
        pyramids = {
            digest: keys[image]
            for digest, image in masters.items()
            if image in keys and repository.store.exists(keys[image])
        }

        def is_known(digest: str) -> bool:
            return bool(repository.log_sequence.logged_events_of_digest(digest, 1))

        return RepairFacts(logged, repository.catalogue.version(work), pyramids, is_known=is_known)

    def _conclude(self, store: RepairStore, work: str, outcome: RepairOutcome, on_progress: OnProgress) -> None:
        """Check the work again in a store, move away what is unexpected if that is wanted, and name what remains."""
        place = next(place for place in self._places if place.name == store.name)
        findings: Sequence[FixityFinding] = store.findings
        if any(each.store == store.name for each in outcome.repaired):
            again = self._checked(place, work, on_progress)
            findings = again.findings
            outcome.unchecked = {each for each in outcome.unchecked if each[0] != store.name}
            outcome.unchecked |= {(store.name, key) for key in again.unchecked}
            if again.fault:
                outcome.left.append(_out_of_reach(again, work))
        named = {(each.store, each.key) for each in outcome.left} | {(store.name, each.key) for each in outcome.lost}
        for finding in findings:
            if (store.name, recordable(finding.key)) in named:
                continue  # nothing is moved away either where it is not known what the object must hold
            if finding.kind is FindingKind.UNEXPECTED:
                self._treat_unexpected(store, finding, outcome)
            else:
                outcome.left.append(_left(store.name, finding, _STILL_FOUND))

    def _treat_unexpected(self, store: RepairStore, finding: FixityFinding, outcome: RepairOutcome) -> None:
        if finding.work and finding.key == paths.ocfl_object(finding.work):
            outcome.left.append(_left(store.name, finding, _UNKNOWN_OBJECT))
        elif not self._quarantine:
            outcome.left.append(_left(store.name, finding, _UNEXPECTED))
        else:
            try:
                move_into_quarantine(NamedStore(store.name, store.store), finding.key)
            except (StoreFault, DigestMismatch) as fault:
                outcome.left.append(_left(store.name, finding, fault.message))


def log_repair_facts(repository: Repository, key: LogKeys | None) -> LogRepairFacts:
    """Return what a repository knows of its log outside the stores. Raises `SettingInvalid`, `DatabaseFault`."""

    def known(start: int, end: int) -> list[bytes]:
        return [event_bytes(event) for event in repository.log_sequence.numbered_events(start, end - start)]

    return LogRepairFacts(key, remembered_notes(repository), known, judge_of_notes(repository.settings))


def _place(repository: Repository, name: str) -> _Place:
    try:
        if name == PRIMARY:
            verify_primary(repository)
        else:
            verify_replica(repository, name)
    except StoreFault as fault:
        return _Place(name or PRIMARY_LABEL, name, fault)
    return _Place(name or PRIMARY_LABEL, name, None)


def _store(repository: Repository, place: _Place) -> RepairStore:
    store = repository.replicas[place.key] if place.key else repository.store
    return RepairStore(place.name, store, fault=place.fault)


def _out_of_reach(store: RepairStore, work: str = "") -> LeftFinding:
    reason = store.fault.message if store.fault else _STILL_FOUND
    return LeftFinding(store.name, "", FindingKind.UNREADABLE.value, reason, work)


def _left(store: str, finding: FixityFinding, reason: LocalizedText) -> LeftFinding:
    return LeftFinding(store, recordable(finding.key), finding.kind.value, reason, finding.work or "")
