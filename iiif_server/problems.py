"""Domain errors as HTTP: the table of statuses, problem documents and content negotiation.

A problem document is RFC 9457 JSON in the reader's language, or in both languages when that is unknown. It has the
error's machine `code` as an extension member and, for a request that breaks a grammar, the `part` at fault. Details of
internal errors (keys, addresses of databases) are written to the log only: a status of 500 or above shows a general
message and the code.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from werkzeug.datastructures import LanguageAccept, MIMEAccept
from werkzeug.http import parse_accept_header

from iiif_server.auth.errors import AuthorizationNeeded
from iiif_server.request.cost import RequestLimited
from iiif_server.request.uploads import UploadTooLarge
from repository.errors import (
    AccessRefused,
    CallError,
    ContentError,
    IdentifierInvalid,
    IntegrityError,
    NotFound,
    RequestInvalid,
    SettingInvalid,
    ShanbenError,
    SystemFault,
    Withdrawn,
)
from repository.localized import Language, LocalizedText
from repository.texts import TextChanged

STATUS: Final[Mapping[type[ShanbenError], HTTPStatus]] = {
    ShanbenError: HTTPStatus.INTERNAL_SERVER_ERROR,
    ContentError: HTTPStatus.UNPROCESSABLE_ENTITY,
    CallError: HTTPStatus.BAD_REQUEST,
    RequestInvalid: HTTPStatus.BAD_REQUEST,
    RequestLimited: HTTPStatus.TOO_MANY_REQUESTS,
    UploadTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    NotFound: HTTPStatus.NOT_FOUND,
    IdentifierInvalid: HTTPStatus.NOT_FOUND,
    TextChanged: HTTPStatus.CONFLICT,
    Withdrawn: HTTPStatus.GONE,
    AccessRefused: HTTPStatus.FORBIDDEN,
    AuthorizationNeeded: HTTPStatus.UNAUTHORIZED,
    SettingInvalid: HTTPStatus.INTERNAL_SERVER_ERROR,
    IntegrityError: HTTPStatus.INTERNAL_SERVER_ERROR,
    SystemFault: HTTPStatus.SERVICE_UNAVAILABLE,
}
"""The status of each error class; an error that is not listed has the status of its nearest base class.

A pyramid that is missing from the store (`KeyNotFound`) is 503, not 500: a worker can make it again from its master.
"""

CHALLENGE: Final = ("WWW-Authenticate", 'Bearer realm="IIIF"')
"""The header of every 401 (RFC 9110, section 11.6.1); browsers show no dialogue for this scheme."""

_RETRY_SECONDS: Final = 5
_RETRY_AFTER_HELP_SECONDS: Final = 60
"""The ``Retry-After`` of a fault that somebody must repair first."""

_TITLES: Final = {
    HTTPStatus.BAD_REQUEST: "请求有误",
    HTTPStatus.UNAUTHORIZED: "需要登录",
    HTTPStatus.FORBIDDEN: "限制访问",
    HTTPStatus.NOT_FOUND: "未找到",
    HTTPStatus.METHOD_NOT_ALLOWED: "不支持此请求方法",
    HTTPStatus.NOT_ACCEPTABLE: "没有所要求的类型",
    HTTPStatus.REQUEST_TIMEOUT: "请求超时",
    HTTPStatus.CONFLICT: "已有改动",
    HTTPStatus.GONE: "已撤下",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "请求内容过大",
    HTTPStatus.REQUEST_URI_TOO_LONG: "地址过长",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "不支持此内容类型",
    HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE: "所要求的字节范围不存在",
    HTTPStatus.UNPROCESSABLE_ENTITY: "内容有误",
    HTTPStatus.TOO_MANY_REQUESTS: "请求过于频繁",
    HTTPStatus.INTERNAL_SERVER_ERROR: "服务器内部错误",
    HTTPStatus.NOT_IMPLEMENTED: "尚不支持",
    HTTPStatus.SERVICE_UNAVAILABLE: "服务暂不可用",
}

INTERNAL: Final = LocalizedText(
    "服务器内部出错，原因已记入日志；请稍后重试，如仍有问题，请告知馆方",
    "The server failed, and the reason is in its log; try again later, and tell the library if the problem continues",
)
_UNAVAILABLE: Final = LocalizedText(
    "服务暂不可用，请稍后重试", "The service is temporarily unavailable; please try again shortly"
)


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem document: `body` is UTF-8 JSON, described by `headers`."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...]


def status_of(error: ShanbenError) -> HTTPStatus:
    """Return the status of an error."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def problem(error: ShanbenError, language: Language | None) -> Problem:
    """Return the problem document of an error, in a language, or in both for None."""
    status = status_of(error)
    detail = error.message
    if status >= 500 and not error.is_public:
        detail = _UNAVAILABLE if status is HTTPStatus.SERVICE_UNAVAILABLE else INTERNAL
    part = error.details.get("part")
    members = {"part": str(part)} if part else {}
    retry = _retry_seconds(error)
    return problem_document(status, error.code, detail, language, members, retry_seconds=retry)


def _retry_seconds(error: ShanbenError) -> int:
    seconds = error.details.get("seconds")
    if isinstance(error, RequestLimited) and isinstance(seconds, int):
        return seconds
    return _RETRY_SECONDS if error.transient else _RETRY_AFTER_HELP_SECONDS


def problem_document(
    status: HTTPStatus,
    code: str,
    detail: LocalizedText,
    language: Language | None,
    members: Mapping[str, str],
    *,
    retry_seconds: int = _RETRY_SECONDS,
) -> Problem:
    """Return a problem document (RFC 9457 section 3) with extension members; a 503 has ``Retry-After``."""
    family = HTTPStatus.BAD_REQUEST if status < HTTPStatus.INTERNAL_SERVER_ERROR else HTTPStatus.INTERNAL_SERVER_ERROR
    title = LocalizedText(_TITLES.get(status, _TITLES[family]), status.phrase)
    document = {
        "type": "about:blank",
        "title": title.in_language(language),
        "status": status.value,
        "detail": detail.in_language(language),
        "code": code,
        **members,
    }
    headers = [
        ("Content-Type", "application/problem+json"),
        ("Content-Language", language.value if language else ", ".join(Language)),
        ("Vary", "Accept-Language"),
        ("Cache-Control", "no-store"),
    ]
    if status in {HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS}:
        headers.append(("Retry-After", str(retry_seconds)))
    if status == HTTPStatus.UNAUTHORIZED:
        headers.append(CHALLENGE)
    return Problem(status.value, json.dumps(document, ensure_ascii=False).encode(), tuple(headers))


def media_weight(accept: str, media_type: str) -> float:
    """Return the weight, 0 to 1, that ``Accept`` gives to a media type (RFC 9110, section 12.5.1).

    The most specific range decides. Parameters of a range are ignored: clients send the ``profile`` of any version.
    """
    ranges = parse_accept_header(accept, MIMEAccept)
    return MIMEAccept((name.partition(";")[0].strip(), weight) for name, weight in ranges).quality(media_type)


def stated_language(accept_language: str | None) -> Language | None:
    """Return the interface language that an ``Accept-Language`` header prefers (RFC 9110, section 12.5.4).

    None when it names neither, or is absent or empty. Only the primary subtag counts: ``zh-TW`` is Chinese, ``en-GB``
    is English.
    """
    return _best_language([(tag, weight) for tag, weight in _language_ranges(accept_language) if tag != "*"])


def preferred_language(accept_language: str | None) -> Language:
    """Return the language of the interface: that of `stated_language`, else Chinese.

    But readers whose header lists only other languages get English.
    """
    ranges = _language_ranges(accept_language)
    return stated_language(accept_language) or _best_language(ranges) or _OTHERS[bool(accept_language)]


_OTHERS: Final = {False: Language.CHINESE, True: Language.ENGLISH}


def _language_ranges(accept_language: str | None) -> list[tuple[str, float]]:
    """Return the primary subtags of a header with their weights."""
    ranges = parse_accept_header(accept_language, LanguageAccept) if accept_language else []
    return [(tag.partition("-")[0], weight) for tag, weight in ranges]


def _best_language(ranges: Sequence[tuple[str, float]]) -> Language | None:
    best = LanguageAccept(ranges).best_match(("zh", "en"))
    return {"zh": Language.CHINESE, "en": Language.ENGLISH}.get(best or "")
