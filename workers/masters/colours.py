"""Converts the colours of a master to those that readers see: 8 bits per sample, sRGB or grey, on white.

Colours follow the embedded ICC profile, relative colorimetric with black point compensation. An unusable profile is a
fault: a guess would permanently show wrong colours. CMYK without a profile uses the profile built into libvips. Grey
and CMYK pictures with an RGB profile, which some programs attach to every file, are converted as without a profile.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import pyvips

from repository.errors import MasterUnreadable
from repository.localized import LocalizedText
from workers.masters.ignored import COLOUR_PROFILE
from workers.masters.samples import GREY, LAB, PROFILE, RawImage

_RGB: Final = frozenset({"srgb", "rgb", "rgb16"})
_RGB_SPACE: Final = b"RGB "
_UNUSABLE: Final = LocalizedText("内嵌的 ICC 配置文件无法使用", "its ICC profile cannot be used")
_INCOMPLETE: Final = LocalizedText("内嵌的 ICC 配置文件不完整", "its ICC profile is incomplete")


def to_screen(raw: RawImage) -> RawImage:
    """Convert to 8-bit sRGB or grey on white, one or three bands, in the order of the file's rows.

    Raises `MasterUnreadable` for a profile that cannot be used.
    """
    raw = _with_fitting_profile(raw)
    image = raw.image
    grey = image.interpretation in GREY
    if image.get_typeof(PROFILE):
        image = image if _profile_is_identity(image) else _transform(image)
    elif image.interpretation == "cmyk":
        image = image.icc_transform("srgb", embedded=True, input_profile="cmyk", depth=8)
    if image.format == "ushort":
        # Round to nearest: v / 257 + 0.5, truncated. The conversion of libvips drops the low byte.
        image = image.linear(1 / 257, 0.5, uchar=True).copy(interpretation="b-w" if grey else "srgb")
    elif image.interpretation in LAB:
        image = image.colourspace("srgb")
    if image.hasalpha():
        image = image.flatten(background=255)
    return replace(raw, image=image.extract_band(0).copy(interpretation="b-w") if grey else image)


def _with_fitting_profile(raw: RawImage) -> RawImage:
    """Return the image without its profile if that is an RGB profile, and the image is grey or CMYK."""
    image = raw.image
    if not image.get_typeof(PROFILE):
        return raw
    profile = bytes(image.get(PROFILE))
    if len(profile) < int.from_bytes(profile[:4], "big"):  # ICC.1:2022, 7.2.2
        raise MasterUnreadable(reason=_INCOMPLETE)
    if profile and (image.interpretation in _RGB or profile[16:20] != _RGB_SPACE):  # ICC.1:2022, 7.2.6
        return raw
    image = image.copy()
    image.remove(PROFILE)
    return replace(raw, image=image, ignored=(*raw.ignored, *[COLOUR_PROFILE] * bool(profile)))


def _transform(image: Any) -> Any:
    return image.icc_transform("srgb", embedded=True, intent="relative", black_point_compensation=True, depth=8)


def _profile_is_identity(image: Any) -> bool:
    """Return whether the profile changes no colour by more than one level; the costly transform is skipped then.

    Tested on 729 colours (256 greys). An unusable profile raises here, before a pixel is decoded.
    """
    if image.interpretation not in _RGB | GREY:
        return False
    probe = pyvips.Image.identity()
    if image.interpretation not in GREY:
        steps = pyvips.Image.xyz(9, 81)
        red, green, blue = steps[0], steps[1] % 9, (steps[1] / 9).floor()
        probe = (red.bandjoin([green, blue]) * (255 / 8)).rint()
    space = "b-w" if image.interpretation in GREY else "srgb"
    probe = probe.cast("uchar").copy(interpretation=space)
    probe.set_type(pyvips.GValue.blob_type, PROFILE, image.get(PROFILE))
    try:
        return bool((_transform(probe) - probe).abs().max() <= 1)
    except pyvips.Error as fault:
        raise MasterUnreadable(reason=_UNUSABLE) from fault
