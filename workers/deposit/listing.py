"""Lists a deposit folder by names and file types; nothing is decoded.

::

    my-book/
      work.toml
      0001.tif ...              or one folder per volume: volume-1/0001.tif
      text/*.json               text with coordinates, preserved unread

Every other file is a fault: an unexpected file would be lost, or preserved without a known meaning.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from repository.errors import MasterUnsupported
from repository.faults import Fault
from repository.localized import LocalizedText
from workers.deposit.naming import name_problem, natural_key
from workers.deposit.record import RECORD_FILE
from workers.masters import formats

TEXT_FOLDER: Final = "text"
MAX_TEXT_BYTES: Final = 16 << 20
"""The largest file of text with coordinates, in bytes; that of a dense newspaper page has about 2 MB."""

OTHER_RECORDS: Final = ("work.csv", "mets.xml")


@dataclass(frozen=True, slots=True)
class PageFile:
    """An image file of a deposit.

    `name` is its path within the deposit (``volume-1/0001.tif``), `volume` the folder of its volume ('' for none),
    `size` its length in bytes.
    """

    name: str
    volume: str
    path: Path
    size: int

    @property
    def stem(self) -> str:
        """The file name without folder and suffix."""
        return self.path.stem

    @property
    def key(self) -> str:
        """The key of the page: ``volume-1/0001``."""
        return f"{self.volume}/{self.stem}" if self.volume else self.stem


@dataclass(frozen=True, slots=True)
class Listing:
    """Image files in reading order, files that are preserved unread by their path within the deposit, and faults."""

    pages: tuple[PageFile, ...]
    documents: dict[str, Path]
    faults: tuple[Fault, ...]


def list_deposit(folder: Path) -> Listing:
    """List the folder. Everything that cannot be part of a deposit is a fault and is not read.

    `Fault.file` of a fault of the folder itself is the path of the folder.
    """
    faults: list[Fault] = []
    top = _entries(folder, "", faults)
    if top is None:
        return Listing((), {}, tuple(faults))
    documents = {RECORD_FILE: folder / RECORD_FILE} if any(entry.name == RECORD_FILE for entry in top) else {}
    if not documents:
        faults.append(
            _fault(RECORD_FILE, "record.absent", "缺少 work.toml；请补上著录文件", "work.toml is missing; add it")
        )
    pages: list[PageFile] = []
    for entry in top:
        if entry.is_dir(follow_symlinks=False):
            pages += _list_folder(entry, documents, faults)
        elif entry.name in OTHER_RECORDS:
            zh = "尚不支持此种著录文件；请改用 work.toml"
            en = "records of this format are not supported yet; use work.toml"
            faults.append(_fault(entry.name, "record.form", zh, en))
        elif entry.name != RECORD_FILE:
            pages += _list_page(entry, "", faults)
    pages.sort(key=lambda page: (natural_key(page.volume), natural_key(page.stem), page.name))
    faults += _collisions(pages)
    if not pages and all(fault.file in {RECORD_FILE, *OTHER_RECORDS} for fault in faults):
        faults.append(
            _fault(
                str(folder), "deposit.empty", "文件夹中没有图像；请放入图像", "the folder contains no images; add them"
            )
        )
    return Listing(tuple(pages), documents, tuple(faults))


def _fault(file: str, code: str, zh: str, en: str) -> Fault:
    return Fault(printable(file), "", code, LocalizedText(zh, en))


def printable(name: str) -> str:
    """Return a file name for output; bytes that are not UTF-8 become escape sequences."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _entries(folder: Path, prefix: str, faults: list[Fault]) -> list[os.DirEntry[str]] | None:
    """Return the regular files and folders in a folder, sorted by name. Every other entry is a fault.

    Returns None, with a fault, for a folder that cannot be read.
    """
    try:
        with os.scandir(folder) as scan:
            entries = sorted(scan, key=lambda entry: entry.name)
        return [entry for entry in entries if _is_plain(entry, prefix + entry.name, faults)]
    except OSError as fault:
        faults.append(_unreadable(folder, prefix, fault))
        return None


def _unreadable(folder: Path, prefix: str, fault: OSError) -> Fault:
    name = prefix or str(folder)
    if isinstance(fault, (FileNotFoundError, NotADirectoryError)) and not folder.is_dir():
        return _fault(name, "deposit.absent", "没有这个文件夹；请核对路径", "there is no such folder; check the path")
    zh, en = f"无法读取文件夹：{fault.strerror}", f"the folder cannot be read: {fault.strerror}"
    return _fault(name, "file.unreadable", zh, en)


def _is_plain(entry: os.DirEntry[str], name: str, faults: list[Fault]) -> bool:
    if problem := name_problem(entry.name):
        faults.append(_fault(name, "file.name", f"{problem.zh}；请改名", f"{problem.en}; rename it"))
        # The content of a file with a printable name is still checked.
        return name.isprintable()
    mode = entry.stat(follow_symlinks=False).st_mode
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        return True
    zh, en = ("符号链接", "a symbolic link") if stat.S_ISLNK(mode) else ("特殊文件", "a special file")
    faults.append(_fault(name, "file.kind", f"这是{zh}；请换成普通文件", f"this is {en}; use a regular file"))
    return False


def _list_folder(entry: os.DirEntry[str], documents: dict[str, Path], faults: list[Fault]) -> list[PageFile]:
    """Return the pages of a volume, or add the texts to `documents`."""
    files = _entries(Path(entry.path), entry.name + "/", faults)
    if files is None:
        return []
    if entry.name == TEXT_FOLDER:
        _list_texts(files, documents, faults)
        return []
    pages: list[PageFile] = []
    for file in files:
        if file.is_dir(follow_symlinks=False):
            faults.append(_unexpected(f"{entry.name}/{file.name}"))
        else:
            pages += _list_page(file, entry.name, faults)
    if not files:
        faults.append(
            _fault(
                entry.name, "deposit.empty", "文件夹中没有图像；请放入图像", "the folder contains no images; add them"
            )
        )
    return pages


def _list_texts(files: Sequence[os.DirEntry[str]], documents: dict[str, Path], faults: list[Fault]) -> None:
    for file in files:
        name = f"{TEXT_FOLDER}/{file.name}"
        if not file.is_file(follow_symlinks=False) or not file.name.endswith(".json"):
            faults.append(_unexpected(name))
        elif file.stat(follow_symlinks=False).st_size > MAX_TEXT_BYTES:
            limit = f"{MAX_TEXT_BYTES >> 20} MiB"
            zh, en = f"文件超过 {limit}；请拆分或精简", f"the file is larger than {limit}; split or shorten it"
            faults.append(_fault(name, "text.size", zh, en))
        else:
            documents[name] = Path(file.path)


def _list_page(entry: os.DirEntry[str], volume: str, faults: list[Fault]) -> list[PageFile]:
    """Return the page that a file is, or nothing and a fault for a file that is no image by suffix or content.

    An empty file is a fault and still a page, so that its number is not reported as missing.
    """
    name = f"{volume}/{entry.name}" if volume else entry.name
    path = Path(entry.path)
    size = entry.stat(follow_symlinks=False).st_size
    if not formats.is_image_suffix(path.suffix) and not _shows_image(path):
        faults.append(_unexpected(name))
        return []
    if size == 0:
        faults.append(
            _fault(name, "master.empty", "文件为空；请重新扫描或导出", "the file is empty; scan or export it again")
        )
    return [PageFile(name, volume, path, size)]


def _shows_image(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            formats.sniff(file.read(formats.HEAD))
    except (OSError, MasterUnsupported):
        return False
    return True


def _unexpected(name: str) -> Fault:
    return _fault(
        name,
        "file.unexpected",
        "不属于送存内容；请移出文件夹",
        "this file is not part of a deposit; remove it from the folder",
    )


def _collisions(pages: Sequence[PageFile]) -> list[Fault]:
    """Find files for the same page, and images both in the folder itself and in folders of volumes."""
    faults = []
    first_files: dict[object, PageFile] = {}
    for page in pages:
        # 1 and 0001 are the same page; so are a and A, which some file systems do not distinguish.
        first = first_files.setdefault((page.volume.casefold(), natural_key(page.stem.casefold())), page)
        if first is not page:
            zh, en = f"与 {first.name} 是同一页；请只留一个", f"this is the same page as {first.name}; keep one of them"
            faults.append(_fault(page.name, "page.twice", zh, en))
    loose = [page for page in pages if not page.volume]
    if loose and any(page.volume for page in pages):
        zh = "图像既在送存目录内，又在各册文件夹内；请都放入各册文件夹"
        en = "there are images both here and in folders of volumes; move them all into folders of volumes"
        faults.append(_fault(loose[0].name, "deposit.mixed", zh, en))
    return faults
