"""Blocks of text: the unit of the index, some pages of a work with the head of what follows. (pure)

A block is a row of the index. It has whole pages, about `BLOCK_TOKENS` characters of them, because a common character
is then found in thousands of rows and not in a million. Its **tail** has the lines that follow, at least `OVERLAP`
characters of them, so that a phrase which a page end or the end of the block divides is found in the row of its first
character. A phrase that begins in the tail belongs to the next block.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

import msgspec

from iiif_server.search.fold import Tier, fold
from repository.model.text import TextLine

BLOCK_TOKENS: Final = 4000
MOST_TOKENS: Final = 64
"""The characters of the longest phrase that can be found."""

OVERLAP: Final = MOST_TOKENS - 1
_LEVEL: Final = 6


class BlockLine(msgspec.Struct, frozen=True, array_like=True):
    """A line of a page and its box in pixels of the page's first image: x, y, width, height; None if unknown."""

    text: str
    box: tuple[int, int, int, int] | None = None


class BlockPage(msgspec.Struct, frozen=True, array_like=True):
    """The text of a page: its number in the work from 1, its label, its first image with its sides, and its lines.

    `first` is the number of the first of `lines` in the page, which is not 0 in the tail of a block alone.
    """

    number: int
    label: str
    image: str
    width: int
    height: int
    lines: list[BlockLine]
    first: int = 0


class Block(msgspec.Struct, frozen=True, array_like=True):
    """The pages of a block, and the lines that follow them."""

    pages: list[BlockPage]
    tail: list[BlockPage]

    def tokens(self, tier: Tier, folded: Callable[[str, Tier], str] = fold) -> str:
        """Return what the index has of the block in a tier; another reading of it if it is folded by `fold_single`."""
        own = "".join(folded(line.text, tier) for page in self.pages for line in page.lines)
        return own + "".join(folded(line.text, tier) for page in self.tail for line in page.lines)[:OVERLAP]

    def to_bytes(self) -> bytes:
        """Return the block as it is stored."""
        return zlib.compress(msgspec.msgpack.encode(self), _LEVEL)

    @classmethod
    def of_bytes(cls, data: bytes) -> Block:
        """Return the block that `to_bytes` gave."""
        return msgspec.msgpack.decode(zlib.decompress(data), type=cls)


def line_of(line: TextLine) -> BlockLine:
    """Return a line as a block has it. Halves of surrogate pairs, which no encoding has, are left out."""
    text = line.text.encode("utf-8", "ignore").decode("utf-8")
    region = line.region
    return BlockLine(text, (region.x, region.y, region.width, region.height) if region else None)


def blocks_of(pages: Iterable[BlockPage]) -> Iterator[Block]:
    """Yield the blocks of a work, whose pages with text are `pages`, in order."""
    filled = [page for page in pages if page.lines]
    sizes = [sum(_length(line) for line in page.lines) for page in filled]
    start = 0
    while start < len(filled):
        end, size = start + 1, sizes[start]
        while end < len(filled) and size + sizes[end] <= BLOCK_TOKENS:
            size += sizes[end]
            end += 1
        yield Block(filled[start:end], list(_tail(filled[end:])))
        start = end


def _tail(pages: Sequence[BlockPage]) -> Iterator[BlockPage]:
    missing = OVERLAP
    for page in pages:
        if missing <= 0:
            return
        lines = []
        for line in page.lines:
            if missing <= 0:
                break
            lines.append(line)
            missing -= _length(line)
        yield msgspec.structs.replace(page, lines=lines)


def _length(line: BlockLine) -> int:
    """Return the fewest tokens that a line has in any tier."""
    return min(len(fold(line.text, Tier.EXACT)), len(fold(line.text, Tier.FOLDED)))
