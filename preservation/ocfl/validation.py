"""Validate one stored object against the rules of OCFL 1.0 and 1.1, including the digest of every file.

1. the object root: its declaration, and no unexpected files;
2. the root inventory: its sidecar and its rules (`ocfl/validation_rules.py`);
3. the version folders, and their inventories compared with the root inventory;
4. every content file: listed by every inventory that must list it, with every digest that any inventory states.

A file that cannot be read is reported as a fault of the object and does not end the validation. Object stores have no
empty folders, so the rules about them (E024, W003) do not apply.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from preservation.digests import Digester, digests
from preservation.ocfl.validation_rules import (
    ALGORITHMS,
    SPECIFICATIONS,
    UNREADABLE,
    VERSION_NAME,
    Json,
    RuleFinding,
    check_extension_path,
    check_inventory,
    manifest_of,
    specification_of,
    state_of,
    versions_of,
)
from preservation.progress import OnProgress, ignore_progress
from repository.errors import StoreFault
from repository.storage.store import ObjectStore

_INVENTORY: Final = "inventory.json"
_DECLARATION: Final = re.compile(r"0=ocfl_object_(.+)")
_SIDECAR: Final = re.compile(r"([0-9A-Fa-f]+)[ \t]+inventory\.json\s*", re.ASCII)
# The algorithms that fixity blocks may name (OCFL, "Digests"), by hashlib's names; others are not checked (E028).
_FIXITY: Final = {"md5": "md5", "sha1": "sha1", "sha256": "sha256", "sha512": "sha512", "blake2b-512": "blake2b"}


@dataclass(frozen=True, slots=True)
class ValidationResult:
    """The findings about an object: errors break the specification, warnings its recommendations.

    `identifier` is what the root inventory states, `specification` the OCFL version of the declaration; None when
    unknown.
    """

    errors: tuple[RuleFinding, ...]
    warnings: tuple[RuleFinding, ...]
    identifier: str | None = None
    specification: str | None = None

    @property
    def valid(self) -> bool:
        """Whether nothing breaks the specification."""
        return not self.errors


@dataclass(frozen=True, slots=True)
class _Object:
    """An object under its root key: its files' paths, and its parsed inventories by folder ('' for the root)."""

    store: ObjectStore
    root: str
    files: frozenset[str]
    on_progress: OnProgress
    inventories: dict[str, Json] = field(default_factory=dict)
    documents: dict[str, bytes] = field(default_factory=dict)
    known_sha256: Mapping[str, str] = field(default_factory=dict)

    def folders(self) -> set[str]:
        return {path.partition("/")[0] for path in self.files if "/" in path}

    def read(self, path: str) -> bytes:
        return self.store.read(f"{self.root}/{path}")

    def digests(self, path: str, algorithms: Collection[str]) -> dict[str, str]:
        if path in self.known_sha256 and set(algorithms) == {"sha256"}:
            return {"sha256": self.known_sha256[path]}
        digester = Digester(*algorithms)
        for chunk in digester.pass_through(self.store.chunks(f"{self.root}/{path}")):
            self.on_progress(len(chunk))
        return {algorithm: digester.hexdigest(algorithm) for algorithm in algorithms}

    def specifications(self) -> list[str]:
        return [match[1] for path in sorted(self.files) if (match := _DECLARATION.fullmatch(path))]


def validate_object(
    store: ObjectStore,
    root: str,
    files: Collection[str] | None = None,
    on_progress: OnProgress = ignore_progress,
    *,
    known_sha256: Mapping[str, str] | None = None,
) -> ValidationResult:
    """Validate the object under the key `root`; read each of its files once.

    `files` are the paths of its files relative to `root`, if the caller has listed them already. `on_progress` gets the
    bytes of content files as they are read. Files whose digest the caller has just computed are not read again:
    `known_sha256` has the SHA-256 of their bytes by path. Raises `StoreFault` only when the files cannot be listed.
    """
    if files is None:
        files = [stored.key.removeprefix(f"{root}/") for stored in store.list(root)]
    validated = _Object(store, root, frozenset(files), on_progress, known_sha256=known_sha256 or {})
    findings = list(dict.fromkeys(_findings(validated)))
    return ValidationResult(
        tuple(finding for finding in findings if not finding.is_warning),
        tuple(finding for finding in findings if finding.is_warning),
        _identifier(validated),
        next(iter(validated.specifications()), None),
    )


def _identifier(validated: _Object) -> str | None:
    identifier = validated.inventories.get("", {}).get("id")
    return identifier if isinstance(identifier, str) else None


def _findings(validated: _Object) -> Iterator[RuleFinding]:
    yield from _check_declaration(validated)
    yield from _check_extensions(validated)
    if _INVENTORY not in validated.files:
        yield RuleFinding("E063", "")
        return
    yield from _load(validated, "")
    yield from _check_root(validated)
    if "" not in validated.inventories:
        return
    for name in versions_of(validated.inventories[""]):
        yield from _check_version(validated, name)
    yield from _check_specifications(validated)
    yield from _check_listing(validated)
    yield from _check_digests(validated)


def _check_declaration(validated: _Object) -> Iterator[RuleFinding]:
    declarations = sorted(path for path in validated.files if path.startswith("0="))
    if len(declarations) != 1:
        yield RuleFinding("E003", "", ", ".join(declarations))
    for path in declarations:
        match = _DECLARATION.fullmatch(path)
        if not match or match[1] not in SPECIFICATIONS:
            yield RuleFinding("E006", path)
        try:
            if validated.read(path) != f"{path[2:]}\n".encode():
                yield RuleFinding("E007", path)
        except StoreFault as fault:
            yield _unreadable(path, fault)


def _check_extensions(validated: _Object) -> Iterator[RuleFinding]:
    for path in sorted(path for path in validated.files if path.startswith("extensions/")):
        yield from check_extension_path(path, stray="E067", unregistered="W013")


def _check_root(validated: _Object) -> Iterator[RuleFinding]:
    """Report files and folders in the object root that the specification does not name."""
    inventory = validated.inventories.get("", {})
    for path in sorted(path for path in validated.files if "/" not in path):
        if path not in _inventory_files(validated, "") and not path.startswith("0="):
            yield RuleFinding("E001", path)
    for folder in sorted(validated.folders() - {"extensions", "logs"}):
        if not VERSION_NAME.fullmatch(folder):
            yield RuleFinding("E001", folder)
        elif inventory and folder not in versions_of(inventory):
            yield RuleFinding("E046", folder)
    missing = versions_of(inventory).keys() - validated.folders()
    yield from (RuleFinding("E010", name, variant="folder") for name in sorted(missing))


def _inventory_files(validated: _Object, folder: str) -> set[str]:
    """Return the names of the inventory in a folder and its sidecar: none for a sidecar without an inventory."""
    if f"{folder}/{_INVENTORY}".lstrip("/") not in validated.files:
        return set()
    values = validated.inventories.get(folder)
    algorithms = ALGORITHMS if values is None else [values.get("digestAlgorithm")]
    return {_INVENTORY, *(f"{_INVENTORY}.{algorithm}" for algorithm in algorithms)}


def _load(validated: _Object, folder: str) -> Iterator[RuleFinding]:
    """Read and parse the inventory in a folder, check it and its sidecar separately, and keep it."""
    path = f"{folder}/{_INVENTORY}".lstrip("/")
    try:
        document = validated.read(path)
        values = json.loads(document)
    except StoreFault as fault:
        yield _unreadable(path, fault)
        return
    except (ValueError, RecursionError) as fault:
        yield RuleFinding("E033", path, str(fault))
        return
    yield from check_inventory(values, path)
    if isinstance(values, dict):
        validated.inventories[folder] = values
        validated.documents[folder] = document
        yield from _check_sidecar(validated, path, document, values.get("digestAlgorithm"))


def _check_sidecar(validated: _Object, path: str, document: bytes, algorithm: object) -> Iterator[RuleFinding]:
    if algorithm not in ALGORITHMS:
        return
    sidecar = f"{path}.{algorithm}"
    if sidecar not in validated.files:
        yield RuleFinding("E058", sidecar)
        return
    try:
        match = _SIDECAR.fullmatch(validated.read(sidecar).decode("utf-8", "replace"))
    except StoreFault as fault:
        yield _unreadable(sidecar, fault)
        return
    if not match:
        yield RuleFinding("E061", sidecar)
    elif match[1].lower() != digests([document], str(algorithm))[str(algorithm)]:
        yield RuleFinding("E060", sidecar)


def _check_version(validated: _Object, name: str) -> Iterator[RuleFinding]:
    root = validated.inventories[""]
    content_folder = f"{root.get('contentDirectory', 'content')}"
    inside = {path.removeprefix(f"{name}/") for path in validated.files if path.startswith(f"{name}/")}
    if _INVENTORY in inside:
        yield from _load(validated, name)
    elif inside:
        yield RuleFinding("W010", name)
    for path in sorted(inside):
        first, slash, _ = path.partition("/")
        if not slash and first not in _inventory_files(validated, name):
            yield RuleFinding("E015", f"{name}/{first}")
        elif slash and first != content_folder:
            yield RuleFinding("W002", f"{name}/{first}")
    if name in validated.inventories:
        yield from _compare(validated, name, validated.inventories[name])


def _compare(validated: _Object, name: str, earlier: Json) -> Iterator[RuleFinding]:
    """Compare a version's own inventory with the root inventory."""
    root, where = validated.inventories[""], f"{name}/{_INVENTORY}"
    if name == root.get("head") and validated.documents[name] != validated.documents[""]:
        yield RuleFinding("E064", where)
    if earlier.get("head") != name:
        yield RuleFinding("E040", where, repr(earlier.get("head")))
    if earlier.get("id") != root.get("id"):
        yield RuleFinding("E037", where, repr(earlier.get("id")))
    if earlier.get("contentDirectory", "content") != root.get("contentDirectory", "content"):
        yield RuleFinding("E019", where, repr(earlier.get("contentDirectory")))
    for version, block in versions_of(earlier).items():
        current = versions_of(root).get(version)
        if current is None or _comparable_state(earlier, block, root) != _comparable_state(root, current, earlier):
            yield RuleFinding("E066", where, version)
        elif any(block.get(key) != current.get(key) for key in ("created", "message", "user")):
            yield RuleFinding("W011", where, version)


def _comparable_state(values: Json, block: Json, other: Json) -> dict[str, object]:
    """Return a version's state in terms that both inventories share: digests, or content paths if algorithms differ."""
    state = state_of(block)
    if values.get("digestAlgorithm") == other.get("digestAlgorithm"):
        return dict(state)
    manifest, shared = manifest_of(values), {path for listed in manifest_of(other).values() for path in listed}
    return {path: frozenset(manifest.get(digest, ())) & shared for path, digest in state.items()}


def _check_specifications(validated: _Object) -> Iterator[RuleFinding]:
    """Compare the root inventory's OCFL version with the declaration, and each version's with its successor's."""
    declared = validated.specifications()
    stated = specification_of(validated.inventories[""])
    if stated and declared and stated not in declared:
        yield RuleFinding("E038", _INVENTORY, stated)
    newest = ""
    for name in [*sorted(filter(None, validated.inventories), key=_number), ""]:
        current = specification_of(validated.inventories[name]) or newest
        if current < newest:
            yield RuleFinding("E103", f"{name}/{_INVENTORY}".lstrip("/"), f"{newest} > {current}")
        newest = max(newest, current)


def _check_listing(validated: _Object) -> Iterator[RuleFinding]:
    """Report content files up to a version that its manifest omits, and listed files that do not exist."""
    folder = str(validated.inventories[""].get("contentDirectory", "content"))
    content = {path for path in validated.files if VERSION_NAME.match(path) and path.split("/")[1:2] == [folder]}
    for name, values in validated.inventories.items():
        newest = _number(name) if name else max(map(_number, versions_of(values)), default=0)
        listed = {path for paths in manifest_of(values).values() for path in paths}
        visible = {path for path in content if _number(path.partition("/")[0]) <= newest}
        yield from (RuleFinding("E023", path) for path in sorted(visible - listed))
        yield from (RuleFinding("E092", path, variant="missing") for path in sorted(listed - validated.files))
        yield from (
            RuleFinding("E093", path, variant="missing") for path in sorted(_with_fixity(values) - validated.files)
        )


def _with_fixity(values: Json) -> set[str]:
    fixity: Any = values.get("fixity")
    names = fixity if isinstance(fixity, dict) else ()
    return {path for name in names for paths in manifest_of(fixity, name).values() for path in paths}


def _check_digests(validated: _Object) -> Iterator[RuleFinding]:
    """Compare each file with every digest that any inventory states; read the file once for all of them."""
    stated: dict[str, dict[str, dict[str, str]]] = defaultdict(lambda: defaultdict(dict))
    for code, algorithm, manifest in _manifests(validated.inventories):
        for digest, paths in manifest.items():
            for path in paths:
                stated[path][algorithm][digest] = code
    for path in sorted(stated.keys() & validated.files):
        try:
            actual = validated.digests(path, stated[path].keys())
        except StoreFault as fault:
            yield _unreadable(path, fault)
            continue
        for algorithm, expected in stated[path].items():
            codes = {code for digest, code in expected.items() if digest != actual[algorithm]}
            yield from (RuleFinding(code, path, algorithm, "digest") for code in sorted(codes))


def _manifests(inventories: Mapping[str, Json]) -> Iterator[tuple[str, str, dict[str, tuple[str, ...]]]]:
    """Yield every manifest and fixity block: the code of a false digest, the algorithm, digests to content paths."""
    for values in inventories.values():
        algorithm = values.get("digestAlgorithm")
        if algorithm in ALGORITHMS:
            yield "E092", str(algorithm), manifest_of(values)
        fixity: Any = values.get("fixity")
        for name in fixity.keys() & _FIXITY.keys() if isinstance(fixity, dict) else ():
            yield "E093", _FIXITY[name], manifest_of(fixity, name)


def _unreadable(path: str, fault: StoreFault) -> RuleFinding:
    return RuleFinding(UNREADABLE, path, str(fault.details.get("reason", "")))


def _number(name: str) -> int:
    match = VERSION_NAME.fullmatch(name)
    return int(match[2]) if match else 0
