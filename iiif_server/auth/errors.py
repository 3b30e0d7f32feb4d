"""The error of a request for something restricted that presents no sufficient credentials. (pure)"""

from __future__ import annotations

from repository.errors import AccessRefused
from repository.localized import LocalizedText


class AuthorizationNeeded(AccessRefused):
    """Restricted, and shown to readers who have logged in: 401 (RFC 9110, section 15.5.2)."""

    code = "access.authorization"
    text = LocalizedText(
        "{what} 限制访问；有账号的读者登录后可以查看，没有账号的请联系馆方",
        "Access to {what} is restricted; readers with an account can see it after logging in, others may contact the"
        " library",
    )
