"""A picture held by a data folder as the only page of a published work, without an ingest."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

import pyvips

from iiif_server.pyramid.file import recipe, write_pyramid
from repository import paths
from repository.config import Settings
from repository.database.publication import Publication
from repository.identifiers import Kind, mint
from repository.model.work import Image, Master, Page, Pyramid, Record, Volume, Work
from repository.repository import open_repository

TIME = "2026-01-01T00:00:00Z"
QUALITY = 80


def publish_picture(data: Path, picture: pyvips.Image, tile_size: int) -> str:
    """Publish a picture in a data folder, and return the image's identifier."""
    repository = open_repository(Settings(data=data))
    image, work = mint(Kind.IMAGE, "held", str(tile_size)), mint(Kind.WORK, "held", str(tile_size))
    with tempfile.NamedTemporaryFile(suffix=".zip") as file:
        summary = write_pyramid(picture, Path(file.name), tile_size, QUALITY)
        key = paths.pyramid(image, recipe(tile_size, QUALITY))
        repository.store.put(key, Path(file.name).read_bytes())
    pyramid = Pyramid(key, summary.fingerprint, summary.bytes, tile_size)
    master = Master("masters/1.tif", hashlib.sha256().hexdigest(), 0, "image/tiff")
    page = Page("1", "1", (Image(image, picture.width, picture.height, master),))
    book = Work(work, Record("held"), (Volume("", (page,)),))
    repository.catalogue.publish(Publication(book, {image: pyramid}, (), 1, TIME, {}), (), TIME)
    return image
