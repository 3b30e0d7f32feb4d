"""Finds the page of a TIFF file: which directory holds the picture, and what its tags say about it. (pure)

Source: TIFF 6.0, sections 8 (NewSubfileType, SubfileType, PlanarConfiguration, Orientation), 15 (tiles), 18
(ExtraSamples) and 21 (YCbCr); Adobe PageMaker 6.0 TIFF Technical Notes (SubIFDs).

- A directory that is marked as a reduced version or as a mask is not a page. The page may follow it, or be in one of
  the sub-IFDs of a directory so marked, as camera software writes it. Sub-IFDs of a page are its reduced versions.
- Extra samples are transparency only if ExtraSamples says so (1 or 2). Scanners add other samples, such as infrared.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Final

from repository.errors import MasterMultipage, MasterUnreadable, MasterUnsupported
from repository.localized import LocalizedText
from workers.masters.tiff import Directory, TiffFile

JPEG: Final = 7
DEFLATE: Final = frozenset({8, 32946})
UNCOMPRESSED: Final = 1
_READABLE: Final = DEFLATE | {UNCOMPRESSED, 2, 3, 4, 5, JPEG, 32766, 32771, 32773, 32809, 32909, 50001}
_OTHER_COMPRESSIONS: Final = {
    6: "old-style JPEG", 9: "JBIG", 10: "JBIG", 33003: "JPEG 2000", 33004: "JPEG 2000", 33005: "JPEG 2000",
    34661: "JBIG", 34676: "SGI LogLuv", 34677: "SGI LogLuv", 34712: "JPEG 2000", 34887: "LERC", 34892: "DNG JPEG",
    34925: "LZMA", 34933: "PNG", 34934: "JPEG XR", 50000: "ZSTD", 50002: "JPEG XL", 52546: "JPEG XL",
}  # fmt: skip

WHITE_IS_ZERO: Final = 0
BLACK_IS_ZERO: Final = 1
RGB: Final = 2
PALETTE: Final = 3
SEPARATED: Final = 5
YCBCR: Final = 6
CIELAB: Final = 8
ICCLAB: Final = 9
_COLOURS: Final = {WHITE_IS_ZERO: 1, BLACK_IS_ZERO: 1, RGB: 3, PALETTE: 1, YCBCR: 3, CIELAB: 3, ICCLAB: 3}
_CMYK: Final = 4
_TRANSPARENCY: Final = frozenset({1, 2})

_NEW_SUBFILE_TYPE, _SUBFILE_TYPE, _SUB_IFDS = 254, 255, 330
_COLOUR_MAP, _INK_SET, _EXTRA_SAMPLES = 320, 332, 338
_YCBCR_COEFFICIENTS, _YCBCR_SUBSAMPLING, _REFERENCE_BLACK_WHITE = 529, 530, 532

_ORIENTATIONS: Final = range(1, 9)
_REDUCED: Final = 0b001
_MASK: Final = 0b100
_OLD_REDUCED: Final = 2
_MOST_SUB_IFDS: Final = 64
_MOST_REDUCED: Final = 64
_MOST_SAMPLES: Final = 64

_LUMA: Final = (Fraction(299, 1000), Fraction(587, 1000), Fraction(114, 1000))
_REFERENCE: Final = tuple(map(Fraction, (0, 255, 128, 255, 128, 255)))


@dataclass(frozen=True, slots=True)
class Place:
    """The place of a directory: its number in the main chain, and its number among the sub-IFDs there, if it is one."""

    number: int
    sub_ifd: int | None = None


@dataclass(frozen=True, slots=True)
class TiffPage:
    """The directory of a page, and the values of the tags that decide how its picture is read.

    `colours` is the number of samples that make the colour of a pixel, 0 if that is not known. `extra` has the values
    of ExtraSamples for the samples that follow them; 0 (unspecified) if the tag is absent. `subsampling` has the
    factors of YCbCr across and down, 1 in other pictures. `tile` has the width and height of a tile, None for strips.
    """

    place: Place
    directory: Directory
    width: int
    height: int
    compression: int
    photometric: int
    bits: int
    samples: int
    separate_planes: bool
    tile: tuple[int, int] | None
    orientation: int
    orientation_is_defined: bool
    colours: int
    extra: tuple[int, ...]
    subsampling: tuple[int, int]

    @property
    def size(self) -> tuple[int, int]:
        """The width and height in pixels."""
        return self.width, self.height

    @property
    def is_integer_lab(self) -> bool:
        """Whether the samples are CIELAB or ICCLab in 8 or 16 bits."""
        return self.photometric in {CIELAB, ICCLAB} and self.bits in {8, 16}

    @property
    def transparency(self) -> int | None:
        """The index of the sample that holds the transparency."""
        return next((self.colours + n for n, kind in enumerate(self.extra) if kind in _TRANSPARENCY), None)


@dataclass(frozen=True, slots=True)
class YcbcrCoding:
    """How the colours of a YCbCr picture are coded (section 21).

    `luma` has the weights of red, green and blue; `reference` the codes of black and white, for Y, Cb and Cr.
    """

    luma: tuple[Fraction, ...]
    reference: tuple[Fraction, ...]


_Placed = tuple[Place, Directory]


@dataclass(frozen=True, slots=True)
class _Chain:
    """The main chain: its first page, the number of pages, and the first reduced versions."""

    pages: list[_Placed]
    count: int
    reduced: list[_Placed]


def find_page(file: TiffFile) -> TiffPage:
    """Return the page of a file.

    Raises `MasterMultipage`, `MasterUnsupported` for a compression that is not decoded, and `MasterUnreadable`.
    """
    chain = _read_chain(file)
    pages, count = chain.pages, chain.count
    if not count:
        pages = list(_pages_in_sub_ifds(file, chain.reduced))
        count = len(pages)
    if not count:
        raise MasterUnreadable(
            reason=LocalizedText("TIFF 文件中没有完整尺寸的图像", "the TIFF file has no picture in its full size")
        )
    if count > 1:
        raise MasterMultipage(pages=count)
    return _describe(file, *pages[0])


def ycbcr_coding(file: TiffFile, page: TiffPage) -> YcbcrCoding:
    """Return the YCbCr coding of a page, with the defaults of section 21. Raises `MasterUnreadable`."""
    luma = file.rationals(page.directory, _YCBCR_COEFFICIENTS, 3)
    reference = file.rationals(page.directory, _REFERENCE_BLACK_WHITE, 6)
    coding = YcbcrCoding(luma if len(luma) == 3 else _LUMA, reference if len(reference) == 6 else _REFERENCE)
    if not coding.luma[1] or any(map(Fraction.__eq__, coding.reference[::2], coding.reference[1::2])):
        raise MasterUnreadable(
            reason=LocalizedText("TIFF 的 YCbCr 标签无效", "the tags of its YCbCr colours are not valid")
        )
    return coding


def _read_chain(file: TiffFile) -> _Chain:
    pages: list[_Placed] = []
    reduced: list[_Placed] = []
    count = 0
    for number, directory in enumerate(file.chain()):
        kind = _subfile_type(file, directory)
        if not kind & (_MASK | _REDUCED):
            count += 1
            pages = pages or [(Place(number), directory)]
        elif not kind & _MASK and len(reduced) < _MOST_REDUCED:
            reduced.append((Place(number), directory))
    return _Chain(pages, count, reduced)


def _subfile_type(file: TiffFile, directory: Directory) -> int:
    if _NEW_SUBFILE_TYPE in directory.entries:
        return file.number(directory, _NEW_SUBFILE_TYPE, 0)
    return _REDUCED if file.number(directory, _SUBFILE_TYPE, 1) == _OLD_REDUCED else 0


def _pages_in_sub_ifds(file: TiffFile, directories: list[_Placed]) -> Iterator[_Placed]:
    for place, directory in directories:
        for number, offset in enumerate(file.numbers(directory, _SUB_IFDS, _MOST_SUB_IFDS)):
            if offset:
                found = file.directory(offset)
                if not _subfile_type(file, found) & (_MASK | _REDUCED):
                    yield Place(place.number, number), found


def _describe(file: TiffFile, place: Place, directory: Directory) -> TiffPage:
    number = partial(file.number, directory)
    compression, photometric, samples = number(259, UNCOMPRESSED), number(262, BLACK_IS_ZERO), number(277, 1)
    tiled = 322 in directory.entries or 324 in directory.entries
    bits, orientation = number(258, 1), number(274, 1)
    _check_compression(compression)
    if photometric == PALETTE and len(file.array(directory, _COLOUR_MAP, 3 << 16)) < 3 << min(bits, 16):
        raise MasterUnreadable(reason=LocalizedText("TIFF 的颜色表不完整", "its colour map is incomplete"))
    colours = _CMYK if photometric == SEPARATED and number(_INK_SET, 1) == 1 else _COLOURS.get(photometric, 0)
    extra = file.numbers(directory, _EXTRA_SAMPLES, _MOST_SAMPLES)
    count = min(max(samples - colours, 0), _MOST_SAMPLES) if colours else 0
    across, down = (*file.numbers(directory, _YCBCR_SUBSAMPLING, 2), 2, 2)[:2] if photometric == YCBCR else (1, 1)
    return TiffPage(
        place=place,
        directory=directory,
        width=number(256, 0),
        height=number(257, 0),
        compression=compression,
        photometric=photometric,
        bits=bits,
        samples=samples,
        separate_planes=number(284, 1) == 2,
        tile=(number(322, 0), number(323, 0)) if tiled else None,
        orientation=orientation if orientation in _ORIENTATIONS else 1,
        orientation_is_defined=orientation in _ORIENTATIONS,
        colours=colours,
        extra=(*extra, *[0] * count)[:count],
        subsampling=(across, down),
    )


def _check_compression(compression: int) -> None:
    if compression not in _READABLE:
        seen = _OTHER_COMPRESSIONS.get(compression, str(compression))
        raise MasterUnsupported(seen=LocalizedText(f"TIFF，{seen} 压缩", f"TIFF, {seen} compression"))
