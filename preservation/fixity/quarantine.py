"""The quarantine of a store, ``quarantine/``: what was found in it and does not belong there, moved and never deleted.

The key in the quarantine begins with the digest of the bytes, so that nothing in it is ever overwritten with something
else. The bytes are in the quarantine, read back, before they leave their old place. An interrupted move is completed
by the next.
"""

from __future__ import annotations

from typing import Final

from preservation.digests import sha256
from preservation.progress import ignore_progress
from preservation.replication.transfer import NamedStore, transfer_preserved
from repository.paths import LOG, OCFL_ROOT, quarantined

_CHECKED: Final = (f"{OCFL_ROOT}/", f"{LOG}/")


def keep_copy(store: NamedStore, key: str) -> str:
    """Copy an object of a store into its quarantine and read it back; return the key there.

    Raises `KeyNotFound`, `DigestMismatch`, `StoreFault`.
    """
    digest = sha256(store.store.chunks(key))
    kept = quarantined(digest, key)
    exists = store.store.exists(kept)
    transfer_preserved(store, store, kept, digest, exists=exists, on_progress=ignore_progress, source_key=key)
    return kept


def move_into_quarantine(store: NamedStore, key: str) -> str:
    """Move an unexpected object of a store into its quarantine; return the key there.

    The caller has found that no inventory, no unfinished version and no log explains it. Raises as `keep_copy`.
    """
    if not key.startswith(_CHECKED):
        raise ValueError(key)
    kept = keep_copy(store, key)
    store.store.delete(key)
    return kept
