"""A library for the browser: three deposits, ingested and served by the real commands."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import pyvips
from command_line import Shanben, ShanbenHere
from library_visit import Visit, Visitor
from noise import noise
from playwright.sync_api import Browser
from web_server import NO_LOCAL_WORKER, WebServer

ROOM_SECONDS = 10
"""The most that an ingest of two small works takes."""


@dataclass(frozen=True)
class Library:
    """A running web application, the identifiers of its works, and the command with its settings."""

    address: str
    book: str
    scroll: str
    restricted: str
    shanben: Shanben


def page_picture(number: int, width: int, height: int) -> pyvips.Image:
    """Return a picture of paper with columns and the page number, so that pages are distinguishable."""
    paper = noise(width, height, mean=100, sigma=5, seed=number)
    page = paper.linear([1, 1, 1], [126, 111, 78]).cast("uchar").copy(interpretation="srgb").copy_memory()
    for left in range(width // 10, width * 9 // 10, max(1, width // 10)):
        page = page.draw_line([120, 60, 40], left, height // 10, left, height * 9 // 10)
    mark = pyvips.Image.text(str(number), dpi=900).embed(width // 3, height // 3, width, height)
    return mark.ifthenelse([30, 25, 20], page, blend=True).cast("uchar").copy(interpretation="srgb")


def deposit_book(folder: Path) -> Path:
    """Write a deposit of eight pages, 2,000 by 2,800 pixels, in two right-to-left volumes; the seventh is missing.

    Three pages have text with places; the second page also has the output of OCR, with places, and a translation. That
    of the sixth page is for a test to correct.
    """
    for volume, first in ((1, 1), (2, 5)):
        (folder / f"volume-{volume}").mkdir(parents=True)
        for place in (1, 2, 3, 4) if volume == 1 else (1, 2, 4):
            picture = page_picture(first + place - 1, 2000, 2800)
            picture.tiffsave(str(folder / f"volume-{volume}" / f"{place:04d}.tif"), compression="none")
    record = [
        'title = "試書"',
        'creator = ["某氏 撰"]',
        'language = ["lzh"]',
        'rights = "http://creativecommons.org/publicdomain/mark/1.0/"',
        '[[page]]\nfile = "volume-2/0003"\nmissing = true',
        '[[range]]\nlabel = "卷上"\npages = "volume-1/0001-0004"',
        '[[text]]\nfiles = "text"\nkind = "transcription"\nsource = "試校本"',
        '[[text]]\nfiles = "text/ocr"\nkind = "ocr"\nsource = "rapidocr 3.9"\nquality = 0.934',
        '[[text]]\nfiles = "text/english"\nkind = "translation"\nlanguage = "en"',
    ]
    (folder / "work.toml").write_text("\n".join(record) + "\n", "utf-8")
    texts = {
        "volume-1/0002.xml": alto_page(("天地玄黃", "宇宙洪荒")),
        "volume-1/0004.xml": alto_page(("天地之閒",)),
        "volume-2/0002.xml": alto_page(("謂語助者", "焉哉乎也")),
        "ocr/volume-1/0002.xml": alto_page(("大地玄黃", "宇宙洪荒")),
        "english/volume-1/0002.txt": "Sky and earth.\n",
    }
    for name, text in texts.items():
        (folder / "text" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "text" / name).write_text(text, "utf-8")
    return folder


def alto_page(lines: Sequence[str]) -> str:
    """Return the text of a page in columns from the right, each 200 pixels wide."""
    columns = (
        f'<TextLine HPOS="{1600 - 200 * place}" VPOS="300" WIDTH="200" HEIGHT="{300 * len(line)}">'
        f'<String CONTENT="{line}"/></TextLine>'
        for place, line in enumerate(lines)
    )
    block = f"<PrintSpace><TextBlock>{''.join(columns)}</TextBlock></PrintSpace>"
    page = f'<Page WIDTH="2000" HEIGHT="2800">{block}</Page>'
    unit = "<Description><MeasurementUnit>pixel</MeasurementUnit></Description>"
    return f'<alto xmlns="http://www.loc.gov/standards/alto/ns-v4#">{unit}<Layout>{page}</Layout></alto>'


def deposit_scroll(folder: Path) -> Path:
    """Write a deposit of a handscroll, 9,000 by 900 pixels, that begins on the right."""
    folder.mkdir(parents=True)
    page_picture(1, 9000, 900).jpegsave(str(folder / "0001.jpg"), Q=90)
    record = 'title = "長卷"\nlanguage = ["lzh"]\nbehavior = "continuous"\n'
    (folder / "work.toml").write_text(record, "utf-8")
    return folder


def deposit_restricted(folder: Path) -> Path:
    """Write a deposit of one page whose pictures are not public. Its title begins with a character of Extension B."""
    folder.mkdir(parents=True)
    page_picture(1, 600, 800).jpegsave(str(folder / "0001.jpg"), Q=90)
    record = 'title = "𠮷金貞石錄"\nlanguage = ["lzh"]\naccess = "restricted"\n'
    (folder / "work.toml").write_text(record, "utf-8")
    return folder


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    folder = tmp_path_factory.mktemp("library")
    shanben = ShanbenHere(folder)
    (book,) = ingest(shanben, deposit_book(folder / "book"))
    # Viewers open the first work of a collection immediately, which must have pictures. The works of a minute have a
    # collection of their own, so the restricted one must follow another one in its minute.
    deposits = deposit_scroll(folder / "scroll"), deposit_restricted(folder / "restricted")
    if (left := 60 - time.time() % 60) < ROOM_SECONDS:
        time.sleep(left)
    scroll, restricted = ingest(shanben, *deposits)
    with WebServer(folder, shanben.environment | NO_LOCAL_WORKER, processes=1) as server:
        yield Library(server.address, book, scroll, restricted, shanben)


def ingest(shanben: Shanben, *deposits: Path) -> list[str]:
    """Ingest deposits, and return the identifiers of their works."""
    done = shanben.run_json("ingest", *deposits)
    assert done.code == 0, done.errors + done.output
    return [str(work["identifier"]) for work in done.document["works"]]


@pytest.fixture
def visit(browser: Browser, library: Any) -> Iterator[Visitor]:
    """Opens visits; at the end, none may have console errors or requests to another host."""
    visits: list[Visit] = []

    def open_visit(**options: Any) -> Visit:
        context = browser.new_context(**{"locale": "zh-CN", "viewport": {"width": 1280, "height": 800}, **options})
        page = context.new_page()
        opened = Visit(page, context, library.address)
        page.on("request", lambda request: opened.requests.append(request.url))
        page.on("response", lambda response: opened.statuses.__setitem__(response.url, response.status))
        page.on("console", lambda line: opened.errors.append(line.text) if line.type == "error" else None)
        page.on("pageerror", lambda fault: opened.errors.append(str(fault)))
        visits.append(opened)
        return opened

    yield open_visit
    for opened in visits:
        opened.context.close()
        assert opened.errors == []
        hosts = {urlsplit(url).netloc for url in opened.requests if not url.startswith(("blob:", "data:"))}
        assert hosts <= {urlsplit(library.address).netloc}
