"""Names and codes of languages as BCP 47 tags. (pure)

Sources: ISO 639-2 for codes of three letters, RFC 5646 for the rule that the shortest code of a language is used.
"""

from __future__ import annotations

import re
from typing import Final

_LANGUAGES: Final = {
    "zh": "chi zho zh-cn zh-tw chinese mandarin 中文 汉语 漢語 漢文 汉文 中国語 國語",
    "lzh": "classical-chinese 文言 文言文 古汉语 古漢語",
    "ja": "jpn japanese 日文 日语 日語 日本語",
    "ko": "kor korean 朝鲜文 朝鮮文 韩文 韓文 韓國語",
    "en": "eng english 英文 英语 英語",
    "fr": "fre fra french 法文 法语 法語",
    "de": "ger deu german 德文 德语 德語",
    "ru": "rus russian 俄文 俄语 俄語",
    "la": "lat latin 拉丁文",
    "mnc": "manchu 满文 滿文 满语 滿語",
    "mn": "mon mongolian 蒙古文 蒙文",
    "bo": "tib bod tibetan 藏文",
    "ug": "uig uighur 维吾尔文",
    "txg": "tangut 西夏文",
    "sa": "san sanskrit 梵文",
    "vi": "vie vietnamese 越南文",
}
_TAGS: Final = {name: tag for tag, names in _LANGUAGES.items() for name in (tag, *names.split())}
_TAG: Final = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z]{4})?(?:-[A-Za-z]{2})?")


def language_tag(value: str) -> str:
    """Return the tag of a language; a value that is not known stays as it is."""
    name = re.sub(r"[\s_]+", "-", value.strip().lower())
    if name in _TAGS:
        return _TAGS[name]
    head, *rest = value.strip().split("-")
    return "-".join([_TAGS.get(head.lower(), head.lower()), *rest]) if _TAG.fullmatch(value.strip()) else value
