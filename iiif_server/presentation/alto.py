"""Writes the text of a page as ALTO 4.4 (https://www.loc.gov/standards/alto/). (pure)

Places are in pixels of the page's first image. A line is a ``TextLine`` of words, which spaces separate; notes in
double columns (夹注) refer to a tag.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final
from xml.sax.saxutils import quoteattr

from repository.model.text import PageText, TextLine

MEDIA_TYPE: Final = "application/xml"
PROFILE: Final = "http://www.loc.gov/standards/alto/v4/alto-4-4.xsd"

_NAMESPACE: Final = "http://www.loc.gov/standards/alto/ns-v4#"
_FORBIDDEN: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NOTE: Final = "note"


def alto_document(text: PageText, width: int, height: int, image: str = "") -> bytes:
    """Return a text of a page, whose image has this size in pixels, as ALTO; `image` names the picture."""
    lines = "".join(_line(number, line) for number, line in enumerate(text.lines, start=1))
    size = f'WIDTH="{width}" HEIGHT="{height}"'
    accuracy = "" if text.quality is None else f' ACCURACY="{100 * text.quality:.2f}"'
    language = f" LANG={_quoted(text.language)}" if text.language else ""
    block = f'<TextBlock ID="block"{language}>\n{lines}</TextBlock>\n' if lines else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<alto xmlns="{_NAMESPACE}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"\n'
        f' xsi:schemaLocation="{_NAMESPACE} {PROFILE}" SCHEMAVERSION="4.4">\n'
        f"<Description>\n<MeasurementUnit>pixel</MeasurementUnit>\n{_image(image)}{_processing(text)}</Description>\n"
        f'<Tags><OtherTag ID="{_NOTE}" TYPE="note" LABEL="夹注"/></Tags>\n'
        f'<Layout><Page ID="page" PHYSICAL_IMG_NR="1" {size}{accuracy}>\n'
        f'<PrintSpace HPOS="0" VPOS="0" {size}>\n{block}</PrintSpace></Page></Layout>\n</alto>\n'
    ).encode()


def _image(name: str) -> str:
    return f"<sourceImageInformation><fileName>{_escaped(name)}</fileName></sourceImageInformation>\n" if name else ""


def _processing(text: PageText) -> str:
    if not text.source:
        return ""
    software = f"<processingSoftware><softwareName>{_escaped(text.source)}</softwareName></processingSoftware>"
    kind = f"<processingStepDescription>{text.kind.value}</processingStepDescription>"
    return f'<Processing ID="source">{kind}{software}</Processing>\n'


def _line(number: int, line: TextLine) -> str:
    region = line.region
    place = f' HPOS="{region.x}" VPOS="{region.y}" WIDTH="{region.width}" HEIGHT="{region.height}"' if region else ""
    tags = f' TAGREFS="{_NOTE}"' if line.is_note else ""
    return f'<TextLine ID="line{number}"{place}{tags}>{"<SP/>".join(_words(line.text))}</TextLine>\n'


def _words(text: str) -> Iterator[str]:
    return (f"<String CONTENT={_quoted(word)}/>" for word in text.split(" "))


def _quoted(value: str) -> str:
    return quoteattr(_FORBIDDEN.sub("\ufffd", value), {'"': "&quot;"})


def _escaped(value: str) -> str:
    return _FORBIDDEN.sub("\ufffd", value).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
