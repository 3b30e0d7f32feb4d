"""The names of stores in findings, reports, pages and mails. (pure)"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Final

from repository.localized import LocalizedText

PRIMARY_LABEL: Final = "store"
"""The name of the primary store in findings, repairs, events and reports, for people and programs."""


def store_label(store: str) -> str:
    """Return a store's name for a page or a mail: the last part of a folder, or the bucket and prefix.

    A page does not disclose the server's folders.
    """
    return store.partition("?")[0] if "://" in store else PurePosixPath(store).name


def store_in_words(store: str) -> LocalizedText:
    """Return a store within a sentence, by the name that findings give it; the Chinese for one before a character."""
    if store == PRIMARY_LABEL:
        return LocalizedText("主存储", "the primary store")
    label = store_label(store)
    return LocalizedText(f"存储 {label} ", f"the store {label}")
