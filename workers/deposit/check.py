"""Checks a deposit without writing anything: a dry run of the ingest, which reports the same faults.

1. `survey` lists the folder and reads the record.
2. Every image is examined: hashed and decoded completely. An ingest runs one job per page instead.
3. `assemble` compares the pages, and combines pages, ranges and record into a work if there are no faults.

The faults of all steps are collected, so that a librarian corrects a deposit once.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from repository.errors import MasterUnreadable
from repository.localized import LocalizedText
from workers.deposit.assemble import AssembledDeposit, PageResult, assemble, master_fault
from workers.deposit.examiner import DepositExaminer
from workers.deposit.listing import PageFile
from workers.deposit.survey import Survey, survey
from workers.masters.examine import Examiner
from workers.progress import Progress


def check(folder: Path, examiner: DepositExaminer, progress: Progress) -> AssembledDeposit:
    """Check the deposit in `folder`. Its faults are returned; raises `StagingFault`."""
    deposit = survey(folder, examiner)  # 1
    results = _examine_all(deposit, examiner, progress)  # 2
    return assemble(deposit, results, examiner.is_blank)  # 3


def _examine_all(deposit: Survey, examiner: Examiner, progress: Progress) -> dict[str, PageResult]:
    """Examine pages in as many threads as the examiner allows. Return the results by file name."""
    pages, algorithms = deposit.readable_pages, deposit.capture_algorithms
    progress.start(LocalizedText("检查图像", "Checking images"), sum(page.size for page in pages))
    executor = ThreadPoolExecutor(examiner.concurrency)
    try:
        futures = {executor.submit(_examine, examiner, page, algorithms): page for page in pages}
        for future in as_completed(futures):
            future.result()
            progress.advance(futures[future].size)
    finally:
        executor.shutdown(cancel_futures=True)
        progress.finish()
    return {page.name: future.result() for future, page in futures.items()}


def _examine(examiner: Examiner, page: PageFile, algorithms: frozenset[str]) -> PageResult:
    try:
        return examiner(page.path, None, algorithms)
    except MasterUnreadable as error:
        return master_fault(page.name, error)
