"""Checks the strips or tiles of a TIFF page: that each was written, is in the file, and that its data are whole.

libtiff and libvips decode a tile that was never written as black, and stop before the check sum of deflated data. The
check reads compressed data a second time, in one strip or tile at a time.

Source: TIFF 6.0, sections 3 (strips), 15 (tiles) and 22 (JPEG); TIFF Technical Note 2 (JPEG); RFC 1950 (zlib).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

from repository.errors import MasterUnreadable
from repository.localized import LocalizedText
from workers.masters.tiff import TiffFile
from workers.masters.tiff_page import DEFLATE, UNCOMPRESSED, TiffPage

_WHOLE_PICTURE: Final = 0xFFFFFFFF
_INFLATED_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Pieces:
    """The strips or tiles of a page: `offsets` and `lengths` in the file; `size` is that of a whole one, decoded.

    All are in bytes. `size` is 0 for subsampled pictures, whose strips have another size.
    """

    offsets: NDArray[np.uint64]
    lengths: NDArray[np.uint64]
    size: int


def check_data(file: TiffFile, page: TiffPage) -> None:
    """Check all strips or tiles of a page. Raises `MasterUnreadable`."""
    pieces = locate_pieces(file, page)
    if page.compression in DEFLATE:
        for data in read_pieces(file, pieces):
            _check_deflated(data)


def locate_pieces(file: TiffFile, page: TiffPage) -> Pieces:
    """Return the strips or tiles of a page, each of which is inside the file. Raises `MasterUnreadable`."""
    count, size = _count(file, page)
    offset_tag, length_tag = (324, 325) if page.tile else (273, 279)
    offsets = file.array(page.directory, offset_tag, count)
    lengths = file.array(page.directory, length_tag, count)
    if count == 1 and not lengths.any():  # libtiff computes it, too
        lengths = np.uint64(file.size) - np.minimum(offsets, np.uint64(file.size))
    written = min(len(offsets), len(lengths))
    offsets, lengths = offsets[:written], lengths[:written]
    missing = count - written + int(np.count_nonzero((offsets == 0) | (lengths == 0)))
    if missing:
        raise _missing(page, missing, count)
    if count == 1 and page.compression == UNCOMPRESSED and size:
        lengths = np.minimum(lengths, np.uint64(size))  # libtiff, too, ignores a length that is too large
    inside = np.minimum(offsets, np.uint64(file.size))
    if outside := int(np.count_nonzero(lengths > np.uint64(file.size) - inside)):
        raise _cut_off(page, outside, count)
    return Pieces(offsets, lengths, size)


def read_pieces(file: TiffFile, pieces: Pieces) -> Iterator[bytes]:
    """Yield the data of every strip or tile, as they are in the file."""
    for offset, length in zip(pieces.offsets.tolist(), pieces.lengths.tolist(), strict=True):
        yield file.read(offset, length)


def _count(file: TiffFile, page: TiffPage) -> tuple[int, int]:
    """Return the number of strips or tiles of a page, and the bytes of a whole one, decoded."""
    if page.tile:
        width, rows = page.tile
    else:
        width, rows = page.width, min(file.number(page.directory, 278, _WHOLE_PICTURE), page.height)
    if not (width and rows and page.width and page.height):
        raise MasterUnreadable(reason=LocalizedText("TIFF 的尺寸标签无效", "its tags of sizes are not valid"))
    planes = page.samples if page.separate_planes else 1
    count = -(-page.width // width) * -(-page.height // rows) * planes
    subsampled = page.subsampling != (1, 1)
    return count, 0 if subsampled else _row_bytes(page, width) * rows


def _row_bytes(page: TiffPage, width: int) -> int:
    return (width * (1 if page.separate_planes else page.samples) * page.bits + 7) // 8


def _check_deflated(data: bytes) -> None:
    """Check that `data` can be inflated to the end of the stream, and that its check sum is right."""
    stream = isal_zlib.decompressobj()  # three times as fast as zlib
    try:
        # The stream may have taken all of the data and still hold a part of the result.
        while not stream.eof and (stream.decompress(data, _INFLATED_BYTES) or stream.unconsumed_tail):
            data = stream.unconsumed_tail
    except isal_zlib.error as fault:  # type: ignore[misc]  # the types of isal call the class an instance
        raise MasterUnreadable(
            reason=LocalizedText("压缩的图像数据已损坏", "the compressed data of the picture are damaged")
        ) from fault
    if not stream.eof:
        raise MasterUnreadable(
            reason=LocalizedText("压缩的图像数据不完整", "the compressed data of the picture are incomplete")
        )


def _missing(page: TiffPage, missing: int, count: int) -> MasterUnreadable:
    zh, en = ("图块", "tiles") if page.tile else ("条带", "strips")
    return MasterUnreadable(
        reason=LocalizedText(
            f"{count} 个{zh}中有 {missing} 个从未写入",
            f"it has {en} that were never written ({missing} of {count})",
        )
    )


def _cut_off(page: TiffPage, outside: int, count: int) -> MasterUnreadable:
    zh, en = ("图块", "tiles") if page.tile else ("条带", "strips")
    return MasterUnreadable(
        reason=LocalizedText(
            f"文件不完整：{count} 个{zh}中有 {outside} 个超出文件末尾",
            f"the file is incomplete: it ends before some of its {en} ({outside} of {count})",
        )
    )
