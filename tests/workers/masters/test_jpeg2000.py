"""JPEG 2000: lost tile-parts are refused, profiles are applied once, only transparency is transparent."""

from __future__ import annotations

import functools
import io
import random
import struct
from collections.abc import Iterator
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from icc_profiles import ADOBE, PROPHOTO, grey_profile
from jp2_files import definitions, enumerated, jp2, palette, profiled, tile_parts
from PIL import Image

from repository.config import Settings
from repository.errors import MasterUnreadable, MasterUnsupported
from workers.masters import jpeg2000
from workers.masters.examine import ChildExaminer, Examined, open_child_examiner

RNG = np.random.default_rng(1)
COLOUR = np.kron(RNG.integers(0, 256, (16, 20, 3), dtype=np.uint8), np.ones((4, 4, 1), np.uint8))
GREY = np.ascontiguousarray(COLOUR[..., 0])
EXTRA = RNG.integers(0, 256, COLOUR.shape[:2], dtype=np.uint8)
EOC = b"\xff\xd9"
WHOLE, TRANSPARENT, PREMULTIPLIED, UNSPECIFIED, NONE = 0, 1, 2, 65535, 65535


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChildExaminer]:
    with open_child_examiner(Settings(decode_seconds=60), tmp_path_factory.mktemp("scratch"), 1) as examiner:
        yield examiner


def examined(pool: ChildExaminer, path: Path, content: bytes) -> Examined:
    path.write_bytes(content)
    return pool(path, None)


def coded(samples: np.ndarray) -> bytes:
    return bytes(imagecodecs.jpeg2k_encode(samples, level=0, reversible=True, codecformat="j2k", mct=False))


def coded_ht(samples: np.ndarray) -> bytes:
    return bytes(imagecodecs.htj2k_encode(samples, reversible=True))


def decoded(content: bytes) -> np.ndarray:
    return jpeg2000.decode(content, jpeg2000.read_header(content), 1)


def png(samples: np.ndarray, profile: bytes | None = None) -> bytes:
    file = io.BytesIO()
    Image.fromarray(samples).save(file, "PNG", icc_profile=profile)
    return file.getvalue()


@functools.cache
def tiled() -> bytes:
    """A codestream of 20 tiles, and a tile-part for each."""
    file = io.BytesIO()
    Image.fromarray(COLOUR).save(file, "JPEG2000", no_jp2=True, tile_size=(16, 16), irreversible=False)
    return file.getvalue()


def numbered(part: bytes, number: int, count: int, length: int | None = None) -> bytes:
    """Return a tile-part with another number of `count`, and another length."""
    return part[:6] + struct.pack(">IBB", len(part) if length is None else length, number, count) + part[12:]


def test_every_tile_must_be_present() -> None:
    header, parts = tile_parts(tiled())
    assert len(parts) == 20
    assert (decoded(tiled()) == COLOUR).all()
    for lost in range(20):
        content = header + b"".join(parts[:lost] + parts[lost + 1 :]) + EOC
        with pytest.raises(MasterUnreadable, match="a part of its tiles is missing"):
            decoded(content)
        with pytest.raises(MasterUnreadable, match="a part of its tiles is missing"):
            decoded(jp2(content, enumerated(16)))


def test_every_announced_tile_part_must_be_present() -> None:
    header, (*parts, last) = tile_parts(tiled())
    for whole in (0, 1):
        assert (decoded(header + b"".join(parts) + numbered(last, 0, whole) + EOC) == COLOUR).all()
    with pytest.raises(MasterUnreadable, match="missing"):
        decoded(header + b"".join(parts) + numbered(last, 0, 2) + EOC)
    for wrong in (numbered(last, 1, 2), numbered(last, 0, 1, len(last) - 1), numbered(last, 0, 1, 5), last + last):
        with pytest.raises(MasterUnreadable):
            decoded(header + b"".join(parts) + wrong + EOC)


@pytest.mark.parametrize("after", [b"", b"\n", bytes(16), b"after the end" * 100])
def test_bytes_after_the_end_of_the_codestream_are_sound(after: bytes) -> None:
    assert (decoded(tiled() + after) == COLOUR).all()
    assert (decoded(coded_ht(COLOUR) + after) == COLOUR).all()
    assert (decoded(jp2(tiled() + after, enumerated(16))) == COLOUR).all()
    header, (*parts, last) = tile_parts(tiled())
    assert (decoded(header + b"".join(parts) + numbered(last, 0, 1, 0) + EOC + after) == COLOUR).all()


def test_tiles_larger_than_the_picture_are_sound() -> None:
    content = bytearray(coded(COLOUR))
    struct.pack_into(">II", content, 24, 1000, 2000)
    assert (decoded(bytes(content)) == COLOUR).all()


PICTURES = {
    "blank": np.full((150, 200, 3), 255, np.uint8),
    "powers of two": np.kron(1 << RNG.integers(0, 8, (15, 20, 3), dtype=np.uint8), np.ones((10, 10, 1), np.uint8)),
    "ramp": np.dstack([np.linspace(0, 255, 30_000).reshape(150, 200).astype(np.uint8)] * 3),
    "noise": RNG.integers(0, 256, (150, 200, 3), dtype=np.uint8),
    "text": np.dstack([np.where(RNG.random((150, 200)) < 0.1, 0, 255).astype(np.uint8)] * 3),
}


STRUCTURES = {
    "tile_size": [(64, 64), (100, 30), (1000, 1000)],
    "precinct_size": [(64, 64), (64, 128), (256, 256)],
    "codeblock_size": [(4, 4), (16, 64), (32, 32)],
    "num_resolutions": range(1, 7),
    "irreversible": [False, True],
    "quality_layers": [[10], [40, 20, 10], list(range(100, 0, -10))],
    "progression": ["LRCP", "RLCP", "RPCL", "PCRL", "CPRL"],
    "plt": [False, True],
}


@pytest.mark.slow
@pytest.mark.parametrize("picture", PICTURES)
def test_whole_codestreams_of_every_structure_are_accepted(picture: str) -> None:
    chance, tried = random.Random(1), 0
    while tried < 6:
        options = {name: chance.choice(values) for name, values in STRUCTURES.items() if chance.random() < 0.5}
        file = io.BytesIO()
        try:
            Image.fromarray(PICTURES[picture]).save(file, "JPEG2000", no_jp2=True, quality_mode="rates", **options)
        except OSError:  # OpenJPEG does not encode every combination
            continue
        tried += 1
        assert decoded(file.getvalue()).shape == PICTURES[picture].shape, options


@functools.cache
def in_one_packet() -> bytes:
    """A codestream of one packet, which SOP may precede (Scod, table A.13)."""
    file = io.BytesIO()
    Image.fromarray(GREY).save(file, "JPEG2000", no_jp2=True, num_resolutions=1, irreversible=False)
    content = bytearray(file.getvalue())
    content[content.index(b"\xff\x52") + 4] |= 0b10
    return bytes(content)


@pytest.mark.parametrize("number", [0, 0x00FF, 0x90FF, 0xFF90, 0xFF91, 0xFFFF])
def test_a_packet_may_have_any_number(number: int) -> None:
    header, [part] = tile_parts(in_one_packet())
    start = part.index(b"\xff\x93") + 2
    assert part[start] >= 0x90
    packet = part[:start] + struct.pack(">HHH", 0xFF91, 4, number) + part[start:]
    assert (decoded(header + numbered(packet, 0, 1) + EOC) == GREY).all()
    with pytest.raises(MasterUnreadable, match="damaged"):
        decoded(header + numbered(packet[:-100] + b"\xff\xd8" + packet[-98:], 0, 1) + EOC)


@pytest.mark.parametrize("segment", [b"\xff\x52\x00\x02", b"\xff\x52\x00\x0b" + bytes(9), b"\xff\x53\x00\x02"])
def test_a_coding_style_that_is_too_short_is_refused(segment: bytes) -> None:
    content = in_one_packet()
    style = content.index(b"\xff\x52")
    rest = content[style : style + 14] if segment[1] == 0x53 else b""
    with pytest.raises(MasterUnreadable, match="damaged"):
        decoded(content[:style] + rest + segment + b"\xff\x90\x00\x0a")


@pytest.mark.parametrize("picture", ["noise", "text", "ramp"])
@pytest.mark.parametrize("how", ["zeros", "random bytes"])
def test_a_lost_sector_within_a_codestream_is_refused(picture: str, how: str) -> None:
    content = coded(PICTURES[picture])
    middle, sector = len(content) // 2, bytes(4096) if how == "zeros" else np.random.default_rng(2).bytes(4096)
    content = content[:middle] + sector[: len(content) // 4] + content[middle + len(sector[: len(content) // 4]) :]
    with pytest.raises(MasterUnreadable, match="damaged"):
        decoded(content)


def test_damage_within_the_code_blocks_of_htj2k_is_refused() -> None:
    content = bytearray(coded_ht(COLOUR))
    middle = len(content) // 2
    content[middle:-2] = bytes(len(content) - 2 - middle)
    with pytest.raises(MasterUnreadable, match="damaged"):
        decoded(bytes(content))


@pytest.mark.parametrize("profile", [ADOBE, PROPHOTO], ids=["Adobe RGB", "ProPhoto"])
def test_a_profile_is_applied_once(profile: bytes, pool: ChildExaminer, tmp_path: Path) -> None:
    right = examined(pool, tmp_path / "a.png", png(COLOUR, profile))
    assert right.pixels != examined(pool, tmp_path / "b.png", png(COLOUR)).pixels
    for name, content in {
        "a.jp2": jp2(coded(COLOUR), profiled(profile)),
        "b.jp2": jp2(coded(COLOUR), profiled(profile), enumerated(16)),
        "a.jph": jp2(coded_ht(COLOUR), profiled(profile)),
        "c.jp2": jp2(
            coded(np.dstack([COLOUR, np.full_like(GREY, 255)])),
            profiled(profile),
            definitions((0, 0, 1), (1, 0, 2), (2, 0, 3), (3, TRANSPARENT, WHOLE)),
        ),
    }.items():
        assert examined(pool, tmp_path / name, content).pixels == right.pixels, name


def test_a_grey_profile_is_applied(pool: ChildExaminer, tmp_path: Path) -> None:
    right = examined(pool, tmp_path / "a.png", png(GREY, grey_profile(1.0)))
    assert right.pixels != examined(pool, tmp_path / "b.png", png(GREY)).pixels
    for name, samples in (("a.jp2", GREY), ("deep.jp2", GREY.astype(np.uint16) * 257)):
        content = jp2(coded(samples), profiled(grey_profile(1.0)))
        assert examined(pool, tmp_path / name, content).pixels == right.pixels, name


def test_an_unusable_profile_is_refused(pool: ChildExaminer, tmp_path: Path) -> None:
    for profile in (b"no profile at all" * 20, ADOBE[:300]):
        with pytest.raises(MasterUnreadable):
            examined(pool, tmp_path / "a.jp2", jp2(coded(COLOUR), profiled(profile)))
    inks = jp2(coded(np.dstack([COLOUR, EXTRA])), profiled(ADOBE[:16] + b"CMYK" + ADOBE[20:]))
    with pytest.raises(MasterUnsupported, match="CMYK"):
        examined(pool, tmp_path / "a.jp2", inks)


COLOURS = ((0, 0, 1), (1, 0, 2), (2, 0, 3))


@pytest.mark.parametrize(
    ("samples", "boxes", "shown", "ignored"),
    [
        ([COLOUR], [], [COLOUR], False),
        ([COLOUR], [enumerated(16)], [COLOUR], False),
        ([COLOUR, EXTRA], [], [COLOUR], True),
        ([COLOUR, EXTRA], [enumerated(16)], [COLOUR], True),
        ([COLOUR, EXTRA], [definitions(*COLOURS, (3, UNSPECIFIED, NONE))], [COLOUR], True),
        ([COLOUR, EXTRA], [definitions(*COLOURS, (3, TRANSPARENT, WHOLE))], [COLOUR, EXTRA], False),
        ([EXTRA, COLOUR], [definitions((0, TRANSPARENT, 0), (1, 0, 1), (2, 0, 2), (3, 0, 3))], [COLOUR, EXTRA], False),
        ([EXTRA, COLOUR], [definitions((0, UNSPECIFIED, 0), (1, 0, 1), (2, 0, 2), (3, 0, 3))], [COLOUR], True),
        ([COLOUR[..., ::-1]], [definitions((0, 0, 3), (1, 0, 2), (2, 0, 1))], [COLOUR], False),
        ([COLOUR, EXTRA, EXTRA], [], [COLOUR], True),
        ([GREY], [enumerated(17)], [GREY], False),
        ([GREY, EXTRA], [enumerated(17)], [GREY], True),
        ([GREY, EXTRA], [definitions((0, 0, 1), (1, TRANSPARENT, WHOLE))], [GREY, EXTRA], False),
        ([GREY, EXTRA, EXTRA], [enumerated(17)], [GREY], True),
    ],
)
def test_only_transparency_and_colours_are_shown(
    samples: list[np.ndarray], boxes: list[bytes], shown: list[np.ndarray], ignored: bool
) -> None:
    given_samples, expected = np.dstack(samples), np.dstack(shown)
    for encode in (coded, coded_ht) if given_samples.shape[2] in {1, 3} else (coded,):
        content = jp2(encode(np.ascontiguousarray(np.squeeze(given_samples))), *boxes)
        assert (np.atleast_3d(decoded(content)) == expected).all()
        assert jpeg2000.read_header(content).ignored == (("extra-samples",) if ignored else ())


@given(st.data())
def test_channels_in_any_order_are_shown_in_theirs(data: st.DataObject) -> None:
    extras = [RNG.integers(0, 256, GREY.shape, dtype=np.uint8) for _ in range(data.draw(st.integers(0, 3)))]
    channels = [*(COLOUR[..., place] for place in range(3)), *extras]
    roles = [(0, 1), (0, 2), (0, 3), *((UNSPECIFIED, NONE) for _ in extras)]
    if extras and data.draw(st.booleans()):
        roles[3] = (TRANSPARENT, WHOLE)
    order = data.draw(st.permutations(range(len(channels))))
    entries = data.draw(st.permutations([(place, *roles[channel]) for place, channel in enumerate(order)]))
    content = jp2(coded(np.dstack([channels[channel] for channel in order])), definitions(*entries))
    expected = np.dstack([COLOUR, extras[0]] if extras and roles[3][0] == TRANSPARENT else [COLOUR])
    assert (decoded(content) == expected).all()


def test_premultiplied_colours_are_divided_by_their_opacity(pool: ChildExaminer, tmp_path: Path) -> None:
    opacity = np.where(EXTRA < 100, 0, 255).astype(np.uint8)
    multiplied = np.where(opacity[..., None] == 0, 0, COLOUR).astype(np.uint8)
    content = jp2(coded(np.dstack([multiplied, opacity])), definitions(*COLOURS, (3, PREMULTIPLIED, WHOLE)))
    right = examined(pool, tmp_path / "a.png", png(np.where(opacity[..., None] == 0, 255, COLOUR).astype(np.uint8)))
    assert examined(pool, tmp_path / "a.jp2", content).pixels == right.pixels
    half = jp2(coded(np.dstack([COLOUR // 2, np.full_like(GREY, 128)])), definitions(*COLOURS, (3, PREMULTIPLIED, 0)))
    assert np.abs(decoded(half)[..., :3].astype(int) - COLOUR).max() <= 2


def luma_and_chroma(samples: np.ndarray) -> np.ndarray:
    """Return sYCC of sRGB (IEC 61966-2-1, Amendment 1)."""
    matrix = [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]]
    return np.clip(np.rint(samples @ np.array(matrix).T + (0, 128, 128)), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("encode", [coded, coded_ht], ids=["JP2", "JPH"])
def test_boxes_are_applied_in_jp2_and_jph(encode: object) -> None:
    colours = [tuple(map(int, colour)) for colour in COLOUR[::4, ::4].reshape(-1, 3)[:16]]
    indices = RNG.integers(0, 16, (64, 80), dtype=np.uint8)
    painted = jp2(encode(indices), enumerated(16), palette(colours))
    assert (decoded(painted) == np.array(colours, np.uint8)[indices]).all()
    converted = decoded(jp2(encode(luma_and_chroma(COLOUR)), enumerated(18)))
    assert np.abs(converted.astype(int) - COLOUR).max() <= 2
    exchanged = jp2(encode(np.ascontiguousarray(COLOUR[..., ::-1])), definitions((0, 0, 3), (1, 0, 2), (2, 0, 1)))
    assert (decoded(exchanged) == COLOUR).all()
