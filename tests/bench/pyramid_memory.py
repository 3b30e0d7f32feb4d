"""Peak memory of writing a pyramid of 1.4 gigapixels, a tall scroll and a long one, against bare `dzsave` of the same.

Each is written by a process of its own, from a TIFF in strips (deflated, made first below the scratch folder), opened
for sequential access; the figure is that process's VmHWM, Python and libvips included.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pyvips

SCROLLS = {"tall": (6_300, 224_490), "long": (224_490, 6_300), "wide": (65_500, 6_300)}
OURS = "write_pyramid(image, target, 512, 80)"
BARE = (
    'image.dzsave(str(target), layout="iiif3", container="zip", compression=0, tile_size=512, overlap=0,'
    ' suffix=".jpg[Q=80]", keep="none")'
)
PROCESS = """
import re, sys, time
from pathlib import Path
import pyvips
from iiif_server.pyramid import write_pyramid
image = pyvips.Image.new_from_file(sys.argv[1], access="sequential", unlimited=True)
target = Path(sys.argv[2])
start = time.perf_counter()
{write}
seconds = time.perf_counter() - start
print(int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1000, seconds)
"""


def main() -> None:
    """Print a row for each scroll."""
    with tempfile.TemporaryDirectory(prefix="bench-pyramid-") as scratch:
        for name, (width, height) in SCROLLS.items():
            master = Path(scratch) / f"{name}.tif"
            make_master(master, width, height)
            ours = measure(OURS, master)
            bare = measure(BARE, master)
            print(
                f"memory, {name} | {width:,} x {height:,} | {ours[0]:.0f} MB in {ours[1]:.1f} s"
                f" | bare dzsave {bare[0]:.0f} MB in {bare[1]:.1f} s"
                f" | {ours[0] / bare[0]:.2f} of the memory, {ours[1] / bare[1]:.2f} of the time",
                flush=True,
            )
            master.unlink()


def make_master(path: Path, width: int, height: int) -> None:
    """A slow ramp in three bands with a grain, so that no two tiles are alike."""
    across, down = pyvips.Image.xyz(width, height).bandsplit()
    grain = (across * 7 + down * 3) % 29
    bands = [(across / 64 + grain) % 256, (down / 50 + grain) % 256, ((across + down) / 90 + grain) % 256]
    image = bands[0].bandjoin(bands[1:]).cast("uchar").copy(interpretation="srgb")
    image.tiffsave(str(path), compression="deflate", level=1, tile_height=64, bigtiff=True)


def measure(write: str, master: Path) -> tuple[float, float]:
    """Peak megabytes and seconds of one process that writes one pyramid."""
    target = master.with_suffix(".zip")
    command = [sys.executable, "-c", PROCESS.format(write=write), str(master), str(target)]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    target.unlink()
    memory, seconds = output.split()
    return float(memory), float(seconds)


if __name__ == "__main__":
    main()
