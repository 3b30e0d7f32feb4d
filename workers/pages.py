"""One page of a deposit, wholly taken care of: hashed, decoded, tiled and preserved, by whichever worker is free.

The master goes into the work's OCFL object ahead of the version that `ingest` will commit, the pyramid under its final
key. Both are named by their content, so that a page done twice ends as a page done once. What is known of the page is
the job's result; a picture that cannot be taken is a result too, for the ingest tells all faults at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, cast

from iiif_server.pyramid import PyramidSummary
from preservation import objects
from repository.errors import DepositUnseen, DigestMismatch, Fault, KeyAbsent, MasterUnreadable
from repository.handle import Repository
from repository.jobs import Job, JobOrder
from repository.storage import Expendable
from repository.text import Text
from workers.deposit import image_identifier, master_fault, master_path
from workers.deposit_folder import PageFile
from workers.recognition import RecognisingExaminer, held_twin, pyramid_key
from workers.staging import desk
from workers.tiling import Examined
from workers.workshop import Workshop

KIND: Final = "page"

NextVersion = tuple[str, int] | None
"""A work and the number of the version that its masters are put ahead of."""


@dataclass(frozen=True, slots=True)
class PageOutcome:
    """What came of a page: `signature` tells the file as it was read, `outcome` what it is or what is wrong with it."""

    file: str
    signature: str
    outcome: Examined | Fault


def page_order(parent: str, number: int, page: PageFile, deposit: Path, next_version: NextVersion) -> JobOrder:
    """The job of a deposit's page, the `number`-th of the ingest `parent`; without a version it is only looked at."""
    work, version = next_version or ("", 0)
    arguments = {
        "deposit": str(deposit),
        "file": page.name,
        "work": work,
        "version": str(version),
    }
    return JobOrder(f"{KIND}:{parent}:{number:06d}", KIND, arguments)


def take_page(workshop: Workshop, job: Job) -> Mapping[str, object]:
    """Kind ``page``. Raises `DepositUnseen`, `StagingFault`, `StoreFault`."""
    arguments = job.arguments
    path = Path(arguments["deposit"]) / arguments["file"]
    before = signature(path)
    try:
        outcome: Examined | Fault = _take(workshop, path, arguments)
    except MasterUnreadable as error:
        outcome = master_fault(arguments["file"], error)
    except DigestMismatch:
        # Whoever changes a deposit while it is read is told so by the ingest; anything else is the store's fault.
        if signature(path) == before:
            raise
        return {"file": arguments["file"], "signature": "", "fault": _fault_json(_changing(arguments["file"]))}
    document = {"fault": _fault_json(outcome)} if isinstance(outcome, Fault) else {"examined": asdict(outcome)}
    return {"file": arguments["file"], "signature": before, **document}


def page_outcome(result: Mapping[str, Any]) -> PageOutcome:
    """The inverse of what `take_page` returns."""
    if "fault" in result:
        fault = result["fault"]
        outcome: Examined | Fault = Fault(fault["file"], fault["place"], fault["code"], Text(**fault["message"]))
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
        raise DepositUnseen(path=path, reason=fault.strerror) from fault
    return f"{status.st_size} {status.st_mtime_ns}"


def _take(workshop: Workshop, path: Path, arguments: Mapping[str, str]) -> Examined:
    repository = workshop.repository
    if not arguments["work"]:
        return workshop.examiner(path, None)
    with desk(repository.settings.staging) as folder:
        made = folder / "pyramid.zip"
        examined = RecognisingExaminer(repository, workshop.examiner)(path, made)
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
        repository.store.put(key, Expendable(made))
    elif not repository.store.exists(key):
        twin = held_twin(repository, master)
        if twin is None:
            raise KeyAbsent(key=key)
        repository.store.put(key, repository.store.chunks(twin[1].key))


def _changing(file: str) -> Fault:
    message = Text("读取时文件被改动；请待其完整后再送存", "it changed while it was read; wait until it is complete")
    return Fault(file, "", "file.changing", message)


def _fault_json(fault: Fault) -> dict[str, object]:
    return {**asdict(fault), "message": cast(object, {"zh": fault.message.zh, "en": fault.message.en})}
