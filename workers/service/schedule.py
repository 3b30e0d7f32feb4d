"""Recurring work, the same for a broker's workers and for the local worker.

- At every run it queues again the jobs of dead processes of this machine and of expired leases, enqueues jobs for
  events that are not in the provenance log and for works that the search index does not have, and records that
  restrictions of access have ended.
- Once a minute it enqueues the job that decides alarms and those of due harvests, and asks witnesses that lag again.
- Once an hour it asks all witnesses, has the log timestamped if that is due, enqueues replication jobs for works that a
  replica lacks, has manifests of an earlier release published again, has the features of pages and the search index
  compared with the catalogue, sweeps the stores with due files, purges finished jobs, and removes incomplete uploads
  from the stores.

The first sweep and the first decision about alarms wait a little, so that a process that starts serves first.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from time import monotonic
from typing import Final

from preservation.log.sequencer import needs_recording
from repository.database.outbox import JobState, NewJob
from repository.errors import StoreFault
from repository.repository import Repository
from workers.execution.liveness import release_jobs_of_dead_workers
from workers.tasks.access import end_restrictions
from workers.tasks.fixity_settings import may_check_now
from workers.tasks.fixity_units import stores_with_due_files
from workers.tasks.harvest import due_harvests
from workers.tasks.jobs import (
    ASK_WITNESSES,
    REPLICATE_WORK,
    SCHEDULED,
    feature_index_job,
    harvest_job,
    replicate_log_job,
    search_check_job,
    search_index_job,
    sequence_events_job,
    sweep_job,
    timestamp_job,
    watch_job,
    witness_job,
)
from workers.tasks.replicate import replication_jobs
from workers.tasks.republish import queue_republishing

DONE_SECONDS: Final = 24 * 3600.0
"""The seconds for which a finished job is kept: the catalogue records what it did."""

REFUSED_SECONDS: Final = 7 * DONE_SECONDS
"""The seconds for which the job of a refused deposit is kept, until the depositor ingests it again or gives up."""

REPLICATION_JOBS: Final = 1000
"""The largest number of replication jobs that are queued together for one replica."""

WITNESS_SECONDS: Final = 60.0
"""The interval at which witnesses that lag are asked again."""

FIRST_SWEEP_SECONDS: Final = 30.0
"""The seconds after which a process that has started looks for files that are due for a fixity check."""

WATCH_SECONDS: Final = 60.0
"""The interval at which alarms are decided."""

FIRST_WATCH_SECONDS: Final = 20.0
"""The seconds after which a process that has started decides alarms: what failed while nothing ran is retried first."""

_HOUR_SECONDS: Final = 3600.0
_UPLOAD_SECONDS: Final = 24 * 3600.0
_LOG: Final = logging.getLogger("shanben.jobs")


class Schedule:
    """The recurring work of one process; used from one thread."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._next_hour = 0.0
        self._next_witnessing = 0.0
        self._next_watch = monotonic() + FIRST_WATCH_SECONDS
        self._next_renewal = 0.0
        self._next_sweeps = monotonic() + FIRST_SWEEP_SECONDS
        self._is_first = True
        self._is_filling = False
        self._is_republishing = False

    def run(self) -> None:
        """Do the work that is due now. Raises `DatabaseFault`, and `StoreFault` while the primary store is away."""
        self.release()
        self._queue_watch()  # first: what follows fails while the primary store is away
        if self._is_filling and not self._repository.jobs.active(REPLICATE_WORK, 1):
            self._queue_replication(failed=False)
        if monotonic() >= self._next_hour:
            self._run_hourly()
        end_restrictions(self._repository)
        if needs_recording(self._repository):
            self._repository.jobs.enqueue(sequence_events_job())
        if self._repository.search.unindexed(1):
            self._repository.jobs.enqueue(search_index_job())
        self._queue_witnessing()
        self._queue_sweeps()
        if self._is_republishing:
            self._is_republishing = queue_republishing(self._repository)

    def release(self) -> None:
        """Queue again the jobs of dead processes and of expired leases. Raises `DatabaseFault`."""
        release_jobs_of_dead_workers(self._repository)
        self._repository.jobs.release_expired()

    def _queue_watch(self) -> None:
        """Have alarms decided, and sources harvested that are due. Raises `DatabaseFault`."""
        if monotonic() < self._next_watch:
            return
        self._repository.jobs.enqueue(watch_job())
        for source in due_harvests(self._repository):
            self._repository.jobs.enqueue(harvest_job(source))
        self._next_watch = monotonic() + WATCH_SECONDS

    def _queue_witnessing(self) -> None:
        """Ask the witnesses again: soon when some lag, else after an hour, which renews their cosignatures."""
        if not self._repository.settings.witnesses or monotonic() < self._next_witnessing:
            return
        job = self._repository.jobs.get(ASK_WITNESSES)
        result = (job.result or {}) if job else {}
        is_late = bool(result.get("faults")) or result.get("cosigned") != result.get("size")
        if job is None or job.state is JobState.FAILED or is_late or monotonic() >= self._next_renewal:
            self._repository.jobs.enqueue(witness_job())
            self._next_renewal = monotonic() + _HOUR_SECONDS
        self._next_witnessing = monotonic() + WITNESS_SECONDS

    def _queue_sweeps(self) -> None:
        """Sweep every store that has files which are due, in the hours of checks."""
        if monotonic() < self._next_sweeps or not may_check_now(self._repository):
            return
        for store in stores_with_due_files(self._repository):
            self._repository.jobs.enqueue(sweep_job(store, SCHEDULED, self._repository.settings.fixity_limit))
        self._next_sweeps = monotonic() + _HOUR_SECONDS

    def _run_hourly(self) -> None:
        """The first run also retries replication jobs that failed for good: an operator may have removed the cause."""
        self._queue_replication(failed=self._is_first)
        self._is_first = False
        self._next_hour = monotonic() + _HOUR_SECONDS
        if self._repository.settings.tsa:
            self._repository.jobs.enqueue(timestamp_job())
        if self._repository.settings.similar_pages:
            self._repository.jobs.enqueue(feature_index_job())
        self._repository.jobs.enqueue(search_check_job())
        self._is_republishing = True  # until all documents are found current
        purge_finished(self._repository)
        for store in (self._repository.store, *self._repository.replicas.values()):
            try:
                store.remove_incomplete_uploads(_UPLOAD_SECONDS)
            except StoreFault as fault:  # the other stores are cleaned nevertheless
                _LOG.warning("%s", fault)

    def _queue_replication(self, *, failed: bool) -> None:
        """Queue a batch of replication jobs; a full batch is followed by the next one as soon as it has ended."""
        jobs = self._repository.jobs
        new_jobs = replication_jobs(self._repository, limit=REPLICATION_JOBS, failed=failed)
        for new_job in (*new_jobs, *self._log_replication_jobs(failed=failed)):
            jobs.enqueue(new_job)
        self._is_filling = len(new_jobs) >= REPLICATION_JOBS

    def _log_replication_jobs(self, *, failed: bool) -> Iterator[NewJob]:
        """Yield a job for every replica whose log no remembered job has brought up to date, as that of a new replica.

        A replica that is up to date costs the job one read of its checkpoint a day.
        """
        for store in self._repository.replicas:
            new_job = replicate_log_job(store)
            job = self._repository.jobs.get(new_job.key)
            if job is None or (failed and job.state is JobState.FAILED):
                yield new_job


def purge_finished(repository: Repository) -> None:
    """Delete finished jobs that are not needed any more. Raises `DatabaseFault`."""
    repository.jobs.purge_finished(DONE_SECONDS, REFUSED_SECONDS)
