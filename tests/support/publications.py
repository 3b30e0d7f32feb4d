"""Publications for tests of the catalogue, without files."""

from __future__ import annotations

from repository.database.publication import Publication
from repository.identifiers import Kind, mint
from repository.model.work import Event, Image, Master, Page, Pyramid, Record, Volume, Work

NOW = "2026-01-01T00:00:00Z"


def publication(name: str, accessioned: str = NOW, images: int = 2) -> Publication:
    """Return a work with an event for each of its images; the same name gives the same identifiers."""
    work = mint(Kind.WORK, name)
    pages = tuple(
        Page(
            f"{number:04d}",
            str(number),
            (
                Image(
                    mint(Kind.IMAGE, work, str(number)),
                    300,
                    400,
                    Master(
                        f"masters/{number}.tif", "ab", 1000, "image/tiff", ("extra-samples",) if number == 2 else ()
                    ),
                ),
            ),
        )
        for number in range(1, images + 1)
    )
    value = Work(work, Record(name, creator=("某人",)), (Volume("", pages),))
    pyramids = {image.identifier: Pyramid(f"pyramids/{image.identifier}", "ff", 10, 512) for image in value.images()}
    events = tuple(
        Event(f"event {image.identifier}", "ingestion", NOW, work, image.identifier, "ab") for image in value.images()
    )
    return Publication(value, pyramids, events, 1, accessioned, {})
