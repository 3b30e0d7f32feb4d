"""The layout of the store's OCFL storage root: its own files, and the path of each object. (pure)

The layout is the OCFL extension 0003-hash-and-id-n-tuple-storage-layout with SHA-256 and three tuples of three digits:
``ocfl/a1b/2c3/d4e/shanben%3a{work}``. `repository/paths.py` gives the same path for a work.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Final

import rfc8785

from repository.paths import OCFL_ROOT

STORAGE_ROOT_DECLARATION: Final = "0=ocfl_1.1"
OBJECT_DECLARATION: Final = "0=ocfl_object_1.1"
OBJECT_DECLARATION_CONTENT: Final = b"ocfl_object_1.1\n"
LAYOUT_FILE: Final = "ocfl_layout.json"
EXTENSIONS: Final = "extensions"
LAYOUT_EXTENSION: Final = "0003-hash-and-id-n-tuple-storage-layout"
LAYOUT_CONFIG_FILE: Final = f"{EXTENSIONS}/{LAYOUT_EXTENSION}/config.json"
LAYOUT_CONFIG: Final[Mapping[str, str | int]] = {
    "extensionName": LAYOUT_EXTENSION,
    "digestAlgorithm": "sha256",
    "tupleSize": 3,
    "numberOfTuples": 3,
}
STORAGE_ROOT_FILES: Final[Mapping[str, bytes]] = {
    # The declaration is written last: when it exists, the other files exist too.
    f"{OCFL_ROOT}/{LAYOUT_CONFIG_FILE}": rfc8785.dumps({**LAYOUT_CONFIG}),
    f"{OCFL_ROOT}/{LAYOUT_FILE}": rfc8785.dumps(
        {
            "extension": LAYOUT_EXTENSION,
            "description": "sha256 of the object identifier, three folders of three digits",
        }
    ),
    f"{OCFL_ROOT}/{STORAGE_ROOT_DECLARATION}": b"ocfl_1.1\n",
}
"""The storage root's own files by key, in the order in which they must be written."""

_OBJECT_FOLDER: Final = re.compile(r"[0-9a-f]{3}/[0-9a-f]{3}/[0-9a-f]{3}/[^/]+(?=/)", re.ASCII)
_UNSAFE: Final = re.compile(rb"[^A-Za-z0-9_-]")
_ENCODED: Final = re.compile(rb"%([0-9a-f]{2})")
_LONGEST_NAME: Final = 100


def layout_path(identifier: str) -> str:
    """Return the path of an object's folder below the storage root, by extension 0003."""
    content = identifier.encode("utf-8", "surrogatepass")
    digest = hashlib.sha256(content).hexdigest()
    name = _UNSAFE.sub(lambda match: b"%%%02x" % match[0][0], content).decode()
    if len(name) > _LONGEST_NAME:
        name = f"{name[:_LONGEST_NAME]}-{digest}"
    return f"{digest[0:3]}/{digest[3:6]}/{digest[6:9]}/{name}"


def object_folder(path: str) -> str | None:
    """Return the object folder, in this layout, that contains the file `path`; None for a file in no such folder."""
    match = _OBJECT_FOLDER.match(path)
    return match[0] if match else None


def folder_identifier(folder: str) -> str | None:
    """Return the object identifier that a folder's name encodes; None when it encodes none."""
    name = folder.rpartition("/")[2].encode("utf-8", "surrogatepass")
    try:
        identifier = _ENCODED.sub(lambda match: bytes([int(match[1], 16)]), name).decode()
    except UnicodeDecodeError:
        return None
    return identifier if layout_path(identifier) == folder else None
