"""Published pictures in a repository in memory, for tests of the image service."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest
import pyvips

from iiif_server.pyramid.file import PyramidSummary, recipe, write_pyramid
from repository import paths
from repository.database.publication import Publication
from repository.identifiers import Kind, mint
from repository.model.work import Image, Master, Page, Pyramid, Record, Rectangle, Rights, Volume, Work
from repository.repository import Repository

HoldPicture = Callable[..., str]
WritePyramid = Callable[[pyvips.Image, str, int], tuple[PyramidSummary, bytes]]


@pytest.fixture(scope="session")
def pyramid_of(tmp_path_factory: pytest.TempPathFactory) -> WritePyramid:
    """Return a function that writes a picture's pyramid; the same picture is written once in a test process."""
    written: dict[tuple[str, int], tuple[PyramidSummary, bytes]] = {}
    file = tmp_path_factory.mktemp("pyramids") / "pyramid.zip"

    def write(picture: pyvips.Image, sha256: str, tile_size: int) -> tuple[PyramidSummary, bytes]:
        if (sha256, tile_size) not in written:
            written[sha256, tile_size] = write_pyramid(picture, file, tile_size, 90), file.read_bytes()
        return written[sha256, tile_size]

    return write


@pytest.fixture
def hold_picture(pyramid_of: WritePyramid) -> HoldPicture:
    """Return a function that publishes a picture as a work of one page, and returns its image's identifier."""

    def hold(
        repository: Repository,
        picture: pyvips.Image,
        rights: Rights | None = None,
        tile_size: int = 256,
        redactions: tuple[Rectangle, ...] = (),
    ) -> str:
        sha256 = hashlib.sha256(picture.write_to_memory()).hexdigest()
        image = mint(Kind.IMAGE, "test", sha256)
        summary, content = pyramid_of(picture, sha256, tile_size)
        key = paths.pyramid(image, recipe(tile_size, 90))
        repository.store.put(key, content)
        master = Master("masters/0001.tif", sha256, summary.bytes, "image/tiff")
        page = Page("0001", "1", (Image(image, picture.width, picture.height, master, redactions),))
        work = Work(mint(Kind.WORK, "test", sha256), Record("試"), (Volume("", (page,)),), rights=rights or Rights())
        pyramid = Pyramid(key, summary.fingerprint, summary.bytes, tile_size)
        time = "2026-01-01T00:00:00Z"
        repository.catalogue.publish(Publication(work, {image: pyramid}, (), 1, time, {}), (), time)
        return image

    return hold


def coloured(width: int, height: int) -> pyvips.Image:
    """Return a picture whose colour shows the position: red grows to the right, green downwards, blue in rings."""
    places = pyvips.Image.xyz(width, height)
    red, green = places[0] * (255 / max(1, width - 1)), places[1] * (255 / max(1, height - 1))
    blue = ((red - 128) ** 2 + (green - 128) ** 2) ** 0.5
    return red.bandjoin([green, blue]).cast("uchar").copy(interpretation="srgb")


@pytest.fixture(scope="session")
def picture() -> pyvips.Image:
    """A colour picture of 1,500 by 1,100 pixels: three levels in tiles of 256, with edges of every kind."""
    return coloured(1500, 1100).copy_memory()
