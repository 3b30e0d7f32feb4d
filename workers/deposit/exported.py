"""The documents of a bag that say what a work was where it was exported: record, access in force, statements of texts.

They complete the deposit in the bag: the work's identifier, the protection and the access that it has by decisions
later than the deposit, and what is known of files of text that were added later. They count only if the deposit has
exactly the work's masters.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from repository.errors import DepositRefused
from repository.faults import Fault
from repository.identifiers import Kind, is_valid
from repository.localized import LocalizedText
from repository.model.access_json import access_of_json
from repository.model.work import Work, WorkAccess
from repository.model.work_json import work_of_json
from workers.deposit.assemble import image_identifier
from workers.exported_names import ACCESS_DOCUMENT, TEXTS_DOCUMENT, WORK_DOCUMENT
from workers.text.statement import TextStatement, statements_of_json

_MAX_BYTES: Final = 256 << 20
"""The largest document in bytes; the record of a work of 100,000 pages has about 40 MB."""

_Document = TypeVar("_Document")


@dataclass(frozen=True, slots=True)
class ExportedWork:
    """A work as it was held where it was exported; `texts` are the statements of texts that were added to it."""

    work: Work
    access: WorkAccess
    texts: tuple[TextStatement, ...] = ()

    def has_masters(self, digests: Collection[str]) -> bool:
        """Return whether the work has exactly the masters with these sha256."""
        return {image.master.sha256 for image in self.work.images()} == set(digests)


def read_exported(bag: Path) -> ExportedWork | None:
    """Return the work that the documents of a bag describe; None for a bag of another program.

    Raises `DepositRefused` for documents that are no export of a work.
    """
    if not (bag / WORK_DOCUMENT).is_file():
        return None
    work = _parsed(bag, WORK_DOCUMENT, work_of_json)
    access = _parsed(bag, ACCESS_DOCUMENT, access_of_json)
    images = all(image.identifier == image_identifier(work.identifier, image.master.sha256) for image in work.images())
    if not images or not is_valid(work.identifier, Kind.WORK):
        raise _refused(bag, WORK_DOCUMENT, LocalizedText("其中的编号有误", "its identifiers are wrong"))
    texts = _parsed(bag, TEXTS_DOCUMENT, statements_of_json) if (bag / TEXTS_DOCUMENT).is_file() else ()
    return ExportedWork(work, access, tuple(each for each in texts if each.added))


def _parsed(bag: Path, name: str, parse: Callable[[bytes], _Document]) -> _Document:
    try:
        with (bag / name).open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
        if len(content) > _MAX_BYTES:
            limit = f"{_MAX_BYTES >> 20} MiB"
            raise _refused(bag, name, LocalizedText(f"文件超过 {limit}", f"the file is larger than {limit}"))
        return parse(content)
    except (OSError, ValueError) as fault:
        raise _refused(bag, name, LocalizedText(f"无法读取（{fault}）", f"it cannot be read ({fault})")) from fault


def _refused(bag: Path, name: str, reason: LocalizedText) -> DepositRefused:
    return DepositRefused(str(bag), (Fault(name, "", "bag.document", reason),))
