"""Reads TEI P5 (https://tei-c.org/release/doc/tei-p5-doc/en/html/), and documents of TEI P4 that look alike. (pure)

===============================  ===============================================================================
element                          what is read
===============================  ===============================================================================
``pb``                           a page begins: `n` names it, `facs` its picture, directly or through a `surface`
``lb``, ``cb``, blocks           a line ends; so it does at paragraphs, headings, verses, items, cells
``note``                         a note; the note of an editor (``type="editorial"``, ``resp``) is left out
``choice``                       the original: ``orig``, ``sic`` or ``abbr``
``app``                          the reading of the edition: ``lem``
``gap``                          □, as often as `quantity` says if its `unit` is characters
``g``                            its text, □ without any
``fw``, ``teiHeader``, figures   nothing: running heads would stand between two pages of the text
===============================  ===============================================================================

A line has the place of the ``zone`` to which the `facs` of its ``lb`` refers, or that of its ``l`` or ``ab``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from workers.text.source import MISSING_CHARACTER, Box, SourceLine, SourcePage, SourceText, TextForm, line_of
from workers.text.xml_input import child, descendants, number
from workers.untrusted_xml import Element, local_name

_BLOCKS: Final = re.compile(
    r"p|ab|head|lg?|div[1-7]?|item|list|label|cell|row|table|trailer|closer|opener|salute|signed|byline|dateline"
    r"|doc(Title|Author|Imprint|Edition)|title(Part|Page)|epigraph|argument|quote|sp|speaker|stage|front|body|back"
    r"|text|group|floatingText"
)
_SKIPPED: Final = frozenset({"teiHeader", "fw", "figure", "facsimile", "sourceDoc", "standOff", "rdg", "rt"})
_EDITED: Final = {"corr": "sic", "reg": "orig", "expan": "abbr"}
_MOST_MISSING: Final = 1000


def read_tei(root: Element) -> SourceText:
    """Return the pages of a TEI document. What precedes the first page break is on the first page.

    Raises `TextProblem`.
    """
    reading = _Transcript(_zones(root))
    texts = [
        each for each in descendants(root, "text") if not any(local_name(a) == "text" for a in each.iterancestors())
    ]
    for text in texts:
        reading.read(text)
    pages = reading.finish()
    language = next((each.get(_LANG) for each in (*texts, root) if each.get(_LANG)), None)
    return SourceText(TextForm.TEI, pages, has_breaks=reading.name is not None, source=_title(root), language=language)


_LANG: Final = "{http://www.w3.org/XML/1998/namespace}lang"
_ID: Final = "{http://www.w3.org/XML/1998/namespace}id"


@dataclass(frozen=True, slots=True)
class _Zone:
    """A surface or a zone of the facsimile: its picture, the size of its surface, and its box on that."""

    image: str
    size: tuple[float, float] | None
    box: Box | None


@dataclass(slots=True)
class _Transcript:
    """The pages so far, the lines of the last one, and the segment that is being read."""

    zones: dict[str, _Zone]
    pages: list[SourcePage] = field(default_factory=list)
    name: str | None = None
    image: str = ""
    size: tuple[float, float] | None = None
    lines: list[SourceLine] = field(default_factory=list)
    segment: list[str] = field(default_factory=list)
    box: Box | None = None
    notes: int = 0

    def read(self, element: Element) -> None:
        """Read an element and what is in it; `MAX_DEPTH` bounds the recursion."""
        name = local_name(element)
        if name in {"pb", "lb", "cb", "gap", "g", "milestone"}:
            self._read_point(name, element)
        elif name == "note":
            self._read_note(element)
        elif _BLOCKS.fullmatch(name):
            self.end_line()
            self.box = self._box_of(element)
            self._read_content(element)
            self.end_line()
        elif name and name not in _SKIPPED and not _is_edited(element, name):
            self._read_content(element)

    def _read_content(self, element: Element) -> None:
        self.segment.append(element.text or "")
        for each in element:
            self.read(each)
            self.segment.append(each.tail or "")

    def _read_point(self, name: str, element: Element) -> None:
        if name == "pb":
            self._begin_page(element)
        elif name in {"lb", "cb"}:
            self.end_line()
            self.box = self._box_of(element)
        elif name == "g":
            self.segment.append("".join(element.itertext()).strip() or MISSING_CHARACTER)
        elif name == "gap":
            is_counted = (element.get("unit") or "").startswith("char")
            count = int(number(element.get("quantity") or element.get("extent")) or 1) if is_counted else 1
            self.segment.append(MISSING_CHARACTER * min(max(count, 1), _MOST_MISSING))

    def _read_note(self, element: Element) -> None:
        if element.get("type") == "editorial" or element.get("resp"):
            return
        box = self.box
        self.end_line()
        self.box = self._box_of(element)
        self.notes += 1
        self._read_content(element)
        self.end_line()
        self.notes -= 1
        self.box = box

    def _begin_page(self, element: Element) -> None:
        self.end_line()
        self._end_page()
        facs = element.get("facs") or ""
        zone = self.zones.get(facs.removeprefix("#"))
        self.name = element.get("n") or element.get(_ID) or ""
        self.image = zone.image if zone else ("" if facs.startswith("#") else facs)
        self.size = zone.size if zone else None

    def _box_of(self, element: Element) -> Box | None:
        zone = self.zones.get((element.get("facs") or "").removeprefix("#"))
        if zone is None:
            return None
        self.size = self.size or zone.size
        return zone.box

    def end_line(self) -> None:
        line = line_of("".join(self.segment), self.box, is_note=self.notes > 0)
        self.segment = []
        if line:
            self.lines.append(line)
            if not self.notes:
                self.box = None

    def _end_page(self) -> None:
        if self.name is not None:
            self.pages.append(SourcePage(tuple(self.lines), self.name, self.image, self.size))
            self.lines = []

    def finish(self) -> tuple[SourcePage, ...]:
        self.end_line()
        if self.name is None:
            return (SourcePage(tuple(self.lines), size=self.size),)
        self._end_page()
        return tuple(self.pages)


def _is_edited(element: Element, name: str) -> bool:
    """Return whether an element is the editor's alternative of a choice that also has the original."""
    parent = element.getparent()
    return name in _EDITED and local_name(parent) == "choice" and child(parent, _EDITED[name]) is not None


def _zones(root: Element) -> dict[str, _Zone]:
    """Return the surfaces and zones of a document by their identifiers."""
    zones: dict[str, _Zone] = {}
    for surface in descendants(root, "surface"):
        area = _area(surface)
        graphic = next(descendants(surface, "graphic"), None)
        image = (graphic.get("url") or "") if graphic is not None else ""
        size = (area[2] - area[0], area[3] - area[1]) if area else _graphic_size(graphic)
        for each in descendants(surface, "surface", "zone"):
            box = _area(each) if local_name(each) == "zone" else None
            moved = _moved(box, area) if box and area else box
            if each.get(_ID):
                zones[each.get(_ID)] = _Zone(image, size, moved if size else None)
    return zones


def _graphic_size(graphic: Element | None) -> tuple[float, float] | None:
    values = (
        [number((graphic.get(key) or "").removesuffix("px")) for key in ("width", "height")]
        if graphic is not None
        else []
    )
    known = [value for value in values if value and value > 0]
    return (known[0], known[1]) if len(known) == 2 else None


def _area(element: Element) -> Box | None:
    values = [number(element.get(key)) for key in ("ulx", "uly", "lrx", "lry")]
    left, top, right, bottom = (value if value is not None else -1.0 for value in values)
    return (left, top, right, bottom) if None not in values and right > left and bottom > top else None


def _moved(box: Box, area: Box) -> Box:
    return box[0] - area[0], box[1] - area[1], box[2] - area[0], box[3] - area[1]


def _title(root: Element) -> str:
    statement = next(descendants(root, "titleStmt"), None)
    title = child(statement, "title") if statement is not None else None
    return " ".join("".join(title.itertext()).split()) if title is not None else ""
