"""What may be wrong with a search for the page of a picture. (pure)"""

from __future__ import annotations

from iiif_server.request.cost import RequestLimited
from repository.errors import CallError, ContentError, NotFound, SystemFault
from repository.localized import LocalizedText


class PictureUnreadable(ContentError):
    """An uploaded picture that cannot be used."""

    code = "picture.unreadable"
    text = LocalizedText("无法读取所上传的图片：{reason}", "The uploaded picture cannot be read: {reason}")


class PictureAbsent(CallError):
    """A request without a picture."""

    code = "picture.absent"
    text = LocalizedText(
        "请求中没有图片；请选择 JPEG、PNG 或 WebP 文件后重试",
        "The request has no picture; choose a JPEG, PNG or WebP file, then try again",
    )


class SearchLimited(RequestLimited):
    """A client has searched for more pictures than its budget allows."""

    code = "similar.limit"
    text = LocalizedText(
        "查找过于频繁；请在 {seconds} 秒后重试", "Too many searches from this address; try again in {seconds} seconds"
    )


class SearchBusy(SystemFault):
    """As many searches wait as may."""

    code = "similar.busy"
    text = LocalizedText("正在处理其他查找，请稍后重试", "Other searches are being made; try again shortly")
    transient = True


class SearchOff(NotFound):
    """The library does not offer the search."""

    code = "similar.off"
    text = LocalizedText("本馆未开放以图找页", "This library does not offer the search for pages by a picture")
