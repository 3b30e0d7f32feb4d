"""The tag files of a bag as text: BagIt 1.0 (RFC 8493). (pure)"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

VERSION: Final = "1.0"
DECLARATION_FILE: Final = "bagit.txt"
DECLARATION: Final = f"BagIt-Version: {VERSION}\nTag-File-Character-Encoding: UTF-8\n".encode()
INFORMATION_FILE: Final = "bag-info.txt"
MANIFEST_FILE: Final = "manifest-sha256.txt"
TAG_MANIFEST_FILE: Final = "tagmanifest-sha256.txt"


def manifest_bytes(digests: Mapping[str, str]) -> bytes:
    """Return a manifest of SHA-256 digests by path (RFC 8493, section 2.1.3), in the byte order of the paths."""
    paths = sorted(digests, key=str.encode)
    return "".join(f"{digests[path]}  {encoded_path(path)}\n" for path in paths).encode()


def encoded_path(path: str) -> str:
    """Return a path as a manifest has it: ``%``, CR and LF percent-encoded, and nothing else."""
    return path.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def information_bytes(values: Iterable[tuple[str, str | None]]) -> bytes:
    """Return ``bag-info.txt`` (RFC 8493, section 2.2.2); values on one line, those that are None or blank left out."""
    lines = ((label, " ".join((value or "").split())) for label, value in values)
    return "".join(f"{label}: {value}\n" for label, value in lines if value).encode()
