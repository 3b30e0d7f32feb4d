"""Colours of masters from the file over the pyramid to the response, compared with an independent decoder."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy
import pytest
import tifffile
from icc_profiles import ADOBE, PROPHOTO, grey_profile, table_profile
from PIL import Image, ImageCms
from tiled_picture import TiledPicture

from repository.config import Settings
from repository.errors import MasterUnreadable
from workers.masters.examine import ChildExaminer, open_child_examiner
from workers.masters.ignored import COLOUR_PROFILE

SIDE = 64
NEAR = 6.0
"""The largest difference of a patch's mean, in levels of 255: two JPEG encodings at quality 95."""


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChildExaminer]:
    settings = Settings(decode_seconds=60, tile_size=128, jpeg_quality=95)
    with open_child_examiner(settings, tmp_path_factory.mktemp("scratch"), 1) as examiner:
        yield examiner


def patches(colours: list[tuple[int, ...]], depth: type = numpy.uint8) -> numpy.ndarray:
    """Return large patches of colour, side by side."""
    return numpy.hstack([numpy.full((2 * SIDE, 2 * SIDE, len(colour)), colour, depth) for colour in colours])


def served_colours(
    pool: ChildExaminer, master: Path, quality: str = "default", name: str = "png"
) -> list[tuple[float, ...]]:
    """Return the mean colour of each patch of an image rendered at half size; check the stored tile too."""
    target = master.with_suffix(".zip")
    examined = pool(master, target)
    held = TiledPicture(target)
    half = f"full/{examined.width // 2},{examined.height // 2}/0/{quality}.{name}"
    pixels = numpy.asarray(held.answer(half).convert("RGB"), numpy.float64)
    count = examined.width // (2 * SIDE)
    middles = [pixels[16:-16, SIDE * place + 16 : SIDE * (place + 1) - 16] for place in range(count)]
    if quality == "default":
        tile = numpy.asarray(Image.open(io.BytesIO(held.tiles([0])[0])).convert("RGB"), numpy.float64)
        assert numpy.abs(tile[32:-32, 32:-32].mean((0, 1)) - middles[0].mean((0, 1))).max() < NEAR
    return [tuple(middle.mean((0, 1))) for middle in middles]


def assert_near(colours: list[tuple[float, ...]], expected: list[tuple[int, ...]], tolerance: float = NEAR) -> None:
    assert numpy.abs(numpy.subtract(colours, expected)).max() < tolerance, (colours, expected)


COLOURS: list[tuple[int, ...]] = [
    (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0), (128, 128, 128), (200, 160, 90), (20, 90, 140),
]  # fmt: skip


@pytest.mark.parametrize("name", ["jpg", "png", "webp", "tif", "jp2", "avif"])
def test_served_colours_equal_the_masters_in_every_format(pool: ChildExaminer, tmp_path: Path, name: str) -> None:
    Image.fromarray(patches(COLOURS)).save(tmp_path / "a.png")
    assert_near(served_colours(pool, tmp_path / "a.png", name=name), COLOURS, 12 if name == "avif" else NEAR)


def test_a_16_bit_master_is_served_in_its_colours(pool: ChildExaminer, tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "a.tif", patches([tuple(v * 257 for v in c) for c in COLOURS], numpy.uint16), photometric="rgb"
    )
    assert_near(served_colours(pool, tmp_path / "a.tif"), COLOURS)


@pytest.mark.parametrize("depth", [8, 16])
def test_a_grey_master_is_served_grey_in_every_quality(pool: ChildExaminer, tmp_path: Path, depth: int) -> None:
    tones = [0, 64, 128, 192, 255]
    kind, times = (numpy.uint8, 1) if depth == 8 else (numpy.uint16, 257)
    tifffile.imwrite(tmp_path / "a.tif", patches([(tone * times,) for tone in tones], kind)[..., 0])
    for quality in ("default", "color", "gray"):
        assert_near(served_colours(pool, tmp_path / "a.tif", quality), [(tone,) * 3 for tone in tones])


def test_quality_gray_is_the_luma_of_a_colour_master(pool: ChildExaminer, tmp_path: Path) -> None:
    Image.fromarray(patches(COLOURS)).save(tmp_path / "a.png")
    right = [Image.new("RGB", (1, 1), colour).convert("L").getpixel((0, 0)) for colour in COLOURS]
    assert_near(served_colours(pool, tmp_path / "a.png", "gray"), [(tone,) * 3 for tone in right])


def test_bilevel_masters_of_either_polarity_are_served_right(pool: ChildExaminer, tmp_path: Path) -> None:
    black_then_white = patches([(0,), (255,)])[..., 0] > 0
    tifffile.imwrite(tmp_path / "black.tif", black_then_white, photometric="minisblack")
    tifffile.imwrite(tmp_path / "white.tif", ~black_then_white, photometric="miniswhite")
    Image.fromarray(black_then_white).save(tmp_path / "fax.tif", compression="group4")
    for name in ("black.tif", "white.tif", "fax.tif"):
        for quality in ("default", "bitonal"):
            assert_near(served_colours(pool, tmp_path / name, quality), [(0,) * 3, (255,) * 3])


def lab_profile_colour(profile: bytes, stored: tuple[int, int, int]) -> tuple[int, ...]:
    """Return the sRGB colour that LittleCMS, in Pillow, computes for a stored colour."""
    transform = ImageCms.buildTransform(
        io.BytesIO(profile), ImageCms.createProfile("sRGB"), "RGB", "RGB",
        ImageCms.Intent.RELATIVE_COLORIMETRIC, ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )  # fmt: skip
    shown = ImageCms.applyTransform(Image.new("RGB", (1, 1), stored), transform)
    assert shown is not None
    return tuple(shown.getpixel((0, 0)))


MUTED: list[tuple[int, int, int]] = [(150, 120, 90), (90, 110, 140), (120, 140, 110), (230, 225, 210), (30, 28, 26)]


@pytest.mark.parametrize("profile", [ADOBE, PROPHOTO], ids=["Adobe RGB", "ProPhoto"])
@pytest.mark.parametrize("depth", [8, 16])
def test_wide_gamut_profiles_are_applied(pool: ChildExaminer, tmp_path: Path, profile: bytes, depth: int) -> None:
    kind, times = (numpy.uint8, 1) if depth == 8 else (numpy.uint16, 257)
    stored: list[tuple[int, ...]] = [tuple(value * times for value in colour) for colour in MUTED]
    tifffile.imwrite(tmp_path / "a.tif", patches(stored, kind), photometric="rgb", iccprofile=profile)
    right = [lab_profile_colour(profile, colour) for colour in MUTED]
    assert numpy.abs(numpy.subtract(right, MUTED)).max() > 8  # a master served without its profile would fail
    assert_near(served_colours(pool, tmp_path / "a.tif"), right)


def test_a_cmyk_master_is_served_with_light_paper_and_saturated_inks(pool: ChildExaminer, tmp_path: Path) -> None:
    inks: list[tuple[int, ...]] = [(0, 0, 0, 0), (0, 0, 0, 255), (0, 255, 255, 0), (255, 0, 255, 0), (255, 255, 0, 0)]
    tifffile.imwrite(tmp_path / "a.tif", patches(inks), photometric="separated")
    paper, black, red, green, blue = (numpy.array(colour) for colour in served_colours(pool, tmp_path / "a.tif"))
    assert paper.min() > 240
    assert black.max() < 70
    assert red[0] > 2 * max(red[1:])
    assert green[1] > 1.5 * max(green[0], green[2])
    assert blue[2] > 1.3 * max(blue[:2])


@pytest.mark.parametrize("name", ["a.tif", "a.jpg", "a.png", "a.webp"])
@pytest.mark.parametrize("mode", ["L", "CMYK", "RGB"])
def test_an_rgb_profile_counts_for_rgb_masters_only(pool: ChildExaminer, tmp_path: Path, mode: str, name: str) -> None:
    if (mode != "RGB" and name == "a.webp") or (mode == "CMYK" and name == "a.png"):
        pytest.skip("the format has no such colours")
    image = Image.fromarray(patches(MUTED)).convert(mode)
    for folder, profile in (("with", ADOBE), ("without", None)):
        (tmp_path / folder).mkdir()
        image.save(tmp_path / folder / name, icc_profile=profile)
    examined, plain = pool(tmp_path / "with" / name, None), pool(tmp_path / "without" / name, None)
    assert examined.ignored == (() if mode == "RGB" else (COLOUR_PROFILE,))
    assert (examined.pixels == plain.pixels) == (mode != "RGB")


def test_a_profile_of_other_colours_is_refused_for_an_rgb_master(pool: ChildExaminer, tmp_path: Path) -> None:
    Image.fromarray(patches(MUTED)).save(tmp_path / "a.tif", icc_profile=grey_profile(2.2))
    with pytest.raises(MasterUnreadable, match="profile"):
        pool(tmp_path / "a.tif", None)


def test_a_profile_with_one_table_serves_every_intent(pool: ChildExaminer, tmp_path: Path) -> None:
    corners = numpy.zeros((2, 2, 2, 3), numpy.uint8) + 128
    corners[..., 0] = numpy.array([0, 85, 170, 255])[numpy.indices((2, 2, 2)).sum(0)]
    Image.fromarray(patches([(255, 255, 255), (0, 0, 0)])).save(tmp_path / "a.tif", icc_profile=table_profile(corners))
    assert_near(served_colours(pool, tmp_path / "a.tif"), [(255,) * 3, (0,) * 3])


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.tif"])
@pytest.mark.parametrize("orientation", [0, 1, 9, 200])
def test_an_orientation_that_exif_does_not_define_is_upright(
    pool: ChildExaminer, tmp_path: Path, orientation: int, name: str
) -> None:
    image = Image.fromarray(patches(MUTED))
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(tmp_path / name, exif=exif)
    image.save(tmp_path / f"plain{Path(name).suffix}")
    assert pool(tmp_path / name, None).pixels == pool(tmp_path / f"plain{Path(name).suffix}", None).pixels
