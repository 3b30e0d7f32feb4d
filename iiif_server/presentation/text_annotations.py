"""The text of a page as an annotation page of Presentation 3.0, and the links of a canvas to it. (pure)

Each line is an annotation with the motivation ``supplementing`` (section 5.6), in reading order. Its target is the part
of the canvas where it stands, or the whole canvas if that is not known. Notes in double columns (夹注) have the label
夹注. Of several texts of a page the best is given; translations follow it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from typing import Final

from iiif_server.presentation import alto
from iiif_server.presentation.values import Json, bilingual, present
from iiif_server.urls import PLACEHOLDER, canvas_path, page_text_path, stored_id, text_annotations_path
from repository.localized import LocalizedText
from repository.model.text import PageText, TextKind, TextLine
from repository.model.work import Page, Work

CONTEXT: Final = "http://iiif.io/api/presentation/3/context.json"

_TEXT: Final = LocalizedText("文本", "Text")
_PLAIN: Final = LocalizedText("纯文本", "Plain text")
_ALTO: Final = LocalizedText("文本与位置（ALTO）", "Text with places (ALTO)")
_NOTE: Final = LocalizedText("夹注", "Note in double columns")
_KINDS: Final = {
    TextKind.TRANSCRIPTION: LocalizedText("录文", "Transcription"),
    TextKind.OCR: LocalizedText("文字识别（未经校对）", "Text recognition, uncorrected"),
    TextKind.TRANSLATION: LocalizedText("译文", "Translation"),
}
_KIND_NAMES: Final = {**_KINDS, TextKind.OCR: LocalizedText("文字识别", "Text recognition")}
_CORRECTED: Final = {
    TextKind.TRANSCRIPTION: LocalizedText("录文（已经校正）", "Transcription, corrected"),
    TextKind.OCR: LocalizedText("文字识别（已经校对）", "Text recognition, corrected"),
    TextKind.TRANSLATION: LocalizedText("译文（已经校正）", "Translation, corrected"),
}


def text_label(text: PageText) -> LocalizedText:
    """Return what a text is, in words."""
    return (_CORRECTED if text.is_corrected else _KINDS)[text.kind]


def kind_label(kind: TextKind) -> LocalizedText:
    """Return the name of a kind of text."""
    return _KIND_NAMES[kind]


def text_links(work: str, number: int, kinds: Collection[TextKind]) -> Json:
    """Return the properties of a canvas that link to the text of its page: `annotations` and `seeAlso`."""
    if not kinds:
        return {}
    page = {"id": stored_id(text_annotations_path(work, number)), "type": "AnnotationPage", "label": bilingual(_TEXT)}
    if set(kinds) == {TextKind.TRANSLATION}:
        return {"annotations": [page]}
    files = (
        ("xml", {"type": "Dataset", "format": alto.MEDIA_TYPE, "profile": alto.PROFILE, "label": bilingual(_ALTO)}),
        ("txt", {"type": "Text", "format": "text/plain", "label": bilingual(_PLAIN)}),
    )
    links = [{"id": stored_id(page_text_path(work, number, form)), **values} for form, values in files]
    return {"annotations": [page], "seeAlso": links}


def annotation_page(work: Work, number: int, texts: Sequence[PageText], base_url: str) -> bytes:
    """Return the annotation page of the page with this number, from 1, under the public address `base_url`."""
    page = list(work.pages())[number - 1]
    shown = [*texts[:1], *(text for text in texts[1:] if text.kind is TextKind.TRANSLATION)]
    items = list(_annotations(work.identifier, number, page, shown))
    document = {
        "@context": CONTEXT,
        "id": stored_id(text_annotations_path(work.identifier, number)),
        "type": "AnnotationPage",
        **present(label=bilingual(text_label(shown[0])) if shown else None),
        "items": items,
    }
    return json.dumps(document, ensure_ascii=False).replace(PLACEHOLDER, json.dumps(base_url)[1:-1]).encode()


def _annotations(work: str, number: int, page: Page, texts: Sequence[PageText]) -> Iterator[Json]:
    path = text_annotations_path(work, number)
    lines = ((text, line) for text in texts for line in text.lines)
    for place, (text, line) in enumerate(lines, start=1):
        label = _NOTE if line.is_note else (text_label(text) if text.kind is TextKind.TRANSLATION else None)
        yield {
            "id": stored_id(f"{path}/{place}"),
            "type": "Annotation",
            **present(label=bilingual(label) if label else None),
            "motivation": "supplementing",
            "body": {
                "type": "TextualBody",
                "value": line.text,
                "format": "text/plain",
                **present(language=text.language),
            },
            "target": stored_id(canvas_path(work, number)) + _fragment(page, line),
        }


def _fragment(page: Page, line: TextLine) -> str:
    return f"#xywh={line.region.xywh}" if line.region and page.images else ""
