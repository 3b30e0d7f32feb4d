"""Resumption tokens (OAI-PMH 2.0, section 3.5): the state of a list, signed, so that no server keeps it. (pure)

A token says after which activity of the feed the list goes on, not how many records precede it. A record that changes
meanwhile moves behind every token, so a list that goes on, late or again, loses no record.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import msgspec
from itsdangerous import BadData, URLSafeSerializer

from iiif_server.oai.arguments import OaiRefused
from repository.clock import timestamp
from repository.model.changes import RecordRange

LIFE: Final = timedelta(days=3)
"""How long a token is accepted."""

_SALT: Final = "oai-pmh resumption token 1"


@dataclass(frozen=True, slots=True)
class ListState:
    """Where a list goes on: its verb, format and range, and how many records it has had of how many in all.

    `issued` is the time of the token (RFC 3339, UTC).
    """

    verb: str
    prefix: str
    wanted: RecordRange
    delivered: int
    total: int
    issued: str


class Tokens:
    """Makes and reads the tokens that are signed with a secret."""

    def __init__(self, secret: bytes) -> None:
        self._serializer = URLSafeSerializer(secret, salt=_SALT)

    def write(self, state: ListState) -> str:
        """Return the token of a state."""
        return str(self._serializer.dumps(msgspec.to_builtins(state)))

    def read(self, token: str, verb: str, now: datetime) -> ListState:
        """Return the state of a token for a verb. Raises `OaiRefused` for any other token, and an old one."""
        try:
            state = msgspec.convert(self._serializer.loads(token), ListState)
        except (BadData, msgspec.ValidationError, UnicodeError) as fault:
            raise _refused() from fault
        if state.verb != verb or expiry(state.issued) < timestamp(now):
            raise _refused()
        return state


def expiry(issued: str) -> str:
    """Return the time until which a token of a time is accepted."""
    return timestamp(datetime.fromisoformat(issued) + LIFE)


def _refused() -> OaiRefused:
    return OaiRefused(
        "badResumptionToken",
        "resumptionToken 无效或已过期；请重新开始收割",
        "the resumption token is not valid, or has expired; start the list again",
    )
