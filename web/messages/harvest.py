"""The texts of the pages about partners' records, for readers and for staff. (pure)"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from repository.localized import LocalizedText

HARVEST_MESSAGES: Final[Mapping[str, LocalizedText]] = MappingProxyType(
    {
        "partners.title": LocalizedText("合作机构的书目", "Works at partner institutions"),
        "partners.lead": LocalizedText(
            "以下记录来自合作机构，书与图像均在该机构；检索时与本馆文献分列。",
            "These records come from partner institutions, which hold the books and the images. Searches list them"
            " apart from the works of this library.",
        ),
        "partners.none": LocalizedText("尚无合作机构的书目。", "There are no records of partners yet."),
        "partners.count": LocalizedText("{count} 条", "{count} {count:record|records}"),
        "partners.updated": LocalizedText("更新于 {date}", "updated {date}"),
        "partners.collection": LocalizedText("IIIF 集合", "IIIF collection"),
        "partner.notice": LocalizedText(
            "此记录来自“{partner}”。书和图像都在该机构，权利依其声明。",
            "This record comes from {partner}, which holds the book and the images. Its statement of rights applies.",
        ),
        "partner.from": LocalizedText("来自“{partner}”", "From {partner}"),
        "partner.needs-script": LocalizedText(
            "在此阅读须启用 JavaScript；也可返回书目页，到该机构查看。",
            "Reading it here needs JavaScript. You can also go back and view it at the partner.",
        ),
        "partner.unreadable": LocalizedText(
            "不能在此打开此书：来源机构的清单或图像未能取得。请返回书目页，到该机构查看。",
            "This book cannot be opened here: the partner's manifest or images could not be fetched. Go back and view"
            " it at the partner.",
        ),
        "partner.visit": LocalizedText("到该机构查看", "View at the partner"),
        "partner.manifest": LocalizedText("IIIF 清单", "IIIF manifest"),
        "partner.identifier": LocalizedText("对方编号", "Partner's identifier"),
        "partner.other-titles": LocalizedText("其他题名", "Other titles"),
        "partner.language": LocalizedText("语种", "Language"),
        "partner.years": LocalizedText("公元", "Years"),
        "partner.summary": LocalizedText("提要", "Summary"),
        "partner.rights-text": LocalizedText("权利说明", "Statement of rights"),
        "partner.same": LocalizedText("可能同书的其他藏本", "Possibly the same work elsewhere"),
        "partner.same-note": LocalizedText(
            "由题名与责任者推测，未经核对。", "Guessed from title and name, and not checked."
        ),
        "partner.ours": LocalizedText("本馆", "this library"),
        "harvest.title": LocalizedText("收割", "Harvesting"),
        "harvest.sources": LocalizedText("来源", "Sources"),
        "harvest.none": LocalizedText(
            "尚无来源；请用 shanben harvest add 增加。", "There are no sources; add one with shanben harvest add."
        ),
        "harvest.source": LocalizedText("来源", "Source"),
        "harvest.kind": LocalizedText("协议", "Protocol"),
        "harvest.records": LocalizedText("记录", "Records"),
        "harvest.deleted": LocalizedText("已删除", "Deleted"),
        "harvest.last": LocalizedText("最近成功（UTC）", "Last success (UTC)"),
        "harvest.state": LocalizedText("状态", "State"),
        "harvest.never": LocalizedText("从未", "never"),
        "harvest.well": LocalizedText("正常", "in order"),
        "harvest.running": LocalizedText("进行中：{listed} 条", "under way: {listed} {listed:record|records}"),
        "harvest.failing": LocalizedText("自 {date} 起失败：{reason}", "failing since {date}: {reason}"),
        "harvest.held-back": LocalizedText(
            "{count} 条不再列出，暂予保留", "{count} {count:record is|records are} no longer listed and kept"
        ),
        "harvest.rules": LocalizedText("清洗规则", "Cleaning rules"),
        "harvest.totals": LocalizedText("最近一次收割", "The last run"),
        "harvest.totals-text": LocalizedText(
            "新增 {added}，更改 {changed}，删除 {deleted}，未变 {unchanged}，无法读取 {unreadable}，"
            "编号重复 {collisions}",
            "{added} added, {changed} changed, {deleted} deleted, {unchanged} unchanged, {unreadable} unreadable,"
            " {collisions} with a repeated identifier",
        ),
        "harvest.address": LocalizedText("地址", "Address"),
        "harvest.live": LocalizedText("现有记录", "Records offered"),
        "harvest.gone": LocalizedText("对方已删除的记录", "Records that the partner has deleted"),
        "harvest.no-records": LocalizedText("没有记录。", "There are no records."),
        "harvest.compare": LocalizedText("原记录与清洗后的记录", "The source's record and the cleaned one"),
        "harvest.field": LocalizedText("字段", "Field"),
        "harvest.before": LocalizedText("来源所写", "As the source writes"),
        "harvest.after": LocalizedText("清洗之后", "Cleaned"),
        "harvest.changes": LocalizedText("各规则所改", "What each rule changed"),
        "harvest.no-changes": LocalizedText("没有规则改动此记录。", "No rule changed this record."),
        "harvest.rule": LocalizedText("规则", "Rule"),
        "harvest.from": LocalizedText("原为", "Before"),
        "harvest.to": LocalizedText("改为", "After"),
        "harvest.original": LocalizedText("原文", "Original"),
        "harvest.original-cut": LocalizedText("只列出开头部分。", "Only its beginning is shown."),
        "harvest.original-lost": LocalizedText(
            "原文损坏或缺失：{reason}", "The original is damaged or missing: {reason}"
        ),
        "harvest.public": LocalizedText("供读者的页面", "The page for readers"),
        "harvest.hidden-picture": LocalizedText(
            "图像地址不在许可的网站内，不予显示：{url}",
            "The picture is at a site that is not permitted, and is not shown: {url}",
        ),
        "staff.harvest": LocalizedText("查看收割来源与规则", "See harvested sources and rules"),
        "field.title": LocalizedText("题名", "Title"),
        "field.creator": LocalizedText("责任者", "Creator"),
        "field.date": LocalizedText("年代", "Date"),
        "field.edition": LocalizedText("版本", "Edition"),
        "field.place": LocalizedText("出版地", "Place of publication"),
        "field.language": LocalizedText("语种", "Language"),
        "field.classification": LocalizedText("分类", "Classification"),
        "field.holder": LocalizedText("馆藏", "Held by"),
        "field.call_number": LocalizedText("索书号", "Call number"),
        "field.dimensions": LocalizedText("尺寸", "Dimensions"),
        "field.summary": LocalizedText("提要", "Summary"),
        "field.rights": LocalizedText("权利", "Rights"),
        "field.page": LocalizedText("网页", "Page"),
        "field.manifest": LocalizedText("IIIF 清单", "IIIF manifest"),
        "field.thumbnail": LocalizedText("小图", "Picture"),
        "field.key": LocalizedText("同书线索", "Key of the work"),
    }
)
