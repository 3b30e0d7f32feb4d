"""The statements of rights URIs: Creative Commons and RightsStatements.org. (pure)

Names are those of https://creativecommons.org/ and https://rightsstatements.org/page/1.0/ .
"""

from __future__ import annotations

import re
from typing import Final

from repository.localized import LocalizedText
from repository.model.rights import licence_uri

_CREATIVE_COMMONS: Final = re.compile(
    r"http://creativecommons\.org/(licenses|publicdomain)/([a-z-]+)/(\d\.\d)(/([a-z]+))?/"
)
_STATEMENT: Final = re.compile(r"http://rightsstatements\.org/vocab/([A-Za-z-]+)/1\.0/")
_PUBLIC_DOMAIN: Final = {
    "mark": LocalizedText("公有领域标记", "Public Domain Mark"),
    "zero": LocalizedText("CC0 公有领域贡献", "CC0 Public Domain Dedication"),
}
_CONDITIONS: Final = {
    "by": LocalizedText("署名", "Attribution"),
    "nc": LocalizedText("非商业性使用", "NonCommercial"),
    "nd": LocalizedText("禁止演绎", "NoDerivatives"),
    "sa": LocalizedText("相同方式共享", "ShareAlike"),
}
_STATEMENTS: Final = {
    "InC": LocalizedText("受版权保护", "In copyright"),
    "InC-OW-EU": LocalizedText("受版权保护：欧盟孤儿作品", "In copyright: EU orphan work"),
    "InC-EDU": LocalizedText("受版权保护：允许教育使用", "In copyright: educational use permitted"),
    "InC-NC": LocalizedText("受版权保护：允许非商业使用", "In copyright: non-commercial use permitted"),
    "InC-RUU": LocalizedText(
        "受版权保护：权利人不明或无法联系", "In copyright: rights-holders unlocatable or unidentifiable"
    ),
    "NoC-CR": LocalizedText("无版权：合同限制", "No copyright: contractual restrictions"),
    "NoC-NC": LocalizedText("无版权：仅限非商业使用", "No copyright: non-commercial use only"),
    "NoC-OKLR": LocalizedText("无版权：受其他法律限制", "No copyright: other known legal restrictions"),
    "NoC-US": LocalizedText("无版权：美国", "No copyright: United States"),
    "CNE": LocalizedText("版权未经评估", "Copyright not evaluated"),
    "UND": LocalizedText("版权未能确定", "Copyright undetermined"),
    "NKC": LocalizedText("无已知版权", "No known copyright"),
}


def rights_statement(uri: str) -> LocalizedText:
    """Return the statement of a rights URI; the URI itself when it is unknown."""
    known = licence_uri(uri) or uri
    return _creative_commons(known) or _statement(known) or LocalizedText(uri, uri)


def _creative_commons(uri: str) -> LocalizedText | None:
    match = _CREATIVE_COMMONS.fullmatch(uri)
    if not match:
        return None
    kind, name, version = match[1], match[2], match[3]
    port = f" {match[5].upper()}" if match[5] else ""
    if kind == "publicdomain":
        mark = _PUBLIC_DOMAIN.get(name)
        return LocalizedText(f"{mark.zh} {version}", f"{mark.en} {version}") if mark else None
    conditions = [_CONDITIONS[part] for part in name.split("-") if part in _CONDITIONS]
    if len(conditions) != name.count("-") + 1:
        return None
    chinese = "-".join(condition.zh for condition in conditions)
    english = "-".join(condition.en for condition in conditions)
    return LocalizedText(f"知识共享 {chinese} {version}{port}", f"Creative Commons {english} {version}{port}")


def _statement(uri: str) -> LocalizedText | None:
    match = _STATEMENT.fullmatch(uri)
    return _STATEMENTS.get(match[1]) if match else None
