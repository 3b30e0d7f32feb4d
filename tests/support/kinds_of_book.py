"""Deposits of every kind of book, small and drawn by a program, and the works that they make.

The linter, iiif-prezi3, the schema, the converter to Presentation 2.1 and the viewers are tested with the same ones.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Final

import pyvips
from noise import noise
from silent_progress import SilentProgress

from repository.model.work import Pyramid, Work
from workers.deposit.check import check
from workers.deposit.checksums import ReadChecksums, read_checksums
from workers.deposit.record import ReadRecord, read_record
from workers.masters.examine import Examined
from workers.text.read import ReadText, read_text

PAGE: Final = (600, 800)
OPENING: Final = (1200, 800)
SECTION: Final = (2400, 400)


@dataclass(frozen=True)
class KindOfBook:
    """A kind of book: the pictures of its deposit by name, with their sizes in pixels, and its record without title.

    `texts` are the files of text of its deposit by name.
    """

    title: str
    pictures: Mapping[str, tuple[int, int]]
    record: str = ""
    texts: Mapping[str, str] = field(default_factory=dict)


def numbered(first: int, last: int, size: tuple[int, int] = PAGE) -> dict[str, tuple[int, int]]:
    return {f"{number:04d}.jpg": size for number in range(first, last + 1)}


KINDS: Final[Mapping[str, KindOfBook]] = {
    "odd start": KindOfBook("單葉起", numbered(1, 3)),
    "even start": KindOfBook(
        "對開起", numbered(1, 4), '[[page]]\nfile = "0000"\nlabel = "前護葉"\nmissing = true\nblank = true\n'
    ),
    "openings": KindOfBook("攤開拍攝", numbered(1, 2, OPENING)),
    "fold-out": KindOfBook(
        "摺葉圖",
        {**numbered(1, 2), "0003.jpg": (1800, 800), **numbered(4, 5)},
        '[[page]]\nfile = "0003"\nlabel = "疆域圖"\nbehavior = "non-paged"\n',
    ),
    "missing leaf": KindOfBook(
        "缺葉本", {**numbered(1, 1), **numbered(3, 4)}, '[[page]]\nfile = "0002"\nlabel = "葉二"\nmissing = true\n'
    ),
    "misplaced leaves": KindOfBook(
        "錯簡本",
        numbered(1, 4),
        '[[range]]\nlabel = "卷一"\npages = "0001-0004"\n'
        '[[range]]\nlabel = "復原次序"\npages = "0001,0003,0002,0004"\nsequence = true\n',
    ),
    "bound together": KindOfBook(
        "孟子等二種合訂",
        numbered(1, 4),
        '[[range]]\nlabel = "孟子"\n[[range]]\nlabel = "梁惠王"\nparent = "孟子"\npages = "0001-0002"\n'
        '[[range]]\nlabel = "荀子"\n[[range]]\nlabel = "勸學"\nparent = "荀子"\npages = "0003-0004"\n',
    ),
    "scroll": KindOfBook("長卷", numbered(1, 2, SECTION), 'behavior = "continuous"\n'),
    "rubbing": KindOfBook(
        "碑拓",
        {"0001.jpg": (800, 1200), "0001_ir.jpg": (800, 1200), "0002.jpg": (800, 1200)},
        'behavior = "individuals"\n'
        '[[page]]\nfile = "0001"\nlabel = "碑陽"\npicture = "彩色"\n'
        '[[page]]\nfile = "0001_ir"\nof = "0001"\npicture = "紅外"\n'
        '[[page]]\nfile = "0002"\nlabel = "碑陰"\n',
    ),
    "several volumes": KindOfBook(
        "二冊本", {f"{folder}/{name}": size for folder in ("上冊", "下冊") for name, size in numbered(1, 2).items()}
    ),
    "restricted": KindOfBook(
        "限閱本", numbered(1, 2), 'access = "restricted"\n', {"0001.txt": "天地玄黃\n", "0002.txt": "宇宙洪荒\n"}
    ),
    "reduced": KindOfBook("限尺寸本", numbered(1, 2), 'access = "reduced"\nmax_size = 300\n'),
    "with text": KindOfBook(
        "有錄文本",
        numbered(1, 2),
        '[[text]]\nfiles = "text/ocr"\nkind = "ocr"\nsource = "rapidocr 3.9"\nquality = 0.93\n',
        {"0001.txt": "天地玄黃\n宇宙洪荒\n", "0002.txt": "日月盈昃\n", "ocr/0001.txt": "大地玄黃\n"},
    ),
}


def write_deposit(kind: str, folder: Path) -> Path:
    """Write the deposit of a kind of book into a new folder below `folder`."""
    book, deposit = KINDS[kind], folder / kind.replace(" ", "-")
    for number, (name, size) in enumerate(book.pictures.items(), start=1):
        file = deposit / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(picture(f"{kind} {number}", size))
    for name, text in book.texts.items():
        file = deposit / "text" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    described = f'title = "{book.title}"\nidentifier = "{kind}"\nlanguage = ["lzh"]\ndate = "1590"\n'
    rights = 'rights = "http://creativecommons.org/publicdomain/mark/1.0/"\n'
    (deposit / "work.toml").write_text(described + rights + book.record, "utf-8")
    return deposit


@lru_cache(maxsize=128)
def picture(name: str, size: tuple[int, int]) -> bytes:
    """Return a JPEG of paper with columns, the number of the page, and a colour that the name decides."""
    seed = hashlib.sha256(name.encode()).digest()
    width, height = size
    paper = noise(width, height, mean=100, sigma=4, seed=seed[0])
    page = paper.linear([1, 1, 1], [100 + seed[1] % 40, 90 + seed[2] % 40, 70]).cast("uchar")
    page = page.copy(interpretation="srgb").copy_memory()
    for left in range(40, width - 30, 60):
        page = page.draw_line([120, 60, 40], left, 40, left, height - 40)
    mark = pyvips.Image.text(name.rpartition(" ")[2], dpi=600).embed(80, 80, width, height)
    return bytes(mark.ifthenelse([30, 25, 20], page, blend=True).cast("uchar").jpegsave_buffer(Q=85))


class _Examiner:
    """An examiner of deposits that reads the sizes of pictures and makes no pyramids."""

    concurrency = 1

    def read_record(self, content: bytes) -> ReadRecord:
        return read_record(content)

    def read_checksums(self, content: bytes, manifest: str) -> ReadChecksums:
        return read_checksums(content, manifest)

    def read_text(self, content: bytes, name: str) -> ReadText:
        return read_text(content, name)

    def __call__(self, path: Path, pyramid: Path | None, algorithms: frozenset[str] = frozenset()) -> Examined:
        content = path.read_bytes()
        digest, image = hashlib.sha256(content).hexdigest(), pyvips.Image.new_from_buffer(content, "")
        return Examined(digest, len(content), "image/jpeg", image.width, image.height, digest, None)

    def is_blank(self, path: Path) -> bool:
        return False


def work_of(kind: str, folder: Path) -> Work:
    """Return the work that the deposit of a kind of book makes."""
    checked = check(write_deposit(kind, folder), _Examiner(), SilentProgress())
    assert checked.faults == ()
    assert checked.work is not None
    return checked.work


def pyramids_of(work: Work) -> dict[str, Pyramid]:
    """Return pyramids for the images of a work, by image identifier."""
    return {image.identifier: Pyramid("key", "0" * 64, 1, 512) for image in work.images()}
