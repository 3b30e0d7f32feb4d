"""Tells which page of a work each page of a text with page breaks is (`page_texts.py`, rule 2). (pure)"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from repository.model.work import Page
from workers.text.source import SourcePage


def match_breaks(sources: Sequence[SourcePage], pages: Sequence[Page]) -> list[Page] | None:
    """Return the page of each page of a text, None if that is not certain. Several may be of one page."""
    pictured = [page for page in pages if page.images]
    matched = (
        _matched([_file_names(source.image) for source in sources], _by_file(pages))
        or _matched_once([[source.name] for source in sources], _by_name(pages))
        or _matched_once([[source.name.rpartition("-")[2]] for source in sources], _by_name(pages))
    )
    if matched:
        return matched
    for candidates in (pages, pictured):
        if len(candidates) == len(sources):
            return list(candidates)
    if pictured and len(sources) == 2 * len(pictured):
        return [page for page in pictured for _ in range(2)]
    return None


def _matched(names: Sequence[Sequence[str]], known: Mapping[str, Page]) -> list[Page] | None:
    """Return the page that each list of names means by the first name that is known; None unless all mean one."""
    found = [next((known[name] for name in each if name in known), None) for each in names]
    pages = [page for page in found if page]
    return pages if found and len(pages) == len(found) else None


def _matched_once(names: Sequence[Sequence[str]], known: Mapping[str, Page]) -> list[Page] | None:
    """Return what `_matched` returns if no page is meant twice."""
    pages = _matched(names, known)
    return pages if pages and len({page.key for page in pages}) == len(pages) else None


def _by_file(pages: Sequence[Page]) -> dict[str, Page]:
    return {**_unique(pages, lambda page: [_stem(page.key)]), **{page.key: page for page in pages}}


def _by_name(pages: Sequence[Page]) -> dict[str, Page]:
    return _unique(pages, lambda page: [_stem(page.key), page.label, page.leaf or ""])


def _unique(pages: Sequence[Page], names_of: Callable[[Page], Iterable[str]]) -> dict[str, Page]:
    """Return pages by the names that no other page has."""
    named = [(name, page) for page in pages for name in set(names_of(page)) if name]
    counts = Counter(name for name, _ in named)
    return {name: page for name, page in named if counts[name] == 1}


def _file_names(image: str) -> list[str]:
    """Return the names that a reference to a picture may have as a page: with its folder, and without."""
    folder, _, name = image.replace("\\", "/").rpartition("/")
    stem = name.rpartition(".")[0] or name
    return [f"{folder.rpartition('/')[2]}/{stem}", stem] if stem else []


def _stem(key: str) -> str:
    return key.rpartition("/")[2]
