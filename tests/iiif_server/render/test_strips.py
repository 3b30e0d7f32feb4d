"""Pictures streamed through libvips in strips."""

from __future__ import annotations

from collections.abc import Iterator

import numpy
import pytest

from iiif_server.render.assemble import Pixels
from iiif_server.render.strips import StripImage, written_to
from repository.errors import PyramidCorrupt

COLOUR = numpy.random.default_rng(1).integers(0, 256, (300, 211, 3), numpy.uint8)


@pytest.mark.parametrize("pixels", [COLOUR, numpy.ascontiguousarray(COLOUR[..., 0]), COLOUR[:1], COLOUR[:16]])
@pytest.mark.parametrize("high", [7, 16, 100, 1000])
def test_strip_image_has_the_pixels_of_its_strips(pixels: Pixels, high: int) -> None:
    strips = (pixels[start : start + high] for start in range(0, len(pixels), high))
    flow = StripImage(211, len(pixels), strips)
    assert flow.image.interpretation == ("srgb" if pixels.ndim > 2 else "b-w")
    assert numpy.array_equal(flow.image.numpy(), pixels)
    flow.check()


def test_check_raises_the_error_of_a_strip() -> None:
    def strips() -> Iterator[Pixels]:
        yield COLOUR[:100]
        raise PyramidCorrupt(key="pyramid", reason="tile")

    flow = StripImage(211, 300, strips())
    flow.check()
    flow.image.write_to_buffer(".png")
    with pytest.raises(PyramidCorrupt):
        flow.check()


def test_error_of_the_sink_ends_the_stream() -> None:
    taken: list[bytes] = []

    def sink(data: bytes) -> None:
        taken.append(data)
        if len(taken) > 2:
            raise BrokenPipeError

    flow = StripImage(211, 300, iter([COLOUR]))
    with pytest.raises(BrokenPipeError):
        written_to(sink, lambda target: flow.image.write_to_target(target, ".png"))
    assert len(taken) == 3


@pytest.mark.slow
def test_pixels_beyond_four_gibibytes_are_read() -> None:
    """A position of 32 bits would wrap around, and libvips makes black pixels of what it cannot read."""
    strip = numpy.full((64, 70_000, 3), 255, numpy.uint8)
    count = 330
    image = StripImage(70_000, 64 * count, iter([strip] * count))
    assert image.image.shrink(64, 64).min() == 255
    image.check()
