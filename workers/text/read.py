"""Reads a file of text in whatever form it is. (pure)

The content decides the form, not the name. `read_text` runs in a sandbox (`workers/deposit/examiner.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from repository.faults import Fault
from repository.localized import LocalizedText
from workers.text.alto import read_alto
from workers.text.hocr import is_hocr, read_hocr
from workers.text.kanripo import is_kanripo, read_kanripo
from workers.text.page_xml import read_page_xml
from workers.text.plain import read_plain
from workers.text.source import MAX_BYTES, MAX_LINES, MAX_PAGES, SourceText, TextProblem, too_large
from workers.text.tei import read_tei
from workers.text.xml_input import parse_html, parse_xml
from workers.untrusted_xml import Element, local_name

READING: Final = 1
"""The version of the readers: one more whenever they read the same file differently."""

_ROOTS: Final[Mapping[str, Callable[[Element], SourceText]]] = {
    "alto": read_alto,
    "PcGts": read_page_xml,
    "TEI": read_tei,
    "TEI.2": read_tei,
    "teiCorpus": read_tei,
}
_FORMS: Final = LocalizedText(
    "可用的格式：ALTO、PAGE XML、hOCR、TEI P5、纯文本（UTF-8）、带 <pb:…> 标记的文本",
    "the forms are ALTO, PAGE XML, hOCR, TEI P5, plain text (UTF-8), and text with <pb:…> marks",
)


class ReadText(NamedTuple):
    """The text of a file, None if it cannot be read, and its faults."""

    text: SourceText | None
    faults: tuple[Fault, ...] = ()


def read_text(content: bytes, name: str) -> ReadText:
    """Return the text of a file of at most `MAX_BYTES`, and its faults, which name the file `name`."""
    try:
        text = _read(content)
    except TextProblem as problem:
        return ReadText(None, (Fault(name, problem.place, problem.code, problem.message),))
    return ReadText(text)


def _read(content: bytes) -> SourceText:
    if len(content) > MAX_BYTES:
        raise too_large(f"{MAX_BYTES >> 20} MiB", f"{MAX_BYTES >> 20} MiB")
    start = content[:1024].replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
    # A text with page marks may begin with one, and is no XML.
    is_markup = start.startswith(b"<") and not start.startswith(b"<pb:")
    text = _read_markup(content, start) if is_markup else _read_plain(content)
    if len(text.pages) > MAX_PAGES:
        raise too_large(f"{MAX_PAGES} 页", f"{MAX_PAGES} pages")
    if sum(len(page.lines) for page in text.pages) > MAX_LINES:
        raise too_large(f"{MAX_LINES} 行", f"{MAX_LINES} lines")
    return text


def _read_markup(content: bytes, start: bytes) -> SourceText:
    head = start[:1024].lower()
    if b"<html" in head or head.startswith(b"<!doctype html"):
        if is_hocr(content):
            return read_hocr(parse_html(content))
        raise _unknown_form("HTML")
    root = parse_xml(content)
    read = _ROOTS.get(local_name(root))
    if read is None:
        raise _unknown_form(f"<{local_name(root)[:40]}>")
    return read(root)


def _read_plain(content: bytes) -> SourceText:
    text = _decoded(content)
    return read_kanripo(text) if is_kanripo(text) else read_plain(text)


def _decoded(content: bytes) -> str:
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as fault:
        raise TextProblem(
            "text.encoding",
            f"byte {fault.start}",
            LocalizedText(
                "文件不是 UTF-8 编码；请另存为 UTF-8", "the file is not encoded in UTF-8; save it again as UTF-8"
            ),
        ) from fault
    if "\0" in text:
        raise _unknown_form(LocalizedText("二进制文件", "binary data"))
    return text


def _unknown_form(seen: str | LocalizedText) -> TextProblem:
    found = seen if isinstance(seen, LocalizedText) else LocalizedText(seen, seen)
    return TextProblem(
        "text.form",
        "",
        LocalizedText(
            f"不认识这种文本（{found.zh}）；{_FORMS.zh}", f"the form of the text is unknown ({found.en}); {_FORMS.en}"
        ),
    )
