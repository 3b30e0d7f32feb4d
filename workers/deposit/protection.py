"""Keeps the protection of a held work when it is deposited again: its watermark and its redactions.

A deposit lessens the protection only by stating so: ``watermark = false`` in its record, or ``redact`` in the table of
a page. Protection about which it is silent stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, NamedTuple

from repository.faults import Fault
from repository.localized import LocalizedText
from repository.model.work import Page, Rectangle, Work
from workers.deposit.consistency import match_page_tables
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
    "此图像有遮盖区域，本次送存未写 redact，遮盖保留；如需取消，请在此页的 [[page]] 中写 redact = []",
    "areas of this image are redacted, and the deposit does not state redact for it: the redactions are kept; to remove"
    " them, write redact = [] in the [[page]] table of this page",
)
_REDACTIONS_UNDECIDED: Final = LocalizedText(
    "此页原有遮盖区域，而图像已更换；请在此页的 [[page]] 中以 redact 写明新图像的遮盖区域，不需遮盖则写 redact = []",
    "areas of this page were redacted, and its image is replaced: state the areas of the new image by redact in the"
    " [[page]] table of this page, or write redact = [] to hide nothing",
)


class ProtectedWork(NamedTuple):
    """A work with the protection that it keeps, what a librarian should know of that, and what must be decided."""

    work: Work
    notices: tuple[Fault, ...] = ()
    faults: tuple[Fault, ...] = ()


def keep_protection(held: Work, work: Work, deposit: Survey) -> ProtectedWork:
    """Return `work`, a new version of `held`, with the protection of `held` that its deposit does not change.

    Redactions belong to an image. A page whose redacted image is replaced by one without a statement is a fault, since
    nobody knows where the new image shows what was hidden.
    """
    description = deposit.description
    assert description is not None  # noqa: S101 - the deposit has no faults
    kept, notices = _kept_watermark(held, work, description)
    tables, _ = match_page_tables(description.pages, deposit.pages)
    decided = {key for key, table in tables.items() if table.redactions is not None}
    redactions = _kept_redactions(held, work, decided)
    names = {page.key: page.name for page in deposit.pages}
    pages = [page.key for page in work.pages() if any(image.identifier in redactions for image in page.images)]
    notices += tuple(Fault(names[key], "", "redactions.kept", _REDACTIONS_KEPT) for key in pages)
    faults = tuple(
        Fault(names[key], "", "redactions.undecided", _REDACTIONS_UNDECIDED) for key in _undecided(held, work, decided)
    )
    return ProtectedWork(_with_redactions(kept, redactions), notices, faults)


def _kept_watermark(held: Work, work: Work, description: Description) -> tuple[Work, tuple[Fault, ...]]:
    if description.states_watermark or not held.rights.watermark:
        return work, ()
    return replace(work, rights=replace(work.rights, watermark=True)), (_WATERMARK_KEPT,)


def _kept_redactions(held: Work, work: Work, decided: set[str]) -> dict[str, tuple[Rectangle, ...]]:
    """Return the redactions of held images, by identifier, that no page of `work` with such an image decides."""
    stated = {image.identifier for page in work.pages() if page.key in decided for image in page.images}
    shown = {image.identifier for image in work.images()}
    return {
        image.identifier: image.redactions
        for image in held.images()
        if image.redactions and image.identifier in shown - stated
    }


def _undecided(held: Work, work: Work, decided: set[str]) -> list[str]:
    """Return the keys of undecided pages that had a redacted image which no page of `work` has any more."""
    shown = {image.identifier for image in work.images()}
    lost = {
        page.key
        for page in held.pages()
        if any(image.redactions and image.identifier not in shown for image in page.images)
    }
    return [page.key for page in work.pages() if page.images and page.key in lost - decided]


def _with_redactions(work: Work, redactions: Mapping[str, tuple[Rectangle, ...]]) -> Work:
    """Return the work with these redactions of images, by identifier."""

    def redacted(page: Page) -> Page:
        images = (
            replace(image, redactions=redactions.get(image.identifier, image.redactions)) for image in page.images
        )
        return replace(page, images=tuple(images))

    volumes = (replace(volume, pages=tuple(map(redacted, volume.pages))) for volume in work.volumes)
    return replace(work, volumes=tuple(volumes))
