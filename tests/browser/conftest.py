"""A repository with two works, ingested and served by the real commands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import pyvips
from ports import reserve_port

COMMAND = [sys.executable, "-c", "from web.cli.main import main; main()"]
PROJECT = Path(__file__).resolve().parents[2]
START_SECONDS = 60


@dataclass(frozen=True)
class Library:
    """The address of the server, the identifiers of its works, and the environment of its commands."""

    address: str
    book: str
    scroll: str
    environment: Mapping[str, str]


def page_picture(number: int, width: int, height: int) -> pyvips.Image:
    """Return a picture of paper with columns and the page number, so that pages are distinguishable."""
    paper = pyvips.Image.gaussnoise(width, height, mean=0, sigma=5, seed=number)
    page = paper.linear([1, 1, 1], [226, 211, 178]).cast("uchar").copy(interpretation="srgb").copy_memory()
    for left in range(width // 10, width * 9 // 10, max(1, width // 10)):
        page = page.draw_line([120, 60, 40], left, height // 10, left, height * 9 // 10)
    mark = pyvips.Image.text(str(number), dpi=900).embed(width // 3, height // 3, width, height)
    return mark.ifthenelse([30, 25, 20], page, blend=True).cast("uchar").copy(interpretation="srgb")


def deposit_book(folder: Path) -> Path:
    """Write a deposit of eight pages, 2,000 by 2,800 pixels, in two right-to-left volumes; the seventh is missing."""
    for volume, first in ((1, 1), (2, 5)):
        (folder / f"volume-{volume}").mkdir(parents=True)
        for place in (1, 2, 3, 4) if volume == 1 else (1, 2, 4):
            picture = page_picture(first + place - 1, 2000, 2800)
            picture.tiffsave(str(folder / f"volume-{volume}" / f"{place:04d}.tif"), compression="deflate")
    record = [
        'title = "試書"',
        'creator = ["某氏 撰"]',
        'language = ["lzh"]',
        'rights = "http://creativecommons.org/publicdomain/mark/1.0/"',
        '[[page]]\nfile = "volume-2/0003"\nmissing = true',
        '[[range]]\nlabel = "卷上"\npages = "volume-1/0001-0004"',
    ]
    (folder / "work.toml").write_text("\n".join(record) + "\n", "utf-8")
    return folder


def deposit_scroll(folder: Path) -> Path:
    """Write a deposit of a handscroll, 9,000 by 900 pixels, that begins on the right."""
    folder.mkdir(parents=True)
    page_picture(1, 9000, 900).jpegsave(str(folder / "0001.jpg"), Q=90)
    record = 'title = "長卷"\nlanguage = ["lzh"]\nbehavior = "continuous"\n'
    (folder / "work.toml").write_text(record, "utf-8")
    return folder


def ingest(environment: Mapping[str, str], deposit: Path) -> str:
    """Ingest a deposit and return the identifier of its work."""
    result = subprocess.run(
        [*COMMAND, "ingest", str(deposit), "--json"],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr + result.stdout
    return str(json.loads(result.stdout)["works"][0]["identifier"])


def wait_until_ready(address: str, server: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert server.poll() is None, "the server has stopped"
        try:
            with urllib.request.urlopen(f"{address}/health/ready", timeout=2) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            time.sleep(0.2)
    raise AssertionError("the server was not ready in time")


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    folder = tmp_path_factory.mktemp("library")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SHANBEN_")}
    environment["SHANBEN_DATA"] = str(folder / "var")
    book = ingest(environment, deposit_book(folder / "book"))
    scroll = ingest(environment, deposit_scroll(folder / "scroll"))
    port = reserve_port()
    address = f"http://127.0.0.1:{port}"
    with (folder / "server.log").open("w") as log:
        server = subprocess.Popen(
            [*COMMAND, "serve", "--port", str(port), "--workers", "1"],
            cwd=PROJECT,
            env=environment,
            stdout=log,
            stderr=log,
            text=True,
        )
        try:
            wait_until_ready(address, server)
            yield Library(address, book, scroll, environment)
        finally:
            server.terminate()
            server.wait(30)
