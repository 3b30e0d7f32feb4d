"""Suggests the key that a mistyped or translated key of a record probably means. (pure)"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_MEANINGS: Final = {
    word: key
    for key, words in (
        ("title", "題名 题名 書名 书名 標題 标题 name"),
        ("identifier", "編號 编号 馆方编号 館方編號 id"),
        ("creator", "作者 著者 責任者 责任者 撰者 author authors creators"),
        ("date", "年代 日期 出版年 year"),
        ("language", "語種 语种 語言 语言 languages lang"),
        ("classification", "分類 分类 四部 class"),
        ("edition", "版本"),
        ("place", "出版地 刊刻地 刻书地 刻書地 地點 地点 places"),
        ("dimensions", "尺寸 版框 size"),
        ("call_number", "索書號 索书号 書號 书号 shelfmark"),
        ("holder", "館藏 馆藏 收藏單位 收藏单位 institution library"),
        ("summary", "提要 摘要 簡介 简介 description abstract"),
        ("rights", "權利 权利 版權 版权 license licence"),
        ("access", "利用限制 訪問 访问"),
        ("range", "目次 目錄 目录 ranges chapter toc"),
        ("page", "頁 页 書頁 书页 pages"),
        ("volume", "冊 册 分冊 分册 volumes"),
        ("label", "標籤 标签 名稱 名称"),
        ("folder", "文件夾 文件夹 目錄名 目录名"),
        ("order", "次序 順序 顺序 number"),
        ("file", "文件 檔案"),
        ("blank", "空白"),
        ("of", "另见 同页"),
        ("picture", "光源 图像"),
        ("sequence", "次序 閱讀次序 阅读次序"),
        ("missing", "缺葉 缺叶 缺頁 缺页"),
        ("condition", "保存狀況 保存状况 品相"),
        ("grade", "定級 定级 級別 级别"),
        ("damage", "破損 破损 破損級別 破损级别 破損定級 破损定级"),
        ("causes", "破損原因 破损原因 cause"),
        ("assessed", "評定日期 评定日期 定級日期 定级日期"),
        ("assessor", "評定人 评定人"),
        ("repair", "修復 修复 repairs"),
    )
    for word in words.split()
}


def suggested_key(key: str, known: Sequence[str]) -> str | None:
    """Return the known key that `key` probably means, or None if no key is near.

    A key is near if one letter in three, at most, was mistyped: left out, added, changed, or swapped with the next.
    """
    meant = _MEANINGS.get(key.casefold())
    if meant in known:
        return meant
    limit = max(1, len(key) // 3)
    distance, nearest = min((edit_distance(key.casefold(), word), word) for word in known)
    return nearest if distance <= limit and distance < len(nearest) else None


def edit_distance(text: str, other: str) -> int:
    """Return the least number of letters to add, delete, change or swap with their neighbour to get `other`.

    Optimal string alignment: no part is changed twice.
    """
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(text, start=1):
        last, before, row = before, row, [i]
        for j, wanted in enumerate(other, start=1):
            costs = [before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != wanted)]
            if i > 1 and j > 1 and letter == other[j - 2] and text[i - 2] == wanted:
                costs.append(last[j - 2] + 1)
            row.append(min(costs))
    return row[-1]
