"""How often the search names the page of a picture, and never another: 500 derivatives and 500 strangers.

A library holds every second page of `tests/support/look_alike_pages.py`: parts of real scans, books with one frame,
form paper with and without text, all printed by one block. It is ingested, described and indexed as by workers, and
asked through the service that ``/verify/similar`` uses. Derivatives are made from the held pages, strangers in the same
way from the others. An answer is right if the first match is the page of the picture, or if there is none for a
stranger's.

The limits of `iiif_server/similarity/functions.py` were chosen on other generated pages (seed 11), other derivatives,
and the other half of the parts of the scans.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from look_alike_pages import KINDS, Derivative, TestPage, derive, generated_pages, real_pages

from iiif_server.similarity.service import SimilarPictures
from repository.config import Settings
from repository.repository import Repository, open_repository
from workers.bootstrap import prepare_repository
from workers.deposit.examiner import open_deposit_examiner
from workers.execution.context import TaskContext
from workers.service.local import local_runner
from workers.tasks.jobs import feature_index_job, features_job, ingest_job

SHARED: Final = Path(__file__).resolve().parents[3] / "shared"
SEED: Final = 2024
ASKED: Final = 500
BOOKS, PAGES = 5, 14


@dataclass
class Tally:
    """The answers to pictures of one kind: pages named rightly and wrongly, and derivatives without an answer."""

    right: int = 0
    wrong: int = 0
    missed: int = 0

    def count(self, named: str | None, expected: str | None) -> None:
        """Count an answer; None stands for no page."""
        self.right += named is not None and named == expected
        self.wrong += named is not None and named != expected
        self.missed += named is None and expected is not None


def main() -> None:
    """Print the rows."""
    pages = test_pages()
    held, strangers = ([page for page in pages if page.is_held is wanted] for wanted in (True, False))
    tallies, seconds = {kind: Tally() for kind in KINDS}, []
    with tempfile.TemporaryDirectory(prefix="bench-similar-") as scratch, library(Path(scratch), held) as (search, of):
        for picture in pictures(held, strangers):
            data = jpeg(picture)
            started = time.perf_counter()
            found = search.find(data, "").matches
            seconds.append(time.perf_counter() - started)
            named = of[found[0].image] if found else None
            expected = picture.page.name if picture.page.is_held else None
            tallies[picture.kind].count(named, expected)
            if named != expected:
                print(f"{picture.kind}: {picture.page.name} -> {named}", file=sys.stderr)
    report(f"{ASKED} derivatives of {len(held)} pages, and {ASKED} of {len(strangers)} like them", tallies, seconds)


def pictures(held: list[TestPage], strangers: list[TestPage]) -> Iterator[Derivative]:
    """Yield derivatives of held pages and of strangers by turns, equally many of each kind."""
    rng = np.random.default_rng(SEED)
    for number in range(2 * ASKED):
        pool = held if number % 2 == 0 else strangers
        yield derive(pool[int(rng.integers(len(pool)))], list(KINDS)[number // 2 % len(KINDS)], rng)


def report(what: str, tallies: dict[str, Tally], seconds: list[float]) -> None:
    """Print the rows, and the answers to each kind."""
    for kind, tally in tallies.items():
        print(f"{kind}: {tally}", file=sys.stderr)
    right, wrong = (sum(getattr(tally, name) for tally in tallies.values()) for name in ("right", "wrong"))
    precision, recall = right / max(1, right + wrong), right / ASKED
    median, slowest = statistics.median(seconds) * 1000, max(seconds) * 1000
    print(f"page of a picture, precision | {what} | {precision:.3f} | – | {precision:.3f}")
    print(f"page of a picture, recall | the same | {recall:.3f} | – | {recall:.3f}")
    print(
        f"page of a picture, time | the same, one core | {median:.0f} ms | – | {median:.0f} ms, at most {slowest:.0f}"
    )


def test_pages() -> list[TestPage]:
    """Return all pages; of the scans, other parts are held than those that the limits were chosen with."""
    pages = list(generated_pages(SEED, BOOKS, PAGES))
    if SHARED.is_dir():
        pages += [TestPage(page.name, page.book, page.pixels, not page.is_held) for page in real_pages(SHARED)]
    return pages


def jpeg(picture: Derivative) -> bytes:
    """Return a derivative as a file; it was a JPEG before, so that little is lost again."""
    data: bytes = cv2.imencode(".jpg", picture.pixels[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
    return data


@contextmanager
def library(folder: Path, held: list[TestPage]) -> Iterator[tuple[SimilarPictures, dict[str, str]]]:
    """Yield the search of a library that holds these pages, and their names by image."""
    repository = prepare_repository(open_repository(Settings(data=folder / "var")))
    (folder / "staging").mkdir()
    with open_deposit_examiner(repository.settings, folder / "staging") as examiner:
        context = TaskContext(repository, examiner)
        names = ingest(context, folder, held)
    search = SimilarPictures(repository)
    yield search, names
    search.close()


def ingest(context: TaskContext, folder: Path, held: list[TestPage]) -> dict[str, str]:
    """Ingest a deposit for each book, describe and index the pages, and return their names by image."""
    books = defaultdict(list)
    for page in held:
        books[page.book].append(page)
    names: dict[str, str] = {}
    with local_runner(context) as runner:
        for number, pages in enumerate(books.values()):
            deposit = folder / f"deposit-{number}"
            deposit.mkdir()
            for place, page in enumerate(pages, start=1):
                cv2.imwrite(str(deposit / f"{place:04d}.png"), page.pixels[:, :, ::-1])
            (deposit / "work.toml").write_text(f'title = "{number}"\nlanguage = ["lzh"]\n', "utf-8")
            work = str((runner.run(ingest_job(deposit)).result or {})["identifier"])
            names |= names_of(context.repository, work, pages)
            runner.attempt([features_job(work)])
        runner.attempt([feature_index_job()])
    return names


def names_of(repository: Repository, work: str, pages: list[TestPage]) -> dict[str, str]:
    """Return the names of a work's pages by image."""
    found = repository.catalogue.work(work)
    if found is None:
        raise SystemExit(f"{work} was not ingested")
    return {image.identifier: page.name for image, page in zip(found.images(), pages, strict=True)}


if __name__ == "__main__":
    main()
