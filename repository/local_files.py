"""Reads a file that the caller of a command names: it may have no end, or wait for a writer that never comes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from repository.errors import RequestInvalid
from repository.localized import LocalizedText

_STANDARD_INPUT: Final = 0
_NOT_REGULAR: Final = LocalizedText("不是普通文件", "it is not a regular file")


def read_start(path: Path, most: int) -> bytes:
    """Return the content of a file, or the first `most` + 1 bytes of a longer one, which the caller refuses.

    Raises `RequestInvalid` for what is neither a regular file nor standard input, such as a pipe; `OSError`.
    """
    if not path.is_file() and path.exists() and not _is_standard_input(path):
        raise RequestInvalid(part=str(path), reason=_NOT_REGULAR)
    with path.open("rb") as file:
        return file.read(most + 1)


def _is_standard_input(path: Path) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(_STANDARD_INPUT))
    except OSError:  # it is closed
        return False
