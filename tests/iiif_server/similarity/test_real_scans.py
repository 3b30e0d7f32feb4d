"""The measurement of `tests/bench/similar.py`, on a few parts of real scans."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from drawn_library import DrawnLibrary
from drawn_pages import encoded, write_pages
from look_alike_pages import KINDS, derive, real_pages

from workers.deposit.examiner import ChildDepositExaminer


@pytest.mark.slow
def test_parts_of_scans_are_found_and_other_parts_of_the_same_scans_are_not(
    shared: Path, examiner: ChildDepositExaminer, tmp_path: Path
) -> None:
    pages = list(real_pages(shared, "books/siku"))
    held, strangers = ([page for page in pages if page.is_held is wanted] for wanted in (True, False))
    deposit = write_pages(tmp_path / "deposit", [page.pixels[:, :, ::-1] for page in held])
    rng = np.random.default_rng(1)
    found = 0
    with DrawnLibrary(tmp_path, examiner, deposit) as library:
        for number, kind in enumerate(KINDS):
            page, image = held[number % len(held)], library.images[number % len(held)]
            named = library.found(cv2.cvtColor(derive(page, kind, rng).pixels, cv2.COLOR_RGB2BGR))
            assert named in ([image], []), (kind, page.name)
            found += bool(named)
            stranger = derive(strangers[int(rng.integers(len(strangers)))], kind, rng)
            assert library.search.find(encoded(cv2.cvtColor(stranger.pixels, cv2.COLOR_RGB2BGR)), "").matches == ()
    assert found >= len(KINDS) - 1
