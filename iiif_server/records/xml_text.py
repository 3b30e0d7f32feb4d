"""Text and bytes of XML documents. (pure)"""

from __future__ import annotations

import re
from typing import Final

from lxml import etree

XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"
XLINK: Final = "http://www.w3.org/1999/xlink"
_NO_CHARACTER: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_REPLACEMENT: Final = "\ufffd"


def xml_text(text: str) -> str:
    """Return a text whose characters XML allows (XML 1.0, section 2.2); any other becomes U+FFFD."""
    return _NO_CHARACTER.sub(_REPLACEMENT, text)


def serialized(root: etree._Element) -> bytes:
    """Return a document as UTF-8 with a declaration, indented; the same elements always give the same bytes."""
    etree.indent(root)
    document: bytes = etree.tostring(root, encoding="UTF-8", xml_declaration=True)
    return document + b"\n"


def set_schema(root: etree._Element, namespace: str, schema: str) -> None:
    """State where the schema of a namespace is (XML Schema 1.0, part 1, section 4.3.2)."""
    root.set(f"{{{XSI}}}schemaLocation", f"{namespace} {schema}")
