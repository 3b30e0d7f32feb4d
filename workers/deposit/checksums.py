"""Reads the checksum manifests of a deposit: digests of its files from when they were scanned. (pure)

A line is ``HEX  path``, as sha256sum and md5sum write it (GNU coreutils manual, "cksum invocation"), or ``HEX *path``
for a file read in binary mode; the path is relative to the folder of the manifest. Empty lines and comments (``#``,
``;``) are skipped. Windows tools separate folders by a backslash, which no name in a deposit contains.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final, NamedTuple

from repository.faults import Fault
from repository.localized import LocalizedText

MAX_BYTES: Final = 2 << 20
"""The largest manifest in bytes; one of 20,000 files has about that. A frame of a sandbox holds what is read of it."""

MAX_LINES: Final = 20_000
"""The most lines of a manifest; there may be one for each volume."""

MAX_CHECKSUMS: Final = 200_000
"""The most files that all manifests of a deposit list together."""

_MAX_PATH: Final = 1024
_CONTROLS: Final = frozenset({"Cc", "Cf", "Zl", "Zp"})
_MOST_FAULTS: Final = 20
"""After as many malformed lines the file is probably no manifest, and the rest is not read."""

_ALGORITHMS: Final = {
    "manifest-sha256.txt": "sha256",
    "checksums.sha256": "sha256",
    "sha256sums": "sha256",
    "manifest-md5.txt": "md5",
    "checksums.md5": "md5",
    "md5sums": "md5",
}
_DIGITS: Final = {"sha256": 64, "md5": 32}
_LINE: Final = re.compile(r"([0-9A-Fa-f]+)[ \t]+\*?(.+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Checksum:
    """The digest that a manifest gives for a file.

    `file` is the path of the described file within the deposit; `digest` is in lower-case hexadecimal; `manifest` is
    the path of the manifest within the deposit, and `line` the number of the line, from 1.
    """

    file: str
    algorithm: str
    digest: str
    manifest: str
    line: int

    @property
    def place(self) -> str:
        """The place of a fault."""
        return f"line {self.line}"


class ManifestLine(NamedTuple):
    """A line of a manifest: the path, with ``/`` and in Unicode form NFC, the digest, and the number of the line."""

    path: str
    digest: str
    number: int


class ReadChecksums(NamedTuple):
    """The lines of a manifest, and its faults."""

    lines: tuple[ManifestLine, ...]
    faults: tuple[Fault, ...]

    def checksums(self, manifest: str) -> Iterator[Checksum]:
        """Yield the digests that the manifest with this path gives."""
        folder, algorithm = PurePosixPath(manifest).parent, checksum_algorithm(manifest) or ""
        for path, digest, number in self.lines:
            yield Checksum(str(folder / path), algorithm, digest, manifest, number)


def checksum_algorithm(path: str) -> str | None:
    """Return ``sha256`` or ``md5`` for the path of a checksum manifest; None for any other file."""
    return _ALGORITHMS.get(PurePosixPath(path).name.lower())


def algorithm_name(algorithm: str) -> str:
    """Return how people write the name of a digest."""
    return {"sha256": "SHA-256", "md5": "MD5"}[algorithm]


def read_checksums(content: bytes, manifest: str) -> ReadChecksums:
    """Return the lines of the manifest with this path and content of at most `MAX_BYTES`. Runs in a sandbox."""
    algorithm = checksum_algorithm(manifest)
    if algorithm is None:
        raise ValueError(manifest)
    try:
        lines = content.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as fault:
        return ReadChecksums((), (Fault(manifest, f"byte {fault.start}", "checksum.encoding", _ENCODING),))
    if len(lines) > MAX_LINES + 1:
        return ReadChecksums((), (Fault(manifest, f"line {MAX_LINES + 1}", "checksum.lines", _LINES),))
    return _read_lines(lines, algorithm, manifest)


def _read_lines(lines: list[str], algorithm: str, manifest: str) -> ReadChecksums:
    listed: dict[str, ManifestLine] = {}
    faults: list[Fault] = []
    for number, line in _entries(lines):
        parsed = _parse(line, _DIGITS[algorithm], number)
        if parsed is None:
            faults.append(Fault(manifest, f"line {number}", "checksum.line", _malformed(algorithm)))
        elif listed.setdefault(parsed.path, parsed).digest != parsed.digest:
            faults.append(Fault(manifest, f"line {number}", "checksum.twice", _twice(listed[parsed.path])))
        if len(faults) == _MOST_FAULTS:
            break
    if not listed and not faults:
        faults.append(Fault(manifest, "", "checksum.empty", _EMPTY))
    return ReadChecksums(tuple(listed.values()), tuple(faults))


def _entries(lines: list[str]) -> Iterator[tuple[int, str]]:
    """Yield the numbers, from 1, and texts of lines that are neither empty nor comments."""
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if text and not text.startswith(("#", ";")):
            yield number, text


def _parse(line: str, digits: int, number: int) -> ManifestLine | None:
    match = _LINE.fullmatch(line)
    if match is None or len(match[1]) != digits or len(match[2]) > _MAX_PATH:
        return None
    if any(unicodedata.category(character) in _CONTROLS for character in match[2]):
        return None
    path = unicodedata.normalize("NFC", match[2]).replace("\\", "/")
    return ManifestLine(str(PurePosixPath(path)), match[1].lower(), number)


_ENCODING: Final = LocalizedText("文件不是 UTF-8 编码；请另存为 UTF-8", "the file is not UTF-8; save it as UTF-8")
_EMPTY: Final = LocalizedText(
    "校验清单中没有任何文件；请重新生成，或移走此文件",
    "this checksum manifest lists no files; make it again, or remove it",
)
_LINES: Final = LocalizedText(
    f"校验清单超过 {MAX_LINES} 行；请按册分开",
    f"this checksum manifest has more than {MAX_LINES} lines; split it by volume",
)


def _malformed(algorithm: str) -> LocalizedText:
    digits, name = _DIGITS[algorithm], algorithm_name(algorithm)
    return LocalizedText(
        f"这一行不是“{digits} 位十六进制 {name} 摘要、两个空格、文件路径”；请用 {algorithm}sum 重新生成清单",
        f"this line is not a {name} digest of {digits} hexadecimal digits, two spaces and a path; make the manifest "
        f"again by {algorithm}sum",
    )


def _twice(first: ManifestLine) -> LocalizedText:
    return LocalizedText(
        f"{first.path} 在第 {first.number} 行已列出，摘要不同；请查明哪一个正确，删去另一行",
        f"{first.path} has another digest in line {first.number}; find out which is right, and remove the other line",
    )
