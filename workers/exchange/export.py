"""Exports a work as a BagIt 1.0 bag (RFC 8493) in one ZIP or TAR file.

The bytes are read from the work's OCFL object, once, and each file is verified against the object's inventory while it
is written. The bag holds what `exchange/contents.py` lists. It appears under its name only when it is complete.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from typing import Final

from iiif_server.presentation.manifest import build_manifest
from iiif_server.presentation.published import under_address
from preservation.digests import Digester
from preservation.ocfl import objects
from preservation.ocfl.inventory import Inventory
from repository import paths
from repository.database.catalogue import HeldAccess
from repository.errors import DigestMismatch, NotFound, ObjectInvalid, RequestInvalid, SystemFault
from repository.localized import LocalizedText
from repository.model.access import rights_under
from repository.model.access_json import access_to_json
from repository.model.work import Work
from repository.model.work_json import work_to_json
from repository.repository import Repository
from repository.storage.content import Chunk
from repository.storage.fsync import sync_file, sync_folder
from workers.exchange.archive_file import ArchiveFile, writing_archive
from workers.exchange.bag_tags import (
    DECLARATION,
    DECLARATION_FILE,
    INFORMATION_FILE,
    MANIFEST_FILE,
    TAG_MANIFEST_FILE,
    information_bytes,
    manifest_bytes,
)
from workers.exchange.contents import (
    EVENTS_DOCUMENT,
    LEFT_OUT_DOCUMENT,
    MANIFEST_DOCUMENT,
    METS_DOCUMENT,
    PREMIS_DOCUMENT,
    BagContents,
    PayloadFile,
    PositionedEvent,
    payload_path,
)
from workers.exchange.for_partners import (
    NOTE,
    LeftOut,
    left_out,
    left_out_document,
    manifest_without_record,
    names_of_work,
    record_without_names,
    work_without_names,
)
from workers.exchange.mets import mets_document
from workers.exchange.premis_xml import premis_document
from workers.exported_names import ACCESS_DOCUMENT, TEXTS_DOCUMENT, WORK_DOCUMENT
from workers.progress import Progress
from workers.tasks.preserve import EVENTS, RECORD, TEXTS, read_work

_UNFINISHED: Final = ".part"
_DEPOSIT: Final = "deposit/"
_RECORD_OF_DEPOSIT: Final = f"{_DEPOSIT}work.toml"
_EXISTS: Final = LocalizedText(
    "{path} 已存在；请另选文件名，或先移走", "{path} exists already; choose another name, or move it away"
)


class ExportNotWritten(SystemFault):
    """The file of an export cannot be written: no space, or no permission."""

    code = "export.file"
    transient = False
    text = LocalizedText(
        "无法写入 {path}：{reason}；请检查磁盘空间与权限",
        "{path} cannot be written: {reason}; check space and permissions",
    )


@dataclass(frozen=True, slots=True)
class ExportedBag:
    """A bag that was written: the work, its version, the number of payload files, and their bytes."""

    work: str
    version: int
    files: int
    bytes: int


def export_work(repository: Repository, work: str, target: Path, base_url: str, progress: Progress) -> ExportedBag:
    """Write the newest version of a work as a bag into the file `target`; `base_url` is that of the manifest.

    Raises `NotFound`, `RequestInvalid` for a file that exists, `DigestMismatch` for damaged content, `ObjectInvalid`,
    `ExportNotWritten`, `StoreFault`, `DatabaseFault`. Nothing is left at `target` then.
    """
    prepared = prepare_bag(repository, work, base_url)
    if target.exists():
        raise RequestInvalid(part="-o", reason=_EXISTS.format(path=target))
    total = sum(file.bytes for file in prepared.contents.payload)
    progress.start(LocalizedText(f"导出 {work}", f"Exporting {work}"), total)
    try:
        with _new_file(target) as unfinished, writing_archive(unfinished, prepared.time) as archive:
            write_bag(repository, prepared, archive, progress.advance)
    finally:
        progress.finish()
    return ExportedBag(work, prepared.version, len(prepared.contents.payload), total)


@dataclass(frozen=True, slots=True)
class PreparedBag:
    """A bag that can be written: its payload, the tag files by their path, and the version of the work."""

    contents: BagContents
    tags: Mapping[str, bytes]
    version: int

    @property
    def time(self) -> datetime:
        """When the version was made: the time of every entry."""
        return datetime.fromisoformat(self.contents.created)


@dataclass(frozen=True, slots=True)
class _BagSource:
    """What a bag is made of: contents, the access in force, the record as JSON, and what was left out of these."""

    contents: BagContents
    held: HeldAccess
    record: bytes
    left_out: Sequence[LeftOut] = field(default=())


def prepare_bag(repository: Repository, work: str, base_url: str, *, for_partner: bool = False) -> PreparedBag:
    """Return the bag of the newest version of a work; `base_url` is that of the manifest.

    A bag for a partner names nobody (`exchange/for_partners.py`). Raises `NotFound`, `ObjectInvalid`, `StoreFault`,
    `DatabaseFault`.
    """
    held = repository.catalogue.access(work)
    inventory = objects.read_inventory(repository.store, work)
    if held is None or inventory is None:
        raise NotFound(what=work)
    source = _BagSource(_contents(repository, work, inventory), held, objects.read_file(repository.store, work, RECORD))
    if for_partner:
        source = _for_partner(repository, source, inventory)
    contents = source.contents
    tags = {DECLARATION_FILE: DECLARATION, INFORMATION_FILE: _information(repository, source)}
    tags[MANIFEST_FILE] = manifest_bytes({file.path: file.sha256 for file in contents.payload})
    tags |= _documents(repository, source, base_url)
    if TEXTS in inventory.state:
        tags[TEXTS_DOCUMENT] = objects.read_file(repository.store, work, TEXTS)
    if source.left_out:
        tags[LEFT_OUT_DOCUMENT] = left_out_document(source.left_out)
    return PreparedBag(contents, tags, len(inventory.versions))


def write_bag(
    repository: Repository, prepared: PreparedBag, archive: ArchiveFile, advance: Callable[[int], None]
) -> None:
    """Write a bag into an archive. Raises `DigestMismatch` for damaged content, `StoreFault`."""
    tags, folder = prepared.tags, prepared.contents.work.identifier
    digests = {path: sha256(document).hexdigest() for path, document in tags.items()}
    for path, document in {**tags, TAG_MANIFEST_FILE: manifest_bytes(digests)}.items():
        archive.add(f"{folder}/{path}", len(document), [document])
    for file in prepared.contents.payload:
        content = _verified(repository, file, advance) if file.content is None else [file.content]
        archive.add(f"{folder}/{file.path}", file.bytes, content)


def _contents(repository: Repository, identifier: str, inventory: Inventory) -> BagContents:
    store, work = repository.store, read_work(repository.store, identifier)
    sizes = {image.master.sha256: image.master.bytes for image in work.images()}
    payload = []
    for logical, digest in sorted(inventory.state.items(), key=lambda item: item[0].encode()):
        if path := payload_path(logical):
            key = objects.file_key(inventory, identifier, logical)
            size = sizes[digest] if digest in sizes else store.size(key)
            payload.append(PayloadFile(path, key, digest, size))
    events = [PositionedEvent(event, index) for event, index in repository.log_sequence.positions_of(identifier)]
    return BagContents(work, payload, events, inventory.versions[-1].created)


def _for_partner(repository: Repository, source: _BagSource, inventory: Inventory) -> _BagSource:
    """Return the source of a bag that names nobody."""
    contents, access = source.contents, source.held.access
    payload, documents = _payload_for_partner(repository, contents, inventory)
    record = source.record
    if names := names_of_work(contents.work):
        documents.append(left_out(WORK_DOCUMENT, record, names))
        contents = replace(contents, work=work_without_names(contents.work))
        record = work_to_json(contents.work)
    if access.reason:
        documents.append(left_out(ACCESS_DOCUMENT, access_to_json(access), ["reason"]))
    held = replace(source.held, access=replace(access, reason=None))
    return _BagSource(replace(contents, payload=payload), held, record, documents)


def _payload_for_partner(
    repository: Repository, contents: BagContents, inventory: Inventory
) -> tuple[list[PayloadFile], list[LeftOut]]:
    """Return the payload with a record of the deposit that names nobody, and what was left out of its files."""
    changed, documents = dict[str, bytes | None](), list[LeftOut]()
    for logical, preserved, content, properties in _changed_files(repository, contents.work.identifier, inventory):
        path = payload_path(logical) or logical
        changed[path] = content
        documents.append(left_out(path, preserved, properties))
    payload = [
        file if file.path not in changed else replace(file, content=new, sha256=sha256(new).hexdigest(), bytes=len(new))
        for file in contents.payload
        if (new := changed.get(file.path, b"")) is not None
    ]
    return payload, documents


def _changed_files(
    repository: Repository, work: str, inventory: Inventory
) -> Iterator[tuple[str, bytes, bytes | None, Sequence[str]]]:
    """Yield the files of a deposit that partners get changed: path, old and new content or None, and what it lacks."""
    if _RECORD_OF_DEPOSIT not in inventory.state:
        return
    record = objects.read_file(repository.store, work, _RECORD_OF_DEPOSIT)
    try:
        stripped, names = record_without_names(record)
    except ValueError as fault:
        raise ObjectInvalid(key=paths.ocfl_object(work), reason=f"{_RECORD_OF_DEPOSIT}: {fault}") from fault
    if not names:
        return
    yield _RECORD_OF_DEPOSIT, record, stripped, names
    for logical in sorted(inventory.state):  # the other files in this folder are checksum manifests
        if logical.startswith(_DEPOSIT) and "/" not in logical.removeprefix(_DEPOSIT) and logical != _RECORD_OF_DEPOSIT:
            manifest = objects.read_file(repository.store, work, logical)
            if (kept := manifest_without_record(manifest)) != manifest:
                yield logical, manifest, kept, ["work.toml"]


def _documents(repository: Repository, source: _BagSource, base_url: str) -> dict[str, bytes]:
    """Return the documents about a work by their path in the bag."""
    contents, held = source.contents, source.held
    store, identifier = repository.store, contents.work.identifier
    premis = premis_document(contents)
    return {
        ACCESS_DOCUMENT: access_to_json(held.access),
        EVENTS_DOCUMENT: objects.read_file(store, identifier, EVENTS),
        MANIFEST_DOCUMENT: under_address(_manifest(repository, contents.work, held), base_url),
        METS_DOCUMENT: mets_document(contents, premis, sha256(premis).hexdigest()),
        PREMIS_DOCUMENT: premis,
        WORK_DOCUMENT: source.record,
    }


def _manifest(repository: Repository, work: Work, held: HeldAccess) -> bytes:
    """Return the manifest, as it is published, or as it would be if the work were not withdrawn."""
    shown = replace(work, rights=rights_under(work.rights, held.access))
    settings, pyramids = repository.settings, repository.catalogue.pyramids(work.identifier)
    return build_manifest(
        shown, pyramids, settings.provider, settings.max_area, repository.clock(), logo=settings.provider_logo
    )


def _information(repository: Repository, source: _BagSource) -> bytes:
    contents = source.contents
    record, payload = contents.work.record, contents.payload
    return information_bytes(
        (
            ("Source-Organization", repository.settings.provider or record.holder),
            ("External-Identifier", contents.work.identifier),
            ("Internal-Sender-Identifier", record.identifier),
            ("External-Description", record.title),
            ("Internal-Sender-Description", NOTE if source.left_out else None),
            ("Bagging-Date", contents.created[:10]),
            ("Payload-Oxum", f"{sum(file.bytes for file in payload)}.{len(payload)}"),
            ("Bag-Software-Agent", f"shanben {metadata.version('shanben')}"),
        )
    )


def _verified(repository: Repository, file: PayloadFile, advance: Callable[[int], None]) -> Iterator[Chunk]:
    """Yield the chunks of a file. Raises `DigestMismatch` at their end."""
    digester = Digester("sha256")
    for chunk in digester.pass_through(repository.store.chunks(file.key)):
        yield chunk
        advance(len(chunk))
    if digester.hexdigest("sha256") != file.sha256:
        raise DigestMismatch(key=file.key)


@contextmanager
def _new_file(target: Path) -> Iterator[Path]:
    """Yield the path of an unfinished file, which becomes `target` at the end, durably, or is deleted after a fault."""
    unfinished = target.with_name(target.name.removesuffix(target.suffix) + _UNFINISHED + target.suffix)
    try:
        unfinished.unlink(missing_ok=True)
        try:
            yield unfinished
            sync_file(str(unfinished))
            unfinished.rename(target)
            with suppress(OSError):  # some file systems, of USB disks for instance, cannot sync folders
                sync_folder(str(target.parent))
        finally:
            unfinished.unlink(missing_ok=True)
    except OSError as fault:
        raise ExportNotWritten(path=target, reason=fault.strerror or str(fault)) from fault
