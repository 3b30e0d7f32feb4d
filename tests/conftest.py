"""Fixtures for every test: the shared folder of real scans and suites, a browser, a repository in memory."""

from __future__ import annotations

import asyncio
import gc
import os
import re
import shutil
from collections.abc import Generator, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.request import Request, urlopen

import hypothesis
import pytest
from deposits import write_deposit
from moto.server import ThreadedMotoServer
from playwright.sync_api import Browser, sync_playwright
from prerequisites import require
from shared_application import share_compiled
from shared_dialect import share_dialect
from temporary_files import parent_in_memory

from repository.config import Settings
from repository.repository import memory_repository
from workers.bootstrap import prepare_repository
from workers.deposit.examiner import ChildDepositExaminer, open_deposit_examiner
from workers.execution.context import TaskContext

CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--disable-component-update",
    "--disable-sync",
]
ALLOCATIONS_BETWEEN_COLLECTIONS = 20_000
ABSENT = re.compile(r"(?:Skipped|Failed): (.+) is absent: this was not tested")
# Examples have no deadline: a busy machine must not fail a test.
hypothesis.settings.register_profile("untimed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("untimed")

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)

TESTS = Path(__file__).resolve().parent
SHARED = TESTS.parents[1] / "shared"

# Packages of tests that serve files from a disk, as a library does: RWF_NOWAIT reads nothing from files in memory.
SERVING = {"browser", "conformance", "iiif_server", "integration"}


# Fixtures that start a server; `tests/integration` starts others.
SERVERS = {"bucket", "ceph", "database_url", "durable_ceph", "endpoint", "postgres", "rabbit", "redis"}


def pytest_configure() -> None:
    """Let the processes that tests start keep their bytecode, and this one its compiled SQL, templates and routes."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    share_dialect()
    share_compiled()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect tests with the garbage collector off, and keep what they made out of all later collections.

    Thousands of tests and modules live until the end; searching them takes a twelfth of the processor time. Afterwards
    the collector runs rarely, which saves another tenth.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(ALLOCATIONS_BETWEEN_COLLECTIONS, 20, 20)
        gc.enable()


@contextmanager
def free_of_a_loop(item: pytest.Item) -> Iterator[None]:
    """Let a test without a browser run an event loop of its own: Playwright's counts as running between its calls."""
    loop = None if item.get_closest_marker("browser") else asyncio._get_running_loop()
    if loop is not None:
        asyncio._set_running_loop(None)
    try:
        yield
    finally:
        if loop is not None:
            asyncio._set_running_loop(loop)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    """Set a test up."""
    with free_of_a_loop(item):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Run a test."""
    with free_of_a_loop(item):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, object, object]:
    """Tear a test down; after the last one, the browser is closed too."""
    with free_of_a_loop(item) if nextitem else nullcontext():
        return (yield)


@pytest.hookimpl(tryfirst=True)  # before tests are chosen by their markers
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what starts a server or a browser or ingests, and run the longest first: none is left for the end."""
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        if "integration" in item.path.parts or fixtures & SERVERS:
            item.add_marker("integration")
        if "browser" in fixtures:
            item.add_marker("browser")
        if "examiner" in fixtures:
            item.add_marker("slow")
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    """Return the place in the order of tests; tests of one file stay together."""
    return next(
        (turn for turn, marker in enumerate(("slow", "browser", "integration")) if item.get_closest_marker(marker)), 3
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Report what is absent from this machine, and which tests were skipped for it, in a section of its own."""
    left_out: dict[str, list[str]] = {}
    for outcome in ("skipped", "failed", "error"):
        for report in terminalreporter.getreports(outcome):
            if match := ABSENT.search(str(getattr(report, "longrepr", ""))):
                left_out.setdefault(match[1], []).append(report.nodeid)
    if left_out:
        terminalreporter.section("未测 / NOT TESTED", sep="!", red=True, bold=True)
    for what, tests in left_out.items():
        files = ", ".join(sorted({test.partition("::")[0] for test in tests}))
        terminalreporter.line(f"{what} is absent; left out: {len(tests)} in {files}", red=True)


@pytest.fixture
def tmp_path(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """An empty folder of this test, in memory if there is room: an fsync of a disk takes milliseconds."""
    parent = None if request.path.relative_to(TESTS).parts[0] in SERVING else parent_in_memory()
    if parent is None:
        yield tmp_path
        return
    with TemporaryDirectory(prefix="shanben-test-", dir=parent) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real scans and third-party suites beside the project; skips with a report when it is absent."""
    return Path(require(SHARED, "the folder ../shared with real scans and conformance suites", demanded_by=("CI",)))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, without a window."""
    path = require(shutil.which("chromium"), "Debian's package chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """The address of an empty S3 server (moto's)."""
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    # Every moto server of a process has the same buckets, so those of an earlier test are deleted.
    urlopen(Request(f"http://{host}:{port}/moto-api/reset", method="POST"), timeout=30).close()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="session")
def examiner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChildDepositExaminer]:
    """The real examiner of deposits, with two sandbox processes."""
    with open_deposit_examiner(Settings(), tmp_path_factory.mktemp("decoding"), 2) as examiner:
        yield examiner


@pytest.fixture
def context(tmp_path: Path, examiner: ChildDepositExaminer) -> TaskContext:
    """The context of an ingest: an initialized repository in memory and the real examiner."""
    repository = prepare_repository(memory_repository(Settings(data=tmp_path / "var"), lambda: NOON))
    return TaskContext(repository, examiner)


@pytest.fixture
def deposit(tmp_path: Path) -> Path:
    """A small deposit that the checks accept: three pages of noise, and a range."""
    return write_deposit(tmp_path / "deposit")
