"""Marks and paper decide whether a picture is of a page; frames and rules, which all pages have, do not."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from drawn_pages import draw_page

from iiif_server.similarity.comparison import compare
from iiif_server.similarity.features import reduced
from iiif_server.similarity.functions import confidence, is_match
from iiif_server.similarity.records import Alignment

pytestmark = pytest.mark.slow

Pixels = npt.NDArray[np.uint8]
IDENTITY = np.eye(3)
MATCHES = 50


def compared(picture: Pixels, page: Pixels) -> Alignment:
    """Return the comparison of two pictures that lie on each other."""
    return compare(reduced(picture), reduced(page), IDENTITY, MATCHES)


def copied(page: Pixels) -> Pixels:
    """Return a copy as a browser would send it: smaller, blurred, compressed."""
    small = cv2.resize(page, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)
    return cv2.imdecode(cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 50])[1], cv2.IMREAD_GRAYSCALE)


@pytest.mark.parametrize("characters", [True, False], ids=["text", "blank form"])
def test_a_copy_matches_its_page(characters: bool) -> None:
    page = draw_page(1, characters=characters)
    found = compared(copied(page), page)
    assert is_match(found)
    assert confidence(found) > 0.75


@pytest.mark.parametrize(
    ("one", "other"),
    [((1, True), (2, True)), ((1, False), (2, False)), ((1, True), (2, False)), ((1, False), (2, True))],
    ids=["other text", "another blank form", "a form without the text", "a form with a text"],
)
def test_pages_that_share_frame_and_rules_do_not_match(one: tuple[int, bool], other: tuple[int, bool]) -> None:
    pages = [draw_page(seed, characters=characters) for seed, characters in (one, other)]
    found = compared(copied(pages[0]), pages[1])
    assert not is_match(found)


def test_a_page_with_one_other_column_of_text_does_not_match_by_its_form_alone() -> None:
    form, text = draw_page(1, characters=False), draw_page(3)
    pages = [form.copy(), form.copy()]
    pages[0][115:1205, 105:195], pages[1][115:1205, 105:195] = text[115:1205, 105:195], text[115:1205, 305:395]
    assert is_match(compared(copied(pages[0]), pages[0]))
    assert not is_match(compared(copied(pages[0]), pages[1]))


def test_the_region_is_the_part_of_the_page_that_the_picture_shows() -> None:
    page = reduced(draw_page(1))
    height, width = page.shape
    move = np.array([[1, 0, width // 4], [0, 1, height // 2], [0, 0, 1]], float)
    found = compare(page[height // 2 :, width // 4 : 3 * width // 4], page, move, MATCHES)
    assert is_match(found)
    assert found.region == pytest.approx((0.25, 0.5, 0.5, 0.5), abs=0.03)


def test_nothing_in_common_is_no_match() -> None:
    assert not is_match(Alignment(0))
    assert not is_match(compared(np.full((900, 700), 255, np.uint8), np.full((900, 700), 250, np.uint8)))
