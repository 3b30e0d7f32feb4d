"""The examiner of deposits that commands open for the jobs that they run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from repository.config import Settings
from workers.deposit.examiner import ChildDepositExaminer, open_deposit_examiner
from workers.execution.scratch import scratch_directory


@contextmanager
def opened_examiner(settings: Settings, concurrency: int | None = None) -> Iterator[ChildDepositExaminer]:
    """Open the examiner of deposits, with its temporary files in the staging folder.

    It examines `concurrency` masters in parallel, by default one per core.
    """
    with (
        scratch_directory(settings.staging) as scratch,
        open_deposit_examiner(settings, scratch, concurrency, concurrency) as examiner,
    ):
        yield examiner
