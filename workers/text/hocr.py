"""Reads hOCR (https://kba.github.io/hocr-spec/1.2/). (pure)

Lines are the elements of the classes below that have none of them around; a page without any has a line for each
paragraph. The order is that of the document. Words that white space separates stay separate, but not ideographs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from repository.model.text import TextKind
from workers.text.source import Box, SourceLine, SourcePage, SourceText, TextForm, line_of, mean, means_note
from workers.untrusted_xml import Element, local_name

_LINES: Final = frozenset({"ocr_line", "ocrx_line", "ocr_header", "ocr_footer", "ocr_caption", "ocr_textfloat"})
_PARAGRAPHS: Final = frozenset({"ocr_par", "ocr_carea", "ocrx_block"})
_BOX: Final = re.compile(r"\bbbox\s+(-?\d+(?:\.\d+)?)\s+(-?\d+(?:\.\d+)?)\s+(-?\d+(?:\.\d+)?)\s+(-?\d+(?:\.\d+)?)")
_IMAGE: Final = re.compile(r"\bimage\s+(?:\"([^\"]*)\"|'([^']*)'|([^;\s]+))")
_CONFIDENCE: Final = re.compile(r"\bx_w?confs?\s+(\d+(?:\.\d+)?)")


def read_hocr(root: Element) -> SourceText:
    """Return the text of an hOCR document. Raises `TextProblem`."""
    elements = [each for each in root.iter() if local_name(each)]
    found = [each for each in elements if "ocr_page" in _classes(each)] or [root]
    confidences = [
        float(match[1]) / 100
        for each in elements
        if "ocrx_word" in _classes(each) and (match := _CONFIDENCE.search(each.get("title") or ""))
    ]
    systems = (
        each.get("content") or ""
        for each in elements
        if local_name(each) == "meta" and each.get("name") == "ocr-system"
    )
    return SourceText(
        TextForm.HOCR,
        tuple(_page(each) for each in found),
        has_breaks=len(found) > 1,
        kind=TextKind.OCR,
        source=next(systems, "").strip(),
        quality=mean(confidences),
        language=next((each.get("lang") for each in (root, *found) if each.get("lang")), None),
    )


def is_hocr(content: bytes) -> bool:
    """Return whether an HTML document has pages or lines of hOCR."""
    return b"ocr_page" in content or b"ocr_line" in content


def _page(page: Element) -> SourcePage:
    title = page.get("title") or ""
    box = _box(page)
    match = _IMAGE.search(title)
    image = next(filter(None, match.groups()), "") if match else ""
    lines = list(_lines(page, _LINES)) or list(_lines(page, _PARAGRAPHS))
    if box and (box[0] or box[1]):
        lines = [_moved(line, box[0], box[1]) for line in lines]
    size = (box[2] - box[0], box[3] - box[1]) if box else None
    return SourcePage(tuple(lines), image=image, size=size if size and min(size) > 0 else None)


def _lines(page: Element, names: frozenset[str]) -> Iterator[SourceLine]:
    for element in page.iter():
        if not _classes(element) & names or any(_classes(each) & names for each in element.iterancestors()):
            continue
        is_note = any(means_note(name) for name in _classes(element))
        if line := line_of("".join(element.itertext()), _box(element), is_note=is_note):
            yield line


def _moved(line: SourceLine, x: float, y: float) -> SourceLine:
    box = (line.box[0] - x, line.box[1] - y, line.box[2] - x, line.box[3] - y) if line.box else None
    return SourceLine(line.text, box, line.is_note)


def _classes(element: Element) -> frozenset[str]:
    return frozenset((element.get("class") or "").split()) if local_name(element) else frozenset()


def _box(element: Element) -> Box | None:
    match = _BOX.search(element.get("title") or "")
    if match is None:
        return None
    left, top, right, bottom = map(float, match.groups())
    return left, top, max(left, right), max(top, bottom)
