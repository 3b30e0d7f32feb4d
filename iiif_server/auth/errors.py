"""The errors of a request for something restricted. (pure)"""

from __future__ import annotations

from repository.errors import AccessRefused
from repository.localized import LocalizedText
from repository.model.access import can_be_lifted
from repository.model.work import Rights


class AuthorizationNeeded(AccessRefused):
    """Restricted, and shown to readers who have logged in: 401 (RFC 9110, section 15.5.2)."""

    code = "access.authorization"
    text = LocalizedText(
        "{what} 限制访问；有账号的读者登录后可以查看，没有账号的请联系馆方",
        "Access to {what} is restricted; readers with an account can see it after logging in, others may contact the"
        " library",
    )


def access_refusal(what: str | LocalizedText, rights: Rights) -> AccessRefused:
    """Return the error for what access does not show: 401 where readers who log in may see it, else 403."""
    return (AuthorizationNeeded if can_be_lifted(rights) else AccessRefused)(what=what)
