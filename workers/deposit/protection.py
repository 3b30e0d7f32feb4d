"""Keeps the protection of a held work when it is deposited again: its watermark and its redactions.

A deposit lessens the protection only by stating so: ``watermark = false`` in its record, or ``redact`` in the
``[[page]]`` table of a file. Protection about which it is silent stays. Each photograph of a page has a file and a
table of its own, which decides about its own image alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Final, NamedTuple

from repository.faults import Fault
from repository.localized import LocalizedText
from repository.model.work import Image, Page, Rectangle, Work
from workers.deposit.assemble import master_path
from workers.deposit.consistency import match_page_tables, other_photographs
from workers.deposit.record import Description
from workers.deposit.record_reader import RECORD_FILE
from workers.deposit.survey import Survey

_WATERMARK_KEPT: Final = Fault(
    RECORD_FILE,
    "watermark",
    "watermark.kept",
    LocalizedText(
        "此著作的图像加有水印，本次送存未写 watermark，水印保留；如需取消，请写 watermark = false",
        "the images of this work have a watermark, and the deposit does not state watermark: the watermark is kept;"
        " to remove it, write watermark = false",
    ),
)
_REDACTIONS_KEPT: Final = LocalizedText(
    "此图像有遮盖区域，本次送存未写 redact，遮盖保留；如需取消，请在此文件的 [[page]] 中写 redact = []",
    "areas of this image are redacted, and the deposit does not state redact for it: the redactions are kept; to remove"
    " them, write redact = [] in the [[page]] table of this file",
)
_REDACTIONS_UNDECIDED: Final = LocalizedText(
    "此页原有遮盖区域，而图像已更换；请在此文件的 [[page]] 中以 redact 写明新图像的遮盖区域，不需遮盖则写 redact = []",
    "areas of this page were redacted, and its image is replaced: state the areas of the new image by redact in the"
    " [[page]] table of this file, or write redact = [] to hide nothing",
)


class _Photograph(NamedTuple):
    """A photograph of the deposited work: the keys of its page and of its file, and its image."""

    page: str
    file: str
    image: Image


class ProtectedWork(NamedTuple):
    """A work with the protection that it keeps, what a librarian should know of that, and what must be decided."""

    work: Work
    notices: tuple[Fault, ...] = ()
    faults: tuple[Fault, ...] = ()


def keep_protection(held: Work, work: Work, deposit: Survey) -> ProtectedWork:
    """Return `work`, a new version of `held`, with the protection of `held` that its deposit does not change.

    Redactions belong to an image. A redacted image that is replaced by one without a statement is a fault, since nobody
    knows where the new image shows what was hidden.
    """
    description = deposit.description
    assert description is not None  # noqa: S101 - the deposit has no faults
    kept, notices = _kept_watermark(held, work, description)
    tables, _ = match_page_tables(description.pages, deposit.pages)
    decided = {key for key, table in tables.items() if table.redactions is not None}
    others, _ = other_photographs(deposit.pages, tables)
    photographs = _photographs(work, others)
    redactions = _kept_redactions(held, photographs, decided)
    names = {page.key: page.name for page in deposit.pages}
    notices += tuple(
        Fault(names[each.file], "", "redactions.kept", _REDACTIONS_KEPT)
        for each in photographs
        if each.image.identifier in redactions
    )
    faults = tuple(
        Fault(names[file], "", "redactions.undecided", _REDACTIONS_UNDECIDED)
        for file in _undecided(held, photographs, decided)
    )
    return ProtectedWork(_with_redactions(kept, redactions), notices, faults)


def _kept_watermark(held: Work, work: Work, description: Description) -> tuple[Work, tuple[Fault, ...]]:
    if description.states_watermark or not held.rights.watermark:
        return work, ()
    return replace(work, rights=replace(work.rights, watermark=True)), (_WATERMARK_KEPT,)


def _photographs(work: Work, others: Mapping[str, Sequence[str]]) -> list[_Photograph]:
    """Return all photographs of a work; `others` has the files of the further photographs of a page, in their order."""
    return [
        _Photograph(page.key, file, image)
        for page in work.pages()
        if page.images
        for file, image in zip((page.key, *others.get(page.key, ())), page.images, strict=True)
    ]


def _kept_redactions(
    held: Work, photographs: Sequence[_Photograph], decided: Collection[str]
) -> dict[str, tuple[Rectangle, ...]]:
    """Return the redactions of held images, by identifier, about which no file with such an image decides."""
    stated = {each.image.identifier for each in photographs if each.file in decided}
    shown = {each.image.identifier for each in photographs}
    return {
        image.identifier: image.redactions
        for image in held.images()
        if image.redactions and image.identifier in shown - stated
    }


def _undecided(held: Work, photographs: Sequence[_Photograph], decided: Collection[str]) -> list[str]:
    """Return the undecided files with a new image, of pages and files whose redacted image the work lacks now."""
    shown = {each.image.identifier for each in photographs}
    before: dict[str, set[str]] = {}
    for page in held.pages():
        lost = [image for image in page.images if image.redactions and image.identifier not in shown]
        for key in {page.key, *map(_file_key, lost)} if lost else ():
            before.setdefault(key, set()).update(image.identifier for image in page.images)
    return [
        each.file
        for each in photographs
        if each.file not in decided
        and any(key in before and each.image.identifier not in before[key] for key in (each.page, each.file))
    ]


def _file_key(image: Image) -> str:
    """Return the key of the file from which a held image was made (`PageFile.key`)."""
    path = PurePosixPath(image.master.path.removeprefix(master_path("")))
    return str(path.with_name(path.stem.strip()))


def _with_redactions(work: Work, redactions: Mapping[str, tuple[Rectangle, ...]]) -> Work:
    """Return the work with these redactions of images, by identifier."""

    def redacted(page: Page) -> Page:
        images = (
            replace(image, redactions=redactions.get(image.identifier, image.redactions)) for image in page.images
        )
        return replace(page, images=tuple(images))

    volumes = (replace(volume, pages=tuple(map(redacted, volume.pages))) for volume in work.volumes)
    return replace(work, volumes=tuple(volumes))
