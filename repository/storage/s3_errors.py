"""Errors of S3 servers and of the network as domain errors: one table for obstore and boto3."""

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
    "the bucket does not exist; check its name, or create it with shanben init",
)
_CREDENTIALS: Final = LocalizedText(
    "凭据有误或权限不足；请核对访问密钥",
    "the credentials are wrong or lack permissions; check the access key and secret key",
)
_FULL: Final = LocalizedText(
    "空间或配额已用尽；请腾出空间或调高配额", "no space or quota is left; free some space or raise the quota"
)
_DAMAGED: Final = LocalizedText(
    "数据在传输中受损，存储服务拒绝接收；请重试", "the server refused bytes that were damaged in transit; try again"
)

_BY_CODE: Final[Mapping[str, tuple[type[StoreFault], LocalizedText]]] = {
    "NoSuchBucket": (StoreDenied, _NO_BUCKET),
    "InvalidBucketName": (StoreDenied, LocalizedText("存储桶名称不合规范", "the bucket name is not valid")),
    "InvalidAccessKeyId": (StoreDenied, _CREDENTIALS),
    "SignatureDoesNotMatch": (StoreDenied, _CREDENTIALS),
    "AccessDenied": (StoreDenied, _CREDENTIALS),
    "RequestTimeTooSkewed": (
        StoreDenied,
        LocalizedText(
            "本机时钟与存储服务相差过大；请校准时钟",
            "the clock of this machine differs too much from the server's; set it",
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
            "the upload was aborted by a process that completed the same object first; try again",
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
    "the server refused the request without a reason; check the bucket name, the region and the endpoint",
)
_TIMED_OUT: Final = LocalizedText(
    "存储服务响应超时；请检查网络与服务", "the server did not respond in time; check the network and the server"
)
_UNREACHABLE: Final = LocalizedText(
    "无法连接存储服务；请核对地址，并确认服务已启动",
    "the server cannot be reached; check its address and whether it is running",
)


def error_code(report: str) -> str:
    """Return the S3 error code in the text of an obstore error; '' for none (a response to HEAD has no body)."""
    match = _CODE.search(report)
    return match[1] if match else ""


def fault_of_report(key: str, report: str) -> StoreFault:
    """Return the fault for the text of an obstore error."""
    status = _STATUS.search(report)
    if status:
        return fault_of_response(key, error_code(report), int(status[1]))
    kind = _KIND.search(report)
    if kind:
        return unreachable_fault(key, timed_out=kind[1] != "Connect")
    if "HTTP error" in report:
        return unreachable_fault(key, timed_out=False)
    return StoreFault(key=key, reason=report.partition("\n")[0][:200])


def fault_of_response(key: str, code: str, status: int) -> StoreFault:
    """Return the fault for a response with this S3 error code ('' for none) and HTTP status."""
    if code == "NoSuchKey" or (status == 404 and not code):
        return KeyNotFound(key=key)
    if status == 400 and not code:  # a response to HEAD has no body that names the reason
        return StoreDenied(key=key, reason=_UNEXPLAINED)
    entry = _BY_CODE.get(code) or _BY_STATUS.get(status)
    if entry:
        return entry[0](key=key, reason=entry[1])
    response = f"HTTP {status} {code}".strip()
    return StoreFault(
        key=key, reason=LocalizedText(f"存储服务出错（{response}）", f"the server reported an error ({response})")
    )


def unreachable_fault(key: str, *, timed_out: bool) -> StoreFault:
    """Return the fault for a server that cannot be reached or does not respond."""
    return StoreFault(key=key, reason=_TIMED_OUT if timed_out else _UNREACHABLE)
