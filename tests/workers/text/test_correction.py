"""Lines that a corrected text cannot have, on pages with hidden parts and on pages without a picture."""

from __future__ import annotations

import pytest

from repository.model.text import TextLine
from repository.model.work import Image, Master, Page, Rectangle
from workers.text.correction import CorrectionInvalid, changed_lines, checked_lines

HIDDEN = Rectangle(0, 0, 50, 100)
MASTER = Master("0001.tif", "0" * 64, 1, "image/tiff")


def page_with(*redactions: Rectangle) -> Page:
    return Page("0001", images=(Image("i1", 100, 100, MASTER, redactions),))


def test_on_a_page_with_hidden_parts_each_line_has_a_place_that_readers_see() -> None:
    seen, covered = TextLine("甲", Rectangle(50, 0, 50, 100)), TextLine("乙", Rectangle(40, 0, 20, 100))
    assert checked_lines(page_with(HIDDEN), [seen, TextLine(" ")]) == (seen,)
    for line in (covered, TextLine("丙")):
        with pytest.raises(CorrectionInvalid, match="第 2 行须注明位置"):
            checked_lines(page_with(HIDDEN), [seen, line])
    other = Image("i2", 200, 200, MASTER, (Rectangle(0, 0, 100, 200),))
    photographed_twice = Page("0001", images=(*page_with().images, other))
    assert checked_lines(photographed_twice, [seen]) == (seen,)
    for line in (covered, TextLine("丙")):
        with pytest.raises(CorrectionInvalid, match="hidden"):
            checked_lines(photographed_twice, [seen, line])
    assert checked_lines(page_with(), [covered, TextLine("丙")]) == (covered, TextLine("丙"))


def test_on_a_page_without_a_picture_no_line_has_a_place() -> None:
    with pytest.raises(CorrectionInvalid, match="没有图像"):
        checked_lines(Page("0001"), [TextLine("甲", Rectangle(0, 0, 1, 1))])


def test_changed_lines_are_counted_once_where_lines_were_added_or_moved() -> None:
    before = [TextLine(text) for text in "甲乙丙"]
    counts = {"甲乙丙": 0, "甲丁丙": 1, "丁甲乙丙": 1, "甲丙": 1, "乙甲丙": 2, "丁": 3}
    assert {after: changed_lines(before, [TextLine(text) for text in after]) for after in counts} == counts
