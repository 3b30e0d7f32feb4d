"""The credentials of a request for images: the access cookie, the access token, the token of a partner. (pure)

The access cookie gives access to images. It names a session, by a reference with which nobody can log in, and the
origins of the viewers that its reader has allowed. It is not the session's own cookie, because browsers send it also
with requests for images that pages of other sites embed.

The access token is for scripts. It says what the cookie gives access to, and gives access to no image itself
(Authorization Flow 2.0, section 2). It is bound to a session and a work, and expires.

Both are signed by itsdangerous with the secret that all web processes share, each with a salt of its own. A session
that has ended ends both: code that reads them looks up the session.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final, NamedTuple

from itsdangerous import BadData, URLSafeSerializer

COOKIE: Final = "shanben_access"
PARTNER_PREFIX: Final = "shanben_"
"""How the token of a partner begins, so that programs that search for leaked secrets recognise it."""

TOKEN_SECONDS: Final = 600
"""How long an access token is valid."""

MOST_ORIGINS: Final = 8
"""How many viewers a cookie names at most; the newest remain."""

_MOST_CHARACTERS: Final = 2048
_BEARER: Final = "bearer "


class RequestCredentials(NamedTuple):
    """What a request presents: the value of the access cookie, and the bearer token (RFC 6750); '' for none."""

    cookie: str = ""
    bearer: str = ""

    @property
    def partner_token(self) -> str:
        """The token of a partner; '' if the bearer token is of another kind."""
        return self.bearer if self.bearer.startswith(PARTNER_PREFIX) else ""


NO_CREDENTIALS: Final = RequestCredentials()


def credentials_of(cookie_field: str | None, authorization: str | None) -> RequestCredentials:
    """Return what the header fields ``Cookie`` and ``Authorization`` present. What is malformed presents nothing."""
    bearer = ""
    if authorization and authorization[: len(_BEARER)].lower() == _BEARER:
        bearer = authorization[len(_BEARER) :].strip()
    pairs = (part.strip().partition("=") for part in (cookie_field or "").split(";"))
    cookie = next((value for name, _, value in pairs if name == COOKIE), "")
    found = RequestCredentials(*(value if len(value) <= _MOST_CHARACTERS else "" for value in (cookie, bearer)))
    return found if any(found) else NO_CREDENTIALS


class AccessCookie(NamedTuple):
    """A cookie that was read: a session, and the origins of the viewers that may learn of it."""

    session: str
    origins: tuple[str, ...] = ()


class AccessToken(NamedTuple):
    """A token that was read."""

    session: str
    work: str


class AccessKeys:
    """Writes and reads access cookies and access tokens."""

    def __init__(self, secret: bytes) -> None:
        self._cookies = _serializer(secret, "iiif-access-cookie")
        self._tokens = _serializer(secret, "iiif-access-token")

    def cookie(self, cookie: AccessCookie) -> str:
        """Return the value of a cookie."""
        return _text(self._cookies.dumps([cookie.session, *cookie.origins[-MOST_ORIGINS:]]))

    def read_cookie(self, value: str) -> AccessCookie | None:
        """Return what a cookie says; None for one that was not written here."""
        found = _load(self._cookies, value)
        return AccessCookie(found[0], tuple(found[1:])) if found else None

    def token(self, token: AccessToken, now: float) -> str:
        """Return a token that is valid for `TOKEN_SECONDS` from `now`, in seconds since 1970."""
        return _text(self._tokens.dumps([token.session, token.work, int(now) + TOKEN_SECONDS]))

    def read_token(self, value: str, now: float) -> AccessToken | None:
        """Return what a token says at `now`; None for one that was not written here, or has expired."""
        found = _load(self._tokens, value)
        return AccessToken(found[0], found[1]) if found and now < found[2] else None


def _serializer(secret: bytes, salt: str) -> URLSafeSerializer:
    arguments = {"key_derivation": "hmac", "digest_method": hashlib.sha256}
    return URLSafeSerializer(secret, salt=salt, signer_kwargs=arguments)


def _load(serializer: URLSafeSerializer, value: str) -> list[Any] | None:
    try:
        found: list[Any] = serializer.loads(value)
    except BadData:
        return None
    return found


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode()
