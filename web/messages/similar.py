"""The texts of the search for pages by a picture. (pure)"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from repository.localized import LocalizedText

SIMILAR_MESSAGES: Final[Mapping[str, LocalizedText]] = MappingProxyType(
    {
        "similar.title": LocalizedText("以图找页", "Find the page of a picture"),
        "similar.lead": LocalizedText(
            "上传一幅图片，查找它出自本馆哪一页。经过裁切、缩小、旋转、翻拍的图片也能找到。",
            "Upload a picture to find the page of ours from which it was made, even if it was cropped, reduced, turned "
            "or photographed.",
        ),
        "similar.picture": LocalizedText(
            "图片（JPEG、PNG 或 WebP，至多 10 MB）", "Picture (JPEG, PNG or WebP, up to 10 MB)"
        ),
        "similar.kept": LocalizedText(
            "图片只用于这一次比对，比对后不予保留。", "The picture is used for this comparison alone and is not kept."
        ),
        "similar.submit": LocalizedText("查找", "Find"),
        "similar.found": LocalizedText("找到 {count} 页", "Pages found: {count}"),
        "similar.none": LocalizedText("未找到出处", "No page found"),
        "similar.none-why": LocalizedText(
            "截取过小的局部、几乎没有文字图画的局部，以及未公开的文献，无法找到。",
            "Very small parts, parts with hardly any text or drawing, and works that are not public cannot be found.",
        ),
        "similar.searched": LocalizedText(
            "已比对本馆公开的全部图像，共 {count} 幅。", "Images compared: all {count} public ones."
        ),
        "similar.searched-partly": LocalizedText(
            "已比对本馆公开的 {total} 幅图像中的 {count} 幅。", "Images compared: {count} of {total} public ones."
        ),
        "similar.outlined": LocalizedText(
            "页面图像，框内为上传图片所出之处", "The page; the outlined part is the picture"
        ),
        "similar.page": LocalizedText("页次", "Page"),
        "similar.confidence": LocalizedText("像素相符", "Pixels that agree"),
        "similar.region": LocalizedText("所在区域（像素）", "Region in pixels"),
        "similar.image": LocalizedText("图像编号", "Image"),
        "similar.work": LocalizedText("书目页", "About the work"),
        "similar.proof": LocalizedText("此图像的证据文件", "Evidence file of this image"),
    }
)
