"""The invisible text of a PDF page, which can be searched and copied. (pure)

Text is set in text rendering mode 3, which paints nothing (ISO 32000-1, section 9.3.6), so no font with glyphs is
needed. The fonts are of Type 3 (section 9.6.5), whose glyphs are part of the file: all of them are one empty square.
A ``ToUnicode`` CMap (section 9.10.3) says which character a code stands for, also beyond the Basic Multilingual Plane.
A font has at most 255 codes, so a book needs one for each 255 different characters.

A line that is at least as high as wide is a column: it is written as a line turned clockwise by a quarter, which
readers of PDF copy from top to bottom and from the right column to the left.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from repository.model.text import PageText, TextLine
from repository.model.work import Rectangle

CODES: Final = 255
"""Characters in a font: every code of a byte but 0."""

_EM: Final = 1000
_ENTRIES: Final = 100
"""Entries in a section of a CMap, at most (Adobe Technical Note 5411, section 1.4.1)."""

_CMAP: Final = """/CIDInit /ProcSet findresource begin
12 dict begin
begincmap
/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def
/CMapName /Adobe-Identity-UCS def
/CMapType 2 def
1 begincodespacerange
<00> <FF>
endcodespacerange
{sections}
endcmap
CMapName currentdict /CMap defineresource pop
end
end"""


class Code(NamedTuple):
    """The code of a character: the number of its font from 0, and its byte in that font."""

    font: int
    byte: int


class Placed(NamedTuple):
    """A line with its place on the page in points; `y` is that of its lower edge, from the bottom of the page."""

    text: str
    x: float
    y: float
    width: float
    height: float


class Alphabet:
    """The characters of a document, in the order of their code points, and the fonts that hold them."""

    def __init__(self, texts: Iterable[PageText]) -> None:
        self._characters = sorted(
            {character for text in texts for line in text.lines for character in line.text if character.isprintable()}
        )
        self._codes = {
            character: Code(place // CODES, place % CODES + 1) for place, character in enumerate(self._characters)
        }

    @property
    def fonts(self) -> int:
        """The number of fonts."""
        return -(-len(self._characters) // CODES)

    def characters(self, font: int) -> Sequence[str]:
        """Return the characters of a font; the first has the code 1."""
        return self._characters[font * CODES : (font + 1) * CODES]

    def encode(self, text: str) -> Iterator[tuple[int, bytes]]:
        """Yield the text in runs of one font: its number, and the bytes of the codes."""
        run: list[int] = []
        font = -1
        for code in (self._codes[character] for character in text if character in self._codes):
            if run and code.font != font:
                yield font, bytes(run)
                run = []
            font = code.font
            run.append(code.byte)
        if run:
            yield font, bytes(run)


def to_unicode(characters: Sequence[str]) -> bytes:
    """Return the CMap of a font with these characters, whose codes begin with 1."""
    entries = [f"<{code:02X}> <{_utf16(character)}>" for code, character in enumerate(characters, start=1)]
    sections = [entries[start : start + _ENTRIES] for start in range(0, len(entries), _ENTRIES)]
    written = "\n".join(f"{len(part)} beginbfchar\n{chr(10).join(part)}\nendbfchar" for part in sections)
    return _CMAP.format(sections=written).encode("ascii")


def _utf16(character: str) -> str:
    return character.encode("utf-16-be").hex().upper()


def glyph_names(count: int) -> str:
    """Return the array that gives every code of a font the same empty glyph."""
    return f"[1 {' '.join(['/square'] * count)}]"


def widths(count: int) -> str:
    """Return the widths of the glyphs: each is one em wide."""
    return f"[{' '.join([str(_EM)] * count)}]"


def operators(text: PageText, alphabet: Alphabet, picture: tuple[int, int], page: tuple[float, float]) -> bytes:
    """Return the operators of a content stream that write the text of a page (section 9.4).

    `picture` has the width and height in pixels of the picture to which the regions of lines refer, `page` those of the
    page in points. Fonts are named ``/F0``, ``/F1``, ...
    """
    lines = [line for line in text.lines if line.text.strip()]
    placed = [_placed(line, line.region, picture, page) for line in lines if line.region]
    placed += _spread([line for line in lines if line.region is None], page)
    written = [_line(line, alphabet) for line in placed]
    return f"BT\n3 Tr\n{''.join(written)}ET".encode("ascii") if placed else b""


def _placed(line: TextLine, region: Rectangle, picture: tuple[int, int], page: tuple[float, float]) -> Placed:
    across, down = page[0] / picture[0], page[1] / picture[1]
    x, width, height = region.x * across, region.width * across, region.height * down
    return Placed(line.text.strip(), x, page[1] - region.y * down - height, width, height)


def _spread(lines: Sequence[TextLine], page: tuple[float, float]) -> list[Placed]:
    """Return lines without a known place as columns over the whole page, from right to left."""
    width = page[0] / max(1, len(lines))
    return [
        Placed(line.text.strip(), page[0] - width * number, 0, width, page[1])
        for number, line in enumerate(lines, start=1)
    ]


def _line(line: Placed, alphabet: Alphabet) -> str:
    """Return a line with a matrix by which each character has an equal part of the region."""
    runs = list(alphabet.encode(line.text))
    count = sum(len(codes) for _, codes in runs)
    if not count:
        return ""
    matrix: tuple[float, ...]
    if line.height >= line.width:
        matrix = (0, -line.height / count, line.width, 0, line.x, line.y + line.height)
    else:
        matrix = (line.width / count, 0, 0, line.height, line.x, line.y)
    shown = "".join(f"/F{font} 1 Tf <{codes.hex().upper()}> Tj\n" for font, codes in runs)
    return f"{' '.join(f'{number:.3f}' for number in matrix)} Tm\n{shown}"
