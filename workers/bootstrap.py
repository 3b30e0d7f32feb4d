"""Making everything ready: bucket, tables, the signing key, the store's OCFL declaration. Safe to repeat."""

from __future__ import annotations

import secrets
from typing import Final
from urllib.parse import urlsplit

from preservation.log import signing_key
from preservation.log.notes import parse_verifier_key
from preservation.log.sequencer import verifier_key
from preservation.ocfl import objects
from repository import paths
from repository.config import Settings
from repository.errors import Busy, StoreFault
from repository.localized import LocalizedText
from repository.repository import Repository, open_repository
from repository.storage.address import S3_SCHEME

_WAIT_SECONDS: Final = 60.0


def bootstrap(settings: Settings) -> Repository:
    """The repository that `settings` describe, made where it was not there yet. Raises `SystemFault`.

    Replicas are made ready when something is first put there: one that is away does not keep the house from opening.
    """
    prepare_store(settings.store_url, settings)
    return make_ready(open_repository(settings))


def bootstrap_to_serve(settings: Settings) -> StoreFault | None:
    """The same for a process that serves: the fault of a store that is away and may come back, None when all is ready.

    Only writing needs what is then not made. Raises for everything else as `bootstrap` does.
    """
    repository = open_repository(settings)
    try:
        prepare_store(settings.store_url, settings)
        make_ready(repository)
    except StoreFault as fault:
        if not fault.transient:
            raise
        if repository.log_sequence.verifier_key() is not None:
            _check_key(repository)
        return fault
    return None


def prepare_store(address: str, settings: Settings) -> None:
    """Make the bucket of an address in S3, when it is absent; a folder needs nothing. Raises `SystemFault`."""
    if address.startswith(S3_SCHEME):
        # Imported here because boto3 takes as long to load as all else, and only S3 needs it.
        from repository.storage.s3_admin import prepare_bucket  # noqa: PLC0415

        prepare_bucket(address, settings)


def make_ready(repository: Repository) -> Repository:
    """The same repository, its log with a key, and its store declared an OCFL storage root.

    The first machine makes the log's signing key and tells the database its public half. Another machine never makes
    one: it goes on without, and leaves signing to those that have it. Raises `SettingInvalid` when this machine has
    another key or its settings name another log, `DependencyMissing` when a log lies in the store and nobody has its
    key.
    """
    with repository.locks.hold("log key", _WAIT_SECONDS, Busy(what=LocalizedText("密钥", "the keys"))):
        _make_key_ready(repository)
    objects.prepare_storage_root(repository.store)
    return repository


def _make_key_ready(repository: Repository) -> None:
    settings, log_sequence = repository.settings, repository.log_sequence
    here = (settings.keys / signing_key.KEY_FILE).exists()
    if log_sequence.verifier_key() is None:
        if not here and repository.store.exists(paths.LOG_CHECKPOINT):
            raise signing_key.signing_key_missing()
        if settings.log_origin or not here:
            signing_key.load_or_create(settings.keys, settings.log_origin or _default_origin(settings))
        signer = signing_key.load(settings.keys)
        log_sequence.register_log(signer.origin, signer.verifier_key)
    _check_key(repository)


def _check_key(repository: Repository) -> None:
    signing_key.check_origin(parse_verifier_key(verifier_key(repository)).name, repository.settings.log_origin)


def _default_origin(settings: Settings) -> str:
    """The name of a new log (C2SP tlog-checkpoint, origin): by the public address, else by chance."""
    if settings.base_url:
        parts = urlsplit(settings.base_url)
        return f"{parts.netloc}{parts.path}/log"
    return f"shanben.local/log/{secrets.token_hex(4)}"
