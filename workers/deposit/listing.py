"""What lies in a deposit folder, by name and kind alone: nothing is decoded here.

::

    my-book/
      work.toml
      0001.tif ...              or folders of them, one a volume: volume-1/0001.tif
      text/*.json               text with known coordinates, kept as it is

Anything else is a fault: what nobody expected would be lost, or kept without anyone knowing what it is.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from repository.errors import Fault, MasterUnsupported
from repository.localized import LocalizedText
from workers.deposit.naming import name_fault, natural_key
from workers.deposit.record import RECORD_FILE
from workers.masters import formats

TEXT_FOLDER: Final = "text"
OTHER_RECORDS: Final = ("work.csv", "mets.xml")


@dataclass(frozen=True, slots=True)
class PageFile:
    """A picture in the deposit: its path within it (``volume-1/0001.tif``), its volume's folder ('' for none)."""

    name: str
    volume: str
    path: Path
    size: int

    @property
    def stem(self) -> str:
        """Its name without folder and suffix."""
        return self.path.stem

    @property
    def key(self) -> str:
        """The page it shows: ``volume-1/0001``."""
        return f"{self.volume}/{self.stem}" if self.volume else self.stem


@dataclass(frozen=True, slots=True)
class Listing:
    """Pictures in reading order, files kept as they are (path within the deposit -> file), and faults."""

    pages: tuple[PageFile, ...]
    kept: dict[str, Path]
    faults: tuple[Fault, ...]


def list_deposit(folder: Path) -> Listing:
    """What is in the folder; whatever cannot be part of a deposit is a fault, and is left alone.

    A fault of the folder itself bears its path: it has no name within.
    """
    faults: list[Fault] = []
    top = _entries(folder, "", faults)
    if top is None:
        return Listing((), {}, tuple(faults))
    kept = {RECORD_FILE: folder / RECORD_FILE} if any(entry.name == RECORD_FILE for entry in top) else {}
    if not kept:
        faults.append(
            _fault(RECORD_FILE, "record.absent", "缺少 work.toml；请加上著作说明", "work.toml is missing; add it")
        )
    pages: list[PageFile] = []
    for entry in top:
        if entry.is_dir(follow_symlinks=False):
            pages += _read_folder(entry, kept, faults)
        elif entry.name in OTHER_RECORDS:
            zh = "尚不支持此种著录文件；请改用 work.toml"
            faults.append(_fault(entry.name, "record.form", zh, "this form of record is not taken yet; use work.toml"))
        elif entry.name != RECORD_FILE:
            pages += _read_page(entry, "", faults)
    pages.sort(key=lambda page: (natural_key(page.volume), natural_key(page.stem), page.name))
    faults += _collisions(pages)
    if not pages and all(fault.file in {RECORD_FILE, *OTHER_RECORDS} for fault in faults):
        faults.append(_fault(str(folder), "deposit.empty", "没有图像", "there are no images"))
    return Listing(tuple(pages), kept, tuple(faults))


def _fault(file: str, code: str, zh: str, en: str) -> Fault:
    return Fault(printable(file), "", code, LocalizedText(zh, en))


def printable(name: str) -> str:
    """A file name fit for output, bytes that are no UTF-8 shown as escapes."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _entries(folder: Path, within: str, faults: list[Fault]) -> list[os.DirEntry[str]] | None:
    """The regular files and folders in a folder, in order of name; each other thing is a fault.

    None, and a fault, for a folder that cannot be read: nothing more is known of it.
    """
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
        return [entry for entry in entries if _is_plain(entry, within + entry.name, faults)]
    except OSError as fault:
        faults.append(_unreadable(folder, within, fault))
        return None


def _unreadable(folder: Path, within: str, fault: OSError) -> Fault:
    name = within or str(folder)
    if isinstance(fault, (FileNotFoundError, NotADirectoryError)) and not folder.is_dir():
        return _fault(name, "deposit.absent", "没有这个文件夹", "there is no such folder")
    zh, en = f"无法读取文件夹：{fault.strerror}", f"the folder cannot be read: {fault.strerror}"
    return _fault(name, "file.unreadable", zh, en)


def _is_plain(entry: os.DirEntry[str], name: str, faults: list[Fault]) -> bool:
    if wrong := name_fault(entry.name):
        faults.append(Fault(printable(name), "", "file.name", wrong))
        # A name that can at least be written down need not hide what the file holds.
        return name.isprintable()
    mode = entry.stat(follow_symlinks=False).st_mode
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        return True
    what = (
        LocalizedText("符号链接", "a symbolic link")
        if stat.S_ISLNK(mode)
        else LocalizedText("特殊文件", "a special file")
    )
    faults.append(_fault(name, "file.kind", f"这是{what.zh}；请换成普通文件", f"this is {what.en}; use a plain file"))
    return False


def _read_folder(entry: os.DirEntry[str], kept: dict[str, Path], faults: list[Fault]) -> list[PageFile]:
    """A volume's pages, or the texts."""
    inside = _entries(Path(entry.path), entry.name + "/", faults)
    if inside is None:
        return []
    if entry.name == TEXT_FOLDER:
        for file in inside:
            name = f"{entry.name}/{file.name}"
            if file.is_file(follow_symlinks=False) and file.name.endswith(".json"):
                kept[name] = Path(file.path)
            else:
                faults.append(_unexpected(name))
        return []
    pages: list[PageFile] = []
    for file in inside:
        if file.is_dir(follow_symlinks=False):
            faults.append(_unexpected(f"{entry.name}/{file.name}"))
        else:
            pages += _read_page(file, entry.name, faults)
    if not inside:
        faults.append(_fault(entry.name, "deposit.empty", "文件夹中没有图像", "the folder holds no images"))
    return pages


def _read_page(entry: os.DirEntry[str], volume: str, faults: list[Fault]) -> list[PageFile]:
    """The picture that a file is meant to be; none, and a fault, when it is meant to be nothing we know.

    An empty file is a fault and still a page: its number is not skipped.
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
        "this has no place in a deposit; take it out of the folder",
    )


def _collisions(pages: Sequence[PageFile]) -> list[Fault]:
    """Two files for one page, and pictures both in the folder itself and in folders of volumes."""
    faults = []
    seen: dict[object, PageFile] = {}
    for page in pages:
        # 1 and 0001 are one page; so are a and A, which some file systems cannot tell apart.
        first = seen.setdefault((page.volume.casefold(), natural_key(page.stem.casefold())), page)
        if first is not page:
            zh, en = f"与 {first.name} 是同一页；请只留一个", f"it is the same page as {first.name}; keep one of them"
            faults.append(_fault(page.name, "page.twice", zh, en))
    loose = [page for page in pages if not page.volume]
    if loose and any(page.volume for page in pages):
        zh = "图像既在文件夹内又在册文件夹内；请都放入册文件夹"
        en = "there are images both here and in folders of volumes; put them all in volumes"
        faults.append(_fault(loose[0].name, "deposit.mixed", zh, en))
    return faults
