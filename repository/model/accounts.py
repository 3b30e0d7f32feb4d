"""Accounts as values: names, roles, what a role may. (pure)

Every account may see images that the public may not. All but readers are staff, who have pages of their own.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from repository.errors import RequestInvalid
from repository.localized import LocalizedText
from repository.model.access import Privilege, Privileges

MAX_NAME_CHARACTERS: Final = 64
_NAME: Final = re.compile(rf"\w[\w.@-]{{0,{MAX_NAME_CHARACTERS - 1}}}")


class Role(StrEnum):
    """What an account is for."""

    READER = "reader"
    LIBRARIAN = "librarian"
    CONSERVATOR = "conservator"
    ADMINISTRATOR = "administrator"


ROLE_NAMES: Final[Mapping[Role, LocalizedText]] = MappingProxyType(
    {
        Role.READER: LocalizedText("读者", "Reader"),
        Role.LIBRARIAN: LocalizedText("馆员", "Librarian"),
        Role.CONSERVATOR: LocalizedText("保存人员", "Conservator"),
        Role.ADMINISTRATOR: LocalizedText("管理员", "Administrator"),
    }
)


STAFF: Final = frozenset(Role) - {Role.READER}
"""The roles whose accounts may see the pages of staff."""

PRIVILEGES: Final[Mapping[Role, Privileges]] = MappingProxyType({role: frozenset(Privilege) for role in Role})
"""What an account of each role may see beyond the public."""


@dataclass(frozen=True, slots=True)
class Account:
    """An account. `created` and `disabled` are times of `clock.timestamp`; `disabled` is None for one in use."""

    name: str
    role: Role
    created: str
    disabled: str | None = None

    @property
    def is_staff(self) -> bool:
        """Whether the account may see the pages of staff."""
        return self.role in STAFF

    def to_json(self) -> dict[str, object]:
        """Return the account as the command line prints it."""
        return {"name": self.name, "role": self.role.value, "created": self.created, "disabled": self.disabled}


def normalized_name(text: str) -> str:
    """Return the form in which a name is stored and compared: without case, in Unicode's form NFKC."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).strip()


def account_name(text: str) -> str:
    """Return the normalized name of a new account. Raises `RequestInvalid` for a name that no account may have."""
    name = normalized_name(text)
    if not _NAME.fullmatch(name):
        reason = LocalizedText(
            f"账号名由文字、数字和 . _ - @ 组成，以文字或数字开头，至多 {MAX_NAME_CHARACTERS} 个字符",
            f"a name has letters, digits and . _ - @, starts with a letter or digit, and has at most "
            f"{MAX_NAME_CHARACTERS} characters",
        )
        raise RequestInvalid(part="NAME", reason=reason)
    return name
