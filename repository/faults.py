"""The faults of a deposit, and their JSON. (pure)"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from repository.localized import Language, LocalizedText


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a deposit.

    `file` is relative to the deposit folder; `place` is a row, key or part of the file ('' for all of it); `code` is a
    stable identifier for programs; `message` says what a librarian should know and do.
    """

    file: str
    place: str
    code: str
    message: LocalizedText

    def to_json(self) -> dict[str, object]:
        """Return the fault as a job's result stores it, its message in both languages."""
        return self._json(self.message.to_json())

    def to_localized_json(self, language: Language | None) -> dict[str, object]:
        """Return the fault as the command line prints it: its message is a string in one language, or in both."""
        return self._json(self.message.in_language(language))

    @classmethod
    def of_json(cls, document: Mapping[str, Any]) -> Fault:
        """Return the fault that `to_json` gave `document`."""
        message = LocalizedText.of_json(document["message"])
        return cls(document["file"], document["place"], document["code"], message)

    def _json(self, message: object) -> dict[str, object]:
        return {"file": self.file, "place": self.place, "code": self.code, "message": message}
