"""The cookie that opens restricted images (`iiif_server.auth.credentials`), set beside the session's own.

Viewers on other sites hold our images, so browsers must send it across sites: ``SameSite=None``, which they accept over
HTTPS alone. Without HTTPS it is sent to pages of this site only.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Response, request

from iiif_server.auth.credentials import COOKIE, AccessCookie, AccessKeys
from iiif_server.urls import IIIF_ROOT
from repository.config import Settings
from repository.database.accounts import SESSION_LIFETIME, session_reference


class AccessCookies:
    """Sets, reads and deletes the cookie of the current request."""

    def __init__(self, settings: Settings, secret: bytes) -> None:
        self._keys = AccessKeys(secret)
        self._public = settings.base_url

    @property
    def keys(self) -> AccessKeys:
        """The keys that write and read its values."""
        return self._keys

    @property
    def reaches_other_sites(self) -> bool:
        """Whether browsers send the cookie to images that pages of other sites hold."""
        return self._public.startswith("https://") or request.is_secure

    def read(self) -> AccessCookie | None:
        """Return what the cookie of the request says; None without one, and for one that was not set here."""
        value = request.cookies.get(COOKIE)
        return self._keys.read_cookie(value) if value else None

    def set(self, response: Response, token: str, origin: str | None = None) -> None:
        """Let the holder of a session's token see images, also in viewers of `origin`, to which tokens are then given.

        Origins that the same session allowed before remain.
        """
        session, earlier = session_reference(token), self.read()
        origins = earlier.origins if earlier and earlier.session == session else ()
        if origin:
            origins = (*(each for each in origins if each != origin), origin)
        value = self._keys.cookie(AccessCookie(session, origins))
        is_secure = self.reaches_other_sites
        response.set_cookie(
            COOKIE,
            value,
            max_age=SESSION_LIFETIME,
            path=self._path(),
            httponly=True,
            secure=is_secure,
            samesite="None" if is_secure else "Lax",
        )

    def clear(self, response: Response) -> None:
        """Delete the cookie."""
        is_secure = self.reaches_other_sites
        samesite = "None" if is_secure else "Lax"
        response.delete_cookie(COOKIE, path=self._path(), httponly=True, secure=is_secure, samesite=samesite)

    def _path(self) -> str:
        prefix = urlsplit(self._public).path if self._public else request.root_path
        return f"{prefix.rstrip('/')}{IIIF_ROOT}"
