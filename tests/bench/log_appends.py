"""Entries a second appended to the provenance log in batches, each batch durable and signed; and audited again."""

from __future__ import annotations

import resource
import statistics
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from preservation.log import key_file
from preservation.log.log import ProvenanceLog
from preservation.log.writer_lock import FileWriterLock
from repository.storage.folder import FolderStore

ENTRIES = 60_000
BATCHES = (256, 1024, 4096)


def main() -> None:
    """Print the rows."""
    for batch in BATCHES:
        with TemporaryDirectory() as name:
            _measure(Path(name), batch)


def _measure(folder: Path, batch: int) -> None:
    log = ProvenanceLog(
        FolderStore(folder / "store"),
        key_file.create(folder / "keys", "bench.invalid"),
        FileWriterLock(folder / "log.lock", 1),
    )
    entries = [f'{{"event":{number:06d},"text":"{"x" * 360}"}}'.encode() for number in range(batch)]
    log.append(entries)
    seconds = []
    for _ in range(ENTRIES // batch):
        started = time.perf_counter()
        log.append(entries)
        seconds.append(time.perf_counter() - started)
    shape = f"batches of {batch:,}, entries of {len(entries[0])} bytes, folder store"
    print(f"log appends, durable | {shape} | {batch * len(seconds) / sum(seconds):,.0f} a second")
    print(f"{batch}: median {statistics.median(seconds):.4f} s, worst {max(seconds):.4f} s a batch", file=sys.stderr)
    if batch == BATCHES[-1]:
        started = time.perf_counter()
        verdict = log.verify()
        took = time.perf_counter() - started
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        assert verdict.ok
        print(f"audit of the log | {verdict.size:,} entries, peak {peak:.0f} MB | {verdict.size / took:,.0f} a second")


if __name__ == "__main__":
    main()
