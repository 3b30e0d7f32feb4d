"""Decides whether masters of a deposit that have equal tiles also have equal pixels.

An ingest compares the tiles that it made, or that it holds of known masters, because a check of all pixels would decode
them again. Equal pixels always give equal tiles, but two masters that differ a little may give equal tiles, which are
JPEG. A dry run compares pixels, so that both give the same verdict.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from repository.errors import MasterUnreadable
from workers.deposit.assemble import PageResult, master_fault
from workers.masters.examine import Examined, Examiner


def compare_pixels(folder: Path, results: Mapping[str, PageResult], examiner: Examiner) -> dict[str, PageResult]:
    """Return the results of an ingest, by file name, in which `pixels` are equal for masters with equal pixels.

    Only masters that have the tiles of another one are decoded again. Raises `StagingFault`.
    """
    counts = Counter(result.pixels for result in results.values() if isinstance(result, Examined))
    suspects = {
        name: result for name, result in results.items() if isinstance(result, Examined) and counts[result.pixels] > 1
    }

    def examine(name: str) -> PageResult:
        try:
            return replace(suspects[name], pixels=examiner(folder / name, None).pixels)
        except MasterUnreadable as error:
            return master_fault(name, error)

    if not suspects:
        return dict(results)
    with ThreadPoolExecutor(examiner.concurrency) as executor:
        return {**results, **dict(zip(suspects, executor.map(examine, suspects), strict=True))}
