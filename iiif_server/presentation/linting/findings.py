"""The findings of the linter: their codes, and what they say in Chinese and English. (pure)"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from repository.localized import LocalizedText

MESSAGES: Final[Mapping[str, LocalizedText]] = {
    "json": LocalizedText("不是 JSON：{reason}", "This is not JSON: {reason}"),
    "json-object": LocalizedText("文件须为一个 JSON 对象", "The document must be one JSON object"),
    "json-key": LocalizedText("同一对象中重复出现 {name}", "{name} occurs twice in one object"),
    "json-depth": LocalizedText("嵌套超过 {limit} 层", "The document nests deeper than {limit} levels"),
    "context": LocalizedText(
        "须有 @context，其值（或数组末项）为 {context}",
        "@context must be {context}, or an array that ends in it",
    ),
    "context-version": LocalizedText(
        "这是 Presentation 2 的文件；只检查 3.0 版", "This is a Presentation 2 document; only version 3.0 is checked"
    ),
    "context-embedded": LocalizedText(
        "@context 只能出现在文件最外层", "@context is allowed only at the top of the document"
    ),
    "graph": LocalizedText("最外层不得有 @graph", "@graph is not allowed at the top of the document"),
    "object": LocalizedText("{name} 的每一项须为 JSON 对象", "Each value of {name} must be a JSON object"),
    "array": LocalizedText("{name} 须为数组，只有一项时也是", "{name} must be an array, even for a single value"),
    "string": LocalizedText("{name} 须为字符串", "{name} must be a string"),
    "empty": LocalizedText("{name} 至少须有一项", "{name} must have at least one item"),
    "missing": LocalizedText("{what} 须有 {name}", "{what} must have {name}"),
    "missing-label": LocalizedText("此处的 {what} 应有 label", "{what} should have a label here"),
    "class": LocalizedText("{name} 只能是 {classes}，不能是 {found}", "{name} must be {classes}, not {found}"),
    "not-allowed": LocalizedText("{what} 不得有 {name}", "{what} must not have {name}"),
    "unknown": LocalizedText(
        "{name} 不是 IIIF 的属性；如为扩展，请在 @context 中加入其上下文",
        "{name} is no property of IIIF; if it is an extension, add its context to @context",
    ),
    "uri": LocalizedText("{name} 须为 HTTP(S) 地址：{value}", "{name} must be an HTTP(S) URI: {value}"),
    "uri-space": LocalizedText("{name} 前后有空格", "{name} begins or ends with a space"),
    "fragment": LocalizedText("Canvas 的 id 不得含 #：{value}", "The id of a Canvas must not contain #: {value}"),
    "duplicate": LocalizedText("此 id 已用于 {other}", "This id is already that of {other}"),
    "language-map": LocalizedText(
        '{name} 须为语言对照的对象，如 {{"zh": ["…"]}}', '{name} must be a language map such as {{"en": ["…"]}}'
    ),
    "language": LocalizedText("{value} 不是 BCP 47 语言代码", "{value} is no BCP 47 language code"),
    "html": LocalizedText("{name} 中不得使用 HTML", "{name} must not contain HTML"),
    "html-malformed": LocalizedText("{name} 中的 HTML 不是合格的 XML", "The HTML in {name} is not well-formed XML"),
    "date": LocalizedText(
        "navDate 须为带时区的 XSD dateTime，如 1900-01-01T00:00:00Z",
        "navDate must be an XSD dateTime with a time zone, such as 1900-01-01T00:00:00Z",
    ),
    "date-utc": LocalizedText("navDate 宜用 UTC（Z）", "navDate should be in UTC (Z)"),
    "rights": LocalizedText("rights 须为一个权利声明的地址", "rights must be the URI of one rights statement"),
    "rights-https": LocalizedText(
        "知识共享与 RightsStatements.org 的声明须用 http 地址：{value}",
        "Creative Commons and RightsStatements.org define http URIs; use {value}",
    ),
    "direction": LocalizedText("viewingDirection 的值无效：{value}", "{value} is no viewingDirection"),
    "time-mode": LocalizedText("timeMode 的值无效：{value}", "{value} is no timeMode"),
    "behavior": LocalizedText("{what} 不能有 behavior {value}", "The behavior {value} is not valid on {what}"),
    "behavior-unknown": LocalizedText("IIIF 未定义 behavior {value}", "IIIF defines no behavior {value}"),
    "behavior-disjoint": LocalizedText("behavior {values} 不能并用", "The behaviors {values} exclude each other"),
    "behavior-size": LocalizedText(
        "behavior {value} 要求画布有 height 与 width", "The behavior {value} needs canvases with height and width"
    ),
    "behavior-duration": LocalizedText(
        "behavior {value} 要求画布有 duration", "The behavior {value} needs canvases with a duration"
    ),
    "integer": LocalizedText("{name} 须为正整数", "{name} must be a positive integer"),
    "number": LocalizedText("{name} 须为正数", "{name} must be a positive number"),
    "one-side": LocalizedText("height 与 width 须同时给出", "height and width must be given together"),
    "no-extent": LocalizedText(
        "Canvas 须有 height 与 width，或有 duration", "A Canvas must have height and width, or a duration"
    ),
    "nested-canvas": LocalizedText(
        "placeholderCanvas 与 accompanyingCanvas 中不得再有这两个属性",
        "A placeholderCanvas or accompanyingCanvas must not have either property itself",
    ),
    "motivation": LocalizedText(
        "画布 items 中的注释须以 painting 为 motivation",
        "An annotation in the items of a Canvas must have the motivation painting",
    ),
    "motivation-painting": LocalizedText(
        "annotations 中的注释不得以 painting 为 motivation",
        "An annotation in annotations must not have the motivation painting",
    ),
    "target": LocalizedText(
        "注释的目标不是所在的 {what}：{value}", "The annotation targets {value}, not the {what} that it is in"
    ),
    "body": LocalizedText("painting 注释须有 body", "A painting annotation must have a body"),
    "service-as-image": LocalizedText(
        "图像的 id 不得就是图像服务的地址", "The id of an image must not be the URI of its image service"
    ),
    "region": LocalizedText(
        "{value} 超出画布（{width} × {height}）", "{value} is outside the canvas ({width} × {height})"
    ),
    "time": LocalizedText(
        "{value} 超出画布时长（{duration} 秒）", "{value} is outside the canvas ({duration} seconds)"
    ),
    "fragment-syntax": LocalizedText("片段写法有误：{value}", "The fragment {value} is malformed"),
    "dimension": LocalizedText(
        "画布没有 {value} 所选的维度", "The canvas does not have the dimension that {value} selects"
    ),
    "content-size": LocalizedText(
        "画布没有 {what} 所需的尺寸或时长", "The canvas does not have the dimensions of this {what}"
    ),
    "aspect-ratio": LocalizedText(
        "图像（{image}）与画布（{canvas}）的长宽比不同，显示时会变形",
        "The image ({image}) and its place on the canvas ({canvas}) have different aspect ratios: it appears distorted",
    ),
    "no-content": LocalizedText("Canvas 没有内容", "The Canvas has no content"),
    "canvas-missing": LocalizedText("Manifest 中没有此画布：{value}", "The Manifest has no such canvas: {value}"),
    "range-cycle": LocalizedText("Range 包含了自身：{value}", "The Range contains itself: {value}"),
    "range-missing": LocalizedText("文件中没有此 Range：{value}", "The document has no such Range: {value}"),
    "sequence-nested": LocalizedText(
        "behavior 为 sequence 的 Range 须直接位于 structures 中",
        "A Range with the behavior sequence must be directly in structures",
    ),
    "thumbnail-nav": LocalizedText(
        "behavior 为 thumbnail-nav 的 Range，其下各 Range 须有 thumbnail",
        "Each Range in a Range with the behavior thumbnail-nav must have a thumbnail",
    ),
    "embedded-manifest": LocalizedText(
        "Collection 只能引用 Manifest，不得嵌入其 {name}",
        "A Collection refers to a Manifest and must not embed its {name}",
    ),
    "services-place": LocalizedText(
        "services 只能出现在最外层的资源", "services is allowed only on the top-most resource"
    ),
    "keyword": LocalizedText("{name} 是旧版写法；请用 {instead}", "{name} belongs to older versions; use {instead}"),
    "source": LocalizedText(
        "SpecificResource 的 source 须为 Canvas", "The source of the SpecificResource must be a Canvas"
    ),
}
"""What each code says."""


@dataclass(frozen=True, slots=True)
class LintFinding:
    """A finding: the JSONPath of its place (RFC 9535 normalized form is not used: names without quotes), and a code."""

    path: str
    code: str
    message: LocalizedText


@dataclass(slots=True)
class LintReport:
    """The findings of a document: errors break a "must" of the specification, warnings a "should"."""

    errors: list[LintFinding] = field(default_factory=list)
    warnings: list[LintFinding] = field(default_factory=list)

    def error(self, path: str, code: str, **details: object) -> None:
        """Add an error."""
        self.errors.append(LintFinding(path, code, MESSAGES[code].format(**details)))

    def warning(self, path: str, code: str, **details: object) -> None:
        """Add a warning."""
        self.warnings.append(LintFinding(path, code, MESSAGES[code].format(**details)))
