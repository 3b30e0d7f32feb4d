"""Prepares a repository for use: bucket, tables, the store's identity, OCFL declaration and canaries, the signing key.

Every function may be repeated.
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from typing import Final
from urllib.parse import urlsplit

from preservation.fixity.canaries import prepare_canaries
from preservation.log import key_file
from preservation.log.sequencer import load_signer, log_key
from preservation.log.signing_key import Signer, check_origin
from preservation.log.tiles import has_tiles
from preservation.ocfl import objects
from preservation.salt import prepare_salt
from preservation.store_identity import recognise_primary
from repository import paths
from repository.clock import timestamp
from repository.config import Settings
from repository.database.store_registry import PRIMARY
from repository.errors import Busy, DependencyMissing, IntegrityError, SettingInvalid, StoreFault
from repository.localized import LocalizedText
from repository.repository import Repository, open_repository
from workers.published_edition import prepare_edition
from workers.store_preparation import prepare_store
from workers.tasks.log_keys import finish_change
from workers.tasks.outdated import heed_log

_WAIT_SECONDS: Final = 60.0


def bootstrap(settings: Settings) -> Repository:
    """Open the repository of these settings and create what does not exist yet. Raises `SystemFault`.

    Replicas are prepared when something is first copied to them, so that the repository opens without them.
    """
    prepare_store(settings.store_url, settings)
    return prepare_repository(open_repository(settings))


def bootstrap_to_rebuild(settings: Settings) -> Repository:
    """Open and prepare the repository for a rebuild, which needs no key: one that cannot be used is left alone.

    Raises `SystemFault`.
    """
    prepare_store(settings.store_url, settings)
    repository = open_repository(settings)
    with suppress(SettingInvalid):
        return prepare_repository(repository)
    objects.prepare_storage_root(repository.store)
    return repository


def bootstrap_to_serve(settings: Settings) -> StoreFault | None:
    """Prepare the repository for a process that serves. Return the fault of a store that is unavailable, or None.

    Without the store, and where the data folder can only be read, what writing needs is not prepared. Raises all other
    faults that `bootstrap` raises.
    """
    repository = open_repository(settings)
    if settings.is_read_only:
        return None
    try:
        prepare_store(settings.store_url, settings)
        prepare_repository(repository)
    except StoreFault as fault:
        if not fault.transient:
            raise
        if repository.log_sequence.verifier_keys() is not None:
            _check_key(repository)
        return fault
    return None


def prepare_repository(repository: Repository) -> Repository:
    """Recognise the store, prepare the log's key and declare the store an OCFL storage root. Return the repository.

    Nothing is written into a store that is not recognised. The first machine creates the log's signing key and records
    the public key in the database. Other machines never create one: they work without it, and machines that have the
    key sign. If the store has a log whose key is nowhere, none is created: everything but the log works until the key
    is put back. Raises `SettingInvalid` if this machine has another key or its settings name another log, and
    `StoreNotRecognised` if the store is not the one that this library filled.
    """
    busy = Busy(what=LocalizedText("存储的识别", "the identity of the store"))
    with repository.locks.hold("store identity", _WAIT_SECONDS, busy):
        recognise_primary(repository)
    with repository.locks.hold("log key", _WAIT_SECONDS, Busy(what=LocalizedText("日志密钥", "the log's key"))):
        _prepare_key(repository)
        prepare_salt(repository, keeps_file=(repository.settings.keys / key_file.KEY_FILE).exists())
    objects.prepare_storage_root(repository.store)
    prepare_canaries(repository, PRIMARY)
    prepare_edition(repository)
    with suppress(DependencyMissing, IntegrityError):  # reported by those who write and check the log
        heed_log(repository)
    return repository


def _prepare_key(repository: Repository) -> None:
    settings, log_sequence = repository.settings, repository.log_sequence
    has_key = (settings.keys / key_file.KEY_FILE).exists()
    passphrase = settings.signing_passphrase() if has_key or log_sequence.verifier_keys() is None else ""
    if log_sequence.verifier_keys() is None:
        if not has_key and (repository.store.exists(paths.LOG_CHECKPOINT) or has_tiles(repository.store)):
            return
        if settings.log_origin or not has_key:
            origin, now = settings.log_origin or _default_origin(settings), timestamp(repository.clock())
            key_file.load_or_create(settings.keys, origin, now, passphrase)
        signer = load_signer(settings)
        log_sequence.register_log(signer.origin, signer.keys.text())
    elif has_key:
        finish_change(repository)
    if passphrase and has_key and not settings.is_read_only:
        key_file.encrypt_file(settings.keys, passphrase)
    _check_key(repository)


def _check_key(repository: Repository) -> None:
    key = log_key(repository)
    origin = key.origin if isinstance(key, Signer) else key.name
    check_origin(origin, repository.settings.log_origin)


def _default_origin(settings: Settings) -> str:
    """Return the origin of a new log (C2SP tlog-checkpoint): derived from the public address, else random."""
    if settings.base_url:
        parts = urlsplit(settings.base_url)
        return f"{parts.netloc}{parts.path}/log"
    return f"shanben.local/log/{secrets.token_hex(4)}"
