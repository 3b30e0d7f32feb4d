"""Assigns files of text to the pages of a work. (pure)

1. A file is the text of the page whose name it has: ``text/0001.xml``, ``text/volume-1/0001.txt``. Folders between
   ``text`` and this name may tell several texts of a page apart: ``text/translation/volume-1/0001.txt``.
2. A file that divides its text by page breaks, as TEI and kanripo's do, covers the volume whose folder it is named
   after or lies in, else the whole work, unless the record states its pages. Such files of one folder are read one
   after the other, in the order of their names. Their page breaks are assigned by the first of these rules that holds
   for all of them: each names the picture of a page (TEI's ``facs``); each names a page, by its name, its label, or its
   leaf as catalogued, if that names one page only; there are as many breaks as pages, or as pages with pictures; there
   are twice as many, because each picture shows two half-leaves.
3. Anything else is a fault: text is never assigned by guess.

Boxes are scaled from the page size in the file to the pixels of the page's first image, and clipped to it. If both
have not the same shape, the text keeps no places, which is a notice. Text that a redaction of any
photograph of the page covers is left out; so is text without a place on a page with redactions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from repository.faults import Fault
from repository.localized import LocalizedText
from repository.model.text import PageText, TextLine
from repository.model.work import Page
from workers.deposit.naming import natural_key
from workers.deposit.ordering import tokens
from workers.deposit.ranges import find_run
from workers.deposit.text_breaks import match_breaks
from workers.text.places import has_shape_of, is_visible, placed
from workers.text.source import SourcePage, SourceText
from workers.text.statement import TEXT_FOLDER, TextStatement, statement_of

_NO_PAGE: Final = (
    "没有与此文件同名的书页；文本须与图像同名，分册者放入同名文件夹",
    "no page has the name of this file; name the text as its picture, in a folder named as its volume, if any",
)
_OTHER_SHAPE: Final = LocalizedText(
    "文本所记页面的宽高比与图像不符，文字照录，位置不用；请核对文本是否据此图像制作",
    "the page in the file has another shape than the picture: the text is kept without its places; check that it was"
    " made from this picture",
)


@dataclass(frozen=True, slots=True)
class AssignedTexts:
    """The texts of pages in the order of the pages, and what is wrong or should be known."""

    texts: tuple[PageText, ...]
    faults: tuple[Fault, ...] = ()
    notices: tuple[Fault, ...] = ()


def assign_texts(
    pages: Sequence[Page], files: Mapping[str, SourceText], statements: Sequence[TextStatement]
) -> AssignedTexts:
    """Return the texts of pages that files, by their paths (``text/...``), hold by these statements."""
    assigner = _Assigner(pages, statements)
    broken: list[str] = []
    for path in sorted(files, key=natural_key):
        page = assigner.page_named(path)
        if page and len(files[path].pages) == 1:
            assigner.add(path, files[path], files[path].pages[0], (page,))
        elif files[path].has_breaks:
            broken.append(path)
        else:
            assigner.refuse(path, "text.page", *_NO_PAGE)
    for _, group in groupby(broken, lambda path: (path.rpartition("/")[0], assigner.stated_pages(path))):
        paths = list(group)
        assigner.add_broken({path: files[path] for path in paths})
    return assigner.result()


class _Assigner:
    """Collects the texts of pages, the faults and the notices."""

    def __init__(self, pages: Sequence[Page], statements: Sequence[TextStatement]) -> None:
        self._pages = pages
        self._statements = statements
        self._by_key = {page.key: page for page in pages}
        self._by_tokens = {tokens(page.key): page for page in pages}
        self._volumes = {page.key.rpartition("/")[0] for page in pages}
        self._texts: list[PageText] = []
        self._faults: list[Fault] = []
        self._notices: list[Fault] = []

    def page_named(self, path: str) -> Page | None:
        """Return the page whose name a file has, below any folders."""
        parts = _name_of(path).split("/")
        for names in ("/".join(parts[at:]) for at in range(len(parts))):
            if page := self._by_key.get(names) or self._by_tokens.get(tokens(names)):
                return page
        return None

    def stated_pages(self, path: str) -> str:
        """Return the run of pages that the record states for a file."""
        return statement_of(path, self._statements).pages

    def add(self, path: str, file: SourceText, source: SourcePage, pages: Iterable[Page]) -> None:
        """Add the text of a page of a file to a page of the work; to several if the picture shows more than one."""
        statement = statement_of(path, self._statements)
        for page in pages:
            lines = tuple(self._placed_lines(path, source, page))
            if lines:
                self._texts.append(statement.describe(PageText(page.key, file.kind, lines), file))

    def add_broken(self, files: Mapping[str, SourceText]) -> None:
        """Add the pages of files that are one text, one file after the other."""
        first = next(iter(files))
        covered = self._covered(first)
        if covered is None:
            run = self.stated_pages(first)
            zh, en = f"没有书页 {run}；请核对 [[text]] 的 pages", f"there are no pages {run}; check pages in [[text]]"
            self.refuse(first, "text.pages", zh, en)
            return
        sources = [(path, source) for path, file in files.items() for source in file.pages]
        matched = match_breaks([source for _, source in sources], covered)
        if matched is None:
            self.refuse(first, "text.pages", *_unmatched([source for _, source in sources], covered, len(files)))
            return
        merged: dict[tuple[str, str], SourcePage] = {}
        for (path, source), page in zip(sources, matched, strict=True):
            before = merged.get((path, page.key))
            lines = (*before.lines, *source.lines) if before else source.lines
            merged[path, page.key] = SourcePage(lines, source.name, source.image, source.size)
        for (path, key), source in merged.items():
            self.add(path, files[path], source, (self._by_key[key],))

    def _covered(self, path: str) -> Sequence[Page] | None:
        """Return the pages that a file with page breaks covers; None if the record states pages that do not exist."""
        if run := self.stated_pages(path):
            found = find_run(run, {page.key: at for at, page in enumerate(self._pages)})
            return self._pages[found[0] : found[1] + 1] if found and found[0] <= found[1] else None
        parts = _name_of(path).split("/")
        for name in reversed(parts):
            if name in self._volumes:
                return [page for page in self._pages if page.key.rpartition("/")[0] == name]
        return self._pages

    def refuse(self, path: str, code: str, zh: str, en: str) -> None:
        self._faults.append(Fault(path, "", code, LocalizedText(zh, en)))

    def result(self) -> AssignedTexts:
        places = {page.key: at for at, page in enumerate(self._pages)}
        texts = sorted(self._texts, key=lambda text: places[text.page])
        return AssignedTexts(tuple(texts), tuple(self._faults), tuple(self._notices))

    def _placed_lines(self, path: str, source: SourcePage, page: Page) -> Iterator[TextLine]:
        image = page.images[0] if page.images else None
        fits = image is None or has_shape_of(source.size, image)
        if not fits and any(line.box for line in source.lines):
            self._notices.append(Fault(path, source.name, "text.shape", _OTHER_SHAPE))
        for line in source.lines:
            region = placed(line.box, source.size, image) if image and fits and line.box else None
            if is_visible(region, page):
                yield TextLine(line.text, region, line.is_note)


def _name_of(path: str) -> str:
    """Return the path of a file below the folder of texts, without its suffix."""
    folder, _, name = path.removeprefix(f"{TEXT_FOLDER}/").rpartition("/")
    stem = name.rpartition(".")[0] or name
    return f"{folder}/{stem}" if folder else stem


def _unmatched(sources: Sequence[SourcePage], pages: Sequence[Page], files: int) -> tuple[str, str]:
    shown, count = sum(bool(page.images) for page in pages), len(sources)
    names = [source.name for source in sources if source.name]
    first = f"{names[0]} … {names[-1]}" if names else "?"
    zh = (
        f"文本（{files} 个文件，{first}）分为 {count} 页，所对应的书有 {len(pages)} 页、{shown} 幅图像，无法逐页对应；"
        "请用 facs 注明图像文件名，或在 [[text]] 的 pages 中写明起止页"
    )
    en = (
        f"the text ({files} {'file' if files == 1 else 'files'}, {first}) has {count} pages for {len(pages)} pages of"
        f" the book with {shown} pictures, and they cannot be matched; name the pictures by facs, or state the first"
        " and the last page by pages in [[text]]"
    )
    return zh, en
