"""A visit to the library's pages in the browser."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pyvips
from playwright.sync_api import BrowserContext, Page, expect

FULL_RESOLUTION_TILE: Final = re.compile(r"/(\d+),(\d+),(\d+),(\d+)/(\d+),(\d+)/0/default\.jpg$")
PHONE: Final = {"width": 390, "height": 844}


@dataclass
class Visit:
    """A page in the browser, with its requests, the statuses of responses, and its console errors."""

    page: Page
    context: BrowserContext
    address: str
    requests: list[str] = field(default_factory=list)
    statuses: dict[str, int] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)

    def go(self, path: str) -> Page:
        self.page.goto(self.address + path)
        return self.page

    def full_resolution_tiles(self) -> list[str]:
        found = ((url, FULL_RESOLUTION_TILE.search(url)) for url, status in self.statuses.items() if status == 200)
        return [url for url, tile in found if tile and (tile[3], tile[4]) == (tile[5], tile[6])]

    def take_screenshot(self, folder: Path, name: str) -> None:
        picture = folder / f"{name}.png"
        self.page.screenshot(path=picture)
        print(f"screenshot: {picture}")


Visitor = Callable[..., Visit]


def has_picture(page: Page) -> bool:
    """Whether the upper middle shows paper, which is grained, and not the plain background. A notice is lower."""
    view = page.locator("#view").bounding_box()
    assert view is not None
    left, top = view["x"] + view["width"] // 2 - 40, view["y"] + view["height"] // 4 - 40
    # A screenshot of the whole picture takes five times as long.
    shown = page.screenshot(clip={"x": left, "y": top, "width": 80, "height": 80})
    return bool(pyvips.Image.new_from_buffer(shown, "")[0].deviate() > 0.5)


def wait_for_picture(page: Page) -> None:
    expect(page.locator("#still")).to_have_count(0, timeout=20_000)
    for _ in range(50):
        if has_picture(page):
            return
        page.wait_for_timeout(100)
    raise AssertionError("nothing was drawn")


def overflow(page: Page) -> int:
    """Return by how many pixels the page is wider than the window."""
    return int(page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth"))
