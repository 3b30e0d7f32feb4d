"""Text of pages: adding files of it to a preserved work, and making the document from which it is read.

A work's OCFL object holds the files of text unchanged under ``text/``, and under `preserve.TEXTS` what is known of
them. Adding files, a job:

1. **Claim** the work, so that no ingest changes it.
2. **Check**: read the files in sandboxes and assign them to pages. A fault ends the job here.
3. **Preserve**: commit a version of the object with the files, what is known of them, and an event. If the object holds
   the same already, no version is made.
4. **Publish** the document of the texts (`repository/texts.py`) and the manifest, which links to it.
5. **Record** the version and the event in the catalogue, with the follow-up jobs.

The time of the claim, which the job keeps, is written everywhere, so that a repeated run writes the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec

from preservation.ocfl import objects
from preservation.ocfl.inventory import Inventory
from preservation.premis import CorrectedLines, events_bytes, text_event, version_of_event
from repository import paths
from repository.clock import timestamp
from repository.database.access_changes import PreservedAccess
from repository.database.outbox import Job
from repository.errors import DepositNotMounted, DepositRefused, KeyNotFound, NotFound, ObjectInvalid
from repository.faults import Fault
from repository.json_values import convert_json
from repository.localized import LocalizedText
from repository.model.work import Event, Work
from repository.repository import Repository
from repository.storage.store import ObjectStore
from repository.texts import TextsDamaged, delete_texts, put_texts, texts_version
from workers.deposit.page_texts import AssignedTexts, assign_texts
from workers.deposit.survey import is_text
from workers.execution.context import TaskContext
from workers.execution.runner import FanOut
from workers.tasks.jobs import replicate_work_job, search_index_job, sequence_events_job
from workers.tasks.log_events import software
from workers.tasks.preserve import EVENTS, TEXTS, next_version, preserved_access, read_events
from workers.tasks.publish import publish_work
from workers.text.read import READING, ReadText
from workers.text.source import MAX_BYTES, SourceText
from workers.text.statement import TEXT_FOLDER, TextStatement, statements_of_json, statements_to_json

TextReader = Callable[[bytes, str], ReadText]
"""Reads a file of text by its content and name (`DepositExaminer.read_text`)."""

_UNREAD: Final = LocalizedText(
    "不读取 JSON 文本；请转换为 ALTO 等格式", "text in JSON is not read; convert it, to ALTO for instance"
)
_TWICE: Final = LocalizedText(
    "与 {other} 同名，两者只能存其一；分册的，请放入以册命名的文件夹；两种文本，请分两次添加，各写明 --source",
    "it has the same name as {other}, and one would replace the other; put texts of volumes into folders named as the"
    " volumes, and add two texts of a page one after the other, each with its --source",
)


class TextsRefused(DepositRefused):
    """Files of text, added to a work, with faults; none of them was added."""

    code = "text.refused"
    text = LocalizedText(
        "拟添加到 {deposit} 的文本有 {count} 处问题，全部未予添加；请逐条改正后重试",
        "The text for {deposit} has {count} {count:fault|faults}, and nothing of it was added; correct them and try"
        " again",
    )


@dataclass(frozen=True, slots=True)
class PreservedTexts:
    """The files of text that a work's object holds, path to SHA-256, and what is known of them."""

    files: Mapping[str, str]
    statements: tuple[TextStatement, ...]


@dataclass(frozen=True, slots=True)
class AddedTexts:
    """Files of text to preserve by their paths in the object, and all statements of the work.

    `correction` tells that the file corrects a text that the work has. `given` has the paths by which files were given
    to be added, by their paths in the object: faults name these.
    """

    files: Mapping[str, bytes]
    statements: tuple[TextStatement, ...]
    correction: CorrectedLines | None = None
    given: Mapping[str, str] = field(default_factory=dict)


def preserved_texts(store: ObjectStore, work: str, inventory: Inventory | None = None) -> PreservedTexts:
    """Return the files of text of a work's object. Raises `ObjectInvalid`, `DigestMismatch`, `StoreFault`."""
    found = inventory or objects.read_inventory(store, work)
    state = found.state if found else {}
    files = {path: digest for path, digest in state.items() if path.startswith(f"{TEXT_FOLDER}/")}
    if found is None or TEXTS not in state:
        return PreservedTexts(files, ())
    try:
        return PreservedTexts(files, statements_of_json(objects.read_file(store, work, TEXTS, found)))
    except ValueError as fault:
        raise ObjectInvalid(key=paths.ocfl_object(work), reason=f"{TEXTS}: {fault}") from fault


def added_texts(store: ObjectStore, work: str) -> AddedTexts:
    """Return the files that were added to a work after its deposits, which a new deposit keeps, with what is known."""
    inventory = objects.read_inventory(store, work)
    if inventory is None:
        return AddedTexts({}, ())
    preserved = preserved_texts(store, work, inventory)
    kept = tuple(each for each in preserved.statements if each.added and each.files in preserved.files)
    return AddedTexts({each.files: objects.read_file(store, work, each.files, inventory) for each in kept}, kept)


def publish_texts(repository: Repository, work: Work, read: TextReader) -> None:
    """Make the document of a work's texts from the files that its object holds, unless it is made from these already.

    Files that cannot be read or assigned were refused when they came; if the readers have become stricter since, their
    text is left out. Raises `ObjectInvalid`, `DigestMismatch`, `KeyNotFound`, `StoreFault`.
    """
    store, identifier = repository.store, work.identifier
    inventory = objects.read_inventory(store, identifier)
    preserved = preserved_texts(store, identifier, inventory)
    if inventory is None or not any(map(is_text, preserved.files)):
        delete_texts(store, identifier)
        return
    version = _version(work, preserved)
    try:
        if texts_version(store, identifier) == version:
            return
    except TextsDamaged:
        delete_texts(store, identifier)
    texts: dict[str, SourceText] = {}
    for path in filter(is_text, preserved.files):
        text = read(objects.read_file(store, identifier, path, inventory), path).text
        texts |= {path: text} if text else {}
    put_texts(store, identifier, version, assign_texts(list(work.pages()), texts, preserved.statements).texts)


def add_texts(context: TaskContext, job: Job) -> Mapping[str, object] | FanOut:
    """Run a job of kind ``text``: add the `files`, a JSON list of paths, to `work` with a `statement`.

    Raises `TextsRefused` for files that cannot be read or assigned, `DepositNotMounted`, `NotFound`, `Busy`,
    `ObjectInvalid`, `DigestMismatch`, `StoreFault`, `DatabaseFault`.
    """
    repository, identifier = context.repository, job.arguments["work"]
    if job.plan is None:
        version = next_version(repository, identifier)
        return FanOut((), {"time": timestamp(repository.clock()), "version": version}, identifier)  # 1
    time = str(job.plan["time"])
    work = require_work(repository, identifier)
    statement = convert_json(json.loads(job.arguments["statement"]), TextStatement)
    contents = _contents(json.loads(job.arguments["files"]))
    added = _named(repository.store, work, contents, replace(statement, added=time))
    return keep_texts(context, work, added, job.plan)


def require_work(repository: Repository, identifier: str) -> Work:
    """Return a work that is held. Raises `NotFound`, `DatabaseFault`."""
    work = repository.catalogue.work(identifier)
    if work is None:
        raise NotFound(what=identifier)
    return work


def keep_texts(context: TaskContext, work: Work, added: AddedTexts, plan: Mapping[str, object]) -> Mapping[str, object]:
    """Do steps 2 to 5 for files of text; `plan` is that of the claim. Return the result of the job.

    Raises as `add_texts`.
    """
    repository, identifier, time = context.repository, work.identifier, str(plan["time"])
    held = repository.catalogue.access(identifier)
    if held is None:
        raise NotFound(what=identifier)
    assigned = _check(work, added, context.examiner.read_text)  # 2
    inventory, events = _preserve(repository, identifier, added, time)  # 3
    publish_texts(repository, work, context.examiner.read_text)  # 4
    publish_work(repository, work, held.access, repository.catalogue.pyramids(identifier))
    follow_up = [
        sequence_events_job(),
        search_index_job(),
        *(replicate_work_job(store, identifier) for store in repository.replicas),
    ]
    access = preserved_access(repository.store, identifier).access
    preserved = PreservedAccess(access, len(inventory.versions), events)
    repository.catalogue.record_access(identifier, preserved, follow_up, timestamp(repository.clock()))  # 5
    result = {"identifier": identifier, "files": sorted(added.files), "version": len(inventory.versions)}
    result |= {
        "pages": len({text.page for text in assigned.texts}),
        "changed": _is_new(events, int(str(plan["version"]))),
    }
    return result | {"notices": [notice.to_json() for notice in assigned.notices]}


def _contents(files: Sequence[str]) -> dict[Path, bytes]:
    contents = {}
    for path in map(Path, files):
        try:
            with path.open("rb") as file:
                contents[path] = file.read(MAX_BYTES + 1)
        except OSError as fault:
            raise DepositNotMounted(path=path, reason=fault.strerror) from fault
    return contents


def _named(store: ObjectStore, work: Work, contents: Mapping[Path, bytes], statement: TextStatement) -> AddedTexts:
    """Return files by their paths in the object, and the statements of the work with one for each of them.

    A file that the work has already keeps its path. Another lies in the folder of its kind, below that of its volume if
    it came from a folder with that name. If a text of another source has the path, a number tells both apart;
    otherwise the newer one takes its place. Raises `TextsRefused` for files that would take each other's place.
    """
    preserved = preserved_texts(store, work.identifier)
    statements = {each.files: each for each in preserved.statements}
    volumes = {page.key.rpartition("/")[0] for page in work.pages()} - {""}
    files: dict[str, bytes] = {}
    given: dict[str, str] = {}
    faults: list[Fault] = []
    for source, content in contents.items():
        name = f"{source.parent.name}/{source.name}" if source.parent.name in volumes else source.name
        path = _held_path(name, preserved, sha256(content).hexdigest())
        is_held, path = path is not None, path or _free_path(name, statement, preserved, statements)
        before = statements.get(path) or replace(TextStatement(), files=path)
        stated = replace(statement, files=path)
        if files.get(path, content) != content:
            faults.append(Fault(str(source), "", "text.twice", _TWICE.format(other=given[path])))
            continue
        files[path], given[path] = content, str(source)
        if not is_held or replace(stated, added=before.added) != before:
            statements[path] = stated
    if faults:
        raise TextsRefused(work.identifier, tuple(faults))
    return AddedTexts(files, tuple(statements.values()), given=given)


def _held_path(name: str, preserved: PreservedTexts, digest: str) -> str | None:
    """Return the path of a file with this name and content that the work has already."""
    same = (path for path, held in preserved.files.items() if held == digest and path.endswith(f"/{name}"))
    return min(same, default=None)


def _free_path(
    name: str, statement: TextStatement, preserved: PreservedTexts, statements: Mapping[str, TextStatement]
) -> str:
    folder = f"{TEXT_FOLDER}/{statement.kind.value if statement.kind else 'added'}"
    number = 1
    while True:
        path = f"{folder}/{name}" if number == 1 else f"{folder}-{number}/{name}"
        known = statements.get(path)
        is_replaced = known and known.added and (known.kind, known.source) == (statement.kind, statement.source)
        if is_replaced or path not in preserved.files:
            return path
        number += 1


def _check(work: Work, added: AddedTexts, read: TextReader) -> AssignedTexts:
    """Return the texts of pages that the added files hold. Raises `TextsRefused`.

    Faults and notices name a file by the path that was given for it.
    """
    texts: dict[str, SourceText] = {}
    faults = [Fault(path, "", "text.form", _UNREAD) for path in added.files if not is_text(path)]
    for path in filter(is_text, added.files):
        found = read(added.files[path], path)
        faults += found.faults
        texts |= {path: found.text} if found.text else {}
    assigned = assign_texts(list(work.pages()), texts, added.statements)
    faults += assigned.faults
    if faults:
        raise TextsRefused(work.identifier, tuple(_as_given(fault, added) for fault in faults))
    return replace(assigned, notices=tuple(_as_given(notice, added) for notice in assigned.notices))


def _as_given(fault: Fault, added: AddedTexts) -> Fault:
    return replace(fault, file=added.given.get(fault.file, fault.file))


def _preserve(repository: Repository, work: str, added: AddedTexts, time: str) -> tuple[Inventory, Sequence[Event]]:
    """Commit a version with the added files, unless the object has them already; return inventory and all events."""
    store = repository.store
    before, version = objects.complete_version(store, work), next_version(repository, work)
    if before is None:
        raise KeyNotFound(key=paths.ocfl_object(work))
    events = read_events(store, work)
    documents = {**added.files, **({TEXTS: statements_to_json(added.statements)} if added.statements else {})}
    if all(before.state.get(path) == sha256(content).hexdigest() for path, content in documents.items()):
        return before, events
    digest = sha256(documents[TEXTS]).hexdigest()
    event = text_event(
        work,
        version,
        digest,
        files=len(added.files),
        time=time,
        software=software(),
        correction=added.correction,
    )
    documents[EVENTS] = events_bytes([*events, event])
    message = f"Text of {work} corrected" if added.correction else f"Text added to {work}"
    inventory = objects.write_documents(store, work, documents, message=message, created=time)
    return inventory, [*events, event]


def _is_new(events: Sequence[Event], version: int) -> bool:
    """Return whether text was added since the version with this number was the next one."""
    return any(version_of_event(event) >= version for event in events if "text" in event.detail)


def _version(work: Work, preserved: PreservedTexts) -> str:
    """Return a digest of all that decides the document: the files, what is known of them, the pages, the readers."""
    pages = [(page.key, page.label, page.leaf, page.images[:1]) for page in work.pages()]
    state = [READING, sorted(preserved.files.items()), preserved.statements, pages]
    return sha256(msgspec.json.encode(state)).hexdigest()
