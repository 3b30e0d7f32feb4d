"""The page from which a picture was made is found, whatever was done to it, and no page that may not be shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event, Semaphore
from time import sleep

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from drawn_library import SEEDS, DrawnLibrary
from drawn_pages import HEIGHT, WIDTH, draw_page, encoded

from iiif_server.similarity.errors import PictureUnreadable, SearchBusy, SearchLimited, SearchOff
from iiif_server.similarity.local_shards import SearchedShards
from iiif_server.similarity.service import WAITING, SimilarPictures
from repository import paths
from repository.model.work import Access, WorkAccess
from workers.deposit.examiner import ChildDepositExaminer
from workers.tasks.access import restore, set_level, withdraw
from workers.tasks.jobs import access_job, feature_index_job, features_job

Pixels = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory, examiner: ChildDepositExaminer) -> Iterator[DrawnLibrary]:
    with DrawnLibrary(tmp_path_factory.mktemp("similar"), examiner) as library:
        yield library


def turned(page: Pixels) -> Pixels:
    return np.ascontiguousarray(np.rot90(page))


def slanted(page: Pixels) -> Pixels:
    matrix = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), 7, 0.8)
    return cv2.warpAffine(page, matrix, (WIDTH, HEIGHT), borderValue=128)


def photographed(page: Pixels) -> Pixels:
    corners = np.float32([[0, 0], [WIDTH, 0], [WIDTH, HEIGHT], [0, HEIGHT]])
    moved = np.float32([[70, 40], [840, 90], [870, 1250], [30, 1210]])
    shot = cv2.warpPerspective(page, cv2.getPerspectiveTransform(corners, moved), (WIDTH, HEIGHT))
    light = np.linspace(0.7, 1.1, WIDTH, dtype=np.float32)
    return np.clip(cv2.GaussianBlur(shot, (0, 0), 1.0) * light, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda page: page, id="copied"),
        pytest.param(lambda page: cv2.resize(page, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), id="reduced"),
        pytest.param(lambda page: page[300:800, 200:700], id="cropped"),
        pytest.param(turned, id="turned"),
        pytest.param(slanted, id="slanted"),
        pytest.param(photographed, id="photographed"),
    ],
)
def test_a_picture_made_from_a_page_leads_to_it(library: DrawnLibrary, change: Callable[[Pixels], Pixels]) -> None:
    assert library.found(change(draw_page(SEEDS[1]))) == [library.images[1]]


def test_other_pages_with_the_same_frame_are_no_match(library: DrawnLibrary) -> None:
    assert [library.found(draw_page(seed)) for seed in (21, 22, 23)] == [[]] * 3
    assert library.found(draw_page(0, characters=False)) == []


def test_a_match_names_the_part_of_the_image_that_the_picture_shows(library: DrawnLibrary) -> None:
    found = library.search.find(encoded(draw_page(SEEDS[0])[300:800, 200:700]), "")
    region = found.matches[0].region
    for side, expected in zip((region.x, region.y, region.width, region.height), (200, 300, 500, 500), strict=True):
        assert abs(side - expected) < 30
    assert (found.searched, found.total) == (3, 3)
    assert found.matches[0].work == library.work


def test_pages_of_a_withdrawn_or_restricted_work_are_not_found(library: DrawnLibrary) -> None:
    page = draw_page(SEEDS[1])
    assert library.found(page) == [library.images[1]]
    withdraw(library.repository, library.work, "試驗")
    assert library.found(page) == []
    restore(library.repository, library.work)
    set_level(library.repository, library.work, WorkAccess(access=Access.RESTRICTED))
    assert library.found(page) == []
    library.run(access_job(library.work), features_job(library.work))
    assert list(library.repository.store.list(paths.SIMILAR_WORKS)) == []
    set_level(library.repository, library.work, WorkAccess())
    library.run(access_job(library.work), features_job(library.work), feature_index_job())
    assert library.found(page) == [library.images[1]]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GIF89a",
        encoded(draw_page(1))[:5000],
        b"\x89PNG\r\n" + b"\0" * 100,
        encoded(draw_page(1)[:20, :20]),
        encoded(np.zeros((8000, 8000), np.uint8), ".png"),
    ],
    ids=["empty", "other format", "truncated", "malformed", "tiny", "64 megapixels in 64 KB"],
)
def test_a_picture_that_cannot_be_used_is_refused(library: DrawnLibrary, data: bytes) -> None:
    with pytest.raises(PictureUnreadable):
        library.search.find(data, "")


def test_a_client_has_a_budget_and_programs_on_the_machine_have_none(library: DrawnLibrary) -> None:
    picture = encoded(draw_page(1)[:200, :200])
    for _ in range(4):
        library.search.find(picture, "203.0.113.9")
    with pytest.raises(SearchLimited):
        library.search.find(picture, "203.0.113.9")
    assert library.found(draw_page(SEEDS[2])) == [library.images[2]]


def test_as_many_searches_wait_as_may_and_others_are_refused(
    library: DrawnLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    search, release, began = SimilarPictures(library.repository), Event(), Semaphore(0)

    def wait() -> SearchedShards:
        began.release()
        release.wait(20)
        return SearchedShards()

    monkeypatch.setattr(search._shards, "current", wait)
    picture = encoded(draw_page(SEEDS[0]))
    with ThreadPoolExecutor(1 + WAITING) as threads:
        waiting = [threads.submit(search.find, picture, "") for _ in range(1 + WAITING)]
        began.acquire()
        while search._places._value:
            sleep(0.01)
        with pytest.raises(SearchBusy):
            search.find(picture, "")
        release.set()
        assert [each.result().matches for each in waiting] == [()] * (1 + WAITING)
    search.close()


def test_the_search_can_be_switched_off(library: DrawnLibrary) -> None:
    settings = replace(library.repository.settings, similar_pages=0)
    with pytest.raises(SearchOff):
        SimilarPictures(replace(library.repository, settings=settings)).find(b"", "")


def test_deleted_features_and_shards_are_made_again(library: DrawnLibrary) -> None:
    store = library.repository.store
    before = sorted(item.key for item in store.list(paths.SIMILAR))
    for key in before:
        store.delete(key)
    library.run(feature_index_job())
    library.run(features_job(library.work))
    library.run(feature_index_job())
    assert sorted(item.key for item in store.list(paths.SIMILAR)) == before
