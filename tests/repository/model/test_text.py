"""The text of pages as values."""

from __future__ import annotations

from repository.model.text import PageText, TextKind, TextLine, best_texts


def page_text(page: str, kind: TextKind, words: str, quality: float | None = None, corrected: bool = False) -> PageText:
    return PageText(page, kind, (TextLine(words),), quality=quality, is_corrected=corrected)


def test_the_best_text_of_a_page_is_the_most_trustworthy() -> None:
    texts = [
        page_text("1", TextKind.TRANSLATION, "study"),
        page_text("1", TextKind.OCR, "子日", 0.9),
        page_text("1", TextKind.OCR, "子曰学", 0.8, corrected=True),
        page_text("1", TextKind.TRANSCRIPTION, "子曰學"),
        page_text("2", TextKind.OCR, "而时", 0.5),
        page_text("2", TextKind.OCR, "而時", 0.9),
        page_text("3", TextKind.OCR, "習之", 0.99),
        page_text("3", TextKind.OCR, "习之", corrected=True),
        page_text("4", TextKind.TRANSLATION, "joy"),
    ]
    assert {page: text.plain() for page, text in best_texts(texts).items()} == {
        "1": "子曰學\n",
        "2": "而時\n",
        "3": "习之\n",
    }
