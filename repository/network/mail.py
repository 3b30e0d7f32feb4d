"""Electronic mail to the staff, through the library's own server (SMTP, RFC 5321; STARTTLS, RFC 3207).

::

    smtps://user:password@mail.library.example           TLS from the start, port 465
    smtp://user:password@mail.library.example:587        STARTTLS, which the server must offer; port 587
    smtp://localhost                                     this machine's own server, without TLS; port 25
    smtp+insecure://relay.library.example                without TLS and without login; port 25

User and password are ASCII, percent-encoded. ``?from=alarms@library.example`` is the sender; the default is the user if
that is an address, else ``shanben`` at the server. Messages and `repr` never contain the password.
"""

from __future__ import annotations

import smtplib
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

from repository.errors import SettingInvalid
from repository.localized import LocalizedText
from repository.network.http_client import ServiceUnavailable

SECONDS: Final = 20.0
"""The seconds that connecting to the server, and each of its answers, may take."""

_PORTS: Final = {"smtps": 465, "smtp": 587, "smtp+insecure": 25}
_LOCAL: Final = {"localhost", "127.0.0.1", "::1"}
_LOCAL_PORT: Final = 25
_REASON: Final = LocalizedText(
    "应形如 smtps://用户:密码@主机 或 smtp://主机:587；smtp+insecure 不能带密码",
    "it must read like smtps://user:password@host or smtp://host:587; smtp+insecure takes no password",
)


@dataclass(frozen=True, slots=True)
class MailServer:
    """A server that accepts mail; `tls` is ``always``, ``starttls`` or ``never``; `user` is '' for no login."""

    host: str
    port: int
    tls: str
    sender: str
    user: str = ""
    password: str = field(default="", repr=False)


def parse_mail_server(text: str) -> MailServer:
    """Parse the address of a mail server. Raises `SettingInvalid`, which does not repeat it."""
    try:
        parts = urlsplit(text)
        host, port, scheme = parts.hostname or "", parts.port, parts.scheme
    except ValueError:
        host, port, scheme = "", None, ""
        parts = urlsplit("")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if (
        scheme not in _PORTS
        or not host
        or (scheme == "smtp+insecure" and user)
        or not _is_usable(parts.path, user + password)
    ):
        raise SettingInvalid(name="smtp", reason=_REASON)
    is_local = scheme == "smtp" and host in _LOCAL
    tls = {"smtps": "always", "smtp": "never" if is_local else "starttls"}.get(scheme, "never")
    sender = parse_qs(parts.query).get("from", [user if "@" in user else f"shanben@{host}"])[0]
    return MailServer(host, port or (_LOCAL_PORT if is_local else _PORTS[scheme]), tls, sender, user, password)


def _is_usable(path: str, login: str) -> bool:
    """Return whether an address has no path, and a login that `smtplib`, which knows ASCII alone, can send."""
    return path in {"", "/"} and login.isascii()


def send_mail(server: MailServer, message: EmailMessage) -> None:
    """Send a message to its recipients. Raises `ServiceUnavailable`, also when the server refuses one of them."""
    message["From"] = server.sender
    context = ssl.create_default_context()
    try:
        if server.tls == "always":
            client: smtplib.SMTP = smtplib.SMTP_SSL(server.host, server.port, timeout=SECONDS, context=context)
        else:
            client = smtplib.SMTP(server.host, server.port, timeout=SECONDS)
        try:
            if server.tls == "starttls":
                client.starttls(context=context)
            if server.user:
                client.login(server.user, server.password)
            refused = client.send_message(message)
        finally:
            with suppress(OSError, smtplib.SMTPException):  # what was accepted stays accepted
                client.quit()
    except (OSError, smtplib.SMTPException, ValueError) as fault:
        raise _unavailable(server, str(fault)) from fault
    if refused:
        raise _unavailable(server, f"{sorted(refused)}")


def _unavailable(server: MailServer, reason: str) -> ServiceUnavailable:
    service = LocalizedText(f"邮件服务器 {server.host}:{server.port}", f"mail server {server.host}:{server.port}")
    return ServiceUnavailable(service=service, reason=reason)
