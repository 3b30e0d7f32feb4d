"""Strips and tiles of TIFF masters: lost and damaged ones are refused, and sound files with careless tags accepted."""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from repository.config import Settings
from repository.errors import MasterUnreadable, MasterUnsupported
from repository.sandbox.functions import Quota
from repository.sandbox.pool import SandboxPool
from workers.masters.examine import FUNCTIONS, ChildExaminer, Examined, open_child_examiner
from workers.masters.tiff import TiffFile
from workers.masters.tiff_data import check_data
from workers.masters.tiff_page import find_page

SAMPLES = np.kron(np.random.default_rng(1).integers(60, 256, (40, 32, 3), dtype=np.uint8), np.ones((8, 8, 1), np.uint8))

LAYOUTS: dict[str, dict[str, object]] = {
    "tiles": {"tile": (128, 128)},
    "LZW tiles": {"tile": (128, 128), "compression": "lzw"},
    "deflate tiles": {"tile": (128, 128), "compression": "deflate"},
    "JPEG tiles": {"tile": (128, 128), "compression": "jpeg"},
    "PackBits tiles": {"tile": (128, 128), "compression": "packbits"},
    "large tiles": {"tile": (1024, 1024), "compression": "deflate"},
    "BigTIFF tiles": {"tile": (64, 128), "bigtiff": True, "byteorder": ">"},
    "strips": {"rowsperstrip": 48},
    "LZW strips": {"rowsperstrip": 48, "compression": "lzw"},
    "deflate strips": {"rowsperstrip": 48, "compression": "deflate", "predictor": True},
    "JPEG strips": {"rowsperstrip": 48, "compression": "jpeg"},
    "one strip": {"rowsperstrip": 320, "compression": "deflate"},
}
SIZES = {3: "H", 4: "I", 16: "Q"}


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChildExaminer]:
    with open_child_examiner(Settings(decode_seconds=60), tmp_path_factory.mktemp("scratch"), 1) as examiner:
        yield examiner


def written(layout: str) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, SAMPLES, photometric="rgb", metadata=None, **LAYOUTS[layout])
    return file.getvalue()


def page_of(content: bytes) -> tifffile.TiffPage:
    return tifffile.TiffFile(io.BytesIO(content)).pages[0]


def overwritten(content: bytes, place: int, data: bytes) -> bytes:
    return content[:place] + data + content[place + len(data) :]


def with_value(content: bytes, name: str, number: int, value: int) -> bytes:
    """Return the file with another value of the tags of strips and tiles: ``Offsets`` or ``ByteCounts``."""
    page = page_of(content)
    tag = page.tags[("Tile" if page.is_tiled else "Strip") + name]
    kind = tifffile.TiffFile(io.BytesIO(content)).byteorder + SIZES[tag.dtype]
    place = tag.valueoffset + number * struct.calcsize(kind)
    return overwritten(content, place, struct.pack(kind, value))


def examined(pool: ChildExaminer, folder: Path, content: bytes) -> Examined:
    path = folder / "0001.tif"
    path.write_bytes(content)
    return pool(path, None)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_whole_picture_is_accepted(layout: str, pool: ChildExaminer, tmp_path: Path) -> None:
    examined_picture = examined(pool, tmp_path, written(layout))
    assert (examined_picture.width, examined_picture.height) == (256, 320)
    if "JPEG" not in layout:
        assert examined_picture.pixels == examined(pool, tmp_path, written("strips")).pixels


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("which", ["first", "middle", "last"])
def test_a_strip_or_tile_that_was_never_written_is_refused(
    layout: str, which: str, pool: ChildExaminer, tmp_path: Path
) -> None:
    content = written(layout)
    number = {"first": 0, "middle": len(page_of(content).dataoffsets) // 2, "last": -1}[which]
    number %= len(page_of(content).dataoffsets)
    hole = with_value(with_value(content, "Offsets", number, 0), "ByteCounts", number, 0)
    with pytest.raises(MasterUnreadable, match="never written"):
        examined(pool, tmp_path, hole)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_strip_or_tile_beyond_the_end_of_the_file_is_refused(
    layout: str, pool: ChildExaminer, tmp_path: Path
) -> None:
    content = written(layout)
    last = len(page_of(content).dataoffsets) - 1
    offset, length = page_of(content).dataoffsets[last], page_of(content).databytecounts[last]
    for place in (len(content) - length + 1, len(content), len(content) + 1000):
        with pytest.raises(MasterUnreadable, match="incomplete"):
            examined(pool, tmp_path, with_value(content, "Offsets", last, place))
    for part in (10, 30, 60, 95):
        with pytest.raises(MasterUnreadable):
            examined(pool, tmp_path, content[: (offset + length) * part // 100])


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("tag", ["Offsets", "ByteCounts"])
def test_a_picture_with_too_few_strips_or_tiles_is_refused(
    layout: str, tag: str, pool: ChildExaminer, tmp_path: Path
) -> None:
    content = written(layout)
    count = len(page_of(content).dataoffsets)
    if count == 1:
        pytest.skip("the only one cannot be left out of a list")
    page, file = page_of(content), tifffile.TiffFile(io.BytesIO(content))
    entry = page.tags[("Tile" if page.is_tiled else "Strip") + tag]
    shorter = struct.pack(file.byteorder + ("Q" if file.is_bigtiff else "I"), count - 1)
    with pytest.raises(MasterUnreadable, match="never written"):
        examined(pool, tmp_path, overwritten(content, entry.offset + 4, shorter))


@pytest.mark.parametrize("layout", [name for name, options in LAYOUTS.items() if "compression" in options])
@pytest.mark.parametrize("how", ["zeroed", "garbled"])
def test_a_damaged_strip_or_tile_is_refused(layout: str, how: str, pool: ChildExaminer, tmp_path: Path) -> None:
    content = written(layout)
    number = len(page_of(content).dataoffsets) // 2
    offset, length = page_of(content).dataoffsets[number], page_of(content).databytecounts[number]
    middle = offset + length // 2
    garbled = overwritten(content, middle, bytes(byte ^ 0x5A for byte in content[middle : middle + 60]))
    if how == "garbled" and "LZW" in layout:
        pytest.skip("LZW has no check sum: libtiff need not notice")
    damaged = garbled if how == "garbled" else overwritten(content, offset, bytes(length))
    with pytest.raises(MasterUnreadable):
        examined(pool, tmp_path, damaged)


@given(st.sampled_from(["deflate tiles", "deflate strips", "one strip"]), st.floats(0, 1), st.integers(0, 7))
def test_no_bit_of_deflated_data_can_be_flipped_unnoticed(layout: str, where: float, bit: int) -> None:
    content = written(layout)
    page = page_of(content)
    number = round(where * (len(page.dataoffsets) - 1))
    place = page.dataoffsets[number] + 2 + round(where * (page.databytecounts[number] - 3))
    flipped = overwritten(content, place, bytes([content[place] ^ 1 << bit]))
    file = TiffFile(io.BytesIO(flipped))
    try:
        check_data(file, find_page(file))
    except MasterUnreadable:
        return
    assert (page_of(flipped).asarray() == SAMPLES).all()


@pytest.mark.slow
@pytest.mark.parametrize("blocks", [1, 2, 3])
@given(st.integers(-40, 40))
def test_deflated_data_of_any_length_is_whole(blocks: int, more: int) -> None:
    """The stream is read in blocks of 1 MiB: it ends a little before, at or after the end of a block."""
    content = io.BytesIO()
    samples = np.full((1, (blocks << 20) + more), 255, np.uint8)
    tifffile.imwrite(content, samples, photometric="minisblack", metadata=None, compression="deflate")
    file = TiffFile(content)
    check_data(file, find_page(file))


@pytest.mark.parametrize("compression", ["zstd", "lzma", "lerc", "jpeg2000", "jpegxl", "png"])
@pytest.mark.parametrize("options", [{"tile": (64, 64)}, {"rowsperstrip": 64}], ids=["tiles", "strips"])
def test_a_compression_that_libtiff_was_built_without_is_unsupported(
    compression: str, options: dict[str, object], pool: ChildExaminer, tmp_path: Path
) -> None:
    file = io.BytesIO()
    tifffile.imwrite(file, SAMPLES, photometric="rgb", compression=compression, metadata=None, **options)
    with pytest.raises(MasterUnsupported, match="compression"):
        examined(pool, tmp_path, file.getvalue())


@pytest.mark.parametrize("length", [0, 320 * 256 * 3 + 1000, 0xFFFFFFFF])
def test_a_careless_length_of_the_only_uncompressed_strip_is_accepted(
    length: int, pool: ChildExaminer, tmp_path: Path
) -> None:
    file = io.BytesIO()
    tifffile.imwrite(file, SAMPLES, photometric="rgb", rowsperstrip=320, metadata=None)
    careless = with_value(file.getvalue(), "ByteCounts", 0, length)
    assert examined(pool, tmp_path, careless).pixels == examined(pool, tmp_path, written("strips")).pixels
    with pytest.raises(MasterUnreadable):
        examined(pool, tmp_path, careless[:-1])


def test_the_missing_length_of_the_only_strip_is_computed(pool: ChildExaminer, tmp_path: Path) -> None:
    def without_lengths(layout: str) -> bytes:
        content = written(layout)
        return overwritten(content, page_of(content).tags[279].offset, struct.pack("<H", 65000))

    whole = examined(pool, tmp_path, written("one strip"))
    assert examined(pool, tmp_path, without_lengths("one strip")).pixels == whole.pixels
    with pytest.raises(MasterUnreadable):
        examined(pool, tmp_path, without_lengths("deflate strips"))


@pytest.mark.parametrize("value", [0, 9, 1000])
@pytest.mark.parametrize("layout", ["tiles", "JPEG tiles", "strips", "one strip"])
def test_an_undefined_orientation_shows_the_picture_as_it_is(
    layout: str, value: int, pool: ChildExaminer, tmp_path: Path
) -> None:
    file = io.BytesIO()
    tags = [(274, 3, 1, value, True)]
    tifffile.imwrite(file, SAMPLES, photometric="rgb", metadata=None, extratags=tags, **LAYOUTS[layout])
    assert examined(pool, tmp_path, file.getvalue()).pixels == examined(pool, tmp_path, written(layout)).pixels


def test_a_width_whose_type_is_too_small_for_the_tile_is_refused(pool: ChildExaminer, tmp_path: Path) -> None:
    file = io.BytesIO()
    tifffile.imwrite(file, SAMPLES[:30, :40], photometric="rgb", tile=(256, 256), metadata=None)
    place = page_of(file.getvalue()).tags["ImageWidth"].offset
    content = overwritten(file.getvalue(), place + 2, struct.pack("<HIB", 1, 1, 40))
    with pytest.raises(MasterUnreadable, match="tag 256"):
        examined(pool, tmp_path, content)


@pytest.mark.slow
def test_a_careless_tag_of_a_file_larger_than_the_memory_is_corrected(pool: ChildExaminer, tmp_path: Path) -> None:
    path = tmp_path / "0001.tif"
    tifffile.imwrite(path, SAMPLES, photometric="rgb", metadata=None, extratags=[(274, "H", 1, 0, True)])
    pixels = pool(path, None).pixels
    os.truncate(path, 600 << 20)
    limits = Quota(seconds=60, memory=500 << 20)
    with SandboxPool(FUNCTIONS, 1, tmp_path, limits) as little:
        assert ChildExaminer(little, Settings(), tmp_path, 1)(path, None).pixels == pixels


def test_a_picture_smaller_than_its_tiles_is_accepted(pool: ChildExaminer, tmp_path: Path) -> None:
    for height, width in ((20, 30), (1, 300), (300, 1)):
        file = io.BytesIO()
        tifffile.imwrite(file, SAMPLES[:height, :width], photometric="rgb", tile=(4096, 1024), compression="lzw")
        picture = examined(pool, tmp_path, file.getvalue())
        tifffile.imwrite(tmp_path / "plain.tif", SAMPLES[:height, :width], photometric="rgb")
        assert picture.pixels == pool(tmp_path / "plain.tif", None).pixels
