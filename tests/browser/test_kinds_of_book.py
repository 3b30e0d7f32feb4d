"""The reader, Mirador 4 and Universal Viewer 4 open every kind of book without an error; one server, one ingest.

They log in to the restricted one. Viewers open the harvested one from its partner's server.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pyvips
from axe import violations
from command_line import ShanbenHere
from kinds_of_book import KINDS, picture, write_deposit
from library_visit import PHONE, Visitor, overflow
from partner_server import IiifPartner, partner_server
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect
from staff_browser import PASSWORD
from web_server import NO_LOCAL_WORKER, WebServer

from iiif_server.urls import (
    PARTNERS,
    collection_path,
    manifest_path,
    page_text_path,
    presentation_version2,
    reader_path,
    work_path,
)
from tests.browser.test_viewers import VIEWERS, WITHOUT_WEBGL, viewer_origin

__all__ = ["viewer_origin"]

pytestmark = pytest.mark.browser

SHOWN = [kind for kind in KINDS if kind != "restricted"]
WITHOUT_FIRST_PICTURE = {"even start"}
PARTNER = "neighbour"
HARVESTED = (600, 800)
LONG_WORD = "Thousandcharacterclassicinonewordwithoutanyspace"


@dataclass(frozen=True)
class KindsOfBook:
    """A running web application, its works by kind of book, and its partner, whose one book it has harvested.

    An account of a reader has the name ``reader`` and `PASSWORD`.
    """

    address: str
    works: dict[str, str]
    partner: IiifPartner


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KindsOfBook]:
    folder = tmp_path_factory.mktemp("kinds")
    shanben = ShanbenHere(folder, harvest_private="127.0.0.1")
    done = shanben.run_json("ingest", *(write_deposit(kind, folder / "deposits") for kind in KINDS))
    assert done.code == 0, done.errors + done.output
    works = {kind: work["identifier"] for kind, work in zip(KINDS, done.document["works"], strict=True)}
    account = shanben.run("account", "add", "reader", "--role", "reader", stdin=f"{PASSWORD}\n")
    assert account.code == 0, account.errors
    with partner_server() as server:
        server.answer = partner = IiifPartner(
            server.url, ("鄰館本", f"鄰館舊本 {LONG_WORD}"), picture("harvested 1", HARVESTED), HARVESTED
        )
        for arguments in (("add", PARTNER, f"{server.url}/top", "--rate", 100), ("run", PARTNER)):
            harvested = shanben.run("harvest", *arguments)
            assert harvested.code == 0, harvested.errors
        with WebServer(folder, shanben.environment | NO_LOCAL_WORKER, processes=1) as web:
            yield KindsOfBook(web.address, works, partner)


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


def context_of_viewer(browser: Browser) -> BrowserContext:
    """Return a new context in which viewers draw on a plain canvas."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="en")
    context.add_init_script(WITHOUT_WEBGL)
    return context


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
    context = context_of_viewer(browser)
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


def test_reader_shows_the_text_of_a_book_and_searches_in_it(visit: Visitor, library: KindsOfBook) -> None:
    page = visit().go(f"{reader_path(library.works['with text'])}?q=日月")
    wait_until_drawn(page, "#view canvas", "with text")
    page.keyboard.press("t")
    expect(page.locator("#text select option")).to_have_text(["录文", "文字识别（未经校对） · rapidocr 3.9"])
    page.keyboard.press("n")
    expect(page.locator("#text mark.current")).to_have_text("日月")


def test_records_of_partners_fit_on_a_narrow_phone(browser: Browser, library: KindsOfBook) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740}, locale="zh-CN")
    page = context.new_page()
    page.goto(f"{library.address}/search?q=鄰館")
    expect(page.locator(".of-partners .found-work")).to_have_count(2)
    assert overflow(page) <= 0
    page.get_by_role("link", name=LONG_WORD).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(LONG_WORD)
    assert overflow(page) <= 0
    context.close()


@pytest.mark.parametrize("name", VIEWERS)
def test_viewers_open_a_harvested_book_from_its_partner(
    name: str, browser: Browser, viewer_origin: str, library: KindsOfBook
) -> None:
    with urllib.request.urlopen(library.address + collection_path(f"partner-{PARTNER}")) as response:
        manifests = [item["id"] for item in json.load(response)["items"]]
    assert sorted(manifests) == list(library.partner.manifests)
    context = context_of_viewer(browser)
    page = context.new_page()
    page.goto(f"{viewer_origin}/{VIEWERS[name].page}?manifest={library.partner.manifests[0]}")
    wait_until_drawn(page, VIEWERS[name].picture, "harvested")
    context.close()


@pytest.mark.parametrize(("place", "next_key"), [(0, "ArrowLeft"), (1, "ArrowRight")], ids=["3.0", "2.1"])
def test_reader_opens_a_harvested_book_from_its_partner(
    place: int, next_key: str, browser: Browser, library: KindsOfBook, tmp_path: Path
) -> None:
    context, faults, title = browser.new_context(locale="zh-CN"), list[str](), library.partner.titles[place]
    page = context.new_page()
    page.on("console", lambda line: faults.append(line.text) if line.type == "error" else None)
    page.goto(f"{library.address}{PARTNERS}/{PARTNER}")
    page.get_by_role("link", name=title).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(title)
    page.wait_for_function("() => document.querySelector('.cover img').naturalWidth === 600")
    page.get_by_role("link", name="开卷阅读").click()
    wait_until_drawn(page, "#view canvas", "harvested")
    expect(page.locator("#of")).to_have_text("/ 2")
    assert violations(page) == []
    page.screenshot(path=tmp_path / "harvested.png")
    print(f"screenshot: {tmp_path / 'harvested.png'}")
    expect(page.locator("#notice")).to_be_hidden()
    page.keyboard.press(next_key)
    expect(page.locator("#goto")).to_have_value("2")
    expect(page.locator(f".turn.{'right' if next_key == 'ArrowLeft' else 'left'}")).to_have_attribute("href", "?page=1")
    context.close()
    assert faults == []


def log_in(page: Page) -> None:
    """Fill in the form of a login."""
    page.fill("#name", "reader")
    page.fill("#password", PASSWORD)
    page.click("button.call")


def test_reader_logs_in_to_a_restricted_book(visit: Visitor, library: KindsOfBook, tmp_path: Path) -> None:
    tour, work = visit(), library.works["restricted"]
    # Not opened as a page: the browser would request an icon for a document that names none.
    refused = tour.context.request.get(f"{library.address}{page_text_path(work, 1, 'json')}")
    assert refused.status == 401
    assert "登录" in refused.text()
    page = tour.go(work_path(work))
    page.get_by_role("link", name="登录").click()
    log_in(page)
    page.get_by_role("link", name="开卷阅读").click()
    wait_until_drawn(page, "#view canvas", "restricted")
    expect(page.locator("#find")).to_have_count(0)  # the search within a work is public
    page.keyboard.press("t")
    expect(page.locator("#text ol")).to_have_text("天地玄黃")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#text ol")).to_have_text("宇宙洪荒")
    wait_until_drawn(page, "#view canvas", "restricted")
    tour.take_screenshot(tmp_path, "restricted")


TO_LOGIN = {
    "mirador": ("text=Continue", "button:has-text('登录 Log in')"),
    "universal viewer": ("a:has-text('登录 Log in')",),
}
"""The buttons of a viewer that lead to the login; the last one opens it."""


@pytest.mark.parametrize(
    ("name", "is_own"),
    [("mirador", True), ("mirador", False), ("universal viewer", True)],  # see docs/partners.md
    ids=["mirador here", "mirador elsewhere", "universal viewer here"],
)
def test_viewers_log_in_to_a_restricted_book(
    name: str, is_own: bool, browser: Browser, viewer_origin: str, library: KindsOfBook, tmp_path: Path
) -> None:
    viewer = VIEWERS[name]
    context = context_of_viewer(browser)
    origin = place_viewers(context, viewer_origin, library.address) if is_own else viewer_origin
    page, pictures = context.new_page(), list[int]()
    page.on("response", lambda got: pictures.append(got.status) if got.url.endswith("/default.jpg") else None)
    page.goto(f"{origin}/{viewer.page}?manifest={library.address}{manifest_path(library.works['restricted'])}")
    *before, last = TO_LOGIN[name]
    for button in before:
        page.locator(button).click()
    assert 200 not in pictures
    with context.expect_page() as opened:
        page.locator(last).click()
    log_in(opened.value)
    if name == "mirador":
        # It asks for the page that is open again, but draws only those that are opened after the login.
        page.locator(viewer.next).first.click()
        wait_until_drawn(page, viewer.picture, "restricted, next page")
        page.locator(viewer.previous).first.click()
    wait_until_drawn(page, viewer.picture, "restricted")
    page.screenshot(path=tmp_path / "restricted.png")
    print(f"screenshot: {tmp_path / 'restricted.png'}")
    context.close()


def place_viewers(context: BrowserContext, viewer_origin: str, library: str) -> str:
    """Serve the viewers below the library's own origin, and return where."""
    place = f"{library}/viewers"

    def serve(route: Route) -> None:
        route.fulfill(response=route.fetch(url=route.request.url.replace(place, viewer_origin, 1)))

    context.route(f"{place}/**", serve)
    return place
