"""Reads PAGE XML (https://github.com/PRImA-Research-Lab/PAGE-XML), whether schema-valid or not. (pure)

The reading order is that of ``ReadingOrder``, else of ``custom="readingOrder {index:N;}"``, else that of vertical
columns (`columns.py`), else that of the document. A line is a note if ``custom="structure {type:...;}"`` of the line or
its region means one. Text that stands only in words, or only in a region, is taken from there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from repository.model.text import TextKind
from workers.text.columns import are_vertical, in_columns
from workers.text.source import Box, SourceLine, SourcePage, SourceText, TextForm, joined_box, line_of, mean, means_note
from workers.text.xml_input import child, children, descendants, number
from workers.untrusted_xml import Element, local_name

_INDEX: Final = re.compile(r"readingOrder\s*\{[^}]*index\s*:\s*(\d{1,6})")
_TYPE: Final = re.compile(r"structure\s*\{[^}]*type\s*:\s*([^;}]+)")
_POINT: Final = re.compile(r"(-?\d+(?:\.\d+)?),(-?\d+(?:\.\d+)?)")
_MOST_POINTS: Final = 10_000


def read_page_xml(root: Element) -> SourceText:
    """Return the text of a PAGE document. Raises `TextProblem`."""
    confidences = [value for each in descendants(root, "TextEquiv") if (value := number(each.get("conf"))) is not None]
    pages = tuple(_page(page) for page in descendants(root, "Page"))
    creator = next(descendants(root, "Creator"), None)
    return SourceText(
        TextForm.PAGE,
        pages or (SourcePage(()),),
        has_breaks=len(pages) > 1,
        kind=TextKind.OCR if confidences else TextKind.TRANSCRIPTION,
        source=(creator.text or "").strip() if creator is not None else "",
        quality=mean(confidences),
    )


def _page(page: Element) -> SourcePage:
    width, height = number(page.get("imageWidth")), number(page.get("imageHeight"))
    size = (width, height) if width and height and width > 0 and height > 0 else None
    regions = [region for region in descendants(page, "TextRegion") if _has_own_text(region)]
    stated = _stated_order(page)
    places = [stated.get(region.get("id") or "") for region in regions] if stated else _indexes(regions)
    lines = [line for region in _arranged(regions, places) for line in _lines(region)]
    return SourcePage(tuple(lines), image=page.get("imageFilename") or "", size=size)


def _has_own_text(region: Element) -> bool:
    """Return whether a region has lines, or text of its own that is not that of nested regions."""
    return bool(children(region, "TextLine")) or (bool(_equivalent(region)) and not children(region, "TextRegion"))


def _stated_order(page: Element) -> dict[str, int]:
    reading = child(page, "ReadingOrder")
    if reading is None:
        return {}
    references: list[str] = []
    _collect(reading, references)
    places: dict[str, int] = {}
    for place, name in enumerate(references):
        places.setdefault(name, place)
    return places


def _collect(group: Element, references: list[str]) -> None:
    """Add the regions that a group refers to: indexed members by their index, others in document order."""
    if reference := group.get("regionRef"):
        references.append(reference)
    members = [each for each in group if local_name(each).startswith(("RegionRef", "OrderedGroup", "UnorderedGroup"))]
    for member in sorted(members, key=lambda each: number(each.get("index")) or 0):
        _collect(member, references)


def _indexes(elements: Sequence[Element]) -> list[int | None]:
    """Return the places that the `custom` attributes of elements state."""
    matches = (_INDEX.search(element.get("custom") or "") for element in elements)
    return [int(match[1]) if match else None for match in matches]


def _arranged(elements: Sequence[Element], places: Sequence[int | None]) -> list[Element]:
    """Return elements by their stated places, those without after the others; without any, by columns if vertical."""
    if any(place is not None for place in places):
        order = sorted(range(len(elements)), key=lambda at: (places[at] is None, places[at] or 0))
        return [elements[at] for at in order]
    boxes = [box for element in elements if (box := _box(element))]
    lines = [box for element in elements for line in descendants(element, "TextLine") if (box := _box(line))]
    if len(boxes) == len(elements) and are_vertical(lines or boxes):
        return [elements[at] for at in in_columns(boxes)]
    return list(elements)


def _lines(region: Element) -> Iterator[SourceLine]:
    elements = children(region, "TextLine")
    region_is_note = _is_note(region)
    found = False
    for element in _arranged(elements, _indexes(elements)):
        for line in _parts(_line_text(element), _box(element), is_note=region_is_note or _is_note(element)):
            found = True
            yield line
    if not found:
        yield from _parts(_equivalent(region), _box(region) if not elements else None, is_note=region_is_note)


def _parts(text: str, box: Box | None, *, is_note: bool) -> Iterator[SourceLine]:
    for part in text.splitlines():
        if line := line_of(part, box, is_note=is_note):
            yield line


def _line_text(line: Element) -> str:
    return _equivalent(line) or " ".join(filter(None, (_word_text(word) for word in children(line, "Word"))))


def _word_text(word: Element) -> str:
    return _equivalent(word) or "".join(_equivalent(glyph) for glyph in children(word, "Glyph"))


def _equivalent(element: Element) -> str:
    """Return the text of the first of an element's `TextEquiv`, by their index."""
    variants = children(element, "TextEquiv")
    for variant in sorted(variants, key=lambda each: number(each.get("index")) or 0):
        for name in ("Unicode", "PlainText"):
            text = child(variant, name)
            if text is not None and text.text:
                return str(text.text)
    return ""


def _is_note(element: Element) -> bool:
    match = _TYPE.search(element.get("custom") or "")
    return match is not None and means_note(match[1])


def _box(element: Element) -> Box | None:
    coordinates = child(element, "Coords")
    if coordinates is None:
        return joined_box(_box(word) for word in children(element, "Word"))
    pairs = _POINT.findall(coordinates.get("points") or "")[:_MOST_POINTS]
    points = [(float(x), float(y)) for x, y in pairs] or [
        (x, y)
        for point in children(coordinates, "Point")
        if (x := number(point.get("x"))) is not None and (y := number(point.get("y"))) is not None
    ]
    return joined_box((x, y, x, y) for x, y in points)
