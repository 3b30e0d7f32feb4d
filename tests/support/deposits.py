"""Deposit folders that the checks accept, written for tests."""

from __future__ import annotations

from pathlib import Path

import pyvips


def write_deposit(folder: Path, pages: int = 3, title: str = "試書", seed: int = 0) -> Path:
    """Write a record with a range and `pages` TIFFs, 700 by 900 pixels of noise, all different; `seed` changes them."""
    folder.mkdir(parents=True)
    for number in range(1, pages + 1):
        noise = pyvips.Image.gaussnoise(700, 900, mean=200, sigma=30, seed=seed + number).cast("uchar")
        noise.tiffsave(str(folder / f"{number:04d}.tif"), compression="lzw", predictor="horizontal")
    record = f'title = "{title}"\nlanguage = ["lzh"]\n[[range]]\nlabel = "卷上"\npages = "0001-{pages:04d}"\n'
    (folder / "work.toml").write_text(record, "utf-8")
    return folder
