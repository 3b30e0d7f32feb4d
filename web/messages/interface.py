"""Every word of the interface, in both languages, in one table. (pure)"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from repository.localized import Language, LocalizedText
from web.messages.status import STATUS_MESSAGES

MESSAGES: Final[Mapping[str, LocalizedText]] = MappingProxyType(
    {
        "site.name": LocalizedText("善本", "Shanben"),
        "site.what": LocalizedText("数字古籍库", "Digital rare books"),
        "site.skip": LocalizedText("跳到正文", "Skip to the content"),
        "site.home": LocalizedText("首页", "Home"),
        "site.works": LocalizedText("馆藏", "Works"),
        "site.navigation": LocalizedText("主导航", "Main"),
        "site.language": LocalizedText("界面语言", "Language"),
        "site.foot": LocalizedText(
            "原件逐字节保存，来历可供查验；图像与说明依 IIIF 公开。",
            "Masters kept byte for byte, their history open to checking; pictures and descriptions published by IIIF.",
        ),
        "home.title": LocalizedText("读古籍，见纸墨", "Rare books, down to the paper"),
        "home.lead": LocalizedText(
            "善本、拓片、长卷与地方文献，逐叶高清影像，可放大至纸纹墨痕。",
            "Rare books, rubbings, scrolls and local documents, page by page, as near as the grain of the paper.",
        ),
        "home.browse": LocalizedText("浏览馆藏", "Browse the works"),
        "home.recent": LocalizedText("新近入藏", "Recently added"),
        "home.all": LocalizedText("全部馆藏", "All works"),
        "home.held": LocalizedText("现藏 {works} 种，书影 {images} 幅", "Works held: {works}; pictures: {images}"),
        "home.read": LocalizedText("阅读", "Read"),
        "home.read-text": LocalizedText(
            "依原书次序翻阅，右翻左翻各从其旧；键盘、鼠标、触屏皆可。",
            "Turn the pages in the book's own order, right to left where it runs so; by keyboard, mouse or touch.",
        ),
        "home.reuse": LocalizedText("取用", "Reuse"),
        "home.reuse-text": LocalizedText(
            "每种书有一份 IIIF 清单，可在任何 IIIF 阅览器中打开。",
            "Every work has a IIIF manifest that opens in any IIIF viewer.",
        ),
        "home.reuse-link": LocalizedText("全部清单（IIIF 集合）", "All manifests (a IIIF collection)"),
        "home.verify": LocalizedText("查验", "Verify"),
        "home.verify-text": LocalizedText(
            "每幅影像的来历记入公开的只增日志，任何人都可独立核对。",
            "The history of every picture stands in a public, append-only log that anybody can check.",
        ),
        "home.verify-link": LocalizedText("日志签名点", "The log's checkpoint"),
        "works.title": LocalizedText("馆藏", "Works"),
        "works.count": LocalizedText("共 {count} 种", "{count} in all"),
        "works.none": LocalizedText("尚无公开的馆藏。", "Nothing has been published yet."),
        "works.pictures": LocalizedText("{count} 幅", "Pictures: {count}"),
        "works.pages": LocalizedText("分页", "Pages of the list"),
        "works.earlier": LocalizedText("上一页", "Previous"),
        "works.later": LocalizedText("下一页", "Next"),
        "works.page": LocalizedText("第 {number} 页", "Page {number}"),
        "work.read": LocalizedText("开卷阅读", "Open the book"),
        "work.record": LocalizedText("编目", "Catalogue record"),
        "work.contents": LocalizedText("目次", "Contents"),
        "work.pages": LocalizedText("书影", "Pages"),
        "work.volume": LocalizedText("第 {number} 册", "Volume {number}"),
        "work.volume-pages": LocalizedText("{count} 叶面", "{count} pages"),
        "work.page": LocalizedText("第 {number} 面：{label}", "Page {number}: {label}"),
        "work.missing": LocalizedText("缺叶", "Missing leaf"),
        "work.rights": LocalizedText("权利", "Rights"),
        "work.rights-untold": LocalizedText(
            "未注明；使用前请向馆方查询。", "Not stated; please ask the library before use."
        ),
        "work.manifest": LocalizedText("IIIF 清单", "IIIF manifest"),
        "work.manifest-drag": LocalizedText("拖到 IIIF 阅览器中打开", "Drag into a IIIF viewer"),
        "work.manifest-address": LocalizedText("清单地址", "Address of the manifest"),
        "work.copy": LocalizedText("复制", "Copy"),
        "work.copied": LocalizedText("已复制", "Copied"),
        "work.refused": LocalizedText(
            "这种书限制访问，网上不展示书影；请联系馆方。",
            "Access to this work is restricted and its pages are not shown here; please contact the library.",
        ),
        "work.reduced": LocalizedText(
            "这种书只提供长边不超过 {size} 像素的书影。",
            "Pictures of this work are shown at up to {size} pixels a side.",
        ),
        "work.identifier": LocalizedText("本库编号", "Identifier here"),
        "work.kept": LocalizedText("保存", "Preservation"),
        "work.kept-all": LocalizedText(
            "保存于 {held} 处，均已核验（{date}）", "Kept in {held} places, verified on {date}"
        ),
        "work.kept-some": LocalizedText(
            "保存于 {held} 处；另有 {behind} 处正在复制，尚未核验",
            "Kept in {held} place(s); copies in {behind} more are on their way and not verified yet",
        ),
        "record.creator": LocalizedText("责任者", "Creator"),
        "record.date": LocalizedText("年代", "Date"),
        "record.edition": LocalizedText("版本", "Edition"),
        "record.classification": LocalizedText("分类", "Classification"),
        "record.dimensions": LocalizedText("尺寸", "Dimensions"),
        "record.holder": LocalizedText("馆藏", "Held by"),
        "record.call-number": LocalizedText("索书号", "Call number"),
        "record.identifier": LocalizedText("馆方编号", "Library's identifier"),
        "record.summary": LocalizedText("提要", "Summary"),
        "reader.title": LocalizedText("阅读", "Reading"),
        "reader.back": LocalizedText("回到书目页", "Back to the work"),
        "reader.next": LocalizedText("后一面", "Next page"),
        "reader.previous": LocalizedText("前一面", "Previous page"),
        "reader.first": LocalizedText("第一面", "First page"),
        "reader.last": LocalizedText("最后一面", "Last page"),
        "reader.goto": LocalizedText("转到第几面", "Go to page"),
        "reader.go": LocalizedText("转到", "Go"),
        "reader.tools": LocalizedText("看图", "The picture"),
        "reader.zoom-in": LocalizedText("放大（+）", "Zoom in (+)"),
        "reader.zoom-out": LocalizedText("缩小（-）", "Zoom out (-)"),
        "reader.fit": LocalizedText("看全（0）", "Whole page (0)"),
        "reader.rotate": LocalizedText("右转九十度（r）", "Turn right by 90° (r)"),
        "reader.full-screen": LocalizedText("全屏（f）", "Full screen (f)"),
        "reader.strip": LocalizedText("各面缩图", "Thumbnails of the pages"),
        "reader.picture": LocalizedText("{title}，第 {number} 面，{label}", "{title}, page {number}, {label}"),
        "reader.view": LocalizedText(
            "书影：方向键翻页与移动，加减号缩放，0 看全",
            "The picture: arrow keys turn and move, plus and minus zoom, 0 shows the whole page",
        ),
        "reader.missing": LocalizedText("此处缺叶，没有书影。", "This leaf is missing; there is no picture of it."),
        "reader.refused": LocalizedText(
            "此面限制访问；请联系馆方。", "Access to this page is restricted; please contact the library."
        ),
        "reader.lost": LocalizedText(
            "书影未能取到；请检查网络后再翻一次。",
            "The picture could not be fetched; check the network and turn again.",
        ),
        "reader.plain": LocalizedText(
            "深度缩放未能启动；仍可逐面阅读。", "Deep zoom could not start; the pages can still be read one by one."
        ),
        **STATUS_MESSAGES,
        "error.title": LocalizedText("出错了", "Something is wrong"),
        "error.400": LocalizedText("请求有误", "The request is not right"),
        "error.401": LocalizedText("需要登录", "Please sign in"),
        "error.403": LocalizedText("限制访问", "Access is restricted"),
        "error.404": LocalizedText("找不到这一页", "There is no such page"),
        "error.405": LocalizedText("不支持这种请求", "This kind of request is not offered"),
        "error.410": LocalizedText("已撤下", "Withdrawn"),
        "error.500": LocalizedText("本库出错了", "Something went wrong here"),
        "error.501": LocalizedText("尚不支持", "Not offered"),
        "error.503": LocalizedText("暂时不能服务", "Out of service for the moment"),
        "error.home": LocalizedText("回到首页", "Back to the start"),
        "error.works": LocalizedText("看看馆藏", "See the works"),
        "message.400": LocalizedText("请核对地址。", "Please check the address."),
        "message.404": LocalizedText(
            "请核对地址；或从馆藏中寻找。", "Please check the address, or look among the works."
        ),
        "message.405": LocalizedText("这个地址不接受这种请求。", "This address does not take requests of this kind."),
        "message.410": LocalizedText(
            "这种书已不再公开；其保存不受影响。", "This work is no longer public; it is preserved all the same."
        ),
        "message.500": LocalizedText(
            "请稍后再试；若仍不行，请告知馆方。", "Please try again later; if it goes on, tell the library."
        ),
    }
)


def translate(language: Language, key: str, **details: object) -> str:
    """The words under `key` in one language. Raises `KeyError` for a key that the table does not have."""
    return MESSAGES[key].format(**details).in_language(language)


def reader_messages(language: Language) -> dict[str, str]:
    """The words that the reader's script says itself."""
    return {
        key: translate(language, key) for key in ("reader.missing", "reader.refused", "reader.lost", "reader.plain")
    }
