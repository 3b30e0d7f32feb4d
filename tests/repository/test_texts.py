"""The stored text of a work's pages."""

from __future__ import annotations

import pytest

from repository import paths
from repository.model.text import PageText, TextKind, TextLine, best_texts
from repository.model.work import Rectangle
from repository.storage.s3 import memory_store
from repository.storage.store import ObjectStore
from repository.texts import (
    TextsDamaged,
    delete_texts,
    pages_with_text,
    put_texts,
    texts_of,
    texts_of_page,
    texts_of_pages,
    texts_version,
)

WORK = "w" + "a" * 25
TEXTS = (
    PageText(
        "volume-1/0001",
        TextKind.OCR,
        (TextLine("天地玄黃", Rectangle(10, 20, 30, 400)), TextLine("注", Rectangle(1, 2, 3, 4), is_note=True)),
        source="rapidocr 3.10",
        quality=0.95,
    ),
    PageText("volume-1/0001", TextKind.TRANSCRIPTION, (TextLine("天地玄黃"),), language="lzh"),
    PageText("volume-1/0002", TextKind.TRANSLATION, (TextLine("Heaven"),), "a translator", language="en"),
)


@pytest.fixture
def store() -> ObjectStore:
    return memory_store()


def test_texts_are_read_as_they_were_stored_the_best_of_each_page_first(store: ObjectStore) -> None:
    put_texts(store, WORK, "v", TEXTS)
    assert list(texts_of(store, WORK)) == [TEXTS[1], TEXTS[0], TEXTS[2]]
    assert best_texts(texts_of(store, WORK)) == {"volume-1/0001": TEXTS[1]}
    assert texts_of_page(store, WORK, "volume-1/0001") == (TEXTS[1], TEXTS[0])
    assert texts_of_page(store, WORK, "volume-1/0003") == ()
    assert texts_version(store, WORK) == "v"


def test_the_directory_tells_which_pages_have_text_of_which_kind(store: ObjectStore) -> None:
    put_texts(store, WORK, "v", TEXTS)
    kinds = {TextKind.TRANSCRIPTION, TextKind.OCR}
    assert pages_with_text(store, WORK) == {"volume-1/0001": kinds, "volume-1/0002": {TextKind.TRANSLATION}}


def test_a_directory_longer_than_the_first_read_is_read_completely(store: ObjectStore) -> None:
    many = [PageText(f"{number:06d}", TextKind.OCR, (TextLine(str(number)),)) for number in range(6000)]
    put_texts(store, WORK, "v", many)
    assert len(pages_with_text(store, WORK)) == 6000
    assert texts_of_page(store, WORK, "005999") == (many[-1],)


def test_pages_that_follow_each_other_are_read_at_once(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    many = [PageText(f"{number:04d}", TextKind.OCR, (TextLine(str(number)),)) for number in range(90)]
    put_texts(store, WORK, "v", many)
    reads, read_range = [], store.read_range

    def counted(key: str, start: int, length: int) -> bytes:
        reads.append(start)
        return read_range(key, start, length)

    monkeypatch.setattr(store, "read_range", counted)
    found = texts_of_pages(store, WORK, ["none", *(text.page for text in many[40:80])])
    assert found == {text.page: (text,) for text in many[40:80]}
    assert len(reads) == 2
    assert texts_of_pages(store, WORK, ["none"]) == {}


def test_a_work_without_text_has_none(store: ObjectStore) -> None:
    assert list(texts_of(store, WORK)) == []
    assert texts_of_page(store, WORK, "0001") == ()
    assert texts_of_pages(store, WORK, ["0001"]) is None
    assert pages_with_text(store, WORK) == {}
    assert texts_version(store, WORK) is None
    assert not delete_texts(store, WORK)


def test_the_same_texts_are_stored_once_and_no_texts_remove_the_document(store: ObjectStore) -> None:
    assert put_texts(store, WORK, "v", TEXTS)
    assert not put_texts(store, WORK, "v", TEXTS)
    assert put_texts(store, WORK, "v", ())
    assert not store.exists(paths.page_texts(WORK))


@pytest.mark.parametrize("damage", [b"", b"{}\n", b'{"version":"v","pages":{"0001":[0,5,["ocr"]]}}\n{"pa\xff'])
def test_damaged_text_is_refused(store: ObjectStore, damage: bytes) -> None:
    store.put(paths.page_texts(WORK), damage)
    with pytest.raises(TextsDamaged):
        texts_of_page(store, WORK, "0001")
    with pytest.raises(TextsDamaged):
        list(texts_of(store, WORK))
