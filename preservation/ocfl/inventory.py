"""OCFL 1.1 inventories and sidecars as this repository writes them. (pure)

An `Inventory` is the inventory of an object (OCFL section 3.5): a manifest from digests to content files, and the
logical state of each version. This repository writes SHA-256 digests, versions ``v1``, ``v2``… and the content folder
``content``. `next_inventory` chooses the path of each new content file; content that is already stored is not stored
again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal

import msgspec

from repository.errors import ObjectInvalid
from repository.localized import LocalizedText

OCFL_TYPE: Final = "https://ocfl.io/1.1/spec/#inventory"
DIGEST_ALGORITHM: Final = "sha256"
INVENTORY_NAME: Final = "inventory.json"
SIDECAR_NAME: Final = f"{INVENTORY_NAME}.{DIGEST_ALGORITHM}"
# A program writes the versions, so no person is named. OCFL recommends a URI as address.
_USER: Final = {"name": "Shanben", "address": "urn:shanben:software"}
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)
_ContentPaths = Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
_SIDECAR: Final = re.compile(rb"([0-9a-f]{64})[ \t]+inventory\.json\n?")


@dataclass(frozen=True, slots=True)
class ObjectVersion:
    """A version of an object: its logical state (logical path to SHA-256), creation time (RFC 3339), message, user."""

    created: str
    message: str
    state: Mapping[str, str]
    user: Mapping[str, str] = field(default_factory=lambda: dict(_USER))


@dataclass(frozen=True, slots=True)
class Inventory:
    """An object's inventory: `manifest` maps a SHA-256 to its content paths; `versions` begin with v1."""

    identifier: str
    manifest: Mapping[str, tuple[str, ...]]
    versions: tuple[ObjectVersion, ...]

    @property
    def head(self) -> str:
        """The name of the newest version."""
        return f"v{len(self.versions)}"

    @property
    def state(self) -> Mapping[str, str]:
        """The logical state of the newest version: logical path to SHA-256."""
        return self.versions[-1].state

    def content_path(self, sha256: str) -> str:
        """Return the content path of a digest, relative to the object root. Raises `KeyError`."""
        return self.manifest[sha256][0]


def next_inventory(
    head: Inventory | None, identifier: str, state: Mapping[str, str], *, message: str, created: str
) -> Inventory:
    """Return the inventory with a next version whose logical state is `state`; the first version without `head`.

    A digest that is already in the manifest keeps its content path. A new one gets ``vN/content/`` and the first, by
    byte order, of its logical paths. Raises `ObjectInvalid` for a state that OCFL forbids.
    """
    check_logical_paths(state, identifier)
    if not _TIME.fullmatch(created):
        raise ObjectInvalid(
            key=identifier,
            reason=LocalizedText(f"时间不合 RFC 3339：{created!r}", f"{created!r} is not an RFC 3339 time"),
        )
    manifest = dict(head.manifest) if head else {}
    earlier = head.versions if head else ()
    for path in sorted(state, key=str.encode):
        manifest.setdefault(state[path], (f"v{len(earlier) + 1}/content/{path}",))
    return Inventory(identifier, manifest, (*earlier, ObjectVersion(created, message, dict(state))))


def new_content(inventory: Inventory) -> dict[str, str]:
    """Return the content files that the newest version adds, content path to SHA-256."""
    folder = f"{inventory.head}/"
    return {path: sha256 for sha256, (path, *_) in inventory.manifest.items() if path.startswith(folder)}


def check_logical_paths(paths: Collection[str], identifier: str) -> None:
    """Check logical paths by OCFL 3.5.3.1. Raises `ObjectInvalid`.

    A path has no empty, ``.`` or ``..`` element, and none is the folder of another.
    """
    folders: set[str] = set()
    for path in paths:
        elements = path.split("/")
        if {"", ".", ".."} & set(elements):
            raise ObjectInvalid(
                key=identifier,
                reason=LocalizedText(f"逻辑路径不合规范：{path!r}", f"{path!r} is not a valid logical path"),
            )
        folders.update("/".join(elements[:depth]) for depth in range(1, len(elements)))
    if clash := folders & set(paths):
        raise ObjectInvalid(
            key=identifier,
            reason=LocalizedText(
                f"{min(clash)!r} 既是文件又是文件夹", f"{min(clash)!r} is both a file and a folder of other files"
            ),
        )


def inventory_as_of(inventory: Inventory, number: int) -> Inventory:
    """Return the inventory as it was when version `number` was written."""
    if number == len(inventory.versions):
        return inventory
    manifest = {
        digest: kept
        for digest, listed in inventory.manifest.items()
        if (kept := tuple(path for path in listed if _version_number(path) <= number))
    }
    return Inventory(inventory.identifier, manifest, inventory.versions[:number])


def _version_number(content_path: str) -> int:
    folder = content_path.partition("/")[0]
    return int(folder[1:]) if folder[1:].isdecimal() else 0


def inventory_bytes(inventory: Inventory) -> bytes:
    """Return the inventory as JSON; the same inventory always gives the same bytes."""
    document = {
        "digestAlgorithm": DIGEST_ALGORITHM,
        "head": inventory.head,
        "id": inventory.identifier,
        "manifest": {sha256: list(paths) for sha256, paths in inventory.manifest.items()},
        "type": OCFL_TYPE,
        "versions": {f"v{number}": _version_json(v) for number, v in enumerate(inventory.versions, start=1)},
    }
    return json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True).encode() + b"\n"


def _version_json(version: ObjectVersion) -> dict[str, Any]:
    state: dict[str, list[str]] = {}
    for path in sorted(version.state, key=str.encode):
        state.setdefault(version.state[path], []).append(path)
    return {"created": version.created, "message": version.message, "state": state, "user": dict(version.user)}


class _VersionDocument(msgspec.Struct):
    """A version block (OCFL 3.5.3)."""

    created: str
    state: dict[str, tuple[str, ...]]
    message: str = ""
    user: dict[str, str] = {}


class _InventoryDocument(msgspec.Struct, rename="camel"):
    """The keys of an inventory that this repository uses (OCFL 3.5)."""

    id: str
    digest_algorithm: Literal["sha256"]
    head: str
    manifest: dict[str, _ContentPaths]
    versions: dict[str, _VersionDocument]
    content_directory: Literal["content"] = "content"


def parse_inventory(document: bytes, key: str) -> Inventory:
    """Parse an inventory: the inverse of `inventory_bytes`. Raises `ObjectInvalid` naming `key`.

    Inventories of other programs are accepted too if they use SHA-256, ``content`` and versions from ``v1`` on.
    """
    try:
        values = msgspec.json.decode(document, type=_InventoryDocument)
    except (msgspec.MsgspecError, RecursionError) as fault:
        raise ObjectInvalid(
            key=key,
            reason=LocalizedText(
                f"OCFL 清单无法读取（{fault}）；请从副本恢复",
                f"the inventory cannot be parsed ({fault}); restore it from a replica",
            ),
        ) from fault
    manifest = {sha256.lower(): paths for sha256, paths in values.manifest.items()}
    names = [f"v{number}" for number in range(1, len(values.versions) + 1)]
    versions = tuple(_version_of(values.versions[name]) for name in names if name in values.versions)
    listed = all(manifest.keys() >= set(version.state.values()) for version in versions)
    if not names or len(versions) != len(names) or values.head != names[-1] or not listed:
        raise ObjectInvalid(
            key=key,
            reason=LocalizedText(
                "清单不合 OCFL 规则；请运行 shanben store validate 查明",
                "the inventory violates the rules of OCFL; run shanben store validate for details",
            ),
        )
    return Inventory(values.id, manifest, versions)


def _version_of(values: _VersionDocument) -> ObjectVersion:
    state = {path: sha256.lower() for sha256, paths in values.state.items() for path in paths}
    return ObjectVersion(values.created, values.message, state, values.user)


def sidecar_bytes(inventory_sha256: str) -> bytes:
    """Return the sidecar of an inventory (OCFL 3.7)."""
    return f"{inventory_sha256} {INVENTORY_NAME}\n".encode()


def parse_sidecar(document: bytes, key: str) -> str:
    """Parse a sidecar and return its digest. Raises `ObjectInvalid`."""
    match = _SIDECAR.fullmatch(document)
    if not match:
        raise ObjectInvalid(key=key, reason=LocalizedText("摘要文件格式有误", "the sidecar is malformed"))
    return match[1].decode()
