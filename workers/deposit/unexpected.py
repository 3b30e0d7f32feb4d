"""What to do with files that are no part of a deposit, and which of them are ignored. (pure)

Operating systems and network drives leave files in every folder that they show; a librarian often cannot see them.
They are ignored and listed, never preserved.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Final

from repository.localized import LocalizedText

_LEFT_BEHIND: Final = re.compile(
    r"\.ds_store|\._.*|__macosx|\.appledouble|\.spotlight-v100|\.trashes|\.fseventsd|\.localized|\.apdisk"
    r"|(eh)?thumbs\.db|desktop\.ini|\$recycle\.bin|system volume information"
    r"|@eadir|#recycle|@tmp|\.@__thumb|\.directory|\.nfs[0-9a-f]+",
    re.IGNORECASE | re.DOTALL,
)

_TABLE: Final = LocalizedText(
    "著录不从表格读取；请把各项抄入 work.toml，再移走此文件",
    "the record is not read from tables; copy its values into work.toml and remove this file",
)
_DOCUMENT: Final = LocalizedText(
    "说明文字不属于送存内容；请把著录写入 work.toml，再移走此文件",
    "this text is not part of a deposit; write the record into work.toml and remove this file",
)
_ARCHIVE: Final = LocalizedText(
    "不收压缩包；请解压后把图像放入文件夹，再移走此文件",
    "archives are not accepted; unpack the images into the folder and remove this file",
)
_PDF: Final = LocalizedText(
    "PDF 不是保存格式；请导出为每页一幅的 TIFF 等图像，再移走此文件",
    "PDF is not a format of masters; export each page as an image, TIFF for instance, and remove this file",
)
_RAW: Final = LocalizedText(
    "相机原始文件不能收入；请导出为 TIFF，再移走此文件",
    "raw files of cameras are not accepted; export them as TIFF and remove this file",
)
_OTHER: Final = LocalizedText(
    "不属于送存内容；请移出文件夹", "this file is not part of a deposit; remove it from the folder"
)
_ADVICE: Final = {
    suffix: advice
    for suffixes, advice in (
        (".csv .tsv .xls .xlsx .xlsm .ods .et .numbers .accdb .mdb .dbf", _TABLE),
        (".doc .docx .odt .wps .rtf .txt .md .xml .json .toml", _DOCUMENT),
        (".zip .rar .7z .tar .gz .tgz .iso", _ARCHIVE),
        (".pdf .djvu .ofd .ceb", _PDF),
        (".raw .dng .cr2 .cr3 .nef .arw .iiq .3fr .fff .raf .orf", _RAW),
    )
    for suffix in suffixes.split()
}


def is_left_behind(name: str) -> bool:
    """Return whether a file or folder is one that an operating system or network drive leaves behind."""
    return _LEFT_BEHIND.fullmatch(name) is not None


def advice_for_file(path: str) -> LocalizedText:
    """Return why a file is no part of a deposit, and what to do with it; `path` is within the deposit."""
    return _ADVICE.get(PurePosixPath(path).suffix.lower(), _OTHER)


def advice_for_folder(path: str) -> LocalizedText:
    """Return what to do with a folder within the folder of a volume, such as 第一函/第一冊."""
    outer, inner = PurePosixPath(path).parts[-2:]
    joined = f"{outer}{inner}"
    return LocalizedText(
        f"文件夹最多两层：送存目录、册；请把 {inner} 移到送存目录下，改名为 {joined} 之类",
        f"there are at most two levels of folders, the deposit and its volumes; move {inner} up into the deposit "
        f"and rename it, {joined} for instance",
    )


NESTED_DEPOSIT: Final = LocalizedText(
    "这一文件夹自有 work.toml，是另一份送存；请单独收入：shanben ingest 此文件夹",
    "this folder has a work.toml of its own: it is a deposit; ingest it by itself: shanben ingest FOLDER",
)
