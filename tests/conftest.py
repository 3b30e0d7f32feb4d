"""What every test may use: the shared folder of real scans and suites, and a repository in memory."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import hypothesis
import pytest
import pyvips
from moto.server import ThreadedMotoServer
from playwright.sync_api import Browser, sync_playwright
from prerequisites import require

from repository.config import Settings
from repository.repository import memory_repository
from workers.bootstrap import prepare_repository
from workers.execution.context import TaskContext
from workers.masters.examine import ChildExaminer, open_child_examiner

CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--disable-component-update",
    "--disable-sync",
]
ABSENT = re.compile(r"(?:Skipped|Failed): (.+) is absent: this was not tested")
# A machine that is busy makes no test wrong: tests are not timed.
hypothesis.settings.register_profile("untimed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("untimed")

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)

SHARED = Path(__file__).resolve().parents[2] / "shared"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was absent from this machine, and which tests were left out for it, where nobody overlooks it."""
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


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real scans and other people's suites beside the project; skips, saying so, when it is absent."""
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
    """The address of an S3 server that holds nothing yet (moto's)."""
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="session")
def examiner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChildExaminer]:
    """The real examiner of masters, over two child processes."""
    with open_child_examiner(Settings(), tmp_path_factory.mktemp("decoding"), 2) as examiner:
        yield examiner


@pytest.fixture
def context(tmp_path: Path, examiner: ChildExaminer) -> TaskContext:
    """A repository in memory, made ready, with the real examiner: what an ingest works with."""
    repository = prepare_repository(memory_repository(Settings(data=tmp_path / "var"), lambda: NOON))
    return TaskContext(repository, examiner)


@pytest.fixture
def deposit(tmp_path: Path) -> Path:
    """A small deposit without a fault: three pages of noise, each unlike the others, and a range."""
    return write_deposit(tmp_path / "deposit")


def write_deposit(folder: Path, pages: int = 3, title: str = "試書") -> Path:
    """A deposit folder without a fault: `pages` TIFF pages of 700 by 900 pixels."""
    folder.mkdir(parents=True)
    for number in range(1, pages + 1):
        noise = pyvips.Image.gaussnoise(700, 900, mean=200, sigma=30, seed=number).cast("uchar")
        noise.tiffsave(str(folder / f"{number:04d}.tif"), compression="lzw", predictor="horizontal")
    record = f'title = "{title}"\nlanguage = ["lzh"]\n[[range]]\nlabel = "卷上"\npages = "0001-{pages:04d}"\n'
    (folder / "work.toml").write_text(record, "utf-8")
    return folder
