"""Makes the data folder of the installed release, for the tests of the release that follows it.

::

    .venv/bin/python tests/support/make_release_data.py tests/fixtures/data-0.1.0.tar.xz

The archive holds `shanben.toml`, two deposits and the data folder `var`: store, database and keys. The second deposit
is a second version of the first work, so the archive holds an OCFL object with two versions. The signing key in it
signs nothing but this archive.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy
from PIL import Image

SETTINGS = (
    'log_origin = "fixture.example/log"\nprovider = "样例馆 / Sample Library"\nbase_url = "http://fixture.example"\n'
)
RECORD = """identifier = "{identifier}"
title = "{title}"
creator = ["佚名"]
language = ["lzh"]
rights = "http://creativecommons.org/publicdomain/mark/1.0/"

[[range]]
label = "卷一"
pages = "0001-0002"
"""


def page(seed: int, width: int = 700, height: int = 900) -> Image.Image:
    """Return a page of smooth colours, distinct for each seed, that compresses well."""
    down, across = numpy.mgrid[0:height, 0:width]
    red = (across * 255 // width + seed * 40) % 256
    green = (down * 255 // height + seed * 20) % 256
    blue = numpy.full_like(red, (seed * 60) % 256)
    return Image.fromarray(numpy.stack([red, green, blue], axis=-1).astype("uint8"))


def deposit(folder: Path, title: str, identifier: str, seeds: list[int]) -> Path:
    """Write a deposit folder with one TIFF for each seed, and return it."""
    folder.mkdir()
    (folder / "work.toml").write_text(RECORD.format(title=title, identifier=identifier), "utf-8")
    for number, seed in enumerate(seeds, 1):
        page(seed).save(folder / f"{number:04}.tif", compression="tiff_deflate")
    return folder


def main(archive: Path) -> None:
    """Ingest the deposits with the installed `shanben` and pack what it leaves."""
    shanben = Path(sys.executable).with_name("shanben")
    identifiers = ["fixture-1", "fixture-2"]
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "shanben.toml").write_text(SETTINGS, "utf-8")
        steps = [
            deposit(folder / "first", "千字文", identifiers[0], [1, 2]),
            deposit(folder / "first-revised", "千字文", identifiers[0], [1, 2, 3]),
            deposit(folder / "second", "百家姓", identifiers[1], [4, 5]),
        ]
        subprocess.run([shanben, "init"], cwd=folder, check=True)
        for step in steps:
            subprocess.run([shanben, "ingest", step.name], cwd=folder, check=True)
        with tarfile.open(archive, "w:xz") as packed:
            for entry in ("shanben.toml", *(step.name for step in steps), "var"):
                packed.add(folder / entry, entry)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
