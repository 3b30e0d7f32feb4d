"""Stages events that the provenance log alone keeps (`preservation/log_events.py`), for jobs and web processes."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata

from preservation.log_events import Occasion
from preservation.salt import open_seal
from repository.clock import timestamp
from repository.model.work import Event
from repository.repository import Repository
from workers.tasks.jobs import sequence_events_job


def software() -> str:
    """Return the name and the version of this software, as events state it."""
    return f"shanben {metadata.version('shanben')}"


def occasion(repository: Repository) -> Occasion:
    """Return the occasion of events that are recorded now. Raises `DependencyMissing`, `DatabaseFault`."""
    return Occasion(timestamp(repository.clock()), software(), open_seal(repository))


def stage(repository: Repository, events: Sequence[Event]) -> int:
    """Stage events that the log alone keeps, and enqueue the job that logs them; return how many are new.

    A change of the database that belongs to the events stages them in its own transaction instead
    (`repository.database.kept_events.stage_events`) and enqueues `sequence_events_job`. Raises `DatabaseFault`.
    """
    now = timestamp(repository.clock())
    return repository.log_sequence.stage(events, [sequence_events_job()] if events else [], now)
