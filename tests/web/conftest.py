"""A repository in memory, works published in it, and clients of the application."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import pyvips
from flask.testing import FlaskClient

from iiif_server.presentation.manifest import build_collection, build_manifest
from iiif_server.presentation.published import publish_collection, publish_manifest
from iiif_server.pyramid.file import PyramidSummary, recipe, write_pyramid
from preservation.store_identity import recognise_primary
from repository import identifiers, paths
from repository.config import Settings
from repository.database.publication import Publication
from repository.identifiers import Kind
from repository.model.work import Dating, Image, Master, Page, Pyramid, Range, Record, Rights, Volume, Work
from repository.repository import Repository, memory_repository
from web.app import create_app

PUBLIC_DOMAIN = Rights("http://creativecommons.org/publicdomain/mark/1.0/")


@lru_cache(maxsize=64)  # many tests publish the same pictures
def noise_pyramid(name: str, width: int, height: int, tile_size: int, quality: int) -> tuple[PyramidSummary, bytes]:
    """Return the pyramid of a picture of noise, another one for each `name`."""
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:3], "big")
    pixels = pyvips.Image.gaussnoise(width, height, mean=210, sigma=12, seed=seed).cast("uchar")
    with TemporaryDirectory() as scratch:
        file = Path(scratch) / "pyramid.zip"
        return write_pyramid(pixels, file, tile_size, quality), file.read_bytes()


@dataclass
class WorkPublisher:
    """Publishes works with real pyramids, without a deposit."""

    repository: Repository

    def image(self, name: str, width: int, height: int) -> tuple[Image, Pyramid]:
        settings = self.repository.settings
        identifier = identifiers.mint(Kind.IMAGE, name)
        made, content = noise_pyramid(name, width, height, settings.tile_size, settings.jpeg_quality)
        key = paths.pyramid(identifier, recipe(settings.tile_size, settings.jpeg_quality))
        self.repository.store.put(key, content)
        master = Master(f"masters/{name}.tif", hashlib.sha256(name.encode()).hexdigest(), 1000, "image/tiff")
        return Image(identifier, width, height, master), Pyramid(key, made.fingerprint, made.bytes, settings.tile_size)

    def publish(self, work: Work, pyramids: dict[str, Pyramid], accessioned: str = "2026-01-01T00:00:00Z") -> Work:
        catalogue = self.repository.catalogue
        publish_manifest(
            self.repository.store,
            work.identifier,
            build_manifest(work, pyramids, "", self.repository.settings.max_area, self.repository.clock()),
        )
        catalogue.publish(Publication(work, pyramids, [], 1, accessioned, {}), [], accessioned)
        publish_collection(self.repository.store, "top", build_collection(catalogue.works(limit=1000)))
        return work

    def small_work(
        self, title: str, accessioned: str = "2026-01-01T00:00:00Z", size: tuple[int, int] = (60, 80)
    ) -> Work:
        """Publish a work of one page."""
        image, pyramid = self.image(title, *size)
        work = Work(
            identifier=identifiers.mint(Kind.WORK, title),
            record=Record(title),
            volumes=(Volume("", (Page("0001", "一", (image,)),)),),
        )
        return self.publish(work, {image.identifier: pyramid}, accessioned)

    def book(self, rights: Rights = PUBLIC_DOMAIN) -> Work:
        """Publish two volumes of two pages, one of them missing, with nested ranges and every field of the record."""
        pictures = [self.image(f"book-{number}", 900, 1300) for number in range(3)]
        first, second, third = (picture[0] for picture in pictures)
        volumes = (
            Volume("上冊", (Page("volume-1/0001", "葉一", (first,)), Page("volume-1/0002", "葉二", (second,)))),
            Volume("下冊", (Page("volume-2/0001", "葉三"), Page("volume-2/0002", "葉四", (third,)))),
        )
        ranges = (
            Range("卷一", ("volume-1/0001",), (Range("序", ("volume-1/0002",)),)),
            Range("卷二", ("volume-2/0002",)),
        )
        work = Work(
            identifier=identifiers.mint(Kind.WORK, "book"),
            record=full_record(),
            volumes=volumes,
            ranges=ranges,
            rights=rights,
        )
        return self.publish(work, {image.identifier: pyramid for image, pyramid in pictures})


def full_record(languages: Sequence[str] = ("lzh",)) -> Record:
    return Record(
        title="千字文 <試>",
        identifier="LIB-7",
        creator=("周興嗣 (梁) 撰", "某人注"),
        date=Dating("清乾隆間", "1736", "1795"),
        language=tuple(languages),
        classification="經部·小學類",
        edition="刻本",
        dimensions="半框 20 × 14 厘米",
        call_number="善 0001",
        holder="某圖書館",
        summary="天地玄黃。",
    )


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    repository = memory_repository(Settings(data=tmp_path / "var"), lambda: datetime(2026, 1, 1, tzinfo=UTC))
    recognise_primary(repository)
    return repository


@pytest.fixture
def publisher(repository: Repository) -> WorkPublisher:
    return WorkPublisher(repository)


@pytest.fixture
def client(repository: Repository) -> FlaskClient:
    return create_app(repository).test_client()


@pytest.fixture
def public_client(repository: Repository) -> FlaskClient:
    """A client of an application whose public address is set."""
    settings = replace(repository.settings, base_url="https://books.example/shan")
    return create_app(replace(repository, settings=settings)).test_client()
