"""Writes segments of the index, and reads the works of one back to be written into another.

`repository/database/search_segment.py` has the SQL, `documents` and `blocks` what a segment has of each work.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import msgspec

from iiif_server.search.blocks import Block
from iiif_server.search.documents import IndexedWork
from iiif_server.search.fold import TIERS, Tier, encode, encode_pairs, fold
from repository.database.search_segment import (
    BLOCK_BITS,
    CHARACTERS,
    FIELDS,
    PAIRS,
    SegmentReader,
    SegmentWriter,
    new_segment,
)

IndexedContent = tuple[IndexedWork, Iterable[Block]]
"""A work with its blocks of text."""

_SEPARATOR: Final = "zz"
"""A token that no character has; it stands between the values of a field."""


class SegmentSize(msgspec.Struct):
    """What a segment has: works, those of them that it hides, pages with text, and bytes."""

    works: int = 0
    removed: int = 0
    pages: int = 0
    bytes: int = 0


def write_segment(path: Path, works: Iterable[IndexedContent]) -> SegmentSize:
    """Write a segment of works, each once. Memory: some blocks, and FTS5's buffers. Raises `StagingFault`."""
    size = SegmentSize()
    with new_segment(path) as writer:
        characters: set[str] = set()
        for work, blocks in works:
            _write_work(writer, size.works, work)
            size.works += 1
            size.removed += work.removed
            for number, block in enumerate(blocks):
                tokens = {tier: block.tokens(tier) for tier in TIERS}
                characters.update(tokens[Tier.EXACT])
                row = (size.works - 1 << BLOCK_BITS) | number
                writer.add_block(row, block.to_bytes())
                for tier, found in tokens.items():
                    writer.add_text(CHARACTERS, tier, row, encode(found))
                writer.add_text(PAIRS, Tier.EXACT, row, encode_pairs(tokens[Tier.EXACT]))
                size.pages += len(block.pages)
        writer.finish("".join(sorted(characters)))
    size.bytes = path.stat().st_size
    return size


def _write_work(writer: SegmentWriter, number: int, work: IndexedWork) -> None:
    writer.add_work(number, work.identifier, msgspec.msgpack.encode(work))
    if work.removed:
        return
    for tier in TIERS:
        writer.add_record(tier, number, [_field(work.fields.get(name, []), tier) for name in FIELDS])
    writer.add_suggestions([_suggestion(*each) for each in work.suggestions])


def _field(values: list[str], tier: Tier) -> str:
    return f" {_SEPARATOR} ".join(encode(fold(_encodable(value), tier)) for value in values)


def _suggestion(kind: str, text: str, pinyin: str) -> tuple[str, str, str, str, str]:
    syllables = pinyin.split(" ")
    initials = "".join(each[:1] for each in syllables)
    return fold(_encodable(text), Tier.VARIANT), "".join(syllables), initials, _encodable(text), kind


def _encodable(text: str) -> str:
    """Return a text without halves of surrogate pairs, which no encoding has."""
    return text.encode("utf-8", "ignore").decode("utf-8")


def works_of(reader: SegmentReader) -> Iterator[tuple[int, IndexedWork]]:
    """Yield the number and the record of each work of a segment."""
    for number, document in reader.works():
        yield number, msgspec.msgpack.decode(document, type=IndexedWork)


def contents_of(path: Path) -> Iterator[IndexedContent]:
    """Yield the works of a segment; the blocks of each are read while they are iterated. Raises `SegmentDamaged`."""
    with closing(SegmentReader(path)) as reader:
        for number, work in works_of(reader):
            yield work, (Block.of_bytes(body) for body in reader.blocks_of(number))
