"""What a record or a command states of files of text, and its JSON, which is preserved with the files. (pure)"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Final

from repository.json_values import decode_json
from repository.model.text import PageText, TextKind
from workers.text.source import SourceText

TEXT_FOLDER: Final = "text"
"""The folder of all files of text, in a deposit and in a work's OCFL object."""


@dataclass(frozen=True, slots=True)
class TextStatement:
    """What is known of files of text that they do not say themselves.

    `files` is a file, or a folder with all files below it, by its path (``text/0001.xml``, ``text/translation``).
    `pages` is the run of pages (``0003-0010``) that a file with page breaks covers, '' for all of its volume or work.
    What is None or '' is taken from the file. `added` is the time (RFC 3339) at which files were added to a preserved
    work; '' for those of its deposit.
    """

    files: str = TEXT_FOLDER
    kind: TextKind | None = None
    source: str = ""
    quality: float | None = None
    language: str | None = None
    corrected: bool = False
    pages: str = ""
    added: str = ""

    def covers(self, path: str) -> bool:
        """Return whether the statement is about the file with this path."""
        return path == self.files or path.startswith(f"{self.files}/")

    def describe(self, text: PageText, file: SourceText) -> PageText:
        """Return a text of a page with what is stated, else with what its file says."""
        return replace(
            text,
            kind=self.kind or file.kind,
            source=self.source or file.source,
            quality=file.quality if self.quality is None else self.quality,
            language=self.language or file.language,
            is_corrected=self.corrected,
        )


def statement_of(path: str, statements: Iterable[TextStatement]) -> TextStatement:
    """Return the statement about a file: the one that names it most closely, the later of two equal ones."""
    best = TextStatement()
    for statement in statements:
        if statement.covers(path) and len(statement.files) >= len(best.files):
            best = statement
    return best


def statements_to_json(statements: Sequence[TextStatement]) -> bytes:
    """Return statements as canonical JSON, without what they leave open."""
    default = asdict(TextStatement())
    texts = [
        {key: value for key, value in asdict(each).items() if key == "files" or value != default[key]}
        for each in statements
    ]
    return json.dumps({"texts": texts}, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def statements_of_json(document: bytes) -> tuple[TextStatement, ...]:
    """Return the statements of a document: the inverse of `statements_to_json`. Raises `ValueError`."""
    return decode_json(document, _Document).texts


@dataclass(frozen=True, slots=True)
class _Document:
    texts: tuple[TextStatement, ...]
