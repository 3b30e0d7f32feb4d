"""The messages of the validation codes. (pure)

The codes are OCFL's (https://ocfl.io/1.1/spec/validation-codes.html); the messages say what is wrong in a stored object
and not, as the specification does, what must be. A code and a variant, where there is one, select a message.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from preservation.ocfl.validation_rules import UNREADABLE, RuleFinding
from repository.localized import LocalizedText

_LONGEST_DETAIL: Final = 200

MEANINGS: Final[Mapping[str, LocalizedText]] = {
    # The files of an object.
    "E001": LocalizedText("对象根目录中有多余的文件或文件夹", "The object root contains an unexpected file or folder"),
    "E003": LocalizedText(
        "对象根目录须恰有一个版本声明文件", "The object root must have exactly one version declaration"
    ),
    "E006": LocalizedText("对象版本声明文件的名称有误", "The object's version declaration has a wrong name"),
    "E007": LocalizedText("对象版本声明文件的内容有误", "The object's version declaration has wrong content"),
    "E015": LocalizedText("版本文件夹中有多余的文件", "A version folder contains an unexpected file"),
    "E023": LocalizedText("清单未登记此文件", "The inventory does not list this file"),
    "E058": LocalizedText("缺少清单的摘要文件", "The inventory's sidecar is missing"),
    "E060": LocalizedText("清单与其摘要文件不符", "The inventory does not match its sidecar"),
    "E061": LocalizedText("清单的摘要文件格式有误", "The inventory's sidecar is malformed"),
    "E063": LocalizedText("对象缺少清单", "The object has no inventory"),
    "E064": LocalizedText(
        "最新版本的清单与根目录的清单不同", "The newest version's inventory differs from the root inventory"
    ),
    "E067": LocalizedText("对象的 extensions 文件夹中有多余的文件", "The object's extensions folder contains a file"),
    "E092 missing": LocalizedText("文件缺失", "The file is missing"),
    "E092 digest": LocalizedText(
        "文件内容与清单登记的摘要不符", "The content does not have the digest in the manifest"
    ),
    "E093 missing": LocalizedText("固定性块登记的文件缺失", "A file in the fixity block is missing"),
    "E093 digest": LocalizedText(
        "文件内容与固定性块登记的摘要不符", "The content does not have the digest in the fixity block"
    ),
    UNREADABLE: LocalizedText("文件无法读取", "The file cannot be read"),
    # Inventories.
    "E008": LocalizedText("清单中没有版本", "The inventory has no versions"),
    "E009": LocalizedText("版本编号不从 1 开始", "The version numbers do not begin with 1"),
    "E010": LocalizedText("版本编号不连续", "A version number is missing from the sequence"),
    "E010 folder": LocalizedText("版本文件夹缺失", "A version folder is missing"),
    "E011": LocalizedText("版本名称的补零方式不一致", "Version names are zero-padded inconsistently"),
    "E012": LocalizedText("补零的版本名称长度不一", "Zero-padded version names differ in length"),
    "E013": LocalizedText("补零与不补零的版本名称并存", "Zero-padded and plain version names are mixed"),
    "E017": LocalizedText("contentDirectory 不能含斜杠", "contentDirectory contains a slash"),
    "E018": LocalizedText("contentDirectory 不能是“.”“..”或空", "contentDirectory is empty, “.” or “..”"),
    "E019": LocalizedText("各版本的 contentDirectory 不同", "contentDirectory differs between versions"),
    "E025": LocalizedText("digestAlgorithm 须为 sha512 或 sha256", "digestAlgorithm is neither sha512 nor sha256"),
    "E033": LocalizedText("清单不是有效的 JSON", "The inventory is not valid JSON"),
    "E036": LocalizedText("清单缺少必需的项", "The inventory lacks a required key"),
    "E037": LocalizedText("对象标识符无效或前后不一", "The object identifier is invalid or differs between versions"),
    "E038": LocalizedText(
        "清单的 type 与对象的版本声明不符", "The inventory's type does not match the version declaration"
    ),
    "E040": LocalizedText("head 不是最新版本", "head is not the newest version"),
    "E041": LocalizedText("清单缺少 manifest", "The inventory has no manifest"),
    "E042": LocalizedText("内容路径不在版本的内容文件夹中", "A content path is outside the content folders"),
    "E043": LocalizedText("清单缺少 versions", "The inventory has no versions block"),
    "E044": LocalizedText("versions 格式有误", "The versions block is malformed"),
    "E046": LocalizedText("版本不在清单中，或名称有误", "A version is not in the inventory or is misnamed"),
    "E047": LocalizedText("版本块格式有误", "A version block is malformed"),
    "E048": LocalizedText("版本块缺少必需的项", "A version block lacks a required key"),
    "E049": LocalizedText("created 不合 RFC 3339", "created is not an RFC 3339 time"),
    "E050": LocalizedText("state 与 manifest 不符或格式有误", "The state does not match the manifest or is malformed"),
    "E051": LocalizedText("state 的逻辑路径格式有误", "Logical paths of the state are malformed"),
    "E052": LocalizedText("逻辑路径含“.”“..”或空段", "A logical path has an empty, “.” or “..” element"),
    "E053": LocalizedText("逻辑路径首尾有斜杠", "A logical path begins or ends with a slash"),
    "E054": LocalizedText("user 须有 name", "user has no valid name or address"),
    "E057": LocalizedText("固定性块格式有误", "The fixity block is malformed"),
    "E066": LocalizedText(
        "较早清单所载的版本内容与根目录的清单不同", "An earlier inventory states another content for this version"
    ),
    "E092": LocalizedText("manifest 格式有误", "The manifest is malformed"),
    "E093": LocalizedText("固定性块登记的文件不在 manifest 中", "A file in the fixity block is not in the manifest"),
    "E094": LocalizedText("message 须为文字", "message is not a string"),
    "E095": LocalizedText("逻辑路径重复或相互冲突", "Logical paths are repeated or conflict"),
    "E096": LocalizedText("manifest 中摘要重复", "A digest is repeated in the manifest"),
    "E097": LocalizedText("固定性块中摘要重复", "A digest is repeated in the fixity block"),
    "E099": LocalizedText("内容路径含“.”“..”或空段", "A content path has an empty, “.” or “..” element"),
    "E100": LocalizedText("内容路径首尾有斜杠", "A content path begins or ends with a slash"),
    "E101": LocalizedText("内容路径重复或相互冲突", "Content paths are repeated or conflict"),
    "E102": LocalizedText("清单含未知的项", "The inventory has an unknown key"),
    "E103": LocalizedText(
        "较早版本的 OCFL 版本高于较晚版本", "A version follows a newer OCFL version than its successor"
    ),
    "E106": LocalizedText("manifest 须为 JSON 对象", "The manifest is not a JSON object"),
    "E107": LocalizedText("manifest 中有未使用的摘要", "The manifest has a digest that no version uses"),
    "E111": LocalizedText("fixity 须为 JSON 对象", "fixity is not a JSON object"),
    # The storage root.
    "E069": LocalizedText(
        "存储根目录缺少版本声明文件；请运行 shanben init",
        "The storage root has no version declaration; run shanben init",
    ),
    "E070": LocalizedText("ocfl_layout.json 格式有误", "ocfl_layout.json is malformed"),
    "E071": LocalizedText("布局不是已注册的扩展", "The layout is not a registered extension"),
    "E071 other": LocalizedText("布局不是本系统所用的扩展", "The layout is not the extension that this system uses"),
    "E071 config": LocalizedText(
        "布局扩展的参数不是本系统所用的", "The layout extension's parameters are not those that this system uses"
    ),
    "E072": LocalizedText("文件不属于任何对象", "The file does not belong to any object"),
    "E076": LocalizedText("存储根目录有多个版本声明文件", "The storage root has several version declarations"),
    "E079": LocalizedText("存储根目录的版本声明文件名称有误", "The storage root's declaration has a wrong name"),
    "E080": LocalizedText("存储根目录的版本声明文件内容有误", "The storage root's declaration has wrong content"),
    "E081": LocalizedText(
        "对象的 OCFL 版本高于存储根目录", "The object follows a newer OCFL version than the storage root"
    ),
    "E083": LocalizedText("对象不在布局规定的位置", "The object is not at the path that the layout defines"),
    "E112": LocalizedText("存储根目录的 extensions 中有多余的文件", "The storage root's extensions contain a file"),
    # Recommendations.
    "W001": LocalizedText("版本名称以不补零为宜", "Version names should not be zero-padded"),
    "W002": LocalizedText("版本文件夹中宜只有内容文件夹", "A version folder should contain only its content folder"),
    "W004": LocalizedText("摘要算法宜用 sha512", "The digest algorithm should be sha512"),
    "W005": LocalizedText("对象标识符宜为 URI", "The object identifier should be a URI"),
    "W007": LocalizedText("版本宜有 message 与 user", "A version should have message and user"),
    "W008": LocalizedText("user 宜有 address", "user should have an address"),
    "W009": LocalizedText("user 的 address 宜为 URI", "The address of user should be a URI"),
    "W010": LocalizedText("各版本宜有自己的清单", "Each version should have its own inventory"),
    "W011": LocalizedText(
        "较早清单的说明与根目录的清单不同", "An earlier inventory has other metadata for this version"
    ),
    "W013": LocalizedText("对象的扩展未注册", "An extension of the object is not registered"),
    "W016": LocalizedText("存储根目录的扩展未注册", "An extension of the storage root is not registered"),
}
"""Messages by code, or by code and variant."""


def message_of(finding: RuleFinding) -> LocalizedText:
    """Return what a finding means, with its details."""
    meaning = MEANINGS.get(f"{finding.code} {finding.variant}".rstrip()) or MEANINGS[finding.code]
    if not finding.detail:
        return meaning
    detail = finding.detail if len(finding.detail) <= _LONGEST_DETAIL else f"{finding.detail[:_LONGEST_DETAIL]}…"
    return LocalizedText(f"{meaning.zh}（{detail}）", f"{meaning.en} ({detail})")
