"""Opens a bag: a folder, a ZIP or a TAR file. Nothing of it is used before every file of it has been verified.

The library `bagit` of the Library of Congress verifies BagIt 0.93 to 1.0. What it lets pass is checked here: white
space in the declaration (RFC 8493, section 2.1.1), and paths that a manifest of BagIt 1.0 encodes (2.1.3). Nothing is
fetched: a bag whose ``fetch.txt`` names a file that it lacks is incomplete.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import bagit

from repository.faults import Fault
from repository.localized import LocalizedText
from repository.printable import printable
from workers.exchange.bag_faults import BagRefused
from workers.exchange.bag_tags import DECLARATION_FILE
from workers.exchange.contents import PAYLOAD
from workers.exchange.unpack import MOST_ENTRIES, unpack
from workers.execution.scratch import scratch_directory

_VERSIONS: Final = ("0.93", "0.94", "0.95", "0.96", "0.97", "1.0")
_STRICT_DECLARATION: Final = re.compile(
    rb"BagIt-Version: [0-9]+\.[0-9]+\r?\nTag-File-Character-Encoding: [!-~]+(\r?\n)*"
)
_LARGEST_DECLARATION: Final = 4096
_MOST_FAULTS: Final = 1000


@dataclass(frozen=True, slots=True)
class VerifiedBag:
    """A bag of which every file has the digest that its manifests state. `payload` is the folder of the deposit."""

    root: Path
    payload: Path


@contextmanager
def opened_bag(path: Path, staging: Path) -> Iterator[VerifiedBag]:
    """Yield the verified bag in a folder or an archive, which is unpacked below `staging` until the end.

    Raises `BagRefused`, `StagingFault`.
    """
    if path.is_dir():
        yield verify_bag(path, path)
    else:
        with scratch_directory(staging) as scratch:
            folder = scratch / "bag"
            folder.mkdir()
            unpack(path, folder)
            yield verify_bag(path, _root(path, folder))


def verify_bag(path: Path, root: Path) -> VerifiedBag:
    """Verify the bag in the folder `root`, which came from `path`. Raises `BagRefused`."""
    _check_files(path, root)
    _check_declaration(path, root)
    bagit.LOGGER.disabled = True  # its errors have everything that it would log
    try:
        bag = bagit.Bag(str(root))
        if bag.version_info >= (1, 0):
            _decode_percent(root, bag)
        bag.validate()
    except bagit.BagValidationError as fault:
        raise BagRefused(path, _faults(fault)) from fault
    except (bagit.BagError, OSError, ValueError, LookupError) as fault:
        raise BagRefused.because(path, _reason(str(fault))) from fault
    finally:
        bagit.LOGGER.disabled = False
    return VerifiedBag(root, root / PAYLOAD)


def _root(path: Path, folder: Path) -> Path:
    """Return the folder of the bag: the only one in the archive, or the archive itself."""
    if (folder / DECLARATION_FILE).is_file():
        return folder
    entries = list(folder.iterdir())
    if len(entries) == 1 and (entries[0] / DECLARATION_FILE).is_file():
        return entries[0]
    raise BagRefused.because(path, _NO_BAG)


def _check_files(path: Path, root: Path) -> None:
    """Raise `BagRefused` for anything but regular files and folders, which could be those of somebody else."""
    count = 0
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            count += 1
            entry = Path(folder, name)
            mode = entry.lstat().st_mode
            if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
                raise BagRefused.because(path, _LINK, str(entry.relative_to(root)))
            if count > MOST_ENTRIES:
                raise BagRefused.because(path, _TOO_MANY)


def _check_declaration(path: Path, root: Path) -> None:
    try:
        with (root / DECLARATION_FILE).open("rb") as file:
            declaration = file.read(_LARGEST_DECLARATION)
    except OSError as fault:
        raise BagRefused.because(path, _NO_BAG) from fault
    version = re.match(rb"BagIt-Version\s*:\s*([0-9.]+)", declaration)
    if version is None or version[1].decode() not in _VERSIONS:
        raise BagRefused.because(path, _VERSION, DECLARATION_FILE)
    if version[1] == b"1.0" and not _STRICT_DECLARATION.fullmatch(declaration):
        raise BagRefused.because(path, _DECLARATION, DECLARATION_FILE)
    encoding = re.search(rb"Tag-File-Character-Encoding\s*:\s*([!-~]+)", declaration)
    try:
        " ".encode(encoding[1].decode() if encoding else "utf-8")
    except LookupError as fault:  # a codec such as zlib's would decompress every tag file
        raise BagRefused.because(path, _ENCODING, DECLARATION_FILE) from fault


def _decode_percent(root: Path, bag: bagit.Bag) -> None:
    """Give the entries of encoded paths the names of their files: `bagit` does not decode ``%25``.

    A path is taken as it is if a file has that name: older programs encode nothing.
    """
    for encoded in [path for path in bag.entries if "%25" in path]:
        decoded = encoded.replace("%25", "%")
        if not (root / encoded).exists() and (root / decoded).is_file():
            bag.entries[decoded] = bag.entries.pop(encoded)


def _faults(fault: bagit.BagValidationError) -> list[Fault]:
    details = list(fault.details or ())[:_MOST_FAULTS]
    return [_fault(detail) for detail in details] or [Fault("", "", "bag.invalid", _reason(str(fault)))]


def _fault(detail: Any) -> Fault:
    for kind, (code, text) in _DETAILS.items():
        if isinstance(detail, kind):
            return Fault(printable(str(detail.path)), "", code, text)
    return Fault("", "", "bag.invalid", _reason(str(detail)))


def _reason(text: str) -> LocalizedText:
    shown = text[:500]
    return LocalizedText(f"不合 BagIt 规范（{shown}）", f"it is not a valid bag ({shown})")


_DETAILS: Final = {
    bagit.ChecksumMismatch: (
        "bag.digest",
        LocalizedText("内容与清单所载的摘要不符", "its bytes do not match the digest in the manifest"),
    ),
    bagit.FileMissing: (
        "bag.missing",
        LocalizedText(
            "清单载有此文件而包中没有；本程序不从网上取文件，请先补全",
            "the manifest names this file and the bag lacks it; nothing is fetched: complete the bag first",
        ),
    ),
    bagit.UnexpectedFile: (
        "bag.unexpected",
        LocalizedText("包中有此文件而清单未载", "the bag has this file and no manifest names it"),
    ),
}
_NO_BAG: Final = LocalizedText("其中没有 bagit.txt，不是 BagIt 包", "it has no bagit.txt: it is no bag")
_LINK: Final = LocalizedText("是链接或特殊文件", "this is a link or a special file")
_TOO_MANY: Final = LocalizedText(f"文件多于 {MOST_ENTRIES} 个", f"it has more than {MOST_ENTRIES} files")
_VERSION: Final = LocalizedText(
    f"版本不明；可收 BagIt {_VERSIONS[0]} 至 {_VERSIONS[-1]}",
    f"its version is not known; versions {_VERSIONS[0]} to {_VERSIONS[-1]} of BagIt are accepted",
)
_ENCODING: Final = LocalizedText("没有这种字符编码", "there is no such character encoding")
_DECLARATION: Final = LocalizedText(
    "bagit.txt 的写法不合 BagIt 1.0（多余的空格？）", "bagit.txt is not written as BagIt 1.0 requires (white space?)"
)
