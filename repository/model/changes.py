"""What partners learn of works: activities in the order in which they happened, and records to harvest. (pure)

Partners learn of a published work whose access is restricted, because its page and its record are public too. They
learn that a work was withdrawn, and nothing else of it until it returns.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from repository.localized import LocalizedText
from repository.model.work import Work


class ChangeKind(StrEnum):
    """The types of activities (IIIF Change Discovery 1.0, section 3.3) that a feed of works has."""

    CREATE = "Create"
    UPDATE = "Update"
    DELETE = "Delete"
    MOVE = "Move"
    REFRESH = "Refresh"


@dataclass(frozen=True, slots=True)
class Change:
    """An activity: `number` is its position in the feed from 0, which never changes; `time` is RFC 3339, UTC.

    `work` is None for a refresh. `origin` is the public address from which a move took the work.
    """

    number: int
    kind: ChangeKind
    time: str
    work: str | None = None
    origin: str | None = None


@dataclass(frozen=True, slots=True)
class FeedRecord:
    """A work as harvesters see it: the number and time of its newest activity, and its sets.

    `work` is the work, with the access that is in force; None when the record is deleted, or the work was not wanted.
    """

    identifier: str
    number: int
    time: str
    is_deleted: bool
    sets: tuple[str, ...] = ()
    work: Work | None = None


@dataclass(frozen=True, slots=True)
class RecordRange:
    """Which records a harvester asks for: those after the number `after`, from the time `first` to `last`, of a set."""

    after: int = -1
    first: str | None = None
    last: str | None = None
    within: str | None = None


CLASSES: Final = "class"
HOLDERS: Final = "holder"
"""The sets of which all others are parts (OAI-PMH 2.0, section 2.6): the classes of 四部, and the holders."""

SET_NAMES: Final = MappingProxyType(
    {
        CLASSES: LocalizedText("四部分类", "Classes"),
        f"{CLASSES}:jing": LocalizedText("经部", "Classics (经部)"),
        f"{CLASSES}:shi": LocalizedText("史部", "Histories (史部)"),
        f"{CLASSES}:zi": LocalizedText("子部", "Masters (子部)"),
        f"{CLASSES}:ji": LocalizedText("集部", "Collected works (集部)"),
        f"{CLASSES}:cong": LocalizedText("丛部", "Collectanea (丛部)"),
        f"{CLASSES}:other": LocalizedText("其他及未分类", "Other classes, and none"),
        HOLDERS: LocalizedText("馆藏", "Holders"),
    }
)
"""The names of the sets that every repository has."""

_FIRST_CHARACTERS: Final = {"经": "jing", "史": "shi", "子": "zi", "集": "ji", "丛": "cong", "类": "cong"}


def set_of_class(name: str) -> str:
    """Return the set of a class as `holdings.class_of` names it: ``class:jing`` for 经部, ``class:other`` for ''."""
    known = name[:1] if len(name) <= 1 or name.endswith("部") else ""
    return f"{CLASSES}:{_FIRST_CHARACTERS.get(known, 'other')}"


def set_of_holder(holder: str | None) -> str | None:
    """Return the set of a holder: a digest of its name, because sets are named in ASCII. None without a holder."""
    return f"{HOLDERS}:{hashlib.sha256(holder.encode()).hexdigest()[:16]}" if holder else None
