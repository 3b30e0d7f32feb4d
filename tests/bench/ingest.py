"""Ingest seconds a megapixel, one book, one core, against bare `dzsave` of the same masters plus one sha256 of each.

Both are whole processes pinned to one core, run in turn; the row gives medians and the median of the pairs' ratios. The
book is the sample book (made once below the scratch folder). The command's start (Python, database, keys, a child) is
in our figure; the bare script's start of Python and libvips is in the other.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BARE = """
import hashlib, sys
from pathlib import Path
import pyvips
target = Path(sys.argv[1])
pixels = 0
for number, name in enumerate(sys.argv[2:]):
    image = pyvips.Image.new_from_file(name, access="sequential")
    pixels += image.width * image.height
    image.dzsave(str(target / f"{number}.zip"), layout="iiif3", container="zip", compression=0,
                 tile_size=512, overlap=0, suffix=".jpg[Q=80]", keep="none")
    with open(name, "rb") as file:
        hashlib.file_digest(file, "sha256")
print(pixels / 1e6)
"""
SHANBEN = Path(sys.executable).with_name("shanben")
RUNS = 5


def main() -> None:
    """Print the row."""
    with tempfile.TemporaryDirectory(prefix="bench-ingest-") as scratch:
        book = Path(scratch) / "book"
        subprocess.run([SHANBEN, "sample", book], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        masters = sorted(path for path in book.rglob("*") if path.suffix in {".tif", ".jpg", ".png"})
        pairs = [_pair(Path(scratch), book, masters) for _ in range(RUNS + 1)][1:]
    ours, bare = (statistics.median(column) for column in list(zip(*pairs, strict=True))[:2])
    megapixels = pairs[0][2]
    ratio = statistics.median(first / second for first, second, _ in pairs)
    print(
        f"ingest | {len(masters)} pages, {megapixels:.0f} Mpx, one core | {ours / megapixels * 1000:.2f} ms/Mpx"
        f" | bare dzsave + sha256 {bare / megapixels * 1000:.2f} ms/Mpx | ratio {ratio:.2f}"
    )


def _pair(scratch: Path, book: Path, masters: list[Path]) -> tuple[float, float, float]:
    data, target = scratch / "var", scratch / "bare"
    target.mkdir()
    ours, _ = _timed([SHANBEN, "ingest", book], {"SHANBEN_DATA": str(data)})
    bare, output = _timed([sys.executable, "-c", BARE, target, *masters], {})
    shutil.rmtree(data)
    shutil.rmtree(target)
    return ours, bare, float(output)


def _timed(command: list[str | Path], settings: dict[str, str]) -> tuple[float, str]:
    began = time.perf_counter()
    ended = subprocess.run(
        ["taskset", "-c", "0", *map(str, command)],
        env={**os.environ, **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=True,
        text=True,
    )
    return time.perf_counter() - began, ended.stdout


if __name__ == "__main__":
    main()
