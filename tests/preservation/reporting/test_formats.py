"""Masters get the identifiers of PRONOM, and every format and version has a stated risk or is said to be unknown."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import imagecodecs
import numpy
import pygfried
import pytest
import pyvips

from preservation.reporting.formats import VERSIONS, FormatRisk, facts_of, facts_of_version
from workers.masters.formats import FORMATS as ACCEPTED
from workers.masters.formats import HEAD, MasterFormat, sniff
from workers.masters.puid import puid_of


@pytest.mark.parametrize("master_format", ACCEPTED, ids=lambda each: each.name)
def test_every_accepted_format_has_a_stated_risk(master_format: MasterFormat) -> None:
    facts = facts_of(master_format.media_type)
    assert facts.risk is not FormatRisk.UNKNOWN
    assert facts.reason.zh
    assert facts.reason.en


def test_an_unknown_format_is_said_to_be_unknown() -> None:
    assert facts_of("image/x-none").risk is FormatRisk.UNKNOWN
    assert facts_of_version("fmt/0").risk is FormatRisk.UNKNOWN


def test_masters_have_the_identifiers_that_pronom_gives_to_files(tmp_path: Path) -> None:
    found = {}
    for name, content in samples():
        file = tmp_path / name
        file.write_bytes(content)
        found[name] = puid_of(io.BytesIO(content), sniff(content[:HEAD]))
        assert found[name] == pygfried.identify(str(file)), name
    assert set(found.values()) == VERSIONS.keys()
    for name, puid in found.items():
        assert VERSIONS[puid or ""].media_type == sniff((tmp_path / name).read_bytes()[:HEAD]).media_type
        assert facts_of_version(puid or "").risk is not FormatRisk.UNKNOWN


def samples() -> Iterator[tuple[str, bytes]]:
    """Yield files of every version of every format, and some of which the version is not known."""
    image = pyvips.Image.black(64, 64, bands=3).copy(interpretation="srgb")
    for big in (False, True):
        yield f"{big}.tif", image.tiffsave_buffer(bigtiff=big)
    yield from webp_samples(image)
    yield from jpeg_2000_samples()
    yield from png_samples(image.pngsave_buffer(keep="none"))
    jpeg = image.jpegsave_buffer(keep="none")
    assert jpeg[2:4] == b"\xff\xdb"  # no segment of an application
    yield from jpeg_samples(jpeg)


def webp_samples(image: pyvips.Image) -> Iterator[tuple[str, bytes]]:
    yield "lossy.webp", image.webpsave_buffer(keep="none")
    yield "lossless.webp", image.webpsave_buffer(keep="none", lossless=True)
    yield "extended.webp", image.bandjoin(128).webpsave_buffer(keep="none")


def jpeg_2000_samples() -> Iterator[tuple[str, bytes]]:
    pixels = numpy.zeros((64, 64, 3), "uint8")
    yield "page.j2k", imagecodecs.jpeg2k_encode(pixels, codecformat="j2k")
    jp2 = imagecodecs.jpeg2k_encode(pixels, codecformat="jp2")
    for brand in (b"jp2 ", b"jpx ", b"jph "):
        yield f"{brand.decode()}.jp2", jp2.replace(b"jp2 \0\0\0\0jp2 ", brand + b"\0\0\0\0" + brand)


def png_samples(png: bytes) -> Iterator[tuple[str, bytes]]:
    end = png.index(b"IEND") - 4
    kinds = {b"pHYs": bytes(9), b"sRGB": b"\0", b"sPLT": b"a\0\x08", b"iTXt": b"k\0\0\0\0\0v"}
    for kind, content in kinds.items():
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        chunk = struct.pack(">I", len(content)) + kind + content + checksum
        yield f"{kind.decode()}.png", png[:33] + chunk + png[33:]
        if kind == b"iTXt":
            yield "late.png", png[:end] + chunk + png[end:]


def jpeg_samples(jpeg: bytes) -> Iterator[tuple[str, bytes]]:
    yield "stream.jpg", jpeg
    for minor in range(3):
        yield f"jfif{minor}.jpg", with_segment(jpeg, 0xE0, b"JFIF\0\1" + bytes([minor]) + b"\0\0\1\0\1\0\0")
    for version in (b"0200", b"0210", b"0220", b"0221", b"0230", b"0232", b"0300"):
        for order, mark in (("<", b"II*\0"), (">", b"MM\0*")):
            main = struct.pack(f"{order}IHHHIII", 8, 1, 0x8769, 4, 1, 26, 0)
            exif = struct.pack(f"{order}HHHI", 1, 0x9000, 7, 4) + version + bytes(4)
            yield (
                f"{version.decode()}{mark[:1].decode()}.jpg",
                with_segment(jpeg, 0xE1, b"Exif\0\0" + mark + main + exif),
            )


def with_segment(jpeg: bytes, marker: int, content: bytes) -> bytes:
    return jpeg[:2] + bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content + jpeg[2:]
