"""Renderings over HTTP: a PDF and an archive of pictures, streamed from the image service."""

from __future__ import annotations

import asyncio
import io
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pyvips
from asgi_client import AsgiClient
from flask.sessions import SecureCookieSessionInterface
from prerequisites import require

from iiif_server.image.service import ImageService
from iiif_server.urls import book_pdf_path, images_zip_path
from repository.identifiers import Kind, mint
from repository.model.accounts import Role
from repository.model.work import Access, Rights, Work
from repository.repository import Repository
from web.accounts.cookies import COOKIE
from web.app import create_app
from web.asgi import compose
from web.services import written_files
from web.telemetry.process_metrics import ProcessMetrics

pytestmark = pytest.mark.slow


@pytest.fixture
def visitor(repository: Repository) -> Iterator[AsgiClient]:
    service = ImageService(repository)
    with AsgiClient(compose(repository, service, ProcessMetrics()), peer="203.0.113.7") as client:
        yield client
    service.close()


@pytest.fixture
def book(publisher: Any) -> Work:
    return publisher.book()


def test_pdf_has_the_pages_of_the_work_with_their_pictures(visitor: AsgiClient, book: Work, tmp_path: Path) -> None:
    response = visitor.get(book_pdf_path(book.identifier))
    assert (response.status, response.headers["content-type"]) == (200, "application/pdf")
    assert "filename*=UTF-8''%E5%8D%83" in response.headers["content-disposition"]
    assert response.is_complete
    (tmp_path / "book.pdf").write_bytes(response.body)
    program = require(shutil.which("pdfimages"), "Debian's package poppler-utils")
    listed = subprocess.run([program, "-list", tmp_path / "book.pdf"], capture_output=True, check=True).stdout
    assert [row.split()[:5] for row in listed.decode().splitlines()[2:]] == [
        [page, str(place), "image", "900", "1300"] for place, page in enumerate(("1", "2", "4"))
    ]


def test_first_bytes_arrive_before_the_first_picture(visitor: AsgiClient, book: Work) -> None:
    response = visitor.get(book_pdf_path(book.identifier))
    assert response.parts[0].startswith(b"%PDF-1.7")
    assert len(response.parts[0]) < 20_000


def test_pages_are_selected(visitor: AsgiClient, book: Work) -> None:
    response = visitor.get(f"{book_pdf_path(book.identifier)}?pages=2-3")
    assert response.body.count(b"/MediaBox") == 2
    refused = visitor.get(f"{book_pdf_path(book.identifier)}?pages=9", {"Accept-Language": "en"})
    assert (refused.status, refused.json()["part"]) == (400, "pages")


def test_parameters_that_mean_nothing_are_ignored_however_many(visitor: AsgiClient, book: Work) -> None:
    assert visitor.request("HEAD", f"{book_pdf_path(book.identifier)}?{'a=1&' * 50}pages=1").status == 200


def test_archive_has_every_picture_at_its_full_size(visitor: AsgiClient, book: Work) -> None:
    response = visitor.get(images_zip_path(book.identifier))
    assert response.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(response.body)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [f"{book.identifier}/{number:04d}.jpg" for number in (1, 2, 4)]
        picture = pyvips.Image.new_from_buffer(archive.read(archive.namelist()[0]), "")
    assert (picture.width, picture.height) == (900, 1300)


def test_reduced_access_gives_a_pdf_of_small_pictures_and_no_archive(visitor: AsgiClient, publisher: Any) -> None:
    book = publisher.book(Rights(access=Access.REDUCED, max_size=300))
    response = visitor.get(book_pdf_path(book.identifier))
    assert b"/Width 208 /Height 300" in response.body
    assert visitor.get(images_zip_path(book.identifier)).status == 401


def test_restricted_work_and_unknown_work_are_refused(visitor: AsgiClient, publisher: Any) -> None:
    book = publisher.book(Rights(access=Access.RESTRICTED))
    for path in (book_pdf_path, images_zip_path):
        refused = visitor.get(path(book.identifier))
        assert (refused.status, refused.headers["www-authenticate"]) == (401, 'Bearer realm="IIIF"')
        absent = visitor.get(path(mint(Kind.WORK, "nothing")))
        assert (absent.status, absent.headers["content-type"]) == (404, "application/problem+json")
        assert absent.headers["access-control-allow-origin"] == "*"
        assert visitor.get(path("nothing")).status == 404


def test_reader_who_has_logged_in_is_sent_a_restricted_work(
    visitor: AsgiClient, publisher: Any, repository: Repository
) -> None:
    book = publisher.book(Rights(access=Access.RESTRICTED))
    repository.accounts.add("reader", Role.READER, "hash")
    app = create_app(repository)
    serializer = SecureCookieSessionInterface().get_signing_serializer(app)
    token = repository.account_sessions.start("reader")
    assert serializer
    assert token
    cookie = {"Cookie": f"{COOKIE}={serializer.dumps({'login': token})}"}
    response = visitor.get(book_pdf_path(book.identifier), cookie)
    assert (response.status, response.headers["cache-control"]) == (200, "no-store")
    assert response.is_complete
    assert b"/Width 900 /Height 1300" in response.body
    forged = {"Cookie": f"{COOKIE}={serializer.dumps({'login': 'x'})}"}
    assert visitor.get(book_pdf_path(book.identifier), forged).status == 401
    repository.account_sessions.end(token)
    assert visitor.get(book_pdf_path(book.identifier), cookie).status == 401


def test_head_gives_the_headers_alone(visitor: AsgiClient, book: Work) -> None:
    response = visitor.request("HEAD", book_pdf_path(book.identifier))
    assert (response.status, response.headers["content-type"], response.body) == (200, "application/pdf", b"")


def test_client_that_leaves_frees_its_place(visitor: AsgiClient, book: Work) -> None:
    for _ in range(6):
        response = visitor.get(book_pdf_path(book.identifier), disconnect_after=1)
        assert not response.is_complete
    assert visitor.get(book_pdf_path(book.identifier)).is_complete


def test_client_that_reads_more_slowly_than_the_least_rate_loses_its_place(
    visitor: AsgiClient, book: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(written_files, "PATIENCE_SECONDS", 0.05)
    monkeypatch.setattr(written_files, "LEAST_RATE", 10**9)

    async def slow(_: bytes) -> None:
        await asyncio.sleep(0.1)

    assert not visitor.get(book_pdf_path(book.identifier), on_part=slow).is_complete
    monkeypatch.setattr(written_files, "LEAST_RATE", 1)
    assert visitor.get(book_pdf_path(book.identifier), on_part=slow).is_complete


def test_file_waits_for_the_rendering_budget_of_its_client(repository: Repository, publisher: Any) -> None:
    book = publisher.book()
    small = replace(repository, settings=replace(repository.settings, client_pixels=54_000))
    service = ImageService(small)
    with AsgiClient(compose(small, service, ProcessMetrics()), peer="203.0.113.7") as client:
        response = client.get(f"{book_pdf_path(book.identifier)}?pages=1-2")  # the first picture uses up the budget
    service.close()
    assert response.is_complete
    assert response.body.count(b"/DCTDecode") == 2


def test_damaged_pyramid_breaks_the_file_off(visitor: AsgiClient, book: Work, repository: Repository) -> None:
    images = list(book.images())
    repository.store.put(repository.catalogue.pyramids(book.identifier)[images[2].identifier].key, b"damaged")
    response = visitor.get(book_pdf_path(book.identifier))
    assert response.status == 200
    assert not response.is_complete
