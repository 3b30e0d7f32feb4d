"""Whether an object in a store keeps every rule of OCFL 1.0 or 1.1: the object as it lies, down to every byte.

1. the object root: its declaration, and nothing in it that does not belong there;
2. the root inventory, its sidecar and its rules (`ocfl/validation_rules.py`);
3. the version folders, and the inventories in them, against the root's;
4. every content file: listed by every inventory that should, and with every digest any of them states.

Empty folders are invisible in an object store, so the rules about them (E024, W003) are not checked.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from preservation.digests import digests
from preservation.ocfl.validation_rules import (
    ALGORITHMS,
    SPECIFICATIONS,
    VERSION_NAME,
    Json,
    RuleFinding,
    check_inventory,
    manifest_of,
    specification_of,
    state_of,
    versions_of,
)
from repository.storage.store import ObjectStore

_INVENTORY: Final = "inventory.json"
_DECLARATION: Final = re.compile(r"0=ocfl_object_(.+)")
_SIDECAR: Final = re.compile(r"([0-9A-Fa-f]+)[ \t]+inventory\.json\s*", re.ASCII)
_REGISTERED: Final = re.compile(r"(000[1-9]|001[0-2])-[a-z0-9-]+", re.ASCII)
# What fixity blocks may name (OCFL, "Digests"), by hashlib's names; others are for others to check (E028).
_FIXITY: Final = {"md5": "md5", "sha1": "sha1", "sha256": "sha256", "sha512": "sha512", "blake2b-512": "blake2b"}


@dataclass(frozen=True, slots=True)
class ValidationResult:
    """What was found in an object: errors break the specification, warnings its recommendations."""

    errors: tuple[RuleFinding, ...]
    warnings: tuple[RuleFinding, ...]

    @property
    def valid(self) -> bool:
        """Whether nothing breaks the specification."""
        return not self.errors


@dataclass(frozen=True, slots=True)
class _Object:
    """An object under its root key: the files in it, and its inventories as parsed, by their folder ('' the root)."""

    store: ObjectStore
    root: str
    files: frozenset[str]
    inventories: dict[str, Json]
    documents: dict[str, bytes]

    def folders(self) -> set[str]:
        return {path.partition("/")[0] for path in self.files if "/" in path}

    def read(self, path: str) -> bytes:
        return self.store.read(f"{self.root}/{path}")


def validate_object(store: ObjectStore, root: str) -> ValidationResult:
    """Check the object under the key `root`; every file in it is read once. Raises `StoreFault`."""
    files = frozenset(found.key.removeprefix(f"{root}/") for found in store.list(root))
    found = list(dict.fromkeys(_findings(_Object(store, root, files, {}, {}))))
    return ValidationResult(
        tuple(finding for finding in found if finding.code.startswith("E")),
        tuple(finding for finding in found if finding.code.startswith("W")),
    )


def _findings(held: _Object) -> Iterator[RuleFinding]:
    yield from _check_declaration(held)
    yield from _check_extensions(held)
    if _INVENTORY not in held.files:
        yield RuleFinding("E063", "", "no inventory.json")
        return
    yield from _load(held, "")
    yield from _check_root(held)
    if "" not in held.inventories:
        return
    for name in versions_of(held.inventories[""]):
        yield from _check_version(held, name)
    yield from _check_specifications(held)
    yield from _check_listing(held)
    yield from _check_bytes(held)


def _check_declaration(held: _Object) -> Iterator[RuleFinding]:
    declarations = [path for path in held.files if path.startswith("0=")]
    if len(declarations) != 1:
        yield RuleFinding("E003", "", f"{len(declarations)} declarations")
    for path in declarations:
        match = _DECLARATION.fullmatch(path)
        if not match or match[1] not in SPECIFICATIONS:
            yield RuleFinding("E006", path)
        if held.read(path) != f"{path[2:]}\n".encode():
            yield RuleFinding("E007", path)


def _check_extensions(held: _Object) -> Iterator[RuleFinding]:
    for path in sorted(path for path in held.files if path.startswith("extensions/")):
        _, name, *below = path.split("/")
        if not below:
            yield RuleFinding("E067", path)
        elif not _REGISTERED.fullmatch(name):
            yield RuleFinding("W013", f"extensions/{name}")


def _check_root(held: _Object) -> Iterator[RuleFinding]:
    """Nothing may lie in the root but what the specification names."""
    inventory = held.inventories.get("", {})
    sidecars = {f"{_INVENTORY}.{algorithm}" for algorithm in ALGORITHMS}
    for path in sorted(path for path in held.files if "/" not in path):
        if path not in {_INVENTORY, *sidecars} and not path.startswith("0="):
            yield RuleFinding("E001", path)
    for folder in sorted(held.folders() - {"extensions", "logs"}):
        if not VERSION_NAME.fullmatch(folder):
            yield RuleFinding("E001", folder)
        elif inventory and folder not in versions_of(inventory):
            yield RuleFinding("E046", folder)
    yield from (RuleFinding("E010", name) for name in sorted(versions_of(inventory).keys() - held.folders()))


def _load(held: _Object, folder: str) -> Iterator[RuleFinding]:
    """Read the inventory in a folder, check it and its sidecar by themselves, and keep it."""
    path = f"{folder}/{_INVENTORY}".lstrip("/")
    document = held.read(path)
    try:
        values = json.loads(document)
    except (ValueError, RecursionError) as fault:
        yield RuleFinding("E033", path, str(fault))
        return
    yield from check_inventory(values, path)
    if isinstance(values, dict):
        held.inventories[folder] = values
        held.documents[folder] = document
        yield from _check_sidecar(held, path, document, values.get("digestAlgorithm"))


def _check_sidecar(held: _Object, path: str, document: bytes, algorithm: object) -> Iterator[RuleFinding]:
    if algorithm not in ALGORITHMS:
        return
    sidecar = f"{path}.{algorithm}"
    if sidecar not in held.files:
        yield RuleFinding("E058", sidecar)
        return
    match = _SIDECAR.fullmatch(held.read(sidecar).decode("utf-8", "replace"))
    if not match:
        yield RuleFinding("E061", sidecar)
    elif match[1].lower() != digests([document], str(algorithm))[str(algorithm)]:
        yield RuleFinding("E060", sidecar)


def _check_version(held: _Object, name: str) -> Iterator[RuleFinding]:
    root = held.inventories[""]
    folder = f"{root.get('contentDirectory', 'content')}"
    inside = {path.removeprefix(f"{name}/") for path in held.files if path.startswith(f"{name}/")}
    if _INVENTORY in inside:
        yield from _load(held, name)
    elif inside:
        yield RuleFinding("W010", name)
    for path in sorted(inside):
        first, slash, _ = path.partition("/")
        if not slash and first not in {_INVENTORY, *(f"{_INVENTORY}.{algorithm}" for algorithm in ALGORITHMS)}:
            yield RuleFinding("E015", f"{name}/{first}")
        elif slash and first != folder:
            yield RuleFinding("W002", f"{name}/{first}")
    if name in held.inventories:
        yield from _compare(held, name, held.inventories[name])


def _compare(held: _Object, name: str, earlier: Json) -> Iterator[RuleFinding]:
    """A version's own inventory against the root's."""
    root, where = held.inventories[""], f"{name}/{_INVENTORY}"
    if name == root.get("head") and held.documents[name] != held.documents[""]:
        yield RuleFinding("E064", where)
    if earlier.get("head") != name:
        yield RuleFinding("E040", where, repr(earlier.get("head")))
    if earlier.get("id") != root.get("id"):
        yield RuleFinding("E037", where, repr(earlier.get("id")))
    if earlier.get("contentDirectory", "content") != root.get("contentDirectory", "content"):
        yield RuleFinding("E019", where, repr(earlier.get("contentDirectory")))
    for version, block in versions_of(earlier).items():
        current = versions_of(root).get(version)
        if current is None or _meaning(earlier, block, root) != _meaning(root, current, earlier):
            yield RuleFinding("E066", where, version)
        elif any(block.get(key) != current.get(key) for key in ("created", "message", "user")):
            yield RuleFinding("W011", where, version)


def _meaning(values: Json, block: Json, other: Json) -> dict[str, object]:
    """What a version stands for, in words both inventories share: digests, or content paths if their digests differ."""
    state = state_of(block)
    if values.get("digestAlgorithm") == other.get("digestAlgorithm"):
        return dict(state)
    manifest, shared = manifest_of(values), {path for held in manifest_of(other).values() for path in held}
    return {path: frozenset(manifest.get(digest, ())) & shared for path, digest in state.items()}


def _check_specifications(held: _Object) -> Iterator[RuleFinding]:
    """The root's follows its declaration; a version's is never newer than its successor's."""
    declared = [match[1] for path in held.files if (match := _DECLARATION.fullmatch(path))]
    said = specification_of(held.inventories[""])
    if said and declared and said not in declared:
        yield RuleFinding("E038", _INVENTORY, said)
    newest = ""
    for name in [*sorted(filter(None, held.inventories), key=_number), ""]:
        current = specification_of(held.inventories[name]) or newest
        if current < newest:
            yield RuleFinding("E103", f"{name}/{_INVENTORY}".lstrip("/"), f"{newest} > {current}")
        newest = max(newest, current)


def _check_listing(held: _Object) -> Iterator[RuleFinding]:
    """Every content file up to a version is in that version's manifest, and every file in a manifest is there."""
    folder = str(held.inventories[""].get("contentDirectory", "content"))
    content = {path for path in held.files if VERSION_NAME.match(path) and path.split("/")[1:2] == [folder]}
    for name, values in held.inventories.items():
        where = f"{name}/{_INVENTORY}".lstrip("/")
        newest = _number(name) if name else max(map(_number, versions_of(values)), default=0)
        listed = {path for paths in manifest_of(values).values() for path in paths}
        visible = {path for path in content if _number(path.partition("/")[0]) <= newest}
        yield from (RuleFinding("E023", where, path) for path in sorted(visible - listed))
        yield from (RuleFinding("E092", where, path) for path in sorted(listed - held.files))
        yield from (RuleFinding("E093", where, path) for path in sorted(_with_fixity(values) - held.files))


def _with_fixity(values: Json) -> set[str]:
    fixity: Any = values.get("fixity")
    names = fixity if isinstance(fixity, dict) else ()
    return {path for name in names for paths in manifest_of(fixity, name).values() for path in paths}


def _check_bytes(held: _Object) -> Iterator[RuleFinding]:
    """Every digest that any inventory states of a file is that of the file, which is read once for all of them."""
    stated: dict[str, dict[str, dict[str, str]]] = defaultdict(lambda: defaultdict(dict))
    for code, algorithm, manifest in _manifests(held.inventories):
        for digest, paths in manifest.items():
            for path in paths:
                stated[path][algorithm][digest] = code
    for path in sorted(stated.keys() & held.files):
        actual = digests(held.store.chunks(f"{held.root}/{path}"), *stated[path])
        for algorithm, expected in stated[path].items():
            yield from (
                RuleFinding(code, path, algorithm) for digest, code in expected.items() if digest != actual[algorithm]
            )


def _manifests(inventories: Mapping[str, Json]) -> Iterator[tuple[str, str, dict[str, tuple[str, ...]]]]:
    """What every inventory states: the code of it being wrong, the algorithm, and digests to content paths."""
    for values in inventories.values():
        algorithm = values.get("digestAlgorithm")
        if algorithm in ALGORITHMS:
            yield "E092", str(algorithm), manifest_of(values)
        fixity: Any = values.get("fixity")
        for name in fixity.keys() & _FIXITY.keys() if isinstance(fixity, dict) else ():
            yield "E093", _FIXITY[name], manifest_of(fixity, name)


def _number(name: str) -> int:
    match = VERSION_NAME.fullmatch(name)
    return int(match[2]) if match else 0
