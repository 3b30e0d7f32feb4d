"""A selection of pages of a work: ``pages=1-20,25``, numbers from 1 as the reader counts them. (pure)"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Final

from repository.errors import RequestInvalid
from repository.localized import LocalizedText

LONGEST: Final = 1000
"""Characters of a selection, at most."""

_RUN: Final = re.compile(r"(\d{1,6})(?:-(\d{0,6}))?", re.ASCII)
_FORM: Final = LocalizedText(
    "请写 1 至 {last} 之间的页次，如 1-20,25", "write numbers of pages from 1 to {last}, such as 1-20,25"
)


def selected_pages(text: str, last: int) -> list[int]:
    """Return the numbers of the selected pages in the order of the book, each once; all of them for ''.

    A run without an end (``20-``) ends with the last page. Raises `RequestInvalid`.
    """
    if not text:
        return list(range(1, last + 1))
    selected: set[int] = set()
    for part in text[: LONGEST + 1].split(","):
        run = _RUN.fullmatch(part.strip())
        first = int(run[1]) if run else 0
        end = first if run is None or run[2] is None else int(run[2] or last)
        if len(text) > LONGEST or not 1 <= first <= end <= last:
            raise RequestInvalid(part="pages", reason=_FORM.format(last=last))
        selected |= set(range(first, end + 1))
    return sorted(selected)


def selection_of(numbers: Iterable[int]) -> str:
    """Return the shortest selection of these pages: the inverse of `selected_pages`, which raises if it is too long."""
    ordered = sorted(set(numbers))
    runs = groupby(enumerate(ordered), lambda entry: entry[1] - entry[0])
    return ",".join(_run_of([number for _, number in run]) for _, run in runs)


def _run_of(run: Sequence[int]) -> str:
    return str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}"
