"""Reads the ``[[text]]`` tables of ``work.toml``: what is known of files of text. (pure)"""

from __future__ import annotations

from typing import Final

from repository.localized import LocalizedText
from repository.model.text import TextKind
from workers.deposit.record_reader import RecordReader
from workers.deposit.record_values import check_language
from workers.text.statement import TEXT_FOLDER, TextStatement

_FILES: Final = LocalizedText(
    "files 应为 text 文件夹内的文件或文件夹，如 text/0001.xml",
    "files must be a file or folder in the folder text, such as text/0001.xml",
)
_QUALITY: Final = LocalizedText(
    "quality 应为 0 至 1 之间的数，即正确字数所占比例",
    "quality must be a number from 0 to 1, the share of characters that are right",
)


def read_text_table(reader: RecordReader) -> TextStatement:
    """Return the statement of a ``[[text]]`` table; what is wrong in it is a fault of the record."""
    files = (reader.text("files") or TEXT_FOLDER).rstrip("/")
    if files != TEXT_FOLDER and not files.startswith(f"{TEXT_FOLDER}/"):
        reader.refuse("files", "text.files", _FILES)
    kind = reader.word("kind", tuple(TextKind))
    statement = TextStatement(
        files,
        TextKind(kind) if kind else None,
        source=reader.text("source") or "",
        quality=_read_quality(reader),
        language=reader.checked("language", check_language, "record.language"),
        corrected=reader.flag("corrected"),
        pages=reader.text("pages") or "",
    )
    reader.refuse_unknown()
    return statement


def _read_quality(reader: RecordReader) -> float | None:
    value = reader.take("quality")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        reader.refuse("quality", "record.type", _QUALITY)
        return None
    return float(value)
