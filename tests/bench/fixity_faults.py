"""What fixity checks report: nothing of 1,000,000 checks of sound files, and every planted fault, which is repaired.

- A store holds 100 works of 1,000 small masters, each known to the log. It is checked completely, again and again, by
  the code of a sweep, until a million files were checked. Each reported finding is false.
- Every fault of `tests/support/planted_faults.py` is planted into the primary store, then into the replica, of a
  library with two works. It must be found as what it is, and repaired byte for byte from the other store. What is
  unexpected is moved into the quarantine.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.append(str(Path(__file__).parents[1] / "support"))

from planted_faults import FAULTS
from repairable_library import PLACES, build_library, contents

from preservation.digests import sha256
from preservation.fixity.store_check import StoreCheck
from preservation.log.sequencer import record_events
from preservation.ocfl.inventory import INVENTORY_NAME, SIDECAR_NAME, inventory_bytes, next_inventory, sidecar_bytes
from preservation.ocfl.layout import OBJECT_DECLARATION, OBJECT_DECLARATION_CONTENT
from preservation.premis import accession_event, ingestion_event
from repository import paths
from repository.config import Settings
from repository.database.publication import Publication
from repository.identifiers import Kind, mint
from repository.model.work import Event, Master, Record, Work
from repository.paths import ocfl_object
from repository.repository import Repository, open_repository
from repository.storage.s3 import memory_store
from workers.bootstrap import prepare_repository
from workers.deposit.examiner import open_deposit_examiner

CHECKS = 1_000_000
WORKS, MASTERS = 100, 1000
TIME = "2026-01-01T00:00:00Z"


def main() -> None:
    """Print one row for each of the two."""
    with TemporaryDirectory(prefix="bench-fixity-") as name:
        _check_sound_files(Path(name))
    with TemporaryDirectory(prefix="bench-fixity-") as name:
        _repair_planted_faults(Path(name))


def _check_sound_files(folder: Path) -> None:
    repository = prepare_repository(open_repository(Settings(data=folder / "var")))
    for number in range(WORKS):
        _hold(repository, folder / "var" / "store", number)
    record_events(repository)
    checked, files, sweeps, false = 0, 0, 0, 0
    started = time.perf_counter()
    while checked < CHECKS:
        check = StoreCheck(repository, "")
        false += sum(each.finding is not None or each.reason is not None for each in check.run())
        files, sweeps = check.totals.expected, sweeps + 1
        checked += check.totals.passed + check.totals.failed
        print(f"{checked:,} checked, {false} false", file=sys.stderr, flush=True)
    seconds = time.perf_counter() - started
    shape = f"{checked:,} checks of sound files: {files:,} in a folder store, {sweeps} times"
    print(f"fixity, false findings | {shape} | {false} | – | {seconds:,.0f} s, {checked / seconds:,.0f} files/s")


def _hold(repository: Repository, store: Path, number: int) -> None:
    """Put a work into the store without waiting for the disk, and into the catalogue with its events."""
    work = mint(Kind.WORK, "sound", str(number))
    contents_of = {f"masters/{page:04d}.tif": f"{work} {page}".encode() for page in range(MASTERS)}
    contents_of["metadata/work.json"] = f'{{"work": "{work}"}}'.encode()
    state = {path: sha256([content]) for path, content in contents_of.items()}
    document = inventory_bytes(next_inventory(None, paths.ocfl_id(work), state, message="bench", created=TIME))
    files = {f"v1/content/{path}": content for path, content in contents_of.items()}
    for version in ("", "v1/"):
        files |= {version + INVENTORY_NAME: document, version + SIDECAR_NAME: sidecar_bytes(sha256([document]))}
    files[OBJECT_DECLARATION] = OBJECT_DECLARATION_CONTENT
    for path, content in files.items():
        target = store / ocfl_object(work) / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    publication = Publication(Work(work, Record(f"第{number}種")), {}, list(_events(work, state)), 1, TIME, {})
    repository.catalogue.publish(publication, (), TIME)


def _events(work: str, state: dict[str, str]) -> Iterator[Event]:
    for path, digest in state.items():
        if path.startswith("masters/"):
            master = Master(path, digest, 1, "image/tiff")
            yield ingestion_event(work, mint(Kind.IMAGE, work, path), master, time=TIME, software="bench")
    yield accession_event(work, 1, state["metadata/work.json"], time=TIME, software="bench")


def _repair_planted_faults(folder: Path) -> None:
    (folder / "scratch").mkdir()
    with open_deposit_examiner(Settings(), folder / "scratch", 2) as examiner:
        original = build_library(folder, examiner)
    found = repaired = planted = 0
    started = time.perf_counter()
    for name, plant in FAULTS.items():
        for place in PLACES:
            library = original.on(memory_store)
            whole = contents(library.store(place))
            planted += 1
            expected = plant(library.store(place), ocfl_object(library.works[0]))
            is_found = library.findings(place) == expected
            library.repair(quarantine=True)
            is_repaired = contents(library.store(place)).items() >= whole.items()
            found, repaired = found + is_found, repaired + is_repaired
            if not (is_found and is_repaired):
                print(f"{name} in {place}: found {is_found}, repaired {is_repaired}", file=sys.stderr)
    shape = f"{len(FAULTS)} kinds, in the primary store and in the replica"
    result = f"{100 * found / planted:.0f}% found, {100 * repaired / planted:.0f}% repaired byte for byte"
    seconds = time.perf_counter() - started
    print(f"fixity, planted faults | {shape} | {found} found, {repaired} repaired | {planted} planted | {result}")
    print(f"{seconds:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
