"""A printed page, and the typeface of readers whose system has none."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import pyvips
from library_visit import Visit, Visitor, wait_for_picture
from playwright.sync_api import Page

pytestmark = pytest.mark.browser


def drawn_with(tour: Visit, selector: str) -> dict[str, bool]:
    """Return the typefaces that the browser drew an element with, and whether each came from the library."""
    session = tour.context.new_cdp_session(tour.page)
    session.send("DOM.enable")
    session.send("CSS.enable")
    root = session.send("DOM.getDocument")["root"]["nodeId"]
    node = session.send("DOM.querySelector", {"nodeId": root, "selector": selector})["nodeId"]
    fonts = session.send("CSS.getPlatformFontsForNode", {"nodeId": node})["fonts"]
    return {font["familyName"]: font["isCustomFont"] for font in fonts}


def printed(page: Page, folder: Path) -> tuple[str, list[pyvips.Image]]:
    """Print a page on A4 paper, and return its text and its sheets."""
    document = folder / "printed.pdf"
    document.write_bytes(page.pdf(format="A4", print_background=False, prefer_css_page_size=True))
    text = subprocess.run(["pdftotext", document, "-"], check=True, capture_output=True, text=True).stdout
    subprocess.run(["pdftoppm", "-r", "72", "-png", document, folder / "sheet"], check=True)
    return text, [pyvips.Image.new_from_file(str(sheet)) for sheet in sorted(folder.glob("sheet*.png"))]


@pytest.mark.parametrize("scripts", [True, False], ids=["zoomed in", "without scripts"])
def test_printed_page_has_its_whole_picture_title_and_address(
    scripts: bool, visit: Visitor, library: Any, tmp_path: Path
) -> None:
    tour = visit(java_script_enabled=scripts, color_scheme="dark")
    page = tour.go(f"/works/{library.book}/read?page=4")
    if scripts:
        wait_for_picture(page)
        page.keyboard.press("PageDown")
        for _ in range(6):
            page.keyboard.press("+")
        page.wait_for_function("() => document.querySelector('.printed').naturalHeight === 1600")
    page.wait_for_load_state("networkidle")
    text, sheets = printed(page, tmp_path)
    assert "試書" in text
    assert f"{library.address}/works/{library.book}/read?page={5 if scripts else 4}" in text
    assert len(sheets) == 1
    # The paper of the page is less blue than white paper and black ink.
    coloured = (sheets[0][0] - sheets[0][2]) > 20
    _, _, width, height = coloured.find_trim(threshold=128, background=0)
    assert height > sheets[0].height / 2
    assert abs(width / height - 2000 / 2800) < 0.02


def test_typeface_of_the_library_has_mainland_forms_and_characters_of_extension_b(visit: Visitor, library: Any) -> None:
    tour = visit()
    page = tour.go(f"/works/{library.restricted}")
    page.wait_for_load_state("networkidle")
    # As on a system without a Song face.
    page.evaluate("""() => {
      const [root, title] = [document.documentElement, document.querySelector("h1")];
      title.style.fontFamily = getComputedStyle(root).getPropertyValue("--web-song");
    }""")
    page.wait_for_function("() => [...document.fonts].some((face) => face.status === 'loaded')")
    page.wait_for_load_state("networkidle")
    page.evaluate("() => document.fonts.ready")
    fonts = drawn_with(tour, "h1")
    assert all(fonts.values()), fonts
    assert {name.split()[0] for name in fonts} == {"Noto", "Chiron"}, fonts
    loaded = [url for url, status in tour.statuses.items() if url.endswith(".woff2") and status == 200]
    assert 2 <= len(loaded) <= 6


def test_catalogued_text_is_drawn_in_mainland_forms(visit: Visitor, library: Any) -> None:
    tour = visit()
    for path, selector in ((f"/works/{library.book}", "h1"), ("/works", ".card strong")):
        tour.go(path).wait_for_load_state("networkidle")
        fonts = drawn_with(tour, selector)
        assert fonts
        assert not [name for name in fonts if any(region in name for region in ("TC", "HK", "JP", "KR"))]
