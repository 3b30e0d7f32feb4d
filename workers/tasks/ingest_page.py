"""Ingests one page of a deposit: hashes, decodes and tiles its master and stores both, on any free worker.

The master is stored in the work's OCFL object ahead of the version that `tasks/ingest.py` commits, the pyramid under
its final key. A master that the object holds already is read there and compared with its digest. Both keys follow from
the content, so that a repeated job has the same effect. The result of the job describes the page. A faulty master is a
result too, since the ingest reports all faults of the deposit together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from iiif_server.pyramid.file import PyramidSummary
from preservation.ocfl import objects
from preservation.ocfl.restoration import Damage, find_damage
from repository.database.outbox import Job
from repository.errors import DigestMismatch, MasterUnreadable
from repository.faults import Fault
from repository.localized import LocalizedText
from repository.repository import Repository
from repository.storage.content import MovableFile
from workers.deposit.assemble import PageResult, image_identifier, master_fault, master_path
from workers.deposit.survey import file_signature
from workers.execution.context import TaskContext
from workers.execution.scratch import scratch_directory
from workers.masters.duplicates import find_known_master, pyramid_key
from workers.masters.examine import Examined


@dataclass(frozen=True, slots=True)
class IngestedPage:
    """The result of a page job: the name of the file in the deposit, its signature when it was read, and the result.

    `signature` is '' for a file that was changed while it was read. `damage` is what is wrong with the stored copy of a
    master that the work holds already.
    """

    file: str
    signature: str
    result: PageResult
    damage: Damage | None = None

    def to_json(self) -> dict[str, object]:
        """Return the page as its job stores it."""
        result = self.result
        document = {"fault": result.to_json()} if isinstance(result, Fault) else {"examined": _examined_json(result)}
        damage = {"damage": self.damage.value} if self.damage else {}
        return {"file": self.file, "signature": self.signature, **document, **damage}

    @classmethod
    def of_json(cls, document: Mapping[str, Any]) -> IngestedPage:
        """Return the page that `to_json` gave `document`."""
        result: PageResult
        if "fault" in document:
            result = Fault.of_json(document["fault"])
        else:
            examined = document["examined"]
            pyramid = PyramidSummary(**examined["pyramid"]) if examined["pyramid"] else None
            result = Examined(**{**examined, "pyramid": pyramid, "ignored": tuple(examined.get("ignored", ()))})
        damage = Damage(document["damage"]) if "damage" in document else None
        return cls(document["file"], document["signature"], result, damage)


def _examined_json(examined: Examined) -> dict[str, object]:
    """Return the fields of a result; those that earlier releases did not know only if they are not empty."""
    added = ("ignored", "sm3", "md5", "puid")
    return {name: value for name, value in asdict(examined).items() if value or name not in added}


def ingest_page(context: TaskContext, job: Job) -> Mapping[str, object]:
    """Run a job of kind ``page``. Raises `DepositNotMounted`, `StagingFault`, `StoreFault`, `DatabaseFault`."""
    file = job.arguments["file"]
    path = Path(job.arguments["deposit"]) / file
    signature = file_signature(path)
    try:
        page = IngestedPage(file, signature, *_ingest(context, path, job.arguments))
    except MasterUnreadable as error:
        page = IngestedPage(file, signature, master_fault(file, error))
    except DigestMismatch:
        if file_signature(path) == signature:
            raise  # the store is at fault
        page = IngestedPage(file, "", _changed_fault(file))
    return page.to_json()


def _ingest(context: TaskContext, path: Path, arguments: Mapping[str, str]) -> tuple[Examined, Damage | None]:
    """Examine a master and store it with its pyramid; only examine it if the job names no work.

    Return its properties, and the damage of the master if the work holds it already.
    """
    repository, work = context.repository, arguments["work"]
    algorithms = frozenset(arguments.get("algorithms", "").split())
    if not work:
        return context.examiner(path, None, algorithms), None
    if known := find_known_master(repository, path, algorithms):
        damage = _store_master(repository, path, arguments, known.examined.sha256)
        key = _pyramid_key(repository, work, known.examined)
        if not repository.store.exists(key):
            repository.store.put(key, repository.store.chunks(known.pyramid_key))
        return known.examined, damage
    with scratch_directory(repository.settings.staging) as folder:
        pyramid = folder / "pyramid.zip"
        examined = context.examiner(path, pyramid, algorithms)
        damage = _store_master(repository, path, arguments, examined.sha256)
        repository.store.put(_pyramid_key(repository, work, examined), MovableFile(pyramid))
    return examined, damage


def _pyramid_key(repository: Repository, work: str, examined: Examined) -> str:
    return pyramid_key(repository.settings, image_identifier(work, examined.sha256))


def _store_master(repository: Repository, path: Path, arguments: Mapping[str, str], digest: str) -> Damage | None:
    """Store a master, or verify the stored one if the work holds it already; return what is wrong with that."""
    work, version = arguments["work"], int(arguments["version"])
    head = objects.read_inventory(repository.store, work) if version > 1 else None
    if head is not None and digest in head.manifest:
        return find_damage(repository.store, work, head, digest)
    objects.put_content(repository.store, work, version, master_path(arguments["file"]), source=path, digest=digest)
    return None


def _changed_fault(file: str) -> Fault:
    message = LocalizedText(
        "文件在读取过程中被改动；请待内容完整后重新送存",
        "the file was changed while it was read; deposit it again when it is complete",
    )
    return Fault(file, "", "file.changing", message)
