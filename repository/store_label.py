"""The short name of a store for people. (pure)"""

from __future__ import annotations

from pathlib import PurePosixPath


def store_label(store: str) -> str:
    """Return a store's name for a page or a mail: the last part of a folder, or the bucket and prefix.

    A page does not disclose the server's folders.
    """
    return store.partition("?")[0] if "://" in store else PurePosixPath(store).name
