"""XMP packets (ISO 16684-1) in JPEG files and PDF: who holds a picture, under which identifier and rights. (pure)

A packet is UTF-8 XML with a fixed order of properties, so that the same values give the same bytes. It is never changed
in place, and therefore has no padding.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from xml.sax.saxutils import escape, quoteattr

_JPEG_HEADER: Final = b"http://ns.adobe.com/xap/1.0/\0"
_LONGEST_SEGMENT: Final = 65_533
_START: Final = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
_NAMESPACES: Final = (
    'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
    ' xmlns:dc="http://purl.org/dc/elements/1.1/"'
    ' xmlns:xmpRights="http://ns.adobe.com/xap/1.0/rights/"'
    ' xmlns:cc="http://creativecommons.org/ns#"'
)
_CREATIVE_COMMONS: Final = ("http://creativecommons.org/", "https://creativecommons.org/")
_PUBLIC_DOMAIN: Final = "creativecommons.org/publicdomain/"


def xmp_packet(*, identifier: str, source: str, publisher: str, rights: str | None, title: str = "") -> bytes:
    """Return the packet of a picture or a document; empty values are left out.

    `identifier` is that of the image or work, `source` the address of the work, `publisher` the library, `rights` the
    URI of the licence or statement, `title` that of a work.
    """
    parts = [
        f'<dc:title><rdf:Alt><rdf:li xml:lang="x-default">{escape(title)}</rdf:li></rdf:Alt></dc:title>'
        if title
        else "",
        f"<dc:identifier>{escape(identifier)}</dc:identifier>",
        f"<dc:source>{escape(source)}</dc:source>" if source else "",
        f"<dc:publisher><rdf:Bag><rdf:li>{escape(publisher)}</rdf:li></rdf:Bag></dc:publisher>" if publisher else "",
        *(_rights(rights) if rights else ()),
    ]
    description = f'<rdf:Description rdf:about="">{"".join(parts)}</rdf:Description>'
    body = f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF {_NAMESPACES}>{description}</rdf:RDF></x:xmpmeta>'
    return f'{_START}{body}<?xpacket end="r"?>'.encode()


def _default(name: str, text: str) -> str:
    """Return a property with one text, of no language."""
    return f'<{name}><rdf:Alt><rdf:li xml:lang="x-default">{escape(text)}</rdf:li></rdf:Alt></{name}>'


def _rights(uri: str) -> list[str]:
    marked = "False" if _PUBLIC_DOMAIN in uri else "True"
    licence = f"<cc:license rdf:resource={quoteattr(uri)}/>" if uri.startswith(_CREATIVE_COMMONS) else ""
    return [
        _default("dc:rights", uri),
        f"<xmpRights:WebStatement>{escape(uri)}</xmpRights:WebStatement>",
        f"<xmpRights:Marked>{marked}</xmpRights:Marked>",
        licence,
    ]


class JpegPacketWriter:
    """Passes a JPEG on to `sink`, with a packet after its start and its JFIF segment (ISO 16684-3, section 4).

    The JPEG may come in parts of any length. Raises `ValueError` for a packet that one segment cannot hold.
    """

    def __init__(self, sink: Callable[[bytes], object], packet: bytes) -> None:
        content = _JPEG_HEADER + packet
        if len(content) > _LONGEST_SEGMENT:
            raise ValueError(f"an XMP packet of {len(packet)} bytes")
        self._segment = b"\xff\xe1" + (len(content) + 2).to_bytes(2, "big") + content
        self._sink = sink
        self._head: bytes | None = b""

    def __call__(self, data: bytes) -> None:
        """Pass on the next part."""
        if self._head is None:
            self._sink(data)
            return
        self._head += data
        place = _place(self._head)
        if place is not None:
            self._sink(self._head[:place] + self._segment + self._head[place:])
            self._head = None


def _place(head: bytes) -> int | None:
    """Return where the packet belongs in a JPEG that begins like this; None if too little is known of it."""
    if len(head) < 6:
        return None
    if head[2:4] != b"\xff\xe0":
        return 2
    place = 4 + int.from_bytes(head[4:6], "big")
    return place if len(head) >= place else None
