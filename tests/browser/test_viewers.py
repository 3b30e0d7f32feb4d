"""Mirador 4 and Universal Viewer 4 open books and collections, turn pages, zoom to full resolution and search.

The viewers are served from another port, so that manifests and images are cross-origin and need CORS. The tests read
the pixels of the screen. The colours of each master encode the position (red increases from left to right, green from
top to bottom, blue is the page), and every other column is lighter: stripes of one pixel, which no smaller level has.
"""

from __future__ import annotations

import io
import json
import threading
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import numpy as np
import pytest
import pyvips
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout
from prerequisites import require

from iiif_server.urls import collection_path, manifest_path
from repository.config import Settings
from repository.repository import open_repository
from tests.browser.conftest import ingest
from workers.tasks.publish import publish_all

pytestmark = pytest.mark.browser

HERE = Path(__file__).parent
WIDTH, HEIGHT, PAGES = 1500, 2000, 3
STRIPE = 24
WAIT = 20_000
EXPANDING_SECONDS = (4, 4, 8)

OWN_FAULTS = ("Accessing element.ref was removed in React 19.",)
"""Console errors that a viewer has with every book."""

MIRADOR = """<!DOCTYPE html><meta charset="utf-8"><title>Mirador</title>
<div id="viewer"></div><script src="node_modules/mirador/dist/mirador.min.js"></script>
<script>
  let opened = null;
  const show = (manifestId) => {
    opened?.unmount();
    opened = Mirador.viewer({
      id: "viewer", windows: [{ manifestId, view: "single" }], language: "en",
      window: { allowClose: false, defaultSideBarPanel: "info" }, workspaceControlPanel: { enabled: false },
    });
  };
  show(new URLSearchParams(location.search).get("manifest"));
</script>
"""
"""A page that shows a manifest, and then others in a new viewer by ``show``, without loading the program again."""

UNIVERSAL_VIEWER = """<!DOCTYPE html><meta charset="utf-8"><title>Universal Viewer</title>
<link rel="stylesheet" href="node_modules/universalviewer/dist/uv.css">
<style>body { margin: 0 } #viewer { width: 100vw; height: 100vh }</style>
<div id="viewer" class="uv"></div><script src="node_modules/universalviewer/dist/umd/UV.js"></script>
<script>
  let opened = null;
  const show = (manifest) => {
    opened?.dispose();
    opened = UV.init("viewer", { manifest });
  };
  show(new URLSearchParams(location.search).get("manifest"));
</script>
"""


WITHOUT_WEBGL = """
const real = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (kind, ...options) {
  return kind.includes("webgl") ? null : real.call(this, kind, ...options);
};
"""
"""Makes a browser one without WebGL, in which viewers draw on a plain canvas.

Without a graphics card, WebGL takes a second of the processor for each book. A test of each viewer uses it, which looks
at the colours of single pixels.
"""


@dataclass(frozen=True)
class Viewer:
    """A viewer's page, and the selectors of its picture and buttons."""

    page: str
    picture: str
    zoom: str
    next: str
    previous: str
    field: str
    """The field that searches within a work."""

    found: str
    """What it shows when a search has found two places."""

    to_field: tuple[str, ...] = ()
    """The buttons that lead to the field."""

    collection: str | None = None
    """The button that lists a collection; None when the viewer lists it immediately."""


VIEWERS = {
    "mirador": Viewer(
        "mirador.html", ".openseadragon-canvas canvas", "button[aria-label='Zoom in']",
        "button[aria-label='Next item']", "button[aria-label='Previous item']", "input[role='combobox']", "1 of 2",
        ("button[aria-label='Toggle sidebar']", "[role='tab'][aria-label='Search']"),
        "button:has-text('Show collection')",
    ),
    "universal viewer": Viewer(
        "universal-viewer.html", ".openseadragon-canvas canvas", "button.zoomIn",
        "button[title='Next Image']", "button[title='Previous Image']", "#searchWithinInput",
        "2 results found for '天地'",
    ),
}  # fmt: skip


@dataclass
class Visit:
    """A viewer in the browser, with the responses and errors so far."""

    viewer: Viewer
    page: Page
    context: BrowserContext
    library: str
    responses: list[tuple[str, int]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def open(self, origin: str, manifest: str) -> None:
        self.page.on("response", lambda response: self.responses.append((response.url, response.status)))
        self.page.on("requestfailed", self._on_request_failed)
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda fault: self.errors.append(str(fault)))
        self.page.goto(f"{origin}/{self.viewer.page}?{urlencode({'manifest': manifest})}")

    def press(self, button: str) -> None:
        self.page.locator(button).first.click(timeout=WAIT)

    def zoom_all_the_way(self) -> None:
        """Zoom in until full-resolution tiles are fetched, and two steps more, so that each pixel is visible."""
        further = 2
        for _ in range(12):
            further -= bool(self.full_tiles())
            self.press(self.viewer.zoom)
            self.page.wait_for_timeout(700)
            self.page.wait_for_load_state("networkidle")
            if not further:
                return

    def pixels(self, folder: Path, name: str) -> np.ndarray:
        """Return the 240 by 200 screen pixels in the centre of the picture."""
        box = self.page.locator(self.viewer.picture).first.bounding_box()
        assert box is not None
        left, top = int(box["x"] + box["width"] / 2 - 120), int(box["y"] + box["height"] / 2 - 100)
        shot = self.page.screenshot(
            path=folder / f"{name}.png", clip={"x": left, "y": top, "width": 240, "height": 200}
        )
        print(f"screenshot: {folder / name}.png")
        return np.asarray(Image.open(io.BytesIO(shot)).convert("RGB")).astype(float)

    def wait_for_page(self, number: int, folder: Path) -> None:
        """Wait until the screen has the blue of a page."""
        for _ in range(60):
            if abs(self.pixels(folder, "waiting")[..., 2].mean() - blue(number)) < 12:
                return
            self.page.wait_for_timeout(250)
        raise AssertionError(f"page {number} was not shown")

    def full_tiles(self) -> list[tuple[int, ...]]:
        return [tile for tile in self.tiles() if tile[2:4] == tile[4:6]]

    def tiles(self) -> list[tuple[int, ...]]:
        """Return the region and size of every tile fetched."""
        paths = [urlsplit(url).path.split("/") for url, status in self.responses if status == 200]
        requests = [
            path for path in paths if "image" in path[:3] and path[-1].startswith("default.") and "," in path[-4]
        ]
        return [tuple(map(int, [*path[-4].split(","), *size(path)])) for path in requests]

    def _on_console(self, line: Any) -> None:
        own = line.text.startswith(OWN_FAULTS) or (
            line.text.startswith("Failed to load resource") and not line.location["url"].startswith(self.library)
        )
        if line.type == "error" and not own:
            self.errors.append(line.text)

    def _on_request_failed(self, request: Any) -> None:
        # Viewers abort requests for tiles that they no longer need.
        if request.failure != "net::ERR_ABORTED":
            self.errors.append(f"{request.url}: {request.failure}")


def size(path: list[str]) -> tuple[int, int]:
    """Return the requested width and height; a missing height in proportion to the region."""
    width, _, height = path[-3].partition(",")
    region = path[-4].split(",")
    return int(width), int(height or round(int(region[3]) * int(width) / int(region[2])))


def blue(page: int) -> int:
    return 60 * page


def master(page: int) -> np.ndarray:
    """Return the pixels of a page, as the module's docstring describes."""
    across, down = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    colours = np.stack([50 + 150 * across / WIDTH, 50 + 150 * down / HEIGHT, np.full(across.shape, blue(page))], axis=2)
    return np.rint(colours + np.where(across % 2, STRIPE, -STRIPE)[..., None]).astype(np.uint8)


def deposit(folder: Path, direction: str) -> Path:
    folder.mkdir()
    for number in range(1, PAGES + 1):
        picture = pyvips.Image.new_from_array(master(number)).copy(interpretation="srgb")
        picture.tiffsave(str(folder / f"{number:04d}.tif"), compression="deflate")
    names = "".join(f'{key} = "{direction}"\n' for key in ("identifier", "title", "viewing_direction"))
    (folder / "work.toml").write_text(names + 'behavior = "individuals"\n', "utf-8")
    return folder


@pytest.fixture(scope="module")
def books(library: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The URL of a book's manifest for each reading direction."""
    folder = tmp_path_factory.mktemp("books")
    directions = ("left-to-right", "right-to-left")
    works = ingest(library.shanben, *(deposit(folder / direction, direction) for direction in directions))
    return {
        direction: f"{library.address}{manifest_path(work)}" for direction, work in zip(directions, works, strict=True)
    }


@pytest.fixture
def labels_to_book(library: Any, books: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Divide the top collection to the deepest level, and return the labels that lead to its last work."""
    repository = open_repository(Settings(data=Path(library.shanben.environment["SHANBEN_DATA"])))
    with monkeypatch.context() as divided:
        divided.setattr("workers.tasks.publish.MOST", 1)
        publish_all(repository)
    labels, address = [], library.address + collection_path("top")
    while "/collection/" in address:
        with urllib.request.urlopen(address) as response:
            last = json.load(response)["items"][-1]
        address = last["id"]
        labels.append(last["label"].get("en", last["label"].get("none"))[0])
    assert (len(labels), address) == (6, books[labels[-1]])
    yield labels
    publish_all(repository)


@pytest.fixture(scope="module")
def viewer_origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The origin that serves the viewers, different from the library's."""
    packages = require(HERE / "node_modules/mirador", "the viewers (npm packages; make .make/viewers)")
    folder = tmp_path_factory.mktemp("viewers")
    (folder / "node_modules").symlink_to(Path(packages).parent)
    (folder / "mirador.html").write_text(MIRADOR, "utf-8")
    (folder / "universal-viewer.html").write_text(UNIVERSAL_VIEWER, "utf-8")
    (folder / "favicon.ico").touch()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files without logging requests."""

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(params=VIEWERS)
def visit(
    request: pytest.FixtureRequest, browser: Browser, viewer_origin: str, library: Any
) -> Iterator[Callable[[str], Visit]]:
    """Opens a manifest in each viewer; at the end, there may be no errors and no requests to other hosts."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en")
    if "books" not in request.fixturenames or "labels_to_book" in request.fixturenames:
        context.add_init_script(WITHOUT_WEBGL)
    opened = Visit(VIEWERS[request.param], context.new_page(), context, library.address)

    def open_manifest(manifest: str) -> Visit:
        opened.open(viewer_origin, manifest)
        return opened

    yield open_manifest
    context.close()
    assert [url for url, status in opened.responses if status >= 400 and url.startswith(library.address)] == []
    assert opened.errors == []
    hosts = {urlsplit(url).netloc for url, _ in opened.responses if not url.startswith(("blob:", "data:"))}
    assert hosts == {urlsplit(library.address).netloc, urlsplit(viewer_origin).netloc}


@pytest.mark.parametrize("direction", ["left-to-right", "right-to-left"])
def test_viewer_opens_a_book_turns_its_pages_and_zooms_to_full_resolution(
    direction: str, visit: Callable[[str], Visit], books: dict[str, str], tmp_path: Path
) -> None:
    reading = visit(books[direction])
    reading.wait_for_page(1, tmp_path)
    assert_whole_page(reading.pixels(tmp_path, "opened"))
    reading.press(reading.viewer.next)
    reading.wait_for_page(2, tmp_path)
    reading.press(reading.viewer.next)
    reading.wait_for_page(3, tmp_path)
    reading.press(reading.viewer.previous)
    reading.wait_for_page(2, tmp_path)
    assert_button_order(reading, direction)
    assert reading.full_tiles() == []
    reading.zoom_all_the_way()
    assert len(reading.full_tiles()) >= 2
    assert_full_resolution(reading.pixels(tmp_path, "zoomed"), blue(2))


def test_viewer_reaches_a_book_through_nested_collections(
    visit: Callable[[str], Visit], labels_to_book: list[str], library: Any, tmp_path: Path
) -> None:
    reading = visit(library.address + collection_path("top"))
    if reading.viewer.collection:
        reading.press(reading.viewer.collection)
    *levels, book = [reading.page.get_by_text(label, exact=True).first for label in labels_to_book]
    for item, following in zip(levels, [*levels[1:], book], strict=True):
        item.wait_for(timeout=WAIT)
        expand(item, following)
    book.click(timeout=WAIT)
    reading.wait_for_page(1, tmp_path)
    assert_whole_page(reading.pixels(tmp_path, "found"))


def expand(item: Locator, following: Locator) -> None:
    """Click on an item until the following one is visible.

    Viewers expand some items by themselves, and a click on an item that is expanded collapses it.
    """
    for seconds in (1, *EXPANDING_SECONDS):
        try:
            following.wait_for(timeout=1000 * seconds)
        except PlaywrightTimeout:
            item.click(timeout=WAIT)
        else:
            return
    following.wait_for(timeout=WAIT)


def test_viewer_searches_within_a_book(visit: Callable[[str], Visit], library: Any, tmp_path: Path) -> None:
    reading = visit(library.address + manifest_path(library.book))
    for button in reading.viewer.to_field:
        reading.press(button)
    field = reading.page.locator(reading.viewer.field).first
    field.click(timeout=WAIT)
    field.press_sequentially("天地")
    field.press("Enter")
    expect(reading.page.get_by_text(reading.viewer.found).first).to_be_visible(timeout=WAIT)
    reading.page.screenshot(path=tmp_path / "found.png")
    print(f"screenshot: {tmp_path / 'found.png'}")


def assert_button_order(reading: Visit, direction: str) -> None:
    """Assert that the next-page button is on the side of the reading direction."""
    boxes = [
        reading.page.locator(button).first.bounding_box() for button in (reading.viewer.previous, reading.viewer.next)
    ]
    previous, following = (box["x"] for box in boxes if box is not None)
    assert (following > previous) == (direction == "left-to-right")


def assert_whole_page(pixels: np.ndarray) -> None:
    """Assert that the pixels span a large part of the page, upright and unmirrored, without visible stripes."""
    red, green = pixels[..., 0].mean(axis=0), pixels[..., 1].mean(axis=1)
    assert red[-20:].mean() - red[:20].mean() > 25
    assert green[-20:].mean() - green[:20].mean() > 15
    assert np.abs(np.diff(pixels[..., 1], axis=1)).mean() < STRIPE / 2


def assert_full_resolution(pixels: np.ndarray, expected_blue: int) -> None:
    """Assert that one-pixel stripes are visible, with the colours of the master at one position."""
    light = pixels.mean(axis=(0, 2))
    assert light.max() - light.min() > STRIPE, "stripes that only full resolution has"
    red, green, measured_blue = (pixels[..., band].mean() for band in range(3))
    place = (red - 50) / 150 * WIDTH, (green - 50) / 150 * HEIGHT
    assert abs(measured_blue - expected_blue) < 6
    assert 0 < place[0] < WIDTH
    assert 0 < place[1] < HEIGHT
    # At this zoom, 240 screen pixels show at most 240 pixels of the master.
    assert abs(pixels[:, -40:, 0].mean() - pixels[:, :40, 0].mean()) < 150 * 240 / WIDTH
