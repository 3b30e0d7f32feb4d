"""The directory reader counts pages and refuses every chain of directories that does not end inside the file."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable

import numpy as np
import pytest
import tifffile

from repository.errors import MasterUnreadable
from workers.masters.tiff import MAX_DIRECTORIES, Directories, read_directories

SAMPLES = np.zeros((16, 16), np.uint8)
DIRECTORY_SIZE = 18


def read(content: bytes) -> Directories:
    return read_directories(io.BytesIO(content))


def written(*subfile_types: int, samples: np.ndarray = SAMPLES, **options: object) -> bytes:
    """A TIFF with a directory for each NewSubfileType."""
    file = io.BytesIO()
    with tifffile.TiffWriter(file, **options) as writer:
        for subfile_type in subfile_types:
            writer.write(samples, subfiletype=subfile_type, metadata=None)
    return file.getvalue()


def chain(length: int, link_of_last: Callable[[list[int]], int]) -> bytes:
    """A chain of directories with one tag each. The first is a page, all others are reduced-resolution versions."""
    offsets = [8 + number * DIRECTORY_SIZE for number in range(length)]
    content = b"II*\0" + struct.pack("<I", offsets[0])
    for number in range(length):
        link = offsets[number + 1] if number + 1 < length else link_of_last(offsets)
        content += struct.pack("<HHHIII", 1, 254, 4, 1, min(number, 1), link)
    return content


@pytest.mark.parametrize("options", [{}, {"byteorder": ">"}, {"bigtiff": True}, {"bigtiff": True, "byteorder": ">"}])
def test_pages_are_counted_in_either_byte_order_and_in_bigtiff(options: dict[str, object]) -> None:
    assert read(written(0, **options)) == Directories(1, separate_planes=False)
    assert read(written(0, 0, 1, 1, **options)) == Directories(2, separate_planes=False)


def test_sub_ifds_are_no_pages() -> None:
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(SAMPLES, subifds=1, metadata=None)
        writer.write(SAMPLES[::2, ::2], subfiletype=1, metadata=None)
    assert read(file.getvalue()).pages == 1


def test_separate_planes_are_reported() -> None:
    file = io.BytesIO()
    tifffile.imwrite(file, np.zeros((3, 16, 16), np.uint8), photometric="rgb", planarconfig="separate")
    assert read(file.getvalue()) == Directories(1, separate_planes=True)


@pytest.mark.parametrize("length", [1, 2, 99, 100, 101, 3000])
@pytest.mark.parametrize("target", [0, -1])
def test_a_circular_chain_of_any_length_is_refused(length: int, target: int) -> None:
    with pytest.raises(MasterUnreadable, match="circular"):
        read(chain(length, lambda offsets: offsets[target]))


def test_a_chain_has_at_most_max_directories() -> None:
    assert read(chain(MAX_DIRECTORIES, lambda _: 0)).pages == 1
    with pytest.raises(MasterUnreadable, match="too long"):
        read(chain(MAX_DIRECTORIES + 1, lambda _: 0))


@pytest.mark.parametrize(
    "content",
    [
        b"II*\0\x08",
        b"II*\0" + struct.pack("<I", 1 << 20) + bytes(40),
        b"II+\0" + struct.pack("<HHQ", 8, 0, 1 << 63) + bytes(64),
        b"II*\0" + struct.pack("<IH", 8, 10) + bytes(30),
        chain(2, lambda _: 1 << 30),
    ],
    ids=["short header", "first directory", "BigTIFF", "entries", "second directory"],
)
def test_a_chain_that_leaves_the_file_is_refused(content: bytes) -> None:
    with pytest.raises(MasterUnreadable, match="outside the file"):
        read(content)


@pytest.mark.parametrize(
    "content",
    [
        b"II*\0" + struct.pack("<IH", 8, 65535) + bytes(12 * 65535 + 4),
        b"II+\0" + struct.pack("<HHQQ", 8, 0, 16, 1 << 63) + bytes(64),
    ],
    ids=["TIFF", "BigTIFF"],
)
def test_a_directory_with_too_many_entries_is_refused(content: bytes) -> None:
    with pytest.raises(MasterUnreadable, match="too many entries"):
        read(content)


def test_the_last_directory_may_lack_its_link_at_the_end_of_the_file() -> None:
    assert read(chain(1, lambda _: 0)[:-4]).pages == 1


def test_strip_offsets_are_not_loaded() -> None:
    """A directory that declares 4 billion strips costs no memory here; the decoder refuses it later."""
    tags = [(256, 4, 1, 16), (257, 4, 1, 16), (273, 4, 0xFFFFFFF0, 8), (279, 4, 0xFFFFFFF0, 8)]
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    assert read(b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)).pages == 1
