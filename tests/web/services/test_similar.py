"""``/verify/similar`` as a program and as a reader without JavaScript use it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from io import BytesIO

import pytest
from drawn_library import SEEDS, DrawnLibrary
from drawn_pages import draw_page, encoded
from flask.testing import FlaskClient

from iiif_server import urls
from repository.model.work import Image, Master, Rectangle
from web.app import create_app
from web.services.similar import MAX_PICTURE_BYTES, _surroundings
from web.site.view_models import Picture, part_picture
from workers.deposit.examiner import ChildDepositExaminer

pytestmark = pytest.mark.slow

PICTURE = encoded(draw_page(SEEDS[0])[300:800, 200:700])
STRANGER = encoded(draw_page(99))
JSON = {"Accept": "application/json"}
PAGE = {"Accept": "text/html", "Accept-Language": "en"}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory, examiner: ChildDepositExaminer) -> Iterator[DrawnLibrary]:
    with DrawnLibrary(tmp_path_factory.mktemp("similar"), examiner) as library:
        yield library


@pytest.fixture(scope="module")
def client(library: DrawnLibrary) -> FlaskClient:
    return create_app(library.repository).test_client()


@pytest.mark.slow
def test_a_program_sends_a_picture_and_gets_its_page(client: FlaskClient, library: DrawnLibrary) -> None:
    answer = client.post(urls.SIMILAR, data=PICTURE, content_type="image/jpeg", headers=JSON)
    document = answer.get_json()
    (match,) = document["matches"]
    assert (match["image"], match["work"], match["page"]) == (library.images[0], library.work, 1)
    assert 0.65 < match["confidence"] <= 1
    x, y, width, height = map(int, match["region"].split(","))
    assert abs(x - 200) < 30 and abs(y - 300) < 30 and abs(width - 500) < 40 and abs(height - 500) < 40  # noqa: PT018
    assert match["reader"].endswith(urls.reader_path(library.work, 1))
    assert (document["searched"], document["images"]) == (3, 3)
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_form_of_any_site_may_send_one(client: FlaskClient, library: DrawnLibrary) -> None:
    form = {"picture": (BytesIO(PICTURE), "scan.jpg")}
    document = client.post(urls.SIMILAR, data=form, headers=JSON).get_json()
    assert [match["image"] for match in document["matches"]] == [library.images[0]]


def test_a_reader_sees_the_page_with_the_part_outlined(client: FlaskClient, library: DrawnLibrary) -> None:
    form = {"picture": (BytesIO(PICTURE), "scan.jpg")}
    page = client.post(urls.SIMILAR, data=form, headers=PAGE).text
    assert f"/iiif/image/3/{library.images[0]}/" in page
    assert "<rect" in page
    assert "Pages found: 1" in page
    assert "<form" in client.get(urls.SIMILAR, headers=PAGE).text


def test_no_page_is_an_answer_too(client: FlaskClient) -> None:
    document = client.post(urls.SIMILAR, data=STRANGER, content_type="image/jpeg", headers=JSON).get_json()
    assert document == {"matches": [], "searched": 3, "images": 3}
    page = client.post(urls.SIMILAR, data={"picture": (BytesIO(STRANGER), "a.jpg")}, headers=PAGE).text
    assert "No page found" in page


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (b"", 400, "picture.absent"),
        (b"no picture", 422, "picture.unreadable"),
        (PICTURE[:3000], 422, "picture.unreadable"),
        (bytes(MAX_PICTURE_BYTES + 1), 413, "upload.size"),
    ],
    ids=["nothing", "text", "truncated", "too large"],
)
def test_what_is_no_picture_is_refused_with_a_reason(client: FlaskClient, data: bytes, status: int, code: str) -> None:
    refused = client.post(urls.SIMILAR, data=data, content_type="application/octet-stream", headers=JSON)
    assert (refused.status_code, refused.get_json()["code"]) == (status, code)
    page = client.post(urls.SIMILAR, data={"picture": (BytesIO(data), "a.jpg")}, headers=PAGE)
    assert page.status_code == status
    assert 'role="alert"' in page.text


def test_a_client_that_searches_too_often_is_asked_to_wait(client: FlaskClient) -> None:
    headers = JSON | {"X-Forwarded-For": "203.0.113.7"}
    answers = [client.post(urls.SIMILAR, data=b"no picture", headers=headers) for _ in range(6)]
    assert [answer.status_code for answer in answers][-1] == 429
    assert int(answers[-1].headers["Retry-After"]) > 0


def test_a_serving_process_loads_neither_opencv_nor_faiss() -> None:
    program = "import sys, web.asgi; print({'cv2', 'faiss'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_part_of_a_long_picture_is_shown_with_what_is_around_it() -> None:
    scroll = Image("i1", 20_000, 1000, Master("m.tif", "ab", 1, "image/tiff"))
    page = Image("i2", 2000, 3000, Master("m.tif", "ab", 1, "image/tiff"))
    assert _surroundings(Rectangle(9000, 100, 800, 800), scroll) == Rectangle(8300, 0, 2200, 1000)
    assert _surroundings(Rectangle(0, 0, 800, 800), scroll) == Rectangle(0, 0, 2200, 1000)
    assert _surroundings(Rectangle(10, 10, 100, 100), page) == Rectangle(0, 0, 2000, 3000)
    assert part_picture("i1", (20000, 1000), Rectangle(8300, 0, 2200, 1000), 1200, 4000) == Picture(
        "/iiif/image/3/i1/8300,0,2200,1000/440,200/0/default.jpg", 440, 200
    )
