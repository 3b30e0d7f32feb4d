"""``/robots.txt`` and the sitemap."""

from __future__ import annotations

from typing import Any

from flask.testing import FlaskClient
from lxml import etree

from repository.model.work import Access, Rights
from repository.repository import Repository
from web.site import sitemap
from workers.tasks.access import withdraw

SITEMAP = "{http://www.sitemaps.org/schemas/sitemap/0.9}"
IMAGE = "{http://www.google.com/schemas/sitemap-image/1.1}"


def locations(client: FlaskClient, path: str, element: str = f"{SITEMAP}loc") -> list[str]:
    response = client.get(path)
    assert response.status_code == 200
    return [str(found.text) for found in etree.fromstring(response.data).iter(element)]


def test_robots_may_not_visit_pages_of_staff_and_find_the_sitemap(public_client: FlaskClient) -> None:
    lines = public_client.get("/robots.txt").text.splitlines()
    assert {"Disallow: /status", "Disallow: /staff", "Disallow: /preservation"} <= set(lines)
    assert {"Disallow: /works/*/book.pdf", "Disallow: /works/*/images.zip"} <= set(lines)
    assert lines[-1] == "Sitemap: https://books.example/shan/sitemap.xml"


def test_sitemap_has_every_published_work_once(
    client: FlaskClient, publisher: Any, repository: Repository, monkeypatch: Any
) -> None:
    monkeypatch.setattr(sitemap, "WORKS_IN_PART", 2)
    works = [publisher.small_work(f"書{number}") for number in range(4)]
    withdraw(repository, works[0].identifier, "權利不明")
    parts = locations(client, "/sitemap.xml")
    assert [part.rpartition("/")[2] for part in parts] == ["1.xml", "2.xml"]
    listed = [location for part in parts for location in locations(client, part)]
    assert {location.rpartition("/")[2] for location in listed} == {work.identifier for work in works[1:]}
    assert len(listed) == 3
    assert client.get("/sitemap/3.xml").status_code == 404
    assert client.get(f"/sitemap/{10**30}.xml").status_code == 404  # no integer of a database


def test_sitemap_of_an_empty_library_is_valid(client: FlaskClient) -> None:
    assert locations(client, "/sitemap.xml") == ["http://localhost/sitemap/1.xml"]
    assert locations(client, "/sitemap/1.xml") == []


def test_sitemap_shows_the_picture_of_an_open_work_only(client: FlaskClient, publisher: Any) -> None:
    publisher.book(Rights(None, Access.RESTRICTED))
    assert locations(client, "/sitemap/1.xml", f"{IMAGE}loc") == []
    publisher.small_work("書")
    (picture,) = locations(client, "/sitemap/1.xml", f"{IMAGE}loc")
    assert picture.startswith("http://localhost/iiif/image/3/")
