"""Descriptions of the authorization services, for information documents and manifests. (pure)

Authorization Flow 2.0, sections 3 to 6; Authentication 1.0, sections 2.1 to 2.3. The access and token services are
those of a work; the probe service is that of an image. All images of a work share one access service, so that a viewer
asks its reader once for a book.

Every service has a ``profile``, also where the specification asks for none: Mirador 4 fails on services without one.
"""

from __future__ import annotations

from typing import Any, Final

from iiif_server.urls import auth_path
from repository.localized import LocalizedText

CONTEXT_2: Final = "http://iiif.io/api/auth/2/context.json"
CONTEXT_1: Final = "http://iiif.io/api/auth/1/context.json"

Json = dict[str, Any]

_LABEL: Final = LocalizedText("登录{name}", "Log in to {name}")
_HEADING: Final = LocalizedText("此图像限制访问", "Access to this image is restricted")
_NOTE: Final = LocalizedText(
    "持有{name}账号的读者登录后可以查看。", "Readers with an account of {name} can see it after logging in."
)
_CONFIRM: Final = LocalizedText("登录", "Log in")
_LOGOUT: Final = LocalizedText("退出{name}", "Log out of {name}")
_FAILED: Final = LocalizedText("未能取得访问许可", "Access was not granted")
FAILED_NOTE: Final = LocalizedText(
    "如已登录，可能是浏览器不向其他网站发送 Cookie（第三方 Cookie）；请在本馆网站上打开此书。",
    "If you are logged in, your browser may block cookies of other sites (third-party cookies);"
    " open the book on the library's own site.",
)
DEFAULT_NAME: Final = LocalizedText("善本", "Shanben")
"""The name of the library when none is set."""


def probe_service(image: str, work: str, base_url: str, provider: str) -> Json:
    """Return the probe service of an image, whole, with those below it. `image` may have a tier."""
    return {**probe_reference(image, base_url), "service": [access_service(work, base_url, provider)]}


def probe_reference(image: str, base_url: str) -> Json:
    """Return the probe service of an image without those below it."""
    return {"id": base_url + auth_path(2, "probe", image), "type": "AuthProbeService2", "profile": "probe"}


def access_reference(work: str, base_url: str) -> Json:
    """Return a reference to the access service of a work, which the same document describes elsewhere."""
    return {"id": base_url + auth_path(2, "access", work), "type": "AuthAccessService2", "profile": "active"}


def access_service(work: str, base_url: str, provider: str) -> Json:
    """Return the access service of a work, with its token and logout services."""
    name = _name(provider)
    token = {
        "id": base_url + auth_path(2, "token", work),
        "type": "AuthAccessTokenService2",
        "profile": "token",
        "errorHeading": language_map(_FAILED),
        "errorNote": language_map(FAILED_NOTE),
    }
    logout = {
        "id": base_url + auth_path(2, "logout"),
        "type": "AuthLogoutService2",
        "profile": "logout",
        "label": language_map(_LOGOUT.format(name=name)),
    }
    return {
        **access_reference(work, base_url),
        "label": language_map(_LABEL.format(name=name)),
        "heading": language_map(_HEADING),
        "note": language_map(_NOTE.format(name=name)),
        "confirmLabel": language_map(_CONFIRM),
        "service": [token, logout],
    }


def cookie_service(work: str, base_url: str, provider: str) -> Json:
    """Return the access cookie service of a work (Authentication 1.0); its texts are in both languages."""
    name = _name(provider)
    return {
        "@context": CONTEXT_1,
        "@id": base_url + auth_path(1, "access", work),
        "profile": "http://iiif.io/api/auth/1/login",
        "label": _both(_LABEL.format(name=name)),
        "header": _both(_HEADING),
        "description": _both(_NOTE.format(name=name)),
        "confirmLabel": _both(_CONFIRM),
        "failureHeader": _both(_FAILED),
        "failureDescription": _both(FAILED_NOTE),
        "service": [
            {"@id": base_url + auth_path(1, "token", work), "profile": "http://iiif.io/api/auth/1/token"},
            {
                "@id": base_url + auth_path(1, "logout"),
                "profile": "http://iiif.io/api/auth/1/logout",
                "label": _both(_LOGOUT.format(name=name)),
            },
        ],
    }


def language_map(text: LocalizedText) -> Json:
    """Return a text as a language map (Presentation 3.0, section 4.4)."""
    return {"zh-Hans": [text.zh], "en": [text.en]}


def _both(text: LocalizedText) -> str:
    return f"{text.zh} {text.en}"


def _name(provider: str) -> LocalizedText:
    return LocalizedText(provider, provider) if provider else DEFAULT_NAME
