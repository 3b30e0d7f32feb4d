"""A PDF of a work, written page by page (ISO 32000-1) with pydyf. (pure)

pydyf writes the objects of a document one after the other and asks each for its bytes only then. The picture of a page
is such an object: it is fetched when it is written and forgotten afterwards, so memory does not grow with the number of
pages. A JPEG is embedded unchanged (``DCTDecode``).

The document has the labels of the pages, the ranges of the work as its outline, the direction of reading, an XMP packet
with the rights, and invisible text where the work has text (`text_layer.py`). A missing leaf is an empty page with a
dashed frame.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final, Protocol

import pydyf

from iiif_server.presentation.ranges import structures
from iiif_server.render.jpeg_header import jpeg_frame
from iiif_server.render.pdf import DOTS_PER_INCH
from iiif_server.render.xmp import xmp_packet
from iiif_server.renderings import text_layer
from iiif_server.renderings.book import Book, BookPage
from iiif_server.renderings.text_layer import Alphabet
from iiif_server.urls import canvas_path, stored_id
from repository.model.work import ViewingDirection

_LONGEST_SIDE: Final = 14_400
"""Units of the longest side of a page (ISO 32000-1, annex C)."""

_DESCRIPTOR: Final = {
    "Type": "/FontDescriptor",
    "FontName": "/Squares",
    "Flags": 4,
    "FontBBox": "[0 0 1000 1000]",
    "ItalicAngle": 0,
    "Ascent": 1000,
    "Descent": -1,
    "CapHeight": 1000,
    "StemV": 0,
}
"""Metrics of the fonts (section 9.8.1): a square rises from the line on which it stands. Zero counts as unknown."""

FetchPicture = Callable[[str], bytes]
"""Returns the JPEG at the path of an image request."""


class Output(Protocol):
    """Where a file is written to; it blocks while the client does not read."""

    def write(self, data: bytes) -> Any:
        """Take the next bytes."""


class _Picture(pydyf.Object):  # type: ignore[misc]
    """The JPEG of a page, fetched when it is written."""

    def __init__(self, path: str, fetch: FetchPicture) -> None:
        super().__init__()
        self._path, self._fetch = path, fetch

    @property
    def data(self) -> bytes:
        """The object's bytes: a stream whose dictionary follows from the JPEG's own header."""
        jpeg = self._fetch(self._path)
        width, height, components = jpeg_frame(jpeg)
        space = "DeviceGray" if components == 1 else "DeviceRGB"
        entries = (
            f"<</Type /XObject /Subtype /Image /Width {width} /Height {height} /ColorSpace /{space}"
            f" /BitsPerComponent 8 /Filter /DCTDecode /Length {len(jpeg)}>>\nstream\n"
        )
        return entries.encode("ascii") + jpeg + b"\nendstream"


def write_pdf(book: Book, fetch: FetchPicture, output: Output) -> None:
    """Write the PDF of a book. Raises what `fetch` and `output` raise; what was written then is no PDF."""
    document = pydyf.PDF()
    alphabet = Alphabet(page.text for page in book.pages if page.text)
    fonts = [_add_font(document, alphabet.characters(number)) for number in range(alphabet.fonts)]
    pages = {
        page.number: _add_page(document, page, fetch, alphabet, fonts) for page in book.pages
    }  # fmt: skip
    _describe(document, book)
    _label(document, book.pages)
    _add_outline(document, book, pages)
    document.write(output, version="1.7")


def _add(document: Any, value: Any) -> bytes:
    """Add an object, and return the reference to it."""
    document.add_object(value)
    return bytes(value.reference)


def _add_font(document: Any, characters: Sequence[str]) -> bytes:
    """Add a font of empty squares for these characters (section 9.6.5)."""
    count = len(characters)
    square = _add(document, pydyf.Stream([b"1000 0 0 0 1000 1000 d1"]))
    descriptor = _add(document, pydyf.Dictionary(_DESCRIPTOR))
    to_unicode = _add(document, pydyf.Stream([text_layer.to_unicode(characters)], compress=True))
    return _add(
        document,
        pydyf.Dictionary(
            {
                "Type": "/Font",
                "Subtype": "/Type3",
                "FontBBox": "[0 0 1000 1000]",
                "FontMatrix": "[0.001 0 0 0.001 0 0]",
                "FontDescriptor": descriptor,
                "FirstChar": 1,
                "LastChar": count,
                "Widths": text_layer.widths(count),
                "Encoding": pydyf.Dictionary({"Type": "/Encoding", "Differences": text_layer.glyph_names(count)}),
                "CharProcs": pydyf.Dictionary({"square": square}),
                "Resources": pydyf.Dictionary(),
                "ToUnicode": to_unicode,
            }
        ),
    )


def _add_page(
    document: Any, page: BookPage, fetch: FetchPicture, alphabet: Alphabet, fonts: Sequence[bytes]
) -> bytes:  # fmt: skip
    """Add a page with its picture and its text, and return the reference to it."""
    width, height = _size(page)
    resources = pydyf.Dictionary()
    if page.path is None:
        content = _frame_of_missing_leaf(width, height)
    else:
        content = f"q {width:.2f} 0 0 {height:.2f} 0 0 cm /Im Do Q\n".encode("ascii")
    if page.text:
        content += text_layer.operators(page.text, alphabet, (page.width, page.height), (width, height))
        resources["Font"] = pydyf.Dictionary({f"F{number}": font for number, font in enumerate(fonts)})
    contents = _add(document, pydyf.Stream([content], compress=True))
    described = pydyf.Dictionary(
        {
            "Type": "/Page",
            "Parent": document.pages.reference,
            "MediaBox": f"[0 0 {width:.2f} {height:.2f}]",
            "Contents": contents,
            "Resources": resources,
        }
    )
    document.add_page(described)
    if page.path is not None:
        resources["XObject"] = pydyf.Dictionary({"Im": _add(document, _Picture(page.path, fetch))})
    return bytes(described.reference)


def _size(page: BookPage) -> tuple[float, float]:
    """Return the sides of a page in points, at the resolution of pictures that are downloaded alone."""
    width, height = (side * 72 / DOTS_PER_INCH for side in (page.width, page.height))
    scale = min(1.0, _LONGEST_SIDE / max(width, height))
    return width * scale, height * scale


def _frame_of_missing_leaf(width: float, height: float) -> bytes:
    """Return the operators that draw a dashed frame within the margins."""
    margin = min(width, height) / 12
    sides = f"{margin:.2f} {margin:.2f} {width - 2 * margin:.2f} {height - 2 * margin:.2f}"
    return f"q 0.6 G 1 w [6 4] 0 d {sides} re S Q\n".encode("ascii")


def _describe(document: Any, book: Book) -> None:
    """Write what the document is, for people and programs, and how it is read (sections 12.2 and 14.3)."""
    work = book.work
    packet = xmp_packet(
        identifier=work.identifier,
        source=book.address,
        publisher=book.publisher,
        rights=work.rights.uri,
        title=work.record.title,
    )
    metadata = pydyf.Stream([packet], {"Type": "/Metadata", "Subtype": "/XML"})
    preferences = pydyf.Dictionary({"DisplayDocTitle": "true"})
    if work.viewing_direction is ViewingDirection.RIGHT_TO_LEFT:
        preferences["Direction"] = "/R2L"
    document.catalog["Metadata"] = _add(document, metadata)
    document.catalog["ViewerPreferences"] = preferences
    document.catalog["PageLayout"] = "/TwoPageRight" if _opens_in_pairs(book) else "/SinglePage"
    if len(work.record.language) == 1:
        document.catalog["Lang"] = pydyf.String(work.record.language[0])
    document.info["Title"] = _text(work.record.title)
    if work.record.creator:
        document.info["Author"] = _text("；".join(work.record.creator))


def _opens_in_pairs(book: Book) -> bool:
    """Return whether two pages face each other: in a paged work whose first page stands alone."""
    return book.work.behavior == "paged" and bool(book.pages) and book.pages[0].number == 1


def _label(document: Any, pages: Sequence[BookPage]) -> None:
    """Label the pages as catalogued (section 12.4.2)."""
    entries = [
        f"{place} <</P {_text(page.page.label or str(page.number)).data.decode('ascii')}>>"
        for place, page in enumerate(pages)
    ]
    document.catalog["PageLabels"] = _add(document, pydyf.Dictionary({"Nums": f"[{' '.join(entries)}]"}))


def _text(text: str) -> pydyf.String:
    """Return a text string: in UTF-16 if it is not ASCII (section 7.9.2.2)."""
    return pydyf.String(text)


def _add_outline(document: Any, book: Book, pages: Mapping[int, bytes]) -> None:
    """Add the ranges that contain a page of the document as its outline (section 12.3.3); other orders are none."""
    work = book.work
    numbers = {
        stored_id(canvas_path(work.identifier, number)): number for number in pages
    }  # fmt: skip
    contents = [part for part in structures(work, "none") if "behavior" not in part]
    ranges = [part for part in contents if _first_page(part, numbers)]
    if not ranges:
        return
    outlines = pydyf.Dictionary({"Type": "/Outlines"})
    document.catalog["Outlines"] = _add(document, outlines)
    document.catalog["PageMode"] = "/UseOutlines"
    _add_entries(document, outlines, ranges, numbers, pages)


def _add_entries(
    document: Any, parent: Any, ranges: Sequence[Any], numbers: Mapping[str, int], pages: Mapping[int, bytes]
) -> None:
    """Add the entries of ranges below `parent`, linked to each other."""
    entries = []
    for part in ranges:
        label = next(iter(part["label"].values()))[0]
        first = _first_page(part, numbers)
        destination = b"[" + pages[first] + b" /Fit]"
        entry = pydyf.Dictionary({"Title": _text(label), "Parent": parent.reference, "Dest": destination})
        document.add_object(entry)
        entries.append(entry)
        inner = [item for item in part["items"] if item["type"] == "Range" and _first_page(item, numbers)]
        if inner:
            _add_entries(document, entry, inner, numbers, pages)
    for before, after in pairwise(entries):
        before["Next"], after["Prev"] = after.reference, before.reference
    parent["First"], parent["Last"], parent["Count"] = entries[0].reference, entries[-1].reference, len(entries)


def _first_page(part: Any, numbers: Mapping[str, int]) -> int:
    """Return the number of the first page of a range that the document has; 0 if it has none."""
    for item in part["items"]:
        number = numbers.get(item["id"], 0) if item["type"] == "Canvas" else _first_page(item, numbers)
        if number:
            return number
    return 0
