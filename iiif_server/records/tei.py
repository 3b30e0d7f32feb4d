"""The text of a work in TEI P5 (https://tei-c.org/release/doc/tei-p5-doc/en/html/). (pure)

Each page begins with a ``pb`` that names it. A ``surface`` of the ``facsimile`` has its picture, with a ``zone`` for
each line whose place is known; the ``lb`` of the line, or the ``note`` for small characters in double columns (夹注),
refers to it. Surfaces are measured in pixels of the page's first image.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from lxml import etree
from lxml.builder import ElementMaker

from iiif_server.records.context import RecordContext
from iiif_server.records.xml_text import xml_text
from repository.model.text import PageText, TextLine
from repository.model.work import Page, Work

MEDIA_TYPE: Final = "application/tei+xml"
NAMESPACE: Final = "http://www.tei-c.org/ns/1.0"
_XML: Final = "http://www.w3.org/XML/1998/namespace"
_T: Final = ElementMaker(namespace=NAMESPACE, nsmap={None: NAMESPACE})


def tei_document(work: Work, texts: Mapping[str, PageText], context: RecordContext) -> bytes:
    """Return the `texts` of a work, by the keys of its pages, as a document. Pages without text are in it, too."""
    surfaces, body = _T.facsimile(), _T.ab()
    for number, page in enumerate(work.pages(), start=1):
        text = texts.get(page.key)
        surface = _surface(number, page, text, context)
        body.append(_T.pb(n=xml_text(page.label), **({} if surface is None else {"facs": f"#p{number}"})))
        if surface is not None:
            surfaces.append(surface)
        for place, line in enumerate(text.lines if text else (), start=1):
            _append_line(body, line, f"#p{number}l{place}" if surface is not None and line.region else "")
    language = next((text.language for text in texts.values() if text.language), next(iter(work.record.language), ""))
    transcription = _T.text(_T.body(body), **({f"{{{_XML}}}lang": language} if language else {}))
    facsimile = [surfaces] if len(surfaces) else []
    root = _T.TEI(_header(work, texts.values(), context), *facsimile, transcription)
    # Not indented: white space would become part of the text.
    document: bytes = etree.tostring(root, encoding="UTF-8", xml_declaration=True)
    return document + b"\n"


def _header(work: Work, texts: Iterable[PageText], context: RecordContext) -> etree._Element:
    record = work.record
    sources = dict.fromkeys(f"{text.kind.value}: {text.source}" for text in texts if text.source)
    publication = [_T.idno(work.identifier, type="identifier"), _T.ref(target=context.page(work))]
    published = [_T.publisher(xml_text(context.provider)), *publication[:1]] if context.provider else []
    described = [
        *(_T.author(xml_text(name)) for name in record.creator),
        _T.title(xml_text(record.title)),
        *([_T.date(xml_text(record.date.text))] if record.date else []),
        *([_T.edition(xml_text(record.edition))] if record.edition else []),
        publication[1],
    ]
    return _T.teiHeader(
        _T.fileDesc(
            _T.titleStmt(_T.title(xml_text(record.title)), *(_T.author(xml_text(name)) for name in record.creator)),
            _T.publicationStmt(*(published or [_T.p(work.identifier)])),
            *([_T.notesStmt(*(_T.note(xml_text(source)) for source in sources))] if sources else []),
            _T.sourceDesc(_T.bibl(*described)),
        )
    )


def _surface(number: int, page: Page, text: PageText | None, context: RecordContext) -> etree._Element | None:
    """Return the surface of a page, None for one without a picture."""
    if not page.images:
        return None
    image = page.images[0]
    corners = {"ulx": "0", "uly": "0", "lrx": str(image.width), "lry": str(image.height)}
    surface = _T.surface(_T.graphic(url=context.image(image)), **corners, **{f"{{{_XML}}}id": f"p{number}"})
    surface.extend(_zones(number, text.lines if text else ()))
    return surface


def _zones(number: int, lines: Iterable[TextLine]) -> Iterator[etree._Element]:
    for place, line in enumerate(lines, start=1):
        if box := line.region:
            corners = {"ulx": box.x, "uly": box.y, "lrx": box.x + box.width, "lry": box.y + box.height}
            yield _T.zone(
                **{name: str(value) for name, value in corners.items()}, **{f"{{{_XML}}}id": f"p{number}l{place}"}
            )


def _append_line(body: etree._Element, line: TextLine, zone: str) -> None:
    facs = {"facs": zone} if zone else {}
    if line.is_note:
        body.append(_T.note(xml_text(line.text), place="inline", **facs))
    else:
        beginning = _T.lb(**facs)
        beginning.tail = xml_text(line.text)
        body.append(beginning)
