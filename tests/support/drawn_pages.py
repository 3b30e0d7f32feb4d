"""Pages drawn in milliseconds: the same frame and rules on each, and different characters of a few strokes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

WIDTH, HEIGHT = 900, 1300
_COLUMNS, _ROWS, _CELL, _LEFT, _TOP = 7, 11, 100, 100, 110


def draw_page(seed: int, characters: bool = True) -> npt.NDArray[np.uint8]:
    """Return a grey page; one without `characters` has the frame alone."""
    rng = np.random.default_rng(seed)
    page = np.full((HEIGHT, WIDTH), 220, np.uint8)
    right, bottom = _LEFT + _COLUMNS * _CELL, _TOP + _ROWS * _CELL
    cv2.rectangle(page, (_LEFT, _TOP), (right, bottom), 40, 7)
    for column in range(1, _COLUMNS):
        cv2.line(page, (_LEFT + column * _CELL, _TOP), (_LEFT + column * _CELL, bottom), 70, 2)
    for cell in range(_COLUMNS * _ROWS if characters else 0):
        x, y = _LEFT + cell % _COLUMNS * _CELL, _TOP + cell // _COLUMNS * _CELL
        for _ in range(6):
            ends = rng.integers(18, _CELL - 18, (2, 2)) + np.array([x, y])
            cv2.line(page, *(tuple(map(int, end)) for end in ends), 30, int(rng.integers(4, 9)), cv2.LINE_AA)
    noise = cv2.GaussianBlur(rng.normal(0, 12, page.shape).astype(np.float32), (0, 0), 1.2)
    return np.clip(page + noise, 0, 255).astype(np.uint8)


def write_drawn_deposit(folder: Path, seeds: Sequence[int]) -> Path:
    """Write a deposit folder of drawn pages."""
    return write_pages(folder, [draw_page(seed) for seed in seeds])


def write_pages(folder: Path, pages: Sequence[npt.NDArray[np.uint8]]) -> Path:
    """Write a deposit folder of pages: grey, or blue, green and red as OpenCV has them."""
    folder.mkdir(parents=True)
    for number, page in enumerate(pages, start=1):
        cv2.imwrite(str(folder / f"{number:04d}.png"), page)
    (folder / "work.toml").write_text('title = "畫書"\nlanguage = ["lzh"]\n', "utf-8")
    return folder


def encoded(pixels: npt.NDArray[np.uint8], suffix: str = ".jpg") -> bytes:
    """Return a picture as a file."""
    return cv2.imencode(suffix, pixels)[1].tobytes()
