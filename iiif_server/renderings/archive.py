"""A ZIP archive of the pictures of a work, written picture by picture. (pure)

The pictures are JPEGs, so they are stored and not compressed again. Sizes and checksums follow each picture (APPNOTE
4.4.4, general purpose bit 3), because the archive is sent while it is written.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from typing import IO, Any, Final, cast

from iiif_server.renderings.book import Book
from iiif_server.renderings.book_pdf import Output

_TIME: Final = (1980, 1, 1, 0, 0, 0)
"""The earliest time of a ZIP archive, so that equal works give equal archives."""

_READABLE: Final = 0o644 << 16


class _WriteOnly:
    """An output as the file object that `zipfile` writes to: it can neither seek nor tell its position."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def write(self, data: Any) -> int:
        """Pass on the next bytes."""
        content = bytes(data)
        self._output.write(content)
        return len(content)

    def flush(self) -> None:
        """Do nothing: the output decides when it sends."""


def write_archive(book: Book, fetch: Callable[[str], bytes], output: Output) -> None:
    """Write the archive of the pages that have a picture, named by their numbers. Raises what `fetch` raises."""
    digits = max(4, len(str(max((page.number for page in book.pages), default=1))))
    with zipfile.ZipFile(cast("IO[bytes]", _WriteOnly(output)), "w", zipfile.ZIP_STORED) as archive:
        for page in book.pages:
            if page.path is not None:
                entry = zipfile.ZipInfo(f"{book.work.identifier}/{page.number:0{digits}d}.jpg", _TIME)
                entry.external_attr = _READABLE
                archive.writestr(entry, fetch(page.path))
