"""Deposit folders that the checks accept, written for tests."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import pyvips


@lru_cache(maxsize=64)  # most tests write the same pages, and the noise takes longer than many of them
def page(seed: int) -> bytes:
    """Return a TIFF of noise, 700 by 900 pixels."""
    noise = pyvips.Image.gaussnoise(700, 900, mean=200, sigma=30, seed=seed).cast("uchar")
    content: bytes = noise.tiffsave_buffer(compression="lzw", predictor="horizontal")
    return content


def write_deposit(folder: Path, pages: int = 3, title: str = "試書", seed: int = 0) -> Path:
    """Write a record with a range and `pages` TIFFs, 700 by 900 pixels of noise, all different; `seed` changes them."""
    folder.mkdir(parents=True)
    for number in range(1, pages + 1):
        (folder / f"{number:04d}.tif").write_bytes(page(seed + number))
    record = f'title = "{title}"\nlanguage = ["lzh"]\n[[range]]\nlabel = "卷上"\npages = "0001-{pages:04d}"\n'
    (folder / "work.toml").write_text(record, "utf-8")
    return folder
