"""Readers of the forms of text."""

from __future__ import annotations

import pytest

from repository.model.text import TextKind
from workers.text.read import read_text
from workers.text.source import MAX_LINE, SourceLine, SourceText, TextForm

ALTO = """<?xml version="1.0"?>
<alto xmlns="http://www.loc.gov/standards/alto/ns-v{version}#"><Description>
<MeasurementUnit>{unit}</MeasurementUnit>
<sourceImageInformation><fileName>scans/0001.tif</fileName></sourceImageInformation>
<OCRProcessing><ocrProcessingStep><processingSoftware><softwareName>Engine</softwareName>
<softwareVersion>1.2</softwareVersion></processingSoftware></ocrProcessingStep></OCRProcessing></Description>
<Tags><OtherTag ID="n" LABEL="夹注"/></Tags>{order}
<Layout><Page WIDTH="100" HEIGHT="200"><PrintSpace>
<TextBlock ID="b1" IDNEXT="b3"><TextLine ID="l1" HPOS="1" VPOS="2" WIDTH="30" HEIGHT="40">
<String CONTENT="Ver" WC="0.5"/><HYP CONTENT="-"/></TextLine></TextBlock>
<TextBlock ID="b2" TAGREFS="n"><TextLine ID="l2"><String CONTENT="小" HPOS="5" VPOS="6" WIDTH="7" HEIGHT="8" WC="1"/>
<SP/><String CONTENT="字" HPOS="5" VPOS="14" WIDTH="7" HEIGHT="8"/></TextLine></TextBlock>
<TextBlock ID="b3"><TextLine ID="l3" HPOS="1" VPOS="50" WIDTH="3" HEIGHT="4"><String CONTENT="ein"/><SP/>
<String CONTENT="Wort"/></TextLine></TextBlock>
</PrintSpace></Page></Layout></alto>"""

PAGE = """<PcGts xmlns="https://any.example/2013"><Metadata><Creator>Somebody</Creator></Metadata>
<Page imageFilename="0001.jpg" imageWidth="1000" imageHeight="1000">{order}
<TextRegion id="r1"><Coords points="100,100 400,100 400,900 100,900"/>
<TextLine id="left" custom="structure {{type:Commentary;}}"><Coords points="100,100 200,100 200,900 100,900"/>
<TextEquiv index="1"><Unicode>不取</Unicode></TextEquiv>
<TextEquiv index="0"><Unicode>左</Unicode></TextEquiv></TextLine>
<TextLine id="right"><Coords points="300,100 400,100 400,900 300,900"/>
<Word><TextEquiv><Unicode>右</Unicode></TextEquiv></Word></TextLine>
<TextEquiv><Unicode>左右</Unicode></TextEquiv></TextRegion>
<TextRegion id="r2"><Coords points="600,100 700,100 700,900 600,900"/>
<TextEquiv><Unicode>第一行
第二行</Unicode></TextEquiv></TextRegion></Page></PcGts>"""

TEI = """<TEI xmlns="http://www.tei-c.org/ns/1.0"><teiHeader><fileDesc><titleStmt><title>論語</title></titleStmt></fileDesc>
</teiHeader><facsimile><surface xml:id="s1" ulx="0" uly="0" lrx="100" lry="200"><graphic url="0001.jpg"/>
<zone xml:id="z1" ulx="10" uly="20" lrx="30" lry="150"/></surface></facsimile>
<text xml:lang="lzh"><body><pb n="1a" facs="#s1"/><div><head>學而第一</head>
<p><lb facs="#z1"/>子曰<note place="inline">馬融
曰</note>學而<lb/>時<g ref="#x"/>習<gap unit="chars" quantity="2"/>之<note resp="#me">editor</note>
<choice><sic>亦</sic><corr>一</corr></choice></p></div><fw>論語 一</fw>
<pb n="1b" facs="0002.jpg"/><p>不亦<app><lem>說</lem><rdg>悅</rdg></app>乎 two  words</p></body></text></TEI>"""

KANRIPO = """# -*- mode: mandoku-view; -*-
#+TITLE: 書目
#+PROPERTY: ID KR2n0009
<pb:KR2n0009_WYG_001-1a>¶
　宋版經部¶
周易(一函/五冊)¶
夫&KR1793;水
¶
<pb:KR2n0009_WYG_001-1b>¶
** 2 《標題》
吾二臣者
皆不欲也。¶
"""

HOCR = """<!DOCTYPE html><html lang="de"><head><meta name="ocr-system" content="tesseract 5"/></head><body>
<div class="ocr_page" title="image &quot;0001.tif&quot;; bbox 0 0 100 200">
<span class="ocr_line" title="bbox 1 2 30 40"><span class="ocrx_word" title="bbox 1 2 3 4; x_wconf 90">two</span>
 <span class="ocrx_word" title="x_wconf 70">words</span></span>
<span class="ocr_line" title="bbox 1 50 30 90"><span class="ocrx_word">天</span> <span class="ocrx_word">地&shy;</span>
</div></body></html>"""


def read(content: str) -> SourceText:
    found = read_text(content.encode(), "text/0001.xml")
    assert not found.faults
    assert found.text
    return found.text


def texts(text: SourceText, page: int = 0) -> list[str]:
    return [line.text for line in text.pages[page].lines]


@pytest.mark.parametrize("version", [2, 3, 4])
def test_alto_gives_lines_notes_places_and_what_made_them(version: int) -> None:
    text = read(ALTO.format(version=version, unit="mm10", order=""))
    [page] = text.pages
    assert texts(text) == ["Ver-", "ein Wort", "小字"]
    assert page.lines[0].box == (1, 2, 31, 42)
    assert page.lines[2] == SourceLine("小字", (5, 6, 12, 22), is_note=True)
    assert (page.size, page.image) == ((100, 200), "scans/0001.tif")
    assert (text.kind, text.source, text.quality) == (TextKind.OCR, "Engine 1.2", 0.75)


def test_alto_lines_follow_the_order_that_the_file_states() -> None:
    order = '<ReadingOrder><OrderedGroup><ElementRef REF="b3"/><ElementRef REF="l2"/></OrderedGroup></ReadingOrder>'
    assert texts(read(ALTO.format(version=4, unit="pixel", order=order))) == ["ein Wort", "小字", "Ver-"]


def test_alto_without_a_page_size_has_places_only_in_pixels() -> None:
    bare = ALTO.replace('WIDTH="100" HEIGHT="200"', "")
    assert read(bare.format(version=3, unit="pixel", order="")).pages[0].lines[0].box
    assert read(bare.format(version=3, unit="inch1200", order="")).pages[0].lines[0].box is None


def test_page_xml_without_an_order_is_read_in_columns_from_the_right() -> None:
    text = read(PAGE.format(order=""))
    assert texts(text) == ["第一行", "第二行", "右", "左"]
    assert [line.is_note for line in text.pages[0].lines] == [False, False, False, True]
    assert text.pages[0].size == (1000, 1000)


def test_page_xml_regions_follow_the_stated_order() -> None:
    order = """<ReadingOrder><OrderedGroup><RegionRefIndexed index="1" regionRef="r2"/>
    <RegionRefIndexed index="0" regionRef="r1"/></OrderedGroup></ReadingOrder>"""
    assert texts(read(PAGE.format(order=order))) == ["右", "左", "第一行", "第二行"]
    custom = PAGE.replace('<TextLine id="right"', '<TextLine id="right" custom="readingOrder {{index:1;}}"')
    custom = custom.replace("structure {{", "readingOrder {{index:0;}} structure {{")
    assert texts(read(custom.format(order=""))) == ["第一行", "第二行", "左", "右"]


def test_tei_is_read_by_pages_and_lines_as_the_original_has_them() -> None:
    text = read(TEI)
    assert [(page.name, page.image) for page in text.pages] == [("1a", "0001.jpg"), ("1b", "0002.jpg")]
    assert texts(text) == ["學而第一", "子曰", "馬融曰", "學而", "時□習□□之亦"]
    assert text.pages[0].lines[2].is_note
    assert text.pages[0].lines[1].box == (10, 20, 30, 150)
    assert text.pages[0].size == (100, 200)
    assert texts(text, 1) == ["不亦說乎 two words"]
    assert (text.source, text.language, text.has_breaks) == ("論語", "lzh", True)


def test_kanripo_text_is_read_by_leaves_columns_and_notes() -> None:
    text = read(KANRIPO)
    assert [page.name for page in text.pages] == ["001-1a", "001-1b"]
    assert texts(text) == ["　宋版經部", "周易", "一函", "五冊", "夫□水"]
    assert [line.is_note for line in text.pages[0].lines] == [False, False, True, True, False]
    assert texts(text, 1) == ["2 《標題》", "吾二臣者皆不欲也。"]
    assert text.source == "書目 KR2n0009"


def test_hocr_gives_lines_and_no_space_between_ideographs() -> None:
    text = read(HOCR)
    assert texts(text) == ["two words", "天地-"]
    assert text.pages[0].lines[0].box == (1, 2, 30, 40)
    assert (text.pages[0].image, text.pages[0].size) == ("0001.tif", (100, 200))
    assert (text.quality, text.source, text.language) == (0.8, "tesseract 5", "de")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_plain_text_is_read_in_any_form_of_unicode(encoding: str) -> None:
    found = read_text("天地玄黃\r\n\r\n宇宙洪荒 \n".encode(encoding), "text/0001.txt")
    assert found.text
    assert found.text.form is TextForm.PLAIN
    assert texts(found.text) == ["天地玄黃", "宇宙洪荒"]


ENTITY = '<!DOCTYPE alto [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><alto>&b;</alto>'


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"<alto><Layout>", "text.syntax"),
        (b"<annotation/>", "text.form"),
        (b"<html><body>no OCR</body></html>", "text.form"),
        (b"<html><body class='ocr_page'>" + b"<b>" * 300, "text.limit"),
        (b"GIF89a\0\0", "text.form"),
        ("中文".encode("gb18030"), "text.encoding"),
        (ENTITY.encode(), "text.entity"),
        (ENTITY.encode("utf-16"), "text.entity"),
        (b"<TEI>" + b"<p>" * 240 + b"</p>" * 240 + b"</TEI>", "text.limit"),
        (b"<TEI>" + b"<p/>" * 500_001 + b"</TEI>", "text.limit"),
        (b"<TEI>" + b"<p>" * 100_000, "text.syntax"),
        (b"x" * (MAX_LINE + 1), "text.limit"),
        (b"<pb:1>\n" * 20_001, "text.limit"),
        (b"<?xml version='1.0' encoding='no-such'?><alto/>", "text.syntax"),
        (b"x" * ((16 << 20) + 1), "text.limit"),
    ],
)
def test_a_file_that_cannot_be_read_has_a_fault_with_a_code(content: bytes, code: str) -> None:
    found = read_text(content, "text/0001.xml")
    assert found.text is None
    assert [(fault.file, fault.code) for fault in found.faults] == [("text/0001.xml", code)]


def test_an_external_dtd_is_never_loaded() -> None:
    assert read('<!DOCTYPE TEI SYSTEM "file:///etc/passwd"><TEI><text><p>文</p></text></TEI>').pages
