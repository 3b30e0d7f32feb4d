"""TEI that is written has the lines, notes and places of the texts when it is read again."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from iiif_server.records.context import RecordContext
from iiif_server.records.tei import tei_document
from repository.model.access import AccessVerdict, Decision
from repository.model.text import PageText, TextKind, TextLine
from repository.model.work import Dating, Image, Master, Page, Record, Rectangle, Volume, Work
from workers.text.read import read_text
from workers.text.source import clean_line

CONTEXT = RecordContext("https://books.example", "某館", Decision(AccessVerdict.OPEN), "")
RECORD = Record("論語 & 集注", creator=("朱熹",), date=Dating("宋"), edition="刻本", language=("lzh",))
PICTURE = Image("i1", 4000, 5000, Master("masters/1.tif", "0" * 64, 1, "image/tiff"))
WORK = Work("w1", RECORD, (Volume("", (Page("1", "葉一", (PICTURE,)), Page("2", "葉二"), Page("3", "葉三 <上>"))),))

PLACES = st.builds(Rectangle, st.integers(0, 999), st.integers(0, 999), st.integers(1, 999), st.integers(1, 999))
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=12)
LINES = st.lists(
    st.builds(TextLine, TEXTS.map(clean_line).filter(bool), st.none() | PLACES, st.booleans()), min_size=1, max_size=5
)


@given(st.dictionaries(st.sampled_from(["1", "2", "3"]), LINES, min_size=1))
@settings(max_examples=60)
def test_tei_has_an_inverse(lines: dict[str, list[TextLine]]) -> None:
    texts = {key: PageText(key, TextKind.TRANSCRIPTION, tuple(of)) for key, of in lines.items()}
    read = read_text(tei_document(WORK, texts, CONTEXT), "book.xml").text
    assert read
    assert [page.name for page in read.pages] == ["葉一", "葉二", "葉三 <上>"]
    for page, key in zip(read.pages, "123", strict=True):
        written = lines.get(key, [])
        assert [(line.text, line.is_note) for line in page.lines] == [(line.text, line.is_note) for line in written]
    boxes = [line.box and tuple(map(int, line.box)) for line in read.pages[0].lines]
    corners = [(r.x, r.y, r.x + r.width, r.y + r.height) if (r := line.region) else None for line in lines.get("1", [])]
    assert boxes == corners


def test_header_says_what_the_work_is_and_where_its_text_comes_from() -> None:
    text = PageText("1", TextKind.OCR, (TextLine("學而"),), "engine 1.0", language="lzh")
    root = etree.fromstring(tei_document(WORK, {"1": text}, CONTEXT))
    words = " ".join("".join(root[0].itertext()).split())
    for part in ("論語 & 集注", "朱熹", "某館", "w1", "宋", "刻本", "ocr: engine 1.0"):
        assert part in words
    graphic = root.find(".//{*}graphic")
    assert graphic is not None
    assert graphic.get("url") == "https://books.example/iiif/image/3/i1/full/max/0/default.jpg"
    assert root.find("{*}text").get("{http://www.w3.org/XML/1998/namespace}lang") == "lzh"  # type: ignore[union-attr]
