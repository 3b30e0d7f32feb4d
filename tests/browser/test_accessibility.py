"""Every page meets WCAG 2.2 AA: what axe-core finds, and what it cannot see."""

from __future__ import annotations

import re
from typing import Any

import pytest
from axe import violations
from command_line import ShanbenHere
from deposits import write_deposit
from library_visit import PHONE, Visit, Visitor, overflow, wait_for_picture
from playwright.sync_api import Page, expect
from staff_browser import PASSWORD

pytestmark = pytest.mark.browser

CONTRAST = """
(selector) => {
  const context = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const over = (colour, below) => {
    context.fillStyle = `rgb(${below.join(" ")})`;
    context.fillRect(0, 0, 1, 1);
    context.fillStyle = colour;
    context.fillRect(0, 0, 1, 1);
    return [...context.getImageData(0, 0, 1, 1).data.slice(0, 3)];
  };
  const backgroundOf = (element) => element === null ? [255, 255, 255]
    : over(getComputedStyle(element).backgroundColor, backgroundOf(element.parentElement));
  const luminance = (colour) => {
    const [red, green, blue] = colour.map((level) => level / 255).map((share) =>
      share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4);
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  return [...document.querySelectorAll(selector)].map((element) => {
    const around = backgroundOf(element.parentElement);
    const [dark, light] = [around, over(getComputedStyle(element).borderTopColor, around)].map(luminance).sort();
    return [element.outerHTML.slice(0, 80), (light + 0.05) / (dark + 0.05)];
  });
}
"""
"""The contrast ratio (WCAG 2.2) of the border of each element with what is around it."""

CONTROLS = 'input, button:not([hidden]), .drag, .turn:not([aria-disabled="true"])'


def paths(library: Any) -> list[str]:
    """Return the paths of a page of each kind: for readers, errors, staff."""
    works = [library.book, library.scroll, library.restricted]
    return [
        "/", "/works", "/search", "/search?q=千字文", "/search?q=无此文",
        *(f"/works/{work}" for work in works), f"/works/{library.book}/read?page=2&q=天地",
        f"/works/{library.book}/read?page=7", f"/works/{library.scroll}/read",
        "/nowhere", "/works?page=99", f"/works/{library.book}/read?page=x", f"/works/{library.restricted}/read",
        "/status?renew=off", "/login", "/verify", f"/verify?q={library.book}", f"/verify?q={'0' * 64}",
        "/verify/similar", f"/certificate/{library.book}.html",
    ]  # fmt: skip


def tab_to(page: Page, selector: str, most: int) -> list[str]:
    """Press the tab key until `selector` has the focus, and return which landmark each stop was in."""
    stops: list[str] = []
    while not page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
        assert len(stops) < most, stops
        page.keyboard.press("Tab")
        stops.append(page.evaluate("() => document.activeElement.closest('[id]').id"))
    return stops


@pytest.mark.parametrize(
    "browser_of_reader",
    [
        {"locale": "zh-CN", "reduced_motion": "reduce"},
        {"locale": "en-GB", "reduced_motion": "reduce", "color_scheme": "dark", "viewport": PHONE},
    ],
    ids=["Chinese", "English on a dark phone"],
)
def test_pages_have_no_violations_that_axe_finds(
    browser_of_reader: dict[str, Any], visit: Visitor, library: Any
) -> None:
    tour: Visit = visit(**browser_of_reader)
    found: dict[str, list[str]] = {}
    for path in paths(library):
        page = tour.go(path)
        found[path] = violations(page)
    page = tour.go(f"/works/{library.book}/read?page=2&q=天地")
    wait_for_picture(page)
    page.locator("[data-do=text]").click()
    page.locator("#text a").first.click()
    page.locator("#find-q").fill("天地玄")
    page.get_by_role("option").first.wait_for()
    found["text and completions"] = violations(page)
    tour.errors.clear()  # the browser logs the error pages as errors
    assert {path: faults for path, faults in found.items() if faults} == {}


@pytest.fixture(scope="module")
def conservator(library: Any) -> str:
    """The password of a conservator's account of a library in which a sweep found a file that belongs to nothing."""
    shanben: ShanbenHere = library.shanben
    stray = shanben.folder / "var" / "store" / "ocfl" / "stray"
    stray.write_bytes(b"x")
    shanben.run("account", "add", "conservator", "--role", "conservator", stdin=f"{PASSWORD}\n")
    assert shanben.run("fixity", "run", "--all").code == 1
    stray.unlink()
    return PASSWORD


@pytest.mark.parametrize(
    "browser_of_reader",
    [
        {"locale": "zh-CN", "reduced_motion": "reduce"},
        {"locale": "en-GB", "reduced_motion": "reduce", "color_scheme": "dark", "viewport": PHONE},
    ],
    ids=["Chinese", "English on a dark phone"],
)
def test_pages_about_preservation_have_no_violations_that_axe_finds(
    browser_of_reader: dict[str, Any], visit: Visitor, conservator: str, library: Any
) -> None:
    tour: Visit = visit(**browser_of_reader)
    page = tour.go("/login?next=/preservation")
    page.fill("#name", "conservator")
    page.fill("#password", conservator)
    page.click("button.call")
    found: dict[str, list[str]] = {}
    for path in (
        "/preservation",
        "/preservation/findings",
        "/preservation/report.html",
        "/staff",
        f"/staff/works/{library.book}",
        f"/staff/works/{library.book}/text/2",
    ):
        page = tour.go(path)
        page.wait_for_load_state("networkidle")
        assert overflow(page) <= 0
        if not path.endswith(".html"):  # a policy of its own lets no script run in the file
            found[path] = violations(page)
    assert {path: faults for path, faults in found.items() if faults} == {}


@pytest.mark.parametrize("browser_of_reader", [{"locale": "zh-CN"}, {"locale": "zh-CN", "java_script_enabled": False}])
def test_a_line_is_split_and_given_a_place_with_a_script_and_without_one(
    browser_of_reader: dict[str, Any], visit: Visitor, conservator: str, library: Any
) -> None:
    has_script = browser_of_reader.get("java_script_enabled", True)
    page = visit(**browser_of_reader).go(f"/login?next=/staff/works/{library.book}/text/2")
    page.fill("#name", "conservator")
    page.fill("#password", conservator)
    page.click("button.call")
    first = page.locator("li[data-line='1']")
    first.locator("summary").click()
    if has_script:
        page.focus("#line-1")
        page.keyboard.press("Home")
        page.keyboard.press("ArrowDown")  # along a column
    else:
        first.locator("[name=split]").fill("1")
    first.locator("[value=split-1]").click()
    expect(page.locator("#line-2")).to_be_focused()
    expect(page.locator("#line-2")).to_have_value("地玄黃")
    second = page.locator("li[data-line='2']")
    sides = second.locator("fieldset input")
    if has_script:
        second.locator("button.draw").click()
        sheet = page.locator(".canvas")
        box = sheet.bounding_box()
        assert box
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 4)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] / 4, box["y"] + box["height"] / 8, steps=3)
        page.mouse.up()
        expect(page.locator("#line-2")).to_be_focused()
        left, top, width, height = (int(side.input_value()) for side in sides.all())
        assert (abs(left - 500), abs(top - 350), abs(width - 500), abs(height - 350)) < (5, 5, 5, 5)
        assert page.locator(".canvas rect").count() == 3
    else:
        for side, value in zip(sides.all(), (500, 350, 500, 350), strict=True):
            side.fill(str(value))
    second.locator("[value=up-2]").click()
    expect(page.locator("[value=up-1]")).to_be_focused()
    expect(page.locator("#line-1")).to_have_value("地玄黃")


@pytest.fixture(scope="module")
def withdrawn(library: Any, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A withdrawn work."""
    deposit = write_deposit(tmp_path_factory.mktemp("withdrawn") / "book", pages=1, seed=77)
    work = str(library.shanben.run_json("ingest", deposit).document["works"][0]["identifier"])
    assert library.shanben.run("withdraw", work, "--reason", "x").code == 0
    return work


@pytest.mark.parametrize(
    "browser_of_reader",
    [
        {"locale": "zh-CN", "reduced_motion": "reduce"},
        {"locale": "en-GB", "reduced_motion": "reduce", "color_scheme": "dark", "viewport": PHONE},
    ],
    ids=["Chinese", "English on a dark phone"],
)
def test_forms_for_a_deletion_have_no_violations_and_work(
    browser_of_reader: dict[str, Any], visit: Visitor, conservator: str, withdrawn: str
) -> None:
    tour: Visit = visit(**browser_of_reader)
    found: dict[str, list[str]] = {}

    def check(state: str, path: str) -> Page:
        page = tour.go(path)
        assert overflow(page) <= 0
        found[state] = violations(page)
        return page

    path = f"/staff/works/{withdrawn}"
    page = tour.go(f"/login?next={path}")
    page.fill("#name", "conservator")
    page.fill("#password", conservator)
    page.click("button.call")
    page = check("nothing requested", path)
    page.fill("#reason", "權利人要求")
    page.fill("#request-password", conservator)
    page.click("button.call")
    expect(page.locator(".record dd").last).to_have_text("權利人要求")
    check("listed", "/staff")
    page = check("requested", path)
    page.fill("#cancel-password", conservator)
    page.locator("#cancel-password + button").click()
    expect(page.locator("#reason")).to_be_visible()
    assert {state: faults for state, faults in found.items() if faults} == {}


def test_reader_keeps_every_control_on_a_phone_with_text_of_twice_the_size(visit: Visitor, library: Any) -> None:
    page = visit(viewport=PHONE).go(f"/works/{library.book}/read?page=2")
    wait_for_picture(page)
    page.evaluate("""() => {
      document.documentElement.style.fontSize = "200%";
      document.querySelector("h1").textContent = "欽定四庫全書簡明目錄附錄卷之一至卷之十";
    }""")
    page.wait_for_timeout(300)
    assert overflow(page) <= 0
    controls = page.locator(".reader a:not(.strip a), .reader button, .reader input")
    boxes = [control.bounding_box() for control in controls.all() if control.is_visible()]
    assert len(boxes) >= 14
    assert all(box and box["x"] >= 0 and box["x"] + box["width"] <= PHONE["width"] for box in boxes)
    cut = page.evaluate("""() => [...document.querySelectorAll(".reader-title *")].filter((line) =>
      getComputedStyle(line).overflow !== "visible" && line.scrollWidth > line.clientWidth).length""")
    assert cut == 0
    view, tools = page.locator("#view").bounding_box(), page.locator(".tools").bounding_box()
    assert view is not None
    assert tools is not None
    assert view["height"] > PHONE["height"] / 4
    assert tools["y"] >= view["y"] + view["height"], "the tools stand on the page"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_borders_of_controls_have_a_contrast_of_three_to_one(scheme: str, visit: Visitor, library: Any) -> None:
    tour = visit(color_scheme=scheme)
    for path in (f"/works/{library.book}", f"/works/{library.book}/read?page=2"):
        page = tour.go(path)
        page.wait_for_load_state("networkidle")
        contrasts = page.evaluate(CONTRAST, CONTROLS)
        assert len(contrasts) >= 3
        assert [(control, ratio) for control, ratio in contrasts if ratio < 3] == []


def test_current_page_is_recognisable_in_forced_colours(visit: Visitor, library: Any) -> None:
    page = visit(forced_colors="active").go(f"/works/{library.book}/read?page=2")
    wait_for_picture(page)
    colours = page.evaluate("""() => [...document.querySelectorAll(".strip a")].map((link) =>
      getComputedStyle(link).borderBottomColor)""")
    assert colours[1] not in {colour for place, colour in enumerate(colours) if place != 1}
    background = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    assert set(colours[:1] + colours[2:]) == {background}


def test_strip_is_one_tab_stop_and_its_focus_follows_the_page(visit: Visitor, library: Any) -> None:
    page = visit().go(f"/works/{library.book}/read?page=3")
    wait_for_picture(page)
    stops = tab_to(page, "#goto", most=12)
    assert stops.count("strip") == 1
    page.locator(".strip a").nth(2).focus()
    page.keyboard.press("PageDown")
    assert page.evaluate("() => [...document.querySelectorAll('.strip a')].indexOf(document.activeElement)") == 3


@pytest.mark.parametrize(("start", "control"), [(7, "next"), (2, "previous"), (4, "last"), (4, "first")])
def test_focus_stays_on_a_control_that_leads_no_further(start: int, control: str, visit: Visitor, library: Any) -> None:
    page = visit().go(f"/works/{library.book}/read?page={start}")
    link = page.locator(f'a[data-do="{control}"]')
    page.wait_for_load_state("networkidle")
    link.focus()
    page.keyboard.press("Enter")
    expect(link).to_have_attribute("aria-disabled", "true")
    expect(link).to_be_focused()
    expect(link).to_be_visible()


def test_zoomed_picture_and_title_name_the_page(visit: Visitor, library: Any) -> None:
    page = visit().go(f"/works/{library.book}/read?page=2")
    expect(page).to_have_title("試書，第 2 面，2 · 善本")
    wait_for_picture(page)
    expect(page.get_by_role("img", name="試書，第 2 面，2", exact=True)).to_be_focused()
    page.keyboard.press("PageDown")
    expect(page).to_have_title("試書，第 3 面，3 · 善本")
    expect(page.get_by_role("img", name="試書，第 3 面，3", exact=True)).to_be_visible()


def test_keys_that_type_characters_act_only_on_the_picture_and_the_strip(visit: Visitor, library: Any) -> None:
    page = visit().go(f"/works/{library.book}/read?page=2")
    wait_for_picture(page)
    page.get_by_role("link", name="返回书目页").focus()
    page.keyboard.press("f")
    page.wait_for_timeout(300)
    assert page.evaluate("() => document.fullscreenElement") is None
    page.keyboard.press("PageDown")
    expect(page).to_have_url(re.compile(r"\?page=3$"))


def test_full_screen_shows_the_picture_alone(visit: Visitor, library: Any) -> None:
    page = visit().go(f"/works/{library.book}/read?page=2")
    wait_for_picture(page)
    button = page.get_by_role("button", name="全屏（f）")
    button.click()
    page.wait_for_function("() => document.fullscreenElement !== null")
    wait_for_picture(page)
    inside = page.evaluate("""() => [...document.querySelectorAll("a, button, input, h1")].filter((element) =>
      document.fullscreenElement.contains(element) && element.checkVisibility()).length""")
    assert inside == 0
    window = page.evaluate("() => [innerWidth, innerHeight]")
    box = page.locator("#view").bounding_box()
    assert box is not None
    assert [box["width"], box["height"]] == window
    page.keyboard.press("PageDown")
    expect(page).to_have_url(re.compile(r"\?page=3$"))
    page.keyboard.press("f")
    page.wait_for_function("() => document.fullscreenElement === null")
    expect(button).to_be_focused()
