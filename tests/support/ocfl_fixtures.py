"""Valid OCFL objects, made from the specification alone, as drafts that `ocfl_mutations` changes.

No code of the project is used, so that the fixtures are independent of what they test.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, Final

Json = dict[str, Any]

CREATED: Final = "2026-01-02T03:04:05Z"
USER: Final = {"name": "Librarian", "address": "mailto:librarian@library.example"}
CONTENT: Final = (
    {"page-1.tif": b"first page", "record.json": b"{}"},
    {"page-1.tif": b"first page", "page-2.tif": b"second page", "record.json": b"{}"},
    {"scans/page-1.tif": b"first page", "page-2.tif": b"second page, again", "record.json": b'{"title": ""}'},
)
"""The logical state of each version: files are added, renamed and changed, and one content is never stored twice."""


@dataclass
class ObjectDraft:
    """An object before it is written: an inventory for the root ('') and for each version, and content files.

    `extra` are files written last, over others of the same path; `omitted` are not written.
    """

    specification: str = "1.1"
    algorithm: str = "sha512"
    inventories: dict[str, Json] = field(default_factory=dict)
    content: dict[str, bytes] = field(default_factory=dict)
    extra: dict[str, bytes] = field(default_factory=dict)
    omitted: set[str] = field(default_factory=set)

    @property
    def root(self) -> Json:
        """The root inventory."""
        return self.inventories[""]

    def head(self) -> list[Json]:
        """The root inventory and that of the newest version, which must be equal."""
        return [self.root, self.inventories[f"v{len(self.inventories) - 1}"]]

    def files(self) -> dict[str, bytes]:
        """Return the object's files by their path under the object root."""
        files = {f"0=ocfl_object_{self.specification}": f"ocfl_object_{self.specification}\n".encode(), **self.content}
        for folder, inventory in self.inventories.items():
            path = f"{folder}/inventory.json".lstrip("/")
            files[path] = json.dumps(inventory, indent=2).encode()
            algorithm = inventory.get("digestAlgorithm", "sha512")
            if algorithm in {"sha512", "sha256"}:
                files[f"{path}.{algorithm}"] = f"{digest(files[path], algorithm)} inventory.json\n".encode()
        files |= self.extra
        return {path: body for path, body in files.items() if path not in self.omitted}


def digest(data: bytes, algorithm: str = "sha512") -> str:
    """Return a digest in lower-case hexadecimal."""
    return hashlib.new({"blake2b-512": "blake2b"}.get(algorithm, algorithm), data).hexdigest()


def valid_draft(
    specification: str = "1.1", algorithm: str = "sha512", folder: str = "content", name: str = "v{}", versions: int = 3
) -> ObjectDraft:
    """Return a valid object of up to three versions; `folder` is its content directory, `name` forms version names."""
    draft = ObjectDraft(specification, algorithm)
    manifest: dict[str, list[str]] = {}
    blocks: Json = {}
    for number, state in enumerate(CONTENT[:versions], start=1):
        version = name.format(number)
        logical: dict[str, list[str]] = {}
        for path, body in state.items():
            key = digest(body, algorithm)
            logical.setdefault(key, []).append(path)
            if key not in manifest:
                manifest[key] = [f"{version}/{folder}/{path}"]
                draft.content[manifest[key][0]] = body
        blocks[version] = {"created": CREATED, "message": f"Version {number}", "user": USER, "state": logical}
        draft.inventories[version] = _inventory(draft, version, folder, manifest, blocks)
    draft.inventories[""] = _inventory(draft, version, folder, manifest, blocks)
    return draft


def _inventory(draft: ObjectDraft, head: str, folder: str, manifest: Json, blocks: Json) -> Json:
    inventory = {
        "id": "info:library/work-1",
        "type": f"https://ocfl.io/{draft.specification}/spec/#inventory",
        "digestAlgorithm": draft.algorithm,
        "head": head,
        "manifest": manifest,
        "versions": blocks,
    }
    copy: Json = json.loads(json.dumps(inventory | ({} if folder == "content" else {"contentDirectory": folder})))
    return copy
