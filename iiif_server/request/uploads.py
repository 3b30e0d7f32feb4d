"""What may be wrong with a file that is sent with a request. (pure)"""

from __future__ import annotations

from repository.errors import CallError
from repository.localized import LocalizedText


class UploadTooLarge(CallError):
    """A request with more bytes than are accepted."""

    code = "upload.size"
    text = LocalizedText(
        "文件不得超过 {megabytes} MB；请缩小图片后重试",
        "The file may have {megabytes} MB at most; reduce the picture, then try again",
    )
