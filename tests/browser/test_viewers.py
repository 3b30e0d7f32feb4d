"""Other institutions' viewers, Mirador 4 and Universal Viewer 4, open our books, turn their pages and zoom all the way.

The viewers are served from a port of their own, as they are in life: a book comes from another origin, so nothing works
without CORS. What is seen is judged by the pixels on the screen. Each master's colours tell the place (red runs from
left to right, green from the top down, blue is the page), and every other column of it is lighter: stripes of one pixel
that no smaller level has.
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
from playwright.sync_api import Browser, BrowserContext, Page
from prerequisites import require

from repository.config import Settings
from repository.repository import open_repository
from tests.browser.conftest import take_in
from workers.tasks.publish import publish_all

pytestmark = pytest.mark.browser

HERE = Path(__file__).parent
WIDTH, HEIGHT, PAGES = 1500, 2000, 3
STRIPE = 24
WAIT = 20_000

OWN_FAULTS = ("Accessing element.ref was removed in React 19.",)
"""What a viewer says of itself, whatever book is open. The other asks for a picture of its own in a wrong place."""

MIRADOR = """<!DOCTYPE html><meta charset="utf-8"><title>Mirador</title>
<div id="viewer"></div><script src="node_modules/mirador/dist/mirador.min.js"></script>
<script>
  const manifestId = new URLSearchParams(location.search).get("manifest");
  Mirador.viewer({
    id: "viewer", windows: [{ manifestId, view: "single" }], language: "en",
    window: { allowClose: false, defaultSideBarPanel: "info" }, workspaceControlPanel: { enabled: false },
  });
</script>
"""

UNIVERSAL_VIEWER = """<!DOCTYPE html><meta charset="utf-8"><title>Universal Viewer</title>
<link rel="stylesheet" href="node_modules/universalviewer/dist/uv.css">
<style>body { margin: 0 } #viewer { width: 100vw; height: 100vh }</style>
<div id="viewer" class="uv"></div><script src="node_modules/universalviewer/dist/umd/UV.js"></script>
<script>
  UV.init("viewer", { manifest: new URLSearchParams(location.search).get("manifest") });
</script>
"""


@dataclass(frozen=True)
class Viewer:
    """How a person works it: its page, and how its buttons and its picture are found."""

    page: str
    picture: str
    zoom: str
    next: str
    previous: str
    collection: str | None = None
    """Shows what a collection lists; None where that is seen at once."""


VIEWERS = {
    "mirador": Viewer(
        "mirador.html", ".openseadragon-canvas canvas", "button[aria-label='Zoom in']",
        "button[aria-label='Next item']", "button[aria-label='Previous item']",
        "button:has-text('Show collection')",
    ),
    "universal viewer": Viewer(
        "universal-viewer.html", ".openseadragon-canvas canvas", "button.zoomIn",
        "button[title='Next Image']", "button[title='Previous Image']",
    ),
}  # fmt: skip


@dataclass
class Visit:
    """A viewer at work in the browser, and all that it asked for and said."""

    viewer: Viewer
    page: Page
    context: BrowserContext
    library: str
    answers: list[tuple[str, int]] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def open(self, origin: str, manifest: str) -> None:
        self.page.on("response", lambda answer: self.answers.append((answer.url, answer.status)))
        self.page.on("requestfailed", self._failed)
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda fault: self.complaints.append(str(fault)))
        self.page.goto(f"{origin}/{self.viewer.page}?{urlencode({'manifest': manifest})}")

    def press(self, button: str) -> None:
        self.page.locator(button).first.click(timeout=WAIT)

    def zoom_all_the_way(self) -> None:
        """Until tiles of full resolution come, and a little more, so that each of their pixels is seen."""
        further = 2
        for _ in range(12):
            further -= bool(self.full_tiles())
            self.press(self.viewer.zoom)
            self.page.wait_for_timeout(700)
            self.page.wait_for_load_state("networkidle")
            if not further:
                return

    def pixels(self, folder: Path, name: str) -> np.ndarray:
        """What the viewer shows in the middle of its picture, 240 by 200 pixels of the screen."""
        shot = self.page.screenshot(path=folder / f"{name}.png")
        print(f"screenshot: {folder / name}.png")  # it is there to be looked at
        box = self.page.locator(self.viewer.picture).first.bounding_box()
        assert box is not None
        left, top = int(box["x"] + box["width"] / 2 - 120), int(box["y"] + box["height"] / 2 - 100)
        return np.asarray(Image.open(io.BytesIO(shot)).convert("RGB"))[top : top + 200, left : left + 240].astype(float)

    def wait_for_page(self, number: int, folder: Path) -> None:
        """Until the blue of a page is what the screen shows."""
        for _ in range(60):
            if abs(self.pixels(folder, "waiting")[..., 2].mean() - blue(number)) < 12:
                return
            self.page.wait_for_timeout(250)
        raise AssertionError(f"page {number} was not shown")

    def full_tiles(self) -> list[tuple[int, ...]]:
        return [tile for tile in self.tiles() if tile[2:4] == tile[4:6]]

    def tiles(self) -> list[tuple[int, ...]]:
        """Region and size of every tile that was fetched."""
        paths = [urlsplit(url).path.split("/") for url, status in self.answers if status == 200]
        requests = [
            path for path in paths if "image" in path[:3] and path[-1].startswith("default.") and "," in path[-4]
        ]
        return [tuple(map(int, [*path[-4].split(","), *size(path)])) for path in requests]

    def _said(self, line: Any) -> None:
        own = line.text.startswith(OWN_FAULTS) or (
            line.text.startswith("Failed to load resource") and not line.location["url"].startswith(self.library)
        )
        if line.type == "error" and not own:
            self.complaints.append(line.text)

    def _failed(self, request: Any) -> None:
        # A tile that is no longer wanted is given up: that is the viewer's choice.
        if request.failure != "net::ERR_ABORTED":
            self.complaints.append(f"{request.url}: {request.failure}")


def size(path: list[str]) -> tuple[int, int]:
    """Width and height asked for; where the height is left out, as the region has it."""
    width, _, height = path[-3].partition(",")
    region = path[-4].split(",")
    return int(width), int(height or round(int(region[3]) * int(width) / int(region[2])))


def blue(page: int) -> int:
    return 60 * page


def master(page: int) -> np.ndarray:
    """The pixels of a page: see above."""
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
    """The manifest of a book for each direction of reading."""
    folder = tmp_path_factory.mktemp("books")
    works = {
        way: take_in(library.environment, deposit(folder / way, way)) for way in ("left-to-right", "right-to-left")
    }
    return {way: f"{library.address}/iiif/presentation/3/{work}/manifest" for way, work in works.items()}


@pytest.fixture
def parts(library: Any, books: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The collection of all works divided as far as it can be: the labels that lead to its last work, a book."""
    repository = open_repository(Settings(data=Path(library.environment["SHANBEN_DATA"])))
    with monkeypatch.context() as divided:
        divided.setattr("workers.tasks.publish.MOST", 1)
        publish_all(repository)
    labels, address = [], f"{library.address}/iiif/presentation/3/collection/top"
    while "/collection/" in address:
        with urllib.request.urlopen(address) as answer:
            last = json.load(answer)["items"][-1]
        address = last["id"]
        labels.append(last["label"].get("en", last["label"].get("none"))[0])
    assert (len(labels), address) == (6, books[labels[-1]])
    yield labels
    publish_all(repository)


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Another origin than the library's, which has the viewers and nothing else."""
    packages = require(HERE / "node_modules/mirador", "the viewers (npm packages; make .make/viewers)")
    folder = tmp_path_factory.mktemp("elsewhere")
    (folder / "node_modules").symlink_to(Path(packages).parent)
    (folder / "mirador.html").write_text(MIRADOR, "utf-8")
    (folder / "universal-viewer.html").write_text(UNIVERSAL_VIEWER, "utf-8")
    (folder / "favicon.ico").touch()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


class Quiet(SimpleHTTPRequestHandler):
    """Serves files, and does not tell."""

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(params=VIEWERS)
def visit(
    request: pytest.FixtureRequest, browser: Browser, elsewhere: str, library: Any
) -> Iterator[Callable[[str], Visit]]:
    """Opens a manifest in each viewer; at the end nothing may have gone wrong, or been asked of others than the two."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en")
    made = Visit(VIEWERS[request.param], context.new_page(), context, library.address)

    def open_manifest(manifest: str) -> Visit:
        made.open(elsewhere, manifest)
        return made

    yield open_manifest
    context.close()
    assert [url for url, status in made.answers if status >= 400 and url.startswith(library.address)] == []
    assert made.complaints == []
    hosts = {urlsplit(url).netloc for url, _ in made.answers if not url.startswith(("blob:", "data:"))}
    assert hosts == {urlsplit(library.address).netloc, urlsplit(elsewhere).netloc}


@pytest.mark.parametrize("way", ["left-to-right", "right-to-left"])
def test_a_book_opens_turns_its_pages_and_is_seen_at_full_resolution(
    way: str, visit: Callable[[str], Visit], books: dict[str, str], tmp_path: Path
) -> None:
    reading = visit(books[way])
    reading.wait_for_page(1, tmp_path)
    assert_the_whole_page(reading.pixels(tmp_path, "opened"))
    reading.press(reading.viewer.next)
    reading.wait_for_page(2, tmp_path)
    reading.press(reading.viewer.next)
    reading.wait_for_page(3, tmp_path)
    reading.press(reading.viewer.previous)
    reading.wait_for_page(2, tmp_path)
    assert_order_of_buttons(reading, way)
    assert reading.full_tiles() == []
    reading.zoom_all_the_way()
    assert len(reading.full_tiles()) >= 2
    assert_full_resolution(reading.pixels(tmp_path, "zoomed"), blue(2))


def test_a_book_is_found_through_collections_within_collections(
    visit: Callable[[str], Visit], parts: list[str], library: Any, tmp_path: Path
) -> None:
    reading = visit(f"{library.address}/iiif/presentation/3/collection/top")
    if reading.viewer.collection:
        reading.press(reading.viewer.collection)
    found = [reading.page.get_by_text(label, exact=True).first for label in parts]
    for item, following in zip(found, [*found[1:], None], strict=True):
        item.wait_for(timeout=WAIT)
        reading.page.wait_for_load_state("networkidle")
        reading.page.wait_for_timeout(1000)
        # What is open already would be closed.
        if following is None or not following.is_visible():
            item.click(timeout=WAIT)
    reading.wait_for_page(1, tmp_path)
    assert_the_whole_page(reading.pixels(tmp_path, "found"))


def assert_order_of_buttons(reading: Visit, way: str) -> None:
    """The next page lies where the reader of such a book looks for it."""
    boxes = [
        reading.page.locator(button).first.bounding_box() for button in (reading.viewer.previous, reading.viewer.next)
    ]
    previous, following = (box["x"] for box in boxes if box is not None)
    assert (following > previous) == (way == "left-to-right")


def assert_the_whole_page(seen: np.ndarray) -> None:
    """Over 240 pixels of the screen a good part of the page passes by, upright and unmirrored; stripes are not seen."""
    red, green = seen[..., 0].mean(axis=0), seen[..., 1].mean(axis=1)
    assert red[-20:].mean() - red[:20].mean() > 25
    assert green[-20:].mean() - green[:20].mean() > 15
    assert np.abs(np.diff(seen[..., 1], axis=1)).mean() < STRIPE / 2


def assert_full_resolution(seen: np.ndarray, blue_there: int) -> None:
    """The stripes of one pixel are on the screen, and the colours between them are those of the master at one place."""
    light = seen.mean(axis=(0, 2))
    assert light.max() - light.min() > STRIPE, "stripes that only full resolution has"
    red, green, blue_seen = (seen[..., band].mean() for band in range(3))
    place = (red - 50) / 150 * WIDTH, (green - 50) / 150 * HEIGHT
    assert abs(blue_seen - blue_there) < 6
    assert 0 < place[0] < WIDTH
    assert 0 < place[1] < HEIGHT
    # So near, 240 pixels of the screen are at most as many of the master.
    assert abs(seen[:, -40:, 0].mean() - seen[:, :40, 0].mean()) < 150 * 240 / WIDTH
