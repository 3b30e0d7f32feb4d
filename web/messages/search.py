"""The texts of search. (pure)"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from repository.localized import LocalizedText

SEARCH_MESSAGES: Final[Mapping[str, LocalizedText]] = MappingProxyType(
    {
        "find.label": LocalizedText("在本书中检索", "Search in this book"),
        "find.results": LocalizedText("本书中的检索结果", "Hits in this book"),
        "find.place": LocalizedText("第 {number} 处，共 {total} 处", "Hit {number} of {total}"),
        "find.count": LocalizedText("共 {total} 处", "Hits: {total}"),
        "find.more": LocalizedText("；只列出前 {count} 处", "; only the first {count} are listed"),
        "find.on-page": LocalizedText("{count} 处", "{count}"),
        "find.none": LocalizedText("书中没有“{text}”", "“{text}” is not in this book"),
        "find.failed": LocalizedText(
            "暂时不能检索，请稍后再试。", "Searching is not possible now. Please try again later."
        ),
        "find.terms": LocalizedText("书中的词句", "Phrases of this book"),
        "find.previous": LocalizedText("前一处（N）", "Previous hit (N)"),
        "find.next": LocalizedText("后一处（n）", "Next hit (n)"),
        "find.close": LocalizedText("结束检索（Esc）", "End the search (Esc)"),
        "search.title": LocalizedText("检索", "Search"),
        "search.lead": LocalizedText(
            "检索全文与书目。繁体、简体、异体字互通；标点、换行、换页不影响结果；缺字以 □ 代替，可代任一字。",
            "Search texts and records. Traditional, simplified and variant characters find each other. Punctuation and"
            " the ends of lines and pages do not matter. □ stands for any one character.",
        ),
        "search.box": LocalizedText("检索全文与书目", "Search texts and records"),
        "search.submit": LocalizedText("检索", "Search"),
        "search.more": LocalizedText("更多条件", "More conditions"),
        "search.field.title": LocalizedText("题名", "Title"),
        "search.field.person": LocalizedText("责任者", "Person"),
        "search.field.place": LocalizedText("出版地、版本", "Place or edition"),
        "search.field.classification": LocalizedText("分类", "Classification"),
        "search.field.call_number": LocalizedText("索书号", "Call number"),
        "search.field.date": LocalizedText(
            "年代（1607、1573-1620、万历三十五年、明）", "Date (1607, 1573-1620, a reign year or a dynasty)"
        ),
        "search.found": LocalizedText("找到 {count} 种", "Works found: {count}"),
        "search.found-about": LocalizedText("至少找到 {count} 种", "Works found: at least {count}"),
        "search.none": LocalizedText("没有找到", "Nothing found"),
        "search.none-own": LocalizedText("本馆没有找到", "Nothing found in this library"),
        "search.none-help": LocalizedText(
            "请核对用字；可减少字数，或以 □ 代替没有把握的字。",
            "Check the characters; search fewer of them, or write □ for those that are uncertain.",
        ),
        "search.rescue": LocalizedText("试检“{text}”（{count} 种）", "Search “{text}” ({count})"),
        "search.rescue-filters": LocalizedText(
            "不限条件检索“{text}”（{count} 种）", "Search “{text}” without other conditions ({count})"
        ),
        "search.all-words": LocalizedText(
            "没有连续出现这些字的文献；以下文献分别含有各词。",
            "No work has this as one phrase; these works have all the words.",
        ),
        "search.shortened": LocalizedText(
            "检索词过长，只检索了开头 64 字。", "The text is too long: only its first 64 characters were searched."
        ),
        "search.tiers": LocalizedText("按用字", "By characters"),
        "search.tier.exact": LocalizedText("原字", "Exact"),
        "search.tier.folded": LocalizedText("繁简相通", "Traditional and simplified"),
        "search.tier.variant": LocalizedText("异体相通", "Variant characters"),
        "search.in-record": LocalizedText("见于书目", "In the record"),
        "search.page": LocalizedText("第 {number} 面", "Page {number}"),
        "search.pages": LocalizedText("第 {number} 至 {last} 面", "Pages {number} to {last}"),
        "search.all-hits": LocalizedText("此书中的全部结果", "All hits in this work"),
        "search.hits": LocalizedText("此书中共 {count} 处", "Hits in this work: {count}"),
        "search.hits-about": LocalizedText("此书中至少有 {count} 处", "Hits in this work: at least {count}"),
        "search.back": LocalizedText("返回全部文献的结果", "Back to all works"),
        "search.sort": LocalizedText("排序", "Order"),
        "search.sort.relevance": LocalizedText("相关", "Relevance"),
        "search.sort.title": LocalizedText("题名", "Title"),
        "search.sort.date": LocalizedText("年代从早", "Oldest"),
        "search.sort.-date": LocalizedText("年代从晚", "Latest"),
        "search.sort.new": LocalizedText("新近入藏", "Recently added"),
        "search.facets": LocalizedText("缩小范围", "Narrow down"),
        "search.facet.partner": LocalizedText("来源", "Source"),
        "search.value.partner.": LocalizedText("本馆文献", "This library"),
        "search.value.partner.*": LocalizedText("合作机构书目", "Partner institutions"),
        "search.partners-found": LocalizedText(
            "合作机构书目：找到 {count} 条", "Records of partner institutions found: {count}"
        ),
        "search.partners-all": LocalizedText("查看全部 {count} 条", "Show all {count}"),
        "search.partners-none": LocalizedText("合作机构书目中没有找到", "Nothing found among the records of partners"),
        "search.to-own": LocalizedText("检索本馆文献", "Search the works of this library"),
        "search.facet.class": LocalizedText("部类", "Class"),
        "search.facet.dynasty": LocalizedText("朝代", "Dynasty"),
        "search.facet.edition": LocalizedText("版本", "Edition"),
        "search.facet.published_in": LocalizedText("出版地", "Place of publication"),
        "search.facet.holder": LocalizedText("收藏", "Holder"),
        "search.facet.language": LocalizedText("语种", "Language"),
        "search.facet.access": LocalizedText("利用", "Access"),
        "search.facet.text": LocalizedText("全文", "Text"),
        "search.value.access.open": LocalizedText("公开", "Open"),
        "search.value.access.reduced": LocalizedText("限制尺寸", "Reduced size"),
        "search.value.access.restricted": LocalizedText("限制访问", "Restricted"),
        "search.value.text.yes": LocalizedText("可检索全文", "With text"),
        "search.clear": LocalizedText("取消此项", "Remove"),
    }
)
