"""Recognise the stores of this library, so that an unmounted folder or another library's store is never used.

A store has a file ``shanben-store.json`` with the identity of its library. The database records which stores have it.
All stores of a library have the same identity: a replica or a copy may become the primary store.

- The primary store must have the recorded identity, as soon as the catalogue or the log knows works.
- A replica that holds nothing yet is given the identity and filled. One that was filled must have it.
- A store that was filled before stores had identities, or whose database is new, adopts one when it holds the works
  that the catalogue names.

An identity says whose store it is. It does not say that the store is complete or intact.
"""

from __future__ import annotations

import json
import secrets
from typing import Final

from preservation.log.sequencer import remembered_size
from preservation.ocfl.inventory import INVENTORY_NAME
from repository import paths
from repository.database.store_registry import PRIMARY
from repository.errors import KeyNotFound, StoreFault
from repository.localized import LocalizedText
from repository.repository import Repository
from repository.storage.address import store_name
from repository.storage.store import ObjectStore

_FORMAT: Final = "shanben store 1"
_SAMPLE: Final = 20
"""How many of the oldest and of the newest works are looked for in a store without a known identity."""

_UNMOUNTED: Final = LocalizedText(
    "其中没有 shanben-store.json；是否尚未挂载？请挂载后重试。内容已丢失的，请以 shanben store restore 恢复；"
    "确知内容无误时，可运行 shanben store adopt",
    "it has no shanben-store.json. Is it unmounted? Mount it and try again. If its content is lost, run shanben store"
    " restore. If you know that its content is right, run shanben store adopt",
)
_OTHER: Final = LocalizedText(
    "其 shanben-store.json 属于另一处存储；请核对地址与挂载点",
    "its shanben-store.json is that of another store; check the address and the mount point",
)
_DAMAGED: Final = LocalizedText(
    "其 shanben-store.json 损坏；确为本馆的存储，可运行 {command} 重写",
    "its shanben-store.json is damaged; if it is this library's store, run {command}, which writes it again",
)
_ADOPT: Final = "shanben store adopt"
_WITHOUT_WORKS: Final = LocalizedText(
    "其中没有目录或日志所载的著作；是否尚未挂载？请核对地址与挂载点",
    "it does not hold the works that the catalogue or the log names. Is it unmounted? Check the address and the mount"
    " point",
)
_EMPTIED: Final = LocalizedText(
    "此副本曾存满著作，现已没有 shanben-store.json；是否尚未挂载？请挂载后运行 shanben retry。"
    "内容确已丢失时，请运行 {command} --refill 重新复制",
    "it was filled, and has no shanben-store.json now. Is it unmounted? Mount it, then run shanben retry. If its"
    " content is lost, run {command} --refill to fill it again",
)


class StoreNotRecognised(StoreFault):
    """The primary store is not the one that this library filled: it may be unmounted, or mounted from elsewhere."""

    code = "store.identity"
    text = LocalizedText("存储 {store} 不是本馆的存储：{reason}", "{store} is not the store of this library: {reason}")


class ReplicaNotRecognised(StoreNotRecognised):
    """A replica that was filled, and is now empty or another store. An operator must decide what it is."""

    code = "store.replica-identity"
    transient = False


def read_identity(store: ObjectStore) -> str | None:
    """Return the identity in a store; None without one, '' for a file that cannot be read. Raises `StoreFault`."""
    try:
        document = json.loads(store.read(paths.STORE_IDENTITY))
    except KeyNotFound:
        return None
    except ValueError:
        return ""
    is_valid = isinstance(document, dict) and document.get("format") == _FORMAT
    identity = document.get("identity") if is_valid else None
    return identity if isinstance(identity, str) and identity else ""


def write_identity(store: ObjectStore, identity: str) -> None:
    """Write the identity into a store. Raises `StoreFault`."""
    store.put(paths.STORE_IDENTITY, identity_bytes(identity))


def identity_bytes(identity: str) -> bytes:
    """Return the bytes of the file that has an identity."""
    return json.dumps({"format": _FORMAT, "identity": identity}, indent=2).encode() + b"\n"


def verify_primary(repository: Repository) -> None:
    """Check that the primary store is the one that this library filled. Reads one small object; writes nothing.

    Raises `StoreNotRecognised`, `StoreFault`, `DatabaseFault`.
    """
    found, recorded = read_identity(repository.store), repository.stores.identity(PRIMARY)
    if (found and found == recorded) or not _knows_works(repository):
        return
    if recorded is not None:
        reason = _UNMOUNTED if found is None else _other(found, _ADOPT)
        raise StoreNotRecognised(store=_primary_name(repository), reason=reason)
    if not _holds_works(repository, PRIMARY):
        raise StoreNotRecognised(store=_primary_name(repository), reason=_WITHOUT_WORKS)


def recognise_primary(repository: Repository) -> None:
    """Check the primary store as `verify_primary` does. Give it an identity if it has none, and record it.

    While no works are known, the identity that the store has takes precedence over the recorded one. The caller holds a
    lock. Raises `StoreNotRecognised`, `StoreFault`, `DatabaseFault`.
    """
    verify_primary(repository)
    found, recorded = read_identity(repository.store), repository.stores.identity(PRIMARY)
    _give(repository, PRIMARY, found or recorded or secrets.token_hex(16))


def verify_replica(repository: Repository, name: str) -> None:
    """Check that a replica is this library's, or holds nothing yet. Reads one small object; writes nothing.

    Raises `ReplicaNotRecognised`, `StoreFault`, `DatabaseFault`.
    """
    found, identity = read_identity(repository.replicas[name]), repository.stores.identity(PRIMARY)
    adoption = f"{_ADOPT} --store {name}"
    if found is not None and found == identity:
        return
    if found is not None:
        raise ReplicaNotRecognised(store=name, reason=_other(found, adoption))
    was_identified = repository.stores.identity(name) is not None
    if _is_filled(repository, name) and (was_identified or not _holds_works(repository, name)):
        raise ReplicaNotRecognised(store=name, reason=_EMPTIED.format(command=adoption))


def recognise_replica(repository: Repository, name: str) -> None:
    """Check a replica as `verify_replica` does, and give it the library's identity if it has none.

    Raises `ReplicaNotRecognised`, `StoreFault`, `DatabaseFault`.
    """
    verify_replica(repository, name)
    identity = repository.stores.identity(PRIMARY)
    if identity is not None:  # else nothing has prepared the primary store
        _give(repository, name, identity)


def adopt(repository: Repository, name: str) -> None:
    """Give a store ('' for the primary) the identity of the library, whatever it has now.

    An operator decides this. Raises `StoreNotRecognised` for a store that does not hold the works that it is recorded
    to hold, `StoreFault`, `DatabaseFault`.
    """
    if _is_filled(repository, name) and not _holds_works(repository, name):
        raise StoreNotRecognised(store=name or _primary_name(repository), reason=_WITHOUT_WORKS)
    identity = repository.stores.identity(PRIMARY) or read_identity(repository.store) or secrets.token_hex(16)
    _give(repository, name, identity)


def _give(repository: Repository, name: str, identity: str) -> None:
    """Write an identity into a store and record it, unless that is done already."""
    store = _store(repository, name)
    if read_identity(store) != identity:
        write_identity(store, identity)
    if repository.stores.identity(name) != identity:
        repository.stores.record(name, identity)


def _other(found: str, command: str) -> LocalizedText:
    """Return why a store is not recognised that has a file with another identity, or with none that can be read.

    `command` writes the file again.
    """
    return _OTHER if found else _DAMAGED.format(command=command)


def _is_filled(repository: Repository, name: str) -> bool:
    return bool(repository.stores.sample_works(name, 1)) if name else _knows_works(repository)


def _holds_works(repository: Repository, name: str) -> bool:
    """Return whether a store holds most of a sample of works; one damaged work does not stop the library.

    Without works, a log that has entries must be there.
    """
    store, works = _store(repository, name), repository.stores.sample_works(name, _SAMPLE)
    if not works:
        return store.exists(paths.LOG_CHECKPOINT)
    held = sum(store.exists(f"{paths.ocfl_object(work)}/{INVENTORY_NAME}") for work in works)
    return 2 * held > len(works)


def _knows_works(repository: Repository) -> bool:
    """Return whether the catalogue has works, or the log has signed entries."""
    return bool(repository.catalogue.counts().works) or bool(remembered_size(repository))


def _store(repository: Repository, name: str) -> ObjectStore:
    return repository.replicas[name] if name else repository.store


def _primary_name(repository: Repository) -> str:
    return store_name(repository.settings.store_url)
