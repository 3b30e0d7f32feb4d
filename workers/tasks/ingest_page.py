"""One page of a deposit, wholly taken care of: hashed, decoded, tiled and preserved, by whichever worker is free.

The master goes into the work's OCFL object ahead of the version that `ingest` will commit, the pyramid under its final
key. Both are named by their content, so that a page done twice ends as a page done once. What is known of the page is
the job's result; a picture that cannot be taken is a result too, for the ingest tells all faults at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from iiif_server.pyramid.file import PyramidSummary
from preservation.ocfl import objects
from repository.database.outbox import Job
from repository.errors import DepositNotMounted, DigestMismatch, Fault, KeyNotFound, MasterUnreadable
from repository.localized import LocalizedText
from repository.repository import Repository
from repository.storage.content import MovableFile
from workers.deposit.check import image_identifier, master_fault, master_path
from workers.execution.context import TaskContext
from workers.execution.scratch import scratch_directory
from workers.masters.duplicates import DeduplicatingExaminer, find_duplicate, pyramid_key
from workers.masters.examine import Examined


@dataclass(frozen=True, slots=True)
class PageOutcome:
    """What came of a page: `signature` tells the file as it was read, `outcome` what it is or what is wrong with it."""

    file: str
    signature: str
    outcome: Examined | Fault


def ingest_page(context: TaskContext, job: Job) -> Mapping[str, object]:
    """Kind ``page``. Raises `DepositNotMounted`, `StagingFault`, `StoreFault`."""
    arguments = job.arguments
    path = Path(arguments["deposit"]) / arguments["file"]
    before = signature(path)
    try:
        outcome: Examined | Fault = _take(context, path, arguments)
    except MasterUnreadable as error:
        outcome = master_fault(arguments["file"], error)
    except DigestMismatch:
        # Whoever changes a deposit while it is read is told so by the ingest; anything else is the store's fault.
        if signature(path) == before:
            raise
        return {"file": arguments["file"], "signature": "", "fault": _changing(arguments["file"]).to_json()}
    document = {"fault": outcome.to_json()} if isinstance(outcome, Fault) else {"examined": asdict(outcome)}
    return {"file": arguments["file"], "signature": before, **document}


def page_outcome(result: Mapping[str, Any]) -> PageOutcome:
    """The inverse of what `ingest_page` returns."""
    if "fault" in result:
        outcome: Examined | Fault = Fault.of_json(result["fault"])
    else:
        examined = result["examined"]
        pyramid = examined["pyramid"]
        outcome = Examined(**{**examined, "pyramid": PyramidSummary(**pyramid) if pyramid else None})
    return PageOutcome(result["file"], result["signature"], outcome)


def signature(path: Path) -> str:
    """A file's size and time of change, which tell whether it is still the one that was read."""
    try:
        status = path.stat()
    except OSError as fault:
        raise DepositNotMounted(path=path, reason=fault.strerror) from fault
    return f"{status.st_size} {status.st_mtime_ns}"


def _take(context: TaskContext, path: Path, arguments: Mapping[str, str]) -> Examined:
    repository = context.repository
    if not arguments["work"]:
        return context.examiner(path, None)
    with scratch_directory(repository.settings.staging) as folder:
        made = folder / "pyramid.zip"
        examined = DeduplicatingExaminer(repository, context.examiner)(path, made)
        _keep_master(repository, path, arguments, examined.sha256)
        _keep_pyramid(repository, image_identifier(arguments["work"], examined.sha256), made, examined.sha256)
    return examined


def _keep_master(repository: Repository, path: Path, arguments: Mapping[str, str], digest: str) -> None:
    work, version = arguments["work"], int(arguments["version"])
    head = objects.read_inventory(repository.store, work) if version > 1 else None
    if head is None or digest not in head.manifest:
        objects.put_content(repository.store, work, version, master_path(arguments["file"]), source=path, digest=digest)


def _keep_pyramid(repository: Repository, image: str, made: Path, master: str) -> None:
    """Put a pyramid under its key; one that was recognised and not made again stays, or is copied from its twin."""
    key = pyramid_key(repository.settings, image)
    if made.exists():
        repository.store.put(key, MovableFile(made))
    elif not repository.store.exists(key):
        twin = find_duplicate(repository, master)
        if twin is None:
            raise KeyNotFound(key=key)
        repository.store.put(key, repository.store.chunks(twin[1].key))


def _changing(file: str) -> Fault:
    message = LocalizedText(
        "读取时文件被改动；请待其完整后再送存", "it changed while it was read; wait until it is complete"
    )
    return Fault(file, "", "file.changing", message)
