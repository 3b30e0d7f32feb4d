"""The pages and the reader in a real browser: Debian's Chromium, headless."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import pyvips
from library_visit import FULL_RESOLUTION_TILE, PHONE, Visit, Visitor, has_picture, overflow, wait_for_picture
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def test_reader_turns_a_right_to_left_book_from_right_to_left(visit: Visitor, library: Any, tmp_path: Path) -> None:
    tour = visit()
    page = tour.go("/")
    tour.take_screenshot(tmp_path, "home")
    page.get_by_role("link", name="全部馆藏").click()
    page.get_by_role("link", name="試書").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("試書")
    tour.take_screenshot(tmp_path, "work")
    thumbnails = page.locator(".pages a")
    assert thumbnails.count() == 8
    first, second = thumbnails.nth(0).bounding_box(), thumbnails.nth(1).bounding_box()
    assert first is not None
    assert second is not None
    assert first["x"] > second["x"], "a right-to-left book's thumbnails run from the right"
    page.get_by_role("link", name="开卷阅读").click()
    wait_for_picture(page)
    left = page.locator(".turn.left")
    expect(left).to_have_attribute("data-do", "next")
    left.click()
    expect(page).to_have_url(re.compile(r"\?page=2$"))
    expect(page.locator("#goto")).to_have_value("2")
    wait_for_picture(page)
    page.locator(".turn.right").click()
    expect(page).to_have_url(re.compile(r"\?page=1$"))
    expect(page.locator("#location")).to_contain_text("卷上")
    tour.take_screenshot(tmp_path, "reader")


def test_reader_fits_the_page_at_first_and_after_a_resize(visit: Visitor, library: Any) -> None:
    page = visit().go(f"/works/{library.book}/read?page=3")
    for size in ({"width": 1280, "height": 800}, {"width": 1100, "height": 560}, {"width": 1400, "height": 900}):
        page.set_viewport_size(size)  # type: ignore[arg-type]
        wait_for_picture(page)
        page.wait_for_load_state("networkidle")
        page.wait_for_timeout(1000)
        initial = pyvips.Image.new_from_buffer(page.locator("#view").screenshot(), "")
        page.keyboard.press("0")  # shows the whole page
        page.wait_for_timeout(1000)
        whole = pyvips.Image.new_from_buffer(page.locator("#view").screenshot(), "")
        assert (initial - whole).abs().avg() < 1


def test_reader_fetches_full_resolution_tiles_when_zoomed_in(visit: Visitor, library: Any, tmp_path: Path) -> None:
    tour = visit()
    page = tour.go(f"/works/{library.book}/read?page=3")
    wait_for_picture(page)
    assert tour.full_resolution_tiles() == []
    for _ in range(8):
        page.get_by_role("button", name="放大（+）").click()
        page.wait_for_timeout(150)
    page.wait_for_load_state("networkidle")
    assert len(tour.full_resolution_tiles()) >= 2
    tour.take_screenshot(tmp_path, "zoomed")


def test_reader_is_operable_by_keyboard_alone(visit: Visitor, library: Any) -> None:
    tour = visit()
    page = tour.go(f"/works/{library.book}/read")
    wait_for_picture(page)
    for key, number in [
        ("ArrowLeft", 2), ("PageDown", 3), ("ArrowRight", 2), ("PageUp", 1), ("End", 8), ("ArrowLeft", 8), ("Home", 1),
        ("ArrowRight", 1),
    ]:  # fmt: skip
        page.keyboard.press(key)
        expect(page.locator("#goto")).to_have_value(str(number))
    page.wait_for_load_state("networkidle")
    wait_for_picture(page)
    for key in ["+", "+", "+", "+", "+", "+", "ArrowDown", "ArrowUp", "r", "-"]:
        page.keyboard.press(key)
        page.wait_for_timeout(150)
    page.wait_for_load_state("networkidle")
    assert tour.full_resolution_tiles()
    page.keyboard.press("0")
    page.locator("#goto").focus()
    page.keyboard.press("Control+A")
    page.keyboard.type("5")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"\?page=5$"))
    page.reload()
    expect(page.locator("#goto")).to_have_value("5")
    page.keyboard.press("Tab")
    assert page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle") != "none"
    wait_for_picture(page)


def test_reader_preloads_the_next_page(visit: Visitor, library: Any) -> None:
    tour = visit()
    page = tour.go(f"/works/{library.book}/read?page=2")
    wait_for_picture(page)
    manifest = page.evaluate("() => fetch(document.querySelector('#reader').dataset.manifest).then(a => a.json())")
    service = manifest["items"][2]["items"][0]["items"][0]["body"]["service"][0]["id"]
    page.wait_for_load_state("networkidle")
    fetched = [url for url in tour.requests if url.startswith(f"{service}/") and not url.endswith("info.json")]
    thumbnail = manifest["items"][2]["thumbnail"][0]["id"]
    assert set(fetched) - {thumbnail}


def test_reader_shows_a_notice_for_a_missing_leaf_and_no_late_picture(visit: Visitor, library: Any) -> None:
    page = visit().go(f"/works/{library.book}/read?page=6")
    wait_for_picture(page)
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#notice")).to_have_text("3（缺叶）：没有图像。")
    page.wait_for_timeout(500)
    assert not has_picture(page)
    for key in ["+", "0", "r", "ArrowLeft"]:
        page.keyboard.press(key)
    expect(page.locator("#notice")).to_be_hidden()
    wait_for_picture(page)
    for key in ["Home", "End", "ArrowRight", "Home", "PageDown", "PageDown", "End", "ArrowRight"]:
        page.keyboard.press(key)
    page.wait_for_load_state("networkidle")
    expect(page.locator("#notice")).to_be_visible()
    page.wait_for_timeout(500)
    assert not has_picture(page), "a picture that came late has stayed"


def test_pages_fit_a_phone_and_the_reader_turns_by_swipes(visit: Visitor, library: Any, tmp_path: Path) -> None:
    tour = visit(viewport=PHONE, has_touch=True, is_mobile=True, device_scale_factor=2)
    for path in ["/", "/works", f"/works/{library.book}", f"/works/{library.book}/read", "/nowhere"]:
        page = tour.go(path)
        assert overflow(page) <= 0, path
    tour.errors.clear()  # the browser logs the 404 as an error
    page = tour.go(f"/works/{library.book}/read")
    wait_for_picture(page)
    tour.take_screenshot(tmp_path, "phone")
    swipe(tour, from_x=80, to_x=320)
    expect(page.locator("#goto")).to_have_value("2")
    swipe(tour, from_x=320, to_x=80)
    expect(page.locator("#goto")).to_have_value("1")


def swipe(tour: Visit, from_x: int, to_x: int) -> None:
    session = tour.context.new_cdp_session(tour.page)
    steps = 8

    def touch(kind: str, x: float | None) -> None:
        points = [] if x is None else [{"x": x, "y": 300}]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", from_x)
    for step in range(1, steps + 1):
        touch("touchMove", from_x + (to_x - from_x) * step / steps)
        tour.page.wait_for_timeout(16)
    touch("touchEnd", None)


def test_scroll_opens_at_its_right_end_and_pans_to_the_left(visit: Visitor, library: Any, tmp_path: Path) -> None:
    tour = visit()
    page = tour.go(f"/works/{library.scroll}/read")
    wait_for_picture(page)
    page.wait_for_load_state("networkidle")
    tour.take_screenshot(tmp_path, "scroll")
    before = tiles_from(tour)
    assert max(before) > 8000, "the right end is shown"
    assert min(x for x in before if x > 0) > 4000, "the left end is not"
    for _ in range(12):
        page.keyboard.press("ArrowLeft")
        page.wait_for_timeout(100)
    page.wait_for_load_state("networkidle")
    assert {0, 512, 1024} & set(tiles_from(tour)), "the left end has been reached"


def tiles_from(tour: Visit) -> list[int]:
    """The left edges of the tiles fetched, except those of the smallest levels, which cover the whole scroll."""
    tiles = (FULL_RESOLUTION_TILE.search(url) for url in tour.statuses)
    return [int(tile[1]) for tile in tiles if tile and int(tile[3]) <= 1024]


def test_reader_without_scripts_shows_pictures_and_turns_by_links(visit: Visitor, library: Any, tmp_path: Path) -> None:
    tour = visit(java_script_enabled=False)
    page = tour.go(f"/works/{library.book}")
    expect(page.locator("#manifest")).to_have_value(re.compile(r"/iiif/presentation/3/.+/manifest$"))
    page.get_by_role("link", name="开卷阅读").click()
    expect(page.locator("#still")).to_be_visible()
    page.wait_for_load_state("networkidle")
    page.locator(".turn.left").click()
    expect(page).to_have_url(re.compile(r"\?page=2$"))
    expect(page.locator("#still")).to_be_visible()
    page.wait_for_load_state("networkidle")
    tour.take_screenshot(tmp_path, "without-scripts")
    expect(page.get_by_role("button", name="放大（+）")).to_have_count(0)
    stills = [url for url, status in tour.statuses.items() if "/full/1143,1600/" in url and status == 200]
    assert len(stills) == 2


def test_language_switch_is_remembered(visit: Visitor, library: Any, tmp_path: Path) -> None:
    tour = visit(locale="en-GB")
    page = tour.go(f"/works/{library.book}/read?page=4")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    wait_for_picture(page)
    page.keyboard.press("ArrowLeft")
    expect(page).to_have_url(re.compile(r"\?page=5$"))
    page.get_by_role("link", name="中文").click()
    expect(page).to_have_url(re.compile(r"\?page=5$"))
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")
    wait_for_picture(page)
    tour.go("/works")
    expect(page.get_by_role("heading", level=1)).to_have_text("馆藏")


def test_reader_works_with_reduced_motion_and_pages_fit_with_large_text(visit: Visitor, library: Any) -> None:
    tour = visit(reduced_motion="reduce", viewport=PHONE)
    page = tour.go(f"/works/{library.book}/read")
    wait_for_picture(page)
    page.keyboard.press("+")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#goto")).to_have_value("2")
    for path in ["/", "/works", f"/works/{library.book}"]:
        tour.go(path)
        page.evaluate("() => { document.documentElement.style.fontSize = '200%'; }")
        assert overflow(page) <= 0, path


def test_copy_button_copies_the_manifest_url(visit: Visitor, library: Any) -> None:
    tour = visit(permissions=["clipboard-read", "clipboard-write"])
    page = tour.go(f"/works/{library.book}")
    page.get_by_role("button", name="复制").click()
    expect(page.get_by_role("button", name="已复制")).to_be_visible()
    assert page.evaluate("() => navigator.clipboard.readText()") == page.locator("#manifest").input_value()


def test_reader_searches_within_the_book_and_marks_hits_on_the_picture(
    visit: Visitor, library: Any, tmp_path: Path
) -> None:
    tour = visit()
    page = tour.go(f"/works/{library.book}/read?page=3")
    wait_for_picture(page)
    page.keyboard.press("/")
    expect(page.get_by_role("combobox", name="在本书中检索")).to_be_focused()
    page.keyboard.type("天地")
    page.keyboard.press("Enter")
    status = page.locator("#found").get_by_role("status")
    expect(status).to_have_text("第 2 处，共 2 处")  # the first from the page on that is shown
    expect(page).to_have_url(re.compile(r"\?page=4&q="))
    expect(page.locator(".strip b")).to_have_text(["1 处", "1 处"])
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"\?page=2&q="))
    expect(page.locator("#found a[aria-current]")).to_contain_text("天地玄黃宇宙洪荒")
    mark = page.locator(".hit.current")
    expect(mark).to_have_count(1)
    tour.take_screenshot(tmp_path, "hits")
    box, picture = mark.bounding_box(), page.locator("#view").bounding_box()
    assert box is not None
    assert picture is not None
    scale = picture["height"] / 2800
    left = picture["x"] + picture["width"] / 2 + (1600 - 1000) * scale
    assert [round(value / 8) for value in (box["x"], box["y"], box["width"], box["height"])] == [
        round(value / 8) for value in (left, picture["y"] + 300 * scale, 200 * scale, 600 * scale)
    ]
    page.locator("#found").get_by_role("button", name="后一处（n）").click()
    expect(page).to_have_url(re.compile(r"\?page=4&q="))
    page.keyboard.press("Escape")
    expect(page.locator("#found")).to_be_hidden()
    expect(page.locator(".hit")).to_have_count(0)
    expect(page).to_have_url(re.compile(r"\?page=4$"))
    page.keyboard.press("ArrowRight")
    expect(page.locator("#goto")).to_have_value("3")


def test_reader_shows_the_text_of_the_page_and_marks_a_chosen_line(
    visit: Visitor, library: Any, tmp_path: Path
) -> None:
    tour = visit()
    page = tour.go(f"/works/{library.book}/read?page=1")
    wait_for_picture(page)
    button, panel = page.get_by_role("button", name="此面文本（t）"), page.get_by_role("region", name="此面文本")
    page.keyboard.press("t")
    expect(button).to_have_attribute("aria-expanded", "true")
    expect(panel.get_by_role("status")).to_have_text("此面没有文本。")
    page.keyboard.press("ArrowLeft")
    expect(panel.get_by_role("link")).to_have_text(["天地玄黃", "宇宙洪荒"])
    assert has_picture(page)
    first, second = (panel.get_by_role("link").nth(place).bounding_box() for place in (0, 1))
    assert first is not None
    assert second is not None
    assert first["x"] > second["x"], "columns run from the right"
    panel.get_by_role("link").first.click()
    page.keyboard.press("ArrowLeft")  # to the next column, not to the next page
    expect(panel.locator("[aria-current]")).to_have_text("宇宙洪荒")
    mark, picture = page.locator(".line-mark").bounding_box(), page.locator("#view").bounding_box()
    assert mark is not None
    assert picture is not None
    scale = picture["height"] / 2800
    middle = picture["x"] + picture["width"] / 2
    assert [round(value / 8) for value in (mark["x"], mark["y"], mark["width"], mark["height"])] == [
        round(value / 8) for value in (middle + 400 * scale, picture["y"] + 300 * scale, 200 * scale, 1200 * scale)
    ]
    tour.take_screenshot(tmp_path, "line")
    panel.get_by_role("combobox").select_option("文字识别（未经校对） · rapidocr 3.9")
    expect(panel.get_by_role("status")).to_have_text("估计正确率 93%")
    expect(panel.get_by_role("link").first).to_have_text("大地玄黃")
    expect(page.locator(".line-mark")).to_have_count(0)
    panel.get_by_role("combobox").select_option("译文")
    expect(panel.get_by_role("listitem")).to_have_text("Sky and earth.")
    expect(panel.get_by_role("button", name="竖排")).to_have_attribute("aria-pressed", "false")
    expect(panel.get_by_role("list")).to_be_focused()  # the line that had the focus is gone
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    expect(button).to_be_focused()


def test_search_field_completes_by_what_the_book_has_and_hits_are_marked_in_the_text(
    visit: Visitor, library: Any, tmp_path: Path
) -> None:
    tour = visit(viewport=PHONE)
    page = tour.go(f"/works/{library.book}/read?page=2")
    wait_for_picture(page)
    page.get_by_role("button", name="此面文本（t）").click()
    field, terms = page.get_by_role("combobox", name="在本书中检索"), page.get_by_role("listbox", name="书中的词句")
    field.press_sequentially("天")
    expect(terms.get_by_role("option")).to_have_text(["天地 2 处", "天地之閒 1 处", "天地玄黃宇 1 处"])
    expect(field).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("Escape")
    expect(terms).to_be_hidden()
    expect(field).to_have_value("天")
    field.press_sequentially("地玄")
    expect(terms.get_by_role("option")).to_have_text(["天地玄黃宇宙洪 1 处"])
    page.keyboard.press("ArrowDown")
    expect(terms.locator("[aria-selected=true]")).to_have_id(str(field.get_attribute("aria-activedescendant")))
    page.keyboard.press("Enter")
    expect(page.locator("#found").get_by_role("status")).to_have_text("第 1 处，共 1 处")
    expect(page.locator("#text mark")).to_have_text(["天地玄黃", "宇宙洪"])
    tour.take_screenshot(tmp_path, "marked")
    assert overflow(page) <= 0


def test_the_search_of_the_reader_leads_to_a_list_without_javascript(visit: Visitor, library: Any) -> None:
    page = visit(java_script_enabled=False).go(f"/works/{library.book}/read?page=3")
    page.get_by_role("searchbox", name="在本书中检索").fill("天地")
    page.get_by_role("searchbox").press("Enter")
    expect(page.get_by_role("heading", level=2)).to_have_text("此书中共 2 处")
