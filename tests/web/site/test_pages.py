"""The pages as a browser without JavaScript receives them."""

from __future__ import annotations

import html
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from asgi_client import AsgiClient
from flask.testing import FlaskClient
from image_requests import respond
from PIL import Image
from sqlalchemy import update

from iiif_server.image.responses import ImageCall
from iiif_server.image.service import ImageService
from iiif_server.urls import image_path
from repository.database.tables import WorkRow
from repository.model.work import Access, Rights
from repository.repository import Repository
from web import site
from web.app import create_app
from web.asgi import compose
from web.telemetry.process_metrics import ProcessMetrics
from workers.tasks.access import restore, withdraw

pytestmark = pytest.mark.slow


def hrefs(page: str) -> list[str]:
    return [html.unescape(found) for found in re.findall(r'href="([^"]*)"', page)]


def pictures(page: str) -> list[str]:
    return [html.unescape(found) for found in re.findall(r'<img[^>]*? src="([^"]*)"', page)]


def test_empty_repository_has_a_notice_on_home_and_list(client: FlaskClient) -> None:
    for path in ("/", "/works"):
        response = client.get(path)
        assert response.status_code == 200
        assert "尚无公开的馆藏" in response.text


def test_home_shows_the_newest_works_first(client: FlaskClient, publisher: Any) -> None:
    for day in range(1, 10):
        publisher.small_work(f"書{day}", f"2026-01-{day:02d}T00:00:00Z")
    page = client.get("/").text
    assert re.findall(r"書\d", page) == [f"書{day}" for day in range(9, 2, -1)]


def test_list_shows_every_work_once_over_its_pages(client: FlaskClient, publisher: Any) -> None:
    for number in range(30):
        publisher.small_work(f"書-{number:02d}-", f"2026-01-01T00:00:{number:02d}Z")
    pages = [client.get(f"/works?page={number}").text for number in (1, 2)]
    shown = [re.findall(r"書-(\d\d)-", page) for page in pages]
    assert [len(titles) for titles in shown] == [24, 6]
    assert [*shown[0], *shown[1]] == [f"{number:02d}" for number in range(29, -1, -1)]


@pytest.mark.parametrize(
    ("page", "status"), [("0", 404), ("3", 404), ("x", 400), ("-1", 400), ("１", 400), ("9" * 30, 400)]
)
def test_invalid_page_number_is_refused(client: FlaskClient, publisher: Any, page: str, status: int) -> None:
    work = publisher.book()
    assert client.get("/works", query_string={"page": page}).status_code == status
    response = client.get(f"/works/{work.identifier}/read", query_string={"page": page if page != "3" else "5"})
    assert response.status_code == status


def test_work_page_tags_the_record_with_its_own_language(client: FlaskClient, publisher: Any) -> None:
    work = publisher.book()
    page = client.get(f"/works/{work.identifier}").text
    assert '<h1 lang="lzh">千字文 &lt;試&gt;</h1>' in page
    for catalogued in ("周興嗣 (梁) 撰", "某人注", "清乾隆間", "刻本", "經部·小學類", "善 0001", "某圖書館", "LIB-7"):
        assert f'<dd lang="lzh">{catalogued}</dd>' in page
    assert "公有领域标记 1.0" in page
    assert "http://creativecommons.org/publicdomain/mark/1.0/" in hrefs(page)


def test_work_page_has_the_manifest_to_drag_and_to_copy(client: FlaskClient, publisher: Any) -> None:
    work = publisher.book()
    page = client.get(f"/works/{work.identifier}").text
    manifest = f"http://localhost/iiif/presentation/3/{work.identifier}/manifest"
    assert f'<input id="manifest" readonly value="{manifest}"' in page
    dragged = next(address for address in hrefs(page) if "?manifest=" in address)
    assert dragged.startswith(manifest)
    assert client.get(dragged.removeprefix("http://localhost")).status_code == 200


def test_thumbnails_follow_the_reading_order_by_volume(client: FlaskClient, publisher: Any) -> None:
    work = publisher.book()
    page = client.get(f"/works/{work.identifier}").text
    assert page.count('<ol class="pages" dir="rtl">') == 2
    assert page.index("上冊") < page.index("葉一") < page.index("葉二") < page.index("下冊") < page.index("葉三")
    numbers = [int(number) for number in re.findall(r"aria-label=\"第 (\d) 面", page)]
    assert numbers == [1, 2, 3, 4]
    assert 'aria-label="第 3 面：缺叶 葉三"' in page
    assert page.count("缺叶") == 2, "in the name of the link, and in place of its picture"


def test_ranges_link_to_their_first_pages(client: FlaskClient, publisher: Any) -> None:
    work = publisher.book()
    page = client.get(f"/works/{work.identifier}").text
    links = dict(re.findall(r'<a href="([^"]+)" lang="lzh">([^<]+)</a>', page))
    where = {label: address.rpartition("=")[2] for address, label in links.items()}
    assert where == {"卷一": "1", "序": "2", "卷二": "4"}


def test_every_picture_of_every_page_is_served_in_its_stated_size(repository: Repository, publisher: Any) -> None:
    work = publisher.book()
    wide = publisher.small_work("長卷", size=(5000, 300))
    tall = publisher.small_work("立軸", size=(300, 5000))
    narrow = publisher.small_work("簽條", size=(150, 1000))
    line = publisher.small_work("界欄", size=(1, 5000))
    thread = publisher.small_work("絲欄", size=(3000, 1))
    client = AsgiClient(compose(repository, ImageService(repository), ProcessMetrics()))
    of_works = [
        f"/works/{held.identifier}{page}" for held in (work, wide, tall, narrow, line, thread) for page in ("", "/read")
    ]
    for path in ("/", "/works", *of_works):
        page = client.get(path).text
        shown = re.findall(r'<img[^>]*? src="([^"]*)" width="(\d+)" height="(\d+)"', page)
        assert [html.unescape(address) for address, *_ in shown] == pictures(page) != [], path
        for address, *stated in shown:
            response = client.get(html.unescape(address))
            assert response.status == 200, address
            assert response.headers["content-type"] == "image/jpeg"
            assert Image.open(io.BytesIO(response.body)).size == tuple(map(int, stated))


def test_reader_links_the_next_page_on_the_left_in_a_right_to_left_book(client: FlaskClient, publisher: Any) -> None:
    work = publisher.book()
    page = client.get(f"/works/{work.identifier}/read?page=2").text
    left = re.search(r'<a class="turn left"[^>]*>', page)
    right = re.search(r'<a class="turn right"[^>]*>', page)
    assert left is not None
    assert right is not None
    assert 'href="?page=3"' in left[0]
    assert 'rel="next"' in left[0]
    assert 'href="?page=1"' in right[0]


def test_first_page_has_no_link_to_a_previous_one(client: FlaskClient, publisher: Any) -> None:
    work = publisher.book()
    page = client.get(f"/works/{work.identifier}/read").text
    right = re.search(r'<a class="turn right"[^>]*>', page)
    assert right is not None
    assert "href" not in right[0]
    assert 'aria-disabled="true"' in right[0]


def test_missing_leaf_has_a_page_with_a_notice(client: FlaskClient, publisher: Any) -> None:
    work = publisher.book()
    page = client.get(f"/works/{work.identifier}/read?page=3").text
    assert "葉三（缺叶）：没有图像。" in page
    assert not pictures(page)


def test_restricted_work_has_its_record_and_no_picture(client: FlaskClient, publisher: Any) -> None:
    work = publisher.book(Rights(access=Access.RESTRICTED))
    page = client.get(f"/works/{work.identifier}")
    assert page.status_code == 200
    assert "限制访问" in page.text
    assert not pictures(page.text)
    assert not [address for address in hrefs(page.text) if "/read" in address.removeprefix("/static/reader")]
    assert not pictures(client.get("/").text)
    refused = client.get(f"/works/{work.identifier}/read")
    assert refused.status_code == 401
    assert 'href="/login?next=' in refused.text


def test_reduced_work_requests_pictures_within_its_limit(repository: Repository, publisher: Any) -> None:
    work = publisher.book(Rights(access=Access.REDUCED, max_size=200))
    client = AsgiClient(compose(repository, ImageService(repository), ProcessMetrics()))
    for path in (f"/works/{work.identifier}", f"/works/{work.identifier}/read"):
        page = client.get(path).text
        assert pictures(page)
        for address in pictures(page):
            assert client.get(address).status == 200, address


def test_withdrawn_work_is_gone(client: FlaskClient, publisher: Any, repository: Repository) -> None:
    work = publisher.book()
    withdraw(repository, work.identifier, "應權利人張三請求")
    for path in ("", "/read", "/record.json"):
        response = client.get(f"/works/{work.identifier}{path}")
        assert response.status_code == 410
        assert response.headers["Cache-Control"] in {"no-store", "private, no-cache"}
        assert "張三" not in response.text
    page = client.get(f"/works/{work.identifier}").text
    assert "已于 2026-01-01 撤下" in page
    assert "was withdrawn on 2026-01-01" in page
    manifest = client.get(f"/iiif/presentation/3/{work.identifier}/manifest")
    assert (manifest.status_code, manifest.headers["Cache-Control"]) == (410, "no-store")
    assert "尚无公开的馆藏" in client.get("/works").text
    restore(repository, work.identifier)
    assert client.get(f"/works/{work.identifier}").status_code == 200


def test_card_of_a_restricted_work_says_so_and_another_is_featured(client: FlaskClient, publisher: Any) -> None:
    shown = publisher.small_work("開", "2025-12-31T00:00:00Z")
    restricted = publisher.book(Rights(access=Access.RESTRICTED))
    for path in ("/", "/works"):
        page = client.get(path).text
        card = page[page.index(f'class="card" href="/works/{restricted.identifier}"') :]
        assert "限制访问" in card[: card.index("</a>")]
        assert page.count("限制访问") == 1
    assert f'class="featured" href="/works/{shown.identifier}"' in client.get("/").text


def test_page_of_a_work_says_what_the_iiif_manifest_is_for(client: FlaskClient, publisher: Any) -> None:
    page = client.get(f"/works/{publisher.book().identifier}").text
    described = re.search(r'class="drag"[^>]* aria-describedby="([^"]+)"', page)
    assert described
    assert re.search(rf'id="{described[1]}">[^<]*Mirador', page)


def test_title_and_printed_address_of_the_reader_name_the_page(client: FlaskClient, publisher: Any) -> None:
    work = publisher.book()
    page = client.get(f"/works/{work.identifier}/read?page=2").text
    assert "<title>千字文 &lt;試&gt;，第 2 面，葉二 · 善本</title>" in page
    assert f'id="address" class="address">http://localhost/works/{work.identifier}/read?page=2<' in page


def test_record_of_a_restricted_work_has_no_files(client: FlaskClient, publisher: Any) -> None:
    work = publisher.book(Rights(access=Access.RESTRICTED))
    record = client.get(f"/works/{work.identifier}/record.json").json
    pages = [page for volume in record["volumes"] for page in volume["pages"]]
    assert [page["key"] for page in pages] == ["1", "2", "3", "4"]
    assert not [page for page in pages if "images" in page]
    assert record["record"]["title"] == work.record.title


@pytest.mark.parametrize("until", ["2026-01-01", "2026-01-02"])
def test_a_restriction_ends_on_its_day(client: FlaskClient, publisher: Any, until: str) -> None:
    work = publisher.book(Rights(access=Access.RESTRICTED, until=until))
    has_ended = until == "2026-01-01"
    assert client.get(f"/works/{work.identifier}/read").status_code == (200 if has_ended else 401)
    assert bool(pictures(client.get("/").text)) is has_ended


def test_identifier_in_capitals_redirects_to_its_canonical_form(client: FlaskClient, publisher: Any) -> None:
    work = publisher.book()
    response = client.get(f"/works/{work.identifier.upper()}")
    assert response.status_code == 301
    assert response.headers["Location"] == f"/works/{work.identifier}"


def test_record_is_served_at_the_url_in_the_manifest(client: FlaskClient, publisher: Any) -> None:
    work = publisher.book()
    manifest = json.loads(client.get(f"/iiif/presentation/3/{work.identifier}/manifest").data)
    record = client.get(manifest["seeAlso"][0]["id"])
    assert record.mimetype == "application/json"
    assert "千字文" in json.dumps(record.json, ensure_ascii=False)


def test_reader_page_works_without_the_built_script(
    repository: Repository, publisher: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = publisher.book()
    monkeypatch.setattr("web.site.static_files._built_files", lambda manifest: {})
    client = create_app(repository).test_client()
    page = client.get(f"/works/{work.identifier}/read")
    assert page.status_code == 200
    assert "<script" not in page.text
    assert pictures(page.text)


@pytest.mark.parametrize(("fields", "size"), [({}, None), ({"Range": "bytes=0-9999"}, 10_000)])
def test_static_file_is_sent_in_one_part(client: FlaskClient, fields: dict[str, str], size: int | None) -> None:
    response = client.get("/static/site.css", headers=fields, buffered=False)
    content = (Path(site.__file__).parents[1] / "static" / "site.css").read_bytes()[:size]
    assert len(content) > 8192, "werkzeug sends a shorter file in one part anyway"
    assert list(response.iter_encoded()) == [content]
    assert response.content_length == len(content)
    unchanged = client.get("/static/site.css", headers={"If-None-Match": response.headers["ETag"]})
    assert (unchanged.status_code, unchanged.content_length) == (304, None)


@pytest.mark.parametrize(("column", "status"), [("access", 401), ("state", 410)])
def test_value_of_another_release_hides_its_work_and_no_other(
    client: FlaskClient, publisher: Any, repository: Repository, column: str, status: int
) -> None:
    works = [publisher.small_work(f"書{number}") for number in range(3)]
    changed = works[0]
    with repository.catalogue._sessions.begin() as session:
        session.execute(update(WorkRow).where(WorkRow.identifier == changed.identifier).values({column: "moonlit"}))
    for path in ("/", "/works", "/metrics", "/status"):
        assert client.get(path).status_code == 200, path
    assert "書1" in client.get("/works").text
    image = next(iter(changed.images())).identifier
    assert image not in client.get("/works").text
    service = ImageService(repository)
    assert respond(service, ImageCall(image_path(image, "full/max/0/default.jpg"), "")).status == status
    service.close()
