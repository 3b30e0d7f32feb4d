"""A PDF of one page that is one JPEG picture, as ISO 32000-1 has it. (pure)

The picture is not encoded again: its bytes stand in the file as they are (``DCTDecode``), so that this costs nothing
but some hundred bytes, and can be written while the JPEG is still being made.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

DOTS_PER_INCH: Final = 300
"""The size of the page: nothing is known of the original's here, and so many pixels an inch print well."""

LARGEST_SIDE: Final = 60_000
"""Pixels a side: at 300 an inch, the 14,400 units of 1/72 inch that readers of PDF allow (ISO 32000-1, annex C)."""


class PdfPage:
    """Writes the file to `sink`: `open`, then the bytes of the JPEG through `write`, then `close`."""

    def __init__(self, width: int, height: int, grey: bool, sink: Callable[[bytes], object]) -> None:
        self._width, self._height, self._grey = width, height, grey
        self._sink = sink
        self._place = 0
        self._objects: list[int] = []

    def open(self) -> None:
        """What stands before the picture."""
        across, along = (f"{side * 72 / DOTS_PER_INCH:.2f}" for side in (self._width, self._height))
        drawing = f"{across} 0 0 {along} 0 0 cm /Im Do"
        self._put("%PDF-1.4\n%âãÏÓ\n")
        self._object("<< /Type /Catalog /Pages 2 0 R >>")
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
        self._picture = self._place

    def write(self, data: bytes) -> None:
        """The next bytes of the JPEG."""
        self._place += len(data)
        self._sink(data)

    def close(self) -> None:
        """What stands after the picture: its length, only now known, and where everything is."""
        length = self._place - self._picture
        self._put("\nendstream\nendobj\n")
        self._object(str(length))
        start, count = self._place, len(self._objects) + 1
        places = "".join(f"{place:010d} 00000 n \n" for place in self._objects)
        trailer = f"trailer\n<< /Size {count} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n"
        self._put(f"xref\n0 {count}\n0000000000 65535 f \n{places}{trailer}")

    def _object(self, content: str) -> None:
        self._begin(f"{content}\nendobj\n")

    def _begin(self, text: str) -> None:
        self._objects.append(self._place)
        self._put(f"{len(self._objects)} 0 obj\n{text}")

    def _put(self, text: str) -> None:
        self.write(text.encode("latin-1"))
