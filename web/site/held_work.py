"""The work that a request names, with the decision on access to it."""

from __future__ import annotations

from repository import identifiers
from repository.errors import Withdrawn
from repository.identifiers import Kind
from repository.model.access import NO_PRIVILEGES, Decision, Privileges, day_of_withdrawal, decide
from repository.model.work import Work, WorkState
from repository.repository import Repository
from web.site.not_held import not_held


def held_work(repository: Repository, identifier: str, privileges: Privileges = NO_PRIVILEGES) -> tuple[Work, Decision]:
    """Return a work and the decision on access to it; without `privileges`, on that of the public.

    Raises `IdentifierInvalid`, `NotFound`, `Withdrawn`, `WorkDeleted`.
    """
    name = identifiers.parse(identifier, Kind.WORK)
    work, held = repository.catalogue.work(name), repository.catalogue.access(name)
    if work is None or held is None:
        raise not_held(repository, name)
    if held.access.state is WorkState.WITHDRAWN:
        raise Withdrawn(what=name, when=day_of_withdrawal(held.access))
    return work, decide(work.rights, held.access.state, repository.clock(), privileges)
