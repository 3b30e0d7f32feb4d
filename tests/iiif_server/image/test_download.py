"""Downloads carry who holds them and under which rights, as libvips, Poppler and lxml read it; nothing else does."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pyvips
from image_requests import WholeResponse, respond
from lxml import etree
from prerequisites import require

from iiif_server.image.capabilities import probe
from iiif_server.image.responses import ImageCall
from iiif_server.image.service import ImageService
from iiif_server.render.xmp import JpegPacketWriter, xmp_packet
from repository.config import Settings
from repository.model.work import Access, Rights
from repository.repository import memory_repository

pytestmark = pytest.mark.slow

BY = "http://creativecommons.org/licenses/by/4.0/"
NAMES = {
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "dc": "http://purl.org/dc/elements/1.1/",
    "xmpRights": "http://ns.adobe.com/xap/1.0/rights/",
    "cc": "http://creativecommons.org/ns#",
}


@dataclass
class Downloads:
    """A service over one picture, 3,000 by 2,100 pixels."""

    service: ImageService
    image: str
    work: str
    runner: asyncio.Runner

    def ask(self, rest: str, version: int = 3) -> WholeResponse:
        path = f"/iiif/image/{version}/{self.image}/{rest}"
        return respond(self.service, ImageCall(path, "https://visited.example"), self.runner)

    def picture(self, rest: str, version: int = 3) -> pyvips.Image:
        response = self.ask(rest, version)
        assert response.status == 200, response.body
        return pyvips.Image.new_from_buffer(response.body, "")


@pytest.fixture(scope="module")
def offered() -> object:
    return probe()


@pytest.fixture
def downloads(hold_picture: Callable[..., str], offered: object) -> Iterator[Callable[..., Downloads]]:
    made: list[Downloads] = []

    def serve(rights: Rights | None = None, size: tuple[int, int] = (3000, 2100), **settings: str) -> Downloads:
        repository = memory_repository(Settings(**settings))
        image = hold_picture(repository, pyvips.Image.xyz(*size)[0].cast("uchar").bandjoin([9, 99]), rights)
        held = repository.catalogue.image(image)
        assert held
        made.append(Downloads(ImageService(repository, offered=offered), image, held.work, asyncio.Runner()))
        return made[-1]

    yield serve
    for each in made:
        each.service.close()
        each.runner.close()


def packet_of(picture: pyvips.Image) -> bytes | None:
    """Return the packet as libvips reads it."""
    return bytes(picture.get("xmp-data")) if picture.get_typeof("xmp-data") else None


def read(packet: bytes, path: str) -> list[str]:
    """Return the texts at a path of a packet, which lxml parses."""
    found = etree.fromstring(packet).xpath(f"//rdf:Description/{path}", namespaces=NAMES)
    return [str(value.text if hasattr(value, "text") else value) for value in found]


def test_full_size_jpeg_carries_identifier_source_publisher_and_licence(downloads: Callable[..., Downloads]) -> None:
    served = downloads(Rights(BY), provider="某圖書館 <A&B>", base_url="https://books.example")
    for rest, version in [("full/max/0/default.jpg", 3), ("full/full/0/default.jpg", 2), ("full/3000,/0/gray.jpg", 3)]:
        packet = packet_of(served.picture(rest, version))
        assert packet is not None, rest
        assert read(packet, "dc:identifier") == [served.image]
        assert read(packet, "dc:source") == [f"https://books.example/works/{served.work}"]
        assert read(packet, "dc:publisher//rdf:li") == ["某圖書館 <A&B>"]
        assert read(packet, "dc:rights//rdf:li") == read(packet, "xmpRights:WebStatement") == [BY]
        assert read(packet, "xmpRights:Marked") == ["True"]
        assert read(packet, "cc:license/@rdf:resource") == [BY]


@pytest.mark.parametrize(
    "rest",
    [
        "full/!400,400/0/default.jpg",
        "full/2999,/0/default.jpg",
        "0,0,2999,2100/max/0/default.jpg",
        "0,0,256,256/256,256/0/default.jpg",
        "full/max/0/default.png",
    ],
)
def test_tiles_parts_smaller_sizes_and_other_formats_carry_nothing(
    downloads: Callable[..., Downloads], rest: str
) -> None:
    assert packet_of(downloads(Rights(BY)).picture(rest)) is None


def test_stored_tile_is_sent_as_stored_even_if_it_is_the_whole_image(downloads: Callable[..., Downloads]) -> None:
    assert packet_of(downloads(Rights(BY), (200, 150)).picture("full/max/0/default.jpg")) is None


def test_largest_size_of_reduced_access_is_a_download(downloads: Callable[..., Downloads]) -> None:
    served = downloads(Rights(BY, Access.REDUCED, 800))
    packet = packet_of(served.picture("full/max/0/default.jpg"))
    assert packet is not None
    assert read(packet, "dc:source") == []
    assert b"visited.example" not in packet
    assert packet_of(served.picture("full/799,/0/default.jpg")) is None


def test_download_without_rights_says_nothing_of_them(downloads: Callable[..., Downloads]) -> None:
    packet = packet_of(downloads().picture("full/max/0/default.jpg"))
    assert packet is not None
    assert b"ights" not in packet.replace(b"xmlns:xmpRights", b"").replace(b"xap/1.0/rights", b"")


def test_pixels_are_those_of_the_same_picture_without_a_packet(downloads: Callable[..., Downloads]) -> None:
    served = downloads(Rights(BY))
    body = served.ask("full/max/0/default.jpg").body
    length = int.from_bytes(body[body.index(b"\xff\xe1") + 2 :][:2], "big") + 2
    start = body.index(b"\xff\xe1")
    plain = body[:start] + body[start + length :]
    ours, theirs = (pyvips.Image.new_from_buffer(data, "") for data in (body, plain))
    assert ours.write_to_memory() == theirs.write_to_memory()
    assert body == served.ask("full/max/0/default.jpg").body


def test_entity_tag_changes_with_the_rights(downloads: Callable[..., Downloads]) -> None:
    tags = {
        downloads(rights).ask("full/max/0/default.jpg").headers["ETag"]
        for rights in (None, Rights(BY), Rights(BY.replace("by", "by-nc")))
    }
    assert len(tags) == 3


@pytest.mark.parametrize("size", [(600, 400), (3000, 2100)])
def test_pdf_carries_the_packet_as_poppler_reads_it(
    downloads: Callable[..., Downloads], tmp_path: Path, size: tuple[int, int]
) -> None:
    reader = require(shutil.which("pdfinfo"), "Debian's package poppler-utils")
    served = downloads(Rights(BY), size)
    (tmp_path / "page.pdf").write_bytes(served.ask("full/max/0/default.pdf").body)
    shown = subprocess.run([reader, "-meta", tmp_path / "page.pdf"], capture_output=True, check=True)
    assert shown.stderr == b""
    packet = re.sub(rb"\A.*?(?=<x:xmpmeta)", b"", shown.stdout.strip(), flags=re.DOTALL)
    assert read(packet.partition(b"<?xpacket end")[0], "dc:identifier") == [served.image]
    assert subprocess.run([reader, tmp_path / "page.pdf"], capture_output=True, check=True).stderr == b""


@pytest.mark.parametrize("start", [b"\xff\xd8\xff\xdb", b"\xff\xd8\xff\xe0\x00\x10JFIF\0" + bytes(9)])
@pytest.mark.parametrize("parts", [1, 2, 3, 7, 1000])
def test_packet_stands_after_the_start_however_the_jpeg_comes(start: bytes, parts: int) -> None:
    jpeg, written = start + bytes(range(200)), bytearray()
    sink = JpegPacketWriter(written.extend, b"packet")
    for place in range(0, len(jpeg), parts):
        sink(jpeg[place : place + parts])
    segment = b"\xff\xe1\x00\x25http://ns.adobe.com/xap/1.0/\0packet"
    after = 2 if start[3] == 0xDB else 20
    assert bytes(written) == jpeg[:after] + segment + jpeg[after:]


def test_packet_that_one_segment_cannot_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="70000"):
        JpegPacketWriter(bytearray().extend, bytes(70_000))


def test_public_domain_is_marked_as_not_protected() -> None:
    rights = "http://creativecommons.org/publicdomain/mark/1.0/"
    packet = xmp_packet(identifier="i", source="", publisher="", rights=rights)
    assert read(packet, "xmpRights:Marked") == ["False"]
