"""The directory reader finds the page, and refuses chains and values of tags that do not end inside the file."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable

import numpy as np
import pytest
import tifffile

from repository.errors import MasterMultipage, MasterUnreadable, MasterUnsupported
from workers.masters.tiff import MAX_DIRECTORIES, TiffFile
from workers.masters.tiff_page import Place, TiffPage, find_page

SAMPLES = np.zeros((16, 16), np.uint8)
DIRECTORY_SIZE = 18


def read(content: bytes) -> TiffPage:
    return find_page(TiffFile(io.BytesIO(content)))


def written(*subfile_types: int, samples: np.ndarray = SAMPLES, **options: object) -> bytes:
    """A TIFF with a directory for each NewSubfileType."""
    file = io.BytesIO()
    with tifffile.TiffWriter(file, **options) as writer:
        for subfile_type in subfile_types:
            content = samples > 0 if subfile_type == 4 else samples  # a mask is bilevel
            writer.write(content, subfiletype=subfile_type, metadata=None)
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
    page = read(written(0, **options))
    assert (page.place, page.size, page.bits, page.colours, page.extra) == (Place(0), (16, 16), 8, 1, ())
    with pytest.raises(MasterMultipage, match="2 pages"):
        read(written(0, 0, 1, 1, **options))


@pytest.mark.parametrize(
    ("subfile_types", "number"), [((1, 0), 1), ((1, 1, 0), 2), ((0, 1), 0), ((0, 4), 0), ((4, 0), 1), ((1, 0, 1, 4), 1)]
)
def test_the_page_is_the_full_picture_wherever_it_stands(subfile_types: tuple[int, ...], number: int) -> None:
    assert read(written(*subfile_types)).place == Place(number)


def test_the_old_tag_of_reduced_versions_counts_if_the_new_one_is_absent() -> None:
    content = bytearray(written(1, 0))
    for number in (0, 1):
        tag = tifffile.TiffFile(io.BytesIO(content)).pages[number].tags[254]
        struct.pack_into("<HHII", content, tag.offset, 255, 3, 1, 2 - number)
    assert read(bytes(content)).place == Place(1)


@pytest.mark.parametrize("subfile_types", [(1,), (1, 1), (4,), ()])
def test_a_file_without_a_full_picture_is_refused(subfile_types: tuple[int, ...]) -> None:
    with pytest.raises(MasterUnreadable, match="full size"):
        read(written(*subfile_types) if subfile_types else b"II*\0" + bytes(8))


def with_sub_ifds(first: int, *others: int) -> bytes:
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(SAMPLES, subifds=len(others), subfiletype=first, metadata=None)
        for other in others:
            writer.write(SAMPLES[::2, ::2], subfiletype=other, metadata=None)
    return file.getvalue()


def test_sub_ifds_of_a_page_are_no_pages() -> None:
    assert read(with_sub_ifds(0, 1)).place == Place(0)
    assert read(with_sub_ifds(0, 0)).place == Place(0)


def test_the_page_may_be_a_sub_ifd_of_a_reduced_version() -> None:
    page = read(with_sub_ifds(1, 1, 0))
    assert (page.place, page.size) == (Place(0, 1), (8, 8))
    with pytest.raises(MasterMultipage):
        read(with_sub_ifds(1, 0, 0))


def test_separate_planes_are_reported() -> None:
    file = io.BytesIO()
    tifffile.imwrite(file, np.zeros((3, 16, 16), np.uint8), photometric="rgb", planarconfig="separate")
    assert read(file.getvalue()).separate_planes


@pytest.mark.parametrize(("value", "orientation"), [(0, 1), (1, 1), (6, 6), (8, 8), (9, 1), (65535, 1)])
def test_an_orientation_that_tiff_does_not_define_is_upright(value: int, orientation: int) -> None:
    file = io.BytesIO()
    tifffile.imwrite(file, SAMPLES, extratags=[(274, 3, 1, value, True)])
    assert read(file.getvalue()).orientation == orientation


@pytest.mark.parametrize(("declared", "extra", "transparency"), [
    ([], (0,), None), ([0], (0,), None), ([1], (1,), 3), ([2], (2,), 3), ([0, 2], (0, 2), 4), ([1, 0], (1, 0), 3),
])  # fmt: skip
def test_only_declared_samples_are_transparency(
    declared: list[int], extra: tuple[int, ...], transparency: int | None
) -> None:
    file = io.BytesIO()
    samples = np.zeros((16, 16, 3 + len(extra)), np.uint8)
    tifffile.imwrite(file, samples, photometric="rgb", planarconfig="contig", extrasamples=declared or [0] * len(extra))
    content = bytearray(file.getvalue())
    if not declared:
        tag = tifffile.TiffFile(io.BytesIO(content)).pages[0].tags[338]
        struct.pack_into("<H", content, tag.offset, 65000)
    page = read(bytes(content))
    assert (page.extra, page.transparency) == (extra, transparency)


@pytest.mark.parametrize(("code", "name"), [
    (6, "old-style JPEG"), (34712, "JPEG 2000"), (34887, "LERC"), (34925, "LZMA"), (50000, "ZSTD"), (50002, "JPEG XL"),
    (65000, "65000"),
])  # fmt: skip
def test_a_compression_that_is_not_decoded_is_named(code: int, name: str) -> None:
    content = bytearray(written(0))
    tag = tifffile.TiffFile(io.BytesIO(content)).pages[0].tags[259]
    struct.pack_into("<H", content, tag.valueoffset, code)
    with pytest.raises(MasterUnsupported, match=name):
        read(bytes(content))


LONG_TAGS = {
    "profile": (34675, 7, 400, bytes(400), True),
    "description": (270, 2, 400, "x" * 399, True),
    "unknown": (65000, 3, 100, tuple(range(100)), True),
    "rationals": (65001, 5, 6, (1,) * 12, True),
}


@pytest.mark.parametrize("name", LONG_TAGS)
@pytest.mark.parametrize("options", [{}, {"bigtiff": True, "byteorder": ">"}])
def test_a_value_of_a_tag_that_the_end_of_the_file_cuts_off_is_refused(name: str, options: dict[str, object]) -> None:
    file = io.BytesIO()
    tifffile.imwrite(file, SAMPLES, extratags=[LONG_TAGS[name]], metadata=None, software=False, **options)
    page = tifffile.TiffFile(io.BytesIO(file.getvalue())).pages[0]
    tag, content = page.tags[LONG_TAGS[name][0]], bytearray(file.getvalue())
    order, width = (">", 8) if options else ("<", 4)
    for missing in (1, 30, 10_000):
        place = len(content) - tag.valuebytecount + missing
        struct.pack_into(order + ("Q" if options else "I"), content, tag.offset + 4 + width, place)
        with pytest.raises(MasterUnreadable, match="cut off"):
            read(bytes(content))
    struct.pack_into(
        order + ("Q" if options else "I"), content, tag.offset + 4 + width, len(content) - tag.valuebytecount
    )
    assert read(bytes(content)).size == (16, 16)


@pytest.mark.parametrize("count", [767, 300, 1])
def test_a_colour_map_with_too_few_colours_is_refused(count: int) -> None:
    file = io.BytesIO()
    tifffile.imwrite(file, SAMPLES, photometric="palette", colormap=np.zeros((3, 256), np.uint16), metadata=None)
    content = bytearray(file.getvalue())
    assert read(bytes(content)).colours == 1
    tag = tifffile.TiffFile(io.BytesIO(content)).pages[0].tags[320]
    struct.pack_into("<I", content, tag.offset + 4, count)
    with pytest.raises(MasterUnreadable, match="colour map"):
        read(bytes(content))


@pytest.mark.parametrize("length", [1, 2, 99, 100, 101, 3000])
@pytest.mark.parametrize("target", [0, -1])
def test_a_circular_chain_of_any_length_is_refused(length: int, target: int) -> None:
    with pytest.raises(MasterUnreadable, match="circular"):
        read(chain(length, lambda offsets: offsets[target]))


def test_a_chain_has_at_most_max_directories() -> None:
    assert read(chain(MAX_DIRECTORIES, lambda _: 0)).place == Place(0)
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
    assert read(chain(1, lambda _: 0)[:-4]).place == Place(0)


def test_strip_offsets_beyond_the_file_are_not_loaded() -> None:
    """A directory that declares 4 billion strips is refused before memory for them is needed."""
    tags = [(256, 4, 1, 16), (257, 4, 1, 16), (273, 4, 0xFFFFFFF0, 8), (279, 4, 0xFFFFFFF0, 8)]
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    with pytest.raises(MasterUnreadable, match="strip offsets"):
        read(b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4))
