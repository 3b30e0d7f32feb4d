"""Canaries: objects known to be bad, in a space of their own in each store, which a sweep must find.

Below ``canaries/`` a store holds a small OCFL object for each kind of fault, and one without a fault. They are checked
by the code that checks works, on a view of the store that has ``canaries/`` as its root. A sweep that does not find
exactly the planted faults is a failure. Canaries are no works: nothing else lists ``canaries/``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, cast

from preservation.digests import sha256
from preservation.fixity.findings import FindingKind
from preservation.fixity.logged_content import LoggedContent
from preservation.fixity.object_check import WorkFacts, WorkObject, check_object
from preservation.ocfl.inventory import (
    INVENTORY_NAME,
    SIDECAR_NAME,
    inventory_bytes,
    next_inventory,
    sidecar_bytes,
)
from preservation.ocfl.layout import OBJECT_DECLARATION, OBJECT_DECLARATION_CONTENT
from repository import paths
from repository.paths import CANARIES
from repository.repository import Repository
from repository.storage.content import StoredObject
from repository.storage.store import ObjectStore

_WRITTEN: Final = f"{CANARIES}/README.txt"
_README: Final = """\
本目录的对象故意损坏，供完整性校验自检，请勿修复或删除。
The objects in this folder are damaged on purpose: fixity checks prove by them that they find damage.
Do not repair or delete them.
"""
_CREATED: Final = "2026-01-01T00:00:00Z"
_MASTER: Final = "v1/content/masters/0001.tif"
_BYTES: Final = bytes(range(256)) * 4


_Files = dict[str, bytes]
"""The files of an object by path."""


@dataclass(frozen=True, slots=True)
class Canary:
    """A known-bad object: `damage` makes it from a sound one, and `kind` is what must be found at `path`.

    `logged` is the digest that the log is taken to have of its master.
    """

    identifier: str
    kind: FindingKind | None
    path: str
    damage: Callable[[_Files], None]
    logged: str


@dataclass(frozen=True, slots=True)
class CanaryCheck:
    """The check of a store's canaries: how many faults are planted, and the keys of those missed or found wrongly."""

    planted: int
    missed: tuple[str, ...]


def plant_canaries(store: ObjectStore) -> None:
    """Write the canaries into a store; safe to repeat. Raises `StoreFault`."""
    for canary in _CANARIES:
        files = _sound_object(canary.identifier)
        canary.damage(files)
        for path, content in files.items():
            store.put(f"{CANARIES}/{paths.ocfl_object(canary.identifier)}/{path}", content)
    store.put(_WRITTEN, _README.encode())


def prepare_canaries(repository: Repository, name: str) -> None:
    """Write the canaries into a store that has none, the primary for '', unless a sweep has checked canaries there.

    Canaries that were there and are gone are a fault, which the next sweep reports. Raises `StoreFault`,
    `DatabaseFault`.
    """
    store = repository.replicas[name] if name else repository.store
    if not store.exists(_WRITTEN) and not repository.sweeps.last_canaries([name]):
        plant_canaries(store)


def check_canaries(store: ObjectStore, executor: Executor) -> CanaryCheck:
    """Check the canaries of a store by the code that checks works. Raises `StoreFault`."""
    view = _view(store)
    expected = {(_key(canary), canary.kind) for canary in _CANARIES if canary.kind}
    found = {
        (finding.key, finding.kind)
        for canary in _CANARIES
        for check in check_object(_object(view, canary), executor).checks
        if (finding := check.finding)
    }
    differences = sorted({f"{CANARIES}/{key}" for key, _ in expected ^ found})
    return CanaryCheck(len(expected), tuple(differences))


def _object(view: ObjectStore, canary: Canary) -> WorkObject:
    logged = frozenset({canary.logged, sha256([b"{}"])})
    facts = WorkFacts(LoggedContent(logged), held=1, newest=1)
    return WorkObject(view, canary.identifier, lambda: facts, lambda: None)


def _key(canary: Canary) -> str:
    return f"{paths.ocfl_object(canary.identifier)}/{canary.path}".rstrip("/")


def _sound_object(identifier: str) -> _Files:
    """Return the files of a sound object with one master."""
    content = {"masters/0001.tif": _BYTES, "metadata/work.json": b"{}"}
    state = {path: sha256([each]) for path, each in content.items()}
    inventory = next_inventory(None, paths.ocfl_id(identifier), state, message="canary", created=_CREATED)
    files = {f"v1/content/{path}": each for path, each in content.items()}
    files[OBJECT_DECLARATION] = OBJECT_DECLARATION_CONTENT
    return files | _inventories(inventory_bytes(inventory))


def _inventories(document: bytes) -> _Files:
    """Return an inventory in both places, with sidecars that vouch for it."""
    files = {INVENTORY_NAME: document, SIDECAR_NAME: sidecar_bytes(sha256([document]))}
    return {f"{folder}{name}": content for folder in ("", "v1/") for name, content in files.items()}


def _sound(_: _Files) -> None:
    """Damage nothing."""


def _flip(files: _Files) -> None:
    files[_MASTER] = bytes([_BYTES[0] ^ 1]) + _BYTES[1:]


def _truncate(files: _Files) -> None:
    files[_MASTER] = _BYTES[:-1]


def _remove(files: _Files) -> None:
    del files[_MASTER]


def _add(files: _Files) -> None:
    files["v1/content/masters/Thumbs.db"] = b"x"


def _break_rule(files: _Files) -> None:
    """Give the version no valid time of creation."""
    files |= _inventories(files[INVENTORY_NAME].replace(_CREATED.encode(), b"yesterday"))


def _canary(number: int, kind: FindingKind | None, path: str, damage: Callable[[_Files], None]) -> Canary:
    logged = sha256([b"another master"]) if kind is FindingKind.WITNESSES_DISAGREE else sha256([_BYTES])
    return Canary(f"canary-{number}", kind, path, damage, logged)


_CANARIES: Final = (
    _canary(0, None, "", _sound),
    _canary(1, FindingKind.CHANGED, _MASTER, _flip),
    _canary(2, FindingKind.CHANGED, _MASTER, _truncate),
    _canary(3, FindingKind.MISSING, _MASTER, _remove),
    _canary(4, FindingKind.MISSING, "", dict.clear),
    _canary(5, FindingKind.UNEXPECTED, "v1/content/masters/Thumbs.db", _add),
    _canary(6, FindingKind.INVALID, INVENTORY_NAME, _break_rule),
    _canary(7, FindingKind.WITNESSES_DISAGREE, _MASTER, _sound),
)


class _Subfolder:
    """A view of a store that has one of its folders as its root."""

    def __init__(self, store: ObjectStore, folder: str) -> None:
        self._store = store
        self._folder = folder

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        """Yield as `ObjectStore.list`."""
        for stored in self._store.list(f"{self._folder}/{prefix}".rstrip("/")):
            yield StoredObject(stored.key.removeprefix(f"{self._folder}/"), stored.size)

    def __getattr__(self, name: str) -> Any:
        action = getattr(self._store, name)
        return partial(self._within, action)

    def _within(self, action: Callable[..., Any], key: str, *arguments: Any) -> Any:
        return action(f"{self._folder}/{key}", *arguments)


def _view(store: ObjectStore) -> ObjectStore:
    return cast(ObjectStore, _Subfolder(store, CANARIES))
