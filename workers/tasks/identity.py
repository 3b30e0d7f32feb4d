"""Decides which work a deposit is: a new one, a new version of a held one, or a declared revision.

- A record with `identifier` names its work.
- Without one, the pictures name it. A work that was ingested without `identifier` keeps its own after a revision, so
  the work that holds exactly these pictures is the same work.
- If one work holds most of the pictures, the deposit is probably a changed copy of its deposit. It is refused, because
  it would become a second work.
- A declared revision is a version of the work that it names.
- A bag that another store exported names its work, as long as that has exactly the pictures of the deposit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from repository.errors import DepositRefused, NotFound
from repository.faults import Fault
from repository.localized import LocalizedText
from repository.model.work import Work
from repository.repository import Repository
from workers.deposit.assemble import work_identifier
from workers.deposit.comparison import foreign_identifier_fault, held_pictures_fault
from workers.deposit.exported import ExportedWork
from workers.deposit.record import Description
from workers.deposit.record_reader import RECORD_FILE
from workers.deposit.survey import Survey
from workers.tasks.preserve import read_work

_DELETED: Final = LocalizedText(
    "{work} 已于 {day} 依馆方决定删除，不能再用此编号送存；馆方决定重新入藏的，请在 {record} 中写明另一个 identifier",
    "{work} was deleted on {day} by a decision of the library, and cannot be deposited again as this work; if the"
    " library decides to hold it anew, give it another identifier in {record}",
)


@dataclass(frozen=True, slots=True)
class Identity:
    """The identifier of a deposit's work; `is_revision` if neither its record nor its pictures give it."""

    work: str
    is_revision: bool = False


def identify(
    repository: Repository,
    deposit: Survey,
    digests: Sequence[str],
    revises: str | None,
    exported: ExportedWork | None = None,
) -> Identity:
    """Return the work of a deposit without faults.

    `digests` are the sha256 of all masters, which a deposit with an identifier of its own does not need; `revises` is
    the work that it is declared to revise, `exported` the work that its bag describes. Raises `DepositRefused`, and
    `NotFound` for an unknown work.
    """
    assert deposit.description is not None  # noqa: S101 - it has no faults
    if revises:
        return _declared(repository, deposit, deposit.description, revises)
    if exported and exported.has_masters(digests) and _may_be(repository, exported, digests):
        return Identity(exported.work.identifier, is_revision=True)
    work = work_identifier(deposit.description, digests)
    if deposit.description.record.identifier or repository.catalogue.work(work):
        return Identity(work)
    return _identity_of_pictures(repository, deposit, set(digests)) or Identity(work)


def previous_work(repository: Repository, work: str, next_version: int) -> Work | None:
    """Return a work as it is held, from the store if the catalogue lacks it; None if there is none.

    Raises `ObjectInvalid`, `StoreFault`, `DatabaseFault`.
    """
    held = repository.catalogue.work(work) if work else None
    return read_work(repository.store, work) if held is None and next_version > 1 else held


def refuse_deleted(repository: Repository, work: str, deposit: str) -> None:
    """Raise `DepositRefused` for the deposit of a work whose deletion is decided."""
    if work and (deletion := repository.deletions.get(work)) and deletion.is_decided:
        message = _DELETED.format(work=work, day=deletion.day, record=RECORD_FILE)
        raise DepositRefused(deposit, (Fault(RECORD_FILE, "", "work.deleted", message),))


def _may_be(repository: Repository, exported: ExportedWork, digests: Sequence[str]) -> bool:
    """Return whether the exported work is not held, or held with the same pictures."""
    held = repository.catalogue.work(exported.work.identifier)
    return held is None or {image.master.sha256 for image in held.images()} == set(digests)


def _declared(repository: Repository, deposit: Survey, description: Description, revises: str) -> Identity:
    held = repository.catalogue.work(revises)
    if held is None:
        raise NotFound(what=revises)
    identifier = description.record.identifier
    if identifier and identifier != held.record.identifier:
        raise DepositRefused(str(deposit.folder), (foreign_identifier_fault(held, identifier),))
    return Identity(revises, is_revision=True)


def _identity_of_pictures(repository: Repository, deposit: Survey, digests: set[str]) -> Identity | None:
    """Return the work that has no identifier and holds exactly these pictures; None if it may be a new work."""
    counts = repository.catalogue.works_of_masters(digests)
    if not counts:
        return None
    work = min(counts, key=lambda holder: (-counts[holder], holder))
    holder = repository.catalogue.work(work)
    if holder is None or 2 * counts[work] <= len(digests):
        return None
    if holder.record.identifier is None and {image.master.sha256 for image in holder.images()} == digests:
        return Identity(work, is_revision=True)
    fault = held_pictures_fault(holder, counts[work], len(digests), str(deposit.folder))
    raise DepositRefused(str(deposit.folder), (fault,))
