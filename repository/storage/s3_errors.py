"""What an S3 server or the way to it answers, in words: one table for obstore and boto3."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from repository.errors import KeyNotFound, StoreDenied, StoreFault, StoreFull
from repository.localized import LocalizedText

_CODE: Final = re.compile(r"<Code>\s*([A-Za-z0-9.]{1,64})\s*</Code>")
_STATUS: Final = re.compile(r"status code: (\d{3})")
_KIND: Final = re.compile(r"kind: (Connect|Timeout)\b|\b(TimedOut)\b")

_NO_BUCKET: Final = LocalizedText(
    "存储桶不存在；请核对名称，或运行 shanben init 创建",
    "there is no such bucket; check its name, or run shanben init to make it",
)
_CREDENTIALS: Final = LocalizedText(
    "凭据有误或权限不足；请核对访问密钥",
    "the credentials are wrong or may not do this; check the access and secret key",
)
_FULL: Final = LocalizedText(
    "空间或配额已用尽；请腾出空间或调高配额", "no room is left, or the quota is used up; make room or raise the quota"
)
_DAMAGED: Final = LocalizedText(
    "字节在途中受损，服务拒收；请重试", "bytes were damaged on the way and refused; try again"
)

_BY_CODE: Final[Mapping[str, tuple[type[StoreFault], LocalizedText]]] = {
    "NoSuchBucket": (StoreDenied, _NO_BUCKET),
    "InvalidBucketName": (StoreDenied, LocalizedText("存储桶名称不合规范", "the bucket's name is not a valid one")),
    "InvalidAccessKeyId": (StoreDenied, _CREDENTIALS),
    "SignatureDoesNotMatch": (StoreDenied, _CREDENTIALS),
    "AccessDenied": (StoreDenied, _CREDENTIALS),
    "RequestTimeTooSkewed": (
        StoreDenied,
        LocalizedText(
            "本机时钟与存储服务相差过大；请校准时钟", "this machine's clock is too far from the store's; set it"
        ),
    ),
    "QuotaExceeded": (StoreFull, _FULL),
    "XMinioStorageFull": (StoreFull, _FULL),
    "InsufficientCapacity": (StoreFull, _FULL),
    "XAmzContentSHA256Mismatch": (StoreFault, _DAMAGED),
    "XAmzContentChecksumMismatch": (StoreFault, _DAMAGED),
    "BadDigest": (StoreFault, _DAMAGED),
    "NoSuchUpload": (
        StoreFault,
        LocalizedText(
            "上传被中断：另有进程已写完同一对象；请重试",
            "the upload was ended by another that finished the same object first; try again",
        ),
    ),
}
_BY_STATUS: Final[Mapping[int, tuple[type[StoreFault], LocalizedText]]] = {
    401: (StoreDenied, _CREDENTIALS),
    403: (StoreDenied, _CREDENTIALS),
    507: (StoreFull, _FULL),
}
_UNEXPLAINED: Final = LocalizedText(
    "服务不接受此请求，也未说明原因；请核对存储桶名称、区域与服务地址",
    "the store refuses this and does not say why; check the bucket's name, the region and the endpoint",
)
_NO_ANSWER: Final = LocalizedText(
    "存储服务迟迟没有回应；请检查网络与服务", "the store did not answer in time; check the network and the service"
)
_AWAY: Final = LocalizedText(
    "连接不上存储服务；请检查其地址，以及服务是否在运行",
    "the store cannot be reached; check its address and whether it is running",
)


def code_in(report: str) -> str:
    """The S3 error code within a report of obstore's; '' when the server sent none (it cannot with a HEAD)."""
    found = _CODE.search(report)
    return found[1] if found else ""


def fault_in(key: str, report: str) -> StoreFault:
    """The fault that a report of obstore's tells of."""
    status = _STATUS.search(report)
    if status:
        return fault_of(key, code_in(report), int(status[1]))
    kind = _KIND.search(report)
    if kind:
        return StoreFault(key=key, reason=_AWAY if kind[1] == "Connect" else _NO_ANSWER)
    if "HTTP error" in report:
        return StoreFault(key=key, reason=_AWAY)
    return StoreFault(key=key, reason=report.partition("\n")[0][:200])


def fault_of(key: str, code: str, status: int) -> StoreFault:
    """The fault of an answer with this S3 error code ('' for none) and HTTP status."""
    if code == "NoSuchKey" or (status == 404 and not code):
        return KeyNotFound(key=key)
    if status == 400 and not code:  # the answer to a HEAD has no room for a reason
        return StoreDenied(key=key, reason=_UNEXPLAINED)
    named = _BY_CODE.get(code) or _BY_STATUS.get(status)
    if named:
        return named[0](key=key, reason=named[1])
    said = f"HTTP {status} {code}".strip()
    return StoreFault(
        key=key, reason=LocalizedText(f"存储服务出错（{said}）", f"the store answered with an error ({said})")
    )


def unreachable(key: str, *, timed_out: bool) -> StoreFault:
    """The fault of a server that could not be spoken with."""
    return StoreFault(key=key, reason=_NO_ANSWER if timed_out else _AWAY)
