"""How the job is called that sees to a damaged pyramid: all that those who ask for it must load."""

from __future__ import annotations

from typing import Final

from repository.database.outbox import NewJob

KIND: Final = "pyramid"


def pyramid_job(image: str, work: str) -> NewJob:
    """The job that has a look at the pyramid of an image of a work, and makes it again if need be."""
    return NewJob(f"{KIND}:{image}", KIND, {"image": image, "work": work})
