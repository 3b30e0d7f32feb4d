"""Compares a deposit with the work that the repository holds: what changed, and whether it is another book. (pure)"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from repository.faults import Fault
from repository.localized import LocalizedText
from repository.model.work import Page, Record, Work
from workers.deposit.record_reader import RECORD_FILE


@dataclass(frozen=True, slots=True)
class Changes:
    """What a version changes, as page keys in reading order.

    `replaced` have another picture than before; `moved` have one that another page had; `record` is whether the
    catalogue record, the labels or the order changed.
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    replaced: tuple[str, ...]
    moved: tuple[str, ...]
    record: bool

    def to_json(self) -> dict[str, object]:
        """Return the changes as a job stores them and a command prints them."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def of_json(cls, document: Mapping[str, Any]) -> Changes:
        """Return the changes that `to_json` gave `document`."""
        pages = {name: tuple(document[name]) for name in ("added", "removed", "replaced", "moved")}
        return cls(**pages, record=document["record"])


def compare(before: Work, after: Work) -> Changes:
    """Return what `after` changes, page by page."""
    old, new = _pictures(before), _pictures(after)
    held = set(old.values())
    differing = [key for key in new if key in old and new[key] != old[key]]
    unknown = [key for key in new if key not in old]
    moved = {key for key in (*differing, *unknown) if new[key] in held and new[key]}
    return Changes(
        added=tuple(key for key in unknown if key not in moved),
        removed=tuple(key for key in old if key not in new and (not old[key] or old[key] not in new.values())),
        replaced=tuple(key for key in differing if key not in moved),
        moved=tuple(key for key in new if key in moved),
        record=_without_pictures(before) != _without_pictures(after),
    )


def find_other_book(before: Work, after: Work, deposit: str) -> Fault | None:
    """Return a fault if `after` shares little with the held work of the same identifier: it is another book.

    Half of the pictures of the smaller one, or the description, must be the same.
    """
    old, new = _masters(before), _masters(after)
    shared = len(old & new)
    if 2 * shared >= min(len(old), len(new)) or _is_same_description(before.record, after.record):
        return None
    work, identifier = before.identifier, after.record.identifier or before.identifier
    message = LocalizedText(
        f"编号 {identifier} 已属另一部著作：馆藏为{_chinese(before)}，编号 {work}；本次送存为{_chinese(after)}；"
        f"两者相同的图像 {shared} 幅。如系误用编号，请改正 identifier；"
        f"如确为同一部著作的修订，请运行 shanben ingest {deposit} --revises {work}",
        f"the identifier {identifier} belongs to another book: held is {_english(before)}, identifier {work}; this "
        f"deposit is {_english(after)}; they share {shared} images. If the identifier is mistaken, correct it; "
        f"if this is a revision of the same work, run shanben ingest {deposit} --revises {work}",
    )
    return Fault(RECORD_FILE, "identifier", "identifier.other-work", message)


def held_pictures_fault(holder: Work, shared: int, pictures: int, deposit: str) -> Fault:
    """Return the fault of a deposit without identifier most of whose pictures one work holds."""
    work = holder.identifier
    message = LocalizedText(
        f"{pictures} 幅图像中有 {shared} 幅已属{_chinese(holder)}，编号 {work}。如系该著作的修订，请运行 "
        f"shanben ingest {deposit} --revises {work}；如系另一部著作，请在 work.toml 中填写它自己的 identifier",
        f"{shared} of the {pictures} images are already held by {_english(holder)}, identifier {work}. If this is a "
        f"revision of that work, run shanben ingest {deposit} --revises {work}; if it is another work, give it an "
        f"identifier of its own in work.toml",
    )
    return Fault(RECORD_FILE, "identifier", "deposit.held", message)


def foreign_identifier_fault(held: Work, identifier: str) -> Fault:
    """Return the fault of a deposit that revises a work and has the identifier of another."""
    own = held.record.identifier
    if own:
        zh, en = f"请改为 {own}", f"change it to {own}"
    else:
        zh, en = "该著作收入时没有 identifier，请删去此项", "that work was ingested without one; remove it"
    message = LocalizedText(
        f"identifier {identifier} 不是所修订的著作 {held.identifier} 的编号；{zh}",
        f"the identifier {identifier} is not that of the revised work {held.identifier}; {en}",
    )
    return Fault(RECORD_FILE, "identifier", "identifier.revision", message)


def _pictures(work: Work) -> dict[str, str]:
    """Return the sha256 of the photographs of each page by key, '' for a missing leaf."""
    return {page.key: " ".join(image.master.sha256 for image in page.images) for page in work.pages()}


def _masters(work: Work) -> set[str]:
    return {image.master.sha256 for image in work.images()}


def _without_pictures(work: Work) -> object:
    volumes = [(volume.label, volume.condition, [_described(page) for page in volume.pages]) for volume in work.volumes]
    redactions = [[image.redactions for image in page.images] for page in work.pages()]
    described = work.record, work.rights, work.condition, work.viewing_direction, work.behavior, work.ranges
    return *described, volumes, redactions


def _described(page: Page) -> object:
    labels = [image.label for image in page.images]
    return page.key, page.label, page.behavior, page.leaf, page.unphotographed, labels


def _is_same_description(one: Record, other: Record) -> bool:
    """Return whether the titles are equal and what else identifies an edition or a copy does not differ."""
    pairs = ((one.edition, other.edition), (one.call_number, other.call_number), (one.holder, other.holder))
    return _letters(one.title) == _letters(other.title) and not any(
        first and second and _letters(first) != _letters(second) for first, second in pairs
    )


def _letters(text: str) -> str:
    """Return the letters and digits of a text alone, because punctuation is often corrected."""
    return "".join(character for character in unicodedata.normalize("NFKC", text).casefold() if character.isalnum())


def _chinese(work: Work) -> str:
    record = work.record
    details = "，".join(filter(None, (record.edition, record.call_number, f"{len(_masters(work))} 幅")))
    return f"《{record.title}》（{details}）"


def _english(work: Work) -> str:
    record = work.record
    details = ", ".join(filter(None, (record.edition, record.call_number, f"{len(_masters(work))} images")))
    return f'"{record.title}" ({details})'
