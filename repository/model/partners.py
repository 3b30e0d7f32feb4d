"""Tokens of partners as values: what a token may do. (pure)"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from repository.model.access import Privilege, Privileges


class Scope(StrEnum):
    """What a partner's token may do beyond the public."""

    EXPORT = "export"
    """Download works as BagIt bags."""
    FULL_SIZE = Privilege.FULL_SIZE.value
    """See images of reduced works whole."""
    RESTRICTED_IMAGES = Privilege.RESTRICTED_IMAGES.value
    """See images of restricted works."""
    HARVEST = "harvest"
    """Send more requests to services with a limit."""


@dataclass(frozen=True, slots=True)
class Partner:
    """A token of a partner, without the token itself. Times are those of `clock.timestamp`; `revoked` may be None."""

    name: str
    scopes: frozenset[Scope]
    created: str
    revoked: str | None = None

    @property
    def privileges(self) -> Privileges:
        """What the partner may see beyond the public."""
        return frozenset(privilege for privilege in Privilege if privilege.value in self.scopes)

    def to_json(self) -> dict[str, object]:
        """Return the token as the command line prints it."""
        scopes = sorted(scope.value for scope in self.scopes)
        return {"name": self.name, "scopes": scopes, "created": self.created, "revoked": self.revoked}
