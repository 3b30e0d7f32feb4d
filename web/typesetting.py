"""Typesets PDF documents by typst, for reports and certificates: the same input gives the same bytes.

A document is a typst source that reads its data from ``sys.inputs``, so that no text of a library is ever part of a
program. The fonts are those of the machine; Chinese needs one of `CHINESE_FONTS` (Debian: fonts-noto-cjk).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from repository.errors import DependencyMissing
from repository.localized import LocalizedText

CHINESE_FONTS: Final = ("Noto Serif CJK SC", "Noto Sans CJK SC", "Source Han Serif SC", "Source Han Sans SC")
"""The fonts for Chinese, in the order in which they are preferred."""


def typeset_pdf(source: str, data: object, time: str, pictures: Mapping[str, bytes] | None = None) -> bytes:
    """Return the PDF of a typst source.

    ``sys.inputs.data`` is `data` as JSON, with the key ``fonts`` added: the names of the fonts to use. Pictures (SVG)
    are inputs of their own names. `time` (RFC 3339) is that of the document. Raises `DependencyMissing` without a font
    for Chinese, and `ValueError` for a source that typst refuses.
    """
    import typst  # noqa: PLC0415 - only where a PDF is made

    fonts = typst.Fonts()  # The search takes 75 ms, so the compiler is given what was found.
    families = fonts.families()
    chinese = [font for font in CHINESE_FONTS if font in families]
    if not chinese:
        raise DependencyMissing(
            what=LocalizedText("中文字体", "a font for Chinese"),
            remedy=LocalizedText("请安装 Debian 软件包 fonts-noto-cjk", "install the Debian package fonts-noto-cjk"),
        )
    document: dict[str, Any] = {"content": data, "fonts": chinese}
    inputs = {name: picture.decode() for name, picture in (pictures or {}).items()}
    inputs["data"] = json.dumps(document, ensure_ascii=False)
    moment = int(datetime.fromisoformat(time).timestamp())
    try:
        made: Any = typst.compile(source.encode(), format="pdf", sys_inputs=inputs, timestamp=moment, font_paths=fonts)
    except typst.TypstError as fault:
        raise ValueError(str(fault)) from fault
    return bytes(made)
