"""Evidence from a log of a million entries: milliseconds to make and to check it, by both verifiers, and its size."""

from __future__ import annotations

import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from preservation.log import evidence, key_file
from preservation.log.log import ProvenanceLog
from preservation.log.signing_key import Cosigner
from preservation.log.writer_lock import FileWriterLock
from preservation.premis import event_bytes, ingestion_event
from preservation.verifier import verify
from repository.model.work import Master
from repository.paths import LOG_COSIGNED
from repository.storage.folder import FolderStore

Asked = TypeVar("Asked")
Made = TypeVar("Made")

ENTRIES = 1_000_000
BATCH = 50_000
ASKED = 400
WITNESSES = [Cosigner(f"w{number}.library.example/witness", bytes([number]) * 32) for number in range(3)]


def main() -> None:
    """Print the rows."""
    with TemporaryDirectory() as name:
        log = _grown(Path(name))
        chosen = random.Random(7).sample(range(ENTRIES), ASKED)
        made, making = _timed(log.evidence, chosen)
        keys = [witness.key for witness in WITNESSES]
        key = log.key.line()
        _, checking = _timed(lambda content: evidence.verify(content, key, keys), made)
        trusted = [verify.parse_key(line.line()) for line in (log.key, *keys)]
        trust = verify.Trust(trusted[:1], trusted[1:], lambda found: len(found) == len(keys))
        with redirect_stdout(StringIO()):
            _, alone = _timed(lambda content: verify.verify_evidence(content, trust, []), made)
    shape = f"{ENTRIES:,} entries, 3 witnesses, folder store"
    both = [first + second for first, second in zip(making, checking, strict=True)]
    print(f"evidence, made and checked | {shape} | {statistics.median(both):.2f} ms")
    print(f"evidence, checked by verify.py | {shape} | {statistics.median(alone):.2f} ms")
    print(f"evidence, size | {shape}, no timestamp | {max(map(len, made)):,} bytes")
    print(f"made: {statistics.median(making):.2f} ms, worst {max(making):.2f} ms", file=sys.stderr)


def _grown(folder: Path) -> ProvenanceLog:
    """Return a log of events as an ingest records them, cosigned by every witness."""
    store = FolderStore(folder / "store")
    key = key_file.create(folder / "keys", "bench.library.example/log")
    log = ProvenanceLog(store, key, FileWriterLock(folder / "log.lock", 1))
    with log.writing() as append:
        for start in range(0, ENTRIES, BATCH):
            append([_entry(number) for number in range(start, start + BATCH)])
    note = log.checkpoint_note()
    text = note.partition(b"\n\n")[0].decode() + "\n"
    cosignatures = "".join(witness.cosign(text, 1_800_000_000).line() for witness in WITNESSES)
    store.put(LOG_COSIGNED, note + cosignatures.encode())
    return log


def _entry(number: int) -> bytes:
    digest = f"{number:064x}"
    master = Master("m", digest, 100_000_000, "image/tiff")
    recorded = {"time": "2026-01-01T00:00:00Z", "software": "shanben 0.1.0", "sm3": digest}
    return event_bytes(ingestion_event("w0123456789bcdfghj", f"i{number:017d}", master, **recorded))


def _timed(action: Callable[[Asked], Made], asked: Sequence[Asked]) -> tuple[list[Made], list[float]]:
    """Return what an action makes of each, and the milliseconds of each."""
    made, milliseconds = [], []
    for each in asked:
        started = time.perf_counter()
        made.append(action(each))
        milliseconds.append((time.perf_counter() - started) * 1000)
    return made, milliseconds


if __name__ == "__main__":
    main()
