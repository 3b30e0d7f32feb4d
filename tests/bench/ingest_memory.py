"""Peak memory of a whole `shanben ingest` of a scroll of 1.4 gigapixels, against bare `dzsave` of the same.

The scroll is a TIFF in strips (deflated, made first below the scratch folder). Ours is every process of the ingest,
each one's peak added up, though they need not have come at one time; the other is the one process of bare `dzsave`,
opened for sequential access. Python and libvips are in both. Memory is what the kernel cannot drop (RssAnon and
RssShmem, sampled): the child maps the master, and the mapped pages are page cache.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyvips

SCROLLS = {"tall": (6_300, 224_490), "long": (224_490, 6_300), "wide": (65_500, 6_300)}
SHANBEN = Path(sys.executable).with_name("shanben")
PAUSE = 0.02
BARE = """
import sys
import pyvips
image = pyvips.Image.new_from_file(sys.argv[1], access="sequential", unlimited=True)
image.dzsave(sys.argv[2], layout="iiif3", container="zip", compression=0, tile_size=512, overlap=0,
             suffix=".jpg[Q=80]", keep="none")
"""


def main() -> None:
    """Print a row for each scroll."""
    for name, (width, height) in SCROLLS.items():
        with tempfile.TemporaryDirectory(prefix="bench-memory-") as scratch:
            deposit = Path(scratch) / "deposit"
            deposit.mkdir()
            (deposit / "work.toml").write_text('title = "長卷"\n', encoding="utf-8")
            make_master(deposit / "0001.tif", width, height)
            settings = {"SHANBEN_DATA": str(Path(scratch) / "var")}
            ours = measure([str(SHANBEN), "ingest", str(deposit)], settings)
            bare = measure([sys.executable, "-c", BARE, str(deposit / "0001.tif"), f"{scratch}/bare.zip"], {})
        print(
            f"memory of an ingest, {name} | {width:,} x {height:,} | {ours[0]:.0f} MB in {ours[1]:.1f} s"
            f" | bare dzsave {bare[0]:.0f} MB in {bare[1]:.1f} s | {ours[0]:.0f} MB",
            flush=True,
        )


def make_master(path: Path, width: int, height: int) -> None:
    """A slow ramp in three bands with a grain, so that no two tiles are alike."""
    across, down = pyvips.Image.xyz(width, height).bandsplit()
    grain = (across * 7 + down * 3) % 29
    bands = [(across / 64 + grain) % 256, (down / 50 + grain) % 256, ((across + down) / 90 + grain) % 256]
    image = bands[0].bandjoin(bands[1:]).cast("uchar").copy(interpretation="srgb")
    image.tiffsave(str(path), compression="deflate", level=1, tile_height=64, bigtiff=True)


def measure(command: list[str], settings: dict[str, str]) -> tuple[float, float]:
    """Megabytes at the peak of all the command's processes, and its seconds."""
    began = time.perf_counter()
    peaks: dict[int, int] = {}
    with subprocess.Popen(
        command, env={**os.environ, **settings}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        while process.poll() is None:
            for pid in family(process.pid):
                peaks[pid] = max(memory(pid), peaks.get(pid, 0))
            time.sleep(PAUSE)
    if process.returncode:
        raise SystemExit(f"{command[0]} ended with {process.returncode}")
    return sum(peaks.values()) / 1000, time.perf_counter() - began


def family(pid: int) -> list[int]:
    """A process and all that descend from it."""
    try:
        threads = Path(f"/proc/{pid}/task").iterdir()
        found = {int(child) for thread in threads for child in (thread / "children").read_text().split()}
    except OSError:
        return []
    return [pid, *(descendant for child in found for descendant in family(child))]


def memory(pid: int) -> int:
    """A process's memory that is no file's, in kilobytes; 0 when it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return sum(int(kilobytes) for kilobytes in re.findall(r"Rss(?:Anon|Shmem):\s+(\d+)", status))


if __name__ == "__main__":
    main()
