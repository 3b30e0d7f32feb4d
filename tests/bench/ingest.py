"""Ingest seconds a megapixel, one book, one core, against bare `dzsave` of the same masters plus one sha256 of each.

Both are whole processes pinned to one core, run in turn; a row gives medians and the median of the pairs' ratios. The
book is the sample book (made once below the scratch folder). In the first row, the command's start (Python, a new
database, keys, a child process) is in our figure, and the bare script's start of Python and libvips in the other. In
the second row, each figure is less what the same process takes for a book of one page of 64 x 64 pixels. The third row
is the processor time of one part of ours: reading each JPEG master to its end, for damage that libvips does not report.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import pyvips

BARE = """
import hashlib, sys
from pathlib import Path
import pyvips
target = Path(sys.argv[1])
for number, name in enumerate(sys.argv[2:]):
    image = pyvips.Image.new_from_file(name, access="sequential")
    image.dzsave(str(target / f"{number}.zip"), layout="iiif3", container="zip", compression=0,
                 tile_size=512, overlap=0, suffix=".jpg[Q=80]", keep="none")
    with open(name, "rb") as file:
        hashlib.file_digest(file, "sha256")
"""
SHANBEN = Path(sys.executable).with_name("shanben")
READ_TO_THE_END = """
import sys, time
from pathlib import Path
from workers.masters.jpeg import check_stream
streams = [Path(name).read_bytes() for name in sys.argv[1:] if name.endswith(".jpg")]
began = time.process_time()
for stream in streams:
    check_stream(stream)
print(time.process_time() - began)
"""
RECORD = 'title = "一葉"\nrights = "http://creativecommons.org/publicdomain/zero/1.0/"\n'
RUNS = 5


@dataclass(frozen=True)
class Turn:
    """The seconds of our command and of the bare script, for the book and for the tiny one."""

    ours: float
    bare: float
    our_start: float
    bare_start: float


def main() -> None:
    """Print the rows."""
    with tempfile.TemporaryDirectory(prefix="bench-ingest-") as scratch:
        book, tiny = Path(scratch) / "book", Path(scratch) / "tiny"
        subprocess.run([SHANBEN, "sample", book], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _write_tiny(tiny)
        masters, page = _masters(book), _masters(tiny)
        turns = [_turn(Path(scratch), book, masters, tiny, page) for _ in range(RUNS + 1)][1:]
        checked = [_seconds_of_check(masters) for _ in range(RUNS)]
        megapixels = sum(_megapixels(master) for master in masters)
    what = f"{len(masters)} pages, {megapixels:.0f} Mpx, one core"
    _print("ingest", what, megapixels, [(turn.ours, turn.bare) for turn in turns])
    without = [(turn.ours - turn.our_start, turn.bare - turn.bare_start) for turn in turns]
    _print("ingest, without the start", what, megapixels, without)
    seconds, bare = statistics.median(checked), statistics.median(second for _, second in without)
    print(
        f"ingest, JPEG masters read to the end | {what} | {seconds / megapixels * 1000:.2f} ms/Mpx"
        f" | – | {seconds / bare:.2f} of bare dzsave + sha256"
    )


def _print(name: str, what: str, megapixels: float, pairs: list[tuple[float, float]]) -> None:
    ours, bare = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(first / second for first, second in pairs)
    print(
        f"{name} | {what} | {ours / megapixels * 1000:.2f} ms/Mpx"
        f" | bare dzsave + sha256 {bare / megapixels * 1000:.2f} ms/Mpx | ratio {ratio:.2f}"
    )


def _write_tiny(book: Path) -> None:
    book.mkdir()
    (book / "work.toml").write_text(RECORD)
    pyvips.Image.black(64, 64, bands=3).copy(interpretation="srgb").jpegsave(str(book / "0001.jpg"))


def _masters(book: Path) -> list[Path]:
    return sorted(path for path in book.rglob("*") if path.suffix in {".tif", ".jpg", ".png"})


def _megapixels(master: Path) -> float:
    image = pyvips.Image.new_from_file(str(master))
    return float(image.width * image.height / 1e6)


def _turn(scratch: Path, book: Path, masters: list[Path], tiny: Path, page: list[Path]) -> Turn:
    ours, bare = _pair(scratch, book, masters)
    return Turn(ours, bare, *_pair(scratch, tiny, page))


def _pair(scratch: Path, book: Path, masters: list[Path]) -> tuple[float, float]:
    data, target = scratch / "var", scratch / "bare"
    target.mkdir()
    ours, _ = _timed([SHANBEN, "ingest", book], {"SHANBEN_DATA": str(data)})
    bare, _ = _timed([sys.executable, "-c", BARE, target, *masters], {})
    shutil.rmtree(data)
    shutil.rmtree(target)
    return ours, bare


def _seconds_of_check(masters: list[Path]) -> float:
    return float(_timed([sys.executable, "-c", READ_TO_THE_END, *masters], {})[1])


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
