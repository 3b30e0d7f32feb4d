"""Write and read the pyramid file.

A pyramid is an uncompressed ZIP file of an image's tiles as libvips' ``dzsave`` writes them (``layout="iiif3"``, names
and order as in `pyramid/grid.py`), without a folder around them. `write_pyramid` has dzsave write the tiles and then
replaces the last kilobytes of the file, because dzsave writes three things that a pyramid must not have:

- ``vips-properties.xml``, which repeats the master's metadata (comments, names) and the current time: omitted;
- an ``info.json`` without `sizes`: replaced by `level0_info`;
- a directory in the order in which threads finished, sometimes with a corner tile listed twice: replaced by a directory
  that lists ``info.json`` and then every tile of the grid once, in its order. When one tile is the whole image, its
  bytes are repeated last as ``full/max/0/default.jpg``, which viewers request then.

The file is therefore::

    tile, tile, ...            in no particular order, each with a local header without extra field
    full/max/0/default.jpg     only when the image is one tile
    info.json
    directory, end             (ZIP64 where a number needs it)

Every record of the directory is determined by the grid except for offset, size and CRC-32; the reader accepts nothing
else. Tiles are JPEGs in YCbCr (or grey) with component identifiers 1, 2, 3 and without JFIF or EXIF markers, which all
decoders read alike.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from struct import Struct
from typing import BinaryIO, Final

import pyvips
from isal import isal_zlib

from iiif_server.pyramid import zip_directory
from iiif_server.pyramid.grid import SUFFIX, TileGrid
from iiif_server.pyramid.zip_directory import End, Entry, ZipInvalid
from repository.errors import PyramidCorrupt
from repository.localized import LocalizedText
from repository.storage.content import Chunk

PLACEHOLDER_ID: Final = "https://base.invalid/image"
"""The `id` in the info.json of every pyramid: its address is not known when it is written (docs/leaving.md sets it)."""

ReadRange = Callable[[int, int], bytes]
"""Returns `length` bytes from `start`, clipped to the file; a negative start counts from the end (`ObjectStore`)."""

_FORMAT: Final = 1
_INFO: Final = b"info.json"
_MAX: Final = f"full/max{SUFFIX}".encode()
_PROPERTIES: Final = b"vips-properties.xml"
_TAIL: Final = 1 << 16
_LARGEST_INFO: Final = 1 << 10
_LARGEST_DIRECTORY: Final = 1 << 26
_LARGEST_FILE: Final = 1 << 48
_SIDES: Final = re.compile(rb'"width":(\d{1,9}),"height":(\d{1,9}),"sizes":.*"tiles":\[\{"width":(\d{1,9}),')
_TILE: Final = Struct("<QII")
_LONGEST_NAME: Final = 200
_NOT_WRITTEN: Final = LocalizedText(
    "写入不完整（磁盘可能已满）：{fault}", "it was not written completely (the disk may be full): {fault}"
)
_OTHER_LENGTH: Final = LocalizedText("文件长度与目录不符", "the file has another length than its directory states")


@dataclass(frozen=True, slots=True)
class PyramidSummary:
    """A pyramid that was written: its fingerprint (see `PyramidDirectory`), file size in bytes, and sides in pixels."""

    fingerprint: str
    bytes: int
    width: int
    height: int


class PyramidDirectory:
    """The position of each tile in a pyramid. Immutable; 16 bytes a tile and about 1.5 KB in addition.

    That is 10 KB for 100 megapixels in tiles of 512, and 125 KB for 1.4 gigapixels. `fingerprint` is the SHA-256 of a
    line ``{name} {size} {crc32 in 8 hex digits}`` for every tile in the grid's order, so equal tiles have equal
    fingerprints whenever and by however many threads they were written. `bytes` is the size of the whole file.
    """

    __slots__ = ("_table", "bytes", "fingerprint", "grid")

    def __init__(self, grid: TileGrid, tiles: Sequence[Entry], size: int) -> None:
        lines = b"".join(b"%s %d %08x\n" % (tile.name, tile.size, tile.crc) for tile in tiles)
        self.grid = grid
        self.fingerprint = hashlib.sha256(lines).hexdigest()
        self.bytes = size
        self._table = b"".join(_TILE.pack(tile.start, tile.size, tile.crc) for tile in tiles)

    def locate(self, ordinal: int) -> tuple[int, int, int]:
        """Return offset and length in bytes of a tile's JPEG, and its CRC-32. The ordinal must be in the grid."""
        return _TILE.unpack_from(self._table, ordinal * 16)

    @property
    def memory(self) -> int:
        """The bytes of memory of this directory, for the budget of a cache."""
        return len(self._table) + 1536


def recipe(tile_size: int, quality: int) -> str:
    """Return a name, 12 hex digits, for everything but the pixels that decides the bytes of a pyramid's tiles."""
    release = f"{pyvips.version(0)}.{pyvips.version(1)}"
    parts = f"pyramid {_FORMAT}, tiles {tile_size}, {_suffix(quality)}, libvips {release}"
    return hashlib.sha256(parts.encode()).hexdigest()[:12]


def level0_info(grid: TileGrid) -> bytes:
    """Return the info.json of a pyramid as a static image service (Image API 3.0, sections 5 and 6: level 0)."""
    smallest = grid.levels[-1]
    document = {
        "@context": "http://iiif.io/api/image/3/context.json",
        "id": PLACEHOLDER_ID,
        "type": "ImageService3",
        "protocol": "http://iiif.io/api/image",
        "profile": "level0",
        "width": grid.width,
        "height": grid.height,
        "sizes": [{"width": smallest.width, "height": smallest.height}],
        "tiles": grid.tiles,
    }
    return json.dumps(document, separators=(",", ":")).encode()


def write_pyramid(image: pyvips.Image, target: Path, tile_size: int, quality: int) -> PyramidSummary:
    """Write the pyramid of an image to the local file `target`, as `write_pyramid_into` does."""
    with target.open("w+b") as file:
        return write_pyramid_into(image, file, target.name, tile_size, quality)


def write_pyramid_into(image: pyvips.Image, file: BinaryIO, key: str, tile_size: int, quality: int) -> PyramidSummary:
    """Write the pyramid of an upright 8-bit grey or sRGB image to an empty file, in one pass over its pixels.

    The image may be opened for sequential access; memory is bounded by its width (two rows of tiles a level), not by
    its height. Before returning, the directory is read back and the bytes of every tile are checked against it. Nothing
    is synced to disk: the store does that. After an error, delete the file. `key` names it in messages.

    Raises `ValueError` for another kind of image and `pyvips.Error` when pixels cannot be read. A full disk raises
    `pyvips.Error`, `OSError` or `PyramidCorrupt`: libvips does not notice when the last bytes of a ZIP are not written.
    """
    if image.format != "uchar" or image.bands not in (1, 3):
        raise ValueError(f"neither 8-bit grey nor sRGB: {image.bands} bands of {image.format}")
    grid = TileGrid(image.width, image.height, tile_size)
    image.dzsave_target(
        pyvips.Target.new_to_descriptor(file.fileno()),
        layout="iiif3",
        container="zip",
        compression=0,
        tile_size=tile_size,
        overlap=0,
        depth="onetile",
        imagename="",
        keep="none",
        suffix=_suffix(quality),
    )
    try:
        _finish(file, grid)
    except ZipInvalid as fault:
        raise PyramidCorrupt(key=key, reason=_NOT_WRITTEN.format(fault=fault)) from fault
    directory = check_tiles(file, key)
    return PyramidSummary(directory.fingerprint, directory.bytes, grid.width, grid.height)


def _suffix(quality: int) -> str:
    """Return the options of dzsave for tiles: libvips' defaults, which halve chroma below quality 90.

    On a painted scroll of 48 megapixels, one core, at quality 80: optimised Huffman tables save 2.4% of the bytes for
    1.75 times the time, and trellis quantisation 10% for 9 times; full chroma costs 17% more bytes.
    """
    return f".jpg[Q={quality}]"


def _finish(file: BinaryIO, grid: TileGrid) -> None:
    """Replace the end of a file of dzsave. Raises `ZipInvalid` when the file is not what dzsave should write."""
    written = _written_tiles(file, grid)
    tiles = [written[name] for name in _names(grid) if name in written]
    if len(tiles) != grid.count or len(written) != grid.count:
        raise ZipInvalid(f"{len(written)} tiles of {grid.count} were written")
    repeated = [(_MAX, _content(file, tiles[0]))] if grid.count == 1 else []
    file.seek(max(tile.end for tile in tiles))
    copied = [_append(file, name, content) for name, content in repeated]
    info = _append(file, _INFO, level0_info(grid))
    directory = b"".join([info, *(tile.record for tile in tiles), *copied])
    offset = file.tell()
    file.write(directory + zip_directory.end_record(1 + len(tiles) + len(copied), offset, len(directory)))
    file.truncate()


def _written_tiles(file: BinaryIO, grid: TileGrid) -> dict[bytes, Entry]:
    """Return the tiles of dzsave by name; of a corner that is listed twice the smaller, whatever their order."""
    file.seek(-zip_directory.LONGEST_END, 2)
    end = zip_directory.read_end(file.read())
    file.seek(end.offset)
    entries = zip_directory.read_entries(file.read(end.size))
    tiles = [entry for entry in entries if entry.name not in (_INFO, _PROPERTIES)]
    if len(tiles) != grid.count + grid.repeats:
        raise ZipInvalid(f"{len(tiles)} tiles of {grid.count + grid.repeats} were written")
    return {tile.name: tile for tile in sorted(tiles, key=lambda tile: (tile.size, tile.crc), reverse=True)}


def _content(file: BinaryIO, entry: Entry) -> bytes:
    file.seek(entry.start)
    return file.read(entry.size)


def _append(file: BinaryIO, name: bytes, content: bytes) -> bytes:
    """Write an entry at the file's position; return its directory record."""
    offset, crc = file.tell(), isal_zlib.crc32(content)
    file.write(zip_directory.local_entry(name, len(content), crc) + content)
    return zip_directory.record(name, len(content), crc, offset)


def check_tiles(file: BinaryIO, key: str) -> PyramidDirectory:
    """Read the pyramid `key` from a file, check the CRC-32 of every tile, and return its directory.

    Raises `PyramidCorrupt`.
    """
    directory = read_directory(_file_range(file), key)
    for ordinal in range(directory.grid.count):
        offset, length, crc = directory.locate(ordinal)
        file.seek(offset)
        if isal_zlib.crc32(file.read(length)) != crc:
            raise PyramidCorrupt(key=key, reason=directory.grid.name_of(ordinal))
    return directory


def check_tile_stream(chunks: Iterable[Chunk], directory: PyramidDirectory, key: str) -> None:
    """Check every tile of the pyramid `key` in one pass over its bytes, in bounded memory: header, name and CRC-32.

    Raises `PyramidCorrupt`, also for a file of another length than the directory's, and what `chunks` raises.
    """
    tiles = sorted((*directory.locate(ordinal), ordinal) for ordinal in range(directory.grid.count))
    window, position = bytearray(), 0
    waiting = iter(tiles)
    tile = next(waiting, None)
    for chunk in chunks:
        window += chunk
        while tile and position + len(window) >= tile[0] + tile[1] + zip_directory.DESCRIPTOR.size:
            _check_tile(window, position, tile, directory, key)
            tile = next(waiting, None)
        header = tile[0] - zip_directory.LOCAL_HEADER.size - _LONGEST_NAME if tile else position + len(window)
        keep = max(0, min(header - position, len(window)))
        del window[:keep]
        position += keep
    if tile or position + len(window) != directory.bytes:
        raise PyramidCorrupt(key=key, reason=_OTHER_LENGTH)


def _check_tile(
    window: bytearray, position: int, tile: tuple[int, int, int, int], directory: PyramidDirectory, key: str
) -> None:
    """Check one tile in the bytes of a file from `position` on: its local header, its bytes, and its descriptor."""
    start, size, crc = tile[0] - position, tile[1], tile[2]
    name = directory.grid.name_of(tile[3]).encode()
    content, end = window[start : start + size], start + size
    forms = (
        (zip_directory.streamed_header(name), zip_directory.descriptor(size, crc)),
        (zip_directory.local_entry(name, size, crc), b""),
    )
    is_framed = any(
        window[start - len(header) : start] == header and window[end : end + len(after)] == after
        for header, after in forms
    )
    if not is_framed or isal_zlib.crc32(content) != crc:
        raise PyramidCorrupt(key=key, reason=directory.grid.name_of(tile[3]))


def _file_range(file: BinaryIO) -> ReadRange:
    def read_range(start: int, length: int) -> bytes:
        size = file.seek(0, 2)
        file.seek(max(0, size + start) if start < 0 else start)
        return file.read(length)

    return read_range


def read_directory(read_range: ReadRange, key: str) -> PyramidDirectory:
    """Read and check the directory of the pyramid `key`: one ranged read, two when it is longer than 64 KiB.

    1. The end record is the last in the file and states the position of the directory.
    2. The info.json before the directory states the grid; both are byte for byte what that grid demands.
    3. The directory lists every tile of the grid once, in order, stored, of a plausible size, and nothing else.
    4. Header, name, bytes and descriptor of the tiles fill the file from its first byte without gap or overlap, except
       for the bytes of a repeated corner. Every offset is therefore right: one ranged read fetches exactly one JPEG.

    Other damage is found elsewhere: a changed CRC-32 gives another `fingerprint` than that of the catalogue, and
    changed or missing bytes of a tile do not match its CRC-32. Raises `PyramidCorrupt`, and what `read_range` raises.
    Time and memory are bounded by the actual length of the directory.
    """
    try:
        return _read_directory(read_range)
    except ZipInvalid as fault:
        raise PyramidCorrupt(key=key, reason=str(fault)) from fault


def _read_directory(read_range: ReadRange) -> PyramidDirectory:
    tail, end = _read_tail(read_range)  # 1
    position = len(tail) - end.length - end.size
    grid = _read_grid(tail[max(0, position - _LARGEST_INFO) : position])  # 2
    info = level0_info(grid)
    record, limit = _expected_record(_INFO, len(info), isal_zlib.crc32(info), end.offset)
    directory = tail[position : position + end.size]
    single = grid.count == 1
    if end.count != 1 + grid.count + single or not directory.startswith(record):
        raise ZipInvalid("the directory is not that of its grid")
    entries = zip_directory.read_entries(directory, len(record))
    tiles = [_checked(next(entries, None), name, grid.tile_size) for name in _names(grid)]  # 3
    copy = next(entries, None) if single else None
    if copy:
        record, limit = _expected_record(_MAX, tiles[0].size, tiles[0].crc, limit)
    if next(entries, None) or (single and (not copy or copy.record != record)):
        raise ZipInvalid("the directory lists something other than the tiles of its grid")
    _check_positions(tiles, limit, grid.repeats)  # 4
    return PyramidDirectory(grid, tiles, end.total)


def _read_tail(read_range: ReadRange) -> tuple[bytes, End]:
    """Return the end of the file with at least info.json and the directory, and its end record."""
    tail = read_range(-_TAIL, _TAIL)
    end = zip_directory.read_end(tail)
    if end.size > _LARGEST_DIRECTORY or end.total > _LARGEST_FILE:
        raise ZipInvalid("the directory is too large to be one")
    if len(tail) < _TAIL and len(tail) != end.total:
        raise ZipInvalid("the file is truncated")
    wanted = min(end.total, _LARGEST_INFO + end.size + end.length)
    if wanted > len(tail):
        tail = read_range(end.total - wanted, wanted)
        if len(tail) != wanted or zip_directory.read_end(tail) != end:
            raise ZipInvalid("the file is truncated")
    return tail, end


def _read_grid(before: bytes) -> TileGrid:
    """Return the grid of the info.json at the end of `before`, which must be byte for byte what that grid demands."""
    match = _SIDES.search(before)
    sides = [int(digits) for digits in match.groups()] if match else [0]
    if min(sides) < 1:
        raise ZipInvalid("info.json is not that of a pyramid")
    grid = TileGrid(*sides)
    info = level0_info(grid)
    if not before.endswith(zip_directory.local_entry(_INFO, len(info), isal_zlib.crc32(info)) + info):
        raise ZipInvalid("info.json is not that of a pyramid")
    return grid


def _expected_record(name: bytes, size: int, crc: int, end: int) -> tuple[bytes, int]:
    """Return the directory record of an entry of `_append` whose bytes end at `end`, and the offset of its header."""
    offset = max(0, end - size - len(name) - zip_directory.LOCAL_HEADER.size)
    return zip_directory.record(name, size, crc, offset), offset


def _checked(entry: Entry | None, name: bytes, tile_size: int) -> Entry:
    """Return the entry if it is the tile `name` and not larger than a JPEG of its pixels can be."""
    if entry is None or entry.name != name or not entry.streamed:
        raise ZipInvalid(f"{name.decode()} is not at its position in the directory")
    if not 0 < entry.size <= 8 * tile_size * tile_size + _TAIL:
        raise ZipInvalid(f"{name.decode()} cannot be {entry.size} bytes")
    return entry


def _check_positions(tiles: list[Entry], limit: int, repeats: int) -> None:
    """Check that the tiles fill the file up to `limit`, with at most one hole for each repeated corner."""
    position = holes = 0
    for offset, end in sorted((tile.offset, tile.end) for tile in tiles):
        if offset < position:
            raise ZipInvalid(f"tiles overlap at {offset}")
        holes += offset > position
        position = end
    if holes + (limit > position) > repeats or limit < position:
        raise ZipInvalid("there are bytes between the tiles that belong to no tile")


def _names(grid: TileGrid) -> Iterator[bytes]:
    return (name.encode() for name in grid.names())
