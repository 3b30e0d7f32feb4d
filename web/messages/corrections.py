"""The texts of the page on which staff correct the text of a page. (pure)"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from repository.localized import LocalizedText

CORRECTION_MESSAGES: Final[Mapping[str, LocalizedText]] = MappingProxyType(
    {
        "correction.title": LocalizedText("校正文本", "Correct the text"),
        "correction.link": LocalizedText("校正", "Correct"),
        "correction.enter": LocalizedText("录入", "Enter"),
        "correction.begin": LocalizedText("从第 1 页起录入、校正文本", "Enter or correct the text, from page 1 on"),
        "correction.page": LocalizedText("第 {number} 页，共 {last} 页", "Page {number} of {last}"),
        "correction.kinds": LocalizedText("此页的各种文本", "Texts of this page"),
        "correction.how": LocalizedText(
            "对照图像改正各行文字，也可增删、拆分、移动各行，注明位置和夹注；清空一行，即删去该行。以上改动在保存之后"
            "一并成为著作的新版本，原来的文本仍在旧版本中；日志公开改动的行数，不公开账号。",
            "Compare each line with its picture. Lines can be added, deleted, split and moved, and have a place and a"
            " mark for notes. A line that you empty is removed. When you save, all changes together become a new"
            " version of the work, and the former text stays in the earlier version. The public log states how many"
            " lines changed, and does not name the account.",
        ),
        "correction.unsaved": LocalizedText("改动尚未保存。", "The changes are not saved yet."),
        "correction.line": LocalizedText("第 {number} 行", "Line {number}"),
        "correction.note": LocalizedText("夹注", "note"),
        "correction.is-note": LocalizedText("夹注（双行小字）", "Note in double columns"),
        "correction.edit": LocalizedText("次序、位置、夹注", "Order, place, note"),
        "correction.place": LocalizedText("在图像上的位置（像素）", "Place on the picture, in pixels"),
        "correction.x": LocalizedText("左", "Left"),
        "correction.y": LocalizedText("上", "Top"),
        "correction.width": LocalizedText("宽", "Width"),
        "correction.height": LocalizedText("高", "Height"),
        "correction.draw": LocalizedText("在图上画出位置", "Draw the place"),
        "correction.draw-hint": LocalizedText(
            "请在图上拖动，画出第 {number} 行的位置；按 Esc 取消。",
            "Drag on the picture to draw the place of line {number}; press Esc to cancel.",
        ),
        "correction.split-after": LocalizedText("在第几字之后拆开", "Split after character"),
        "correction.split": LocalizedText("拆为两行", "Split in two"),
        "correction.up": LocalizedText("前移", "Move earlier"),
        "correction.down": LocalizedText("后移", "Move later"),
        "correction.add": LocalizedText("在此行后增加一行", "Add a line after this one"),
        "correction.add-first": LocalizedText("在最前增加一行", "Add a line before all others"),
        "correction.delete": LocalizedText("删去此行", "Delete this line"),
        "correction.save": LocalizedText("保存", "Save"),
        "correction.none": LocalizedText(
            "此页尚无文本。可在此逐行录入，保存后成为此页的录文。",
            "This page has no text yet. Enter its lines here; saved, they become a transcription of the page.",
        ),
        "correction.too-long": LocalizedText(
            "此页文本过长，不能在此校正；请改好文件后用 shanben text add 添加。",
            "The text of this page is too long to be corrected here; correct its file and add it by shanben text add.",
        ),
        "correction.waiting": LocalizedText(
            "已保存，稍候即向读者显示。重新打开此页可看进展。",
            "Saved, and shown to readers in a moment. Open this page again to see how far it is.",
        ),
        "correction.waiting-link": LocalizedText("重新打开", "Open again"),
        "correction.done": LocalizedText("已保存，读者已可看到。", "Saved, and shown to readers."),
        "correction.unchanged": LocalizedText("没有改动，未另存版本。", "Nothing was changed, and no version made."),
        "correction.mine": LocalizedText("您所填的文本", "What you entered"),
        "correction.picture": LocalizedText("整页图像", "Picture of the page"),
    }
)
