"""A PDF of one page that shows one JPEG (ISO 32000-1). (pure)

The bytes of the JPEG are embedded unchanged (``DCTDecode``). The PDF adds some hundred bytes, and is written while the
JPEG is being encoded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

DOTS_PER_INCH: Final = 300
"""The resolution of the page. The size of the original is not known here, and 300 dots an inch print well."""


class PdfPage:
    """Writes the file to `sink`: `open`, then the bytes of the JPEG through `write`, then `close`.

    `packet` is the XMP packet of the document (section 14.3.2), b"" for none.
    """

    def __init__(
        self, width: int, height: int, grey: bool, sink: Callable[[bytes], object], packet: bytes = b""
    ) -> None:
        self._packet = packet
        self._width, self._height, self._grey = width, height, grey
        self._sink = sink
        self._position = 0
        self._objects: list[int] = []

    def open(self) -> None:
        """Write everything before the picture."""
        across, along = (f"{side * 72 / DOTS_PER_INCH:.2f}" for side in (self._width, self._height))
        drawing = f"{across} 0 0 {along} 0 0 cm /Im Do"
        self._put("%PDF-1.4\n%âãÏÓ\n")
        metadata = " /Metadata 7 0 R" if self._packet else ""
        self._object(f"<< /Type /Catalog /Pages 2 0 R{metadata} >>")
        self._object("<< /Type /Pages /Kids [3 0 R] /Count 1 >>")
        self._object(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {across} {along}] /Contents 4 0 R"
            " /Resources << /XObject << /Im 5 0 R >> >> >>"
        )
        self._object(f"<< /Length {len(drawing)} >>\nstream\n{drawing}\nendstream")
        space = "DeviceGray" if self._grey else "DeviceRGB"
        self._begin(
            f"<< /Type /XObject /Subtype /Image /Width {self._width} /Height {self._height} /ColorSpace /{space}"
            " /BitsPerComponent 8 /Filter /DCTDecode /Length 6 0 R >>\nstream\n"
        )
        self._picture = self._position

    def write(self, data: bytes) -> None:
        """Write the next bytes of the JPEG."""
        self._position += len(data)
        self._sink(data)

    def close(self) -> None:
        """Write everything after the picture: its length, which is known only now, and the cross-reference table."""
        length = self._position - self._picture
        self._put("\nendstream\nendobj\n")
        self._object(str(length))
        if self._packet:
            self._begin(f"<< /Type /Metadata /Subtype /XML /Length {len(self._packet)} >>\nstream\n")
            self.write(self._packet)
            self._put("\nendstream\nendobj\n")
        start, count = self._position, len(self._objects) + 1
        table = "".join(f"{offset:010d} 00000 n \n" for offset in self._objects)
        trailer = f"trailer\n<< /Size {count} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n"
        self._put(f"xref\n0 {count}\n0000000000 65535 f \n{table}{trailer}")

    def _object(self, content: str) -> None:
        self._begin(f"{content}\nendobj\n")

    def _begin(self, text: str) -> None:
        self._objects.append(self._position)
        self._put(f"{len(self._objects)} 0 obj\n{text}")

    def _put(self, text: str) -> None:
        self.write(text.encode("latin-1"))
