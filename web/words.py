"""Every word of the interface, in both languages, in one table. (pure)"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from repository.text import Language, Text
from web.status_words import STATUS_WORDS

WORDS: Final[Mapping[str, Text]] = MappingProxyType(
    {
        "site.name": Text("善本", "Shanben"),
        "site.what": Text("数字古籍库", "Digital rare books"),
        "site.skip": Text("跳到正文", "Skip to the content"),
        "site.home": Text("首页", "Home"),
        "site.works": Text("馆藏", "Works"),
        "site.navigation": Text("主导航", "Main"),
        "site.language": Text("界面语言", "Language"),
        "site.foot": Text(
            "原件逐字节保存，来历可供查验；图像与说明依 IIIF 公开。",
            "Masters kept byte for byte, their history open to checking; pictures and descriptions published by IIIF.",
        ),
        "home.title": Text("读古籍，见纸墨", "Rare books, down to the paper"),
        "home.lead": Text(
            "善本、拓片、长卷与地方文献，逐叶高清影像，可放大至纸纹墨痕。",
            "Rare books, rubbings, scrolls and local documents, page by page, as near as the grain of the paper.",
        ),
        "home.browse": Text("浏览馆藏", "Browse the works"),
        "home.recent": Text("新近入藏", "Recently added"),
        "home.all": Text("全部馆藏", "All works"),
        "home.held": Text("现藏 {works} 种，书影 {images} 幅", "Works held: {works}; pictures: {images}"),
        "home.read": Text("阅读", "Read"),
        "home.read-text": Text(
            "依原书次序翻阅，右翻左翻各从其旧；键盘、鼠标、触屏皆可。",
            "Turn the pages in the book's own order, right to left where it runs so; by keyboard, mouse or touch.",
        ),
        "home.reuse": Text("取用", "Reuse"),
        "home.reuse-text": Text(
            "每种书有一份 IIIF 清单，可在任何 IIIF 阅览器中打开。",
            "Every work has a IIIF manifest that opens in any IIIF viewer.",
        ),
        "home.reuse-link": Text("全部清单（IIIF 集合）", "All manifests (a IIIF collection)"),
        "home.verify": Text("查验", "Verify"),
        "home.verify-text": Text(
            "每幅影像的来历记入公开的只增日志，任何人都可独立核对。",
            "The history of every picture stands in a public, append-only log that anybody can check.",
        ),
        "home.verify-link": Text("日志签名点", "The log's checkpoint"),
        "works.title": Text("馆藏", "Works"),
        "works.count": Text("共 {count} 种", "{count} in all"),
        "works.none": Text("尚无公开的馆藏。", "Nothing has been published yet."),
        "works.pictures": Text("{count} 幅", "Pictures: {count}"),
        "works.pages": Text("分页", "Pages of the list"),
        "works.earlier": Text("上一页", "Previous"),
        "works.later": Text("下一页", "Next"),
        "works.page": Text("第 {number} 页", "Page {number}"),
        "work.read": Text("开卷阅读", "Open the book"),
        "work.record": Text("编目", "Catalogue record"),
        "work.contents": Text("目次", "Contents"),
        "work.pages": Text("书影", "Pages"),
        "work.volume": Text("第 {number} 册", "Volume {number}"),
        "work.volume-pages": Text("{count} 叶面", "{count} pages"),
        "work.page": Text("第 {number} 面：{label}", "Page {number}: {label}"),
        "work.missing": Text("缺叶", "Missing leaf"),
        "work.rights": Text("权利", "Rights"),
        "work.rights-untold": Text("未注明；使用前请向馆方查询。", "Not stated; please ask the library before use."),
        "work.manifest": Text("IIIF 清单", "IIIF manifest"),
        "work.manifest-drag": Text("拖到 IIIF 阅览器中打开", "Drag into a IIIF viewer"),
        "work.manifest-address": Text("清单地址", "Address of the manifest"),
        "work.copy": Text("复制", "Copy"),
        "work.copied": Text("已复制", "Copied"),
        "work.refused": Text(
            "这种书限制访问，网上不展示书影；请联系馆方。",
            "Access to this work is restricted and its pages are not shown here; please contact the library.",
        ),
        "work.reduced": Text(
            "这种书只提供长边不超过 {size} 像素的书影。",
            "Pictures of this work are shown at up to {size} pixels a side.",
        ),
        "work.identifier": Text("本库编号", "Identifier here"),
        "work.kept": Text("保存", "Preservation"),
        "work.kept-all": Text("保存于 {held} 处，均已核验（{date}）", "Kept in {held} places, verified on {date}"),
        "work.kept-some": Text(
            "保存于 {held} 处；另有 {behind} 处正在复制，尚未核验",
            "Kept in {held} place(s); copies in {behind} more are on their way and not verified yet",
        ),
        "record.creator": Text("责任者", "Creator"),
        "record.date": Text("年代", "Date"),
        "record.edition": Text("版本", "Edition"),
        "record.classification": Text("分类", "Classification"),
        "record.dimensions": Text("尺寸", "Dimensions"),
        "record.holder": Text("馆藏", "Held by"),
        "record.call-number": Text("索书号", "Call number"),
        "record.identifier": Text("馆方编号", "Library's identifier"),
        "record.summary": Text("提要", "Summary"),
        "reader.title": Text("阅读", "Reading"),
        "reader.back": Text("回到书目页", "Back to the work"),
        "reader.next": Text("后一面", "Next page"),
        "reader.previous": Text("前一面", "Previous page"),
        "reader.first": Text("第一面", "First page"),
        "reader.last": Text("最后一面", "Last page"),
        "reader.goto": Text("转到第几面", "Go to page"),
        "reader.go": Text("转到", "Go"),
        "reader.tools": Text("看图", "The picture"),
        "reader.zoom-in": Text("放大（+）", "Zoom in (+)"),
        "reader.zoom-out": Text("缩小（-）", "Zoom out (-)"),
        "reader.fit": Text("看全（0）", "Whole page (0)"),
        "reader.rotate": Text("右转九十度（r）", "Turn right by 90° (r)"),
        "reader.full-screen": Text("全屏（f）", "Full screen (f)"),
        "reader.strip": Text("各面缩图", "Thumbnails of the pages"),
        "reader.picture": Text("{title}，第 {number} 面，{label}", "{title}, page {number}, {label}"),
        "reader.view": Text(
            "书影：方向键翻页与移动，加减号缩放，0 看全",
            "The picture: arrow keys turn and move, plus and minus zoom, 0 shows the whole page",
        ),
        "reader.missing": Text("此处缺叶，没有书影。", "This leaf is missing; there is no picture of it."),
        "reader.refused": Text(
            "此面限制访问；请联系馆方。", "Access to this page is restricted; please contact the library."
        ),
        "reader.lost": Text(
            "书影未能取到；请检查网络后再翻一次。",
            "The picture could not be fetched; check the network and turn again.",
        ),
        "reader.plain": Text(
            "深度缩放未能启动；仍可逐面阅读。", "Deep zoom could not start; the pages can still be read one by one."
        ),
        **STATUS_WORDS,
        "error.title": Text("出错了", "Something is wrong"),
        "error.400": Text("请求有误", "The request is not right"),
        "error.401": Text("需要登录", "Please sign in"),
        "error.403": Text("限制访问", "Access is restricted"),
        "error.404": Text("找不到这一页", "There is no such page"),
        "error.405": Text("不支持这种请求", "This kind of request is not offered"),
        "error.410": Text("已撤下", "Withdrawn"),
        "error.500": Text("本库出错了", "Something went wrong here"),
        "error.501": Text("尚不支持", "Not offered"),
        "error.503": Text("暂时不能服务", "Out of service for the moment"),
        "error.home": Text("回到首页", "Back to the start"),
        "error.works": Text("看看馆藏", "See the works"),
        "message.400": Text("请核对地址。", "Please check the address."),
        "message.404": Text("请核对地址；或从馆藏中寻找。", "Please check the address, or look among the works."),
        "message.405": Text("这个地址不接受这种请求。", "This address does not take requests of this kind."),
        "message.410": Text(
            "这种书已不再公开；其保存不受影响。", "This work is no longer public; it is preserved all the same."
        ),
        "message.500": Text(
            "请稍后再试；若仍不行，请告知馆方。", "Please try again later; if it goes on, tell the library."
        ),
    }
)


def say(language: Language, key: str, **details: object) -> str:
    """The words under `key` in one language. Raises `KeyError` for a key that the table does not have."""
    return WORDS[key].format(**details).in_language(language)


def reader_words(language: Language) -> dict[str, str]:
    """The words that the reader's script says itself."""
    return {key: say(language, key) for key in ("reader.missing", "reader.refused", "reader.lost", "reader.plain")}
