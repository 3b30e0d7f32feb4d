"""What a repair did, file by file. (pure)"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from repository.localized import LocalizedText

BeforePut = Callable[[str, str, str], None]
"""Called before a file is put back, with the name of the store, the key, and the name of the source."""


def ignore_put(store: str, key: str, source: str) -> None:
    """Do nothing: a `BeforePut` for repairs that nobody records."""
    del store, key, source


class RemainsKind(StrEnum):
    """What is left of content that no store holds intact any more."""

    COPY = "damaged-copy"
    VERSION = "other-version"
    PYRAMID = "pyramid"


@dataclass(frozen=True, slots=True)
class Remains:
    """Something that is left of lost content: its kind, the store's name, and its key there."""

    kind: RemainsKind
    store: str
    key: str


@dataclass(frozen=True, slots=True)
class RepairedFile:
    """A file that was put into a store from `source`, the name of another store or of the same one.

    `work` and `path`, in the object of the work, are '' for a file of the log or of the storage root. `damage` is what
    was wrong, a value of `FindingKind`.
    """

    store: str
    key: str
    source: str
    damage: str
    sha256: str = ""
    work: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True)
class LostFile:
    """A file that no store holds intact; `key` is the same in every store."""

    key: str
    work: str
    remains: Sequence[Remains] = ()


@dataclass(frozen=True, slots=True)
class LeftFinding:
    """A finding that the repair left as it was, and why. `key` is '' for a whole store."""

    store: str
    key: str
    kind: str
    reason: LocalizedText
    work: str = ""


@dataclass(slots=True)
class RepairOutcome:
    """All that a repair did and did not do.

    `changed` has the places that a sweep must check again, because a finding there has ended: the store's name and the
    work, '' for the log and the storage root. `unchecked` has the store's name and the key of each file that could not
    be checked, so that nothing is known of its findings; it is not kept as JSON.
    """

    repaired: list[RepairedFile] = field(default_factory=list)
    lost: list[LostFile] = field(default_factory=list)
    left: list[LeftFinding] = field(default_factory=list)
    changed: set[tuple[str, str]] = field(default_factory=set)
    unchecked: set[tuple[str, str]] = field(default_factory=set)

    def is_unchecked(self, store: str, key: str) -> bool:
        """Return whether a file, or any file of a folder, could not be checked."""
        places = (place for place in self.unchecked if place[0] == store)
        return any(each == key or each.startswith(f"{key}/") for _, each in places)

    def add(self, other: RepairOutcome) -> None:
        """Add what another repair did."""
        self.repaired += other.repaired
        self.lost += other.lost
        self.left += other.left
        self.changed |= other.changed
        self.unchecked |= other.unchecked

    def to_json(self) -> dict[str, object]:
        """Return the outcome as JSON values, texts in both languages."""
        return {
            "repaired": [
                {"store": each.store, "key": each.key, "from": each.source, "work": each.work, "damage": each.damage}
                for each in self.repaired
            ],
            "lost": [
                {
                    "key": each.key,
                    "work": each.work,
                    "remains": [{"kind": left.kind, "store": left.store, "key": left.key} for left in each.remains],
                }
                for each in self.lost
            ],
            "left": [
                {
                    "store": each.store,
                    "key": each.key,
                    "kind": each.kind,
                    "work": each.work,
                    "reason": each.reason.to_json(),
                }
                for each in self.left
            ],
            "changed": [{"store": store, "work": work} for store, work in sorted(self.changed)],
        }

    @classmethod
    def of_json(cls, document: Mapping[str, Any]) -> RepairOutcome:
        """Return the outcome that `to_json` gave `document`; digests and paths are not kept."""
        outcome = cls()
        for each in document.get("repaired", ()):
            names = ("store", "key", "from", "damage")
            store, key, source, damage = (str(each[name]) for name in names)
            outcome.repaired.append(RepairedFile(store, key, source, damage, work=str(each["work"])))
        for each in document.get("lost", ()):
            outcome.lost.append(LostFile(str(each["key"]), str(each["work"]), _remains(each["remains"])))
        for each in document.get("left", ()):
            store, key, kind, work = (str(each[name]) for name in ("store", "key", "kind", "work"))
            outcome.left.append(LeftFinding(store, key, kind, _text(each["reason"]), work))
        outcome.changed = {(str(each["store"]), str(each["work"])) for each in document.get("changed", ())}
        return outcome


def _remains(values: object) -> tuple[Remains, ...]:
    listed = values if isinstance(values, list) else []
    return tuple(Remains(RemainsKind(each["kind"]), str(each["store"]), str(each["key"])) for each in listed)


def _text(values: object) -> LocalizedText:
    return LocalizedText.of_json(values if isinstance(values, dict) else {"zh": "", "en": ""})
