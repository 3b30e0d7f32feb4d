"""Reads ALTO 2 to 4 (https://www.loc.gov/standards/alto/), in any namespace and whether schema-valid or not. (pure)

Lines are in the order of the document, which is the reading order of ALTO, unless the file states another: the first
``OrderedGroup`` of ``ReadingOrder`` (version 4.3), or ``IDNEXT`` of blocks. A line is a note if the line or its block
refers to a tag whose label or type means one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from repository.model.text import TextKind
from workers.text.source import Box, SourceLine, SourcePage, SourceText, TextForm, joined_box, line_of, mean, means_note
from workers.text.xml_input import child, children, descendants, number
from workers.untrusted_xml import Element, local_name

_STRINGS: Final = {"String", "SP", "HYP"}
_BLOCKS: Final = ("TextBlock", "ComposedBlock", "Illustration", "GraphicalElement")


def read_alto(root: Element) -> SourceText:
    """Return the text of an ALTO document. Raises `TextProblem`."""
    description = child(root, "Description")
    unit = _text(description, "MeasurementUnit").lower()
    image = _text(next(descendants(root, "sourceImageInformation"), None), "fileName")
    notes = _note_tags(root)
    order = _stated_order(root)
    layout = list(descendants(root, "Page"))
    pages = tuple(_page(page, unit, image if len(layout) == 1 else "", notes, order) for page in layout)
    confidences = [value for text in descendants(root, "String") if (value := number(text.get("WC"))) is not None]
    return SourceText(
        TextForm.ALTO,
        pages or (SourcePage(()),),
        has_breaks=len(pages) > 1,
        kind=TextKind.OCR,
        source=_software(root),
        quality=mean(confidences),
        language=_language(root),
    )


def _page(page: Element, unit: str, image: str, notes: set[str], order: dict[str, int]) -> SourcePage:
    width, height = number(page.get("WIDTH")), number(page.get("HEIGHT"))
    size = (width, height) if width and height and width > 0 and height > 0 else None
    has_pixels = size is not None or unit in {"", "pixel"}
    lines = [
        (position, line)
        for element in _in_block_order(page)
        if (line := _line(element, notes, has_pixels=has_pixels))
        for position in [_position(element, order)]
    ]
    if order:
        lines.sort(key=lambda item: item[0])  # stable: lines without a stated place stay behind, in document order
    return SourcePage(tuple(line for _, line in lines), image=image, size=size)


def _line(element: Element, notes: set[str], *, has_pixels: bool) -> SourceLine | None:
    parts = [part for part in element if local_name(part) in _STRINGS]
    text = "".join(_content(part) for part in parts)
    box = _box(element) or joined_box(_box(part) for part in parts)
    references = {name for each in (element, *_blocks_around(element)) for name in (each.get("TAGREFS") or "").split()}
    return line_of(text, box if has_pixels else None, is_note=bool(references & notes))


def _content(part: Element) -> str:
    name = local_name(part)
    if name == "SP":
        return " "
    return (part.get("CONTENT") or "") if name == "String" else (part.get("CONTENT") or "\u00ad")


def _box(element: Element) -> Box | None:
    x, y = number(element.get("HPOS")), number(element.get("VPOS"))
    width, height = number(element.get("WIDTH")), number(element.get("HEIGHT"))
    if x is None or y is None or width is None or height is None:
        return None
    return x, y, x + max(width, 0.0), y + max(height, 0.0)


def _blocks_around(element: Element) -> Iterator[Element]:
    return (each for each in element.iterancestors() if local_name(each) in _BLOCKS)


def _in_block_order(page: Element) -> Iterator[Element]:
    """Yield the lines of a page in document order; those of a block follow the block whose IDNEXT names it."""
    blocks = list(descendants(page, "TextBlock"))
    following = {block.get("ID"): block.get("IDNEXT") for block in blocks if block.get("ID")}
    named = set(following.values()) & following.keys()
    by_name = {block.get("ID"): block for block in blocks}
    if not named:
        yield from descendants(page, "TextLine")
        return
    done: set[str] = set()
    for block in (*(b for b in blocks if b.get("ID") not in named), *blocks):
        name = block.get("ID")
        if name is None:
            yield from children(block, "TextLine")
        while name in by_name and name not in done:
            done.add(name)
            yield from children(by_name[name], "TextLine")
            name = following.get(name)


def _stated_order(root: Element) -> dict[str, int]:
    """Return the places of the elements that the first ordered group of a reading order names."""
    reading = child(root, "ReadingOrder")
    group = next(descendants(reading, "OrderedGroup"), None) if reading is not None else None
    references = descendants(group, "ElementRef") if group is not None else iter(())
    places: dict[str, int] = {}
    for place, reference in enumerate(references):
        places.setdefault(reference.get("REF") or "", place)
    return places


def _position(line: Element, order: dict[str, int]) -> int:
    """Return the place of a line: its own, else that of its first string, else that of its block, else the last."""
    strings = [each for each in line if local_name(each) == "String"]
    for group in ([line], strings, list(_blocks_around(line))):
        if places := [order[name] for each in group if (name := each.get("ID") or "") in order]:
            return min(places)
    return len(order)


def _note_tags(root: Element) -> set[str]:
    tags = child(root, "Tags")
    found = tags if tags is not None else ()
    return {each.get("ID") for each in found if any(means_note(each.get(key) or "") for key in ("LABEL", "TYPE"))}


def _software(root: Element) -> str:
    """Return name and version of the software of the recognition, '' if the file does not state them."""
    steps = list(descendants(root, "ocrProcessingStep")) or list(descendants(root, "Processing"))
    for step in steps:
        for software in descendants(step, "processingSoftware"):
            words = (_text(software, "softwareName"), _text(software, "softwareVersion"))
            return " ".join(word for word in words if word)
    return ""


def _language(root: Element) -> str | None:
    named = (each.get("LANG") or each.get("language") for each in descendants(root, "TextBlock"))
    return next(filter(None, named), None)


def _text(element: Element | None, name: str) -> str:
    found = child(element, name) if element is not None else None
    return (found.text or "").strip() if found is not None else ""
