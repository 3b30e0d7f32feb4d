"""Masters of every accepted kind, and files that must be refused, decoded in a sandbox as an ingest does."""

from __future__ import annotations

import functools
import io
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from repository.config import Settings
from repository.errors import MasterMisnamed, MasterMultipage, MasterTooLarge, MasterUnreadable, MasterUnsupported
from workers.masters.examine import ChildExaminer, Examined, open_child_examiner

RNG = np.random.default_rng(1)
GREY = RNG.integers(0, 256, (60, 80), dtype=np.uint8)
COLOUR = RNG.integers(0, 256, (60, 80, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChildExaminer]:
    with open_child_examiner(Settings(decode_seconds=60), tmp_path_factory.mktemp("scratch"), 1) as examiner:
        yield examiner


def read(pool: ChildExaminer, path: Path, settings: Settings = Settings()) -> Examined:  # noqa: B008  frozen
    return pool.with_settings(settings)(path, None)


def saved(path: Path, samples: np.ndarray, **options: object) -> Path:
    Image.fromarray(samples).save(path, **options)
    return path


def test_an_image_has_the_same_fingerprint_in_every_lossless_format(pool: ChildExaminer, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "plain.tif", COLOUR, photometric="rgb")
    tifffile.imwrite(tmp_path / "big.tif", COLOUR, photometric="rgb", bigtiff=True, tile=(32, 32), compression="lzw")
    tifffile.imwrite(tmp_path / "planes.tif", COLOUR.transpose(2, 0, 1), photometric="rgb", planarconfig="separate")
    tifffile.imwrite(tmp_path / "deep.tif", COLOUR.astype(np.uint16) * 257, photometric="rgb", byteorder=">")
    saved(tmp_path / "a.png", COLOUR)
    saved(tmp_path / "a.webp", COLOUR, lossless=True)
    (tmp_path / "a.jp2").write_bytes(imagecodecs.jpeg2k_encode(COLOUR, level=0, reversible=True, codecformat="jp2"))
    (tmp_path / "a.j2k").write_bytes(imagecodecs.jpeg2k_encode(COLOUR, level=0, reversible=True, codecformat="j2k"))
    (tmp_path / "a.jhc").write_bytes(imagecodecs.htj2k_encode(COLOUR))
    masters = {path.name: read(pool, path) for path in tmp_path.iterdir()}
    assert len({master.pixels for master in masters.values()}) == 1, {n: m.pixels[:6] for n, m in masters.items()}
    assert masters["a.jhc"].media_type == "image/j2c"
    assert len({master.sha256 for master in masters.values()}) == 9


def test_a_grey_image_has_one_fingerprint_in_8_and_16_bits(pool: ChildExaminer, tmp_path: Path) -> None:
    saved(tmp_path / "a.png", GREY)
    tifffile.imwrite(tmp_path / "a.tif", GREY.astype(np.uint16) * 257)
    tifffile.imwrite(tmp_path / "white.tif", 255 - GREY, photometric="miniswhite")
    (tmp_path / "a.jp2").write_bytes(imagecodecs.jpeg2k_encode(GREY, level=0, reversible=True))
    assert len({read(pool, path).pixels for path in tmp_path.iterdir()}) == 1


def test_an_image_of_one_pixel_is_decoded(pool: ChildExaminer, tmp_path: Path) -> None:
    master = read(pool, saved(tmp_path / "a.png", GREY[:1, :1]))
    assert (master.width, master.height) == (1, 1)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation: int, pool: ChildExaminer, tmp_path: Path) -> None:
    turned = [
        COLOUR,
        COLOUR[:, ::-1],
        COLOUR[::-1, ::-1],
        COLOUR[::-1],
        COLOUR.transpose(1, 0, 2),
        COLOUR.transpose(1, 0, 2)[:, ::-1],
        COLOUR.transpose(1, 0, 2)[::-1, ::-1],
        COLOUR.transpose(1, 0, 2)[::-1],
    ]
    upright = read(pool, saved(tmp_path / "upright.png", np.ascontiguousarray(turned[orientation - 1])))
    exif = Image.Exif()
    exif[0x0112] = orientation
    master = read(pool, saved(tmp_path / "a.png", COLOUR, exif=exif))
    assert master.pixels == upright.pixels
    assert (master.width, master.height) == ((60, 80) if orientation > 4 else (80, 60))
    assert not list((tmp_path.parent).glob("scratch*/*.v"))


def test_transparent_pixels_are_flattened_onto_white(pool: ChildExaminer, tmp_path: Path) -> None:
    clear = np.dstack([COLOUR, np.zeros((60, 80), np.uint8)])
    white = np.full_like(COLOUR, 255)
    assert read(pool, saved(tmp_path / "a.png", clear)).pixels == read(pool, saved(tmp_path / "b.png", white)).pixels


def test_twelve_bit_white_is_decoded_as_white(pool: ChildExaminer, tmp_path: Path) -> None:
    white = np.full((60, 80), 4095, np.uint16)
    (tmp_path / "a.jp2").write_bytes(imagecodecs.jpeg2k_encode(white, level=0, reversible=True, bitspersample=12))
    assert read(pool, tmp_path / "a.jp2").pixels == read(pool, saved(tmp_path / "b.png", white.astype(np.uint8))).pixels


def tiff_pages(path: Path, *subfiles: int) -> Path:
    with tifffile.TiffWriter(path) as writer:
        for subfile in subfiles:
            writer.write(GREY, subfiletype=subfile, metadata=None)
    return path


def test_multipage_files_are_refused_but_reduced_resolution_directories_are_not_pages(
    pool: ChildExaminer, tmp_path: Path
) -> None:
    with pytest.raises(MasterMultipage, match="2 pages"):
        read(pool, tiff_pages(tmp_path / "a.tif", 0, 0))
    assert read(pool, tiff_pages(tmp_path / "b.tif", 0, 1, 1)).width == 80
    frames = [Image.fromarray(COLOUR), Image.fromarray(COLOUR[::-1])]
    frames[0].save(tmp_path / "a.webp", save_all=True, append_images=frames[1:])
    with pytest.raises(MasterMultipage):
        read(pool, tmp_path / "a.webp")


def test_a_tiff_with_a_circular_chain_of_directories_is_refused(pool: ChildExaminer, tmp_path: Path) -> None:
    path = tiff_pages(tmp_path / "a.tif", 0)
    content = bytearray(path.read_bytes())
    (offset,) = struct.unpack_from("<I", content, 4)
    (entries,) = struct.unpack_from("<H", content, offset)
    struct.pack_into("<I", content, offset + 2 + 12 * entries, offset)
    path.write_bytes(content)
    with pytest.raises(MasterUnreadable):
        read(pool, path)


def test_a_suffix_that_contradicts_the_content_is_refused(pool: ChildExaminer, tmp_path: Path) -> None:
    saved(tmp_path / "a.png", COLOUR).rename(tmp_path / "a.tif")
    with pytest.raises(MasterMisnamed, match=r"\.png"):
        read(pool, tmp_path / "a.tif")
    assert read(pool, saved(tmp_path / "B.PNG", COLOUR)).media_type == "image/png"


def bomb(side: int) -> bytes:
    """A PNG of a hundred bytes whose header declares a width and height of `side` pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def test_a_decompression_bomb_is_refused_by_its_header(pool: ChildExaminer, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(bomb(100_000))
    with pytest.raises(MasterTooLarge, match="PIXEL_BUDGET"):
        read(pool, tmp_path / "a.png")
    with pytest.raises(MasterTooLarge):
        read(pool, saved(tmp_path / "b.png", GREY), Settings(pixel_budget=4799))
    assert read(pool, saved(tmp_path / "b.png", GREY), Settings(pixel_budget=4800)).width == 80


def test_jpeg_2000_beyond_its_memory_limit_is_refused(pool: ChildExaminer, tmp_path: Path) -> None:
    content = bytearray(imagecodecs.jpeg2k_encode(GREY, codecformat="j2k"))
    struct.pack_into(">II", content, 8, 40_000, 40_000)
    (tmp_path / "a.j2k").write_bytes(content)
    with pytest.raises(MasterTooLarge, match="MiB"):
        read(pool, tmp_path / "a.j2k")


@pytest.mark.parametrize("kind", [np.int16, np.float32, np.uint32])
def test_signed_32_bit_and_float_samples_are_refused(kind: type, pool: ChildExaminer, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", GREY.astype(kind))
    with pytest.raises(MasterUnsupported):
        read(pool, tmp_path / "a.tif")


@pytest.mark.parametrize("suffix", [".gif", ".bmp", ".ppm", ".pdf", ".avif"])
def test_formats_that_are_not_accepted_are_refused(suffix: str, pool: ChildExaminer, tmp_path: Path) -> None:
    saved(tmp_path / f"a{suffix}", COLOUR)
    with pytest.raises(MasterUnsupported):
        read(pool, tmp_path / f"a{suffix}")


def test_an_unusable_colour_profile_is_refused(pool: ChildExaminer, tmp_path: Path) -> None:
    with pytest.raises(MasterUnreadable):
        read(pool, saved(tmp_path / "a.png", COLOUR, icc_profile=b"no profile at all" * 20))


def test_warnings_about_tiff_tags_are_ignored(pool: ChildExaminer, tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, GREY, software="scanner", metadata=None, datetime="2020:01:01 00:00:00")
    path.write_bytes(path.read_bytes().replace(b"2020:01:01 00:00:00\0", b"2020:01:01 00:00:00x"))
    assert read(pool, path).width == 80


@functools.cache
def whole_files() -> dict[str, bytes]:
    """A file of each format, large enough to be truncated at many places."""
    big = np.kron(COLOUR, np.ones((4, 4, 1), np.uint8))

    def tiff(**options: object) -> bytes:
        file = io.BytesIO()
        tifffile.imwrite(file, big, photometric="rgb", rowsperstrip=16, **options)
        return file.getvalue()

    def by_pillow(format_name: str, **options: object) -> bytes:
        file = io.BytesIO()
        Image.fromarray(big).save(file, format_name, **options)
        return file.getvalue()

    return {
        "plain.tif": tiff(),
        "lzw.tif": tiff(compression="lzw"),
        "deflate.tif": tiff(compression="deflate"),
        "packbits.tif": tiff(compression="packbits"),
        "jpeg.tif": tiff(compression="jpeg"),
        "baseline.jpg": by_pillow("JPEG"),
        "progressive.jpg": by_pillow("JPEG", progressive=True),
        "a.png": by_pillow("PNG"),
        "lossy.webp": by_pillow("WEBP"),
        "lossless.webp": by_pillow("WEBP", lossless=True),
        "a.jp2": imagecodecs.jpeg2k_encode(big, level=0, reversible=True, codecformat="jp2"),
        "a.j2k": imagecodecs.jpeg2k_encode(big, level=30, codecformat="j2k"),
        "a.jhc": imagecodecs.htj2k_encode(big),
    }


@pytest.mark.parametrize("name", whole_files())
def test_a_truncated_file_is_refused(name: str, pool: ChildExaminer, tmp_path: Path) -> None:
    content = whole_files()[name]
    path = tmp_path / name
    path.write_bytes(content)
    whole = read(pool, path)
    lengths = [len(content) * part // 10 for part in range(1, 10)] + [len(content) - cut for cut in (100, 20, 5, 1)]
    for length in lengths:
        path.write_bytes(content[:length])
        try:
            master = read(pool, path)
        except MasterUnreadable:
            continue
        assert master.pixels == whole.pixels, f"truncated to {length} of {len(content)}"
        pytest.fail(f"accepted when truncated to {length} of {len(content)} bytes, though every pixel is there")
