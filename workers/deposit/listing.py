"""Lists a deposit folder by names and file types; nothing is decoded.

::

    my-book/
      work.toml
      0001.tif ...              or one folder per volume: volume-1/0001.tif
      text/0001.xml ...         the text of pages (`page_texts.py`), in folders or not; *.json is preserved unread
      SHA256SUMS ...            checksum manifests (`checksums.py`), here or beside the images of a volume

Files that operating systems leave behind are ignored. Every other file is a fault: an unexpected file would be lost, or
preserved without a known meaning.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from repository.errors import MasterUnsupported
from repository.faults import Fault
from repository.localized import LocalizedText
from workers.deposit.checksums import MAX_BYTES as MAX_MANIFEST_BYTES
from workers.deposit.checksums import checksum_algorithm
from workers.deposit.naming import name_problem, natural_key
from workers.deposit.ordering import tokens
from workers.deposit.record_reader import RECORD_FILE
from workers.deposit.unexpected import NESTED_DEPOSIT, advice_for_file, advice_for_folder, is_left_behind
from workers.masters import formats
from workers.text.source import MAX_BYTES as MAX_TEXT_BYTES
from workers.text.statement import TEXT_FOLDER

_TEXT_SUFFIXES: Final = (".xml", ".html", ".htm", ".hocr", ".txt", ".json")
_TEXT_LEVELS: Final = 4
"""How deep folders may be nested below the folder of texts."""

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
        """The file name without folder and suffix, and without a space before the suffix."""
        return self.path.stem.strip()

    @property
    def key(self) -> str:
        """The key of the page: ``volume-1/0001``."""
        return f"{self.volume}/{self.stem}" if self.volume else self.stem


@dataclass(frozen=True, slots=True)
class Listing:
    """Image files, files that are preserved unread by their path within the deposit, and faults.

    `ignored` are the paths of files and folders that operating systems and network drives leave behind.
    """

    pages: tuple[PageFile, ...]
    documents: dict[str, Path]
    faults: tuple[Fault, ...]
    ignored: tuple[str, ...] = ()


def list_deposit(folder: Path) -> Listing:
    """List the folder. Everything that cannot be part of a deposit is a fault and is not read.

    `Fault.file` of a fault of the folder itself is the path of the folder.
    """
    found = _Found()
    top = _entries(folder, "", found)
    if top is None:
        return Listing((), {}, tuple(found.faults))
    if any(entry.name == RECORD_FILE for entry in top):
        found.documents[RECORD_FILE] = folder / RECORD_FILE
    elif not any(_is_deposit(entry) for entry in top):
        found.faults.append(
            _fault(RECORD_FILE, "record.absent", "缺少 work.toml；请补上著录文件", "work.toml is missing; add it")
        )
    for entry in top:
        _list_entry(entry, found)
    pages = sorted(found.pages, key=lambda page: (natural_key(page.volume), natural_key(page.stem), page.name))
    faults = [*found.faults, *_collisions(pages)]
    if not pages and all(fault.file in {RECORD_FILE, *OTHER_RECORDS} for fault in faults):
        faults.append(_empty(str(folder)))
    return Listing(tuple(pages), found.documents, tuple(faults), tuple(map(printable, found.ignored)))


def _list_entry(entry: os.DirEntry[str], found: _Found) -> None:
    if entry.is_dir(follow_symlinks=False):
        _list_folder(entry, found)
    elif entry.name in OTHER_RECORDS:
        zh = "尚不支持此种著录文件；请把各项抄入 work.toml，再移走此文件"
        en = "records of this format are not supported yet; copy its values into work.toml and remove this file"
        found.faults.append(_fault(entry.name, "record.form", zh, en))
    elif entry.name != RECORD_FILE:
        _list_page(entry, "", found)


@dataclass(slots=True)
class _Found:
    """What was found so far: pages, documents by their path within the deposit, faults and ignored paths."""

    pages: list[PageFile] = field(default_factory=list)
    documents: dict[str, Path] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)


def _is_deposit(entry: os.DirEntry[str]) -> bool:
    return entry.is_dir(follow_symlinks=False) and Path(entry.path, RECORD_FILE).is_file()


def _empty(name: str) -> Fault:
    return _fault(name, "deposit.empty", "文件夹中没有图像；请放入图像", "the folder contains no images; add them")


def _fault(file: str, code: str, zh: str, en: str) -> Fault:
    return Fault(printable(file), "", code, LocalizedText(zh, en))


def printable(name: str) -> str:
    """Return a file name for output; bytes that are not UTF-8 become escape sequences."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _entries(folder: Path, prefix: str, found: _Found) -> list[os.DirEntry[str]] | None:
    """Return the regular files and folders in a folder, sorted by name. Every other entry is ignored or a fault.

    Returns None, with a fault, for a folder that cannot be read.
    """
    try:
        with os.scandir(folder) as scan:
            entries = sorted(scan, key=lambda entry: entry.name)
        found.ignored += [prefix + entry.name for entry in entries if is_left_behind(entry.name)]
        entries = [entry for entry in entries if not is_left_behind(entry.name)]
        return [entry for entry in entries if _is_plain(entry, prefix + entry.name, found.faults)]
    except OSError as fault:
        found.faults.append(_unreadable(folder, prefix, fault))
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


def _list_folder(entry: os.DirEntry[str], found: _Found) -> None:
    """Add the pages of a volume, or the texts."""
    if _is_deposit(entry):
        found.faults.append(Fault(printable(entry.name), "", "deposit.nested", NESTED_DEPOSIT))
        return
    files = _entries(Path(entry.path), entry.name + "/", found)
    if files is None:
        return
    if entry.name == TEXT_FOLDER:
        _list_texts(TEXT_FOLDER, files, found)
        return
    for file in files:
        if file.is_dir(follow_symlinks=False):
            name = f"{entry.name}/{file.name}"
            found.faults.append(Fault(printable(name), "", "file.unexpected", advice_for_folder(printable(name))))
        else:
            _list_page(file, entry.name, found)
    if not files:
        found.faults.append(_empty(entry.name))


def _list_texts(folder: str, files: Sequence[os.DirEntry[str]], found: _Found) -> None:
    for file in files:
        name = f"{folder}/{file.name}"
        if file.is_dir(follow_symlinks=False) and name.count("/") < _TEXT_LEVELS:
            _list_texts(name, _entries(Path(file.path), f"{name}/", found) or (), found)
        elif not file.is_file(follow_symlinks=False) or not file.name.lower().endswith(_TEXT_SUFFIXES):
            found.faults.append(_unexpected(name))
        else:
            _add_document(file, name, MAX_TEXT_BYTES, "text.size", found)


def _add_document(entry: os.DirEntry[str], name: str, limit: int, code: str, found: _Found) -> None:
    """Add a file that is preserved unread, or the fault `code` if it has more than `limit` bytes."""
    if entry.stat(follow_symlinks=False).st_size > limit:
        most = f"{limit >> 20} MiB"
        zh, en = f"文件超过 {most}；请拆分或精简", f"the file is larger than {most}; split or shorten it"
        found.faults.append(_fault(name, code, zh, en))
    else:
        found.documents[name] = Path(entry.path)


def _list_page(entry: os.DirEntry[str], volume: str, found: _Found) -> None:
    """Add the page or checksum manifest that a file is, or a fault for a file that is no image by suffix or content.

    An empty file is a fault and still a page, so that its number is not reported as missing.
    """
    name = f"{volume}/{entry.name}" if volume else entry.name
    if checksum_algorithm(name):
        _add_document(entry, name, MAX_MANIFEST_BYTES, "checksum.size", found)
        return
    path = Path(entry.path)
    size = entry.stat(follow_symlinks=False).st_size
    if not formats.is_image_suffix(path.suffix) and not _shows_image(path):
        found.faults.append(_unexpected(name))
        return
    if size == 0:
        found.faults.append(
            _fault(name, "master.empty", "文件为空；请重新扫描或导出", "the file is empty; scan or export it again")
        )
    found.pages.append(PageFile(name, volume, path, size))


def _shows_image(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            formats.sniff(file.read(formats.HEAD))
    except (OSError, MasterUnsupported):
        return False
    return True


def _unexpected(name: str) -> Fault:
    return Fault(printable(name), "", "file.unexpected", advice_for_file(name))


def _collisions(pages: Sequence[PageFile]) -> list[Fault]:
    """Find files for the same page, and images both in the folder itself and in folders of volumes."""
    faults = []
    first_files: dict[object, PageFile] = {}
    for page in pages:
        # 1, 0001 and 一 are the same page; so are a and A, which some file systems do not distinguish.
        first = first_files.setdefault((page.volume.casefold(), tokens(page.stem.casefold())), page)
        if first is not page:
            zh, en = f"与 {first.name} 是同一页；请只留一个", f"this is the same page as {first.name}; keep one of them"
            faults.append(_fault(page.name, "page.twice", zh, en))
    loose = [page for page in pages if not page.volume]
    if loose and any(page.volume for page in pages):
        zh = "图像既在送存目录内，又在各册文件夹内；请都放入各册文件夹"
        en = "there are images both here and in folders of volumes; move them all into folders of volumes"
        faults.append(_fault(loose[0].name, "deposit.mixed", zh, en))
    return faults
