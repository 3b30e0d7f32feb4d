"""What `shanben status` tells."""

from __future__ import annotations

from preservation.journal import open_log
from repository.handle import Repository


def status_of(repository: Repository) -> dict[str, object]:
    """The holdings in figures, by interface.md's keys. Raises `SystemFault` when the store or database is away."""
    counts = repository.catalogue.counts()
    log = open_log(repository)
    return {
        "works": counts.works,
        "images": counts.images,
        "bytes": counts.bytes,
        "jobs": repository.jobs.counts(),
        "fixity": {"expected": counts.images, "checked": 0},
        "log": {"size": log.size, "root": log.root, "staged": counts.staged},
    }
