"""Random regions at random sizes: answers a second, against Debian's iipsrv behind nginx, in the same run.

One picture of 108 megapixels: for ours a pyramid as an ingest writes it (tiles of 512), behind a started `shanben
serve`; for iipsrv the pyramidal TIFF that its documentation recommends, in tiles of 256 pixels, both in JPEG at quality
80. 200 jobs: regions 300 to 4,000 pixels wide, as high or up to half as high again or less, shown 100 to 800 pixels
wide. wrk asks for them in turn over 8 connections, of each server by turns. First every answer of ours is compared with
the picture itself, cropped and scaled by Pillow alone, which knows nothing of tiles.

Both keep some tiles that they decoded (`iiif_server/render/decoded_cache.py`; iipsrv its default), and all jobs are of
one picture. With nothing kept, as when many pictures are each asked for once, ours takes about a third more CPU time in
process.
"""

from __future__ import annotations

import io
import random
import sys
import tempfile
from http.client import HTTPConnection
from pathlib import Path
from typing import NamedTuple

import numpy
from PIL import Image
from tiles import CYCLE, HEIGHT, WIDTH, Asked, Figure, hold, measure, page, ratio, served

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
from iip_server import PREFIX as IIP_PREFIX
from iip_server import IipServer, write_tiff

JOBS = 200
ROUNDS, SECONDS = 5, 4
SIZE = 512
IIP_SIZE = 256
FILE = "page.tif"
MEAN = 6.0
"""Levels of 255 by which an answer may differ from the plain way on average: both went through JPEG once or twice."""


class Job(NamedTuple):
    """A region of the picture, and the size to show it in."""

    x: int
    y: int
    width: int
    height: int
    shown_width: int
    shown_height: int

    @property
    def request(self) -> str:
        """As the Image API spells it, in a form that version 2 (iipsrv) and 3 share."""
        return f"{self.x},{self.y},{self.width},{self.height}/{self.shown_width},{self.shown_height}/0/default.jpg"


def main() -> None:
    """Print the row."""
    jobs = draw_jobs()
    picture = page().copy_memory()
    with tempfile.TemporaryDirectory(prefix="bench-regions-") as scratch:
        folder = Path(scratch)
        folder.chmod(0o755)
        (folder / "cycle.lua").write_text(CYCLE)
        image = hold(folder, SIZE)[0].removesuffix("/0/default.jpg").rsplit("/", 2)[0]
        write_tiff(picture, folder / "tiffs" / FILE, IIP_SIZE)
        for name, start in (("ours", image), ("theirs", f"{IIP_PREFIX}{FILE}")):
            (folder / f"{name}.txt").write_text("".join(f"{start}/{job.request}\n" for job in jobs))
        with served(folder) as ours, IipServer(folder / "iip", folder / "tiffs") as theirs:
            worst = check(jobs, f"{image}/", ours.port, picture.numpy())
            wrong = count_wrong(jobs, f"{IIP_PREFIX}{FILE}/", theirs.port, picture.numpy())
            print(f"mean difference, at worst: {worst:.2f} levels; wrong ones of iipsrv: {wrong}", file=sys.stderr)
            asked = [
                Asked(ours.port, [ours.pid], folder / "ours.txt"),
                Asked(theirs.port, theirs.pids, folder / "theirs.txt"),
            ]
            row(folder, asked)


def draw_jobs() -> list[Job]:
    """The same jobs each time."""
    chance = random.Random(1)
    jobs = []
    for _ in range(JOBS):
        width = chance.randint(300, 4000)
        height = min(HEIGHT, round(width * chance.uniform(0.67, 1.5)))
        shown = min(width, chance.randint(100, 800))
        x, y = chance.randint(0, WIDTH - width), chance.randint(0, HEIGHT - height)
        jobs.append(Job(x, y, width, height, shown, max(1, round(height * shown / width))))
    return jobs


def check(jobs: list[Job], start: str, port: int, picture: numpy.ndarray) -> float:
    """Every answer is the picture there at that size; the largest mean difference. `RuntimeError` when one is not."""
    found = differences(jobs, start, port, picture)
    for job, (difference, beside) in zip(jobs, found, strict=True):
        if is_wrong(difference, beside):
            raise RuntimeError(f"{job.request}: {difference:.2f} levels off, {beside:.2f} from what lies beside")
    return max(difference for difference, _ in found)


def count_wrong(jobs: list[Job], start: str, port: int, picture: numpy.ndarray) -> int:
    """The same of the peer, which is not held to it."""
    found = differences(jobs, start, port, picture)
    return sum(is_wrong(difference, beside) for difference, beside in found)


def is_wrong(difference: float, beside: float) -> bool:
    """Whether an answer is too far from the plain way's, or nearer to what lies beside; bare paper is like itself."""
    return difference > MEAN or difference > beside + 0.1


def differences(jobs: list[Job], start: str, port: int, picture: numpy.ndarray) -> list[tuple[float, float]]:
    """Of each answer: how far it is from the plain way's, and at least how far from what lies two pixels beside."""
    connection = HTTPConnection("127.0.0.1", port)
    whole = Image.fromarray(picture)
    found = []
    for job in jobs:
        connection.request("GET", start + job.request)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{job.request}: {answer.status}")
        with Image.open(io.BytesIO(body)) as shown:
            if shown.size != (job.shown_width, job.shown_height):
                found.append((255.0, 0.0))
                continue
            got = numpy.asarray(shown.convert("RGB"), numpy.int16)
        cut = whole.crop((job.x, job.y, job.x + job.width, job.y + job.height))
        right = numpy.asarray(cut.resize(shown.size, Image.Resampling.LANCZOS), numpy.int16)
        moved = min(numpy.abs(got - numpy.roll(right, 2 * sign, axis)).mean() for sign in (1, -1) for axis in (0, 1))
        found.append((float(numpy.abs(got - right).mean()), float(moved)))
    connection.close()
    return found


def row(folder: Path, asked: list[Asked]) -> None:
    """Measure by turns, and print."""
    runs = [[measure(folder, one, SECONDS) for one in asked] for _ in range(ROUNDS)]
    print(runs, file=sys.stderr)
    rates = [[run.rate for run in column] for column in zip(*runs, strict=True)]
    ours, theirs = map(Figure, rates)
    cpu, their_cpu = (Figure([run.cpu for run in column]) for column in zip(*runs, strict=True))
    cells = (
        "random regions and sizes",
        f"{JOBS} jobs, 300-4,000 px wide shown 100-800 px wide, of {WIDTH * HEIGHT // 10**6} Mpx, 2 workers,"
        f" 8 connections; all {JOBS} right",
        f"{ours} a second, CPU {cpu:.1f} ms each",
        f"iipsrv 1.1, 2 processes behind nginx: {theirs}, CPU {their_cpu:.1f} ms",
        f"{ratio(*rates):.2f} times",
    )
    print(" | ".join(cells), flush=True)


if __name__ == "__main__":
    main()
