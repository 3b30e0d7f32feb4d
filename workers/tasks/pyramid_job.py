"""The pyramid-repair job's kind and key, importable without loading its task.

The web process enqueues this job and must not import `workers/tasks/pyramids.py`, which decodes masters.
"""

from __future__ import annotations

from typing import Final

from repository.database.outbox import NewJob

KIND: Final = "pyramid"


def pyramid_job(image: str, work: str) -> NewJob:
    """Return the job that checks the pyramid of an image of a work and remakes it if it is damaged or absent."""
    return NewJob(f"{KIND}:{image}", KIND, {"image": image, "work": work})
