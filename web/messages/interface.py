"""Every text of the interface, in both languages, in one table. (pure)"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from repository.localized import Language, LocalizedText
from web.messages.accounts import ACCOUNT_MESSAGES
from web.messages.certificates import CERTIFICATE_MESSAGES
from web.messages.corrections import CORRECTION_MESSAGES
from web.messages.deletions import DELETION_MESSAGES
from web.messages.fixity import FIXITY_MESSAGES
from web.messages.harvest import HARVEST_MESSAGES
from web.messages.preservation import PRESERVATION_MESSAGES
from web.messages.repair import REPAIR_MESSAGES
from web.messages.search import SEARCH_MESSAGES
from web.messages.similar import SIMILAR_MESSAGES
from web.messages.status import STATUS_MESSAGES
from web.messages.work_history import WORK_HISTORY_MESSAGES

MESSAGES: Final[Mapping[str, LocalizedText]] = MappingProxyType(
    {
        "site.name": LocalizedText("善本", "Shanben"),
        "site.what": LocalizedText("数字古籍库", "Digital rare books"),
        "site.skip": LocalizedText("跳到正文", "Skip to main content"),
        "site.works": LocalizedText("馆藏", "Works"),
        "site.verify": LocalizedText("核验", "Verify"),
        "site.navigation": LocalizedText("主导航", "Main"),
        "site.language": LocalizedText("界面语言", "Language"),
        "site.foot": LocalizedText(
            "原图逐字节保存，处理记录可供核验；图像与书目信息依 IIIF 标准开放。",
            "Master images are preserved bit for bit, with a verifiable history. "
            "Images and descriptions are published through IIIF.",
        ),
        "home.title": LocalizedText("读古籍，见纸墨", "Rare books, down to the grain of the paper"),
        "home.lead": LocalizedText(
            "善本、拓片、长卷与地方文献，逐叶高清影像，可放大至纸纹墨痕。",
            "Rare books, rubbings, scrolls and local documents, digitised page by page in fine detail.",
        ),
        "home.browse": LocalizedText("浏览馆藏", "Browse the works"),
        "home.recent": LocalizedText("新近入藏", "Recently added"),
        "home.all": LocalizedText("全部馆藏", "View all works"),
        "home.held": LocalizedText("现有 {works} 种，图像 {images} 幅", "Works:\u00a0{works} · Images:\u00a0{images}"),
        "home.read": LocalizedText("阅读", "Read"),
        "home.read-text": LocalizedText(
            "依原书次序翻阅，自右向左或自左向右，一仍其旧；键盘、鼠标、触屏均可操作。",
            "Turn the pages in the order of the original, from right to left where it runs that way, "
            "by keyboard, mouse or touch.",
        ),
        "home.reuse": LocalizedText("利用", "Reuse"),
        "home.reuse-text": LocalizedText(
            "每种文献均附 IIIF 清单，可在任何 IIIF 阅览器中打开。",
            "Every work has a IIIF manifest, which opens in any IIIF viewer.",
        ),
        "home.reuse-link": LocalizedText("全部清单（IIIF 集合）", "All manifests (IIIF collection)"),
        "home.verify": LocalizedText("核验", "Verify"),
        "home.verify-text": LocalizedText(
            "每幅图像的处理记录均写入公开的只增日志，任何人都可独立核验。",
            "The history of every image is recorded in a public, append-only log that anyone can verify.",
        ),
        "home.verify-file": LocalizedText("核验一个文件", "Verify a file"),
        "home.verify-link": LocalizedText("日志检查点", "Log checkpoint"),
        "works.title": LocalizedText("馆藏", "Works"),
        "works.count": LocalizedText("共 {count} 种", "{count} in total"),
        "works.none": LocalizedText("尚无公开的馆藏。", "No works have been published yet."),
        "works.pictures": LocalizedText("{count} 幅", "Images: {count}"),
        "works.restricted": LocalizedText("限制访问", "Restricted access"),
        "works.pages": LocalizedText("分页", "Pagination"),
        "works.earlier": LocalizedText("上一页", "Previous"),
        "works.later": LocalizedText("下一页", "Next"),
        "works.page": LocalizedText("第 {number} 页", "Page {number}"),
        "work.read": LocalizedText("开卷阅读", "Read online"),
        "work.text": LocalizedText("阅读文本", "Read the text"),
        "text.title": LocalizedText("{title}（文本）", "{title} (text)"),
        "text.what": LocalizedText(
            "按书页排列，一行对应书上一行；小字为夹注。点书页名称可看图像。",
            "In the order of the pages, a line for each line of the book; small print is notes in double columns. The"
            " name of a page leads to its picture.",
        ),
        "text.note": LocalizedText("夹注", "Note"),
        "text.none": LocalizedText("本文献尚无文本。", "This work has no text yet."),
        "text.no-page": LocalizedText("此页没有文本。", "This page has no text."),
        "text.other": LocalizedText("此页另有{what}", "Also of this page: {what}"),
        "text.quality": LocalizedText("估计正确率 {percent}%", "about {percent}% of the characters right"),
        "text.translation": LocalizedText("译文", "Translation"),
        "text.here": LocalizedText("此面文本", "Text of this page"),
        "text.choice": LocalizedText("此面的各种文本", "Texts of this page"),
        "text.vertical": LocalizedText("竖排", "Vertical"),
        "text.close": LocalizedText("关闭（Esc）", "Close (Esc)"),
        "text.source": LocalizedText("来源：{source}", "Source: {source}"),
        "text.empty-here": LocalizedText("此面没有文本。", "This page has no text."),
        "text.refused": LocalizedText(
            "此面的文本限制访问，登录后或可查看。",
            "The text of this page is restricted. You may see it after you log in.",
        ),
        "text.failed": LocalizedText(
            "文本未能加载；请检查网络，再翻到此面。",
            "The text could not be loaded. Check the network connection and return to this page.",
        ),
        "work.record": LocalizedText("书目信息", "Catalogue record"),
        "work.contents": LocalizedText("目次", "Contents"),
        "work.pages": LocalizedText("图像", "Pages"),
        "work.volume": LocalizedText("第 {number} 册", "Volume {number}"),
        "work.volume-pages": LocalizedText("{count} 面", "{count} {count:page|pages}"),
        "work.page": LocalizedText("第 {number} 面：{label}", "Page {number}: {label}"),
        "work.missing": LocalizedText("缺叶", "Missing leaf"),
        "work.unphotographed": LocalizedText("未拍摄", "Not photographed"),
        "work.download": LocalizedText("下载", "Download"),
        "work.pdf": LocalizedText("全书 PDF", "PDF of the work"),
        "work.images-zip": LocalizedText("全部图像（ZIP）", "All images (ZIP)"),
        "work.formats": LocalizedText("记录格式", "Record formats"),
        "work.rights": LocalizedText("权利声明", "Rights"),
        "work.rights-unstated": LocalizedText(
            "未注明；使用前请咨询馆方。", "Not stated. Please contact the library before use."
        ),
        "work.manifest": LocalizedText("IIIF 清单", "IIIF manifest"),
        "work.manifest-what": LocalizedText(
            "IIIF 清单列出本文献的全部图像和书目信息，供阅览软件读取。把图标拖到 Mirador 等 IIIF 阅览器中，"
            "或把地址粘贴进去，即可打开本文献，与他馆藏本并列比对。",
            "The IIIF manifest lists the images and the record of this work for viewing software. Drag the icon to a "
            "IIIF viewer such as Mirador, or paste the URL there, to open this work beside those of other libraries.",
        ),
        "work.manifest-drag": LocalizedText("拖到 IIIF 阅览器中打开", "Drag to a IIIF viewer"),
        "work.manifest-address": LocalizedText("清单地址", "Manifest URL"),
        "work.copy": LocalizedText("复制", "Copy"),
        "work.copied": LocalizedText("已复制", "Copied"),
        "work.refused": LocalizedText(
            "本文献限制访问，不在网上提供图像；如需查阅，请联系馆方。",
            "Access to this work is restricted and its images are not available online. Please contact the library.",
        ),
        "work.reduced": LocalizedText(
            "本文献仅提供长边不超过 {size} 像素的图像。",
            "Images of this work are limited to {size} pixels on the longest side.",
        ),
        "work.identifier": LocalizedText("本库编号", "Repository identifier"),
        "work.preservation": LocalizedText("保存", "Preservation"),
        "work.preserved": LocalizedText(
            "保存于 {held} 处，写入时均已核验（不早于 {date}）",
            "Held in {held} places, each verified when it was written (on or after {date})",
        ),
        "work.preserved-partly": LocalizedText(
            "保存于 {held} 处；另有 {behind} 处正在复制，尚未核验",
            "Held in {held} {held:place|places}; {behind} more {behind:is|are} being copied and not yet verified",
        ),
        "record.creator": LocalizedText("责任者", "Creator"),
        "record.date": LocalizedText("年代", "Date"),
        "record.edition": LocalizedText("版本", "Edition"),
        "record.place": LocalizedText("出版地", "Place of publication"),
        "record.classification": LocalizedText("分类", "Classification"),
        "record.dimensions": LocalizedText("尺寸", "Dimensions"),
        "record.holder": LocalizedText("馆藏", "Held by"),
        "record.call-number": LocalizedText("索书号", "Call number"),
        "record.identifier": LocalizedText("馆方编号", "Library identifier"),
        "record.grade": LocalizedText("定级", "Grade (WH/T 20)"),
        "record.damage": LocalizedText("破损定级", "Damage (WH/T 22)"),
        "record.repairs": LocalizedText("修复", "Repairs"),
        "reader.back": LocalizedText("返回书目页", "Back to the work"),
        "reader.next": LocalizedText("后一面", "Next page"),
        "reader.previous": LocalizedText("前一面", "Previous page"),
        "reader.first": LocalizedText("第一面", "First page"),
        "reader.last": LocalizedText("最后一面", "Last page"),
        "reader.goto": LocalizedText("转到第几面", "Go to page"),
        "reader.go": LocalizedText("转到", "Go"),
        "reader.tools": LocalizedText("图像工具", "Image tools"),
        "reader.zoom-in": LocalizedText("放大（+）", "Zoom in (+)"),
        "reader.zoom-out": LocalizedText("缩小（-）", "Zoom out (-)"),
        "reader.fit": LocalizedText("显示整面（0）", "Fit page (0)"),
        "reader.rotate": LocalizedText("顺时针旋转 90°（r）", "Rotate 90° clockwise (r)"),
        "reader.full-screen": LocalizedText("全屏（f）", "Full screen (f)"),
        "reader.text": LocalizedText("此面文本（t）", "Text of this page (t)"),
        "reader.share": LocalizedText("分享此处", "Share this view"),
        "share.title": LocalizedText("分享此处", "Share this view"),
        "share.link": LocalizedText("本馆阅读器的链接", "Link to this reader"),
        "share.state": LocalizedText("IIIF 内容状态的链接", "Link with the IIIF content state"),
        "share.json": LocalizedText("IIIF 内容状态，可粘贴到其他阅览器", "IIIF content state, to paste elsewhere"),
        "share.drag": LocalizedText(
            "也可把“分享此处”按钮拖到其他 IIIF 阅览器中；把本馆著作的清单拖到图像上，即在此打开。",
            "You can also drag the button to another IIIF viewer. A manifest of this library dropped on the picture"
            " opens here.",
        ),
        "share.close": LocalizedText("关闭", "Close"),
        "reader.strip": LocalizedText("各面缩略图", "Page thumbnails"),
        "reader.picture": LocalizedText("{title}，第 {number} 面，{label}", "{title}, page {number}, {label}"),
        "reader.view": LocalizedText(
            "图像：方向键翻页或移动，加减号缩放，0 键显示整面",
            "Page image: arrow keys turn pages or move the image, plus and minus zoom, 0 fits the page",
        ),
        "reader.no-picture": LocalizedText("{label}：没有图像。", "{label}: there is no image."),
        "reader.photographs": LocalizedText("同页图像", "Photographs of this page"),
        "reader.photograph": LocalizedText("图像 {number}", "Image {number}"),
        "reader.orders": LocalizedText("阅读次序", "Order of reading"),
        "reader.as-bound": LocalizedText("原装次序", "As bound"),
        "reader.refused": LocalizedText(
            "此面限制访问；如需查阅，请联系馆方。", "Access to this page is restricted. Please contact the library."
        ),
        "reader.failed": LocalizedText(
            "图像未能加载；请检查网络，再翻到此面。",
            "The image could not be loaded. Check the network connection and return to this page.",
        ),
        "reader.no-zoom": LocalizedText(
            "深度缩放未能启动；仍可逐面阅读。", "Deep zoom could not start. The pages can still be read one by one."
        ),
        **ACCOUNT_MESSAGES,
        **CERTIFICATE_MESSAGES,
        **CORRECTION_MESSAGES,
        **DELETION_MESSAGES,
        **HARVEST_MESSAGES,
        **REPAIR_MESSAGES,
        **SEARCH_MESSAGES,
        **SIMILAR_MESSAGES,
        **STATUS_MESSAGES,
        **WORK_HISTORY_MESSAGES,
        **PRESERVATION_MESSAGES,
        **FIXITY_MESSAGES,
        "error.400": LocalizedText("请求有误", "Bad request"),
        "error.401": LocalizedText("需要登录", "Login required"),
        "error.403": LocalizedText("限制访问", "Access restricted"),
        "error.404": LocalizedText("找不到此页", "Page not found"),
        "error.405": LocalizedText("不支持此请求方法", "Method not allowed"),
        "error.410": LocalizedText("已撤下", "Withdrawn"),
        "error.500": LocalizedText("系统出错", "Server error"),
        "error.501": LocalizedText("尚不支持", "Not supported"),
        "error.503": LocalizedText("暂停服务", "Temporarily unavailable"),
        "error.home": LocalizedText("返回首页", "Home page"),
        "error.works": LocalizedText("浏览馆藏", "Browse the works"),
        "message.400": LocalizedText(
            "请核对地址，或从馆藏列表中的链接进入。",
            "Please check the address, or follow a link from the list of works.",
        ),
        "message.404": LocalizedText(
            "此地址没有页面；请核对地址，或在馆藏中查找。",
            "There is no page at this address. Please check the address, or browse the works.",
        ),
        "message.405": LocalizedText(
            "此地址不支持该请求方法；请改用 GET。", "This address does not support the request method; use GET."
        ),
        "message.410": LocalizedText(
            "本文献已不再公开，其保存不受影响；如需查阅，请联系馆方。",
            "This work is no longer public. It remains preserved; to consult it, please contact the library.",
        ),
        "message.413": LocalizedText(
            "提交的内容过大；请减少内容，或选较小的文件后再试。",
            "What was sent is too large. Please send less, or choose a smaller file.",
        ),
        "message.429": LocalizedText("请求过于频繁，请稍后再试。", "Too many requests. Please try again later."),
        "message.500": LocalizedText(
            "请稍后再试；如仍有问题，请告知馆方。",
            "Please try again later. If the problem continues, contact the library.",
        ),
    }
)


def translate(language: Language, key: str, **details: object) -> str:
    """Return the text under `key` in one language. Raises `KeyError` for an unknown key."""
    return MESSAGES[key].format(**details).in_language(language)


def reader_messages(language: Language, *, is_partner: bool = False) -> dict[str, str]:
    """Return the texts that the reader's script displays; it fills in the names in braces.

    `is_partner` is whether it shows the book of a partner.
    """
    keys = (
        "site.name",
        "reader.picture",
        "reader.no-picture",
        "reader.as-bound",
        "reader.refused",
        "reader.failed",
        "reader.no-zoom",
        "text.empty-here",
        "text.failed",
        "text.note",
        "text.quality",
        "text.refused",
        "text.source",
        "find.place",
        "find.count",
        "find.more",
        "find.on-page",
        "find.none",
        "find.failed",
    )
    messages = {key: MESSAGES[key].in_language(language) for key in keys}
    if is_partner:
        messages["reader.no-zoom"] = MESSAGES["partner.unreadable"].in_language(language)
    return messages
