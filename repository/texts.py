"""Stores and reads the text of a work's pages: the one place from which search, manifests and pages read it.

- `texts_of` yields every text of a work, in the order of its pages; `best_texts` (`repository/model/text.py`) chooses
  one for each page.
- `texts_of_page` returns the texts of one page, the best first, without reading the others; `texts_of_pages` those of
  some pages that follow each other.
- `pages_with_text` tells which pages have text, and of which kinds.
- `texts_version` changes whenever any text of the work changes.

Nothing here decides access: callers show, find and count text only if `access.decide(...).shows_text`. Text that a
redaction of the page may hide is left out when the document is made.

The document is derived: `workers/tasks/texts.py` makes it from the text files that the work's OCFL object preserves, so
it may be deleted at any time. A work without it has no text. It is one object of JSON lines (`paths.page_texts`). The
first line is the directory: where the line of each page begins, counted from the end of the directory, its length in
bytes, and the kinds of its texts. The other lines have one page each.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from hashlib import sha256
from itertools import groupby
from typing import Final, TypeVar

import msgspec

from repository import paths
from repository.errors import ContentError, IntegrityError, KeyNotFound
from repository.localized import LocalizedText
from repository.model.text import PageText, TextKind, TextLine, rank
from repository.model.work import Rectangle
from repository.storage.store import ObjectStore, put_if_changed, read_if_present

_HEAD: Final = 128 << 10
"""Bytes that are read first: the directory of about 3,000 pages."""


class TextsDamaged(IntegrityError):
    """The stored text of a work's pages is damaged; it can be made again from the files that the work preserves."""

    code = "integrity.text"
    text = LocalizedText(
        "已发布的录文 {key} 损坏；请运行 shanben rebuild 重新发布",
        "The published text {key} is damaged; run shanben rebuild to publish it again",
    )


class TextChanged(ContentError):
    """A correction of a text that has been changed since it was read."""

    code = "text.changed"
    text = LocalizedText(
        "书页 {page} 的文本在您打开之后已有改动，您的校正未予采用；请对照现在的文本重新校正",
        "The text of page {page} was changed after you opened it, and your correction was not kept; compare it with the"
        " present text and correct that",
    )


class _Line(msgspec.Struct, omit_defaults=True):
    text: str
    region: tuple[int, int, int, int] | None = None
    note: bool = False


class _Text(msgspec.Struct, omit_defaults=True):
    kind: TextKind
    lines: list[_Line]
    source: str = ""
    quality: float | None = None
    language: str | None = None
    corrected: bool = False


class _Page(msgspec.Struct):
    page: str
    texts: list[_Text]


class _Directory(msgspec.Struct):
    """`version` identifies the files and the software from which the document was made.

    `pages` has offset, length and kinds.
    """

    version: str
    pages: dict[str, tuple[int, int, list[TextKind]]]


def texts_of(store: ObjectStore, work: str) -> Iterator[PageText]:
    """Yield the texts of a work in the order of its pages, of each page the best first.

    Raises `TextsDamaged`, `StoreFault`.
    """
    key = paths.page_texts(work)
    document = read_if_present(store, key)
    if document is None:
        return
    start = document.find(b"\n") + 1
    _decode(document[:start], _Directory, key)
    while start < len(document):
        end = document.find(b"\n", start)
        if end < 0:
            raise TextsDamaged(key=key)
        page = _decode(document[start:end], _Page, key)
        yield from _values(page)
        start = end + 1


def texts_of_page(store: ObjectStore, work: str, page: str) -> tuple[PageText, ...]:
    """Return the texts of the page with the key `page`, the best first. Raises `TextsDamaged`, `StoreFault`."""
    return (texts_of_pages(store, work, [page]) or {}).get(page, ())


def texts_of_pages(
    store: ObjectStore, work: str, pages: Collection[str]
) -> Mapping[str, tuple[PageText, ...]] | None:  # fmt: skip
    """Return the texts of pages by their keys, the best of each first; None for a work without text.

    All from the first of the pages to the last is read at once. Raises `TextsDamaged`, `StoreFault`.
    """
    key = paths.page_texts(work)
    read = _read_directory(store, key)
    if read is None:
        return None
    directory, start = read
    places = {page: directory.pages[page][:2] for page in pages if page in directory.pages}
    if not places:
        return {}
    first, end = min(offset for offset, _ in places.values()), max(map(sum, places.values()))
    try:
        read_pages = store.read_range(key, start + first, end - first)
        found = {
            page: _decode(read_pages[offset - first : offset - first + length], _Page, key)
            for page, (offset, length) in places.items()
        }
        if all(value.page == page for page, value in found.items()):
            return {page: tuple(_values(value)) for page, value in found.items()}
    except TextsDamaged:
        pass  # The document was perhaps replaced between the two reads: read it at once.
    texts = (text for text in texts_of(store, work) if text.page in places)
    return {page: tuple(group) for page, group in groupby(texts, lambda text: text.page)}


def pages_with_text(store: ObjectStore, work: str) -> Mapping[str, frozenset[TextKind]]:
    """Return the kinds of the texts of each page that has text, by the page's key. Raises as `texts_of_page`."""
    read = _read_directory(store, paths.page_texts(work))
    return {page: frozenset(kinds) for page, (_, _, kinds) in read[0].pages.items()} if read else {}


def texts_version(store: ObjectStore, work: str) -> str | None:
    """Return what identifies the state of a work's texts; None for a work without text. Raises as `texts_of_page`."""
    read = _read_directory(store, paths.page_texts(work))
    return read[0].version if read else None


def text_digest(text: PageText) -> str:
    """Return a SHA-256 in hexadecimal that identifies a text with its lines, their places and what is known of it."""
    return sha256(msgspec.json.encode(_struct(text))).hexdigest()


def put_texts(store: ObjectStore, work: str, version: str, texts: Iterable[PageText]) -> bool:
    """Store the texts of a work, those of each page together; return False when the same bytes are stored already.

    `version` identifies the files and the software from which they were made. Without texts nothing is stored.
    """
    body = _document(version, texts)
    if body is None:
        return delete_texts(store, work)
    return put_if_changed(store, paths.page_texts(work), body)


def delete_texts(store: ObjectStore, work: str) -> bool:
    """Delete the texts of a work; return whether there were any."""
    key = paths.page_texts(work)
    if not store.exists(key):
        return False
    store.delete(key)
    return True


def _document(version: str, texts: Iterable[PageText]) -> bytes | None:
    encoder = msgspec.json.Encoder()
    lines, pages, offset = [], {}, 0
    for page, group in groupby(texts, lambda text: text.page):
        ranked = sorted(group, key=rank)
        line = encoder.encode(_Page(page, [_struct(text) for text in ranked])) + b"\n"
        pages[page] = (offset, len(line) - 1, list(dict.fromkeys(text.kind for text in ranked)))
        lines.append(line)
        offset += len(line)
    return b"".join([encoder.encode(_Directory(version, pages)), b"\n", *lines]) if lines else None


def _struct(text: PageText) -> _Text:
    lines = [
        _Line(line.text, (r.x, r.y, r.width, r.height) if (r := line.region) else None, line.is_note)
        for line in text.lines
    ]
    return _Text(text.kind, lines, text.source, text.quality, text.language, text.is_corrected)


def _values(page: _Page) -> Iterator[PageText]:
    for text in page.texts:
        lines = tuple(
            TextLine(line.text, Rectangle(*line.region) if line.region else None, line.note) for line in text.lines
        )
        yield PageText(page.page, text.kind, lines, text.source, text.quality, text.language, text.corrected)


def _read_directory(store: ObjectStore, key: str) -> tuple[_Directory, int] | None:
    """Return the directory and the number of bytes up to its end; None without a document."""
    length = _HEAD
    while True:
        try:
            head = store.read_range(key, 0, length)
        except KeyNotFound:
            return None
        end = head.find(b"\n")
        if end >= 0:
            return _decode(head[:end], _Directory, key), end + 1
        if len(head) < length:
            raise TextsDamaged(key=key)
        length *= 4


_Value = TypeVar("_Value")


def _decode(content: bytes, kind: type[_Value], key: str) -> _Value:
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as fault:
        raise TextsDamaged(key=key) from fault
