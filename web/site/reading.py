"""What the reader offers at a page: where its links to other pages lead, and choices of photograph and order. (pure)"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from repository.localized import Language
from repository.model.work import Page, Work
from web.messages.interface import translate


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a row of choices, with the address that chooses it."""

    label: str
    address: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class Turns:
    """The pages to which the links of a page lead in an order of reading; None at the ends.

    `order` is 0 for that of the pages, else the number of the work's sequence, from 1.
    """

    order: int
    first: int | None
    previous: int | None
    next: int | None
    last: int | None


def sequences(work: Work) -> list[tuple[str, list[int]]]:
    """Return the other orders of reading of a work: their labels and the numbers of their pages."""
    numbers = {page.key: number for number, page in enumerate(work.pages(), start=1)}
    found = [(part.label, [numbers[key] for key in part.pages]) for part in work.ranges if part.sequence]
    return [(label, pages) for label, pages in found if pages]


def turns(work: Work, number: int, order: int) -> Turns:
    """Return where the links of a page lead. A page without a place in the order has the first of it as the next."""
    total = sum(1 for _ in work.pages())
    pages = sequences(work)[order - 1][1] if order else list(range(1, total + 1))
    place = pages.index(number) if number in pages else -1
    is_last = place == len(pages) - 1
    return Turns(
        order,
        pages[0] if place > 0 else None,
        pages[place - 1] if place > 0 else None,
        None if is_last else pages[place + 1],
        None if is_last else pages[-1],
    )


def photographs(page: Page, number: int, chosen: int, order: int, language: Language) -> Sequence[Choice]:
    """Return the photographs of a page, counted from 1."""
    suffix = f"&order={order}" if order else ""
    return [
        Choice(
            image.label or translate(language, "reader.photograph", number=place),
            f"?page={number}{f'&photograph={place}' if place > 1 else ''}{suffix}",
            place == chosen,
        )
        for place, image in enumerate(page.images, start=1)
    ]


def orders(work: Work, number: int, chosen: int, language: Language) -> Sequence[Choice]:
    """Return the orders of reading: that of the pages, then the sequences of the work."""
    labels = [translate(language, "reader.as-bound"), *(label for label, _ in sequences(work))]
    return [
        Choice(label, f"?page={number}{f'&order={order}' if order else ''}", order == chosen)
        for order, label in enumerate(labels)
    ]


def page_label(page: Page, language: Language) -> str:
    """Return the label of a page, with the reason why it has no picture, as its canvas has it."""
    if page.images:
        return page.label
    reason = translate(language, "work.unphotographed" if page.unphotographed else "work.missing")
    return f"{page.label}（{reason}）" if language is Language.CHINESE else f"{page.label} ({reason.lower()})"
