"""What a record says besides the work: the addresses at which it is shown, who gives it, when it changed. (pure)"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from iiif_server.urls import image_path, manifest_path, work_path
from repository.model.access import Decision
from repository.model.work import Image, Work

FULL_IMAGE = "full/max/0/default.jpg"
"""The request for a whole image, as large as access allows (Image API 3.0, section 4)."""


@dataclass(frozen=True, slots=True)
class RecordContext:
    """The public address `base`, without a final slash, the institution's name or '', and the access to the work.

    `changed` is the time of the record's last change (RFC 3339, UTC).
    """

    base: str
    provider: str
    decision: Decision
    changed: str

    def page(self, work: Work) -> str:
        """Return the address of a work's page."""
        return f"{self.base}{work_path(work.identifier)}"

    def manifest(self, work: Work) -> str:
        """Return the address of a work's manifest."""
        return f"{self.base}{manifest_path(work.identifier)}"

    def image(self, image: Image) -> str:
        """Return the address of a whole image."""
        return f"{self.base}{image_path(image.identifier, FULL_IMAGE)}"


def section_labels(work: Work) -> Iterator[str]:
    """Yield the labels of the sections of a work that are in no other section."""
    return (section.label for section in work.ranges if section.label)
