"""A small whole master of every kind that is accepted, by a name that ends in its suffix."""

from __future__ import annotations

import io

import imagecodecs
import numpy as np
import pyvips
import tifffile
from icc_profiles import ADOBE
from jp2_files import enumerated, jp2, profiled
from PIL import Image

_CELLS = np.random.default_rng(1).integers(0, 256, (24, 32, 3), dtype=np.uint8)
COLOUR = np.kron(_CELLS, np.ones((6, 6, 1), np.uint8))
GREY = np.ascontiguousarray(COLOUR[..., 0])
DEEP = COLOUR.astype(np.uint16) * 257
OPACITY = np.full_like(GREY, 255)


def whole_masters() -> dict[str, bytes]:
    """Return the content of each."""
    return {**_jpeg(), **_tiff(), **_png(), **_webp(), **_jpeg2000()}


def _pillow(samples: np.ndarray, form: str, mode: str | None = None, **options: object) -> bytes:
    file = io.BytesIO()
    image = Image.fromarray(samples)
    (image.convert(mode) if mode else image).save(file, form, **options)
    return file.getvalue()


def _jpeg() -> dict[str, bytes]:
    return {
        "420.jpg": _pillow(COLOUR, "JPEG"),
        "444.jpg": _pillow(COLOUR, "JPEG", subsampling=0, quality=95),
        "grey.jpg": _pillow(GREY, "JPEG"),
        "cmyk.jpg": _pillow(COLOUR, "JPEG", "CMYK"),
        "progressive.jpg": _pillow(COLOUR, "JPEG", progressive=True),
        "restarts.jpg": _pillow(COLOUR, "JPEG", restart_marker_rows=1),
        "profile.jpg": _pillow(COLOUR, "JPEG", icc_profile=ADOBE),
    }


def _tiff() -> dict[str, bytes]:
    def made(samples: np.ndarray, **options: object) -> bytes:
        file = io.BytesIO()
        tifffile.imwrite(file, samples, metadata=None, **options)
        return file.getvalue()

    files = {}
    for layout, sizes in {"strips": {"rowsperstrip": 16}, "tiles": {"tile": (64, 64)}}.items():
        for compression in (None, "lzw", "deflate", "packbits", "jpeg"):
            name = f"{layout} {compression or 'plain'}.tif"
            files[name] = made(COLOUR, photometric="rgb", compression=compression, **sizes)
        files[f"{layout} grey.tif"] = made(GREY, compression="lzw", predictor=2, **sizes)
        files[f"{layout} deep.tif"] = made(DEEP, photometric="rgb", compression="deflate", predictor=2, **sizes)
    files["big.tif"] = made(COLOUR, photometric="rgb", bigtiff=True, compression="lzw")
    files["fax.tif"] = _pillow(GREY > 128, "TIFF", compression="group4")
    return files


def _png() -> dict[str, bytes]:
    colour = pyvips.Image.new_from_array(COLOUR).copy(interpretation="srgb")
    return {
        "colour.png": _pillow(COLOUR, "PNG"),
        "grey.png": _pillow(GREY, "PNG"),
        "palette.png": _pillow(COLOUR, "PNG", "P"),
        "bilevel.png": _pillow(COLOUR, "PNG", "1"),
        "opacity.png": _pillow(np.dstack([COLOUR, OPACITY]), "PNG"),
        "interlaced.png": colour.pngsave_buffer(interlace=True),
        "deep.png": pyvips.Image.new_from_array(DEEP).copy(interpretation="rgb16").pngsave_buffer(),
    }


def _webp() -> dict[str, bytes]:
    return {
        "lossy.webp": _pillow(COLOUR, "WEBP"),
        "lossless.webp": _pillow(COLOUR, "WEBP", lossless=True),
        "opacity.webp": _pillow(np.dstack([COLOUR, OPACITY]), "WEBP"),
    }


def _jpeg2000() -> dict[str, bytes]:
    reversible = bytes(imagecodecs.jpeg2k_encode(COLOUR, level=0, reversible=True, codecformat="j2k"))
    throughput = bytes(imagecodecs.htj2k_encode(COLOUR))
    layers = {"irreversible": True, "quality_mode": "rates", "quality_layers": [20, 5]}
    return {
        "reversible.jp2": jp2(reversible, enumerated(16)),
        "profile.jp2": jp2(reversible, profiled(ADOBE)),
        "layers.jp2": _pillow(COLOUR, "JPEG2000", tile_size=(64, 64), **layers),
        "codestream.j2k": reversible,
        "tiles.j2k": _pillow(COLOUR, "JPEG2000", no_jp2=True, tile_size=(64, 64), irreversible=False),
        "throughput.jhc": throughput,
        "throughput.jph": jp2(throughput, enumerated(16)),
    }
