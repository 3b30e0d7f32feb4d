"""All texts of a page as JSON: what each is, where it comes from, and its lines with their places. (pure)

An annotation page gives the best text alone, since viewers would show several as one. This document is for programs
that let people choose, as our reader does.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from iiif_server.presentation.text_annotations import text_label
from iiif_server.presentation.values import Json, bilingual, present
from repository.model.text import PageText, TextLine
from repository.model.work import Page


def page_texts(page: Page, texts: Sequence[PageText]) -> bytes:
    """Return the texts of a page, the best first.

    ``quality`` is 0 to 1. ``region`` is x, y, width and height in pixels of the page's canvas. Both are absent where
    they are not known.
    """
    document = {"page": page.key, "texts": [_text(text, has_picture=bool(page.images)) for text in texts]}
    return json.dumps(document, ensure_ascii=False).encode()


def _text(text: PageText, *, has_picture: bool) -> Json:
    return {
        "kind": text.kind.value,
        "label": bilingual(text_label(text)),
        **present(source=text.source, language=text.language),
        **({} if text.quality is None else {"quality": text.quality}),
        "lines": [_line(line, has_picture=has_picture) for line in text.lines],
    }


def _line(line: TextLine, *, has_picture: bool) -> Json:
    region = line.region if has_picture else None
    place = [region.x, region.y, region.width, region.height] if region else None
    return {"text": line.text, **present(region=place), **({"note": True} if line.is_note else {})}
