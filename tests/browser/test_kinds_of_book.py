"""The reader, Mirador 4 and Universal Viewer 4 open every kind of book without an error; one server, one ingest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pyvips
from command_line import ShanbenHere
from kinds_of_book import KINDS, write_deposit
from library_visit import PHONE, Visitor, overflow
from playwright.sync_api import Page, expect
from web_server import NO_LOCAL_WORKER, WebServer

from iiif_server.urls import manifest_path, presentation_version2, reader_path
from tests.browser.test_viewers import VIEWERS, viewer_origin

__all__ = ["viewer_origin"]

pytestmark = pytest.mark.browser

SHOWN = [kind for kind in KINDS if kind != "restricted"]
WITHOUT_FIRST_PICTURE = {"even start"}


class KindsOfBook:
    """A running web application, and the identifiers of its works by kind of book."""

    def __init__(self, address: str, works: dict[str, str]) -> None:
        self.address = address
        self.works = works


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KindsOfBook]:
    folder = tmp_path_factory.mktemp("kinds")
    shanben = ShanbenHere(folder)
    done = shanben.run_json("ingest", *(write_deposit(kind, folder / "deposits") for kind in KINDS))
    assert done.code == 0, done.errors + done.output
    works = {kind: work["identifier"] for kind, work in zip(KINDS, done.document["works"], strict=True)}
    with WebServer(folder, shanben.environment | NO_LOCAL_WORKER, processes=1) as server:
        yield KindsOfBook(server.address, works)


def has_drawn(page: Page, selector: str) -> bool:
    """Whether the middle of the picture shows paper, which is grained, and not the plain background."""
    box = page.locator(selector).first.bounding_box() if page.locator(selector).count() else None
    if box is None:
        return False
    left, top = box["x"] + box["width"] / 2 - 30, box["y"] + box["height"] / 2 - 30
    middle = page.screenshot(clip={"x": left, "y": top, "width": 60, "height": 60})
    return bool(pyvips.Image.new_from_buffer(middle, "")[0].deviate() > 0.5)


def wait_until_drawn(page: Page, selector: str, kind: str) -> None:
    for _ in range(40):
        if has_drawn(page, selector):
            return
        page.wait_for_timeout(200)
    raise AssertionError(f"{kind}: nothing was drawn")


@pytest.mark.parametrize(
    ("viewport", "kinds"),
    [({"width": 1280, "height": 800}, SHOWN), (PHONE, ["fold-out", "misplaced leaves", "rubbing"])],
    ids=["desktop", "phone"],
)
def test_reader_opens_every_kind_of_book(
    viewport: dict[str, int], kinds: list[str], visit: Visitor, library: KindsOfBook, tmp_path: Path
) -> None:
    tour = visit(viewport=viewport)
    for kind in kinds:
        page = tour.go(reader_path(library.works[kind]))
        if kind in WITHOUT_FIRST_PICTURE:
            expect(page.locator("#notice")).to_have_text("前護葉（未拍摄）：没有图像。")
        else:
            wait_until_drawn(page, "#view canvas", kind)
        assert overflow(page) <= 0, kind
        tour.take_screenshot(tmp_path, kind.replace(" ", "-"))


def test_reader_shows_another_photograph_of_a_page(visit: Visitor, library: KindsOfBook) -> None:
    tour = visit()
    page = tour.go(reader_path(library.works["rubbing"]))
    wait_until_drawn(page, "#view canvas", "rubbing")
    expect(page.locator("#orders")).to_be_hidden()
    page.get_by_role("link", name="紅外").click()
    expect(page).to_have_url(library.address + reader_path(library.works["rubbing"]) + "?page=1&photograph=2")
    expect(page.locator("#photographs [aria-current]")).to_have_text("紅外")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#photographs")).to_be_hidden()


def test_reader_follows_the_order_in_which_misplaced_leaves_belong(visit: Visitor, library: KindsOfBook) -> None:
    page = visit().go(reader_path(library.works["misplaced leaves"]))
    wait_until_drawn(page, "#view canvas", "misplaced leaves")
    page.get_by_role("link", name="復原次序").click()
    numbers = []
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
        numbers.append(page.locator("#goto").input_value())
    assert numbers == ["3", "2", "4"]
    expect(page.locator("#strip a span")).to_have_text(["1", "3", "2", "4"])
    page.get_by_role("link", name="原装次序").click()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#goto")).to_have_value("3")


OF_VERSION_2 = {
    "mirador": ("rubbing", "bound together", "missing leaf"),
    "universal viewer": ("bound together", "missing leaf"),  # it shows no oa:Choice
}
"""The kinds that are opened in version 2.1 too: those of which the conversion is not plain."""


@pytest.mark.parametrize("name", VIEWERS)
def test_viewers_open_every_kind_of_book(
    name: str, browser: Any, viewer_origin: str, library: KindsOfBook, tmp_path: Path
) -> None:
    viewer, faults = VIEWERS[name], list[str]()
    context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="en")
    page = context.new_page()
    page.on("pageerror", lambda fault: faults.append(f"{kind}: {fault}"))
    paths = [(kind, manifest_path(library.works[kind])) for kind in SHOWN]
    paths += [(kind, presentation_version2(manifest_path(library.works[kind]))) for kind in OF_VERSION_2[name]]
    for number, (kind, path) in enumerate(paths):
        if number:
            page.evaluate("(manifest) => show(manifest)", library.address + path)
        else:
            page.goto(f"{viewer_origin}/{viewer.page}?manifest={library.address}{path}")
        wait_until_drawn(page, viewer.picture, kind)
        page.screenshot(path=tmp_path / f"{kind}{path.split('/')[3]}.png".replace(" ", "-"))
    context.close()
    assert faults == []
    print(f"screenshots: {tmp_path}")
