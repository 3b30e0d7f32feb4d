"""What the probe and token services respond. (pure)

Authorization Flow 2.0, sections 4.4, 4.5 and 5.2; Authentication 1.0, sections 2.2.2 and 2.2.6.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

from iiif_server.auth.credentials import TOKEN_SECONDS
from iiif_server.auth.services import CONTEXT_2, FAILED_NOTE, language_map
from iiif_server.urls import FULL_TIER, REDUCED_TIER, image_path, image_service_path, tier_name
from repository.localized import LocalizedText
from repository.model.access import AccessVerdict, Decision

Json = dict[str, Any]

_REFUSED: Final = LocalizedText("此图像限制访问", "Access to this image is restricted")
_LOG_IN: Final = LocalizedText(
    "请登录后查看；没有账号的，请联系馆方。", "Log in to see it. If you have no account, contact the library."
)
_REDUCED: Final = LocalizedText("缩小的图像", "Reduced image")
_WITHDRAWN: Final = LocalizedText("已撤下", "Withdrawn")
_WITHDRAWN_NOTE: Final = LocalizedText("本文献已不再公开。", "This work is no longer public.")
_MOST_ORIGIN: Final = 255
_HOST: Final = re.compile(r"\[[0-9a-f:.]+\]|[a-z0-9.-]+")


def probe_result(image: str, base_url: str, *, public: Decision, seen: Decision) -> Json:
    """Return the result of a probe of an image's own service, which shows each reader what they may see.

    `public` is the decision for everybody, `seen` that for the reader. A reader who may see more than the public is
    sent to the tier that always describes the whole image: the document of the image's own service is requested
    without credentials, and describes the public's size.
    """
    if seen.shows_all and not public.shows_all and public.shows_pixels:
        return _result(HTTPStatus.FOUND, location=_resource(tier_name(image, FULL_TIER), base_url))
    return full_probe_result(image, base_url, public=public, seen=seen)


def full_probe_result(image: str, base_url: str, *, public: Decision, seen: Decision) -> Json:
    """Return the result of a probe of the tier with the whole image."""
    if seen.shows_all:
        return _result(HTTPStatus.OK)
    if seen.verdict is AccessVerdict.WITHDRAWN:
        return _result(HTTPStatus.GONE, heading=language_map(_WITHDRAWN), note=language_map(_WITHDRAWN_NOTE))
    denial = {"heading": language_map(_REFUSED), "note": language_map(_LOG_IN)}
    if not public.shows_pixels:
        return _result(HTTPStatus.UNAUTHORIZED, **denial)
    reduced = {**_resource(tier_name(image, REDUCED_TIER), base_url), "label": language_map(_REDUCED)}
    return _result(HTTPStatus.UNAUTHORIZED, substitute=[reduced], **denial)


def _result(status: HTTPStatus, **members: object) -> Json:
    return {"@context": CONTEXT_2, "type": "AuthProbeResult2", "status": status.value, **members}


def _resource(image: str, base_url: str) -> Json:
    service = {"id": base_url + image_service_path(image), "type": "ImageService3", "profile": "level2"}
    picture = base_url + image_path(image, "full/max/0/default.jpg")
    return {"id": picture, "type": "Image", "format": "image/jpeg", "service": [service]}


class TokenFault(StrEnum):
    """Why no token is given, as Authorization Flow 2.0 names it (section 4.5)."""

    REQUEST = "invalidRequest"
    ORIGIN = "invalidOrigin"
    MISSING = "missingAspect"
    INVALID = "invalidAspect"
    EXPIRED = "expiredAspect"
    UNAVAILABLE = "unavailable"


FAULTS_OF_VERSION_1: Final[Mapping[TokenFault, tuple[str, HTTPStatus]]] = MappingProxyType(
    {
        TokenFault.REQUEST: ("invalidRequest", HTTPStatus.BAD_REQUEST),
        TokenFault.ORIGIN: ("invalidOrigin", HTTPStatus.BAD_REQUEST),
        TokenFault.MISSING: ("missingCredentials", HTTPStatus.UNAUTHORIZED),
        TokenFault.INVALID: ("invalidCredentials", HTTPStatus.UNAUTHORIZED),
        TokenFault.EXPIRED: ("invalidCredentials", HTTPStatus.UNAUTHORIZED),
        TokenFault.UNAVAILABLE: ("unavailable", HTTPStatus.SERVICE_UNAVAILABLE),
    }
)
"""The same in Authentication 1.0, with the status of a response in JSON (section 2.2.6)."""

_EXPLANATIONS: Final[Mapping[TokenFault, LocalizedText]] = MappingProxyType(
    {
        TokenFault.REQUEST: LocalizedText(
            "请求中缺少 origin 或 messageId，或其格式有误。", "origin or messageId is missing or malformed."
        ),
        TokenFault.ORIGIN: LocalizedText(
            "请先在此阅览器中点按登录，准许它显示限制访问的图像。",
            "Log in from this viewer first, to let it show restricted images.",
        ),
        TokenFault.MISSING: FAILED_NOTE,
        TokenFault.INVALID: LocalizedText("请重新登录。", "Log in again."),
        TokenFault.EXPIRED: LocalizedText("登录已过期，请重新登录。", "The login has expired; log in again."),
        TokenFault.UNAVAILABLE: LocalizedText("暂时不能登录，请稍后重试。", "Try again later."),
    }
)
_FAILED: Final = LocalizedText("未能取得访问许可", "Access was not granted")


def token_message(version: int, token: str, message: str) -> Json:
    """Return the message that gives a token; without a message's id in version 1, the response in JSON."""
    if version == 1:
        return {**({"messageId": message} if message else {}), "accessToken": token, "expiresIn": TOKEN_SECONDS}
    return {
        "@context": CONTEXT_2,
        "type": "AuthAccessToken2",
        "accessToken": token,
        "expiresIn": TOKEN_SECONDS,
        "messageId": message,
    }


def token_error(version: int, fault: TokenFault, message: str) -> Json:
    """Return the message that gives no token."""
    note = _EXPLANATIONS[fault]
    if version == 1:
        named = {"messageId": message} if message else {}
        return {**named, "error": FAULTS_OF_VERSION_1[fault][0], "description": f"{note.zh} {note.en}"}
    return {
        "@context": CONTEXT_2,
        "type": "AuthAccessTokenError2",
        "profile": fault.value,
        "heading": language_map(_FAILED),
        "note": language_map(note),
        "messageId": message,
    }


def parse_origin(text: str | None) -> str | None:
    """Return an origin in its canonical form (RFC 6454, section 6.1), also from one with a final slash.

    None for anything else, such as the origin ``null`` of a page in a file: no message can be sent to it alone.
    """
    if not text or len(text) > _MOST_ORIGIN or not text.isascii():
        return None
    try:
        parts = urlsplit(text.lower())
        port = parts.port
    except ValueError:
        return None
    host = parts.netloc.rpartition(":")[0] if port is not None else parts.netloc
    if parts.scheme not in {"http", "https"} or parts.path not in {"", "/"} or not _HOST.fullmatch(host):
        return None
    is_default = port == {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{host}" if port is None or is_default else f"{parts.scheme}://{host}:{port}"
