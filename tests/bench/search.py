"""How long a search takes, how large its index is, how fast it is built, and how soon a change is found.

A catalogue holds works of 200 leaves of 300 characters, which are passages of real texts taken at random
(`../shared/data/text`). All is indexed as by `shanben search rebuild`. Two clients, each a process as those of the web
server, ask for passages of 1 to 8 characters: the first 10 works with 3 hits each, all counts and all facets. The
number of leaves is 1,000,000, or that of the first argument.
"""

from __future__ import annotations

import multiprocessing
import random
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from iiif_server.search.local_segments import read_list
from iiif_server.search.query import SearchQuery
from iiif_server.search.service import Search
from repository.clock import timestamp
from repository.config import Settings
from repository.database.outbox import Job, JobState
from repository.database.publication import Publication
from repository.identifiers import Kind, mint
from repository.model.text import PageText, TextKind, TextLine
from repository.model.work import Dating, Page, Record, Rectangle, Volume, Work
from repository.repository import Repository, open_repository
from repository.texts import put_texts
from workers.execution.context import TaskContext
from workers.tasks.jobs import search_index_job
from workers.tasks.search_index import index_changes, rebuild_index

TEXTS: Final = Path(__file__).resolve().parents[3] / "shared" / "data" / "text"
LEAVES, LEAF, LINE = 200, 300, 20
WORKS: Final = 10
LENGTHS: Final = (1, 2, 3, 4, 6, 8)
ASKED: Final = 60
DATES: Final = ("明萬曆三十五年", "清乾隆", "清光緒三年", "宋", "民國二十三年", "元至正")
CLASSES: Final = ("經部·四書類", "史部", "子部", "集部·別集類")


def main() -> None:
    """Measure and print the rows."""
    leaves = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    source = read_source()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data=Path(folder))
        repository = open_repository(settings)
        size = fill(repository, source, leaves)
        started = time.perf_counter()
        segments = rebuild_index(repository).segments
        seconds = time.perf_counter() - started
        on = f"{leaves:,} leaves"
        stored = sum(segment.bytes for segment in segments)
        row("search, build", on, f"{leaves / seconds:,.0f} leaves/s", "", f"{seconds:.0f} s")
        row(
            "search, index",
            on,
            f"{stored / 1e6:,.0f} MB",
            f"{size / 1e6:,.0f} MB of text",
            f"{stored / size:.1f} times",
        )
        measure_queries(settings, source, on)
        row("search, one changed work found", on, f"{change(repository, source):.1f} s", "", "")


def read_source() -> str:
    """Return the texts without their markup."""
    texts = []
    for path in sorted(TEXTS.glob("*/*.txt")):
        lines = [line for line in path.read_text("utf-8").splitlines() if not line.startswith("#")]
        texts.append(re.sub(r"<pb:[^>]*>|[¶\s]", "", "".join(lines)))
    return "".join(texts)


def fill(repository: Repository, source: str, leaves: int) -> int:
    """Publish works with texts, and return the bytes of the texts."""
    rng = random.Random(1)
    size = 0
    for number in range(leaves // LEAVES):
        work = work_of(number)
        texts = [text_of(page.key, source, rng) for page in work.pages()]
        size += sum(len(text.plain().encode()) for text in texts)
        publish(repository, work, texts, 1)
    return size


def work_of(number: int) -> Work:
    """Return the record of a work."""
    record = Record(
        f"{('論語', '史記', '樂府', '文集')[number % 4]}卷{number}",
        creator=(f"作者{number % 500}",),
        date=Dating(DATES[number % len(DATES)]),
        classification=CLASSES[number % len(CLASSES)],
        edition="刻本" if number % 3 else "鈔本",
        holder=f"第{number % 20}館",
        language=("lzh",),
    )
    pages = tuple(Page(f"{page:04d}", str(page)) for page in range(1, LEAVES + 1))
    return Work(mint(Kind.WORK, f"bench {number}"), record, (Volume("", pages),))


def text_of(key: str, source: str, rng: random.Random) -> PageText:
    """Return a passage as the text of a page, in lines with places on the picture."""
    start = rng.randrange(len(source) - LEAF)
    passage = source[start : start + LEAF]
    lines = tuple(
        TextLine(passage[place : place + LINE], Rectangle(3000 - 10 * place, 200, 120, 3600))
        for place in range(0, LEAF, LINE)
    )
    return PageText(key, TextKind.TRANSCRIPTION, lines)


def publish(repository: Repository, work: Work, texts: Sequence[PageText], version: int) -> None:
    """Store the texts of a work, and publish it."""
    put_texts(repository.store, work.identifier, str(version), texts)
    now = timestamp(repository.clock())
    repository.catalogue.publish(Publication(work, {}, (), version, now, {}), [], now)


def measure_queries(settings: Settings, source: str, on: str) -> None:
    """Ask from two processes at once, and print a row for each length of passage."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(2) as pool:
        asked = pool.starmap(ask, [(settings, source, seed) for seed in (1, 2)])
    for length in LENGTHS:
        seconds = sorted(time for times in asked for time in times[length])
        late = statistics.quantiles(seconds, n=20)[-1]
        row(
            f"search, {length} characters",
            on,
            f"p95 {late * 1000:.0f} ms",
            "",
            f"median {seconds[len(seconds) // 2] * 1000:.0f} ms",
        )


def ask(settings: Settings, source: str, seed: int) -> dict[int, list[float]]:
    """Return the seconds of each search by the length of its passage."""
    rng = random.Random(seed)
    search = Search(open_repository(settings))
    search.search(SearchQuery("之"))  # opens the segments
    times: dict[int, list[float]] = {length: [] for length in LENGTHS}
    for _ in range(ASKED):
        for length in LENGTHS:
            start = rng.randrange(len(source) - length)
            started = time.perf_counter()
            search.search(SearchQuery(source[start : start + length]), limit=WORKS)
            times[length].append(time.perf_counter() - started)
    return times


def change(repository: Repository, source: str) -> float:
    """Return the seconds from a publication until a search finds it, without the wait for a worker."""
    search = Search(repository)
    search.search(SearchQuery("之"))
    work = work_of(0)
    texts = [text_of(page.key, source, random.Random(9)) for page in work.pages()]
    texts[0] = PageText("0001", TextKind.TRANSCRIPTION, (TextLine("新收之文甲乙丙丁"),))
    started = time.perf_counter()
    publish(repository, work, texts, 2)
    job = search_index_job()
    index_changes(TaskContext(repository, None), Job(job.key, job.kind, {}, JobState.RUNNING, 1, None, None, "", ""))
    while not search.search(SearchQuery("新收之文甲乙丙丁")).total:
        time.sleep(0.05)
    assert read_list(repository.store).segments
    return time.perf_counter() - started


def row(what: str, on: str, ours: str, against: str, result: str) -> None:
    """Print a row of the table."""
    print(f"{what} | {on} | {ours} | {against} | {result}", flush=True)


if __name__ == "__main__":
    main()
