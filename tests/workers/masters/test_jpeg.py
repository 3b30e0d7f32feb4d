"""Damaged JPEG streams are refused, however late libjpeg detects the damage; whole ones of every kind are accepted."""

from __future__ import annotations

import functools
import io

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from repository.errors import MasterUnreadable, MasterUnsupported
from workers.masters.jpeg import check_stream

COLOUR = np.kron(np.random.default_rng(1).integers(0, 256, (40, 50, 3), dtype=np.uint8), np.ones((8, 8, 1), np.uint8))


@functools.cache
def streams() -> dict[str, bytes]:
    """A stream of each kind of coding."""

    def saved(samples: np.ndarray, mode: str | None = None, **options: object) -> bytes:
        file = io.BytesIO()
        image = Image.fromarray(samples)
        (image.convert(mode) if mode else image).save(file, "JPEG", **options)
        return file.getvalue()

    return {
        "4:2:0": saved(COLOUR),
        "4:2:2": saved(COLOUR, subsampling="4:2:2"),
        "4:1:1": saved(COLOUR, subsampling="4:1:1"),
        "4:4:4": saved(COLOUR, subsampling="4:4:4"),
        "RGB": saved(COLOUR, keep_rgb=True),
        "grey": saved(COLOUR[..., 0]),
        "CMYK": saved(COLOUR, "CMYK"),
        "progressive": saved(COLOUR, progressive=True),
        "restarts": saved(COLOUR, restart_marker_rows=1),
        "optimised": saved(COLOUR, optimize=True),
        "Exif and profile": saved(COLOUR, exif=Image.Exif().tobytes() + bytes(500), icc_profile=bytes(70_000)),
        "lossless": imagecodecs.jpeg8_encode(COLOUR, lossless=True),
        "lossless grey": imagecodecs.jpeg8_encode(np.ascontiguousarray(COLOUR[..., 0]), lossless=True),
    }


@pytest.mark.parametrize("kind", streams())
def test_a_whole_stream_of_any_kind_is_accepted(kind: str) -> None:
    check_stream(streams()[kind])
    check_stream(streams()[kind] + b"after the end")


@pytest.mark.parametrize("kind", sorted(streams().keys() - {"lossless", "lossless grey"}))
@pytest.mark.parametrize("how", ["zeroed", "lost"])
def test_damage_in_the_middle_is_refused(kind: str, how: str) -> None:
    content = streams()[kind]
    middle = (len(content) + content.index(b"\xff\xda")) // 2
    with pytest.raises(MasterUnreadable, match="damaged"):
        check_stream(content[:middle] + (bytes(400) if how == "zeroed" else b"") + content[middle + 400 :])


@pytest.mark.parametrize("kind", streams())
def test_a_cut_stream_is_refused(kind: str) -> None:
    content = streams()[kind]
    for length in [0, 1, 2, 3, 20, *(len(content) * part // 10 for part in range(1, 10)), len(content) - 2]:
        with pytest.raises(MasterUnreadable):
            check_stream(content[:length])


def test_a_kind_that_decoders_disagree_about_is_named() -> None:
    content = streams()["4:4:4"]
    frame = content.index(b"\xff\xc0")
    with pytest.raises(MasterUnsupported, match="subsampling"):
        check_stream(content[: frame + 11] + b"\x42" + content[frame + 12 :])
    with pytest.raises(MasterUnsupported, match="precision"):
        check_stream(imagecodecs.jpeg8_encode(COLOUR.astype(np.uint16), bitspersample=12))


def test_a_tile_of_a_tiff_is_read_with_its_tables() -> None:
    file = io.BytesIO()
    tifffile.imwrite(file, COLOUR, photometric="rgb", tile=(64, 64), compression="jpeg", metadata=None)
    page = tifffile.TiffFile(io.BytesIO(file.getvalue())).pages[0]
    content, tables = file.getvalue(), page.tags[347].value if 347 in page.tags else b""
    tiles = [content[start : start + size] for start, size in zip(page.dataoffsets, page.databytecounts, strict=True)]
    for tile in tiles:
        check_stream(tile, tables)
    abbreviated, quantised = tiles[0].index(b"\xff\xc0"), tiles[0].index(b"\xff\xdb")
    assert 0 < quantised < abbreviated
    check_stream(tiles[0][:2] + tiles[0][abbreviated:], tiles[0][:abbreviated] + b"\xff\xd9")
    with pytest.raises(MasterUnreadable):
        check_stream(tiles[0][: len(tiles[0]) // 2], tables)
