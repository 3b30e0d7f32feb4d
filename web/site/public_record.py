"""The catalogue record of a work for everybody: what access to the work allows of its preserved record. (pure)

Redactions are left out of every record: they would show where something is hidden. While access shows no pixels, the
record has no images either, and the keys of pages are their numbers, because names of files may contain the names of
people. Labels stay, for which the deposit answers. Who assessed or repaired the original, and the remarks on its
condition, are left out as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from repository.model.access import Decision
from repository.model.condition import without_names
from repository.model.work import Image, Page, Range, Work
from repository.model.work_json import work_to_json


def public_record(work: Work, decision: Decision) -> bytes:
    """Return the record as canonical JSON in the format of the preserved one (`repository.model.work_json`)."""
    if decision.shows_pixels:
        return work_to_json(_with_pages(work, _without_redactions(work)))
    numbers = {page.key: str(number) for number, page in enumerate(work.pages(), start=1)}
    pages = {page.key: replace(page, key=numbers[page.key], images=()) for page in work.pages()}
    ranges = tuple(_renamed(part, numbers) for part in work.ranges)
    return work_to_json(replace(_with_pages(work, pages), ranges=ranges))


def _without_redactions(work: Work) -> dict[str, Page]:
    return {page.key: replace(page, images=tuple(map(_plain, page.images))) for page in work.pages()}


def _plain(image: Image) -> Image:
    return replace(image, redactions=())


def _with_pages(work: Work, pages: Mapping[str, Page]) -> Work:
    volumes = [
        replace(
            volume,
            pages=tuple(pages[page.key] for page in volume.pages),
            condition=without_names(volume.condition),
        )
        for volume in work.volumes
    ]
    return replace(work, volumes=tuple(volumes), condition=without_names(work.condition))


def _renamed(part: Range, numbers: Mapping[str, str]) -> Range:
    ranges = tuple(_renamed(inner, numbers) for inner in part.ranges)
    return replace(part, pages=tuple(numbers[key] for key in part.pages), ranges=ranges)
