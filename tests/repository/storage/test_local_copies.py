"""Local copies of files that a list in the store names."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from repository.storage.local_copies import CopySource, LocalCopies, StoredFile
from repository.storage.s3 import memory_store


def copies_of(folder: Path) -> LocalCopies[tuple[StoredFile, ...]]:
    store = memory_store()
    store.put("index/a", b"content")
    listed = (StoredFile("index/a", "a"),)
    return LocalCopies(CopySource(store, lambda _: listed, lambda files: files, 60.0, 60.0), folder)


def test_the_listed_files_are_copied(tmp_path: Path) -> None:
    assert copies_of(tmp_path).current(10) == (StoredFile("index/a", "a"),)
    assert (tmp_path / "a").read_bytes() == b"content"


def test_a_thread_that_cannot_be_started_is_started_by_a_later_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    copies = copies_of(tmp_path)
    with monkeypatch.context() as context:
        context.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError):
            copies.current(10)
    assert copies.current(10) == (StoredFile("index/a", "a"),)
