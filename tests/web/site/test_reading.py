"""What the reader offers at a page without JavaScript: other pages, photographs and orders of reading."""

from __future__ import annotations

from repository.localized import Language
from repository.model.work import Image, Master, Page, Range, Record, Volume, Work
from web.site.reading import Turns, orders, page_label, photographs, turns

CHINESE, ENGLISH = Language.CHINESE, Language.ENGLISH


def image(name: str, label: str = "") -> Image:
    return Image(f"i-{name}", 300, 400, Master(f"masters/{name}", "0" * 64, 1, "image/tiff"), label=label)


PAGES = tuple(Page(str(number), str(number), (image(str(number)),)) for number in (1, 2, 3))
MISPLACED = Work(
    "w1",
    Record("錯簡本"),
    (Volume("", (*PAGES, Page("4", "葉四", unphotographed=True))),),
    (Range("卷一", ("1", "2")), Range("復原次序", ("1", "3", "2"), sequence=True)),
)


def test_links_follow_the_pages_or_another_order() -> None:
    assert turns(MISPLACED, 1, 0) == Turns(0, None, None, 2, 4)
    assert turns(MISPLACED, 4, 0) == Turns(0, 1, 3, None, None)
    assert turns(MISPLACED, 3, 1) == Turns(1, 1, 1, 2, 2)


def test_page_outside_an_order_leads_to_its_first_page() -> None:
    assert turns(MISPLACED, 4, 1) == Turns(1, None, None, 1, 2)


def test_orders_are_that_of_the_pages_and_the_sequences() -> None:
    offered = orders(MISPLACED, 3, 1, CHINESE)
    assert [(choice.label, choice.address, choice.chosen) for choice in offered] == [
        ("原装次序", "?page=3", False),
        ("復原次序", "?page=3&order=1", True),
    ]


def test_photographs_have_their_labels_or_numbers() -> None:
    page = Page("1", "碑陽", (image("1", "彩色"), image("2")))
    offered = photographs(page, 1, 2, 0, ENGLISH)
    assert [(choice.label, choice.address, choice.chosen) for choice in offered] == [
        ("彩色", "?page=1", False),
        ("Image 2", "?page=1&photograph=2", True),
    ]


def test_label_says_why_a_page_has_no_picture() -> None:
    assert page_label(Page("4", "葉四", unphotographed=True), CHINESE) == "葉四（未拍摄）"
    assert page_label(Page("4", "葉四"), ENGLISH) == "葉四 (missing leaf)"
    assert page_label(PAGES[0], CHINESE) == "1"
