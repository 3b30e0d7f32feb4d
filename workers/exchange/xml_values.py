"""Values of a work as text and dates of XML documents. (pure)"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from lxml import etree

SHA256: Final = "SHA-256"
_NO_CHARACTER: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_REPLACEMENT: Final = "\ufffd"


def xml_text(text: str) -> str:
    """Return a text whose characters XML allows (XML 1.0, section 2.2); any other becomes U+FFFD."""
    return _NO_CHARACTER.sub(_REPLACEMENT, text)


def href(path: str) -> str:
    """Return the relative reference to a file of the bag, by its path from the bag's folder."""
    return quote(path)


def serialized(root: etree._Element) -> bytes:
    """Return a document as UTF-8 with a declaration, indented; the same elements always give the same bytes."""
    etree.indent(root)
    document: bytes = etree.tostring(root, encoding="UTF-8", xml_declaration=True)
    return document + b"\n"


def stated(values: Mapping[str, str]) -> str:
    """Return named values as one text, ordered by name: ``bytes: 1000; software: shanben 1``."""
    return "; ".join(f"{name}: {value}" for name, value in sorted(values.items()))
