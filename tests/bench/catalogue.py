"""A catalogue of 1,000,000 images against one of 1,000: a tile's lookup, the page of a work and of a list, the status.

Works of 20 images, with an event for each image and a job for each work of the last day, are written directly into the
tables. Both catalogues are queried by turns, and the median is reported. The time to write the rows, and their size, go
to standard error.
"""

from __future__ import annotations

import itertools
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1] / "support"))

from database_server import PostgresServer
from sqlalchemy import Engine, insert

from repository.config import Settings
from repository.database.catalogue import Catalogue
from repository.database.counters import recount
from repository.database.engine import is_postgresql, migrate, open_database, sessions_of
from repository.database.log_positions import LogPosition
from repository.database.log_sequence import LogSequence
from repository.database.outbox import Jobs
from repository.database.replica_status import ReplicaStatus
from repository.database.rows import access_values, event_values, image_values, work_values
from repository.database.tables import EventRow, ImageRow, JobRow, Table, WorkRow
from repository.identifiers import Kind, mint
from repository.model.work import Event, Image, Master, Page, Pyramid, Record, Volume, Work, WorkAccess
from repository.repository import Repository, memory_repository
from web.app import create_app
from web.operations.status import StatusReader

SMALL, LARGE = 1_000, 1_000_000
IMAGES = 20
"""In a work: so few that the smaller catalogue fills a page of the list too."""
TODAY = SMALL // IMAGES
"""Works ingested within a day."""
BATCH = 500
"""Works written at a time."""
ROUNDS = 200
START = datetime(2026, 1, 1, tzinfo=UTC)

Rows = dict[type[Table], list[dict[str, Any]]]


@dataclass(frozen=True)
class Held:
    """A catalogue with so many images, and how it is asked."""

    repository: Repository
    questions: dict[str, Callable[[int], object]]


def main() -> None:
    """Print the rows."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(PostgresServer())
        addresses: dict[str, Callable[[int], str]] = {
            "PostgreSQL": lambda images: server.create_database(),
            "SQLite": lambda images: f"sqlite:///{folder / str(images)}.sqlite",
        }
        for name, address in addresses.items():
            small, large = (_filled(name, address(images), images, folder) for images in (SMALL, LARGE))
            for question in small.questions:
                _report(name, question, small, large)


def _report(name: str, question: str, small: Held, large: Held) -> None:
    few, many = _times(small.questions[question], large.questions[question])
    print(
        f"catalogue: {question} | {LARGE:,} images, {name} | {many * 1000:.2f} ms"
        f" | {few * 1000:.2f} ms with {SMALL:,} images | {many / few:.2f} times",
        flush=True,
    )


def _times(*questions: Callable[[int], object]) -> list[float]:
    """The median seconds of each, asked in turns so that the machine's other work falls on all alike."""
    times: list[list[float]] = [[] for _ in questions]
    for number in range(-ROUNDS // 10, ROUNDS):
        for question, found in zip(questions, times, strict=True):
            start = time.perf_counter()
            question(number)
            if number >= 0:
                found.append(time.perf_counter() - start)
    return [statistics.median(found) for found in times]


def _filled(name: str, address: str, images: int, folder: Path) -> Held:
    engine = open_database(address)
    migrate(engine)
    start = time.perf_counter()
    works = images // IMAGES
    for rows in _rows(works):
        _write(engine, rows)
    with sessions_of(engine).begin() as session:
        recount(session)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM ANALYZE" if is_postgresql(engine) else "ANALYZE")
    print(f"{name}: {images:,} images in {time.perf_counter() - start:.0f} s", file=sys.stderr)
    print(f"  {_all_bytes(engine) / images:.0f} bytes an image in all", file=sys.stderr)
    for table, size in sorted(_sizes(engine).items()):
        print(f"  {table}: {size / images:.1f} bytes an image", file=sys.stderr)
    return _held(engine, works, folder / f"{name} {images}")


def _held(engine: Engine, works: int, data: Path) -> Held:
    sessions, bare = sessions_of(engine), memory_repository(Settings(data=data))
    repository = replace(
        bare,
        catalogue=Catalogue(sessions),
        log_sequence=LogSequence(sessions, shared=False),
        jobs=Jobs(sessions, bare.clock),
        replica_status=ReplicaStatus(sessions),
    )
    catalogue, client, status = repository.catalogue, create_app(repository).test_client(), StatusReader(repository)
    pages = -(-works // 24)

    def page(address: str) -> None:
        answer = client.get(address)
        assert answer.status_code == 200, (address, answer.status_code)

    questions: dict[str, Callable[[int], object]] = {
        "tile lookup": lambda number: catalogue.image(_image(_any(number, works), number % IMAGES)),
        "work page": lambda number: page(f"/works/{_work(_any(number, works))}"),
        "list page, first": lambda number: page(f"/works?page={number % min(3, pages) + 1}"),
        "list page, any": lambda number: page(f"/works?page={_any(number, pages) + 1}"),
        "start page": lambda number: page("/"),
        "status": lambda number: status.read(5.0),
    }
    return Held(repository, questions)


def _any(number: int, limit: int) -> int:
    return random.Random(number).randrange(limit)


def _work(number: int) -> str:
    return mint(Kind.WORK, f"bench {number}")


def _image(work: int, number: int) -> str:
    """As long as a minted one, and quicker to make."""
    return f"i{work:012d}{number:05d}"


def _rows(works: int) -> Iterator[Rows]:
    """The rows of all works, some at a time: those of one work, with what tells them apart changed."""
    model, chance, numbers = _model(), random.Random(0), iter(range(works))
    while batch := list(itertools.islice(numbers, BATCH)):
        rows: Rows = {table: [] for table in model}
        for number in batch:
            for table, found in _changed(model, number, chance).items():
                rows[table] += found
        yield rows


def _model() -> Rows:
    """The rows of the work numbered 0."""
    pages = tuple(Page(f"{place:04d}", str(place), (_photograph(place),)) for place in range(IMAGES))
    record = Record("某部書", creator=("某人撰",), language=("lzh",), call_number="善 0000000")
    work = Work(_work(0), record, (Volume("", pages),))
    known = work_values(work, 1, "") | access_values(WorkAccess(), pending=False)
    rows: Rows = {WorkRow: [known], ImageRow: [], EventRow: [], JobRow: []}
    for place, image in enumerate(work.images()):
        pyramid = Pyramid("", "f" * 64, 5_000_000, 512)
        rows[ImageRow].append(image_values(place, image, work.identifier, pyramid))
        event = Event("", "ingestion", "", work.identifier, image.identifier, image.master.sha256)
        rows[EventRow].append(event_values(place, event, LogPosition(None, None)))
    fixed = {"kind": "ingest", "state": "done", "attempts": 1, "remaining": 0, "again": False}
    rows[JobRow].append({"key": "", **fixed, **dict.fromkeys(("updated", "since", "not_before"), "")})
    return rows


def _photograph(place: int) -> Image:
    return Image(_image(0, place), 5000, 7000, Master(f"masters/{place:04d}.tif", "0" * 64, 0, "image/tiff"))


def _changed(model: Rows, number: int, chance: random.Random) -> Rows:
    """The rows of the work with this number."""
    work, when = _work(number), f"{START + timedelta(seconds=number):%Y-%m-%dT%H:%M:%SZ}"
    (values,), (job,) = model[WorkRow], model[JobRow]
    document = (
        values["document"].replace(_work(0).encode(), work.encode()).replace(b"i" + b"0" * 12, b"i%012d" % number)
    )
    told = {"title": f"第{number}部書", "cover": _image(number, 0), "document": document}
    images, events = [], []
    for place, (image, event) in enumerate(zip(model[ImageRow], model[EventRow], strict=True)):
        name, digest, index = _image(number, place), f"{chance.getrandbits(256):064x}", number * IMAGES + place
        pyramid = f"pyramids/{name[:3]}/{name}-512-80.zip"
        master = {"master_sha256": digest, "master_bytes": chance.randrange(10**8), "pyramid_key": pyramid}
        images.append({**image, "identifier": name, "work": work, **master})
        known = {"identifier": f"{digest[:60]}{place:04d}", "work": work, "image": name, "sha256": digest}
        events.append({**event, **known, "time": when, "sequence": index, "log_index": index})
    asked = {"key": f"ingest:{number}", "updated": when, "since": when, "not_before": when}
    arguments = {"arguments": {"deposit": f"/deposits/{number}"}, "result": {"work": work}}
    return {
        WorkRow: [{**values, "identifier": work, "accessioned": when, **told}],
        ImageRow: images,
        EventRow: events,
        JobRow: [{**job, **asked, **arguments}] if number < TODAY else [],
    }


def _write(engine: Engine, rows: Rows) -> None:
    """By COPY where there is one: it is several times as quick."""
    with engine.begin() as connection:
        for table, values in rows.items():
            if not values:
                continue
            if not is_postgresql(engine):
                connection.execute(insert(table), values)
                continue
            columns = list(values[0])
            cursor = connection.connection.cursor()
            with cursor.copy(f"COPY {table.__tablename__} ({', '.join(columns)}) FROM STDIN") as copy:
                for row in values:
                    copy.write_row([_copied(row[column]) for column in columns])


def _copied(value: object) -> object:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value


def _sizes(engine: Engine) -> dict[str, int]:
    """The bytes of every table with its indexes, and of every index by itself; SQLite counts a table without them."""
    query = """SELECT relname, CASE relkind WHEN 'r' THEN pg_total_relation_size(oid) ELSE pg_relation_size(oid) END
               FROM pg_class WHERE relkind IN ('r', 'i') AND relnamespace = 'public'::regnamespace"""
    if not is_postgresql(engine):
        query = "SELECT name, sum(pgsize) FROM dbstat GROUP BY name"
    with engine.connect() as connection:
        return {name: int(size) for name, size in connection.exec_driver_sql(query)}


def _all_bytes(engine: Engine) -> int:
    query = "SELECT pg_database_size(current_database())"
    if not is_postgresql(engine):
        query = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
    with engine.connect() as connection:
        return int(connection.exec_driver_sql(query).scalar_one())


if __name__ == "__main__":
    main()
